/* SPDX-License-Identifier: MIT */
/*
 * The engine: owns the leases and the one writing connection. Requests, step results,
 * claims of steps and due times are applied one after the other in one transaction; it is
 * committed, and only then the answers go out. A busy moment becomes a group commit by
 * itself.
 *
 * The core (core.h) does this on whatever thread calls it; engine.c gives it a
 * thread, a queue and workers.
 */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

#include "lease/lease.h"
#include "lease/ledger.h"
#include "provider/account.h"
#include "store/store.h"
#include "util/env.h"
#include "util/err.h"

struct engine;

/* Limits that a reload may change. 0 = off. */
struct engine_limits {
	int64_t max_active;		/* leases that count, all together */
	int64_t max_active_owner;
	int64_t max_active_org;
	int64_t max_active_account;
	int64_t max_hour_micros;	/* sum of hourly prices */
	int64_t max_hour_micros_owner;
	int64_t max_hour_micros_org;
};

struct engine_config {
	const struct env *env;
	struct store *store;		/* the writing one; the engine's from engine_new on */
	struct account **accounts;	/* borrowed, live longer than the engine */
	size_t account_count;
	struct engine_limits limits;
	int worker_threads;	/* for each account */
	/* how late providers of accounts that do not say may show what they made; 0: as the plugin says */
	int64_t settle_ms;
	/*
	 * Which file of which machine the database is, "" if that does not matter: where it is
	 * another than at the last start, all accounts are fenced until an operator has looked.
	 */
	char place[128];
	int64_t boot_ms;		/* how long a lease may wait for its machine in all */
	int64_t probe_ms;		/* how often an account is proven */
	int64_t sweep_ms;		/* how often it is compared with the ledger; 0: never */
	int64_t sweep_grace_ms;		/* how old an orphan must be to be deleted */
	int sweep_deletes;		/* without being asked */
	/* Called on the engine's thread when the store broke: the process must end. */
	void (*on_broken)(void *arg, const char *why);
	void *on_broken_arg;
};

enum request_kind {
	REQUEST_CREATE,
	REQUEST_CANCEL_CREATE,
	REQUEST_RELEASE,
	REQUEST_HEARTBEAT,
	REQUEST_RESOLVE,
	REQUEST_SWEEP,
	REQUEST_POOL,
	REQUEST_SHARE,
	REQUEST_ACCOUNT,	/* take over expected_account: this store is the newest */
};

enum request_resolve { RESOLVE_RETRY, RESOLVE_FORGET, RESOLVE_ADOPT };
enum request_sweep { SWEEP_RUN, SWEEP_LOOKED, SWEEP_DELETE };
enum request_share { SHARE_PUT, SHARE_DROP, SHARE_DROP_ALL };

/*
 * What became of a request. `code` is the API's snake_case error code for
 * everything but the three kinds of success.
 */
enum request_result {
	RESULT_OK,		/* done; `lease` is as it is now */
	RESULT_CREATED,		/* a new lease */
	RESULT_REPLAY,		/* the same as before; `lease` is as it is now */
	RESULT_NOT_FOUND,	/* or not the caller's */
	RESULT_FORBIDDEN,
	RESULT_INVALID,
	RESULT_CONFLICT,	/* `code` says which */
	RESULT_LIMIT,		/* a cap */
	RESULT_UNAVAILABLE,	/* shutting down, or the account is blocked */
	RESULT_PENDING,		/* the engine's own: the answer comes later */
};

/* A server that the provider says is there. */
#define POOL_LABELS_MAX 12
struct pool_machine {
	char account[32];
	char id[32];
	char name[64];
	char status[32];	/* the provider's word, "" if not told */
	char type[32];
	char address[64];
	char lease[24];		/* by its labels, whose signature is right; "" if it is not */
	struct {
		char key[64], value[64];
	} labels[POOL_LABELS_MAX];
	int label_count;
};

#define ATTEMPTS_SHOWN 16
#define TELEMETRY_ROOM 640

struct engine_request {
	enum request_kind kind;
	struct caller caller;
	char ref[64];			/* lease id or slug, except for a create */
	char expected_account[32];	/* "" = not checked */

	int own_only;			/* what is shared with the caller does not count */
	/* why, of a release that keeps it, of RESOLVE, SWEEP and ACCOUNT; "" */
	char reason[160];
	/* create, release: answer when the machine is ready or the end is final, at the latest after
	 * this long; 0 = at once */
	int64_t wait_ms;

	union {	/* by kind */
		struct {	/* CREATE */
			/*
			 * What was asked for, checked and completed by the caller: id (or "" to have one
			 * made), account, slug ("" to have one made), class and the fields of "what was
			 * asked for". created_ms, owner and org are set by the engine.
			 */
			struct lease create;
			char idempotency_key[128];	/* "" = none */
			char body_hash[65];		/* as in struct store_idempotency */
		};
		struct {	/* CANCEL_CREATE */
			char attempt_token[48];
		};
		struct {	/* RELEASE */
			int delete_machine;	/* 1 yes, 0 keep it, -1 as the lease says (!keep) */
			/* One that keeps it: till when, 0: not said; and is it only final once it is
			 * protected at the provider, if it will be? */
			int64_t retain_until_ms;
			int wait_protected;
		};
		struct {	/* HEARTBEAT */
			int64_t idle_ms;	/* new idle time, 0 = unchanged */
			int64_t sample_ms;	/* of `sample` */
			char sample[TELEMETRY_ROOM];	/* telemetry as complete JSON, "" = none */
		};
		struct {	/* RESOLVE */
			enum request_resolve resolve;
			int64_t row;		/* of the ledger; 0: all that may exist, or the only one */
			char resource_id[32];	/* RESOLVE_ADOPT: the provider's */
		};
		struct {	/* SWEEP, of expected_account or all */
			enum request_sweep sweep;
			int64_t count; /* answer: orphans that were given to cleanup */
		};
		struct {	/* POOL, of expected_account or all */
			struct pool_machine *pool;	/* answer: an array that the caller frees */
			size_t pool_count;
		};
		struct {	/* SHARE: with whom from now on, or no more; borrowed until `done` */
			enum request_share share;
			const struct store_share *shares;
			size_t share_count;
		};
	};

	/* answers */
	enum request_result result;
	char code[40];
	char message[200];
	struct lease lease;
	struct attempt attempts[ATTEMPTS_SHOWN];	/* of the lease; only for create and release */
	size_t attempt_count;

	/*
	 * Called on the engine's thread after the commit (or when the engine stops).
	 * It must only hand over; the request is the caller's again.
	 */
	void (*done)(struct engine_request *request);
	void *user;

	STAILQ_ENTRY(engine_request) link; /* the engine's while it has it */
	int64_t wait_until_ms;
};

STAILQ_HEAD(request_list, engine_request);

int engine_new(const struct engine_config *config, struct engine **ret, struct err *err);
/* Any thread. The request is the engine's until done is called; done is always called. */
void engine_submit(struct engine *engine, struct engine_request *request);
void engine_set_limits(struct engine *engine, const struct engine_limits *limits);
/* Every account reads its provider's files again; how that went is in the log. Any thread. */
void engine_reload(struct engine *engine);
/*
 * Has it come round in the last `within_ms`? With nothing to do it still does, every
 * second, so less than ENGINE_ROUND_MS is not asked of it. For the watchdog; any thread.
 */
#define ENGINE_ROUND_MS 3000
int engine_is_moving(const struct engine *engine, int64_t within_ms);
/*
 * Refuses new requests, answers waiting ones, lets running steps come to their
 * end (or cancels them after grace_ms), commits, joins. What is owed stays owed
 * in the store.
 */
void engine_stop(struct engine *engine, int64_t grace_ms);
void engine_free(struct engine *engine);
