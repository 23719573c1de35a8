/* SPDX-License-Identifier: MIT */
/*
 * The wall clock, as schedule/clock.h judges it. While it is suspect, no lease ends because
 * of time, since that would delete its machine; no absence is concluded and no orphan deleted,
 * since both depend on elapsed time; and no token expires. Releases and heartbeats are accepted,
 * and owed cleanup continues.
 */
#include "engine/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/alloc.h"
#include "util/log.h"

#define PROBE_MS 2000
/* How often the witnesses are heard, and how often the newest time is stored. */
#define JUDGE_MS 1000
#define STORED_MS (5 * 60 * 1000)
/* Who is further from the clock of a shared store leaves times of the future to another. */
#define SHARED_NEAR_MS 5000

/* ---- witnesses ------------------------------------------------------------------------- */

struct hearing {
	enum clock_witness witness;
	char who[64];	  /* who agrees; or, if none does, who disagrees */
	int64_t ahead_ms; /* by how much our clock is ahead of that one's */
};

static void hear(struct hearing *h, const char *who, int64_t wall_ms, int64_t their_ms)
{
	if (h->witness == CLOCK_AGREES)
		return;
	h->witness = clock_is_near(wall_ms, their_ms) ? CLOCK_AGREES : CLOCK_DISAGREES;
	h->ahead_ms = wall_ms - their_ms;
	snprintf(h->who, sizeof(h->who), "%s", who);
}

static struct hearing witnesses_hear(const struct core *core)
{
	struct hearing h = { .witness = CLOCK_SILENT };
	int64_t wall_ms = core_now(core), their_ms;
	char who[64];

	for (size_t i = 0; i < core->account_count; i++) {
		const struct account *account = core->accounts[i].account;

		snprintf(who, sizeof(who), "the provider of account %s", account->config.name);
		if (account_time(account, &their_ms))
			hear(&h, who, wall_ms, their_ms);
	}
	their_ms = core->env->synchronised_ms ? core->env->synchronised_ms(core->env->data) : 0;
	if (their_ms)
		hear(&h, "NTP", wall_ms, their_ms);
	return h;
}

/* ---- what follows ---------------------------------------------------------------------- */

static int lease_shift(void *arg, struct core *core, struct lease_aggregate *a, struct err *err)
{
	return core_apply(core, a, arg, NULL, err);
}

static void leases_shift(struct core *core, int state, int cleanup, struct lease_event *event)
{
	/* A failed write marks the store broken; the commit then fails. */
	core_lease_each(core, (struct store_list){ .state = state, .cleanup = cleanup },
			lease_shift, event, NULL);
}

/*
 * Deadlines are wall clock times and stay, unless they were written by a clock that was known to
 * be wrong. Waits are durations: their due times are shifted.
 */
static void clock_jumped(struct core *core, struct lease_event *event)
{
	core_schedule_all(core, NULL);
	leases_shift(core, LEASE_PROVISIONING, -1, event);
	if (event->u.clock_to_ms)
		leases_shift(core, LEASE_ACTIVE, -1, event);
	leases_shift(core, -1, CLEANUP_OWED, event);
	leases_shift(core, -1, CLEANUP_ATTENTION, event);
	leases_shift(core, -1, CLEANUP_RETAINED, event);
	account_tasks_init(core);
	for (size_t i = 0; i < core->account_count; i++)
		account_task_at(core, &core->accounts[i], TASK_PROBE, core_now(core) + PROBE_MS);
}

struct lease_rows {
	int64_t *list;
	size_t count;
};

static void row_add(void *arg, int64_t n)
{
	struct lease_rows *rows = arg;

	rows->list = xgrow(rows->list, rows->count, sizeof(*rows->list));
	rows->list[rows->count++] = n;
}

int core_times_mend(struct core *core, struct err *err)
{
	struct lease_event event = { .kind = LEASE_EVENT_CLOCK_SET };
	struct lease_rows rows = { 0 };
	int rc;

	/* Where several daemons write, each by its own clock, the database's decides. */
	if (core->config.is_shared &&
	    llabs(core_clock_by_ms(core) + core_store_ahead_ms(core)) > SHARED_NEAR_MS)
		return 0;
	rc = core_touches_write(core, err) ||
	     store_times_mend(core->store, core_only_account(core), core_now(core), err) ||
	     store_lease_future_each(core->store, core_now(core), row_add, &rows, err);

	for (size_t i = 0; i < rows.count && !rc; i++) {
		struct err why = { 0 };
		struct lease_aggregate *a = core_lease(core, rows.list[i], &why);

		if (a)
			rc = core_apply(core, a, &event, NULL, err);
		else if (!core_only_account(core) || why.kind != ERR_REFUSED)
			rc = err_set(err, why.kind, "%s", why.text);
	}
	free(rows.list);
	return rc ? -1 : 0;
}

/* ---- judgement ------------------------------------------------------------------------- */

/* "3 d 4 h", "20 min": how far, without a sign. */
static const char *distance(int64_t ms, char text[32])
{
	int64_t minutes = ms / 60000;

	if (minutes < 0)
		minutes = minutes == INT64_MIN ? INT64_MAX : -minutes;
	if (minutes < 120)
		snprintf(text, 32, "%" PRId64 " min", minutes);
	else if (minutes < 48 * 60)
		snprintf(text, 32, "%" PRId64 " h", minutes / 60);
	else
		snprintf(text, 32, "%" PRId64 " d", minutes / 60 / 24);
	return text;
}

#define NOTHING_ENDS "; no lease or token ends by time until "

/* Says once what is wrong, who says so, and what ends it. */
static void doubt_log(struct core *core, const struct hearing *h, int64_t by_ms, int is_start)
{
	char far[32];

	if (h->witness == CLOCK_DISAGREES)
		log_warning(NULL,
			    "the wall clock is %s %s of %s" NOTHING_ENDS "they agree; check the "
			    "time of this machine",
			    distance(h->ahead_ms, far), h->ahead_ms < 0 ? "behind" : "ahead",
			    h->who);
	else if (is_start)
		log_warning(NULL,
			    "the wall clock is %s %s the newest time in the database" NOTHING_ENDS
			    "a provider's clock or NTP agrees with it, or for %d minutes if there "
			    "is neither",
			    distance(by_ms, far), by_ms < 0 ? "before" : "after",
			    CLOCK_AGREE_MS / 60000);
	else
		log_warning(NULL,
			    "the wall clock jumped by %lld s; no lease expires until it has agreed "
			    "with the monotonic clock for %d minutes",
			    (long long)(by_ms / 1000), CLOCK_AGREE_MS / 60000);
	core->clock_logged = 1 + (h->witness == CLOCK_DISAGREES);
}

static void clock_say(struct core *core, enum env_clock_word word)
{
	if (core->env->clock)
		env_clock_say(core->env->clock, core->clock_word, word,
			      core->clock_ahead_ms - core_clock_by_ms(core));
	core->clock_word = word;
}

/*
 * Publishes the judgement for the other threads. They have the machine's clock only, which a shared
 * store's may contradict.
 */
static void clock_publish(struct core *core, enum clock_witness witness)
{
	if (!clock_is_near(core_clock_by_ms(core), 0))
		clock_say(core, ENV_CLOCK_CONTRADICTED);
	else if (core_clock_is_suspect(core))
		clock_say(core,
			  witness == CLOCK_DISAGREES ? ENV_CLOCK_CONTRADICTED : ENV_CLOCK_DOUBTED);
	else
		clock_say(core, witness == CLOCK_AGREES ? ENV_CLOCK_AGREES : ENV_CLOCK_SILENT);
}

void core_clock_end(struct core *core)
{
	clock_say(core, ENV_CLOCK_SILENT);
}

static void clock_judge_now(struct core *core)
{
	struct hearing h = witnesses_hear(core);
	enum clock_verdict verdict = clock_judge(&core->clock, h.witness, env_mono_ms(core->env));

	core->clock_judged_mono_ms = env_mono_ms(core->env);
	if (h.witness != CLOCK_SILENT)
		core->clock_ahead_ms = h.ahead_ms;
	if (core_clock_is_suspect(core)) {
		/* A witness that disagrees is news, even if the clock is in doubt already. */
		if (core->clock_logged < 1 + (h.witness == CLOCK_DISAGREES))
			doubt_log(core, &h, core->clock_ahead_ms, 0);
	} else if (verdict == CLOCK_TRUSTED) {
		log_notice(NULL, "the wall clock is trusted again%s%s",
			   h.witness == CLOCK_AGREES ? ": it agrees with " : "",
			   h.witness == CLOCK_AGREES ? h.who : "");
		core->clock_logged = 0;
		/* A failed write marks the store broken; the commit then fails. */
		core_times_mend(core, NULL);
		core_schedule_all(core, NULL);
	} else if (h.witness == CLOCK_DISAGREES && !core->clock_logged) {
		char far[32];

		log_warning(NULL,
			    "the wall clock is %s %s of %s, but agrees with the times in the "
			    "database and is used; check both clocks",
			    distance(h.ahead_ms, far), h.ahead_ms < 0 ? "behind" : "ahead", h.who);
		core->clock_logged = 2;
	} else if (h.witness == CLOCK_AGREES) {
		core->clock_logged = 0;
	}
	clock_publish(core, h.witness);
}

void core_clock_store(struct core *core)
{
	int64_t now = core_now(core);

	if (core_clock_is_suspect(core) || !core->clock.is_continuous ||
	    llabs(now - core->clock_stored_ms) < STORED_MS)
		return;
	/* A failed write marks the store broken; the commit then fails. */
	if (store_clock_put(core->store, now, NULL) == 0)
		core->clock_stored_ms = now;
}

struct engine_clock core_clock_known(const struct core *core)
{
	return (struct engine_clock){ .watch = core->clock, .ahead_ms = core->clock_ahead_ms };
}

/* By how much the clock is wrong, if it is in doubt, as far as this core can know. */
static void clock_begin(struct core *core, int64_t stored_ms)
{
	const struct engine_clock *known = &core->config.clock;
	struct hearing silence = { .witness = CLOCK_SILENT };
	int64_t mono_ms = env_mono_ms(core->env), by;

	core->clock_ahead_ms = clock_start(&core->clock, core_now(core), mono_ms, stored_ms);
	if (core->clock_ahead_ms)
		doubt_log(core, &silence, core->clock_ahead_ms, 1);
	by = clock_resume(&core->clock, &known->watch, core_now(core), mono_ms);
	if (by)
		doubt_log(core, &silence, by, 0);
	/* A doubt that goes on is in the log. */
	else if (core->clock.is_doubted && !core->clock_logged)
		core->clock_logged = 1 + core->clock.is_contradicted;
	if (core->clock.is_doubted && !core->clock_ahead_ms)
		core->clock_ahead_ms = known->ahead_ms + by;
}

int core_clock_start(struct core *core, struct err *err)
{
	int64_t stored_ms;
	int is_trusted;

	if (store_clock_get(core->store, &stored_ms, &is_trusted, err))
		return -1;
	clock_begin(core, stored_ms);
	/* What is written from now on must not count as written by a trusted clock. */
	if (!core->clock.is_continuous && !is_trusted &&
	    store_clock_put(core->store, stored_ms, err))
		return -1;
	core->clock_stored_ms = is_trusted ? stored_ms : 0;
	clock_publish(core, CLOCK_SILENT);
	return 0;
}

void core_clock_watch(struct core *core)
{
	struct clock_watch before = core->clock;
	int64_t mono_ms = env_mono_ms(core->env);
	int64_t by = clock_observe(&core->clock, core_now(core), mono_ms);
	struct lease_event event = { .kind = LEASE_EVENT_CLOCK_SET, .u.clock_by_ms = by };
	struct hearing h;

	if (!by) {
		if (!core->clock.is_continuous || core->clock.is_doubted ||
		    mono_ms - core->clock_judged_mono_ms >= JUDGE_MS)
			clock_judge_now(core);
		core_clock_store(core);
		return;
	}
	/* What the clock wrote while it was known to be wrong is wrong by as much. */
	if (before.is_doubted || before.is_contradicted) {
		event.u.clock_from_ms = before.since_ms;
		event.u.clock_to_ms = before.offset_ms + mono_ms;
	}
	core->clock_ahead_ms += by;
	h = witnesses_hear(core);
	if (h.witness == CLOCK_AGREES)
		log_notice(NULL, "the wall clock jumped by %lld s", (long long)(by / 1000));
	else
		doubt_log(core, &h, by, 0);
	/* Before the judgement, which corrects what is still wrong after it. */
	clock_jumped(core, &event);
	clock_judge_now(core);
}
