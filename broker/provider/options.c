/* SPDX-License-Identifier: MIT */
#include "provider/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "provider/url.h"
#include "util/alloc.h"
#include "util/duration.h"
#include "util/utf8.h"

#define OPTION_TEXT_MAX 1024

/* An older plugin's element may be shorter than ours: missing members are zero. */
static struct lessor_option option_at(const struct lessor_provider *table, size_t i)
{
	struct lessor_option option = { 0 };
	size_t size = table->option_size;

	if (size > sizeof(option))
		size = sizeof(option);
	memcpy(&option, (const char *)table->options + i * table->option_size, size);
	return option;
}

/* Levenshtein distance; both texts are short keys. */
static int text_distance(const char *a, const char *b)
{
	size_t n = strlen(b);
	int row[64];

	if (n >= ARRAY_LEN(row))
		return 99;
	for (size_t j = 0; j <= n; j++)
		row[j] = (int)j;
	for (size_t i = 1; a[i - 1]; i++) {
		int diagonal = row[0];
		row[0] = (int)i;
		for (size_t j = 1; j <= n; j++) {
			int above = row[j];
			int best = diagonal + (a[i - 1] != b[j - 1]);
			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = above;
			row[j] = best;
		}
	}
	return row[n];
}

static int key_unknown(const struct lessor_provider *table, const char *key, struct err *err)
{
	char nearest[33] = "";
	int least = 99;

	for (size_t i = 0; i < table->option_count; i++) {
		struct lessor_option option = option_at(table, i);
		int distance = text_distance(key, option.key);
		if (distance < least) {
			least = distance;
			snprintf(nearest, sizeof(nearest), "%s", option.key);
		}
	}
	if (nearest[0] && least <= 3)
		return err_set(err, ERR_INVALID,
			       "provider '%s' has no option '%.40s'; did you mean '%s'?",
			       table->name, key, nearest);
	return err_set(err, ERR_INVALID, "provider '%s' has no option '%.40s'%s%s%s", table->name,
		       key, nearest[0] ? "; the nearest is '" : "", nearest, nearest[0] ? "'" : "");
}

static int int_parse(const char *text, int64_t *ret)
{
	char *end;

	if (text[0] != '-' && (text[0] < '0' || text[0] > '9'))
		return -1;
	errno = 0;
	long long value = strtoll(text, &end, 10);
	if (errno || *end != '\0' || end == text)
		return -1;
	*ret = value;
	return 0;
}

static int bool_parse(const char *text, int64_t *ret)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*ret = (int64_t)(i & 1);
			return 0;
		}
	}
	return -1;
}

static int choice_parse(const char *text, const char *choices, int64_t *ret)
{
	size_t len = strlen(text);
	int64_t index = 0;

	for (const char *p = choices; p && len > 0; index++) {
		size_t word = strcspn(p, "|");
		if (word == len && memcmp(p, text, len) == 0) {
			*ret = index;
			return 0;
		}
		if (p[word] == '\0')
			break;
		p += word + 1;
	}
	return -1;
}

static int range_check(const struct lessor_option *option, int64_t value, struct err *err)
{
	if (option->max <= option->min || (value >= option->min && value <= option->max))
		return 0;
	return err_set(err, ERR_INVALID, "option '%s' must be between %lld and %lld", option->key,
		       (long long)option->min, (long long)option->max);
}

static int duration_check(const struct lessor_option *option, const char *text, int64_t *ret,
			  struct err *err)
{
	int is_limited = option->max > option->min;
	int64_t min = is_limited && option->min > 0 ? option->min : 0;
	int64_t max = is_limited && option->max < DURATION_MAX_MS ? option->max : DURATION_MAX_MS;
	auto_free char *seconds = NULL;

	/* Here, and only here, a plain number of seconds has always been accepted as well. */
	if (*text && text[strspn(text, "0123456789")] == '\0')
		text = seconds = xasprintf("%ss", text);
	if (duration_parse(text, min, max, ret, err))
		return err_prefix(err, "option '%s': ", option->key);
	return 0;
}

static int text_check(const struct lessor_option *option, const char *text, struct err *err)
{
	if (strlen(text) > OPTION_TEXT_MAX)
		return err_set(err, ERR_INVALID, "option '%s' is longer than %d bytes", option->key,
			       OPTION_TEXT_MAX);
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return err_set(err, ERR_INVALID, "option '%s' contains a control character",
				       option->key);
	}
	if (!utf8_valid(text, strlen(text)))
		return err_set(err, ERR_INVALID, "option '%s' is not UTF-8", option->key);
	return 0;
}

static int option_parse(const struct lessor_option *option, const char *text,
			struct option_value *ret, struct err *err)
{
	char origin[URL_ORIGIN_MAX];

	if (text_check(option, text, err))
		return -1;
	switch (option->type) {
	case LESSOR_OPTION_TEXT:
		break;
	case LESSOR_OPTION_INT:
		if (int_parse(text, &ret->number))
			return err_set(err, ERR_INVALID, "option '%s' must be a whole number",
				       option->key);
		if (range_check(option, ret->number, err))
			return -1;
		break;
	case LESSOR_OPTION_BOOL:
		if (bool_parse(text, &ret->number))
			return err_set(err, ERR_INVALID, "option '%s' must be yes or no",
				       option->key);
		break;
	case LESSOR_OPTION_DURATION:
		if (duration_check(option, text, &ret->number, err))
			return -1;
		break;
	case LESSOR_OPTION_CHOICE:
		if (choice_parse(text, option->choices, &ret->number))
			return err_set(err, ERR_INVALID, "option '%s' must be one of %s",
				       option->key,
				       option->choices);
		break;
	case LESSOR_OPTION_URL:
		if (url_origin_check(text, origin, err))
			return err_prefix(err, "option '%s' ", option->key);
		text = origin;
		break;
	default:
		return err_set(err, ERR_INVALID,
			       "option '%s' has a type that this version of lessor does not support",
			       option->key);
	}
	ret->text = xstrdup(text);
	ret->type = option->type;
	snprintf(ret->key, sizeof(ret->key), "%s", option->key);
	return 0;
}

static int settings_check(const struct lessor_provider *table,
			  const struct account_option *settings, size_t setting_count,
			  struct err *err)
{
	for (size_t i = 0; i < setting_count; i++) {
		size_t at = 0;
		while (at < table->option_count &&
		       strcmp(option_at(table, at).key, settings[i].key) != 0)
			at++;
		if (at == table->option_count)
			return key_unknown(table, settings[i].key, err);
		for (size_t j = 0; j < i; j++) {
			if (strcmp(settings[i].key, settings[j].key) == 0)
				return err_set(err, ERR_INVALID, "option '%s' is set twice",
					       settings[i].key);
		}
	}
	return 0;
}

int options_check(const struct lessor_provider *table, const struct account_option *settings,
		  size_t setting_count, struct option_values *ret, struct err *err)
{
	struct option_values options = { 0 };

	*ret = options;
	if (settings_check(table, settings, setting_count, err))
		return -1;
	options.values = xcalloc(table->option_count, sizeof(*options.values));
	for (size_t i = 0; i < table->option_count; i++) {
		struct lessor_option option = option_at(table, i);
		const char *text = option.preset;
		for (size_t j = 0; j < setting_count; j++) {
			if (strcmp(settings[j].key, option.key) == 0)
				text = settings[j].value;
		}
		if (!text) {
			err_set(err, ERR_INVALID, "option '%s' is required: %.120s", option.key,
				option.help ? option.help : "");
			options_fini(&options);
			return -1;
		}
		/* an empty default means "not set", whatever the type */
		if (text == option.preset && text[0] == '\0') {
			options.values[i].text = xstrdup("");
			options.values[i].type = option.type;
			snprintf(options.values[i].key, sizeof(options.values[i].key), "%s",
				 option.key);
		} else if (option_parse(&option, text, &options.values[i], err)) {
			options_fini(&options);
			return -1;
		}
		options.count++;
	}
	*ret = options;
	return 0;
}

void options_fini(struct option_values *options)
{
	for (size_t i = 0; i < options->count; i++)
		free(options->values[i].text);
	free(options->values);
	*options = (struct option_values){ 0 };
}

const struct option_value *options_find(const struct option_values *options, const char *key)
{
	for (size_t i = 0; key && i < options->count; i++) {
		if (strcmp(options->values[i].key, key) == 0)
			return &options->values[i];
	}
	return NULL;
}
