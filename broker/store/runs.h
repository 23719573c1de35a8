/* SPDX-License-Identifier: MIT */
/*
 * Run history: what clients report about the commands they ran. As in store/store.h: one
 * function per fact, ownership inside the query, the same rules for threads and
 * transactions. Logs, events and results are stored as given (the caller checks and limits
 * them) in rows of their own, so that nothing reads more than it shows.
 *
 * Run history is in a second file with its own connection, lock, schema version and
 * write-ahead log. The two files are a pair: both hold the instance id and a random pair id,
 * so that another store's file is recognised. No transaction spans both: a run refers to
 * its leases by their ids.
 */
#pragma once

#include "store/store.h"

#define STORE_RUNS_PATH_SIZE 264

/*
 * The path of that store's runs' file: "-runs" is inserted before ".db" or appended:
 * lessor.db and lessor-runs.db, store and store-runs.
 */
void store_runs_path(const char *path, char ret[STORE_RUNS_PATH_SIZE]);
/*
 * Opens the runs' file of `leases`, the daemon's writing connection from store_open, for
 * writing as the only daemon, creating or migrating it if necessary; the same checks. Runs
 * that the leases' file still has from before the split are moved first: copied, made
 * durable, then dropped. *ret_is_lost: the leases' file records a runs' file, but there was
 * none. ERR_REFUSED with a sentence if it belongs to another store; it is then left
 * unchanged. `leases` is only borrowed for the call.
 */
int store_open_runs(struct store *leases, const struct env *env, struct store **ret,
		    int *ret_is_lost, struct err *err);
/* Read-only, for another thread of the daemon. `path` is that of the leases' file. */
int store_open_runs_reader(const char *path, struct store **ret, struct err *err);
/*
 * Which runs a user may see depends on the owners of the leases that the runs used. Those
 * are looked up through `leases`, a connection of the same thread that outlives `runs`.
 */
void store_runs_use(struct store *runs, struct store *leases);

enum run_state { RUN_RUNNING, RUN_SUCCEEDED, RUN_FAILED };
#define RUN_STATE_COUNT 3
#define RUN_ID_SIZE 40

const char *run_state_name(enum run_state state);
int run_state_parse(const char *text);	/* -1 if there is none */

/* A run without its large texts. */
struct run_row {
	int64_t n;
	char id[RUN_ID_SIZE]; /* run_ and 12 hex digits; 32 if the client chose it */
	char owner[128];
	char org[64];
	char lease_id[24]; /* the last lease it used, "" before the first */
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
	int finished; /* 1: its result is complete; a failed run may still be finished */
	int64_t started_ms;
	int64_t event_ms;		/* last activity */
	int64_t ended_ms;		/* 0: running */
	int64_t sync_ms, command_ms;	/* durations */
	int has_exit_code;
	int64_t exit_code;
	int64_t log_bytes;
	int log_truncated;
	int64_t event_count;
	int64_t event_bytes;
	int64_t bytes; /* approximate size in the store */
};

/* Inserts a run with its command, complete JSON; sets r->n. */
int store_run_insert(struct store *store, struct run_row *r, const char *command, struct err *err);
/* Writes everything that may change. */
int store_run_update(struct store *store, const struct run_row *r, struct err *err);

/* What the caller wants to do: only the owner or an admin may write. */
enum run_access { RUN_READ, RUN_WRITE };
/* A run that used a lease of the caller is also readable. 0 found, 1 none, -1. */
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

/* The text is borrowed for the call. */
typedef int (*store_text_fn)(void *arg, const char *text, size_t len);	/* non-zero stops */
int store_run_command(struct store *store, int64_t n, store_text_fn fn, void *arg,
		      struct err *err);

/* The leases it used; adding one again has no effect. */
int store_run_lease_add(struct store *store, int64_t n, const char *lease_id, struct err *err);
int store_run_lease_each(struct store *store, int64_t n, store_text_fn fn, void *arg,
			 struct err *err);

/*
 * `fields`: the event's own fields, a complete JSON object. `seq` is the previous one plus
 * 1.
 */
int store_run_event_add(struct store *store, int64_t n, int64_t seq, int64_t at_ms,
			const char *fields, struct err *err);
typedef int (*store_run_event_fn)(void *arg, int64_t seq, int64_t at_ms, const char *fields);
int store_run_event_each(struct store *store, int64_t n, int64_t after, int limit,
			 store_run_event_fn fn, void *arg, struct err *err);

/* Like a lease's telemetry: a ring, oldest first. */
int store_run_sample_add(struct store *store, int64_t n, int64_t at_ms, const char *data,
			 struct err *err);
int store_run_sample_each(struct store *store, int64_t n, store_text_fn fn, void *arg,
			  struct err *err);

/* Complete JSON, one per run. */
int store_run_results_put(struct store *store, int64_t n, const char *results, struct err *err);
int store_run_results(struct store *store, int64_t n, store_text_fn fn, void *arg,
		      struct err *err);

/* The client's signed statement of the run's end. Complete JSON, one per run. */
int store_run_receipt_put(struct store *store, int64_t n, const char *receipt, struct err *err);
int store_run_receipt(struct store *store, int64_t n, store_text_fn fn, void *arg,
		      struct err *err);

/*
 * Parts are numbered from 0; an existing one is replaced. They are compressed on writing (a
 * millisecond for 64 KiB) and decompressed on reading; *ret_stored is the compressed size.
 * At most 1 MiB each.
 */
int store_run_log_put(struct store *store, int64_t n, int64_t part, const void *data, size_t len,
		      size_t *ret_stored, struct err *err);
int store_run_log_cut(struct store *store, int64_t n, int64_t parts, struct err *err);
/* Calls `fn` with that part. 0, 1 there is none, -1. */
int store_run_log_get(struct store *store, int64_t n, int64_t part, store_text_fn fn, void *arg,
		      struct err *err);

/* The compressed size of all parts. */
int store_run_log_size(struct store *store, int64_t n, int64_t *ret, struct err *err);

/* ---- retention ------------------------------------------------------------------------ */

int store_run_any(struct store *store, struct err *err);	/* 1 there is a run, 0, -1 */
/* A running one without activity since `before_ms`. 0 found, 1 none, -1. */
int store_run_stale(struct store *store, int64_t before_ms, struct run_row *ret, struct err *err);
/* The run that ended first, if before `before_ms`. 0 found, 1 none, -1. */
int store_run_oldest(struct store *store, int64_t before_ms, struct run_row *ret, struct err *err);
/* The approximate size of all runs. */
int store_run_bytes(struct store *store, int64_t *ret, struct err *err);
/*
 * Deletes up to `parts` parts of a run, and the run itself when none is left. 1: more to
 * delete, 0: deleted, -1.
 */
int store_run_drop(struct store *store, int64_t n, int parts, struct err *err);
