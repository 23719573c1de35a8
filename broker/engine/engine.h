/* SPDX-License-Identifier: MIT */
/*
 * The engine owns the leases and the only connection that writes to the store. It takes all
 * requests, step results and claims that have queued up, and everything that is due, applies
 * them one after the other in one transaction, commits, and only then answers. Under load,
 * many changes therefore share one commit.
 *
 * The core (core.h) does this on the thread that calls it; the files above it add a thread, a queue
 * and workers.
 */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

#include "engine/limits.h"
#include "lease/lease.h"
#include "lease/ledger.h"
#include "provider/account.h"
#include "schedule/clock.h"
#include "store/store.h"
#include "util/env.h"
#include "util/err.h"

struct engine;
struct engine_ownership;
struct engine_timings;

/* An operation that crashed an earlier process. */
struct engine_crash {
	char account[32];
	char op[16];	  /* step_op_name */
	char lease[24];	  /* id; "": an operation of the account */
	char version[32]; /* of the plugin; set by the engine */
};

struct engine_config {
	const struct env *env;
	struct store *store; /* the writing one; the engine closes it, even if engine_new fails */
	/*
	 * NULL: the accounts belong to this process until it ends. Else to whom and how long
	 * (ownership.h); `store` is then NULL. Borrowed, until engine_free.
	 */
	const struct engine_ownership *ownership;
	/*
	 * Other engines, of this process or another, serve the other accounts of the store: this one
	 * has one account, and changes nothing else.
	 */
	int is_part;
	/* ... or none, and this is the one that nobody has configured (unserved.h); NULL: it has. */
	const char *missing;
	struct account **accounts; /* borrowed; must outlive the engine */
	size_t account_count;
	struct engine_limits limits;
	int worker_threads;		/* per account */
	struct engine_timings *timings; /* borrowed (timings.h); NULL: nothing is timed */
	/*
	 * How many requests may wait for their lease, in all and of one owner; 0: any number. If
	 * more do, the one that has waited longest, of the owner with most of them, is answered as
	 * if its wait_ms had passed.
	 */
	int64_t max_waiting;
	int64_t max_waiting_owner;
	/*
	 * How long a provider may take to show what it created; for accounts that do not configure
	 * it. 0: as the plugin says.
	 */
	int64_t settle_ms;
	/*
	 * Other processes may own the store's rows, before, after or instead of this one: what those
	 * have sent may take effect until the end of its permit.
	 */
	int is_shared;
	int64_t store_ahead_ms; /* core_store_clock, from the start on */
	/* What an earlier core of this process knew of the wall clock: core_clock_known. */
	struct engine_clock {
		struct clock_watch watch;
		int64_t ahead_ms;
	} clock;
	/*
	 * This process has seen nothing of the store before: nothing is deleted until the first sweep
	 * had its try, if there are sweeps. Set by the engine.
	 */
	int is_fresh;
	/*
	 * Identifies the machine and the database file; "": not checked. If it differs from that of
	 * the last start, all accounts are fenced until an operator takes them over.
	 */
	char place[128];
	int64_t boot_ms;	 /* how long a lease may stay provisioning, over all attempts */
	int64_t probe_ms;	 /* interval between two probes of an account */
	int64_t sweep_ms;	 /* interval between two sweeps of an account; 0: never */
	int64_t sweep_grace_ms;	 /* minimum age of an orphan that a sweep may hand to cleanup */
	int sweep_deletes;	 /* sweeps hand orphans to cleanup without an operator's request */
	int64_t history_keep_ms; /* ended leases that are older are pruned; 0: none is */
	/* What crashed since the last start, in order; borrowed until engine_new returns. */
	const struct engine_crash *crashes;
	size_t crash_count;
	/*
	 * They are stored. Called by engine_new before anything can crash again: what names them can
	 * be removed, and nothing that is named from now on is lost.
	 */
	void (*on_crashes_counted)(void);
	/* Called on the engine thread, once, when the store is broken: the process must exit. */
	void (*on_broken)(void *arg, const char *why);
	void *on_broken_arg;
};

enum request_kind {
	REQUEST_CREATE,
	REQUEST_CANCEL_CREATE,
	REQUEST_RELEASE,
	REQUEST_HEARTBEAT,
	REQUEST_EXTEND,
	REQUEST_RESOLVE,
	REQUEST_SWEEP,
	REQUEST_POOL,
	REQUEST_SHARE,
	REQUEST_ACCOUNT, /* take over expected_account: lift its fence */
};

/* Why a request that waited was answered before its wait_ms had passed. */
enum request_early {
	EARLY_NOT,
	EARLY_OWNER, /* max_waiting_owner */
	EARLY_ALL,   /* max_waiting */
	EARLY_ROOM,  /* engine_hurry */
	EARLY_COUNT
};

enum request_resolve { RESOLVE_RETRY, RESOLVE_FORGET, RESOLVE_ADOPT };
enum request_sweep { SWEEP_RUN, SWEEP_LOOKED, SWEEP_DELETE };
enum request_share { SHARE_PUT, SHARE_DROP, SHARE_DROP_ALL };

/* The result of a request. All but the three kinds of success set `code`, the API's error code. */
enum request_result {
	RESULT_OK,	  /* done; `lease` is its current state */
	RESULT_CREATED,	  /* a new lease */
	RESULT_REPLAY,	  /* a repeated create; `lease` is its current state */
	RESULT_NOT_FOUND, /* also: not visible to the caller */
	RESULT_FORBIDDEN,
	RESULT_INVALID,
	RESULT_CONFLICT,    /* `code` says which */
	RESULT_LIMIT,	    /* one of the engine_limits is reached */
	RESULT_UNAVAILABLE, /* shutting down, the account cannot be used or moves, or a store error */
	RESULT_PENDING,	    /* internal: the request is answered later */
};

/* A server in a provider's inventory. */
#define POOL_LABELS_MAX 12
struct pool_machine {
	char account[32];
	char id[32];
	char name[64];
	char status[32]; /* as the provider reports it; "": not reported */
	char type[32];
	char address[64];
	char lease[24]; /* from its labels; "" if their signature is not valid */
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
	char ref[64];		   /* lease id or slug; unused by create */
	char expected_account[32]; /* the account that the lease must belong to; "": any */

	int own_only; /* ignore leases that are only shared with the caller */
	/*
	 * A change of a lease: the epoch that the lease must still have, 0: any; and how the request
	 * is named, "": not at all. A name is unique over all requests. If it made the lease's last
	 * change, the request was carried out before, and nothing happens.
	 */
	int64_t epoch;
	char request_id[LEASE_REQUEST_ROOM];
	/* The id of the lease that has this epoch, where `ref` is a slug; "": whichever has the slug. */
	char meant[24];
	/* why: RELEASE without delete, RESOLVE, SWEEP, ACCOUNT; "": not stated */
	char reason[160];
	/*
	 * CREATE, RELEASE: wait at most this long until the machine is ready or the cleanup is
	 * complete; 0: answer at once.
	 */
	int64_t wait_ms;

	union {	/* by kind */
		struct {	/* CREATE */
			/*
			 * The requested lease. The caller has validated it and filled in id ("":
			 * the engine makes one), account, slug, class and all fields under "what
			 * was asked for" in struct lease. The engine sets created_ms, owner, org.
			 */
			struct lease create;
			char idempotency_key[128]; /* "": none */
			char body_hash[65];	   /* hex SHA-256 of the request body as received */
		};
		struct {	/* CANCEL_CREATE */
			char attempt_token[48];
		};
		struct {	/* RELEASE */
			int delete_machine; /* 1: delete; 0: retain; -1: as `keep` says */
			/* Without delete: */
			int64_t retain_until_ms; /* wall clock; 0: no end stated */
			/* wait until it is protected at the provider, if that is possible */
			int wait_protected;
		};
		struct {	/* HEARTBEAT */
			int64_t idle_ms;	     /* new idle time; 0: unchanged */
			int64_t sample_ms;	     /* when `sample` was taken, wall clock */
			char sample[TELEMETRY_ROOM]; /* telemetry, a JSON object; "": none */
		};
		struct {			/* EXTEND: whole times, not what is added */
			int64_t extend_ttl_ms;	/* since the lease was created */
			int64_t extend_idle_ms; /* 0: unchanged */
		};
		struct {	/* RESOLVE */
			enum request_resolve resolve;
			int64_t row; /* of the ledger; 0: all that may exist (ADOPT: the one) */
			char resource_id[32]; /* RESOLVE_ADOPT: the provider's id */
		};
		struct { /* SWEEP, of expected_account or of all accounts */
			enum request_sweep sweep;
			int64_t count; /* answer: number of orphans handed to cleanup */
		};
		struct { /* POOL, of expected_account or of all accounts */
			struct pool_machine *pool; /* answer: an array; the caller frees it */
			size_t pool_count;
		};
		struct { /* SHARE; the list is borrowed until `done` */
			enum request_share share;
			const struct store_share *shares; /* the new list, or whom to remove */
			size_t share_count;
		};
	};

	/*
	 * The account of the lease of `ref`, or of a create that is known already, as the api read it;
	 * "": not known. Where several engines serve the store, it says which.
	 */
	char account[32];

	/* answers, set by the engine */
	enum request_result result;
	enum request_early early;
	char code[40];
	char message[400];
	int64_t retry_ms;	/* RESULT_UNAVAILABLE: when to try again; 0: not stated */
	struct limit_hit limit; /* RESULT_LIMIT: which one, and how much of it is used */
	struct lease lease;
	struct attempt attempts[ATTEMPTS_SHOWN]; /* of the lease; create and release only */
	size_t attempt_count;

	/*
	 * Called exactly once, after the commit, on the engine thread; or, when the engine has
	 * stopped, on the thread of engine_submit. The request is then the caller's again. It must
	 * not block.
	 */
	void (*done)(struct engine_request *request);
	void *user;

	STAILQ_ENTRY(engine_request) link; /* the engine's, until `done`, like the following */
	int64_t wait_until_ms;
	int64_t submitted_ms; /* monotonic clock */
	TAILQ_ENTRY(engine_request) waiter_link;
	struct waiting_owner *waiting;
};

STAILQ_HEAD(request_list, engine_request);

/*
 * Opens the core and starts the workers and the engine thread. The configuration is copied.
 * -1: error; the store is closed in any case.
 */
int engine_new(const struct engine_config *config, struct engine **ret, struct err *err);
/*
 * Any thread. The engine owns the request until it calls `done`, which it always does unless the
 * store breaks. While the store cannot be written (store_state), requests wait for it, for a
 * few seconds each; then they are answered RESULT_UNAVAILABLE, `store_unavailable`.
 */
void engine_submit(struct engine *engine, struct engine_request *request);
/*
 * Answers up to `count` of the requests that wait for their lease now, to make room: each time the
 * one that has waited longest, of the owner with most. Any thread.
 */
void engine_hurry(struct engine *engine, unsigned count);
/* Any thread. The limits hold from the next batch on. */
void engine_set_limits(struct engine *engine, const struct engine_limits *limits);
/*
 * A number that changes with each commit that changes who waits in the queue for capacity, so that
 * a reader need not read an unchanged queue again. Any thread.
 */
uint64_t engine_queue_version(const struct engine *engine);
/* Can requests be saved? As of the last iteration. Any thread. */
enum store_state engine_store_state(const struct engine *engine);
/*
 * Are the accounts this process's now? Always, without an ownership. In which epoch, and since when
 * (wall clock)? Both may be NULL. Any thread.
 */
int engine_is_owner(const struct engine *engine, int64_t *ret_epoch, int64_t *ret_since_ms);
/*
 * Somebody waits for an owner of the accounts: if they are not this process's, it tries to claim them
 * now rather than after the usual pause. May be called all the time. Any thread.
 */
void engine_seek(struct engine *engine);
/* Reloads the provider files of every account; the results are logged. Any thread. */
void engine_reload(struct engine *engine);
/*
 * Has the engine completed an iteration within the last `within_ms`? An idle engine completes
 * one every second, so values below ENGINE_ROUND_MS are raised to it. For the watchdog; any
 * thread.
 */
#define ENGINE_ROUND_MS 3000
int engine_is_moving(const struct engine *engine, int64_t within_ms);
/* Begins engine_stop, and does not wait: for several engines at once. */
void engine_stop_begin(struct engine *engine);
/*
 * Rejects new requests, answers those that wait, and lets running steps finish; cancels them
 * after `grace_ms`. Commits and joins the engine thread. Owed cleanup stays in the store and
 * continues after the next start.
 */
void engine_stop(struct engine *engine, int64_t grace_ms);
/* Stops the engine at once if it runs, and closes the store. NULL is fine. */
void engine_free(struct engine *engine);
