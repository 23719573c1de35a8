/* SPDX-License-Identifier: MIT */
#include "provider/actions.h"

#include <stdio.h>
#include <string.h>

struct lessor_action action_at(const struct lessor_provider *table, size_t i)
{
	struct lessor_action action = { 0 };
	size_t size = table->action_size < sizeof(action) ? table->action_size : sizeof(action);

	memcpy(&action, (const char *)table->actions + i * table->action_size, size);
	return action;
}

static int is_placeholder(const char *segment, size_t len)
{
	return len > 2 && segment[0] == '{' && segment[len - 1] == '}';
}

/* One segment after the other; both begin with a slash. */
static int path_matches(const char *template, const char *path, char *ret_id, size_t id_room)
{
	ret_id[0] = '\0';
	while (*template == '/' && *path == '/') {
		size_t want = strcspn(++template, "/");
		size_t have = strcspn(++path, "/?");

		if (is_placeholder(template, want)) {
			if (!have)
				return 0;
			if (want == strlen(ACTION_ID_PLACE) &&
			    strncmp(template, ACTION_ID_PLACE, want) == 0) {
				if (have >= id_room)
					return 0;
				memcpy(ret_id, path, have);
				ret_id[have] = '\0';
			}
		} else if (want != have || memcmp(template, path, want) != 0) {
			return 0;
		}
		template += want;
		path += have;
	}
	return *template == '\0' && (*path == '\0' || *path == '?');
}

int action_find(const struct lessor_provider *table, const char *method, const char *path,
		struct lessor_action *ret, char *ret_id, size_t id_room)
{
	for (size_t i = 0; i < table->action_count; i++) {
		*ret = action_at(table, i);
		if (strcmp(ret->method, method) == 0 &&
		    path_matches(ret->path, path, ret_id, id_room))
			return 0;
	}
	return -1;
}

int action_is_harmless(const struct lessor_action *action)
{
	return action->effect == LESSOR_READS || action->effect == LESSOR_LISTS;
}

int action_is_about(const struct lessor_action *action, uint32_t kind)
{
	return kind < 32 && (action->kinds & LESSOR_KIND_BIT(kind)) != 0;
}

int action_path(const struct lessor_action *action, const char *id, char *ret, size_t room)
{
	const char *at = strstr(action->path, ACTION_ID_PLACE);
	int len = at ? snprintf(ret, room, "%.*s%s%s", (int)(at - action->path), action->path, id,
				at + strlen(ACTION_ID_PLACE)) :
		       snprintf(ret, room, "%s", action->path);

	return len < 0 || (size_t)len >= room ? -1 : 0;
}

const char *action_effect_name(uint32_t effect)
{
	static const char *const names[] = {
		[LESSOR_READS] = "read", [LESSOR_LISTS] = "listing", [LESSOR_MAKES] = "create",
		[LESSOR_CHANGES] = "change", [LESSOR_PROTECTS] = "change of protection",
		[LESSOR_DESTROYS] = "delete",
	};

	return effect >= LESSOR_READS && effect <= LESSOR_DESTROYS ? names[effect] : "request";
}
