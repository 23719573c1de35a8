/* SPDX-License-Identifier: MIT */
/*
 * Run history: what clients tell of the commands they ran. As store/store.h: one function
 * per fact, ownership inside the query, and the same rules for threads and transactions.
 * Logs, events and results are kept as they were given in (checked and made small by
 * whoever gives them), in pieces of their own, so that nothing reads more than it shows.
 *
 * They are in a second file beside the leases', with a connection, a lock, a schema number and
 * a write-ahead log of its own; the two are a pair. Both hold the instance id and a random id
 * of the pair, so that a file of another store is told from one's own. No transaction spans
 * both: a run names its leases by their ids.
 */
#pragma once

#include "store/store.h"

#define STORE_RUNS_PATH_SIZE 264

/*
 * Where the runs of that store are: "-runs" goes before the ".db" at the end of its name, or to
 * its end: lessor.db and lessor-runs.db, store and store-runs.
 */
void store_runs_path(const char *path, char ret[STORE_RUNS_PATH_SIZE]);
/*
 * Opens (and makes, and migrates) the runs' file of `leases`, the daemon's writing connection
 * from store_open, for writing as the only daemon; the same checks. Runs that the leases' file
 * still has from before there were two are moved first: copied, made durable, then dropped.
 * *ret_is_lost: the leases' file says that there was a runs' file, and there was none.
 * ERR_REFUSED with a sentence if it is another store's; then it is left as it was.
 * `leases` is only borrowed for the call.
 */
int store_open_runs(struct store *leases, const struct env *env, struct store **ret,
		    int *ret_is_lost, struct err *err);
/* Read-only, for another thread of the daemon. `path` is that of the leases' file. */
int store_open_runs_reader(const char *path, struct store **ret, struct err *err);
/*
 * Which runs a user may see depends on whose the leases are that they used: from now on those
 * are looked up through `leases`, a connection of the same thread that lives longer.
 */
void store_runs_use(struct store *runs, struct store *leases);

enum run_state { RUN_RUNNING, RUN_SUCCEEDED, RUN_FAILED };
#define RUN_STATE_COUNT 3
#define RUN_ID_SIZE 40

const char *run_state_name(enum run_state state);
int run_state_parse(const char *text);	/* -1 if there is none */

/* A run without its long texts. */
struct run_row {
	int64_t n;
	char id[RUN_ID_SIZE]; /* run_ and 12 hex digits; 32 if the client made it */
	char owner[128];
	char org[64];
	char lease_id[24];		/* the last one it used, "" before the first */
	char slug[48];
	char account[32];
	char target[16];
	char windows_mode[16];
	char class_name[32];
	char server_type[32];
	char label[128];
	char phase[40];
	char blocked_stage[64];
	char retry_likely[64];
	enum run_state state;
	int finished;			/* with everything; a failed one may still be finished */
	int64_t started_ms;
	int64_t event_ms;		/* last sign of life */
	int64_t ended_ms;		/* 0: running */
	int64_t sync_ms, command_ms;	/* durations */
	int has_exit_code;
	int64_t exit_code;
	int64_t log_bytes;
	int log_truncated;
	int64_t event_count;
	int64_t event_bytes;
	int64_t bytes;			/* what it takes here, roughly */
};

/* Inserts, with its command as complete JSON; sets r->n. */
int store_run_insert(struct store *store, struct run_row *r, const char *command, struct err *err);
/* Everything that may change. */
int store_run_update(struct store *store, const struct run_row *r, struct err *err);

/* What the asker means to do: what it may change is its owner's, or an admin's. */
enum run_access { RUN_READ, RUN_WRITE };
/* Readable is also what used a lease of the asker's. 0 found, 1 none, -1. */
int store_run_find(struct store *store, const char *id, const struct store_scope *scope,
		   enum run_access access, struct run_row *ret, struct err *err);

struct store_run_list {
	struct store_scope scope;
	const char *lease_id;	/* NULL: any */
	int state;		/* -1: any */
	int limit;		/* 1..1000 */
};
/* `command` is complete JSON. Non-zero stops. */
typedef int (*store_run_fn)(void *arg, const struct run_row *r, const char *command);
/* Newest first. */
int store_run_each(struct store *store, const struct store_run_list *list, store_run_fn fn,
		   void *arg, struct err *err);

/* Texts that are borrowed for the call. */
typedef int (*store_text_fn)(void *arg, const char *text, size_t len);	/* non-zero stops */
int store_run_command(struct store *store, int64_t n, store_text_fn fn, void *arg,
		      struct err *err);

/* The leases it used; the same one again is nothing new. */
int store_run_lease_add(struct store *store, int64_t n, const char *lease_id, struct err *err);
int store_run_lease_each(struct store *store, int64_t n, store_text_fn fn, void *arg,
			 struct err *err);

/* An event's own fields, as a complete JSON object. `seq` is 1 more than the last one's. */
int store_run_event_add(struct store *store, int64_t n, int64_t seq, int64_t at_ms,
			const char *fields, struct err *err);
typedef int (*store_run_event_fn)(void *arg, int64_t seq, int64_t at_ms, const char *fields);
int store_run_event_each(struct store *store, int64_t n, int64_t after, int limit,
			 store_run_event_fn fn, void *arg, struct err *err);

/* As a lease's telemetry: a ring, oldest first. */
int store_run_sample_add(struct store *store, int64_t n, int64_t at_ms, const char *data,
			 struct err *err);
int store_run_sample_each(struct store *store, int64_t n, store_text_fn fn, void *arg,
			  struct err *err);

/* Complete JSON, once. */
int store_run_results_put(struct store *store, int64_t n, const char *results, struct err *err);
int store_run_results(struct store *store, int64_t n, store_text_fn fn, void *arg,
		      struct err *err);

/* How the client says that it ended, under its signature. Complete JSON, once. */
int store_run_receipt_put(struct store *store, int64_t n, const char *receipt, struct err *err);
int store_run_receipt(struct store *store, int64_t n, store_text_fn fn, void *arg,
		      struct err *err);

/*
 * Parts are numbered from 0; one that is there is replaced. They are packed on the way in
 * (a millisecond for 64 KiB) and out: *ret_stored is what is left. A MiB at most.
 */
int store_run_log_put(struct store *store, int64_t n, int64_t part, const void *data, size_t len,
		      size_t *ret_stored, struct err *err);
int store_run_log_cut(struct store *store, int64_t n, int64_t parts, struct err *err);
/* Calls `fn` for the one part. 0, 1 there is none, -1. */
int store_run_log_get(struct store *store, int64_t n, int64_t part, store_text_fn fn, void *arg,
		      struct err *err);

/* What all parts of it take here. */
int store_run_log_size(struct store *store, int64_t n, int64_t *ret, struct err *err);

/* ---- retention ------------------------------------------------------------------------ */

int store_run_any(struct store *store, struct err *err);	/* 1 there is a run, 0, -1 */
/* A running one without a sign of life since `before_ms`. 0 found, 1 none, -1. */
int store_run_stale(struct store *store, int64_t before_ms, struct run_row *ret, struct err *err);
/* The ended one that ended first, if before `before_ms`. 0 found, 1 none, -1. */
int store_run_oldest(struct store *store, int64_t before_ms, struct run_row *ret, struct err *err);
/* What all of them take. */
int store_run_bytes(struct store *store, int64_t *ret, struct err *err);
/*
 * Deletes up to so many parts of a run, and itself when no part is left. 1: there is more
 * to delete, 0: it is gone, -1.
 */
int store_run_drop(struct store *store, int64_t n, int parts, struct err *err);
