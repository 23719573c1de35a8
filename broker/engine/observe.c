/* SPDX-License-Identifier: MIT */
/*
 * One look for many: leases whose server is made and not ready yet have a queue of their
 * own, and one step of the account looks for all of them. It takes one place; one runs at
 * a time, and a moment passes between two, so that what becomes due meanwhile shares the
 * next. Each lease in it counts as running, and its result is that of an ordinary provision
 * step; of which the look says nothing has such a step next.
 */
#include "engine/internal.h"

#include "util/alloc.h"
#include "util/bug.h"
#include "util/log.h"
#include "util/text.h"

#define OBSERVE_LEASES_MAX 1000
/* A release waits for the look that its lease is in. */
#define OBSERVE_DEADLINE_MS 20000
/* Between two looks; less if the provider asks for waits that are short, or allows many calls. */
#define OBSERVE_INTERVAL_MS 250
#define OBSERVE_INTERVAL_MIN_MS 25
#define HOUR_MS (60 * 60 * 1000)
#define OBSERVE_INTERVAL_DIVISOR 8
/* One that has read many pages is followed by a longer pause. */
#define OBSERVE_ANSWERS_DIVISOR 4
#define OBSERVE_INTERVAL_FACTOR_MAX 8
/* Results in one turn of the engine, so that a thousand do not hold up its answers. */
#define OBSERVE_RESULTS_MAX 128

/* ---- a look begins ----------------------------------------------------------------- */

static void observation_add(struct step *observation, struct step *part)
{
	if ((observation->waiting_count & (observation->waiting_count - 1)) == 0)
		observation->waiting = xrealloc(observation->waiting,
						(observation->waiting_count * 2 + 1) *
							sizeof(*observation->waiting));
	observation->waiting[observation->waiting_count++] = part;
}

/* Takes a lease into the look, if it is due until then and still waits for its server. */
static void observation_add_lease(struct core *core, struct core_account *a,
				  struct step *observation, int64_t n, int64_t until_ms)
{
	struct lease_aggregate *lease;
	struct step *part;

	/* Whatever has changed since it was queued has set another due time. */
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

/* Those that the last looks have seen and that are due in a moment come along. */
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

/* ---- and ends ---------------------------------------------------------------------- */

/* The look has failed, and says how: the lease waits as if its own step had. */
static void part_fail(struct step *part, const struct step *observation)
{
	part->verdict = LESSOR_RETRY;
	part->error_class = observation->error_class;
	part->wait_ms = observation->wait_ms;
	TEXT_SET(part->reason, observation->reason);
}

/*
 * What becomes of a lease of which the look says nothing. 1: its step has a result all the
 * same. 0: it has a step of its own next.
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
	/* One that came early is due in a moment, and in that moment's look. */
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

	if (part->is_unobserved && !part_resolve_unobserved(core, a, observation, part))
		return;
	core_step_result(core, a, part, &ran);
	if (part->verdict == LESSOR_PENDING && part->wait_ms > 0)
		observed_add(core, a, part);
}

/* Where many calls are allowed they need not be saved: then it is one call's share of the hour. */
static int64_t interval_bounded(const struct core_account *a, int64_t wanted_ms)
{
	int64_t rate = a->account->config.rate_per_hour;

	if (rate && wanted_ms > HOUR_MS / rate)
		wanted_ms = HOUR_MS / rate;
	return wanted_ms < OBSERVE_INTERVAL_MIN_MS ? OBSERVE_INTERVAL_MIN_MS :
	       wanted_ms > OBSERVE_INTERVAL_MS	   ? OBSERVE_INTERVAL_MS :
						     wanted_ms;
}

/* When the next one may begin: by what the provider asks for, and by what this one took. */
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
		a->observation.interval_ms = interval_bounded(a,
							      shortest / OBSERVE_INTERVAL_DIVISOR);
	share = 1 + observation->answers / OBSERVE_ANSWERS_DIVISOR;
	a->observation.next_mono_ms =
		env_mono_ms(core->env) +
		a->observation.interval_ms *
			(share > OBSERVE_INTERVAL_FACTOR_MAX ? OBSERVE_INTERVAL_FACTOR_MAX : share);
}

void core_observe_go_on(struct core *core, struct core_account *a)
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
	core_observe_go_on(core, a);
}

void core_observe_init(struct core_account *a)
{
	a->observation.interval_ms = interval_bounded(a, OBSERVE_INTERVAL_MS);
}
