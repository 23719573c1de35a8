/* SPDX-License-Identifier: MIT */
/*
 * A database with schema 6, from before retention labels and generations, in the middle
 * of a lease's life: it opens and migrates, and what it retains is protected.
 */
#include "cases.h"

#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/alloc.h"

/* Downgrades from the newest schema; only this test does that. */
static const char down[] =
	"UPDATE meta SET value = CAST(number AS TEXT) WHERE key IN ('token_epoch', 'clock');"
	"DROP TRIGGER lease_uncharged; DROP TABLE charge; DROP TABLE spend;"
	"ALTER TABLE token DROP COLUMN used_ms; ALTER TABLE token DROP COLUMN label;"
	"DROP INDEX token_changed; ALTER TABLE token DROP COLUMN changed;"
	"ALTER TABLE token DROP COLUMN rotated_from;"
	"DROP TABLE past_usage; DROP INDEX lease_history; DROP INDEX idempotency_lease;"
	"DROP INDEX stray_lease;"
	"DROP TABLE daemon; ALTER TABLE lease DROP COLUMN last_request;"
	"ALTER TABLE meta DROP COLUMN number;"
	"DROP TABLE cost; ALTER TABLE price DROP COLUMN month_micros;"
	"ALTER TABLE price DROP COLUMN unit_ms; ALTER TABLE price DROP COLUMN minimum_ms;"
	"DROP TRIGGER lease_inserted; DROP TRIGGER lease_updated; DROP TRIGGER lease_deleted;"
	"DROP INDEX resource_pending; DROP TABLE generation;"
	"DELETE FROM meta WHERE key = 'place';"
	"UPDATE resource SET state = 3 WHERE state IN (8, 9, 12, 13);"
	"UPDATE resource SET state = 5 WHERE state IN (10, 11);"
	"ALTER TABLE resource DROP COLUMN seen_ms; ALTER TABLE resource DROP COLUMN authorized_ms;"
	"ALTER TABLE resource DROP COLUMN deletes_unknown;"
	"ALTER TABLE resource DROP COLUMN signed_lease; ALTER TABLE resource DROP COLUMN retain_epoch;"
	"ALTER TABLE resource DROP COLUMN label_known; ALTER TABLE resource DROP COLUMN protect_by;"
	"ALTER TABLE resource DROP COLUMN marked_ms; ALTER TABLE sweep DROP COLUMN soon_ms;"
	"ALTER TABLE resource RENAME COLUMN first_absent_ms TO first_look_ms;"
	"ALTER TABLE resource RENAME COLUMN absent_count TO looks;"
	"ALTER TABLE lease DROP COLUMN retention; ALTER TABLE lease DROP COLUMN is_billed;"
	"ALTER TABLE lease DROP COLUMN breaches;"
	"ALTER TABLE resource DROP COLUMN until_ms;"
	"ALTER TABLE lease DROP COLUMN credit_ms; ALTER TABLE lease DROP COLUMN idle_credit_ms;"
	"DROP INDEX lease_slug_owner; DROP INDEX lease_slug_any;"
	"ALTER TABLE lease DROP COLUMN location_preferred;"
	"DROP INDEX lease_queued; DROP TABLE queue_owner;"
	"ALTER TABLE lease DROP COLUMN queue_ms; ALTER TABLE lease DROP COLUMN admitted_ms;"
	"UPDATE lease SET due_ms = 0 WHERE retained;"
	/* Their content does not matter: schema 7 recreates them. */
	"CREATE TRIGGER lease_inserted AFTER INSERT ON lease BEGIN SELECT 1; END;"
	"CREATE TRIGGER lease_updated AFTER UPDATE ON lease BEGIN SELECT 1; END;"
	"CREATE TRIGGER lease_deleted AFTER DELETE ON lease BEGIN SELECT 1; END;"
	"PRAGMA user_version = 6;";

/* Converts the store to schema 6. */
static void make_older(const char *path)
{
	char *why = NULL;
	sqlite3 *db;

	if (sqlite3_open(path, &db) || sqlite3_exec(db, down, NULL, NULL, &why)) {
		fprintf(stderr, "cannot convert the store to schema 6: %s\n", why ? why : "");
		abort();
	}
	sqlite3_close(db);
}

/* Removes the labels of schema 7 from an object. */
static void unmark(struct world *w, const char *path, const char *kind, int64_t id)
{
	auto_free char *target = xasprintf("/v1/%s/%lld", path, (long long)id);
	struct cloud_request ask = { .method = "GET", .target = target,
				     .authorization = "Bearer the-token-of-this-world" };
	struct cloud_response r;
	json_t *root, *labels;

	cloud_response_init(&r);
	cloud_handle(w->cloud, w->d.now_ms, &ask, &r);
	root = r.body ? json_loadb(r.body, r.body_len, 0, NULL) : NULL;
	labels = json_object_get(json_object_get(root, kind), "labels");
	if (json_is_object(labels)) {
		json_object_del(labels, LESSOR_LABEL_RETAIN);
		json_object_del(labels, LESSOR_LABEL_GEN);
		json_object_del(labels, LESSOR_LABEL_HOLDER);
		auto_free char *text = json_dumps(labels, JSON_COMPACT);
		auto_free char *json = xasprintf("{\"verb\":\"relabel\",\"kind\":\"%s\",\"id\":%lld,"
						 "\"labels\":%s}", kind, (long long)id, text);

		world_admin(w, "POST", "/_sim/human", json);
	}
	json_decref(root);
	cloud_response_fini(&r);
}

static void unmark_all(struct world *w)
{
	for (size_t i = 0; i < w->made_count; i++) {
		const struct made *m = &w->made[i];

		if (!m->by_us || !m->alive || m->kind == CLOUD_IP)
			continue;
		if (m->kind == CLOUD_SERVER)
			unmark(w, "servers", "server", m->id);
		else
			unmark(w, "ssh_keys", "ssh_key", m->id);
	}
}

static const struct made *kept_server(const struct world *w)
{
	for (size_t i = 0; i < w->made_count; i++) {
		if (w->made[i].kind == CLOUD_SERVER && w->made[i].by_us && w->made[i].alive)
			return &w->made[i];
	}
	return NULL;
}

void upgrade_run(struct world *w)
{
	struct cloud_object o;
	const struct made *m;
	struct lease l;

	world_create(w, 0, HOUR, HOUR);
	world_pass(w, 10 * MINUTE);
	world_release(w, 0, 0);
	world_pass(w, 10 * MINUTE);
	m = kept_server(w);
	if (!m)
		return;
	/* The state that an older lessord leaves. */
	world_human(w, "unprotect", m->id, "");
	unmark_all(w);
	w->leases[0].is_protected = w->leases[0].seen = 0;
	world_restart(w, make_older);
	world_pass(w, 20 * MINUTE);
	/* While the token is read-only nothing can be protected. */
	if (w->undo)
		world_pass(w, w->undo_at_ms - w->d.now_ms + 20 * MINUTE);
	if (world_lease(w, 0, &l) || w->restarts > 1)
		return;
	if (l.retention != RETENTION_PROTECTED)
		violate(w, "I33: after an upgrade %s is not protected but %s", l.id,
			lease_retention_name(l.retention));
	m = kept_server(w);
	if (!m || cloud_object_find(w->cloud, CLOUD_SERVER, m->id, &o) || !o.is_protected ||
	    !cloud_object_label(w->cloud, CLOUD_SERVER, m->id, LESSOR_LABEL_RETAIN))
		violate(w, "I33: after an upgrade the server of %s is not protected", l.id);
	world_release(w, 0, 1);
	world_pass(w, 20 * MINUTE);
}
