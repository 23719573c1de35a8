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

#define LOOK_LEASES_MAX 1000
/* A release waits for the look that its lease is in. */
#define LOOK_DEADLINE_MS 20000
/* Between two looks; less if the provider asks for waits that are short, or allows many calls. */
#define LOOK_APART_MS 250
#define LOOK_APART_LEAST_MS 25
#define HOUR_MS (60 * 60 * 1000)
#define LOOK_APART_SHARE 8
/* One that has read many pages is followed by a longer pause. */
#define LOOK_ANSWERS_SHARE 4
#define LOOK_APART_MOST 8
/* Results in one turn of the engine, so that a thousand do not hold up its answers. */
#define LOOK_RESULTS_MOST 128

/* ---- a look begins ----------------------------------------------------------------- */

static void look_add(struct step *look, struct step *part)
{
	if ((look->waiting_count & (look->waiting_count - 1)) == 0)
		look->waiting = xrealloc(look->waiting, (look->waiting_count * 2 + 1) *
					 sizeof(*look->waiting));
	look->waiting[look->waiting_count++] = part;
}

/* Takes a lease into the look, if it is due until then and still waits for its server. */
static void join(struct core *core, struct core_account *a, struct step *look, int64_t n,
		 int64_t until_ms)
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
	part->look = look;
	part->is_unobserved = 1;
	in_flight_add(core, n, part);
	look_add(look, part);
	core_schedule(core, &lease->lease);
}

/* Those that the last looks have seen and that are due in a moment come along. */
static void join_early(struct core *core, struct core_account *a, struct step *look)
{
	int64_t now = core_now(core), until = now + a->look.apart_ms;
	size_t left = 0;

	for (size_t i = 0; i < a->look.seen_count; i++) {
		struct look_seen seen = a->look.seen[i];

		if (seen.due_ms > until || (seen.due_ms > now &&
					    look->waiting_count >= LOOK_LEASES_MAX))
			a->look.seen[left++] = seen;
		else if (seen.due_ms > now)
			join(core, a, look, seen.n, until);
	}
	a->look.seen_count = left;
}

int core_observe_start(struct core *core, struct core_account *a)
{
	int64_t now = core_now(core);
	int64_t wait_ms = a->look.next_mono_ms - env_mono_ms(core->env);
	struct step *look;
	int64_t n;

	if (STAILQ_EMPTY(&a->queues[QUEUE_OBSERVE]) || a->look.is_running)
		return 0;
	if (wait_ms > 0) {
		account_task_at(core, a, TASK_LOOK, now + wait_ms);
		return 0;
	}
	look = core_step_new(core, a, STEP_OBSERVE);
	while (look->waiting_count < LOOK_LEASES_MAX && (n = queue_pop(a, QUEUE_OBSERVE)) != 0)
		join(core, a, look, n, now);
	if (!look->waiting_count) {
		step_free(look);
		return 0;
	}
	join_early(core, a, look);
	look->deadline_ms = now + LOOK_DEADLINE_MS;
	a->look.is_running = 1;
	core_step_start(core, a, look, 0);
	return 1;
}

/* ---- and ends ---------------------------------------------------------------------- */

/* The look has failed, and says how: the lease waits as if its own step had. */
static void fail_with(struct step *part, const struct step *look)
{
	part->verdict = LESSOR_RETRY;
	part->error_class = look->error_class;
	part->wait_ms = look->wait_ms;
	TEXT_SET(part->reason, look->reason);
}

/*
 * What becomes of a lease of which the look says nothing. 1: its step has a result all the
 * same. 0: it has a step of its own next.
 */
static int unobserved_reconcile(struct core *core, struct core_account *a, const struct step *look,
				struct step *part)
{
	const struct lease_aggregate *lease = core_lease(core, part->lease.n, NULL);

	if (!lease || lease->lease.epoch != part->epoch ||
	    (look->verdict == LESSOR_RETRY && !look->violation) || step_is_denied(look)) {
		fail_with(part, look);
		return 1;
	}
	/* One that came early is due in a moment, and in that moment's look. */
	if (lease_step_is_due(&lease->lease, core_now(core)))
		queue_lease_alone(core, a, &lease->lease);
	else
		core_schedule(core, &lease->lease);
	return 0;
}

static void seen_add(struct core *core, struct core_account *a, const struct step *part)
{
	struct core_look *look = &a->look;

	if (look->seen_count == look->seen_room) {
		look->seen_room = look->seen_room ? look->seen_room * 2 : 16;
		look->seen = xrealloc(look->seen, look->seen_room * sizeof(*look->seen));
	}
	look->seen[look->seen_count++] = (struct look_seen){
		.n = part->lease.n, .due_ms = core_now(core) + part->wait_ms,
	};
}

static void part_done(struct core *core, struct core_account *a, const struct step *look,
		      struct step *part)
{
	struct in_flight ran = in_flight_take(core, part);

	if (part->is_unobserved && !unobserved_reconcile(core, a, look, part))
		return;
	core_step_result(core, a, part, &ran);
	if (part->verdict == LESSOR_PENDING && part->wait_ms > 0)
		seen_add(core, a, part);
}

/* Where many calls are allowed they need not be saved: then it is one call's share of the hour. */
static int64_t apart_ms(const struct core_account *a, int64_t wanted_ms)
{
	int64_t rate = a->account->config.rate_per_hour;

	if (rate && wanted_ms > HOUR_MS / rate)
		wanted_ms = HOUR_MS / rate;
	return wanted_ms < LOOK_APART_LEAST_MS ? LOOK_APART_LEAST_MS :
	       wanted_ms > LOOK_APART_MS ? LOOK_APART_MS : wanted_ms;
}

/* When the next one may begin: by what the provider asks for, and by what this one took. */
static void pace(struct core *core, struct core_account *a, const struct step *look)
{
	int64_t shortest = 0, share;

	for (size_t i = 0; i < look->waiting_count; i++) {
		const struct step *part = look->waiting[i];

		if (part->verdict == LESSOR_PENDING && !part->is_unobserved && part->wait_ms > 0 &&
		    (!shortest || part->wait_ms < shortest))
			shortest = part->wait_ms;
	}
	if (shortest)
		a->look.apart_ms = apart_ms(a, shortest / LOOK_APART_SHARE);
	share = 1 + look->answers / LOOK_ANSWERS_SHARE;
	a->look.next_mono_ms = env_mono_ms(core->env) + a->look.apart_ms *
			       (share > LOOK_APART_MOST ? LOOK_APART_MOST : share);
}

void core_observe_go_on(struct core *core, struct core_account *a)
{
	struct step *look = a->look.ended;

	if (!look)
		return;
	for (int i = 0; i < LOOK_RESULTS_MOST && a->look.results < look->waiting_count; i++)
		part_done(core, a, look, look->waiting[a->look.results++]);
	if (a->look.results < look->waiting_count) {
		account_task_at(core, a, TASK_LOOK, core_now(core) + 1);
		return;
	}
	if (step_is_denied(look))
		core_step_denied(core, a, look);
	a->look.ended = NULL;
	a->look.is_running = 0;
	step_free(look);
}

void core_observe_done(struct core *core, struct core_account *a, struct step *look)
{
	a->running--;
	BUG_ON(a->running < 0);
	pace(core, a, look);
	a->look.ended = look;
	a->look.results = 0;
	core_observe_go_on(core, a);
}

void core_observe_init(struct core_account *a)
{
	a->look.apart_ms = apart_ms(a, LOOK_APART_MS);
}
