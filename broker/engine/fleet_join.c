/* SPDX-License-Identifier: MIT */
#include "engine/fleet_join.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "util/text.h"

struct join {
	struct engine_request *whole;
	atomic_size_t left;
	size_t count;
	struct engine_request parts[];
};

static void pool_append(struct engine_request *whole, struct engine_request *part)
{
	size_t count = whole->pool_count + part->pool_count;

	if (part->pool_count) {
		whole->pool = xrealloc(whole->pool, count * sizeof(*whole->pool));
		memcpy(whole->pool + whole->pool_count, part->pool,
		       part->pool_count * sizeof(*part->pool));
		whole->pool_count = count;
	}
	free(part->pool);
}

/* The first failure is that of the whole. */
static void part_add(struct engine_request *whole, struct engine_request *part)
{
	if (whole->kind == REQUEST_POOL)
		pool_append(whole, part);
	else
		whole->count += part->count;
	if (part->result == RESULT_OK || whole->result != RESULT_OK)
		return;
	whole->result = part->result;
	whole->retry_ms = part->retry_ms;
	TEXT_SET(whole->code, part->code);
	TEXT_SET(whole->message, part->message);
}

static void part_done(struct engine_request *part)
{
	struct join *join = part->user;
	struct engine_request *whole = join->whole;

	if (atomic_fetch_sub(&join->left, 1) != 1)
		return;
	whole->result = RESULT_OK;
	for (size_t i = 0; i < join->count; i++)
		part_add(whole, &join->parts[i]);
	free(join);
	whole->done(whole);
}

void fleet_join(struct engine *const *engines, const char *const *accounts, size_t count,
		struct engine_request *request)
{
	struct join *join = xcalloc(1, sizeof(*join) + count * sizeof(join->parts[0]));

	join->whole = request;
	join->count = count;
	atomic_store(&join->left, count);
	for (size_t i = 0; i < count; i++) {
		struct engine_request *part = &join->parts[i];

		part->kind = request->kind;
		part->caller = request->caller;
		TEXT_SET(part->reason, request->reason);
		TEXT_SET(part->expected_account, accounts[i]);
		if (request->kind == REQUEST_SWEEP)
			part->sweep = request->sweep;
		part->done = part_done;
		part->user = join;
	}
	/* After the last has been submitted, the join may be gone. */
	for (size_t i = 0; i < count; i++)
		engine_submit(engines[i], &join->parts[i]);
}
