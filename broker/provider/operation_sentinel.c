/* SPDX-License-Identifier: MIT */
/* Verifies that the token still opens the known account. */
#include "provider/operation.h"

#include <stdio.h>

#include "provider/account_state.h"
#include "provider/actions.h"
#include "provider/evidence.h"
#include "provider/url.h"

/* Finds the action that reads the sentinel. */
static int sentinel_action(const struct lessor_provider *table, struct lessor_action *ret)
{
	for (size_t i = 0; i < table->action_count; i++) {
		*ret = action_at(table, i);
		if (ret->effect == LESSOR_READS && ret->object_at && action_has_id(ret) &&
		    action_is_about(ret, LESSOR_KIND_SENTINEL))
			return 0;
	}
	return -1;
}

/*
 * Reads the account's sentinel with a request of the host's own. 1: it is present (or there is
 * none to read); its labels are in `evidence`. 0: it could not be read, or is absent.
 */
static int sentinel_read(struct operation *op, struct claim_evidence *evidence)
{
	struct resource row = { .n = -1, .kind = LESSOR_KIND_SENTINEL };
	struct lessor_action action;
	struct lessor_observed seen;
	char path[URL_PATH_MAX];
	const char *value;
	int is_last;

	/*
	 * A provider without a probe has no sentinel: the account is assumed to be the known
	 * one.
	 */
	if (!op->account->table->probe || operation_is_own_io(op))
		return 1;
	account_sentinel(op->account, row.id);
	if (!row.id[0] || sentinel_action(op->account->table, &action) ||
	    action_path(&action, row.id, path, sizeof(path)))
		return 0;
	operation_get(op, &action, row.id, path);
	/* If this request was not sent, an older read proves nothing about later reads. */
	if (evidence_exact(op, &row, &seen, &is_last) != 1 || !is_last)
		return 0;
	evidence->is_sentinel_read = 1;
	evidence->generation = observed_generation(&seen);
	value = observed_label(&seen, LESSOR_LABEL_HOLDER);
	snprintf(evidence->holder, sizeof(evidence->holder), "%s", value ? value : "");
	return 1;
}

void operation_read_holder(struct operation *op, struct claim_evidence *evidence)
{
	if (op->step->reads_sentinel && op->step->lease.n && sentinel_read(op, evidence) != 1)
		evidence->is_unproven = 1;
}

int operation_prove_project(struct operation *op, struct claim_evidence *evidence)
{
	evidence->begun_ms = op->begun_ms;
	if (evidence->is_proof || sentinel_read(op, evidence) == 1) {
		evidence->is_proof = 1;
		return 0;
	}
	log_info(LOG_FIELDS({ "account", op->account->config.name },
			    { "lease", op->step->lease.id }),
		 "observation ignored: the account's sentinel could not be read after it");
	return -1;
}
