/* SPDX-License-Identifier: MIT */
/*
 * Run history: what clients tell of the commands they ran. A room beside the engine, with a
 * thread, a queue, a database file and a writing connection of its own, so that a log of
 * megabytes never stands before a heartbeat, an intent or a permit: nothing here decides
 * anything about a lease.
 *
 *   loop thread --requests--> +------+ --one transaction per turn--> the runs' file
 *   loop thread <--answers--- | runs |
 *                             +------+ --single reads--------------> the leases' file
 *
 * Ownership: from runs_new on the room owns both connections of its config. A request is the
 * room's from runs_submit until `done`, with every text and buffer it borrows.
 *
 * Threads: the thread takes all that has queued up, applies each request in a savepoint of one
 * transaction, commits, and only then answers; a busy moment becomes a group commit by itself.
 * It runs at a lower priority than the rest of the process.
 * history.h is the same without the thread, for tests under a virtual clock.
 *
 * Durability: when a request is answered as done, created or replayed, what it says is
 * on the disk. No transaction spans the two files: a run names
 * leases by their id alone. Whose a lease is, is read from the leases' file when the question
 * comes up, as committed then.
 *
 * Errors: a request that fails alone is undone alone. When the runs' file breaks (a full disk,
 * an I/O error, a damaged page), every request of that turn and every later one is answered
 * with RUN_RESULT_UNAVAILABLE, on_broken is called once, and nothing more is written until the next
 * start. The process goes on, unlike when the leases' file breaks: there an unsaved change may
 * leave a machine that nobody knows of, or delete one that is to be kept; here what is lost is
 * a report, which was not acknowledged. Ending the process would stop the renewal and the
 * cleanup of machines that cost money because of a log. For the same reason a daemon whose
 * runs' file is refused at the start (that of another store, a damaged one) runs without it:
 * `store` is NULL then, and every request is answered with RUN_RESULT_UNAVAILABLE.
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
	struct store *store;		/* store_open_runs; NULL: there is no history in this life */
	struct store *leases;		/* store_open_reader, for this room's thread only */
	int64_t keep_ms;		/* how long an ended run is kept; 0: for ever */
	int64_t stale_ms;		/* without a sign of life for so long it has ended */
	int64_t bytes_max;		/* what all runs may take; 0: anything */
	/* Called once, on the room's thread, when the store broke. It may do what a log may. */
	void (*on_broken)(void *arg, const char *why);
	void *on_broken_arg;
};

enum run_op {
	RUN_CREATE,
	RUN_EVENT,
	RUN_SAMPLE,
	RUN_LOG,	/* one part of the log, before RUN_FINISH makes them the run's */
	RUN_FINISH,
};

/* `code` is the API's snake_case error code where it is not a success. */
enum run_result {
	RUN_RESULT_OK,
	RUN_RESULT_CREATED,
	RUN_RESULT_REPLAY,	/* said before; `run` is as it is now */
	RUN_RESULT_NOT_FOUND,	/* or not the caller's */
	RUN_RESULT_FORBIDDEN,
	RUN_RESULT_CONFLICT,
	RUN_RESULT_UNAVAILABLE,	/* shutting down, or the store cannot be written */
};

#define RUN_EVENTS_MAX 10000
#define RUN_EVENT_BYTES_MAX (4 << 20)	/* of one run */

struct run_request {
	enum run_op op;
	struct caller caller;
	char id[RUN_ID_ROOM];	/* of the run; RUN_CREATE: made if it is "" */
	/*
	 * RUN_CREATE and RUN_EVENT: what is known now; "" is nothing new. RUN_FINISH: exit
	 * code, durations, stages, log_bytes and log_truncated.
	 */
	struct run_row told;
	int is_failed;		/* RUN_EVENT: it says that the run has failed */
	const char *text;	/* command, event or results, each complete JSON; NULL: none */
	const char *receipt;	/* RUN_FINISH: so, too */
	int64_t sample_ms;	/* RUN_SAMPLE and RUN_FINISH */
	char sample[640];	/* "": none */
	const void *data;	/* RUN_LOG */
	size_t len;
	int64_t part;		/* RUN_LOG: its number; RUN_FINISH: how many there are */

	/* answers */
	enum run_result result;
	char code[40];
	char message[200];
	int64_t seq, at_ms;	/* RUN_EVENT */
	struct run_row run;

	/*
	 * Called on the room's thread after the commit, or by whoever submits when nothing is
	 * taken any more. It must only hand over; the request is the caller's again.
	 */
	void (*done)(struct run_request *request);
	void *user;

	STAILQ_ENTRY(run_request) link; /* the room's while it has it */
};

STAILQ_HEAD(run_request_list, run_request);

/* Takes both connections over, also when it fails. */
int runs_new(const struct runs_config *config, struct runs **ret, struct err *err);
/* Any thread. `done` is always called. */
void runs_submit(struct runs *runs, struct run_request *request);
/* Can it be written and read? 0 also where there was no store from the start. Any thread. */
int runs_is_usable(const struct runs *runs);
/* Applies and answers what has queued up, refuses what comes later, joins. */
void runs_stop(struct runs *runs);
/* Stops it, if that was not done, and closes both connections. NULL is fine. */
void runs_free(struct runs *runs);
