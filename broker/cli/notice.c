/* SPDX-License-Identifier: MIT */
#include "cli/notice.h"

#include <stdio.h>
#include <string.h>

#include "cli/lease_view.h"
#include "cli/text.h"

static int notice_exists(const json_t *lease, const char *code)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(lease, "notices"), i, one) {
		if (!strcmp(view_text(one, "code"), code))
			return 1;
	}
	return 0;
}

/* An idle timeout that is not below the TTL never ends the lease: the TTL's notice is enough. */
static int is_without_effect(const json_t *lease, const char *code)
{
	return !strcmp(code, "idle_shortened") && notice_exists(lease, "ttl_shortened") &&
	       view_int(lease, "idleTimeoutSeconds") >= view_int(lease, "ttlSeconds");
}

void notice_print(const json_t *lease)
{
	notice_print_extension(lease, NULL);
}

void notice_print_extension(const json_t *lease, const char *asked)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(lease, "notices"), i, one) {
		const char *code = view_text(one, "code"), *text = view_text(one, "message");
		const char *rest = strstr(text, " is more than ");

		if (is_without_effect(lease, code))
			continue;
		if (asked && rest && !strcmp(code, "ttl_shortened"))
			text_print(stderr, "note: %s%s in all", asked, rest);
		else
			text_print(stderr, "note: %s", text);
	}
}

void notice_print_fallback(const json_t *lease, const json_t *body)
{
	const char *type = view_text(lease, "requestedServerType");
	const char *location = view_text(body, "location");
	const char *has_type = view_text(lease, "serverType"), *has = view_text(lease, "region");

	if (*type && *has_type && strcmp(type, has_type) != 0 &&
	    !notice_exists(lease, "type_fallback"))
		text_print(stderr, "note: %s is not available; this machine is of type %s", type,
			   has_type);
	if (*location && *has && strcmp(location, has) != 0 &&
	    !notice_exists(lease, "location_fallback"))
		text_print(stderr, "note: %s is not available; this machine is in %s", location,
			   has);
}
