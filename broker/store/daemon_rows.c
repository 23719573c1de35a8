/* SPDX-License-Identifier: MIT */
#include "store/daemons.h"

#include "lease/ledger.h"
#include "store/rows.h"
#include "util/hash.h"

_Static_assert(STORE_PEER_KEY_SIZE == HASH_SHA256_LEN, "the key is a digest");

static int run_alone(struct store *store, struct statement *stmt, const char *doing, struct err *err)
{
	if (store_run(store, stmt, doing, err)) {
		store_rollback(store);
		return -1;
	}
	return store_commit(store, err);
}

int store_daemon_put(struct store *store, const struct store_daemon *daemon, struct err *err)
{
	struct statement *stmt;

	if (store_begin(store, err))
		return -1;
	stmt = store_prepare(store,
			     "INSERT INTO daemon(id, address, version, schema, started_ms, seen_ms)"
			     " VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(id) DO UPDATE SET"
			     " address = excluded.address, seen_ms = excluded.seen_ms",
			     err);
	if (!stmt) {
		store_rollback(store);
		return -1;
	}
	bind_text(stmt, 1, daemon->id);
	bind_text(stmt, 2, daemon->address);
	bind_text(stmt, 3, daemon->version);
	bind_number(stmt, 4, daemon->schema);
	bind_number(stmt, 5, daemon->started_ms);
	bind_number(stmt, 6, daemon->seen_ms);
	return run_alone(store, stmt, "writing the row of this daemon", err);
}

int store_daemon_drop(struct store *store, const struct store_daemon *daemon, struct err *err)
{
	struct statement *stmt;

	if (store_begin(store, err))
		return -1;
	stmt = store_prepare(store, "DELETE FROM daemon WHERE id = ?1 AND seen_ms = ?2", err);
	if (!stmt) {
		store_rollback(store);
		return -1;
	}
	bind_text(stmt, 1, daemon->id);
	bind_number(stmt, 2, daemon->seen_ms);
	return run_alone(store, stmt, "removing the row of a daemon", err);
}

int store_daemon_each(struct store *store, store_daemon_fn fn, void *arg, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "SELECT id, address, version, schema, started_ms,"
					       " seen_ms FROM daemon ORDER BY id",
					       err);
	int rc;

	if (!stmt)
		return -1;
	while ((rc = store_row(store, stmt, "reading the daemons", err)) == 0) {
		struct store_daemon daemon = { .schema = column_number(stmt, 3),
					       .started_ms = column_number(stmt, 4),
					       .seen_ms = column_number(stmt, 5) };

		COLUMN_TEXT(stmt, 0, daemon.id);
		COLUMN_TEXT(stmt, 1, daemon.address);
		COLUMN_TEXT(stmt, 2, daemon.version);
		fn(arg, &daemon);
	}
	return rc < 0 ? -1 : 0;
}

int store_peer_key(struct store *store, unsigned char ret[STORE_PEER_KEY_SIZE], struct err *err)
{
	static const char purpose[] = "requests between daemons";
	struct signer signer;

	if (store_signer(store, &signer, err))
		return -1;
	hash_hmac_sha256(signer.key, sizeof(signer.key), purpose, sizeof(purpose) - 1, ret);
	hash_wipe(&signer, sizeof(signer));
	return 0;
}
