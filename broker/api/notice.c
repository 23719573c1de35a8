/* SPDX-License-Identifier: MIT */
#include "api/notice.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/duration.h"

#define DAY_S INT64_C(86400)

void notice_add(struct notices *notices, const char *code, const char *fmt, ...)
{
	struct notice *notice = &notices->list[notices->count];
	va_list ap;

	if (notices->count == NOTICES_MAX)
		return;
	notice->code = code;
	va_start(ap, fmt);
	vsnprintf(notice->message, sizeof(notice->message), fmt, ap);
	va_end(ap);
	notices->count++;
}

/* As people write it: "24h", "3d", "1h30m". */
static void duration_write(int64_t seconds, char out[DURATION_TEXT_SIZE])
{
	static const struct {
		int64_t seconds;
		char unit;
	} units[] = { { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	size_t len = 0;

	if (seconds >= 2 * DAY_S && seconds % DAY_S == 0) {
		snprintf(out, DURATION_TEXT_SIZE, "%" PRId64 "d", seconds / DAY_S);
		return;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && len < DURATION_TEXT_SIZE; i++) {
		int64_t n = seconds / units[i].seconds;

		seconds %= units[i].seconds;
		if (n)
			len += (size_t)snprintf(out + len, DURATION_TEXT_SIZE - len,
						"%" PRId64 "%c", n, units[i].unit);
	}
}

/* A lease may have less for another reason, such as a later heartbeat. */
static void time_compare(struct notices *out, const char *code, const char *what, int64_t asked,
			 int64_t has_ms, int64_t max_ms)
{
	char wanted[DURATION_TEXT_SIZE] = "0s", given[DURATION_TEXT_SIZE] = "0s";
	int64_t allowed = (has_ms > max_ms ? has_ms : max_ms) / 1000;

	if (asked <= allowed)
		return;
	duration_write(asked, wanted);
	duration_write(allowed, given);
	notice_add(out, code, "%s: %s is more than this server allows: %s", what, wanted, given);
}

int notice_slug_is_taken(const struct notice_request *asked, const struct lease *l)
{
	return asked->slug[0] && strcmp(asked->slug, l->slug) != 0;
}

static void slug_compare(const struct notice_request *asked, const struct lease *l,
			 const char *holder, struct notices *out)
{
	if (strcmp(asked->slug_raw, asked->slug) != 0)
		notice_add(out, "slug_changed", "slug '%s' is written '%s'", asked->slug_raw,
			   asked->slug);
	if (!notice_slug_is_taken(asked, l))
		return;
	if (holder && holder[0])
		notice_add(out, "slug_taken", "'%s' is taken by %s; this one is %s", asked->slug,
			   holder, l->slug);
	else
		notice_add(out, "slug_taken", "'%s' is taken; this one is %s", asked->slug, l->slug);
}

/* Why the type or the place was not to be had; "" if no attempt says so. */
static const char *refusal_find(const struct attempt *attempts, size_t count, const char *type,
				const char *location)
{
	for (size_t i = 0; i < count; i++) {
		if (attempts[i].refused && (!type || !strcmp(attempts[i].type, type)) &&
		    (!location || !strcmp(attempts[i].location, location)))
			return error_class_name(attempts[i].refused);
	}
	return "";
}

/* `how`: "of type", "in". */
static void fallback_add(struct notices *out, const char *code, const char *wanted, const char *why,
			 const char *how, const char *has)
{
	notice_add(out, code, "%s is not available%s%s%s; this machine is %s %s", wanted,
		   *why ? " (" : "", why, *why ? ")" : "", how, has);
}

/* The account does not have it, so it was not tried. */
static void location_unknown_add(struct notices *out, const char *wanted, const struct lease *l)
{
	if (l->server_location[0])
		notice_add(out, "location_fallback",
			   "%s is not a location of account %s; this machine is in %s", wanted,
			   l->account, l->server_location);
	else
		notice_add(out, "location_fallback",
			   "%s is not a location of account %s; another one is used", wanted,
			   l->account);
}

static void machine_compare(const struct notice_request *asked, const struct lease *l,
			    const struct attempt *attempts, size_t count, struct notices *out)
{
	const char *type = l->type_count ? l->types[0] : "";

	if (type[0] && l->server_type[0] && strcmp(type, l->server_type) != 0)
		fallback_add(out, "type_fallback", type, refusal_find(attempts, count, type, NULL),
			     "of type", l->server_type);
	if (asked->location[0] && strcmp(asked->location, l->location) != 0)
		location_unknown_add(out, asked->location, l);
	else if (asked->location[0] && l->server_location[0] &&
		 strcmp(asked->location, l->server_location) != 0)
		fallback_add(out, "location_fallback", asked->location,
			     refusal_find(attempts, count, NULL, asked->location), "in",
			     l->server_location);
	if (asked->image[0] && strcmp(asked->image, l->image) != 0)
		notice_add(out, "image_replaced",
			   "image %s is not offered here; this machine has %s", asked->image,
			   l->image);
}

void notice_compare(const struct notice_request *asked, const struct lease *l,
		    const struct attempt *attempts, size_t attempt_count, const char *slug_holder,
		    struct notices *out)
{
	slug_compare(asked, l, slug_holder, out);
	time_compare(out, "ttl_shortened", "ttl", asked->ttl_seconds, l->ttl_ms, asked->ttl_max_ms);
	time_compare(out, "idle_shortened", "idle timeout", asked->idle_seconds, l->idle_ms,
		     asked->idle_max_ms);
	machine_compare(asked, l, attempts, attempt_count, out);
}

void notice_render(struct jsonw *w, const struct notices *notices)
{
	if (!notices->count)
		return;
	jsonw_array(w, "notices");
	for (size_t i = 0; i < notices->count; i++) {
		jsonw_object(w, NULL);
		jsonw_text(w, "code", notices->list[i].code);
		jsonw_text(w, "message", notices->list[i].message);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}
