/* SPDX-License-Identifier: MIT */
/*
 * Shared observations. Leases whose server is created but not ready have a queue of their own,
 * and one step of the account observes all of them. It counts as one step towards max_steps.
 * An account runs one at a time and pauses between two, so that leases that become due
 * meanwhile share the next one. Each covered lease counts as running and gets the result of an
 * ordinary provision step. A lease that the observation does not cover gets such a step next.
 */
#include "engine/internal.h"

#include "util/alloc.h"
#include "util/bug.h"
#include "util/log.h"
#include "util/text.h"

#define OBSERVE_LEASES_MAX 1000
/* A release waits for the end of the observation that covers its lease, so this is short. */
#define OBSERVE_DEADLINE_MS 20000
/* The pause between two, however many leases wait; shorter if the provider asks for short waits. */
#define OBSERVE_INTERVAL_MS 250
#define OBSERVE_INTERVAL_MIN_MS 25
#define HOUR_MS (60 * 60 * 1000)
#define OBSERVE_INTERVAL_DIVISOR 2
/* The pause grows with the number of responses (pages) that the observation took. */
#define OBSERVE_ANSWERS_DIVISOR 8
#define OBSERVE_INTERVAL_FACTOR_MAX 4
/* Results applied per batch, so that a thousand of them do not delay other answers. */
#define OBSERVE_RESULTS_MAX 128

/* ---- start ------------------------------------------------------------------------- */

static void observation_add(struct step *observation, struct step *part)
{
	if ((observation->waiting_count & (observation->waiting_count - 1)) == 0)
		observation->waiting = xrealloc(observation->waiting,
						(observation->waiting_count * 2 + 1) *
							sizeof(*observation->waiting));
	observation->waiting[observation->waiting_count++] = part;
}

/* Includes a lease in the observation, if it is due by `until_ms` and still awaits its server. */
static void observation_add_lease(struct core *core, struct core_account *a,
				  struct step *observation, int64_t n, int64_t until_ms)
{
	struct lease_aggregate *lease;
	struct step *part;

	/* A change since the lease was queued has set a new due time. */
	lease = in_flight_find(core, n) ? NULL : core_lease(core, n, NULL);
	if (!lease || lease->lease.state != LEASE_PROVISIONING ||
	    !lease_step_is_due(&lease->lease, until_ms))
		return;
	if (!ledger_awaits_server(&lease->ledger)) {
		queue_lease_alone(core, a, &lease->lease);
		return;
	}
	part = core_step_new(core, a, STEP_PROVISION);
	part->lease = lease->lease;
	ledger_copy(&lease->ledger, &part->ledger);
	part->epoch = lease->lease.epoch;
	part->look = observation;
	part->is_unobserved = 1;
	in_flight_add(core, n, part);
	observation_add(observation, part);
	core_schedule(core, &lease->lease);
}

/* Also includes leases of earlier observations that are due within the interval. */
static void observation_add_early(struct core *core, struct core_account *a,
				  struct step *observation)
{
	int64_t now = core_now(core), until = now + a->observation.interval_ms;
	size_t left = 0;

	for (size_t i = 0; i < a->observation.observed_count; i++) {
		struct observed_lease seen = a->observation.observed[i];

		if (seen.due_ms > until ||
		    (seen.due_ms > now && observation->waiting_count >= OBSERVE_LEASES_MAX))
			a->observation.observed[left++] = seen;
		else if (seen.due_ms > now)
			observation_add_lease(core, a, observation, seen.n, until);
	}
	a->observation.observed_count = left;
}

int core_observe_start(struct core *core, struct core_account *a)
{
	int64_t now = core_now(core);
	int64_t wait_ms = a->observation.next_mono_ms - env_mono_ms(core->env);
	struct step *observation;
	int64_t n;

	if (STAILQ_EMPTY(&a->queues[QUEUE_OBSERVE]) || a->observation.is_running)
		return 0;
	if (wait_ms > 0) {
		account_task_at(core, a, TASK_OBSERVE, now + wait_ms);
		return 0;
	}
	observation = core_step_new(core, a, STEP_OBSERVE);
	while (observation->waiting_count < OBSERVE_LEASES_MAX &&
	       (n = queue_pop(a, QUEUE_OBSERVE)) != 0)
		observation_add_lease(core, a, observation, n, now);
	if (!observation->waiting_count) {
		step_free(observation);
		return 0;
	}
	observation_add_early(core, a, observation);
	observation->deadline_ms = now + OBSERVE_DEADLINE_MS;
	a->observation.is_running = 1;
	core_step_start(core, a, observation, 0);
	return 1;
}

/* ---- end --------------------------------------------------------------------------- */

/* The observation failed: the lease waits as if its own step had failed in the same way. */
static void part_fail(struct step *part, const struct step *observation)
{
	part->verdict = LESSOR_RETRY;
	part->error_class = observation->error_class;
	part->wait_ms = observation->wait_ms;
	TEXT_SET(part->reason, observation->reason);
}

/*
 * Decides how a lease continues that the observation did not cover. 1: its step has a result
 * nevertheless. 0: it gets a step of its own.
 */
static int part_resolve_unobserved(struct core *core, struct core_account *a,
				   const struct step *observation, struct step *part)
{
	const struct lease_aggregate *lease = core_lease(core, part->lease.n, NULL);

	if (!lease || lease->lease.epoch != part->epoch ||
	    (observation->verdict == LESSOR_RETRY && !observation->violation) ||
	    step_is_denied(observation)) {
		part_fail(part, observation);
		return 1;
	}
	/* A lease that was included early becomes due soon, and then joins an observation again. */
	if (lease_step_is_due(&lease->lease, core_now(core)))
		queue_lease_alone(core, a, &lease->lease);
	else
		core_schedule(core, &lease->lease);
	return 0;
}

static void observed_add(struct core *core, struct core_account *a, const struct step *part)
{
	struct shared_observation *o = &a->observation;

	if (o->observed_count == o->observed_size) {
		o->observed_size = o->observed_size ? o->observed_size * 2 : 16;
		o->observed = xrealloc(o->observed, o->observed_size * sizeof(*o->observed));
	}
	o->observed[o->observed_count++] = (struct observed_lease){
		.n = part->lease.n,
		.due_ms = core_now(core) + part->wait_ms,
	};
}

static void part_done(struct core *core, struct core_account *a, const struct step *observation,
		      struct step *part)
{
	struct in_flight ran = in_flight_take(core, part);

	core_overdue_over(core, &ran);
	if (part->is_unobserved && !part_resolve_unobserved(core, a, observation, part))
		return;
	core_step_result(core, a, part, &ran);
	if (part->verdict == LESSOR_PENDING && part->wait_ms > 0)
		observed_add(core, a, part);
}

static int64_t interval_bounded(int64_t wanted_ms)
{
	return wanted_ms < OBSERVE_INTERVAL_MIN_MS ? OBSERVE_INTERVAL_MIN_MS :
	       wanted_ms > OBSERVE_INTERVAL_MS	   ? OBSERVE_INTERVAL_MS :
						     wanted_ms;
}

/* Sets when the next one may start: by the waits the provider asked for, and by this one's cost. */
static void observation_schedule(struct core *core, struct core_account *a,
				 const struct step *observation)
{
	int64_t shortest = 0, share;

	for (size_t i = 0; i < observation->waiting_count; i++) {
		const struct step *part = observation->waiting[i];

		if (part->verdict == LESSOR_PENDING && !part->is_unobserved && part->wait_ms > 0 &&
		    (!shortest || part->wait_ms < shortest))
			shortest = part->wait_ms;
	}
	if (shortest)
		a->observation.interval_ms = interval_bounded(shortest / OBSERVE_INTERVAL_DIVISOR);
	share = 1 + observation->answers / OBSERVE_ANSWERS_DIVISOR;
	a->observation.next_mono_ms =
		env_mono_ms(core->env) +
		a->observation.interval_ms *
			(share > OBSERVE_INTERVAL_FACTOR_MAX ? OBSERVE_INTERVAL_FACTOR_MAX : share);
}

void core_observe_continue(struct core *core, struct core_account *a)
{
	struct step *observation = a->observation.ended;

	if (!observation)
		return;
	for (int i = 0;
	     i < OBSERVE_RESULTS_MAX && a->observation.results < observation->waiting_count; i++)
		part_done(core, a, observation, observation->waiting[a->observation.results++]);
	if (a->observation.results < observation->waiting_count) {
		account_task_at(core, a, TASK_OBSERVE, core_now(core) + 1);
		return;
	}
	if (step_is_denied(observation))
		core_step_denied(core, a, observation);
	a->observation.ended = NULL;
	a->observation.is_running = 0;
	step_free(observation);
}

void core_observe_done(struct core *core, struct core_account *a, struct step *observation)
{
	a->running--;
	BUG_ON(a->running < 0);
	observation_schedule(core, a, observation);
	a->observation.ended = observation;
	a->observation.results = 0;
	core_observe_continue(core, a);
}

void core_observe_init(struct core_account *a)
{
	int64_t rate = a->account->config.rate_per_hour;

	/* Until the provider asks for waits; where many calls are allowed, one call's share. */
	a->observation.interval_ms = interval_bounded(rate ? HOUR_MS / rate : OBSERVE_INTERVAL_MS);
}
