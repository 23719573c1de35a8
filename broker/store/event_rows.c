/* SPDX-License-Identifier: MIT */
/* The timelines: of one lease, and of all of them in the order in which they became visible. */
#include "store/rows.h"

#include "util/buf.h"
#include "util/hash.h"

int store_event_add(struct store *store, int64_t lease_n, int64_t at_ms, const char *kind,
		    const char *text, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "INSERT INTO event(lease, at_ms, kind, text) "
					       "VALUES(?1, ?2, ?3, ?4)",
					       err);

	if (!stmt)
		return -1;
	bind_number(stmt, 1, lease_n);
	bind_number(stmt, 2, at_ms);
	bind_text(stmt, 3, kind);
	bind_text(stmt, 4, text);
	return store_run(store, stmt, "writing the timeline", err);
}

int store_event_each(struct store *store, int64_t lease_n, int64_t after, int limit,
		     store_event_fn fn, void *arg, struct err *err)
{
	struct statement *stmt = store_prepare(store,
					       "SELECT n, at_ms, kind, text FROM event "
					       "WHERE lease = ?1 AND n > ?2 ORDER BY n LIMIT ?3",
					       err);
	int rc;

	if (!stmt)
		return -1;
	bind_number(stmt, 1, lease_n);
	bind_number(stmt, 2, after);
	bind_number(stmt, 3, limit);
	while ((rc = store_row(store, stmt, "reading the timeline", err)) == 0) {
		struct store_event event = {
			.n = column_number(stmt, 0),
			.at_ms = column_number(stmt, 1),
		};

		COLUMN_TEXT(stmt, 2, event.kind);
		COLUMN_TEXT(stmt, 3, event.text);
		if (fn(arg, &event)) {
			statement_end(stmt);
			return 0;
		}
	}
	return rc < 0 ? -1 : 0;
}

/* ---- all leases ------------------------------------------------------------------------- */

int store_event_last(struct store *store, struct event_place *ret, struct err *err)
{
	struct statement *stmt = store_prepare(store, store->backend->event_last, err);
	int rc;

	*ret = (struct event_place){ 0 };
	if (!stmt)
		return -1;
	rc = store_row(store, stmt, "reading the newest event", err);
	if (rc)
		return rc < 0 ? -1 : 0;
	ret->commit = column_number(stmt, 0);
	ret->n = column_number(stmt, 1);
	statement_end(stmt);
	return 0;
}

/* Clients keep it, and bring it to daemons on other machines: its bytes have one order. */
static uint32_t event_digest(const struct store_feed_event *e, int64_t lease_n)
{
	auto_buf struct buf text = { 0 };
	unsigned char hash[HASH_SHA256_LEN];
	uint32_t digest;

	buf_init(&text, 1024);
	buf_addf(&text, "%lld %lld %lld %s %s", (long long)e->event.n, (long long)lease_n,
		 (long long)e->event.at_ms, e->event.kind, e->event.text);
	hash_sha256(buf_str(&text), text.len, hash);
	digest = (uint32_t)hash[0] | (uint32_t)hash[1] << 8 | (uint32_t)hash[2] << 16 |
		 (uint32_t)hash[3] << 24;
	return digest ? digest : 1;
}

/* Columns: commit, n, lease, at_ms, kind, text. */
static int64_t event_read(const struct statement *stmt, struct store_feed_event *ret)
{
	int64_t lease_n = column_number(stmt, 2);

	*ret = (struct store_feed_event){
		.place = { column_number(stmt, 0), column_number(stmt, 1) },
		.event = { .n = column_number(stmt, 1), .at_ms = column_number(stmt, 3) },
	};
	COLUMN_TEXT(stmt, 4, ret->event.kind);
	COLUMN_TEXT(stmt, 5, ret->event.text);
	ret->digest = event_digest(ret, lease_n);
	return lease_n;
}

/* Parameters: ?1 commit, ?2 n. */
int store_event_at(struct store *store, const struct event_place *place,
		   struct store_feed_event *ret, struct err *err)
{
	struct statement *stmt = store_prepare(store, store->backend->event_at, err);
	int rc;

	if (!stmt)
		return -1;
	bind_number(stmt, 1, place->commit);
	bind_number(stmt, 2, place->n);
	rc = store_row(store, stmt, "reading an event", err);
	if (rc)
		return rc;
	event_read(stmt, ret);
	statement_end(stmt);
	return 0;
}

/*
 * Parameters: ?1 and ?5 the commit and n of `after`, ?6 and ?7 those of `last`, ?8 `limit`, and the
 * scope's. Columns: those of event_read, then of the lease: is it visible, id, slug, account.
 */
int store_event_feed(struct store *store, const struct store_scope *scope,
		     const struct event_place *after, const struct event_place *last, int limit,
		     store_feed_fn fn, void *arg, struct err *err)
{
	struct statement *stmt = store_prepare(store, store->backend->event_feed, err);
	int rc, count = 0;

	if (!stmt)
		return -1;
	bind_lease_scope(stmt, scope);
	bind_number(stmt, 1, after->commit);
	bind_number(stmt, 5, after->n);
	bind_number(stmt, 6, last->commit);
	bind_number(stmt, 7, last->n);
	bind_number(stmt, 8, limit);
	while ((rc = store_row(store, stmt, "reading the events", err)) == 0) {
		struct store_feed_event event;

		event_read(stmt, &event);
		event.is_visible = column_int(stmt, 6);
		if (event.is_visible) {
			COLUMN_TEXT(stmt, 7, event.lease);
			COLUMN_TEXT(stmt, 8, event.slug);
			COLUMN_TEXT(stmt, 9, event.account);
		}
		count++;
		fn(arg, &event);
	}
	return rc < 0 ? -1 : count;
}
