/* SPDX-License-Identifier: MIT */
#include "provider/operation.h"

#include <string.h>

#include "util/alloc.h"

/* Updates the step's copy of the ledger with what was decided. */
static void ledger_put(struct ledger *ledger, const struct resource *resource)
{
	for (size_t i = 0; i < ledger->resource_count; i++) {
		if (ledger->resources[i].n == resource->n) {
			ledger->resources[i] = *resource;
			return;
		}
	}
	ledger->resources = xrealloc(ledger->resources, (ledger->resource_count + 1) *
				     sizeof(*ledger->resources));
	ledger->resources[ledger->resource_count++] = *resource;
}

/*
 * inspect and retain resolve unknown outcomes by reading; retain also changes retained
 * resources. An observe for several leases only finds out the state of their servers.
 */
static int claim_is_allowed(const struct step *step, enum lease_claim_kind kind)
{
	switch (step->op) {
	case STEP_PROVISION:
		return !step->look || kind == CLAIM_REUSE || kind == CLAIM_ATTEMPT_REFUSED;
	case STEP_CLEANUP:
	case STEP_PROBE:
		return 1;
	case STEP_RETAIN:
		if (kind == CLAIM_CHANGE || kind == CLAIM_CHANGED)
			return 1;
		/* fall through */
	case STEP_INSPECT:
		return kind == CLAIM_ADOPT || kind == CLAIM_REPORT_ABSENT || kind == CLAIM_GONE ||
		       kind == CLAIM_REPORT_PRESENT || kind == CLAIM_REUSE;
	default:
		return 0;
	}
}

int operation_barrier(struct operation *op)
{
	struct step *step = op->step;

	/* After a refusal it stays so: what was claimed never becomes durable. */
	if (op->is_undurable && step->barrier && step->barrier(step->claim_arg, step))
		return -1;
	op->is_undurable = 0;
	return 0;
}

int operation_claim(struct operation *op, struct lease_claim *what)
{
	struct step *step = op->step;
	const char *name = lease_claim_name(what->kind);

	if (op->opening || !step->claim || !claim_is_allowed(step, what->kind))
		return operation_violation(op, "%s in an operation that may not make this claim",
					   name);
	what->result = -1;
	op->claimed_mono_ms = env_mono_ms(op->account->env);
	int result = step->claim(step->claim_arg, step, what);
	/* If the lease is observed with others, the observer sends its requests. */
	(op->observer ? op->observer : op)->is_undurable = 1;
	/* A provider with I/O of its own may act on the answer immediately. */
	if (operation_is_own_io(op) && operation_barrier(op) && !result) {
		result = what->result = -1;
		err_set(&what->err, ERR_REFUSED, "the account has moved to another lessord");
	}
	if (what->resource.n)
		ledger_put(&step->ledger, &what->resource);
	if (result) {
		log_info(LOG_FIELDS({ "provider", op->account->table->name },
				    { "account", op->account->config.name },
				    { "lease", step->lease.id }, { "reason", what->err.text }),
			 "claim '%s' refused", name);
		return -1;
	}
	return 0;
}

const struct resource *operation_row(struct operation *op, int64_t row, const char *name)
{
	const struct resource *resource = ledger_find(&op->step->ledger, row);

	if (!resource)
		operation_violation(op, "%s for row %lld, which is not in this ledger", name,
				    (long long)row);
	return resource;
}
