/* SPDX-License-Identifier: MIT */
#include "provider/operation.h"

#include <string.h>

#include "util/utf8.h"

#define ID_SIZE sizeof(((struct resource *)0)->id)

int plugin_copy_in(void *ret, size_t ret_size, const void *from, uint32_t size, size_t least)
{
	memset(ret, 0, ret_size);
	if (size < least)
		return -1;
	memcpy(ret, from, size < ret_size ? size : ret_size);
	return 0;
}

/*
 * Ids and actions are stored and logged: they must be short and printable. An action may be
 * empty.
 */
int plugin_action_is_valid(const char *action)
{
	size_t len = 0;

	while (action[len] > 0x20 && action[len] < 0x7f)
		len++;
	return action[len] == '\0' && len < ID_SIZE;
}

/* An id is also one segment of a path. */
int plugin_id_is_valid(const char *id)
{
	return id[0] != '\0' && plugin_action_is_valid(id) && !strpbrk(id, "/?#%\\\"");
}

const char *plugin_text(const char *text)
{
	return text && utf8_valid(text, strlen(text)) ? text : "";
}

int plugin_copy_observed(struct operation *op, struct lessor_observed *ret,
			 const struct lessor_observed *from, const char *name)
{
	if (!from || plugin_copy_in(ret, sizeof(*ret), from, from->size, PLUGIN_OBSERVED_MIN) ||
	    !ret->id || !plugin_id_is_valid(ret->id) || !ret->name || (ret->label_count && !ret->labels) ||
	    ret->label_count > 1000)
		return operation_violation(op,
					   "%s without a valid observation (size, id, name, labels)",
					   name);
	for (size_t i = 0; i < ret->label_count; i++) {
		if (!ret->labels[i].key || !ret->labels[i].value)
			return operation_violation(op, "%s with a label without key or value",
						   name);
	}
	return 0;
}
