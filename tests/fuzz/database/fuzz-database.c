/* SPDX-License-Identifier: MIT */
/*
 * A restored database that is damaged or malicious. A valid one is created once and damaged,
 * either in the file (any bytes) or by SQL (well formed, with values that no lessord ever
 * wrote, even where the schema forbids them). Either store_open fails with a message, or
 * every read returns, with terminated strings and counts that fit their arrays.
 *
 *	byte 0	even: then four bytes each: offset (24 bits) and value
 *		odd: then three bytes each: column, value, row; bit 1: remove NOT NULL
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "store/store.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

#define EDITS_MAX 64
#define COLUMNS_MAX 256 /* as many as one input byte can select */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64], path[96];
static struct env env;
static uint8_t *good;
static size_t good_size;
static char *columns[COLUMNS_MAX];	/* "UPDATE lease SET state" */
static int column_count;

#define PROMISE(what) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #what); \
			abort(); \
		} \
	} while (0)
#define MUST(what) \
	do { \
		if (what) { \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #what, err.text); \
			abort(); \
		} \
	} while (0)

/* ---- the valid database ----------------------------------------------------------------- */

static int64_t fixed_time(void *data)
{
	(void)data;
	return INT64_C(1800000000000);
}

static void fixed_random(void *data, void *out, size_t len)
{
	(void)data;
	memset(out, 0x5a, len);
}

static void fill_leases(struct store *s)
{
	struct err err = { 0 };

	for (int i = 0; i < 3; i++) {
		struct lease l = { .type_count = 2, .ssh_port = 22, .fallback_count = 1,
				   .ttl_ms = 1, .idle_ms = 1, .created_ms = 5, .state = i,
				   .cleanup = i, .due_ms = i, .touched_ms = 5 };
		struct resource r = { .kind = LESSOR_KIND_SERVER, .state = LESSOR_STATE_PRESENT,
				      .ours = 1, .retain_epoch = i, .protect_by = i };
		struct attempt a = { .number = 1, .refused = 2 };
		struct cost cost = { .type = "ccx33",
				     .from_ms = 5,
				     .terms = {
					     .hour_micros = 7, .unit_ms = i, .currency = "EUR" } };
		struct store_idempotency key = { .hash = "00" };

		snprintf(l.id, sizeof(l.id), "cbx_00000000000%d", i);
		TEXT_SET(l.owner, "alice");
		TEXT_SET(l.org, "acme");
		TEXT_SET(l.account, "hetzner");
		snprintf(l.slug, sizeof(l.slug), "box-%d", i);
		TEXT_SET(l.types[0], "ccx33");
		TEXT_SET(l.types[1], "cpx62");
		TEXT_SET(l.public_key, "ssh-ed25519 AAAA");
		MUST(store_lease_insert(s, &l, &err));
		if (i == 2)
			TEXT_SET(l.attention, "look");
		MUST(store_lease_update(s, &l, &err));
		MUST(store_touch(s, l.n, 6, &err));
		r.lease = i ? l.n : 0;
		TEXT_SET(r.account, "hetzner");
		snprintf(r.id, sizeof(r.id), "%d", 7 + i);
		TEXT_SET(r.name, "lessor-box");
		MUST(store_resource_insert(s, &r, &err));
		cost.resource = r.n;
		cost.lease = r.lease;
		TEXT_SET(cost.account, "hetzner");
		MUST(store_cost_put(s, &cost, &err));
		a.lease = l.n;
		TEXT_SET(a.type, "ccx33");
		MUST(store_attempt_insert(s, &a, &err));
		MUST(store_event_add(s, l.n, 5, "lease.created", "text", &err));
		key.lease_n = l.n;
		MUST(store_idempotency_put(s, "alice", "acme", l.slug, &key, 5, &err));
	}
	MUST(store_create_cancel(s, "cbx_1", "cat_1", "alice", "acme", 5, &err));
}

static void fill(struct store *s)
{
	struct token token = { .id = "0123456789abcdef", .owner = "alice", .org = "acme" };
	struct store_price price = { .type = "ccx33", .location = "fsn1", .hour_micros = 7,
				     .currency = "EUR" };
	struct generation g = { .account = "hetzner", .current = 1, .pending = 2, .holder = "00",
				.before = "11", .why = "why" };
	struct err err = { 0 };
	struct signer signer;
	char key[512];

	MUST(store_begin(s, &err));
	fill_leases(s);
	MUST(store_token_add(s, &token, &err));
	MUST(store_prices_replace(s, "hetzner", &price, 1, 5, &err));
	MUST(store_generation_put(s, &g, &err));
	MUST(store_place_put(s, "here", &err));
	MUST(store_signer(s, &signer, &err));
	MUST(store_account_key(s, key, sizeof(key), &err));
	MUST(store_commit(s, &err));
}

static void list_columns(void)
{
	sqlite3 *db;
	sqlite3_stmt *stmt;

	PROMISE(sqlite3_open(path, &db) == SQLITE_OK);
	PROMISE(sqlite3_prepare_v2(db, "SELECT m.name, c.name FROM sqlite_schema m, "
				   "pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY 1, c.cid",
				   -1, &stmt, NULL) == SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW && column_count < COLUMNS_MAX)
		columns[column_count++] = xasprintf("UPDATE \"%s\" SET \"%s\"",
						    (const char *)sqlite3_column_text(stmt, 0),
						    (const char *)sqlite3_column_text(stmt, 1));
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

static void write_file(const uint8_t *bytes, size_t len)
{
	char other[112];
	int fd;

	snprintf(other, sizeof(other), "%s-wal", path);
	unlink(other);
	snprintf(other, sizeof(other), "%s-shm", path);
	unlink(other);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	PROMISE(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	close(fd);
}

static void remove_folder(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (system(command))
		perror(folder);
}

static void prepare(void)
{
	struct store *s = NULL;
	struct err err = { 0 };
	struct stat st;
	int fd;

	log_setup(2, LOG_HUMAN, -1);
	env_system(&env);
	env.wall_ms = fixed_time;
	env.random = fixed_random;
	snprintf(folder, sizeof(folder), "%s/lessor-fuzz-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	PROMISE(mkdtemp(folder));
	atexit(remove_folder);
	snprintf(path, sizeof(path), "%s/db", folder);
	MUST(store_open(path, &env, &s, &err));
	fill(s);
	store_close(s);
	list_columns();
	fd = open(path, O_RDONLY);
	PROMISE(fd >= 0 && fstat(fd, &st) == 0);
	good_size = (size_t)st.st_size;
	good = xcalloc(1, good_size);
	PROMISE(read(fd, good, good_size) == (ssize_t)good_size);
	close(fd);
}

/* ---- the damage --------------------------------------------------------------------------- */

static void damage_bytes(const uint8_t *data, size_t size)
{
	uint8_t *bad = xcalloc(1, good_size);

	memcpy(bad, good, good_size);
	for (size_t i = 0; i + 3 < size && i / 4 < EDITS_MAX; i += 4) {
		size_t at = (size_t)data[i] << 16 | (size_t)data[i + 1] << 8 | data[i + 2];

		bad[at % good_size] = data[i + 3];
	}
	write_file(bad, good_size);
	free(bad);
}

static const char *const values[] = {
	"NULL", "0", "-1", "1", "2", "77", "9223372036854775807", "-9223372036854775807 - 1",
	"4294967296", "2147483648", "1e300", "1.5", "''", "'x'", "','", "',,,,,,,,,,,,,,,,,,,,,,,'",
	"'99999999999,x,-5'", "x'00'", "x'ff00ff'", "zeroblob(100)", "zeroblob(100000)",
	"hex(zeroblob(40000))", "'a' || char(0) || 'b'", "char(27) || '[2J'", "'\xc3'", "'abc' || x'80'",
	"'cbx_000000000001'", "hex(zeroblob(16))", "zeroblob(32)", "3", "4", "5",
};

static void damage_rows(const uint8_t *data, size_t size, int strip)
{
	sqlite3 *db;

	write_file(good, good_size);
	PROMISE(sqlite3_open(path, &db) == SQLITE_OK);
	sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
	if (strip) {
		sqlite3_exec(db, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = "
			     "replace(sql, 'NOT NULL', '') WHERE type = 'table';"
			     "PRAGMA writable_schema = RESET", NULL, NULL, NULL);
		sqlite3_close(db);
		PROMISE(sqlite3_open(path, &db) == SQLITE_OK);
	}
	for (size_t i = 0; i + 2 < size && i / 3 < EDITS_MAX; i += 3) {
		char sql[300];

		snprintf(sql, sizeof(sql), "%s = %s%s", columns[data[i] % column_count],
			 values[data[i + 1] % ARRAY_LEN(values)],
			 data[i + 2] & 1 ? " WHERE lease = 2" : "");
		sqlite3_exec(db, sql, NULL, NULL, NULL);
	}
	sqlite3_close(db);
}

/* ---- reading --------------------------------------------------------------------------------- */

#define ENDS(text) PROMISE(strnlen(text, sizeof(text)) < sizeof(text))

static void use_lease(const struct lease *l)
{
	ENDS(l->id);
	ENDS(l->owner);
	ENDS(l->account);
	ENDS(l->public_key);
	ENDS(l->cursor);
	ENDS(l->attention);
	ENDS(l->host);
	ENDS(l->currency);
	PROMISE(l->type_count >= 0 && l->type_count <= LEASE_TYPES_MAX);
	PROMISE(l->fallback_count >= 0 && l->fallback_count <= LEASE_PORTS_MAX);
	for (int i = 0; i < l->type_count; i++)
		ENDS(l->types[i]);
	PROMISE(lease_state_name(l->state) && lease_state_name(lease_shown_state(l)));
	PROMISE(lease_cleanup_name(l->cleanup) && lease_retention_name(l->retention));
	lease_expires_ms(l);
	lease_deadline_ms(l);
	lease_due_ms(l, INT64_C(1800000000000));
	lease_counts(l);
}

static void use_ledger(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->resource_count; i++) {
		const struct resource *r = &ledger->resources[i];

		ENDS(r->id);
		ENDS(r->name);
		ENDS(r->evidence);
		ENDS(r->signed_lease);
		PROMISE(resource_kind_name(r->kind) && resource_state_name(r->state));
		resource_is_residue(r);
		resource_may_be_deleting(r);
	}
	for (size_t i = 0; i < ledger->attempt_count; i++) {
		ENDS(ledger->attempts[i].reason);
		PROMISE(error_class_name(ledger->attempts[i].refused));
	}
	ledger_fini(ledger);
}

static int on_event(void *arg, const struct store_event *event)
{
	(void)arg;
	ENDS(event->kind);
	ENDS(event->text);
	return 0;
}

static int on_lease(void *arg, const struct lease *l)
{
	struct store *s = arg;
	struct ledger ledger = { 0 };
	struct lease again;
	struct err err = { 0 };

	use_lease(l);
	if (store_ledger(s, l->n, &ledger, &err) == 0)
		use_ledger(&ledger);
	if (store_lease_by_n(s, l->n, &again, &err) == 0)
		use_lease(&again);
	store_event_each(s, l->n, 0, 100, on_event, NULL, &err);
	return 0;
}

static void on_due(void *arg, int64_t n, int64_t due_ms)
{
	(void)arg;
	(void)n;
	(void)due_ms;
}

static void on_cost(void *arg, const struct store_cost_row *row)
{
	(void)arg;
	PROMISE(cost_total(&row->cost, INT64_C(1800000000000)).billed_ms > 0);
}

static void on_usage(void *arg, const struct store_usage_row *row)
{
	(void)arg;
	ENDS(row->owner);
	ENDS(row->server_type);
	PROMISE(lease_state_name(row->state));
}

static void on_token(void *arg, const struct token *token)
{
	(void)arg;
	ENDS(token->id);
	ENDS(token->owner);
	PROMISE(token_role_name(token->role));
}

static void read_leases(struct store *s)
{
	struct store_list list = { .scope = { .all = 1 }, .state = -1, .cleanup = -1, .limit = 100 };
	struct store_scope scope = { .owner = "alice", .org = "acme" };
	struct ledger ledger = { 0 };
	struct store_counts counts;
	struct resource_users users;
	struct lease l;
	struct err err = { 0 };
	int64_t n;

	store_lease_each(s, &list, on_lease, s, &err);
	list.attention = 1;
	list.scope = scope;
	store_lease_each(s, &list, on_lease, s, &err);
	if (store_lease_by_id(s, "cbx_000000000001", &l, &err) == 0)
		use_lease(&l);
	if (store_lease_visible(s, "cbx_000000000001", &scope, &l, &err) == 0)
		use_lease(&l);
	if (store_lease_by_slug(s, "box-1", &scope, &l, &err) == 0)
		use_lease(&l);
	if (store_lease_ended_by_slug(s, "box-1", "alice", "acme", &l, &err) == 0)
		use_lease(&l);
	store_slug_taken(s, "box-1", "alice", "acme", &err);
	store_attention_count(s, &n, &err);
	store_due_each(s, NULL, INT64_C(1800000000000), on_due, NULL, &err);
	store_counts(s, "alice", "acme", "hetzner", &counts, &err);
	store_usage_each(s, &scope, 0, INT64_MAX, on_usage, NULL, &err);
	store_cost_oldest(s, 1, &n, &err);
	store_cost_of_lease(s, 1, on_cost, NULL, &err);
	for (int part = COSTS_OPEN; part <= COSTS_BEGUN; part++) {
		struct store_cost_range range = { .part = (enum store_cost_part)part,
						  .from_ms = INT64_MIN,
						  .to_ms = INT64_MAX,
						  .before_ms = INT64_MAX };

		store_cost_each(s, &scope, &range, on_cost, NULL, &err);
	}
	if (store_account_ledger(s, "hetzner", &ledger, &err) == 0)
		use_ledger(&ledger);
	if (store_resource_users(s, "hetzner", LESSOR_KIND_SERVER, "8", 1, &users, &err) == 0)
		PROMISE(users.owners <= users.count && users.deleting <= users.count);
	store_resource_claim(s, "hetzner", LESSOR_KIND_SERVER, "8", &n, &err);
}

static void read_rest(struct store *s)
{
	struct store_idempotency key;
	struct store_price price;
	struct generation g;
	struct signer signer;
	struct err err = { 0 };
	char text[512];
	int64_t n;

	if (store_signer(s, &signer, &err) == 0)
		ENDS(signer.instance);
	if (store_account_key(s, text, sizeof(text), &err) == 0)
		ENDS(text);
	if (store_idempotency_get(s, "alice", "acme", "box-1", &key, &err) == 0)
		ENDS(key.hash);
	store_create_canceled(s, "cbx_1", "cat_1", &err);
	store_token_each(s, on_token, NULL, &err);
	store_token_epoch(s, &n, &err);
	if (store_price_get(s, "hetzner", "ccx33", "", &price, &err) == 0)
		ENDS(price.currency);
	store_prices_age(s, "hetzner", &n, &err);
	if (store_generation_get(s, "hetzner", &g, &err) == 0) {
		ENDS(g.holder);
		ENDS(g.before);
		ENDS(g.why);
	}
	store_place_get(s, text, sizeof(text), &err);
	ENDS(text);
	store_check(s, &err);
}

/* What the daemon reads first at a start. */
static void restart(struct store *s)
{
	struct store_pending *pending;
	struct err err = { 0 };
	size_t count;

	if (store_pending(s, &pending, &count, &err) == 0) {
		for (size_t i = 0; i < count; i++)
			ENDS(pending[i].account);
	}
	free(pending);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store *s = NULL, *reader = NULL;
	struct err err = { 0 };

	if (!good)
		prepare();
	if (!size)
		return 0;
	if (data[0] & 1)
		damage_rows(data + 1, size - 1, data[0] & 2);
	else
		damage_bytes(data + 1, size - 1);
	if (store_open(path, &env, &s, &err)) {
		/* Rejected with a message. */
		PROMISE(err.text[0]);
		return 0;
	}
	if (store_open_reader(path, &reader, &err) == 0) {
		read_leases(reader);
		read_rest(reader);
		store_close(reader);
	}
	restart(s);
	read_leases(s);
	read_rest(s);
	store_close(s);
	return 0;
}
