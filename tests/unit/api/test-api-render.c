/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <jansson.h>

#include "api/render.h"

#define T0 INT64_C(1787306400000)	/* 2026-08-21T10:00:00Z */

static struct lease sample(void)
{
	struct lease l = { .n = 1, .id = "cbx_0123456789ab", .owner = "alice@example.com",
		.org = "acme", .account = "hetzner", .slug = "violet-prawn",
		.class_name = "standard", .profile = "default", .requested_type = "ccx33",
		.types = { "ccx33", "cpx62" }, .type_count = 2, .image = "ubuntu-24.04",
		.ssh_user = "crabbox", .ssh_port = 2222, .fallback_ports = { 22 },
		.fallback_count = 1, .work_root = "/work/crabbox", .keep = 1, .ttl_ms = 5400000,
		.idle_ms = 1800000, .created_ms = T0, .updated_ms = T0 + 4120, .touched_ms = T0,
		.state = LEASE_ACTIVE, .host = "203.0.113.7", .server_id = "9876543210",
		.server_name = "crabbox-violet-prawn-40675f31", .server_type = "ccx33",
		.server_location = "fsn1" };

	return l;
}

static json_t *rendered(const struct lease *l, const struct render_parts *parts)
{
	struct buf out;
	struct jsonw w;
	json_t *root;

	buf_init(&out, 1 << 20);
	jsonw_init(&w, &out);
	jsonw_object(&w, NULL);
	render_lease(&w, "lease", l, parts);
	jsonw_end_object(&w);
	root = json_loads(buf_str(&out), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	buf_fini(&out);
	return root;
}

static const char *text(json_t *root, const char *key)
{
	return json_string_value(json_object_get(json_object_get(root, "lease"), key));
}

static json_t *field(json_t *root, const char *key)
{
	return json_object_get(json_object_get(root, "lease"), key);
}

/* Contract 3.1 and 8.1: a wrong type in any of these fails the client's whole request. */
static void every_field_has_the_contracts_type(void **state)
{
	static const struct {
		const char *key;
		char type;
	} rows[] = {
		{ "id", 's' }, { "slug", 's' }, { "provider", 's' }, { "state", 's' },
		{ "host", 's' }, { "sshUser", 's' }, { "sshPort", 's' },
		{ "sshFallbackPorts", 'l' }, { "workRoot", 's' }, { "target", 's' },
		{ "serverID", 'i' }, { "cloudID", 's' }, { "serverName", 's' },
		{ "serverType", 's' }, { "requestedServerType", 's' }, { "class", 's' },
		{ "profile", 's' }, { "keep", 'b' }, { "owner", 's' }, { "org", 's' },
		{ "ttlSeconds", 'i' }, { "idleTimeoutSeconds", 'i' }, { "createdAt", 's' },
		{ "updatedAt", 's' }, { "lastTouchedAt", 's' }, { "expiresAt", 's' },
		{ "desktop", 'b' }, { "browser", 'b' }, { "code", 'b' }, { "cleanup", 'o' },
	};
	static const char *const absent[] = { "image", "lifecycle", "tailscale", "hostId", "market",
		"share", "telemetry", "releaseDeletesServer", "cleanupStartedAt", "cleanupError",
		"cleanupRetryAt", "failureError", "provisioningAttempts" };
	struct lease l = sample();
	json_t *root = rendered(&l, NULL);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *value = field(root, rows[i].key);

		print_message("%s\n", rows[i].key);
		assert_true(rows[i].type == 's' ? json_is_string(value) :
			    rows[i].type == 'i' ? json_is_integer(value) :
			    rows[i].type == 'b' ? json_is_boolean(value) :
			    rows[i].type == 'l' ? json_is_array(value) : json_is_object(value));
	}
	for (size_t i = 0; i < COUNT(absent); i++)
		assert_null(field(root, absent[i]));
	assert_string_equal(text(root, "sshPort"), "2222");
	assert_string_equal(json_string_value(json_array_get(field(root, "sshFallbackPorts"), 0)),
			    "22");
	assert_true(json_integer_value(field(root, "serverID")) == 9876543210);
	assert_string_equal(text(root, "cloudID"), "9876543210");
	assert_string_equal(text(root, "createdAt"), "2026-08-21T10:00:00.000Z");
	assert_string_equal(text(root, "updatedAt"), "2026-08-21T10:00:04.120Z");
	assert_string_equal(text(root, "expiresAt"), "2026-08-21T10:30:00.000Z");
	json_decref(root);
}

static void active_without_a_host_is_not_said(void **state)
{
	struct lease l = sample();
	json_t *root;

	(void)state;
	l.host[0] = '\0';
	root = rendered(&l, NULL);
	assert_string_equal(text(root, "state"), "provisioning");
	json_decref(root);
}

static void an_id_that_is_no_number_is_zero(void **state)
{
	static const char *const ids[] = { "i-0abc", "", "99999999999999999999", "-1" };
	struct lease l = sample();

	(void)state;
	for (size_t i = 0; i < COUNT(ids); i++) {
		json_t *root;

		snprintf(l.server_id, sizeof(l.server_id), "%s", ids[i]);
		root = rendered(&l, NULL);
		assert_true(json_integer_value(field(root, "serverID")) == 0);
		assert_string_equal(text(root, "cloudID"), ids[i]);
		json_decref(root);
	}
}

/* Contract 4.2, row by row. '-' absent, 't' true, 'f' false, 's' a text. */
static void the_release_protocol(void **state)
{
	static const struct {
		const char *row;
		enum lease_state state;
		enum lease_cleanup cleanup;
		int64_t released_ms;
		int tries;
		const char *error, *attention;
		const char *shown;
		char deletes, started, failed, retry;
	} rows[] = {
		{ "active", LEASE_ACTIVE, CLEANUP_NONE, 0, 0, "", "", "active", '-', '-', '-', '-' },
		{ "released, clean", LEASE_RELEASED, CLEANUP_DONE, T0, 0, "", "", "released", 't',
		  '-', '-', '-' },
		{ "released, owed", LEASE_RELEASED, CLEANUP_OWED, T0, 0, "", "", "released", 't',
		  's', '-', '-' },
		{ "released, failing", LEASE_RELEASED, CLEANUP_OWED, T0, 2, "reset", "", "released",
		  't', 's', 's', 's' },
		{ "released, kept", LEASE_RELEASED, CLEANUP_RETAINED, T0, 0, "", "", "released",
		  'f', '-', '-', '-' },
		{ "released, attention", LEASE_RELEASED, CLEANUP_ATTENTION, T0, 1, "x", "not ours",
		  "released", 't', 's', 's', 's' },
		/* Its account is blocked: nothing was tried, and it needs operator action. */
		{ "released, blocked", LEASE_RELEASED, CLEANUP_OWED, T0, 0, "",
		  "account x is blocked", "released", 't', 's', 's', 's' },
		{ "expired, clean", LEASE_EXPIRED, CLEANUP_DONE, 0, 0, "", "", "expired", 't', '-',
		  '-', '-' },
		{ "expired then released", LEASE_EXPIRED, CLEANUP_DONE, T0, 0, "", "", "released",
		  't', '-', '-', '-' },
		{ "failed then released, owed", LEASE_FAILED, CLEANUP_OWED, T0, 0, "", "",
		  "released", 't', 's', '-', '-' },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct lease l = sample();
		json_t *root;
		json_t *deletes;

		print_message("%s\n", rows[i].row);
		l.state = rows[i].state;
		l.cleanup = rows[i].cleanup;
		l.released_ms = rows[i].released_ms;
		l.tries = rows[i].tries;
		l.ended_ms = l.cleanup_started_ms = T0 + 1000;
		l.due_ms = T0 + 9000;
		strcpy(l.last_error, rows[i].error);
		strcpy(l.attention, rows[i].attention);
		root = rendered(&l, NULL);
		deletes = field(root, "releaseDeletesServer");
		assert_string_equal(text(root, "state"), rows[i].shown);
		assert_int_equal(rows[i].deletes, !deletes ? '-' : json_is_true(deletes) ? 't' :
				 'f');
		assert_int_equal(rows[i].started, text(root, "cleanupStartedAt") ? 's' : '-');
		assert_int_equal(rows[i].failed, text(root, "cleanupError") ? 's' : '-');
		assert_int_equal(rows[i].retry, text(root, "cleanupRetryAt") ? 's' : '-');
		json_decref(root);
	}
}

static void attempts_and_residue_are_told(void **state)
{
	struct attempt attempts[] = {
		{ .number = 1, .type = "ccx33", .location = "fsn1",
		  .refused = LESSOR_CLASS_CAPACITY,
		  .reason = "server type not_found\x1b[2J" },
		{ .number = 2, .type = "cpx62", .location = "fsn1" },
	};
	struct resource resources[] = {
		{ .kind = LESSOR_KIND_SERVER, .state = LESSOR_STATE_PRESENT, .ours = 1, .id = "7",
		  .name = "s" },
		{ .kind = LESSOR_KIND_KEY, .state = LESSOR_STATE_GONE, .ours = 1, .id = "8",
		  .name = "k" },
	};
	struct render_parts parts = {
		.attempts = attempts, .attempt_count = 2, .resources = resources,
		.resource_count = 2,
	};
	struct lease l = sample();
	json_t *root = rendered(&l, &parts);
	json_t *list = field(root, "provisioningAttempts");
	json_t *item = json_array_get(list, 0);

	(void)state;
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(json_string_value(json_object_get(item, "serverType")), "ccx33");
	assert_string_equal(json_string_value(json_object_get(item, "category")), "capacity");
	assert_string_equal(json_string_value(json_object_get(item, "message")),
			    "server type not found?[2J");
	list = json_object_get(field(root, "cleanup"), "residue");
	assert_int_equal(json_array_size(list), 1);
	item = json_array_get(list, 0);
	assert_string_equal(json_string_value(json_object_get(item, "kind")), "server");
	assert_string_equal(json_string_value(json_object_get(item, "id")), "7");
	json_decref(root);
	l = sample();
	assert_false(render_wants_ledger(&l));
	strcpy(l.server_type, "cpx62");
	assert_true(render_wants_ledger(&l));
	l = sample();
	l.state = LEASE_PROVISIONING;
	assert_true(render_wants_ledger(&l));
}

/* Only of retained leases; unsure while the account is not verified. */
static void retention_is_told_of_what_is_kept(void **state)
{
	const struct render_parts unsure = { .is_unsure = 1 }, sure = { .is_unsure = 0 };
	struct lease l = sample();
	json_t *root;

	(void)state;
	l.retention = RETENTION_PROTECTED;
	root = rendered(&l, NULL);
	assert_null(field(root, "retention"));
	json_decref(root);
	l.state = LEASE_RELEASED;
	for (int cleanup = 0; cleanup < LEASE_CLEANUP_COUNT; cleanup++) {
		l.cleanup = (enum lease_cleanup)cleanup;
		l.retained = cleanup == CLEANUP_RETAINED;
		for (int retention = RETENTION_UNSURE; retention < LEASE_RETENTION_COUNT; retention++) {
			l.retention = l.retained ? (enum lease_retention)retention : RETENTION_NONE;
			root = rendered(&l, &sure);
			if (l.retained)
				assert_string_equal(text(root, "retention"),
						    lease_retention_name(l.retention));
			else
				assert_null(field(root, "retention"));
			json_decref(root);
			root = rendered(&l, &unsure);
			if (l.retained)
				assert_string_equal(text(root, "retention"), "unsure");
			else
				assert_null(field(root, "retention"));
			json_decref(root);
		}
	}
}

/* What depends on the store alone is the same at any time and in any state of the account. */
static void what_is_of_the_store_is_of_no_moment(void **state)
{
	const struct render_parts now = { .now_ms = T0 + 1000, .running_micros = 20000 };
	const struct render_parts later = { .now_ms = T0 + 7200000,
					    .running_micros = 30000,
					    .is_unsure = 1 };

	(void)state;
	for (int i = 0; i < LEASE_STATE_COUNT * LEASE_CLEANUP_COUNT; i++) {
		struct lease l = sample();
		json_t *a, *b, *cost;

		l.state = (enum lease_state)(i / LEASE_CLEANUP_COUNT);
		l.cleanup = (enum lease_cleanup)(i % LEASE_CLEANUP_COUNT);
		l.retained = l.cleanup == CLEANUP_RETAINED;
		l.retention = RETENTION_PROTECTED;
		l.price_hour_micros = 1000000;
		l.ended_ms = l.released_ms = T0 + 500;
		a = rendered(&l, &now);
		b = rendered(&l, &later);
		cost = json_real(0.03);
		assert_int_equal(json_equal(a, b), render_is_of_store(&l));
		if (l.cleanup == CLEANUP_RETAINED)
			assert_true(json_equal(field(b, "runningCost"), cost));
		else
			assert_null(field(b, "runningCost"));
		json_decref(a);
		json_decref(b);
		json_decref(cost);
	}
}

/* States that mean the same to a client are shown as one. */
static void residue_is_told_in_the_clients_words(void **state)
{
	static const struct {
		uint32_t state;
		const char *text;
	} rows[] = {
		{ LESSOR_STATE_INTENDED, "intended" }, { LESSOR_STATE_UNKNOWN, "unknown" },
		{ LESSOR_STATE_PRESENT, "present" }, { LESSOR_STATE_DELETING, "deleting" },
		{ LESSOR_STATE_RETAINED, "retained" }, { LESSOR_STATE_DELETE_AUTHORIZED, "deleting" },
		{ LESSOR_STATE_DELETE_UNKNOWN, "deleting" },
		{ LESSOR_STATE_UNPROTECT_AUTHORIZED, "deleting" },
		{ LESSOR_STATE_UNPROTECT_UNKNOWN, "deleting" },
		{ LESSOR_STATE_GONE, NULL }, { LESSOR_STATE_DISOWNED, NULL },
		{ LESSOR_STATE_NEVER_EXISTED, NULL }, { LESSOR_STATE_HANDED_OVER, NULL },
	};
	struct lease l = sample();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct resource r = { .n = 7, .lease = 1, .kind = LESSOR_KIND_SERVER, .ours = 1,
				      .state = rows[i].state, .name = "lessor-x", .id = "4711" };
		struct render_parts parts = { .resources = &r, .resource_count = 1 };
		json_t *root = rendered(&l, &parts);
		json_t *residue = json_object_get(field(root, "cleanup"), "residue");
		json_t *row = json_array_get(residue, 0);

		print_message("%u\n", (unsigned int)rows[i].state);
		assert_int_equal(json_array_size(residue), rows[i].text != NULL);
		if (rows[i].text)
			assert_string_equal(json_string_value(json_object_get(row, "state")),
					    rows[i].text);
		json_decref(root);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_has_the_contracts_type),
		cmocka_unit_test(active_without_a_host_is_not_said),
		cmocka_unit_test(an_id_that_is_no_number_is_zero),
		cmocka_unit_test(the_release_protocol),
		cmocka_unit_test(attempts_and_residue_are_told),
		cmocka_unit_test(retention_is_told_of_what_is_kept),
		cmocka_unit_test(what_is_of_the_store_is_of_no_moment),
		cmocka_unit_test(residue_is_told_in_the_clients_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
