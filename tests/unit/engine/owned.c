/* SPDX-License-Identifier: MIT */
#include "unit/engine/owned.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/store.h"
#include "util/text.h"

#define TTL_MS 60000
#define RENEW_MS 20000
#define MARGIN_MS 1000
#define MINUTE_MS 60000

static void event_await_for(sem_t *event, int64_t ms)
{
	struct timespec until = env_after_ms(CLOCK_REALTIME, ms);

	REQUIRE(sem_timedwait(event, &until) == 0);
}

void event_await(sem_t *event)
{
	event_await_for(event, MINUTE_MS);
}

/* ---- the ownership, on the engine thread --------------------------------------------------- */

static void lost(struct owned *o)
{
	atomic_store(&o->loss, LOSS_NONE);
	o->is_lost = 1;
	store_break(o->store);
	atomic_fetch_add(&o->losses, 1);
}

static int claim(void *arg, struct store **ret, struct err *err)
{
	struct owned *o = arg;

	REQUIRE(!o->store);
	if (atomic_load(&o->is_taken)) {
		sem_post(&o->refused);
		return 1;
	}
	if (o->refusals > 0)
		return --o->refusals % 2 ? 1 : err_set(err, ERR_IO, "nobody can tell");
	/* Fails if the last life has not closed it. */
	REQUIRE(store_open(o->path, &o->env, &o->store, err) == 0);
	o->is_lost = 0;
	o->renewed_ms = env_mono_ms(&o->env);
	o->owed_ms = o->gaps_ms = atomic_load(&o->gap_ms);
	*ret = o->store;
	atomic_fetch_add(&o->claims, 1);
	sem_post(&o->claimed);
	if (o->next)
		o->next(o);
	return 0;
}

static int renew(void *arg, struct store *store, struct err *err)
{
	struct owned *o = arg;

	REQUIRE(store == o->store && !o->is_lost);
	if (atomic_load(&o->loss) >= LOSS_AT_RENEWAL) {
		o->refusals = atomic_load(&o->loss) == LOSS_AND_TAKEN ? 3 : 0;
		lost(o);
		return err_set(err, ERR_IO, "overtaken");
	}
	o->renewed_ms = env_mono_ms(&o->env);
	if (atomic_exchange(&o->must_renew, 0))
		sem_post(&o->renewed);
	return 0;
}

static void look(void *arg, const struct store *store, struct engine_owned *ret)
{
	struct owned *o = arg;
	int how = atomic_load(&o->loss);

	REQUIRE(store == o->store);
	atomic_fetch_add(&o->looks, 1);
	ret->gaps_ms = o->gaps_ms;
	ret->is_owed = o->owed_ms > 0;
	ret->must_renew = atomic_load(&o->must_renew);
	ret->until_mono_ms = o->renewed_ms + TTL_MS;
	if ((how == LOSS_AT_RENEWAL || how == LOSS_AND_TAKEN) && atomic_load(&o->commits) <= 0)
		ret->until_mono_ms = env_mono_ms(&o->env) + TTL_MS - RENEW_MS;
	if (atomic_load(&o->is_blind))
		ret->until_mono_ms = 0;
}

static int credited(void *arg, struct store *store, struct err *err)
{
	struct owned *o = arg;

	(void)err;
	REQUIRE(store == o->store && o->owed_ms > 0);
	o->owed_ms = 0;
	if (o->credited)
		o->credited(o);
	return 0;
}

static int is_lost(void *arg, const struct store *store)
{
	const struct owned *o = arg;

	REQUIRE(store == o->store);
	return o->is_lost;
}

static int is_unwanted(void *arg)
{
	struct owned *o = arg;

	return atomic_load(&o->loss) == LOSS_YIELD && atomic_load(&o->commits) <= 0;
}

static void ended(void *arg, struct store *store, int yield)
{
	struct owned *o = arg;

	REQUIRE(store == o->store);
	if (yield && is_unwanted(o) && !o->is_lost)
		lost(o);
	store_close(store);
	o->store = NULL;
}

static void point(void *data, const char *name)
{
	struct owned *o = data;
	int is_before = strcmp(name, "before-commit") == 0;
	int how = atomic_load(&o->loss);

	if (!is_before && strcmp(name, "after-commit") != 0)
		return;
	if (how == LOSS_NONE || (is_before && atomic_fetch_sub(&o->commits, 1) > 1) ||
	    atomic_load(&o->commits) > 0)
		return;
	if (how == LOSS_IN_COMMIT && is_before)
		REQUIRE(store_commit(o->store, NULL) == 0);
	if ((is_before && how <= LOSS_IN_COMMIT) || (!is_before && how == LOSS_AFTER_COMMIT))
		lost(o);
}

static void broken(void *arg, const char *why)
{
	(void)arg;
	fprintf(stderr, "the store is broken, and not because of a loss: %s\n", why);
	abort();
}

static int64_t clock_ms(const struct owned *o, clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 + atomic_load(&o->ahead_ms);
}

static int64_t wall_ms(void *data)
{
	struct owned *o = data;

	return clock_ms(o, CLOCK_REALTIME) + atomic_load(&o->wall_ms);
}

static int64_t mono_ms(void *data)
{
	struct owned *o = data;

	if (atomic_load(&o->clock_left) > 0 && atomic_fetch_sub(&o->clock_left, 1) == 1)
		sem_post(&o->spun);
	return clock_ms(o, CLOCK_MONOTONIC);
}

/* ---- an engine ----------------------------------------------------------------------------- */

void owned_make(struct owned *o)
{
	const char *tmp = getenv("TMPDIR");

	memset(o, 0, sizeof(*o));
	snprintf(o->folder, sizeof(o->folder), "%.40s/lessor-owned-XXXXXX", tmp ? tmp : "/tmp");
	REQUIRE(mkdtemp(o->folder));
	snprintf(o->path, sizeof(o->path), "%s/store", o->folder);
	env_system(&o->env);
	o->env.data = o;
	o->env.point = point;
	o->env.wall_ms = wall_ms;
	o->env.mono_ms = mono_ms;
	sem_init(&o->claimed, 0, 0);
	sem_init(&o->refused, 0, 0);
	sem_init(&o->spun, 0, 0);
	sem_init(&o->renewed, 0, 0);
	o->ownership = (struct engine_ownership){
		.claim = claim,
		.renew = renew,
		.look = look,
		.credited = credited,
		.is_lost = is_lost,
		.is_unwanted = is_unwanted,
		.end = ended,
		.ttl_ms = TTL_MS,
		.renew_ms = RENEW_MS,
		.margin_ms = MARGIN_MS,
		.retry_ms = 10,
		.arg = o,
	};
	o->config = (struct engine_config){
		.env = &o->env,
		.ownership = &o->ownership,
		.account_count = 1,
		.worker_threads = 4,
		.settle_ms = 100,
		.boot_ms = 600000,
		.probe_ms = 300000,
		.sweep_grace_ms = 3600000,
		.on_broken = broken,
	};
}

void owned_start(struct owned *o)
{
	struct err err = { 0 };

	REQUIRE(engine_new(&o->config, &o->engine, &err) == 0);
}

void owned_stop(struct owned *o)
{
	engine_stop(o->engine, 10000);
	engine_free(o->engine);
	o->engine = NULL;
	REQUIRE(!o->store);
}

void owned_remove(struct owned *o)
{
	static const char *const tails[] = { "", "-wal", "-shm", ".lock" };
	char name[128];

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", o->path, tails[i]);
		unlink(name);
	}
	REQUIRE(rmdir(o->folder) == 0);
	sem_destroy(&o->claimed);
	sem_destroy(&o->refused);
	sem_destroy(&o->spun);
	sem_destroy(&o->renewed);
}

void owned_lose(struct owned *o, enum owned_loss how, int commits)
{
	atomic_store(&o->commits, commits);
	atomic_store(&o->loss, (int)how);
}

void owned_claimed(struct owned *o)
{
	event_await(&o->claimed);
}

void owned_advance(struct owned *o, int64_t ms)
{
	atomic_fetch_add(&o->ahead_ms, ms);
	/* It has slept for the old time. */
	engine_hurry(o->engine, 0);
}

/* ---- requests ------------------------------------------------------------------------------ */

static void answered(struct engine_request *request)
{
	struct ask *a = request->user;

	/* Answered twice, or before it was asked. */
	REQUIRE(atomic_exchange(&a->is_open, 0) == 1);
	sem_post(&a->answered);
}

void ask_init(struct ask *a, enum request_kind kind, const char *ref)
{
	memset(a, 0, sizeof(*a));
	a->request.kind = kind;
	a->request.done = answered;
	a->request.user = a;
	TEXT_SET(a->request.ref, ref);
	TEXT_SET(a->request.caller.owner, "alice");
	TEXT_SET(a->request.caller.org, "acme");
}

void ask_submit(struct owned *o, struct ask *a)
{
	sem_init(&a->answered, 0, 0);
	atomic_store(&a->is_open, 1);
	engine_submit(o->engine, &a->request);
}

void ask_await(struct ask *a)
{
	event_await_for(&a->answered, a->patience_ms ? a->patience_ms : MINUTE_MS);
	sem_destroy(&a->answered);
}

void ask_await_fast(struct owned *o, struct ask *a)
{
	int most = 6000;

	for (;;) {
		struct timespec until = env_after_ms(CLOCK_REALTIME, 10);

		if (sem_timedwait(&a->answered, &until) == 0)
			break;
		REQUIRE(--most > 0);
		owned_advance(o, 1000);
	}
	sem_destroy(&a->answered);
}

enum request_result ask_run(struct owned *o, struct ask *a)
{
	ask_submit(o, a);
	ask_await(a);
	return a->request.result;
}

int ask_is_moving(const struct ask *a)
{
	return a->request.result == RESULT_UNAVAILABLE &&
	       strcmp(a->request.code, "account_moving") == 0 && a->request.retry_ms > 0;
}
