/* SPDX-License-Identifier: MIT */
#include "provider/operation.h"

#include <string.h>

#include "provider/evidence.h"

/* Is this verdict allowed for the operation? */
static int verdict_is_allowed(enum step_op op, int verdict)
{
	static const unsigned allowed[] = {
		[STEP_PROVISION] = 1u << LESSOR_DONE | 1u << LESSOR_PENDING | 1u << LESSOR_RETRY |
				   1u << LESSOR_REFUSED,
		[STEP_CLEANUP] = 1u << LESSOR_GONE | 1u << LESSOR_PENDING | 1u << LESSOR_RETRY |
				 1u << LESSOR_REFUSED,
		[STEP_INSPECT] = 1u << LESSOR_DONE | 1u << LESSOR_GONE | 1u << LESSOR_RETRY |
				 1u << LESSOR_REFUSED,
		[STEP_PROBE] = 1u << LESSOR_DONE | 1u << LESSOR_PENDING | 1u << LESSOR_RETRY |
			       1u << LESSOR_REFUSED,
		[STEP_CATALOG] = 1u << LESSOR_DONE | 1u << LESSOR_RETRY | 1u << LESSOR_REFUSED,
		[STEP_LIST] = 1u << LESSOR_DONE | 1u << LESSOR_RETRY | 1u << LESSOR_REFUSED,
		[STEP_RELOAD] = 1u << LESSOR_DONE | 1u << LESSOR_RETRY | 1u << LESSOR_REFUSED,
		[STEP_RETAIN] = 1u << LESSOR_DONE | 1u << LESSOR_PENDING | 1u << LESSOR_RETRY |
				1u << LESSOR_REFUSED,
		[STEP_OBSERVE] = 1u << LESSOR_DONE | 1u << LESSOR_RETRY | 1u << LESSOR_REFUSED,
	};

	return verdict >= LESSOR_DONE && verdict <= LESSOR_GONE && (allowed[op] & 1u << verdict);
}

/* A ready server must be in the ledger and in a response of this step. */
static int ready_check(struct operation *op)
{
	struct step *step = op->step;
	const struct resource *row = NULL;
	struct lessor_observed seen;

	if (!step->host[0])
		return operation_violation(op, "provision is done but names no host to connect to");
	for (size_t i = 0; i < step->ledger.resource_count; i++) {
		const struct resource *r = &step->ledger.resources[i];

		if (r->kind == LESSOR_KIND_SERVER && r->ours && r->state == LESSOR_STATE_PRESENT &&
		    r->id[0] && strcmp(r->id, step->server_id) == 0)
			row = r;
	}
	/* A machine that existed before its lease keeps its own name. */
	if (!row || (!operation_is_own_io(op) && strcmp(row->name, step->server_name) != 0))
		return operation_violation(op,
					   "provision is done with the server '%s' (id '%s'), "
					   "which is not in the ledger",
					   step->server_name, step->server_id);
	if (operation_is_own_io(op))
		return 0;
	if (!evidence_shown(op, LESSOR_KIND_SERVER, row->id, &seen))
		return operation_violation(op,
					   "provision is done, but no response of this step shows "
					   "the server %s",
					   row->id);
	step_set_shown(step, &seen);
	return 0;
}

static int verdict_check(struct operation *op, int verdict)
{
	const struct step *step = op->step;

	if (!verdict_is_allowed(step->op, verdict))
		return operation_violation(op, "%s ended with verdict %d", step_op_name(step->op),
					   verdict);
	if ((verdict == LESSOR_PENDING || verdict == LESSOR_RETRY || verdict == LESSOR_REFUSED) &&
	    op->verdict != verdict)
		return operation_violation(op, "%s ended with verdict %d without a reason",
					   step_op_name(step->op), verdict);
	return step->op == STEP_PROVISION && verdict == LESSOR_DONE ? ready_check(op) : 0;
}

static void outputs_clear(struct step *step)
{
	step->host[0] = '\0';
	step->server_id[0] = '\0';
	step->server_name[0] = '\0';
	step->server_type[0] = '\0';
	step->location[0] = '\0';
	step->status[0] = '\0';
}

void operation_conclude(struct operation *op, int verdict)
{
	struct step *step = op->step;

	operation_reconcile(op);
	int allowed = verdict_check(op, verdict) == 0;

	step->answers = (int)op->request_count;
	step->error_class = LESSOR_CLASS_NONE;
	step->wait_ms = 0;
	step->reason[0] = '\0';
	step->cursor[0] = '\0';
	step->violation = op->violation[0] != '\0';
	if (!allowed) {
		step->verdict = LESSOR_RETRY;
		step->error_class = LESSOR_CLASS_BUG;
	} else {
		step->verdict = verdict;
		if (op->verdict == verdict) {
			step->error_class = op->verdict_class;
			step->wait_ms = op->verdict_wait_ms;
			memcpy(step->reason, op->verdict_reason, sizeof(step->reason));
			memcpy(step->cursor, op->verdict_cursor, sizeof(step->cursor));
		}
	}
	if (step->violation)
		memcpy(step->reason, op->violation, sizeof(step->reason));
	if (step->verdict != LESSOR_DONE)
		outputs_clear(step);
}
