/* SPDX-License-Identifier: MIT */
#include "provider/operation.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lease/deadline.h"
#include "util/alloc.h"

struct operation_chunk {
	SLIST_ENTRY(operation_chunk) link;
	max_align_t data[];
};

void *operation_alloc(struct operation *op, size_t size)
{
	struct operation_chunk *chunk = xcalloc(1, sizeof(*chunk) + size);

	SLIST_INSERT_HEAD(&op->chunks, chunk, link);
	op->scratch += size;
	return chunk->data;
}

char *operation_dup(struct operation *op, const char *text)
{
	size_t len = strlen(text);
	char *copy = operation_alloc(op, len + 1);

	memcpy(copy, text, len);
	return copy;
}

void operation_record_fini(struct operation *op)
{
	for (size_t i = 0; i < op->response_count; i++)
		http_response_unref(op->responses[i]);
	free(op->responses);
	while (!SLIST_EMPTY(&op->chunks)) {
		struct operation_chunk *chunk = SLIST_FIRST(&op->chunks);

		SLIST_REMOVE_HEAD(&op->chunks, link);
		free(chunk);
	}
}

const struct log_field *operation_log_fields(const struct operation *op, struct log_field ret[5])
{
	ret[0] = (struct log_field){ "provider", op->account->table->name };
	ret[1] = (struct log_field){ "account", op->account->config.name };
	ret[2] = (struct log_field){ "step", step_op_name(op->step->op) };
	ret[3] = (struct log_field){ op->step->lease.id[0] ? "lease" : NULL,
				      op->step->lease.id };
	ret[4] = (struct log_field){ NULL, NULL };
	return ret;
}

int operation_violation(struct operation *op, const char *fmt, ...)
{
	struct log_field fields[5];
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	log_warning(operation_log_fields(op, fields), "plugin contract violation, rejected: %s",
		    text);
	if (!op->violation[0])
		snprintf(op->violation, sizeof(op->violation), "%s", text);
	return -1;
}

int operation_is_own_io(const struct operation *op)
{
	const struct lessor_provider *table = op->account->table;

	/* What goes through the host's HTTP is on record and is checked against that. */
	return (table->capabilities & LESSOR_OWN_IO) && !table->http_auth;
}

struct operation_effect *operation_effect_find(struct operation *op, int64_t row)
{
	for (size_t i = 0; i < op->effect_count; i++) {
		if (op->effects[i].row == row)
			return &op->effects[i];
	}
	return NULL;
}

struct operation_effect *operation_effect_get(struct operation *op, int64_t row)
{
	struct operation_effect *effect = operation_effect_find(op, row);

	if (effect || op->effect_count == OPERATION_EFFECTS_MAX)
		return effect;
	if (!op->effects)
		op->effects = operation_alloc(op, OPERATION_EFFECTS_MAX * sizeof(*op->effects));
	effect = &op->effects[op->effect_count++];
	effect->row = row;
	return effect;
}

void operation_effect_granted(struct operation *op, struct operation_effect *effect)
{
	effect->send_by_mono_ms = op->claimed_mono_ms + PERMIT_MS - PERMIT_MARGIN_MS;
}

void operation_effect_report(struct operation *op, int64_t row)
{
	struct operation_effect *effect = operation_effect_find(op, row);

	if (effect)
		effect->reported = 1;
}
