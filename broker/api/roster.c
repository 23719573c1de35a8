/* SPDX-License-Identifier: MIT */
#include "api/roster.h"

#include <string.h>

#include "util/alloc.h"

void roster_lower(char *name)
{
	for (; *name; name++) {
		if (*name >= 'A' && *name <= 'Z')
			*name = (char)(*name - 'A' + 'a');
	}
}

static void roster_add(void *arg, const struct store_share *share)
{
	struct roster *roster = arg;

	if (roster->count < ARRAY_LEN(roster->list))
		roster->list[roster->count++] = *share;
}

int roster_read(struct api_request *request, const struct lease *l, struct roster *roster,
		struct err *err)
{
	roster->count = 0;
	return store_share_each(request->api->parts.reader, l->n, roster_add, roster,
				&roster->updated_ms, roster->updated_by, err);
}

void roster_render(struct jsonw *w, const struct roster *roster)
{
	int org = -1;

	jsonw_object(w, "share");
	jsonw_object(w, "users");
	for (size_t i = 0; i < roster->count; i++) {
		const struct store_share *share = &roster->list[i];

		if (share->name[0])
			jsonw_text(w, share->name, share->manage ? "manage" : "use");
		else
			org = share->manage;
	}
	jsonw_end_object(w);
	if (org >= 0)
		jsonw_text(w, "org", org ? "manage" : "use");
	jsonw_time(w, "updatedAt", roster->updated_ms);
	jsonw_text_if(w, "updatedBy", roster->updated_by);
	jsonw_end_object(w);
}

int roster_is_visible(const struct caller *caller, const struct lease *l,
		      const struct roster *roster)
{
	char name[sizeof(caller->owner)];

	if (caller->role == TOKEN_ADMIN)
		return 1;
	if (strcmp(caller->org, l->org))
		return 0;
	if (!strcmp(caller->owner, l->owner))
		return 1;
	memcpy(name, caller->owner, sizeof(name));
	roster_lower(name);
	for (size_t i = 0; i < roster->count; i++) {
		if (roster->list[i].manage &&
		    (!roster->list[i].name[0] || !strcmp(roster->list[i].name, name)))
			return 1;
	}
	return 0;
}

void roster_render_lease(struct api_request *request, struct jsonw *w, const struct lease *l)
{
	struct roster roster;

	if (roster_read(request, l, &roster, NULL) == 0 && roster.updated_ms &&
	    roster_is_visible(&request->caller, l, &roster))
		roster_render(w, &roster);
}
