/* SPDX-License-Identifier: MIT */
#include "util/time.h"

#define DAY_MS INT64_C(86400000)

/* Howard Hinnant's civil_from_days and its inverse: years begin in March, leap days are last. */
static void date_of_days(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = z / 146097;
	int doe = (int)(z - era * 146097);
	int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int mp = (5 * doy + 2) / 153;

	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = (int)(yoe + era * 400) + (*month <= 2);
}

static int64_t days_of_date(int year, int month, int day)
{
	int y = year - (month <= 2);
	int era = y / 400;
	int yoe = y - era * 400;
	int doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return (int64_t)era * 146097 + doe - 719468;
}

static char *digits_put(char *p, int value, int digits)
{
	int i;

	for (i = digits - 1; i >= 0; i--) {
		p[i] = (char)('0' + value % 10);
		value /= 10;
	}
	return p + digits;
}

void time_format(int64_t ms, char out[TIME_TEXT_ROOM])
{
	char *p = out;
	int year, month, day, rest;

	if (ms < 0)
		ms = 0;
	if (ms > TIME_MS_MAX)
		ms = TIME_MS_MAX;
	date_of_days(ms / DAY_MS, &year, &month, &day);
	rest = (int)(ms % DAY_MS);
	p = digits_put(p, year, 4);
	*p++ = '-';
	p = digits_put(p, month, 2);
	*p++ = '-';
	p = digits_put(p, day, 2);
	*p++ = 'T';
	p = digits_put(p, rest / 3600000, 2);
	*p++ = ':';
	p = digits_put(p, rest / 60000 % 60, 2);
	*p++ = ':';
	p = digits_put(p, rest / 1000 % 60, 2);
	*p++ = '.';
	p = digits_put(p, rest % 1000, 3);
	*p++ = 'Z';
	*p = '\0';
}

/* Reads exactly `digits` digits at *p, followed by the character `after` (0: none). */
static int digits_get(const char **p, int digits, char after, int *ret)
{
	int value = 0;

	while (digits--) {
		if (**p < '0' || **p > '9')
			return -1;
		value = value * 10 + (*(*p)++ - '0');
	}
	if (after && *(*p)++ != after)
		return -1;
	*ret = value;
	return 0;
}

static int month_days(int year, int month)
{
	static const char days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Optionally ".123", then "Z" or "+01:00", then the end. */
static int fraction_and_offset_get(const char *p, int *ret_ms, int *ret_minutes)
{
	int ms = 0, scale = 100, sign, hours, minutes;

	if (*p == '.') {
		if (p[1] < '0' || p[1] > '9')
			return -1;
		for (p++; *p >= '0' && *p <= '9'; p++) {
			ms += (*p - '0') * scale;
			scale /= 10;
		}
	}
	*ret_ms = ms;
	*ret_minutes = 0;
	if (*p == 'Z' || *p == 'z')
		return p[1] ? -1 : 0;
	if (*p != '+' && *p != '-')
		return -1;
	sign = *p++ == '-' ? -1 : 1;
	if (digits_get(&p, 2, ':', &hours) || digits_get(&p, 2, 0, &minutes) || *p || hours > 23 ||
	    minutes > 59)
		return -1;
	*ret_minutes = sign * (hours * 60 + minutes);
	return 0;
}

int time_parse(const char *text, int64_t *ret_ms)
{
	int year, month, day, hour, minute, second, milli, offset;
	const char *p = text;
	int64_t ms;

	if (digits_get(&p, 4, '-', &year) || digits_get(&p, 2, '-', &month) ||
	    digits_get(&p, 2, 0, &day))
		return -1;
	if (*p != 'T' && *p != 't')
		return -1;
	p++;
	if (digits_get(&p, 2, ':', &hour) || digits_get(&p, 2, ':', &minute) ||
	    digits_get(&p, 2, 0, &second))
		return -1;
	if (year < 1969 || month < 1 || month > 12 || day < 1 || day > month_days(year, month) ||
	    hour > 23 || minute > 59 || second > 60)
		return -1;
	if (fraction_and_offset_get(p, &milli, &offset))
		return -1;
	ms = days_of_date(year, month, day) * DAY_MS +
	     ((hour * 60 + minute - offset) * INT64_C(60) + second) * 1000 + milli;
	if (ms < 0 || ms > TIME_MS_MAX)
		return -1;
	*ret_ms = ms;
	return 0;
}
