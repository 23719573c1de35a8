/* SPDX-License-Identifier: MIT */
/*
 * Shared by the files of the store on PostgreSQL. Not included elsewhere.
 *
 * The connection is always in libpq's pipeline mode, and there is no BEGIN and no COMMIT: what is
 * sent up to a Sync is one transaction, and the Sync is its commit. If one statement of it fails,
 * the server skips the rest up to the Sync and nothing of it stays; no transaction is left open,
 * whatever happens to this process. Only a reader's snapshot is a real BEGIN.
 *
 * These files are linked into a module of their own, with copies of store.c, identity.c and util:
 * rows.h works here as everywhere.
 */
#pragma once

#include <libpq-fe.h>

#include "store/rows.h"

#define PG_STATEMENTS 512 /* slots, a power of two; at most 3/4 are used */
#define PG_PARAMS_MAX 96
#define PG_OPTIONS_MAX 80
#define PG_SCHEMA_NEWEST 17 /* of the migrations in schema.c */
#define PG_STATE_SIZE 6	    /* an SQLSTATE */

/* The types of the schema: these are the OIDs that the server knows them by. */
enum pg_type { PG_NULL = 0, PG_BLOB = 17, PG_NUMBER = 20, PG_TEXT = 25, PG_NUMBERS = 1016 };

struct pg_param {
	enum pg_type type;
	const void *data; /* borrowed, or `number` */
	size_t len;
	unsigned char number[8]; /* as it is sent */
	char *own;		 /* a text that had to be changed, or an array; owned */
};

struct pg_statement {
	struct statement base; /* first: the room holds a pointer to it */
	struct pg_connection *connection;
	const char *sql;  /* by which it is found */
	char *text;	  /* as PostgreSQL understands it */
	char name[16];	  /* on the server; of `session` */
	uint64_t session; /* 0: not prepared yet */
	int is_one;	  /* it is prepared so that it fails unless it changes one row */
	enum pg_type types[PG_PARAMS_MAX]; /* for which it is prepared */
	struct pg_param params[PG_PARAMS_MAX];
	int param_count; /* the highest number in the text */
	PGresult *result;
	int row;	 /* the current one, -1: none */
	char number[24]; /* a number that was asked for as a text */
	uint64_t queued; /* the number of its last command, for store_changed */
	int64_t changed; /* by that command; -1: not known yet */
};

/* A command that was sent and whose result has not been read. */
struct pg_queued {
	uint64_t number;	   /* counts from 1 */
	struct pg_statement *stmt; /* NULL: not a prepared one */
	const char *doing;	   /* a literal */
	int is_one;
	int is_prepare;
	int is_schema; /* it compares the schema: schema_fence_send */
	/* Called with its result, before the commit returns; NULL: it is only checked. */
	void (*fn)(void *arg, const PGresult *result);
	void *arg;
	PGresult **keep; /* where it goes; NULL: it is thrown away */
};

/*
 * What ties a connection to a shard (shard.c): its transactions carry a fence. It is the first
 * member of what the shard keeps. NULL in the connection: no fence. While `connected`, `fence` or
 * `resolve` runs, the connection has none, so that their own statements have none.
 */
struct shard_binding {
	/* There is a new session, before anything else is sent; -1: it must not be used. */
	int (*connected)(struct shard_binding *binding, struct pg_connection *c, struct err *err);
	/* Queues the fence, the first commands of a transaction: pg_run_with, not waited for. */
	int (*fence)(struct shard_binding *binding, struct pg_connection *c, struct err *err);
	/* The server's own answer: it is committed. */
	void (*committed)(struct shard_binding *binding, struct pg_connection *c);
	/* It is not, and never will be: c->failure, c->sqlstate and c->failed_at say why. */
	void (*refused)(struct shard_binding *binding, struct pg_connection *c);
	/*
	 * The connection was lost, or cannot be believed (c->is_unconfirmed), after the Sync was
	 * sent. It is closed. 1: proven to be committed, on a new connection (pg_connect); 0:
	 * proven not to be; -1 unknown, or the shard is lost.
	 */
	int (*resolve)(struct shard_binding *binding, struct pg_connection *c, struct err *err);
	/* The store is closed. */
	void (*close)(struct shard_binding *binding, struct pg_connection *c);
};

enum pg_phase {
	PG_IDLE,
	PG_WANTED, /* a transaction was requested, and nothing has been sent */
	PG_OPEN,
};

/*
 * A block of row numbers, fetched ahead. It is used for PG_NUMBER_MS only: lists follow the numbers
 * and are newest first, so the rows of all connections must be numbered as they come, by and large.
 */
struct pg_numbers {
	const char *table; /* a literal */
	int64_t next, end;
	int64_t fetched_ms;
	int64_t used_ms;
};
#define PG_NUMBER_MS 1000
#define PG_NUMBER_TABLES 8
/* The INCREMENT of the sequences TABLE_n, whose value is the first number of a block. */
#define PG_NUMBER_BLOCK 1000

struct pg_connection {
	struct store store; /* first */
	enum store_use use;
	int is_tolerant;	      /* the runs': a transaction that fails breaks nothing */
	PQconninfoOption *options;    /* of the URL, with the password; wiped at the end */
	PGconn *conn;		      /* NULL: lost */
	struct pg_attempt **attempts; /* the last one at each host, or NULL */
	int host_count;
	int is_trying, trying; /* a reader: that host's is waited for */
	unsigned int tries;
	int64_t tried_ms;    /* when a reader's last attempt began, or a writer's was given up */
	int64_t waited_ms;   /* when it last waited for one */
	int slow;	     /* a reader: how many answers on end came late */
	int64_t patience_ms; /* how long one answer may take; then the connection is lost */
	int64_t silence_ms;  /* the same, of a reader: how long nothing may come; 0: no limit */
	uint64_t session;    /* rises with each connection that was made */
	uint64_t schema_session; /* in which the look at the schema is prepared */

	enum pg_phase phase;
	int is_snapshot; /* the transaction is a reader's BEGIN */
	int is_written;
	int is_written_since; /* since the savepoint */
	/* Whether the transaction has the lock of creates. */
	enum pg_create_lock { PG_CREATE_UNASKED, PG_CREATE_LOCKED, PG_CREATE_REFUSED } create_lock;
	uint64_t first; /* the number of the transaction's first command */

	/* The first failure since the transaction began; kind ERR_NONE: none. */
	struct err failure;
	char sqlstate[PG_STATE_SIZE];
	int64_t failed_at;  /* the failed command, 0: the first one (the fence); -1: none failed */
	int is_unconfirmed; /* the server warned (01000): committed, but not on its standby */

	struct pg_queued *queue;
	size_t queue_len, queue_room;
	uint64_t count; /* commands sent so far, in all sessions */
	uint64_t names; /* of statements */

	struct pg_statement *statements[PG_STATEMENTS];
	size_t statement_count;
	struct pg_numbers numbers[PG_NUMBER_TABLES];
	struct shard_binding *binding;
};

static inline struct pg_connection *pg_of(const struct store *store)
{
	return (struct pg_connection *)(uintptr_t)store;
}

/* ---- session.c ---- */

/* Closes the session at once; what was sent without a Sync is undone by the server. */
void pg_session_end(struct pg_connection *c);

/* ---- options.c ---- */

struct pg_arguments {
	const char *keywords[PG_OPTIONS_MAX + 1];
	char *values[PG_OPTIONS_MAX + 1]; /* owned */
	int count;
};

/* NULL: it is not given. */
const char *pg_option(const struct pg_connection *c, const char *keyword);
int pg_host_count(const struct pg_connection *c);
/* The URL for messages: where, and as whom, but no password. */
void pg_name_set(struct pg_connection *c);
PQconninfoOption *pg_options_copy(const struct pg_connection *from);
void pg_isolation_set(PQconninfoOption *options);
void pg_options_free(PQconninfoOption *options);
/* For a connection to that host of the list. */
void pg_arguments_make(const struct pg_connection *c, struct pg_arguments *ret, int host);
void pg_arguments_wipe(struct pg_arguments *a);

/* ---- attempt.c: a session that is being made, in a thread of its own ---- */

/* It ends by itself at `until_ms` (monotonic), except that a lookup of names takes its time. */
struct pg_attempt *pg_attempt_start(const struct pg_connection *c, int host, int64_t until_ms);
/* If names are still looked up, it gets until then, and 1 is returned. */
int pg_attempt_goes_on(struct pg_attempt *a, int64_t until_ms);
/* Waits until it is over: 0; 1: not within `wait_ms`. */
int pg_attempt_wait(struct pg_attempt *a, int64_t wait_ms);
/* The session; NULL: there is none, `why` says why. */
PGconn *pg_attempt_take(struct pg_attempt *a, char *why, size_t size);
/* Nobody waits for it any longer. NULL is allowed. */
void pg_attempt_drop(struct pg_attempt *a);

/* ---- connection.c ---- */

/* One that is not open yet; NULL: the URL is not valid. `leases`: its URL, if `name` is NULL. */
struct pg_connection *pg_new(const char *name, const struct pg_connection *leases,
			     enum store_use use, struct err *err);
/* A new session, waited for. ERR_BUSY: the server cannot be reached, or accepts nobody. */
int pg_connect(struct pg_connection *c, struct err *err);
/* Is there a session? If not, it is made, within the rules of the connection's use. */
int pg_connected(struct pg_connection *c, struct err *err);
/* Ties the connection to a shard, or (NULL) unties it; row numbers are fetched anew. */
void pg_bind(struct pg_connection *c, struct shard_binding *binding);

/* ---- numbers.c: row numbers ---- */

/* The block of this table (a literal), which may be empty or too old. */
struct pg_numbers *pg_numbers_of(struct pg_connection *c, const char *table);
/* A new block has come, which begins with this number. */
void pg_numbers_set(struct pg_numbers *numbers, int64_t first);
/*
 * Queues, in an open transaction, what fetches blocks for the tables that need new ones soon; with
 * `is_create` also for those that were not used for long.
 */
void pg_numbers_ahead(struct pg_connection *c, int is_create);

/* ---- wire.c: sending, and waiting for answers ---- */

int64_t pg_mono_ms(void);

/*
 * Reads the results of all that was queued. With `is_sync` the transaction ends: a Sync is sent,
 * and waited for. -1: c->failure is set; or the connection was lost, and is closed.
 */
int pg_wait(struct pg_connection *c, int is_sync, struct err *err);
/*
 * Notes a command that was given to libpq, which returned `is_sent`. NULL: it was not, the
 * connection is lost and closed.
 */
struct pg_queued *pg_noted(struct pg_connection *c, int is_sent, const char *doing, struct err *err);
/* The results of a simple query, up to its end, within the connection's patience. */
int pg_drain(struct pg_connection *c, const char *doing, struct err *err);

/* ---- failure.c: what an error of PostgreSQL means ---- */

/* The first error of a transaction, also kept in c->failure; -1. */
int pg_fail(struct pg_connection *c, const PGresult *result, const struct pg_queued *queued,
	    struct err *err);
/* The connection is lost: closes it. -1. */
int pg_lose(struct pg_connection *c, const char *doing, struct err *err);
/* Is the result an error that says nothing of the transaction, since the session ends? */
int pg_ends_session(const PGresult *result);
/* `message` in one line of `size` bytes. */
void pg_message(const char *message, char *ret, size_t size);

/* ---- query.c: one statement, in PostgreSQL's own words ($1), texts as parameters ---- */

/*
 * Waits for the result (texts), which the caller clears. Within a transaction it belongs to it
 * (and is fenced); else it is one of its own.
 */
int pg_query(struct pg_connection *c, const char *sql, const char *const *params, int count,
	     PGresult **ret, const char *doing, struct err *err);
/* The same without a result. */
int pg_exec(struct pg_connection *c, const char *sql, const char *doing, struct err *err);
/* The single number that it returns. */
int pg_number(struct pg_connection *c, const char *sql, int64_t *ret, const char *doing,
	      struct err *err);
/* Several statements, one transaction. Not within another. */
int pg_script(struct pg_connection *c, const char *sql, const char *doing, struct err *err);

/* ---- statement.c ---- */

struct statement *pg_prepare(struct store *store, const char *sql, struct err *err);
/* As store_run; `fn` gets the result (binary) when it is there. */
int pg_run_with(struct store *store, struct statement *stmt, const char *doing,
		void (*fn)(void *arg, const PGresult *result), void *arg, struct err *err);
int pg_run(struct store *store, struct statement *stmt, const char *doing, struct err *err);
int pg_run_one(struct store *store, struct statement *stmt, const char *doing, struct err *err);
int pg_run_new(struct store *store, struct statement *stmt, int index, const char *table,
	       int64_t *ret_n, const char *doing, struct err *err);
int64_t pg_changed(struct store *store, struct statement *stmt, struct err *err);
int pg_row(struct store *store, struct statement *stmt, const char *doing, struct err *err);
void pg_statement_free(struct pg_statement *stmt);

/* ---- value.c ---- */

void pg_end(struct statement *stmt);
void pg_bind_number(struct statement *stmt, int index, int64_t value);
void pg_bind_text(struct statement *stmt, int index, const char *text);
void pg_bind_blob(struct statement *stmt, int index, const void *data, size_t len);
void pg_bind_null(struct statement *stmt, int index);
int64_t pg_column_number(const struct statement *stmt, int index);
const char *pg_column_data(const struct statement *stmt, int index, size_t *ret_len);
/* An array; borrowed no longer than the call. */
void pg_bind_numbers(struct statement *stmt, int index, const int64_t *values, size_t count);
/* A number of any of PostgreSQL's types in a binary result. */
int64_t pg_result_number(const PGresult *result, int row, int column);

/* ---- transaction.c ---- */

enum store_state pg_state(const struct store *store);
int pg_begin(struct store *store, struct err *err);
int pg_begin_at_write(struct store *store, struct err *err);
int pg_is_written(const struct store *store);
int pg_commit(struct store *store, struct err *err);
void pg_rollback(struct store *store);
int pg_savepoint(struct store *store, struct err *err);
int pg_savepoint_keep(struct store *store, struct err *err);
void pg_savepoint_undo(struct store *store);
int pg_snapshot_begin(struct store *store, struct err *err);
void pg_snapshot_end(struct store *store);
/* Before a command: its transaction begins, with the fence, if it has not. */
int pg_transaction_open(struct pg_connection *c, struct err *err);

/* ---- event_order.c: before the first event over a connection ---- */

int pg_event_order_mend(struct pg_connection *c, struct err *err);

/* ---- schema.c: on a fresh connection, before anything else ---- */

/* For writing: makes or migrates the schema, as one of several that start at once. */
int pg_schema_make(struct pg_connection *c, struct err *err);
/* Can this version read it, even if a newer one wrote it? 0 yes, 1 empty, -1 no: older, or not ours. */
int pg_schema_readable(struct pg_connection *c, struct err *err);
/* The same, and may this version also write it? */
int pg_schema_usable(struct pg_connection *c, struct err *err);
/* Checks totals and references against the rows. */
int pg_schema_check(struct pg_connection *c, struct err *err);

/* ---- create_lock.c ---- */

int pg_create_lock(struct store *store, struct err *err);

/* ---- survey.c ---- */

int pg_survey(const char *target, const struct store_needs *needs, store_finding_fn fn, void *arg,
	      struct err *err);

/* ---- backend.c ---- */

extern const struct backend backend_postgres;
