/* SPDX-License-Identifier: MIT */
/*
 * What a database has to do for the store: a table of functions for each kind. The rows of the
 * store (*_rows.c) are written once, in SQL that every backend understands, and use only this.
 * Inside the room only.
 *
 * New SQL keeps to what PostgreSQL understands, too: parameters are ?1, ?2 ... (or bare ?, in
 * order); values are 64-bit numbers, texts, blobs and NULL; where a condition is needed, a number
 * is compared (`keep <> 0`); `coalesce`, and ON CONFLICT with its key. `INDEXED BY name` is
 * SQLite's, which has no statistics here; a backend that plans by statistics leaves it out.
 *
 * Threads: as in store.h, a store is one connection and belongs to one thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "store/runs.h"
#include "store/shard.h"
#include "store/store.h"
#include "store/survey.h"
#include "util/log.h"

/*
 * A prepared statement of one connection, which owns it. It is found by the address of its text, a
 * literal: no parsing and no comparing on the hot path.
 */
struct statement {
	const struct backend *backend;
};

/* How a store is opened: see the functions of store.h, runs.h and move.h. */
enum store_use {
	STORE_DAEMON,
	STORE_TOOL,
	STORE_READER,
	STORE_VIEW,
	STORE_SOURCE,
	STORE_POLL,
	STORE_BESIDE, /* of a file; of a database it is STORE_POLL */
};

/* How a backend opens its stores; `name` is what the configuration says. */
struct opener {
	int (*name_check)(const char *name, struct err *err); /* as in store.h */
	int (*open)(const char *name, enum store_use use, const struct env *env, struct store **ret,
		    struct err *err);
	int (*open_runs)(struct store *leases, const struct env *env, struct store **ret,
			 int *ret_is_lost, struct err *err);
	int (*open_runs_reader)(const char *name, struct store **ret, struct err *err);
	int (*is_missing)(const char *name);
	/* survey.h */
	int (*survey)(const char *name, const struct store_needs *needs, store_finding_fn fn,
		      void *arg, struct err *err);
};

extern const struct opener opener_sqlite;
/* module.c: of the module that is loaded for it; NULL with `err` set if that cannot be. */
const struct opener *opener_postgres(struct err *err);

/* What a module exports as lessord_store_module; both are built from the same source. */
#define STORE_MODULE_ABI 1
struct store_module {
	uint32_t abi;
	uint32_t backend_size; /* sizeof(struct backend) */
	const struct opener *opener;
	void (*log_forward)(const struct log_place *to); /* of its copy of util/log.h */
};

/* Ownership of accounts: as in shard.h. */
struct shard_backend {
	int (*claim)(struct store *store, const struct shard_claim *claim, struct shard *ret,
		     struct err *err);
	int (*renew)(struct store *store, struct err *err);
	int (*yield)(struct store *store, struct err *err);
	const struct shard *(*owned)(const struct store *store);
	int (*is_lost)(const struct store *store);
	int64_t (*deadline_ms)(const struct store *store);
	int (*freeze)(struct store *store, const char *reason, struct err *err);
	int (*thaw)(struct store *store, const char *frozen, struct err *err);
	int (*presume)(struct store *store, int64_t ms, struct err *err);
	int (*gen_put)(struct store *store, int64_t gen, struct err *err);
	int (*credit)(struct store *store, struct err *err);
	int (*tell)(struct store *store, const struct shard_standing *standing, struct err *err);
};

/* What it does with an open one. */
struct backend {
	/* ---- the connection: as in store.h ---- */

	int (*view_holds)(const struct store *store);
	void (*close)(struct store *store);
	int (*check)(struct store *store, struct err *err);
	int (*reserve_keep)(struct store *store, struct err *err);
	int (*is_shared)(const struct store *store);
	/* Ownership of accounts, store/shard.h; NULL: there is one daemon only. */
	const struct shard_backend *shards;

	/* ---- transactions: as in store.h ---- */

	enum store_state (*state)(const struct store *store);
	uint64_t (*data_version)(struct store *store);
	uint64_t (*session)(const struct store *store); /* NULL: there is one */
	int (*begin)(struct store *store, struct err *err);
	int (*begin_at_write)(struct store *store, struct err *err);
	int (*is_written)(const struct store *store);
	int (*commit)(struct store *store, struct err *err);
	void (*rollback)(struct store *store);
	int (*savepoint)(struct store *store, struct err *err);
	int (*savepoint_keep)(struct store *store, struct err *err);
	void (*savepoint_undo)(struct store *store);
	int (*snapshot_begin)(struct store *store, struct err *err);
	void (*snapshot_end)(struct store *store);

	/* ---- what no SQL can say for both: as in store.h ---- */

	int (*touch_many)(struct store *store, const int64_t n[], const int64_t ms[], size_t count,
			  struct err *err);
	int (*create_lock)(struct store *store, struct err *err);
	/* store_shrink (history.h); NULL: the database does that itself. */
	int (*shrink)(struct store *store, int pages, int *ret_left, struct err *err);
	/* The order of events, event_rows.c: statements with the columns and parameters named there. */
	const char *event_last, *event_at, *event_feed;

	/* ---- statements: as below ---- */

	struct statement *(*prepare)(struct store *store, const char *sql, struct err *err);
	int (*run)(struct store *store, struct statement *stmt, const char *doing, struct err *err);
	int (*run_one)(struct store *store, struct statement *stmt, const char *doing,
		       struct err *err);
	int (*run_new)(struct store *store, struct statement *stmt, int index, const char *table,
		       int64_t *ret_n, const char *doing, struct err *err);
	int64_t (*changed)(struct store *store, struct statement *stmt, struct err *err);
	int (*row)(struct store *store, struct statement *stmt, const char *doing, struct err *err);
	void (*end)(struct statement *stmt);

	/* ---- values ---- */

	void (*bind_number)(struct statement *stmt, int index, int64_t value);
	void (*bind_text)(struct statement *stmt, int index, const char *text);
	void (*bind_blob)(struct statement *stmt, int index, const void *data, size_t len);
	void (*bind_null)(struct statement *stmt, int index);
	int64_t (*column_number)(const struct statement *stmt, int index);
	const char *(*column_data)(const struct statement *stmt, int index, size_t *ret_len);
	/* The same of what is known to be a text: a lease has dozens of them. */
	const char *(*column_text)(const struct statement *stmt, int index, size_t *ret_len);
};

/* What all backends have in common; the members after it belong to one of them. */
struct store {
	const struct backend *backend;
	char name[256];	      /* for messages: the file's path, or the URL without its password */
	int broken;	      /* store_broken */
	int reader;	      /* it never writes */
	struct store *leases; /* runs: the connection to the leases, of the same thread, or NULL */
	struct sqlite_file *file;
};
