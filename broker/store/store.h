/* SPDX-License-Identifier: MIT */
/*
 * The store: the only room that uses SQL, with one function per fact. A function that
 * changes something must be called between store_begin and store_commit; store_savepoint
 * lets one request of a batch fail alone.
 *
 * Threads: a `struct store` is one connection and belongs to one thread. The engine thread
 * has the writing one; the loop thread opens another with store_open_reader, which sees
 * committed data.
 *
 * Errors: a write that fails with an I/O error, a full disk or a corrupt page sets
 * store_broken: the caller must stop acknowledging requests and end the process. Nothing
 * uncommitted has been acknowledged. A full disk and a lock of another process are noticed
 * before a transaction, as far as possible: store_begin then fails with ERR_BUSY. In the runs'
 * file a full disk undoes the transaction and breaks nothing.
 *
 * SQLite in WAL mode, synchronous=FULL, file mode 0600. Texts are returned as they were
 * stored; numbers are 64 bit.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lease/charge.h"
#include "lease/cost.h"
#include "lease/generation.h"
#include "lease/ledger.h"
#include "lease/lease.h"
#include "lease/orphan.h"
#include "util/env.h"
#include "util/err.h"

struct store;

/* ---- opening ---------------------------------------------------------------- */

/*
 * Can a store have this name? The path or URL is only read. ERR_INVALID: no; ERR_REFUSED: what is
 * needed for it is not installed.
 */
int store_name_check(const char *name, struct err *err);
/*
 * Opens the database for writing, creating or migrating it if necessary, as the only daemon:
 * a second one fails with ERR_BUSY and EWOULDBLOCK (`native`). Checks its integrity. A file of a newer schema, a
 * damaged one or one that others may write is refused with a sentence that says what to do.
 * The first open creates an instance id and a signing key from `env`'s randomness.
 */
int store_open(const char *path, const struct env *env, struct store **ret, struct err *err);
/* For `lessord token`: writes while a daemon may be running; same checks, no daemon lock. */
int store_open_tool(const char *path, const struct env *env, struct store **ret, struct err *err);
/* The same, for what is repeated every second: it fails soon rather than waits. */
int store_open_poll(const char *path, const struct env *env, struct store **ret, struct err *err);
/*
 * Writes, for another thread of the daemon that holds `path`: what no lease depends on, in short
 * transactions. A full disk undoes one, and breaks nothing.
 */
int store_open_beside(const char *path, const struct env *env, struct store **ret, struct err *err);
/* Read-only, for another thread of the daemon that holds `path`. */
int store_open_reader(const char *path, struct store **ret, struct err *err);
/*
 * Read-only, for a tool, with or without a running daemon: creates no file, changes no
 * schema, does the same checks. Reads one consistent snapshot. 0; 1 if there is no database
 * or an empty one; -1.
 */
int store_open_view(const char *path, struct store **ret, struct err *err);
/* Is there neither a database at `path` nor a log that holds transactions of one? */
int store_is_missing(const char *path);
/* Did the error come from a full file system (or a quota)? Then it passes by itself. */
int store_err_is_full(const struct err *err);
/*
 * 1 if what the view read is valid. 0 if the view was opened while nobody had the database
 * open and another process has begun to write since: discard what was read and open a new
 * view.
 */
int store_view_holds(const struct store *store);
void store_close(struct store *store); /* NULL is allowed */
/*
 * May several daemons use it at once, as on PostgreSQL (a name that is a URL)? Then one that
 * changes an account has to own it (store/shard.h).
 */
int store_is_shared(const struct store *store);
int store_name_is_shared(const char *name);
/*
 * Reader: reads between the two see one consistent snapshot and take one lock instead of one
 * per statement. Does not nest. Keep it short: the log cannot be truncated meanwhile.
 */
int store_snapshot_begin(struct store *store, struct err *err);
void store_snapshot_end(struct store *store);
/*
 * Reader: a number that rises with every commit that changed something, by any process; 0:
 * unknown. Get it first, then read: while it stays the same, reading again gives the same
 * result. Not within a snapshot. Takes no lock and makes no system call.
 */
uint64_t store_data_version(struct store *store);
/*
 * Which connection to the database this is: another number is another connection, which may have found
 * another server, or a copy. Of a file it never changes.
 */
uint64_t store_session(const struct store *store);
/*
 * Full check of pages, indexes, totals and references, on any connection. Takes about 10 s
 * per GiB, so store_open does it only for small files. 0, or -1 with the first error found.
 */
int store_check(struct store *store, struct err *err);

/*
 * Writer: keeps a reserve of disk space beside the database from now on (store/reserve.h). -1:
 * its file cannot be made, for another reason than a full disk.
 */
int store_reserve_keep(struct store *store, struct err *err);
/* Can the writer begin a transaction? As of the last attempt. */
enum store_state {
	STORE_WRITABLE,
	STORE_RESERVE, /* only from the reserve: create nothing new, keep transactions short */
	STORE_LOCKED,  /* no: another process holds the write lock */
	STORE_FULL,    /* no: the disk is full and the reserve used up */
	STORE_AWAY,    /* no: there is no connection to the database */
};
enum store_state store_state(const struct store *store);

/* 1 once a write failed with an unknown outcome; never reset. */
int store_broken(const struct store *store);
/* Sets store_broken: memory and database differ, so this transaction must not be committed. */
void store_break(struct store *store);

/* ---- transactions (writer) --------------------------------------------------- */

/*
 * Takes the write lock. ERR_BUSY: not now (store_state says why), and nothing has changed; try
 * again later. Waits for the lock for at most a second (a tool: 15).
 */
int store_begin(struct store *store, struct err *err);
/*
 * The same, but takes the lock with the first write, if there is one. Only for a sole
 * writer: what is read before that may still change otherwise.
 */
int store_begin_at_write(struct store *store, struct err *err);
/* Has the transaction written anything? */
int store_is_written(const struct store *store);
/* On -1 the transaction's outcome is unknown and store_broken is set. */
int store_commit(struct store *store, struct err *err);
void store_rollback(struct store *store);
int store_savepoint(struct store *store, struct err *err);
int store_savepoint_keep(struct store *store, struct err *err);
void store_savepoint_undo(struct store *store);

/* ---- the broker itself ------------------------------------------------------- */

/* The instance id and the signing key of this database. */
int store_signer(struct store *store, struct signer *ret, struct err *err);
/* A public key (OpenSSH line) whose private half does not exist; created once per database. */
int store_account_key(struct store *store, char *ret, size_t size, struct err *err);

/* ---- leases ------------------------------------------------------------------- */

/* Inserts; sets l->n. ERR_CONFLICT if the id is taken. */
int store_lease_insert(struct store *store, struct lease *l, struct err *err);
/*
 * Writes everything that may change: ttl_ms and idle_ms, but nothing else of the request, and
 * not touched_ms, for which see store_touch.
 */
int store_lease_update(struct store *store, const struct lease *l, struct err *err);
/* The first column in which two rows differ, NULL if none. To check copies kept in memory. */
const char *store_lease_differs(const struct lease *a, const struct lease *b);
/* 0 found, 1 none, -1 error. */
int store_lease_by_n(struct store *store, int64_t n, struct lease *ret, struct err *err);
int store_lease_by_id(struct store *store, const char *id, struct lease *ret, struct err *err);
/* Is there such a lease, of this owner and organisation? 1, 0, -1. */
int store_lease_is_of(struct store *store, const char *id, const char *owner, const char *org,
		      struct err *err);

/* Which leases shared by others are included. */
enum store_sharing { SHARED_USE, SHARED_MANAGE, SHARED_NOT };

/*
 * The caller's view. Ownership is part of each query: foreign and missing leases look the
 * same.
 */
struct store_scope {
	int all; /* an admin's or an unrestricted reader's view */
	const char *owner;
	const char *org;
	enum store_sharing sharing;	/* at least this */
};
int store_lease_visible(struct store *store, const char *id, const struct store_scope *scope,
			struct lease *ret, struct err *err);
/*
 * By slug among the visible live leases; the caller's own is preferred to a shared one. 0, 1
 * none, -1; ERR_CONFLICT if several match.
 */
int store_lease_by_slug(struct store *store, const char *slug, const struct store_scope *scope,
			struct lease *ret, struct err *err);
/* The newest ended lease of this owner and organisation with the slug. 0, 1 none, -1. */
int store_lease_ended_by_slug(struct store *store, const char *slug, const char *owner,
			      const char *org, struct lease *ret, struct err *err);
/* 1 if a live lease of this owner and org has the slug, else 0; -1 error. */
int store_slug_taken(struct store *store, const char *slug, const char *owner, const char *org,
		     struct err *err);

struct store_list {
	struct store_scope scope;
	int state;		/* as shown (lease_shown_state); -1: any */
	int cleanup;		/* -1: any */
	const char *account;	/* NULL: any */
	const char *class_name; /* NULL: any */
	const char *slug;	/* NULL: any */
	const char *owner;	/* NULL: any; of a scope that has all: in any organisation */
	int64_t since_ms;	/* created at or after; 0: any */
	int attention;		/* only those in attention */
	int open;		/* only those whose cleanup is not done */
	int64_t before_n;	/* rows below this one; 0: from the newest */
	int limit;		/* 1..1000 */
};
/*
 * One call reads at most this many rows, however few of them match what no index covers; it
 * may return few leases, or none, although there are more.
 */
#define STORE_SCAN_MAX 1000
/* Where a list continues: before_n of the next call. */
struct store_list_end {
	int64_t n; /* 0: there are no more */
	char id[24];
};
typedef int (*store_lease_fn)(void *arg, const struct lease *l);	/* non-zero stops */
/* Newest first, at most STORE_SCAN_MAX rows read. `ret` may be NULL. */
int store_lease_page(struct store *store, const struct store_list *list, store_lease_fn fn,
		     void *arg, struct store_list_end *ret, struct err *err);
/* Newest first, however many rows that takes: not for the loop thread. */
int store_lease_each(struct store *store, const struct store_list *list, store_lease_fn fn,
		     void *arg, struct err *err);
/*
 * Only the row numbers of the same, at most list->limit, which is the size of `n`. The leases are not
 * read, so one that cannot be read hides no other. Returns their number, or -1.
 */
int store_lease_numbers(struct store *store, const struct store_list *list, int64_t n[],
			struct err *err);
/*
 * In how many organisations the owner has or had leases, in constant time: 0; 1, its name is in
 * `ret`; 2: two or more; -1.
 */
int store_owner_org(struct store *store, const char *owner, char *ret, size_t size, struct err *err);

/* The number of leases in attention. */
int store_attention_count(struct store *store, int64_t *ret, struct err *err);
/*
 * Up to `limit` leases that are not done, in order of row after `*after_n`, which is moved on. Of each:
 * n, account, state, cleanup, is_billed, queue_ms, admitted_ms, ended_ms, cleanup_started_ms,
 * price_hour_micros, attention and attention_class. *ret_is_last: there are no more.
 */
typedef void (*store_open_fn)(void *arg, const struct lease *l);
int store_open_each(struct store *store, int limit, int64_t *after_n, store_open_fn fn, void *arg,
		    int *ret_is_last, struct err *err);

/* Rows of the account (NULL: of all) with a due time, to fill the heap at start: (n, due_ms). */
typedef void (*store_due_fn)(void *arg, int64_t n, int64_t due_ms);
int store_due_each(struct store *store, const char *account, int64_t now_ms, store_due_fn fn,
		   void *arg, struct err *err);

/* Records a heartbeat, in a narrow table of its own. Durable with the commit. */
int store_touch(struct store *store, int64_t n, int64_t touched_ms, struct err *err);
/* The same for many, in one statement where that is faster; of a lease twice, the latest counts. */
int store_touch_many(struct store *store, const int64_t n[], const int64_t touched_ms[],
		     size_t count, struct err *err);

/* ---- sharing and telemetry ------------------------------------------------------- */

/* A user of the lease's own organisation, in lower case; "": all of its users. */
struct store_share {
	char name[128];
	int manage; /* may also change it */
};
typedef void (*store_share_fn)(void *arg, const struct store_share *share);
/* In order of name. *ret_ms 0: it was never shared. */
int store_share_each(struct store *store, int64_t lease_n, store_share_fn fn, void *arg,
		     int64_t *ret_ms, char ret_by[128], struct err *err);
/* Replaces all of them. */
int store_share_replace(struct store *store, const struct lease *l,
			const struct store_share *shares, size_t count, int64_t now_ms,
			const char *by, struct err *err);

#define STORE_SAMPLES_MAX 60
/* Stores a sample, complete JSON; an existing one with the same time is kept. */
int store_telemetry_add(struct store *store, int64_t lease_n, int64_t at_ms, const char *data,
			struct err *err);
typedef void (*store_telemetry_fn)(void *arg, const char *data);
/* Oldest first, at most STORE_SAMPLES_MAX. */
int store_telemetry_each(struct store *store, int64_t lease_n, store_telemetry_fn fn, void *arg,
			 struct err *err);
int store_telemetry_drop(struct store *store, int64_t lease_n, struct err *err);

/* ---- usage against limits -------------------------------------------------------- */

struct store_counts {
	/* Leases for which lease_counts() holds; `owner` is the owner within the org. */
	int64_t all, owner, org, account;
	int64_t micros_all, micros_owner, micros_org,
		micros_account; /* their hourly prices, summed */
};
/*
 * For the rest of the transaction no other daemon creates a lease, nor the identity of a new store:
 * before the totals are read by which a create is decided. Nothing where there is one daemon only.
 * 1: another one does not release it (ERR_BUSY); the transaction continues as if it had not asked.
 */
int store_create_lock(struct store *store, struct err *err);
int store_counts(struct store *store, const char *owner, const char *org, const char *account,
		 struct store_counts *ret, struct err *err);
/* What is asked about a create before it is made; "" for what it does not have. */
struct store_create {
	const char *owner, *org, *account, *slug;
	const char *key; /* Idempotency-Key */
	const char *id, *attempt_token;
};
struct store_create_facts {
	struct store_counts have;
	int has_key;	   /* store_idempotency_get finds it */
	int has_id;	   /* store_lease_by_id finds it */
	int is_canceled;   /* store_create_canceled */
	int is_slug_taken; /* store_slug_taken */
};
int store_create_facts(struct store *store, const struct store_create *create,
		       struct store_create_facts *ret, struct err *err);

/* Every account that ever had a lease. */
typedef int (*store_account_fn)(void *arg, const char *account);	/* non-zero stops */
int store_account_each(struct store *store, store_account_fn fn, void *arg, struct err *err);

/* A lease as the usage report needs it, in no particular order. */
struct store_usage_row {
	char owner[128], org[64], account[32], server_type[32];
	enum lease_state state;
	int64_t created_ms, ended_ms, ttl_ms;
	int is_expected; /* it is live, and nothing of it is billed at the moment ... */
	struct cost_terms
		expected; /* ... but a machine of this price, without a month's limit, will be */
};
typedef void (*store_usage_fn)(void *arg, const struct store_usage_row *row);
/* Leases created in [from_ms, to_ms) that the scope may see. */
int store_usage_each(struct store *store, const struct store_scope *scope, int64_t from_ms,
		     int64_t to_ms, store_usage_fn fn, void *arg, struct err *err);

/* ---- costs (lease/cost.h), cost_rows.c -------------------------------------------- */

/*
 * Writes the bill of a resource: all of it, if the resource has none yet; else only its times,
 * since a price stays as it was when the resource was created.
 */
int store_cost_put(struct store *store, const struct cost *cost, struct err *err);
/* Writes only the times. */
int store_cost_times_put(struct store *store, const struct cost *cost, struct err *err);
/*
 * Takes from the account's prices what was not known when its resources were created. Called
 * after store_prices_replace.
 */
int store_costs_complete(struct store *store, const char *account, struct err *err);
struct store_cost_row {
	struct cost cost;
	int64_t live_until_ms; /* the end of its lease's TTL; 0: the lease has ended */
};
typedef void (*store_cost_fn)(void *arg, const struct store_cost_row *row);
/* The bills of a lease, oldest first. */
int store_cost_of_lease(struct store *store, int64_t lease_n, store_cost_fn fn, void *arg,
			struct err *err);

enum store_cost_part {
	COSTS_OPEN,  /* begun in [from_ms, to_ms), and may still exist */
	COSTS_ENDED, /* gone in [from_ms, to_ms), and begun before `before_ms` */
	COSTS_BEGUN, /* begun in [from_ms, to_ms) */
};
struct store_cost_range {
	enum store_cost_part part;
	int64_t from_ms, to_ms;
	int64_t before_ms; /* COSTS_ENDED */
};
/*
 * When the oldest resource was created that has a bill, or of those that may still exist;
 * INT64_MAX: there is none.
 */
int store_cost_oldest(struct store *store, int is_open, int64_t *ret_ms, struct err *err);
/* The bills in the range that the scope may see, in order of time. */
int store_cost_each(struct store *store, const struct store_scope *scope,
		    const struct store_cost_range *range, store_cost_fn fn, void *arg,
		    struct err *err);

/* ---- money by month (lease/charge.h), charge_rows.c --------------------------------- */

/*
 * Replaces the charges of a lease, and with them the totals of their months. `is_first`: it has none
 * yet.
 */
int store_charges_put(struct store *store, const struct lease *l, const struct charges *charges,
		      int is_first, struct err *err);
/* In order of month. */
int store_charges_get(struct store *store, int64_t lease_n, struct charges *ret, struct err *err);
/*
 * Looks at up to `limit` open leases of the account in order of row, after `*after_n`, which is moved
 * on. Those that have no charge in the month of `now_ms`, and those that are late (charge_is_late), are
 * written to `n`. Returns their number, or -1. *ret_is_last: there are no more.
 */
int store_charges_due(struct store *store, const char *account, int64_t now_ms, int limit,
		      int64_t *after_n, int64_t n[], int *ret_is_last, struct err *err);
/* The leases whose bills in the account lack a price, as store_costs_complete finds them. */
typedef void (*store_lease_row_fn)(void *arg, int64_t n);
int store_costs_incomplete_each(struct store *store, const char *account, store_lease_row_fn fn,
				void *arg, struct err *err);

/* Reserved and settled, of all currencies added up. */
struct store_money {
	int64_t reserved_micros, settled_micros;
};
/* What the leases of a month take of its money: in all, of an owner within an org, ... */
struct store_spend {
	int64_t month_ms;
	struct store_money all, owner, org, account;
};
/* In constant time. `ret` has `count` months in order, whose month_ms is set. */
int store_spend_get(struct store *store, const char *owner, const char *org, const char *account,
		    struct store_spend *ret, int count, struct err *err);

/* ---- ledger ---------------------------------------------------------------------- */

/* All rows of a lease, oldest first. `ret` is released with ledger_fini. */
int store_ledger(struct store *store, int64_t lease_n, struct ledger *ret, struct err *err);
int store_resource_insert(struct store *store, struct resource *r, struct err *err); /* sets r->n */
int store_resource_update(struct store *store, const struct resource *r, struct err *err);
const char *store_resource_differs(const struct resource *a, const struct resource *b);
/* 0 found, 1 none, -1 error. */
int store_resource_by_n(struct store *store, int64_t n, struct resource *ret, struct err *err);
/* Other leases, not yet done, with this id in this account. */
int store_resource_users(struct store *store, const char *account, uint32_t kind, const char *id,
			 int64_t but_lease_n, struct resource_users *ret, struct err *err);
/*
 * Leases with rows that a lost step left INTENDED or permitted, as after a crash. An array
 * that the caller frees; lease 0: the account's own.
 */
struct store_pending {
	int64_t lease;
	char account[32];
};
int store_pending(struct store *store, struct store_pending **ret, size_t *ret_count,
		  struct err *err);
/* The row with this resource that is not gone in *ret, 0 if none. */
int store_resource_claim(struct store *store, const char *account, uint32_t kind, const char *id,
			 int64_t *ret, struct err *err);
/* The lease whose ledger had this id last, in any state; *ret 0: none. */
int store_resource_lease(struct store *store, const char *account, uint32_t kind, const char *id,
			 int64_t *ret, struct err *err);
/* The account's own rows (lease 0): the sentinel. */
int store_account_ledger(struct store *store, const char *account, struct ledger *ret,
			 struct err *err);
int store_attempt_insert(struct store *store, const struct attempt *a, struct err *err);
int store_attempt_update(struct store *store, const struct attempt *a, struct err *err);

/* ---- the timeline ------------------------------------------------------------------ */

struct store_event {
	int64_t n;
	int64_t at_ms;
	char kind[40];		/* dotted, "lease.created", "server.created", ... */
	char text[256];		/* one sentence for humans */
};
int store_event_add(struct store *store, int64_t lease_n, int64_t at_ms, const char *kind,
		    const char *text, struct err *err);
typedef int (*store_event_fn)(void *arg, const struct store_event *event);
/* Oldest first, with n > after, at most `limit`. */
int store_event_each(struct store *store, int64_t lease_n, int64_t after, int limit,
		     store_event_fn fn, void *arg, struct err *err);

/* ---- the timelines of all leases, followed (event_rows.c) ---- */

/*
 * A place in the order of all events. Who has read up to store_event_last() has read all that were
 * committed before, and whatever is committed later comes after it: none is missed, and none is read
 * twice. `commit` is the number of the transaction that wrote the event; 0 in SQLite, where one
 * writer's numbers are in this order.
 */
struct event_place {
	int64_t commit, n; /* 0, 0: before the first event */
};

/* An event of any lease, as one who follows them gets it. */
struct store_feed_event {
	struct event_place place;
	struct store_event event;
	/* The digest of what it says: another event in its place, as after a backup was put back,
	 * has another one. Never 0. */
	uint32_t digest;
	int is_visible; /* to the scope that was asked for; if not, what follows is empty */
	char lease[24], slug[48], account[32];
};
typedef void (*store_feed_fn)(void *arg, const struct store_feed_event *event);

/* The newest place that may be read up to. With PostgreSQL, events wait here for older transactions. */
int store_event_last(struct store *store, struct event_place *ret, struct err *err);
/* The event at this place. 0, 1 none (it was never there, or is pruned), -1. Nothing is visible. */
int store_event_at(struct store *store, const struct event_place *place,
		   struct store_feed_event *ret, struct err *err);
/*
 * The events after `after` and up to `last`, in their order, at most `limit`, visible or not. How many
 * there were: fewer than `limit` means that they were all. -1: error.
 */
int store_event_feed(struct store *store, const struct store_scope *scope,
		     const struct event_place *after, const struct event_place *last, int limit,
		     store_feed_fn fn, void *arg, struct err *err);

/* ---- idempotency --------------------------------------------------------------------- */

struct store_idempotency {
	/* hex SHA-256 of the JSON that the client sent, keys sorted, without white space */
	char hash[65];
	int64_t lease_n;
};
/* 0 found, 1 none, -1. Keys are per owner and org. */
int store_idempotency_get(struct store *store, const char *owner, const char *org, const char *key,
			  struct store_idempotency *ret, struct err *err);
int store_idempotency_put(struct store *store, const char *owner, const char *org, const char *key,
			  const struct store_idempotency *value, int64_t now_ms, struct err *err);
/* Was this create cancelled before it arrived? 1 yes, 0 no, -1. */
int store_create_canceled(struct store *store, const char *lease_id, const char *token,
			  struct err *err);
int store_create_cancel(struct store *store, const char *lease_id, const char *token,
			const char *owner, const char *org, int64_t now_ms, struct err *err);

/* ---- API tokens ------------------------------------------------------------------------ */

enum token_role { TOKEN_USER, TOKEN_READER, TOKEN_ADMIN };
const char *token_role_name(enum token_role role);
int token_role_parse(const char *text);	/* -1 if none */

/* The caller, according to the token. */
struct caller {
	char owner[128];
	char org[64];
	enum token_role role;
};

#define STORE_TOKEN_LABEL_SIZE 65

struct token {
	char id[17];		/* public part */
	unsigned char hash[32];	/* SHA-256 of the whole token text */
	char owner[128];
	char org[64];
	enum token_role role;
	int64_t created_ms;
	int64_t expires_ms;	/* 0: never */
	int64_t revoked_ms;	/* 0: not */
	int64_t used_ms;	/* the last use, up to a minute early; 0: none is known */
	char label[STORE_TOKEN_LABEL_SIZE];
	char rotated_from[17]; /* the id of the token that it replaces; "": none */
};
/*
 * What is read after this in the transaction stays as it is until its end, even if other daemons
 * want to change tokens.
 */
int store_token_lock(struct store *store, struct err *err);
int store_token_add(struct store *store, const struct token *token, struct err *err);
/* Of a token that is not revoked: 0, 1 there is none, -1. */
int store_token_revoke(struct store *store, const char *id, int64_t now_ms, struct err *err);
int store_token_expire(struct store *store, const char *id, int64_t expires_ms, struct err *err);
/* Notes a use, unless one is known of the minute before it. */
int store_token_used(struct store *store, const char *id, int64_t used_ms, struct err *err);
/*
 * Removes up to `limit` that were revoked, or expired, before `before_ms`. No daemon need read anything
 * again: they grant nothing.
 */
int store_token_forget(struct store *store, int64_t before_ms, int limit, struct err *err);
typedef void (*store_token_fn)(void *arg, const struct token *token);
/* In the order in which they were made. */
int store_token_each(struct store *store, store_token_fn fn, void *arg, struct err *err);
/* At most `limit`, by id, from the first after `after` on. */
int store_token_page(struct store *store, const char *after, int limit, store_token_fn fn,
		     void *arg, struct err *err);
int store_token_get(struct store *store, const char *id, struct token *ret,
		    struct err *err); /* 0, 1 none, -1 */
int store_token_count(struct store *store, int64_t *ret, struct err *err);
/* Rises whenever a token is added, limited or revoked, by any process. */
int store_token_epoch(struct store *store, int64_t *ret, struct err *err);
/* In any order: those that changed after this epoch, as they are now. */
int store_token_changed_each(struct store *store, int64_t after_epoch, store_token_fn fn, void *arg,
			     struct err *err);

/* ---- account facts that outlive a restart ------------------------------------------------ */

/* Catalogue prices, replaced as a whole for each account. */
struct store_price {
	char type[32];
	char location[32];
	int64_t hour_micros;
	char currency[4];
	int available;
	/* As in struct cost_terms. */
	int64_t month_micros, unit_ms, minimum_ms;
};
int store_prices_replace(struct store *store, const char *account, const struct store_price *prices,
			 size_t count, int64_t now_ms, struct err *err);
/* 0 found, 1 none, -1. location "" takes the cheapest. */
int store_price_get(struct store *store, const char *account, const char *type,
		    const char *location, struct store_price *ret, struct err *err);
/* When they were last replaced, 0: never. */
int store_prices_age(struct store *store, const char *account, int64_t *ret_ms, struct err *err);

/* Until when the provider accepts no calls (429), wall clock ms; 0: no pause. */
int store_pause_get(struct store *store, const char *account, int64_t *ret_ms, struct err *err);
int store_pause_put(struct store *store, const char *account, int64_t until_ms, struct err *err);

/* The committed part; zeroed except for the account if there is none yet. */
int store_generation_get(struct store *store, const char *account, struct generation *ret,
			 struct err *err);
int store_generation_put(struct store *store, const struct generation *g, struct err *err);

/*
 * The location of the database when it was last opened, as recorded by the caller; "" if
 * never recorded.
 */
int store_place_get(struct store *store, char *ret, size_t size, struct err *err);
int store_place_put(struct store *store, const char *place, struct err *err);
/*
 * The newest time that was stored while the clock was trusted; *ret_is_trusted 0: a store that has
 * none yet, and the newest of its timeline instead; 0: neither.
 */
int store_clock_get(struct store *store, int64_t *ret_ms, int *ret_is_trusted, struct err *err);
int store_clock_put(struct store *store, int64_t now_ms, struct err *err);
/* The rows of leases that were created, or are open and were touched, later than `now_ms`. */
int store_lease_future_each(struct store *store, int64_t now_ms, store_lease_row_fn fn, void *arg,
			    struct err *err);
/* How often an operation crashed the daemon (engine/crashes.c). */
struct store_crash {
	char account[32], op[16], lease[24], version[32];
	int count; /* put: 0 removes it */
};
typedef void (*store_crash_fn)(void *arg, const struct store_crash *row);
int store_crash_each(struct store *store, store_crash_fn fn, void *arg, struct err *err);
int store_crash_put(struct store *store, const struct store_crash *row, struct err *err);
/* created_ms and provision_deadline_ms, which store_lease_update leaves alone. */
int store_lease_times_put(struct store *store, const struct lease *l, struct err *err);
/*
 * The clock is trusted and shows `now_ms`. Times of tokens and orphans that lie in the future were
 * stored while it was ahead: they count from now on, with the durations they had. `account`: of the
 * orphans; NULL: of any.
 */
int store_times_mend(struct store *store, const char *account, int64_t now_ms, struct err *err);
/*
 * The other instances whose sentinels were found in the account and reported to an operator:
 * their ids, separated by spaces; "" if none.
 */
int store_neighbours_get(struct store *store, const char *account, char *ret, size_t size,
			 struct err *err);
int store_neighbours_put(struct store *store, const char *account, const char *ids, struct err *err);

/* Zeroed except for the account if there was none yet. */
int store_sweep_get(struct store *store, const char *account, struct sweep *ret, struct err *err);
int store_sweep_put(struct store *store, const struct sweep *sweep, struct err *err);
typedef int (*store_orphan_fn)(void *arg, const struct orphan *s); /* non-zero stops */
int store_orphan_each(struct store *store, const char *account, store_orphan_fn fn, void *arg,
		      struct err *err);
int store_orphan_put(struct store *store, const struct orphan *s, struct err *err);
int store_orphan_drop(struct store *store, const char *account, uint32_t kind, const char *id,
		      struct err *err);
