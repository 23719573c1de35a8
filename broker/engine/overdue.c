/* SPDX-License-Identifier: MIT */
/*
 * Steps that have not returned though their deadline has passed: the plugin ignores it. No thread
 * can be stopped from outside, so the step keeps its worker; but an operator must see it.
 */
#include "engine/internal.h"

#include <stdio.h>

#include "util/log.h"

#define CHECK_MS 1000

static void reason_of(const struct step *step, char text[160])
{
	snprintf(text, 160, "provider %s has not returned from %s though its deadline has passed",
		 step->account->table->name, step_op_name(step->op));
}

static void lease_tell(struct core *core, const struct step *step, int64_t n, int is_over)
{
	struct lease_event event = { .kind = LEASE_EVENT_STUCK };
	struct lease_aggregate *a = n ? core_lease(core, n, NULL) : NULL;
	char reason[160];

	reason_of(step, reason);
	event.u.stuck.reason = reason;
	event.u.stuck.is_over = is_over;
	/* A failed write marks the store broken; the commit then fails. */
	if (a)
		core_apply(core, a, &event, NULL, NULL);
}

static void step_check(struct core *core, struct in_flight *running, int64_t mono_ms)
{
	const struct step *step = running->step;

	if (running->overdue_mono_ms > mono_ms)
		return;
	if (!running->is_overdue) {
		running->is_overdue = 1;
		/* A shared observation is said once, not for each lease. */
		if (!step->look) {
			account_count_overdue(step->account, 1);
			log_error(LOG_FIELDS({ "provider", step->account->table->name },
					     { "account", step->account->config.name },
					     { "step", step_op_name(step->op) },
					     { "lease", step->lease.id }),
				  "provider %s (account %s) has not returned from %s%s%s though its "
				  "deadline has passed; it occupies a worker of the account until "
				  "it returns or lessord is restarted",
				  step->account->table->name, step->account->config.name,
				  step_op_name(step->op), step->lease.id[0] ? " of lease " : "",
				  step->lease.id);
		}
	}
	/* Again after a change of goal, which has cleared it. */
	lease_tell(core, step, running->n, 0);
}

void core_overdue_check(struct core *core)
{
	int64_t mono_ms = env_mono_ms(core->env);

	if (mono_ms - core->overdue_checked_mono_ms < CHECK_MS)
		return;
	core->overdue_checked_mono_ms = mono_ms;
	for (size_t i = 0; i < IN_FLIGHT_BUCKETS; i++) {
		for (struct in_flight *r = core->in_flight[i]; r; r = r->next)
			step_check(core, r, mono_ms);
	}
}

void core_overdue_abandon(struct core *core)
{
	for (size_t i = 0; i < IN_FLIGHT_BUCKETS; i++) {
		for (struct in_flight *r = core->in_flight[i]; r; r = r->next) {
			if (r->is_overdue && !r->step->look)
				account_count_overdue(r->step->account, -1);
		}
	}
}

void core_overdue_over(struct core *core, const struct in_flight *ran)
{
	const struct step *step = ran->step;

	if (!ran->is_overdue)
		return;
	if (!step->look) {
		account_count_overdue(step->account, -1);
		log_notice(LOG_FIELDS({ "account", step->account->config.name },
				      { "step", step_op_name(step->op) },
				      { "lease", step->lease.id }),
			   "provider %s (account %s) has returned from %s after its deadline",
			   step->account->table->name, step->account->config.name,
			   step_op_name(step->op));
	}
	lease_tell(core, step, ran->n, 1);
}
