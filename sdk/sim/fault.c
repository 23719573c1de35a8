/* SPDX-License-Identifier: MIT */
/*
 * The kinds of faults, their arguments, and the plan of faults for one request.
 */
#include "sim/fault.h"

#include <string.h>

static const struct kind {
	const char *name, *help;
	enum fault_sort sort;
} kinds[FAULT_KIND_COUNT] = {
#define X(kind, name, sort, help) { name, help, FAULT_IS_##sort },
	FAULT_KINDS(X)
#undef X
};

const char *fault_name(enum fault_kind kind)
{
	return kinds[kind].name;
}

const char *fault_help(enum fault_kind kind)
{
	return kinds[kind].help;
}

enum fault_sort fault_sort(enum fault_kind kind)
{
	return kinds[kind].sort;
}

void plan_fini(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		json_decref(plan->items[i].args);
	plan->count = 0;
}

const json_t *plan_find(const struct plan *plan, enum fault_kind kind)
{
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->items[i].kind == kind)
			return plan->items[i].args;
	}
	return NULL;
}

const struct plan_item *plan_find_answer(const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		if (fault_sort(plan->items[i].kind) == FAULT_IS_ANSWER)
			return &plan->items[i];
	}
	return NULL;
}

int64_t args_int(const json_t *args, const char *key, int64_t otherwise)
{
	const json_t *value = json_object_get(args, key);

	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

int args_true(const json_t *args, const char *key, int otherwise)
{
	const json_t *value = json_object_get(args, key);

	return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

const char *args_str(const json_t *args, const char *key, const char *otherwise)
{
	const json_t *value = json_object_get(args, key);

	return json_is_string(value) ? json_string_value(value) : otherwise;
}
