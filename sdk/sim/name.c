/* SPDX-License-Identifier: MIT */
/*
 * The names of operations and kinds of objects.
 */
#include <string.h>

#include "sim/cloud.h"
#include "sim/op.h"

static const char *const op_names[OP_COUNT] = {
#define X(op, name) name,
	OPS(X)
#undef X
};

const char *op_name(enum op op)
{
	return op < OP_COUNT ? op_names[op] : "";
}

enum op op_find(const char *name)
{
	size_t i = 0;

	while (i < OP_COUNT && strcmp(op_names[i], name))
		i++;
	return (enum op)i;
}

const char *cloud_kind_name(enum cloud_kind kind)
{
	static const char *const names[CLOUD_KIND_COUNT] = { "server", "ssh_key", "primary_ip" };

	return names[kind];
}
