/* SPDX-License-Identifier: MIT */
/*
 * Run history: what clients report about the commands they ran. It works beside the engine,
 * with a thread, a queue, a database file and a writing connection of its own, so that a log
 * of megabytes never delays a heartbeat, an intent or a permit. Nothing here decides
 * anything about a lease.
 *
 *   loop thread --requests--> +------+ --one transaction per turn--> the runs' file
 *   loop thread <--answers--- | runs |
 *                             +------+ --single reads--------------> the leases' file
 *
 * Ownership: from runs_new on this room owns both connections of its config. It owns a
 * request, with every text and buffer that the request borrows, from runs_submit until
 * `done`.
 *
 * Threads: the runs thread takes all queued requests, applies each in a savepoint of one
 * transaction, commits, and only then answers, so a busy moment becomes a group commit. It
 * runs at a lower priority than the rest of the process. history.h is the same without the
 * thread, for tests under a virtual clock.
 *
 * Durability: when a request is answered as done, created or replayed, its data is on disk.
 * No transaction spans the two files: a run names its lease by id only, and the owner of a
 * lease is read from the leases' file, as committed at that moment.
 *
 * Errors: a request that fails is rolled back alone. On a full disk, or while another process
 * holds the write lock for more than some seconds, requests are answered with
 * RUN_RESULT_UNAVAILABLE until the file can be written again; there is no reserve, since nothing
 * costs money because of history. If the runs' file fails (an I/O error, a damaged page), every
 * request of that turn and every later one is answered with RUN_RESULT_UNAVAILABLE, on_broken is
 * called once, and nothing is written until the next start. The process continues, unlike when
 * the leases' file fails: there an unsaved change may leave a machine that no ledger records, or
 * delete one that must be kept; here only an unacknowledged report is lost, and exiting would
 * stop the renewal and cleanup of machines that cost money because of a log. For the same reason
 * a daemon whose runs' file is refused at the start (it belongs to another store, or is damaged)
 * runs without it: `store` is NULL, and every request is answered with RUN_RESULT_UNAVAILABLE.
 */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

#include "store/runs.h"
#include "store/store.h"
#include "util/env.h"
#include "util/err.h"

struct runs;

struct runs_config {
	const struct env *env;
	struct store *store;  /* from store_open_runs; NULL: no history until the next start */
	struct store *leases; /* from store_open_reader, for the runs thread only */
	int64_t keep_ms;		/* how long an ended run is kept; 0: for ever */
	int64_t stale_ms;		/* a run without a report for this long has ended */
	int64_t bytes_max;		/* limit for all runs together; 0: none */
	/* Called once, on the runs thread, when the store fails. Must not block. */
	void (*on_broken)(void *arg, const char *why);
	void *on_broken_arg;
};

enum run_op {
	RUN_CREATE,
	RUN_EVENT,
	RUN_SAMPLE,
	RUN_LOG, /* part of the log; RUN_FINISH attaches the parts to the run */
	RUN_FINISH,
};

/* Except for a success, `code` is the API's snake_case error code. */
enum run_result {
	RUN_RESULT_OK,
	RUN_RESULT_CREATED,
	RUN_RESULT_REPLAY,    /* repeated; `run` is its present state */
	RUN_RESULT_NOT_FOUND, /* or not visible to the caller */
	RUN_RESULT_FORBIDDEN,
	RUN_RESULT_CONFLICT,
	RUN_RESULT_UNAVAILABLE, /* shutting down, or the store cannot be written */
};

#define RUN_EVENTS_MAX 10000
#define RUN_EVENT_BYTES_MAX (4 << 20) /* per run */

struct run_request {
	enum run_op op;
	struct caller caller;
	char id[RUN_ID_SIZE]; /* of the run; RUN_CREATE: "" means generate one */
	/*
	 * RUN_CREATE and RUN_EVENT: the reported values; "" means unchanged. RUN_FINISH: exit
	 * code, durations, stages, log_bytes and log_truncated.
	 */
	struct run_row told;
	int is_failed;		/* RUN_EVENT: reports that the run has failed */
	const char *text;	/* command, event or results as complete JSON; NULL: none */
	const char *receipt;	/* RUN_FINISH: likewise */
	int64_t sample_ms;	/* RUN_SAMPLE and RUN_FINISH */
	char sample[640];	/* "": none */
	const void *data;	/* RUN_LOG */
	size_t len;
	int64_t part; /* RUN_LOG: its number; RUN_FINISH: the number of parts */

	/* results */
	enum run_result result;
	char code[40];
	char message[200];
	int64_t seq, at_ms;	/* RUN_EVENT */
	struct run_row run;

	/*
	 * Called on the runs thread after the commit, or on the submitting thread if requests
	 * are no longer accepted. Must only hand the request over; it is the caller's again.
	 */
	void (*done)(struct run_request *request);
	void *user;

	STAILQ_ENTRY(run_request) link; /* used by this room while it owns the request */
};

STAILQ_HEAD(run_request_list, run_request);

/* Takes over both connections, even on failure. */
int runs_new(const struct runs_config *config, struct runs **ret, struct err *err);
/* Submits a request. Any thread. `done` is always called. */
void runs_submit(struct runs *runs, struct run_request *request);
/* Is run history usable? 0 after a failure, or if it had no store from the start. Any thread. */
int runs_is_usable(const struct runs *runs);
/* Applies and answers what is queued, refuses later requests, joins the thread. */
void runs_stop(struct runs *runs);
/* Stops the thread if it still runs, and closes both connections. Accepts NULL. */
void runs_free(struct runs *runs);
