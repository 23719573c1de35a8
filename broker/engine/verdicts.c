/* SPDX-License-Identifier: MIT */
/* Applies results of steps to their lease and to their account. */
#include "engine/internal.h"

#include <string.h>

#include "schedule/backoff.h"
#include "util/bug.h"
#include "util/log.h"
#include "util/text.h"

#define ACCOUNT_BACKOFF_MS 2000
/* Refused: an operator must act. The probe is repeated in case they have. */
#define ACCOUNT_REFUSED_CAP_MS (10 * 60 * 1000)
/* A denial counts as consecutive if the last one is at most this long ago. */
#define DENIALS_FORGOTTEN_MS (60 * 60 * 1000)
/* Delay of the probe after the first denial. */
#define DENIED_PROBE_MS 1000

static enum lease_op lease_op_of(enum step_op op)
{
	return op == STEP_PROVISION ? LEASE_OP_PROVISION :
	       op == STEP_CLEANUP   ? LEASE_OP_CLEANUP :
	       op == STEP_RETAIN    ? LEASE_OP_RETAIN :
				      LEASE_OP_INSPECT;
}

/* Looks up the price of the machine, if this step made it ready. Zeroed if it is not known. */
static void find_price(struct core *core, const struct step *step, struct store_price *ret)
{
	*ret = (struct store_price){ 0 };
	if (step->op == STEP_PROVISION && step->verdict == LESSOR_DONE &&
	    core_price_get(core, step->account->config.name, step->server_type, step->location, ret,
			   NULL))
		*ret = (struct store_price){ 0 };
}

static int lease_result(struct core *core, struct step *step, const struct in_flight *ran,
			struct err *err)
{
	struct lease_aggregate *a = core_lease(core, step->lease.n, err);
	struct store_price price;
	struct lease_event event = {
		.kind = LEASE_EVENT_VERDICT,
		.u.verdict = {
			.op = lease_op_of(step->op),
			.epoch = step->epoch,
			.verdict = step->verdict,
			.error_class = step->error_class,
			.wait_ms = step->wait_ms,
			.is_breach = step->violation,
			.provider = step->account->table->name,
			.reason = step->reason,
			.cursor = step->cursor,
			.host = step->host,
			.server_id = step->server_id,
			.server_name = step->server_name,
			.server_type = step->server_type,
			.location = step->location,
			.shown = step->is_shown ? &step->shown : NULL,
			.currency = price.currency,
			.absence_ms = ran->absence_ms,
			.begun_ms = ran->begun_ms,
		},
	};

	if (!a || core_handover(core, a, err))
		return -1;
	find_price(core, step, &price);
	event.u.verdict.price_hour_micros = price.hour_micros;
	if (core_apply(core, a, &event, NULL, err))
		return -1;
	/* No step runs any more: the due time in the row holds again, even if it did not change. */
	core_schedule(core, &a->lease);
	return 0;
}

int step_is_denied(const struct step *step)
{
	return step->verdict == LESSOR_REFUSED && (step->error_class == LESSOR_CLASS_AUTH ||
						   step->error_class == LESSOR_CLASS_ACCOUNT);
}

/*
 * A step can be denied although the probe succeeds: with a read-only token, for example, the
 * account is verified but nothing can be deleted. So that step and probe do not alternate in a
 * busy loop, the probe that unblocks the account is delayed longer each time.
 */
void core_step_denied(struct core *core, struct core_account *a, const struct step *step)
{
	int64_t now = core_now(core);
	int was_blocked = account_is_blocked(a->account, NULL, 0);

	if (!a->account->table->probe || step->token_number != account_token_number(a->account))
		return;
	account_probed(a->account, 0, step->error_class, step->reason);
	core_account_blocked(core, a);
	if (was_blocked)
		return;
	a->denials = now - a->denied_ms < DENIALS_FORGOTTEN_MS ? a->denials + 1 : 0;
	a->denied_ms = now;
	/*
	 * The denied step may just have read a server and repeats that read after the probe. The
	 * delay keeps the two reads apart.
	 */
	if (!a->denials)
		account_task_at(core, a, TASK_PROBE, now + DENIED_PROBE_MS);
	else
		account_task_at(core, a, TASK_PROBE,
				now + backoff_ms(a->denials, ACCOUNT_BACKOFF_MS,
						 ACCOUNT_REFUSED_CAP_MS, 0, core_random32(core)));
}

void core_step_log(const struct step *step)
{
	if (step->violation)
		log_error(LOG_FIELDS({ "provider", step->account->table->name },
				     { "account", step->account->config.name },
				     { "step", step_op_name(step->op) },
				     { "lease", step->lease.id }),
			  "plugin contract violation: %s", step->reason);
	else
		log_debug(LOG_FIELDS({ "account", step->account->config.name },
				     { "step", step_op_name(step->op) },
				     { "lease", step->lease.id }, { "reason", step->reason }),
			  "step ended with verdict %d after %d calls", step->verdict, step->calls);
}

void core_step_unrecorded(struct core *core, const struct step *step, const struct err *err)
{
	log_error(LOG_FIELDS({ "lease", step->lease.id }, { "error", err->text }),
		  "cannot store the result of a step");
	store_break(core->store);
}

void core_step_result(struct core *core, struct core_account *a, struct step *step,
		      const struct in_flight *ran)
{
	struct err err = { 0 };

	/* A refused permit that needs an operator decides, whatever the plugin returned. */
	if (ran->refusal_class) {
		step->verdict = LESSOR_REFUSED;
		step->error_class = ran->refusal_class;
		TEXT_SET(step->reason, ran->refusal);
	} else if (ran->not_now && step->verdict == LESSOR_REFUSED &&
		   step->error_class == LESSOR_CLASS_OWNERSHIP) {
		/* The plugin cannot know the reason for the refused permit, nor that it is temporary. */
		step->verdict = LESSOR_RETRY;
		if (ran->refusal[0])
			TEXT_SET(step->reason, ran->refusal);
	}
	if (step->op == STEP_CLEANUP && step->verdict == LESSOR_GONE && !step->violation &&
	    ledger_residue(&step->ledger)) {
		step->violation = 1;
		TEXT_SET(step->reason,
			 "it reported that nothing is left, but the ledger still holds resources");
	}
	core_step_log(step);
	/* In a shared observation only the observation itself counts towards max_steps. */
	a->running -= !step->look;
	BUG_ON(a->running < 0);
	if (lease_result(core, step, ran, &err))
		core_step_unrecorded(core, step, &err);
	/* A provider that rejects the credential or the account blocks it, whatever the step. */
	if (step_is_denied(step) && !ran->refusal_class)
		core_step_denied(core, a, step);
}
