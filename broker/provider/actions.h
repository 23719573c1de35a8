/* SPDX-License-Identifier: MIT */
/* Matches requests to the actions that a provider declares. Pure. */
#pragma once

#include <stddef.h>

#include <lessor/provider.h>

#define ACTION_ID_PLACE "{id}"

/* The i-th action, padded or cut to the host's own size. */
struct lessor_action action_at(const struct lessor_provider *table, size_t i);
/*
 * Finds the action whose method and path template match: of several, the one with the greatest
 * effect; of several reads, the first. `path` may carry a query. Returns 0 with the segment
 * that stands for {id} in *ret_id ("" if there is none), or -1 if none matches or the id is
 * longer than any valid one.
 */
int action_find(const struct lessor_provider *table, const char *method, const char *path,
		struct lessor_action *ret, char *ret_id, size_t id_size);
/* Does its path contain an {id}? */
int action_has_id(const struct lessor_action *action);
/* Is it free of effects? */
int action_is_harmless(const struct lessor_action *action);
int action_is_about(const struct lessor_action *action, uint32_t kind);
/*
 * Writes the template's path with the id filled in. -1: it does not fit, or the template has
 * another {word}.
 */
int action_path(const struct lessor_action *action, const char *id, char *ret, size_t size);
/* "a read", "a delete", ... for error texts. */
const char *action_effect_name(uint32_t effect);
