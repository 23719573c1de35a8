/* SPDX-License-Identifier: MIT */
/*
 * The store: the one room that knows SQL. One function per fact; a function
 * that changes something belongs inside store_begin .. store_commit, where
 * store_savepoint lets one of many requests fail alone.
 *
 * Threads: a `struct store` is one connection and belongs to one thread. The
 * engine thread has the writing one; the loop thread opens another with
 * store_open_reader, which sees what was committed.
 *
 * Errors: a write that fails with an I/O error, a full disk or a corrupt page
 * sets store_broken: the caller must stop acknowledging and end the process. What
 * was not committed was never promised.
 *
 * SQLite in WAL mode, synchronous=FULL; 0600 in its directory. Text that comes
 * back is what was put in; numbers are 64 bit.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lease/generation.h"
#include "lease/ledger.h"
#include "lease/lease.h"
#include "lease/orphan.h"
#include "util/env.h"
#include "util/err.h"

struct store;

/* ---- opening ---------------------------------------------------------------- */

/*
 * Opens (and makes, and migrates) the database for writing, as the only daemon:
 * a second one fails with ERR_BUSY. Checks its integrity. A file of a newer
 * schema, a damaged one or one others may write is refused with a sentence that
 * says what to do. On the first open an instance id and a signing key are made
 * from `env`'s randomness.
 */
int store_open(const char *path, const struct env *env, struct store **ret, struct err *err);
/* For `lessord token`: writes beside a running daemon; same checks, no daemon lock. */
int store_open_tool(const char *path, const struct env *env, struct store **ret, struct err *err);
/* Read-only, for another thread of the daemon that holds `path`. */
int store_open_reader(const char *path, struct store **ret, struct err *err);
/*
 * Read-only, for a tool, beside a daemon or without one: makes no file, changes no
 * schema, and checks as the others do. What is read through it is of one moment.
 * 0; 1 if there is no database, or one that nothing was ever put into; -1.
 */
int store_open_view(const char *path, struct store **ret, struct err *err);
/*
 * 0 if another process began to write meanwhile beside a view that found nobody there:
 * what it read is worth nothing, and a view that is opened now will do better. Else 1.
 */
int store_view_holds(const struct store *store);
void store_close(struct store *store);	/* NULL is fine */
/*
 * Reader: everything read between the two is of one moment, and takes one lock instead of
 * one per statement. Does not nest. Keep it short: the log cannot shrink meanwhile.
 */
int store_snapshot_begin(struct store *store, struct err *err);
void store_snapshot_end(struct store *store);
/*
 * Reader: a number that rises with every commit that changed something, by whichever
 * process; 0: unknown. Get it first, then read: as long as it stays the same, reading again
 * gives the same result. Not within a snapshot. Takes no lock and makes no system call.
 */
uint64_t store_data_version(struct store *store);
/*
 * Every page, every index, every sum and reference; on any connection. Takes
 * about 10 s a GiB, so store_open does it only for small files. 0, or -1 with the
 * first thing that is wrong.
 */
int store_check(struct store *store, struct err *err);

/* 1 after a write failed in a way that leaves its fate unknown; never reset. */
int store_broken(const struct store *store);
/* What is in memory is not what was written: nothing of this transaction may be committed. */
void store_break(struct store *store);

/* ---- transactions (writer) --------------------------------------------------- */

int store_begin(struct store *store, struct err *err);
/*
 * The same, for a writer that is the only one: it takes the lock with its first write, and
 * none if there is none. What it reads before that another one may change in between.
 */
int store_begin_at_write(struct store *store, struct err *err);
/* Has it written anything? */
int store_is_written(const struct store *store);
/* On -1 nothing of the transaction is promised and store_broken is set. */
int store_commit(struct store *store, struct err *err);
void store_rollback(struct store *store);
int store_savepoint(struct store *store, struct err *err);
int store_savepoint_keep(struct store *store, struct err *err);
void store_savepoint_undo(struct store *store);

/* ---- the broker itself ------------------------------------------------------- */

/* The instance id and the signing key of this database. */
int store_signer(struct store *store, struct signer *ret, struct err *err);
/* A public key (OpenSSH line) whose private half nobody has; made once per database. */
int store_account_key(struct store *store, char *ret, size_t size, struct err *err);

/* ---- leases ------------------------------------------------------------------- */

/* Inserts; sets l->n. ERR_CONFLICT if the id is taken. */
int store_lease_insert(struct store *store, struct lease *l, struct err *err);
/*
 * Writes everything that may change: not what was asked for, except idle_ms, which a
 * heartbeat may set; nor touched_ms, which is store_touch's.
 */
int store_lease_update(struct store *store, const struct lease *l, struct err *err);
/* The first column in which two rows differ, NULL: in none. For tests of who keeps copies. */
const char *store_lease_differs(const struct lease *a, const struct lease *b);
/* 0 found, 1 none, -1 error. */
int store_lease_by_n(struct store *store, int64_t n, struct lease *ret, struct err *err);
int store_lease_by_id(struct store *store, const char *id, struct lease *ret, struct err *err);
/* Is there such a lease, of this owner and organisation? 1, 0, -1. */
int store_lease_is_of(struct store *store, const char *id, const char *owner, const char *org,
		      struct err *err);

/* What of that which others share with the asker counts. */
enum store_sharing { SHARED_USE, SHARED_MANAGE, SHARED_NOT };

/* Who asks. Ownership is part of each query: foreign and missing look the same. */
struct store_scope {
	int all;		/* an admin's or reader-of-all's view */
	const char *owner;
	const char *org;
	enum store_sharing sharing;	/* at least this */
};
int store_lease_visible(struct store *store, const char *id, const struct store_scope *scope,
			struct lease *ret, struct err *err);
/*
 * By slug among the visible leases in state provisioning or active; the owner's own
 * goes before a shared one. 0, 1 none, -1; ERR_CONFLICT when several have it.
 */
int store_lease_by_slug(struct store *store, const char *slug, const struct store_scope *scope,
			struct lease *ret, struct err *err);
/* 1 if a live lease of this owner and org has the slug, else 0; -1 error. */
int store_slug_taken(struct store *store, const char *slug, const char *owner, const char *org,
		     struct err *err);

struct store_list {
	struct store_scope scope;
	int state;		/* -1: any */
	int cleanup;		/* -1: any */
	const char *account;	/* NULL: any */
	int attention;		/* only those that need a person */
	int open;		/* only those of which something may be left */
	int64_t before_n;	/* rows below this one; 0: from the newest */
	int limit;		/* 1..1000 */
};
typedef int (*store_lease_fn)(void *arg, const struct lease *l);	/* non-zero stops */
/* Newest first. */
int store_lease_each(struct store *store, const struct store_list *list, store_lease_fn fn,
		     void *arg, struct err *err);

/* How many leases need a person. */
int store_attention_count(struct store *store, int64_t *ret, struct err *err);

/* Rows with a due time, for the planner at start: (n, due_ms). */
typedef void (*store_due_fn)(void *arg, int64_t n, int64_t due_ms);
int store_due_each(struct store *store, int64_t now_ms, store_due_fn fn, void *arg,
		   struct err *err);

/* The narrow table. Durable with the commit like all else. */
int store_touch(struct store *store, int64_t n, int64_t touched_ms, struct err *err);

/* ---- sharing and telemetry ------------------------------------------------------- */

/* Another user of the lease's own organisation, in lower case; "" is all of them. */
struct store_share {
	char name[128];
	int manage;		/* may change it, too */
};
typedef void (*store_share_fn)(void *arg, const struct store_share *share);
/* In the order of the names. *ret_ms 0: it never was shared. */
int store_share_each(struct store *store, int64_t lease_n, store_share_fn fn, void *arg,
		     int64_t *ret_ms, char ret_by[128], struct err *err);
/* Replaces all of them. */
int store_share_replace(struct store *store, const struct lease *l,
			const struct store_share *shares, size_t count, int64_t now_ms,
			const char *by, struct err *err);

#define STORE_SAMPLES_MAX 60
/* Keeps a sample, complete JSON, of a time; one of that time stays as it is. */
int store_telemetry_add(struct store *store, int64_t lease_n, int64_t at_ms, const char *data,
			struct err *err);
typedef void (*store_telemetry_fn)(void *arg, const char *data);
/* Oldest first, at most STORE_SAMPLES_MAX. */
int store_telemetry_each(struct store *store, int64_t lease_n, store_telemetry_fn fn, void *arg,
			 struct err *err);
int store_telemetry_drop(struct store *store, int64_t lease_n, struct err *err);

/* ---- what counts against caps --------------------------------------------------- */

struct store_counts {
	/* Leases for which lease_counts() holds; `owner` is the owner within the org. */
	int64_t all, owner, org, account;
	int64_t micros_all, micros_owner, micros_org; /* their hourly prices, summed */
};
int store_counts(struct store *store, const char *owner, const char *org, const char *account,
		 struct store_counts *ret, struct err *err);

/* Every account that ever had a lease. */
typedef int (*store_account_fn)(void *arg, const char *account);	/* non-zero stops */
int store_account_each(struct store *store, store_account_fn fn, void *arg, struct err *err);

/* A lease as usage sees it; newest month first is the caller's business. */
struct store_usage_row {
	char owner[128], org[64], account[32], server_type[32];
	enum lease_state state;
	enum lease_cleanup cleanup;
	int64_t created_ms, ended_ms, ttl_ms, price_hour_micros;
};
typedef void (*store_usage_fn)(void *arg, const struct store_usage_row *row);
/* Leases created in [from_ms, to_ms) that the scope may see. */
int store_usage_each(struct store *store, const struct store_scope *scope, int64_t from_ms,
		     int64_t to_ms, store_usage_fn fn, void *arg, struct err *err);

/* ---- ledger ---------------------------------------------------------------------- */

/* All rows of a lease, oldest first. `ret` is released with ledger_fini. */
int store_ledger(struct store *store, int64_t lease_n, struct ledger *ret, struct err *err);
int store_resource_insert(struct store *store, struct resource *r, struct err *err); /* sets r->n */
int store_resource_update(struct store *store, const struct resource *r, struct err *err);
const char *store_resource_differs(const struct resource *a, const struct resource *b);
/* 0 found, 1 none, -1 error. */
int store_resource_by_n(struct store *store, int64_t n, struct resource *ret, struct err *err);
/* Other leases that are not done and name this id in this account. */
int store_resource_users(struct store *store, const char *account, uint32_t kind, const char *id,
			 int64_t but_lease_n, struct resource_users *ret, struct err *err);
/*
 * Whose rows a step left in a state that no step is in any more (INTENDED and the
 * permits), as after a crash. An array that the caller frees; lease 0: the account's own.
 */
struct store_pending {
	int64_t lease;
	char account[32];
};
int store_pending(struct store *store, struct store_pending **ret, size_t *ret_count,
		  struct err *err);
/* The row that names this resource and is not gone in *ret, 0 if none does. */
int store_resource_claim(struct store *store, const char *account, uint32_t kind, const char *id,
			 int64_t *ret, struct err *err);
/* The lease whose ledger named this id last, whatever the row's state; *ret 0: none did. */
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
	char text[256];		/* one sentence for people */
};
int store_event_add(struct store *store, int64_t lease_n, int64_t at_ms, const char *kind,
		    const char *text, struct err *err);
typedef int (*store_event_fn)(void *arg, const struct store_event *event);
/* Oldest first, with n > after, at most `limit`. */
int store_event_each(struct store *store, int64_t lease_n, int64_t after, int limit,
		     store_event_fn fn, void *arg, struct err *err);

/* ---- idempotency --------------------------------------------------------------------- */

struct store_idempotency {
	char hash[65];		/* hex SHA-256 of the normalized body */
	int64_t lease_n;
};
/* 0 found, 1 none, -1. Keys are per owner and org. */
int store_idempotency_get(struct store *store, const char *owner, const char *org, const char *key,
			  struct store_idempotency *ret, struct err *err);
int store_idempotency_put(struct store *store, const char *owner, const char *org, const char *key,
			  const struct store_idempotency *value, int64_t now_ms, struct err *err);
/* Tombstones of creates cancelled before they came. 1 yes, 0 no, -1. */
int store_create_canceled(struct store *store, const char *lease_id, const char *token,
			  struct err *err);
int store_create_cancel(struct store *store, const char *lease_id, const char *token,
			const char *owner, const char *org, int64_t now_ms, struct err *err);

/* ---- API tokens ------------------------------------------------------------------------ */

enum token_role { TOKEN_USER, TOKEN_READER, TOKEN_ADMIN };
const char *token_role_name(enum token_role role);
int token_role_parse(const char *text);	/* -1 if none */

/* Who asks, as the token says. */
struct caller {
	char owner[128];
	char org[64];
	enum token_role role;
};

struct token {
	char id[17];		/* public part */
	unsigned char hash[32];	/* SHA-256 of the whole token text */
	char owner[128];
	char org[64];
	enum token_role role;
	int64_t created_ms;
	int64_t expires_ms;	/* 0: never */
	int64_t revoked_ms;	/* 0: not */
};
int store_token_add(struct store *store, const struct token *token, struct err *err);
int store_token_revoke(struct store *store, const char *id, int64_t now_ms, struct err *err); /* 0, 1 none, -1 */
typedef void (*store_token_fn)(void *arg, const struct token *token);
int store_token_each(struct store *store, store_token_fn fn, void *arg, struct err *err);
/* Changes whenever a token was added or revoked, by whichever process. */
int store_token_epoch(struct store *store, int64_t *ret, struct err *err);

/* ---- account facts that outlive a restart ------------------------------------------------ */

/* Catalogue prices, replaced as a whole per account. */
struct store_price {
	char type[32];
	char location[32];
	int64_t hour_micros;
	char currency[4];
	int available;
};
int store_prices_replace(struct store *store, const char *account, const struct store_price *prices,
			 size_t count, int64_t now_ms, struct err *err);
/* 0 found, 1 none, -1. location "" takes the cheapest. */
int store_price_get(struct store *store, const char *account, const char *type,
		    const char *location, struct store_price *ret, struct err *err);
/* When they were last replaced, 0: never. */
int store_prices_age(struct store *store, const char *account, int64_t *ret_ms, struct err *err);

/* Until when the provider wants no calls (wall clock); 0: it never said so. */
int store_pause_get(struct store *store, const char *account, int64_t *ret_ms, struct err *err);
int store_pause_put(struct store *store, const char *account, int64_t until_ms, struct err *err);

/* What was committed of it; but for the account a zeroed one when there was none yet. */
int store_generation_get(struct store *store, const char *account, struct generation *ret,
			 struct err *err);
int store_generation_put(struct store *store, const struct generation *g, struct err *err);

/*
 * Where the database was when it was last opened: "" if that was never written down. A
 * text of the caller's; put replaces it.
 */
int store_place_get(struct store *store, char *ret, size_t size, struct err *err);
int store_place_put(struct store *store, const char *place, struct err *err);

/* A zeroed one when there was none yet. */
int store_sweep_get(struct store *store, const char *account, struct sweep *ret, struct err *err);
int store_sweep_put(struct store *store, const struct sweep *sweep, struct err *err);
typedef int (*store_orphan_fn)(void *arg, const struct orphan *s); /* non-zero stops */
int store_orphan_each(struct store *store, const char *account, store_orphan_fn fn, void *arg,
		      struct err *err);
int store_orphan_put(struct store *store, const struct orphan *s, struct err *err);
int store_orphan_drop(struct store *store, const char *account, uint32_t kind, const char *id,
		      struct err *err);
