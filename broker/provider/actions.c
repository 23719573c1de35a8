/* SPDX-License-Identifier: MIT */
#include "provider/actions.h"

#include <string.h>

struct lessor_action action_at(const struct lessor_provider *table, size_t i)
{
	struct lessor_action action = { 0 };
	size_t size = table->action_size < sizeof(action) ? table->action_size : sizeof(action);

	memcpy(&action, (const char *)table->actions + i * table->action_size, size);
	return action;
}

static int segment_is_placeholder(const char *segment, size_t len)
{
	return len > 2 && segment[0] == '{' && segment[len - 1] == '}';
}

/* Every {id} of a template stands for the same id. */
static int id_is_same(const char *id, const char *segment, size_t len)
{
	return !id[0] || (strlen(id) == len && memcmp(id, segment, len) == 0);
}

/* Compares segment by segment; both begin with a slash. */
static int path_matches(const char *template, const char *path, char *ret_id, size_t id_size)
{
	ret_id[0] = '\0';
	while (*template == '/' && *path == '/') {
		size_t want = strcspn(++template, "/");
		size_t have = strcspn(++path, "/?");

		if (segment_is_placeholder(template, want)) {
			if (!have)
				return 0;
			if (want == strlen(ACTION_ID_PLACE) &&
			    strncmp(template, ACTION_ID_PLACE, want) == 0) {
				if (have >= id_size || !id_is_same(ret_id, path, have))
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

int action_has_id(const struct lessor_action *action)
{
	return strstr(action->path, ACTION_ID_PLACE) != NULL;
}

static uint32_t action_strictness(const struct lessor_action *action)
{
	return action_is_harmless(action) ? 0 : action->effect;
}

int action_find(const struct lessor_provider *table, const char *method, const char *path,
		struct lessor_action *ret, char *ret_id, size_t id_size)
{
	int found = 0;

	for (size_t i = 0; i < table->action_count; i++) {
		struct lessor_action action = action_at(table, i);

		if (strcmp(action.method, method) != 0 ||
		    !path_matches(action.path, path, ret_id, id_size) ||
		    (found && action_strictness(&action) <= action_strictness(ret)))
			continue;
		*ret = action;
		found = 1;
	}
	return found && path_matches(ret->path, path, ret_id, id_size) ? 0 : -1;
}

int action_is_harmless(const struct lessor_action *action)
{
	return action->effect == LESSOR_READS || action->effect == LESSOR_LISTS;
}

int action_is_about(const struct lessor_action *action, uint32_t kind)
{
	return kind < 32 && (action->kinds & LESSOR_KIND_BIT(kind)) != 0;
}

int action_path(const struct lessor_action *action, const char *id, char *ret, size_t size)
{
	size_t len = 0;

	for (const char *p = action->path; *p;) {
		int is_id = strncmp(p, ACTION_ID_PLACE, strlen(ACTION_ID_PLACE)) == 0;
		size_t piece = is_id ? strlen(id) : 1;

		if ((*p == '{' && !is_id) || piece >= size - len)
			return -1;
		memcpy(ret + len, is_id ? id : p, piece);
		len += piece;
		p += is_id ? strlen(ACTION_ID_PLACE) : 1;
	}
	ret[len] = '\0';
	return 0;
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
