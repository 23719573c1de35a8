/* SPDX-License-Identifier: MIT */
#include "stage.h"

#define TOKEN_B "cat_1123456789abcdef0123456789abcdef"

static struct engine_request canceled;

static void canceled_done(struct engine_request *request)
{
	(void)request;
}

static void cancel_in_between(struct world *w)
{
	w->during_create = NULL;
	canceled = (struct engine_request){ .kind = REQUEST_CANCEL_CREATE, .ref = LEASE,
		.attempt_token = TOKEN_A, .caller = { "alice", "acme", TOKEN_USER },
		.done = canceled_done };
	fleet_submit(NULL, &canceled);
}

/* ---- create ------------------------------------------------------------------------------- */

static void a_create_answers_at_once_or_waits(void **state)
{
	(void)state;
	POST("/v1/leases", stage.alice, stage_create(MINE));
	stage_expect(201, "");
	assert_string_equal(stage_text("lease.id"), LEASE);
	assert_string_equal(stage_text("lease.slug"), "my-box");
	assert_string_equal(stage_text("lease.provider"), "toy");
	assert_string_equal(stage_text("lease.state"), "provisioning");
	assert_string_equal(stage_text("lease.owner"), "alice");
	assert_true(json_is_array(stage_at("lease.cleanup.residue")) ||
		    !stage_at("lease.cleanup.residue"));
	world_pass(&stage.world, 5000);
	GET("/v1/leases/my-box", stage.alice);
	stage_expect(200, "");
	assert_string_equal(stage_text("lease.state"), "active");
	assert_true(stage_text("lease.host")[0] != '\0');
	/* The same attempt again: answers with the lease as it is. */
	POST("/v1/leases", stage.alice, stage_create(MINE));
	stage_expect(200, "");
	assert_string_equal(stage_text("lease.state"), "active");
	assert_int_equal(stage.world.made, 1);
}

static void a_waiting_create_is_answered_by_its_machine(void **state)
{
	(void)state;
	stage_ask("POST", "/v1/leases", stage.alice, "Prefer: respond-async, wait=30\r\n",
		  stage_create(MINE));
	stage_expect(201, "");
	assert_string_equal(stage_text("lease.state"), "active");
	assert_true(stage_text("lease.host")[0] != '\0');
	assert_int_equal(stage.world.made, 1);
	stage_ask("POST", "/v1/leases", stage.bob, "Prefer: respond-async\r\n", stage_create(""));
	stage_expect(201, "");
	assert_string_equal(stage_text("lease.state"), "provisioning");
}

static void a_wait_ends_before_a_slow_machine(void **state)
{
	(void)state;
	stage.world.boot_polls = 1000;
	stage_ask("POST", "/v1/leases", stage.alice, "Prefer: wait=8\r\n", stage_create(MINE));
	stage_expect(201, "");
	assert_string_equal(stage_text("lease.state"), "provisioning");
}

/* A request is carried out even if its client disconnects; a cancel in between is a conflict. */
static void a_create_cancelled_while_it_is_waited_for(void **state)
{
	(void)state;
	stage.world.during_create = cancel_in_between;
	stage_ask("POST", "/v1/leases", stage.alice, "Prefer: wait=60\r\n", stage_create(MINE));
	stage_expect(409, "create_canceled");
	assert_string_equal(stage_text("lease.state"), "released");
	world_pass(&stage.world, 60000);
	assert_int_equal(world_alive(&stage.world), 0);
}

static void ids_and_slugs_are_made_when_none_are_given(void **state)
{
	(void)state;
	POST("/v1/leases", stage.alice, stage_create(""));
	stage_expect(201, "");
	assert_memory_equal(stage_text("lease.id"), "cbx_", 4);
	assert_int_equal(strlen(stage_text("lease.id")), 16);
	assert_non_null(strchr(stage_text("lease.slug"), '-'));
	POST("/v1/leases", stage.alice, stage_create(",\"leaseID\":\"cbx_abcdef123456\""));
	stage_expect(201, "");
	assert_string_equal(stage_text("lease.slug"), "blue-prawn");
	/* A slug in use gets a suffix. */
	POST("/v1/leases", stage.alice, stage_create(",\"slug\":\"blue-prawn\""));
	stage_expect(201, "");
	assert_memory_equal(stage_text("lease.slug"), "blue-prawn-", 11);
	/* Another owner may have the same. */
	POST("/v1/leases", stage.bob, stage_create(",\"slug\":\"blue-prawn\""));
	stage_expect(201, "");
	assert_string_equal(stage_text("lease.slug"), "blue-prawn");
}

static void b162_an_id_of_anothers_lease(void **state)
{
	(void)state;
	stage_active(MINE);
	POST("/v1/leases", stage.bob, stage_create(MINE));
	stage_expect(409, "lease_id_conflict");
	assert_null(strstr(stage.body, "alice"));
	assert_null(stage_at("lease"));
	POST("/v1/leases", stage.alice, stage_create(",\"leaseID\":\"" LEASE "\","
						     "\"createAttemptID\":\"" TOKEN_B "\""));
	stage_expect(409, "create_attempt_conflict");
	assert_int_equal(stage.world.made, 1);
}

static void caps_are_429(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		POST("/v1/leases", stage.alice, stage_create(""));
		stage_expect(201, "");
	}
	POST("/v1/leases", stage.alice, stage_create(""));
	stage_expect(429, "cost_limit_exceeded");
	POST("/v1/leases", stage.bob, stage_create(""));
	stage_expect(201, "");
}

static void a_failed_create_is_no_5xx_and_tells_its_attempts(void **state)
{
	(void)state;
	stage.world.create_fault = TOY_SOLD_OUT;
	stage.world.create_fault_sticky = 1;
	POST("/v1/leases", stage.alice, stage_create(MINE ",\"class\":\"tiny\""));
	world_pass(&stage.world, 10000);
	GET("/v1/leases/" LEASE, stage.alice);
	stage_expect(200, "");
	assert_string_equal(stage_text("lease.state"), "failed");
	assert_true(stage_text("lease.failureError")[0] != '\0');
	assert_int_equal(stage_count("lease.provisioningAttempts"), 3);
	assert_string_equal(stage_text("lease.provisioningAttempts.0.serverType"), "ccx13");
	assert_string_equal(stage_text("lease.provisioningAttempts.0.category"), "capacity");
	/* The replay of an ended attempt: a conflict that shows the lease. */
	POST("/v1/leases", stage.alice, stage_create(MINE ",\"class\":\"tiny\""));
	stage_expect(409, "lease_state_changed");
	assert_string_equal(stage_text("lease.state"), "failed");
	assert_memory_equal(stage.body, "{\"error\":", 9);
}

static void a_create_that_fails_while_it_is_waited_for(void **state)
{
	(void)state;
	stage.world.create_fault = TOY_SOLD_OUT;
	stage.world.create_fault_sticky = 1;
	stage_ask("POST", "/v1/leases", stage.alice, "Prefer: wait=10\r\n",
		  stage_create(MINE ",\"class\":\"tiny\""));
	stage_expect(409, "provisioning_failed");
	assert_int_equal(stage_count("provisioningAttempts"), 3);
	assert_string_equal(stage_text("lease.id"), LEASE);
}

static void a_blocked_account_is_424(void **state)
{
	(void)state;
	account_probed(stage.world.d.account, 0, LESSOR_CLASS_AUTH, "token refused: http 401");
	POST("/v1/leases", stage.alice, stage_create(MINE));
	stage_expect(424, "provider_not_configured");
	GET("/v1/providers/toy/readiness", stage.alice);
	stage_expect(200, "");
	assert_true(json_is_false(stage_at("configured")));
	assert_int_equal(stage_count("missing"), 1);
	assert_null(strstr(stage.body, "token refused"));
	GET("/v1/providers/toy/readiness?target=linux&windowsMode=&class=beast&serverType=ccx63&"
	    "serverTypeExplicit=false&market=&fallback=&region=", stage.admin);
	stage_expect(200, "");
	assert_non_null(strstr(stage_text("message"), "token refused"));
	assert_null(strstr(stage.body, "http 401"));
	GET("/v1/providers/gcp/readiness", stage.alice);
	stage_expect(400, "invalid_provider");
}

static void a_fenced_account_is_424_and_says_what_to_do(void **state)
{
	(void)state;
	account_set_fenced(stage.world.d.account, "an older copy, or a second daemon");
	POST("/v1/leases", stage.alice, stage_create(MINE));
	stage_expect(424, "provider_not_configured");
	GET("/v1/providers", stage.alice);
	assert_true(json_is_true(stage_at("providers.0.blocked")));
	assert_true(json_is_true(stage_at("providers.0.fenced")));
	assert_string_equal(stage_text("providers.0.message"),
			    "The account cannot be used until an operator has acted. Tell an operator, "
			    "or choose another account.");
	GET("/v1/providers/toy/readiness", stage.alice);
	assert_true(json_is_false(stage_at("configured")));
	assert_int_equal(stage_count("missing"), 1);
	assert_null(strstr(stage.body, "older copy"));
	GET("/v1/providers", stage.admin);
	assert_non_null(strstr(stage_text("providers.0.message"), "an older copy"));
	assert_non_null(strstr(stage_text("providers.0.message"),
			       "lessor account take-over toy --looked"));
	GET("/v1/metrics", stage.admin);
	assert_non_null(strstr(stage.body, "\nlessor_account_fenced{account=\"toy\"} 1\n"));
	/* The two can be told apart. */
	assert_non_null(strstr(stage.body, "\nlessor_account_blocked{account=\"toy\"} 0\n"));
}

static void take_over_wants_to_know_that_somebody_has_looked(void **state)
{
	static const char path[] = "/v1/admin/accounts/toy/take-over";
	static const char *const not_looked[] = { "{}", "{\"looked\":false}",
						  "{\"looked\":false,\"reason\":\"x\"}" };
	static const char *const wrong[] = { "{\"looked\":null}", "{\"looked\":1}",
					     "{\"looked\":\"true\"}",
					     "{\"looked\":true,\"reason\":7}",
					     "{\"looked\":true,\"reason\":\"a\\nb\"}" };

	(void)state;
	for (size_t i = 0; i < COUNT(not_looked); i++) {
		POST(path, stage.admin, not_looked[i]);
		stage_expect(400, "not_looked");
		assert_non_null(strstr(stage_text("message"), "lessor sweep"));
		assert_non_null(strstr(stage_text("message"), "lessor list --retained"));
		assert_non_null(strstr(stage_text("message"), "lessor list --attention"));
	}
	for (size_t i = 0; i < COUNT(wrong); i++) {
		POST(path, stage.admin, wrong[i]);
		stage_expect(400, "invalid_field");
	}
	POST("/v1/admin/accounts/gcp/take-over", stage.admin, "{\"looked\":true}");
	stage_expect(404, "not_found");
	POST(path, stage.alice, "{\"looked\":true}");
	stage_expect(403, "forbidden");
	for (int i = 0; i < 2; i++) {
		POST(path, stage.admin, "{\"looked\":true,\"reason\":\"restored\"}");
		stage_expect(200, "");
		assert_string_equal(stage_text("account.name"), "toy");
		assert_true(json_is_false(stage_at("account.fenced")));
	}
}

static void idempotency_keys(void **state)
{
	char first[32];

	(void)state;
	stage_ask("POST", "/v1/leases", stage.alice, "Idempotency-Key: k-1\r\n", stage_create(""));
	stage_expect(201, "");
	snprintf(first, sizeof(first), "%s", stage_text("lease.id"));
	stage_ask("POST", "/v1/leases", stage.alice, "Idempotency-Key: k-1\r\n", stage_create(""));
	stage_expect(200, "");
	assert_string_equal(stage_text("lease.id"), first);
	stage_ask("POST", "/v1/leases", stage.alice, "Idempotency-Key: k-1\r\n",
		  stage_create(",\"keep\":true"));
	stage_expect(409, "idempotency_key_reused");
	/* That it would be refused now does not matter: it is no new request. */
	strcpy(stage.world.d.account->config.image, "other");
	stage_ask("POST", "/v1/leases", stage.alice, "Idempotency-Key: k-1\r\n", stage_create(""));
	stage_expect(200, "");
	assert_string_equal(stage_text("lease.id"), first);
	stage_ask("POST", "/v1/leases", stage.alice, "Idempotency-Key: k-2\r\n",
		  stage_create(",\"imageExplicit\":true"));
	stage_expect(400, "image_not_allowed");
	strcpy(stage.world.d.account->config.image, "image");
	/* Keys are an owner's own. */
	stage_ask("POST", "/v1/leases", stage.bob, "Idempotency-Key: k-1\r\n", stage_create(""));
	stage_expect(201, "");
	stage_ask("POST", "/v1/leases", stage.alice, "Idempotency-Key: put:x\r\n",
		  stage_create(""));
	stage_expect(400, "invalid_idempotency_key");
	stage_ask("POST", "/v1/leases", stage.alice, "Idempotency-Key: \r\n", stage_create(""));
	stage_expect(400, "invalid_idempotency_key");
}

static void put_is_idempotent_by_its_path(void **state)
{
	const char *path = "/v1/leases/" LEASE;

	(void)state;
	stage_ask("PUT", path, stage.alice, "", stage_create(""));
	stage_expect(201, "");
	assert_string_equal(stage_text("lease.id"), LEASE);
	stage_ask("PUT", path, stage.alice, "", stage_create(""));
	stage_expect(202, "");
	world_pass(&stage.world, 5000);
	stage_ask("PUT", path, stage.alice, "", stage_create(""));
	stage_expect(200, "");
	stage_ask("PUT", path, stage.alice, "", stage_create(",\"keep\":true"));
	stage_expect(409, "lease_id_conflict");
	stage_ask("PUT", path, stage.bob, "", stage_create(""));
	stage_expect(409, "lease_id_conflict");
	assert_null(stage_at("lease"));
	stage_ask("PUT", path, stage.alice, "", stage_create(MINE));
	stage_expect(400, "create_attempt_not_allowed");
	stage_ask("PUT", "/v1/leases/my-box", stage.alice, "", stage_create(""));
	stage_expect(400, "invalid_lease_id");
	POST("/v1/leases/" LEASE "/release", stage.alice, "{\"delete\":true}");
	stage_ask("PUT", path, stage.alice, "", stage_create(""));
	stage_expect(409, "lease_id_conflict");
	assert_int_equal(stage.world.made, 1);
}

/* ---- cancel-create -------------------------------------------------------------------------- */

static void cancel_create_attests_exactly(void **state)
{
	const char *path = "/v1/leases/" LEASE "/cancel-create";
	const char *body = "{\"createAttemptID\":\"" TOKEN_A "\"}";

	(void)state;
	/* A cancel before the create: the create then makes nothing. */
	for (int i = 0; i < 2; i++) {
		POST(path, stage.alice, body);
		stage_expect(200, "");
		assert_int_equal(json_object_size(stage_at("canceledCreate")), 4);
		assert_int_equal(json_integer_value(stage_at("canceledCreate.version")), 1);
		assert_string_equal(stage_text("canceledCreate.requestedLeaseID"), LEASE);
		assert_string_equal(stage_text("canceledCreate.createAttemptID"), TOKEN_A);
		assert_string_equal(stage_text("canceledCreate.state"), "canceled");
		assert_null(stage_at("lease"));
	}
	POST("/v1/leases", stage.alice, stage_create(MINE));
	stage_expect(409, "create_canceled");
	assert_int_equal(stage.world.creates_sent, 0);
	POST(path, stage.alice, "{}");
	stage_expect(400, "invalid_create_attempt_id");
	POST(path, stage.alice, "{\"createAttemptID\":7}");
	stage_expect(400, "invalid_field");
	POST("/v1/leases/my-box/cancel-create", stage.alice, body);
	stage_expect(400, "invalid_lease_id");
}

static void cancel_create_of_a_live_lease_deletes(void **state)
{
	const char *path = "/v1/leases/" LEASE "/cancel-create";

	(void)state;
	stage_active(MINE);
	POST(path, stage.bob, "{\"createAttemptID\":\"" TOKEN_A "\"}");
	stage_expect(404, "not_found");
	POST(path, stage.alice, "{\"createAttemptID\":\"" TOKEN_B "\"}");
	stage_expect(409, "create_attempt_conflict");
	POST(path, stage.alice, "{\"createAttemptID\":\"" TOKEN_A "\"}");
	stage_expect(200, "");
	assert_string_equal(stage_text("lease.state"), "released");
	world_pass(&stage.world, 20000);
	assert_int_equal(world_alive(&stage.world), 0);
}

/* ---- heartbeat ------------------------------------------------------------ */

static void heartbeats(void **state)
{
	const char *path = "/v1/leases/" LEASE "/heartbeat";
	char before[32];

	(void)state;
	stage_active(MINE);
	snprintf(before, sizeof(before), "%s", stage_text("lease.expiresAt"));
	world_pass(&stage.world, 60000);
	POST("/v1/leases/my-box/heartbeat", stage.alice, "{\"expectedProvider\":\"toy\","
	     "\"telemetry\":{\"capturedAt\":\"2026-08-21T10:00:00Z\",\"load1\":0.4}}");
	stage_expect(200, "");
	assert_string_not_equal(stage_text("lease.expiresAt"), before);
	assert_true(json_integer_value(stage_at("lease.idleTimeoutSeconds")) == 1800);
	stage_ask("POST", path, stage.alice, "", NULL);
	stage_expect(200, "");
	POST(path, stage.alice, "{\"idleTimeoutSeconds\":5400}");
	stage_expect(200, "");
	assert_true(json_integer_value(stage_at("lease.idleTimeoutSeconds")) == 5400);
	POST(path, stage.alice, "{\"idleTimeoutSeconds\":0}");
	stage_expect(400, "invalid_field");
	POST(path, stage.alice, "{\"idleTimeoutSeconds\":5.0}");
	stage_expect(400, "invalid_field");
	POST(path, stage.alice, "{\"telemetry\":[]}");
	stage_expect(400, "invalid_field");
	POST(path, stage.alice, "{\"expectedProvider\":\"../\"}");
	stage_expect(400, "invalid_expected_provider");
	POST(path, stage.alice, "{\"expectedProvider\":\"hetzner\"}");
	stage_expect(409, "provider_identity_mismatch");
	POST(path, stage.alice, "[1]");
	stage_expect(400, "invalid_json");
	world_pass(&stage.world, 5400000);
	POST(path, stage.alice, "{}");
	stage_expect(409, "lease_ended");
}

/* ---- release -------------------------------------------------------------- */

static void a_release_deletes_and_repeating_it_changes_nothing(void **state)
{
	const char *path = "/v1/leases/" LEASE "/release";
	char ended[40];

	(void)state;
	stage_active(MINE);
	POST(path, stage.alice, "{\"delete\":true,\"expectedProvider\":\"toy\"}");
	stage_expect(200, "");
	assert_string_equal(stage_text("lease.state"), "released");
	assert_true(stage_text("lease.cleanupStartedAt")[0] != '\0');
	assert_int_equal(stage_count("lease.cleanup.residue"), 1);
	snprintf(ended, sizeof(ended), "%s", stage_text("lease.endedAt"));
	world_pass(&stage.world, 20000);
	assert_int_equal(world_alive(&stage.world), 0);
	for (int i = 0; i < 2; i++) {
		POST(path, stage.alice, "{\"delete\":true}");
		stage_expect(200, "");
		assert_string_equal(stage_text("lease.state"), "released");
		assert_string_equal(stage_text("lease.cleanupStartedAt"), "");
		assert_string_equal(stage_text("lease.cleanupError"), "");
		assert_true(json_is_true(stage_at("lease.releaseDeletesServer")));
		assert_string_equal(stage_text("lease.endedAt"), ended);
	}
	GET("/v1/leases/" LEASE, stage.alice);
	stage_expect(200, "");
}

static void b135_a_release_that_does_not_parse_releases_nothing(void **state)
{
	static const char *const bodies[] = { "{\"delete\":tru", "{", "x", "[]", "null",
		"{\"delete\":\"false\"}", "{\"delete\":0}", "{\"delete\":false,\"delete\":true}",
		"{\"expectedProvider\":7}", "{\"delete\":true}}" };

	(void)state;
	stage_active(MINE);
	for (size_t i = 0; i < COUNT(bodies); i++) {
		print_message("%s\n", bodies[i]);
		assert_int_equal(POST("/v1/leases/" LEASE "/release", stage.alice, bodies[i]), 400);
	}
	GET("/v1/leases/" LEASE, stage.alice);
	assert_string_equal(stage_text("lease.state"), "active");
	assert_int_equal(stage.world.deleted, 0);
}

/* h6: what the broker would ignore might have been meant to keep the machine. */
static void h6_a_release_refuses_what_it_does_not_know(void **state)
{
	static const char *const paths[] = { "/v1/leases/" LEASE "/release",
					     "/v1/admin/leases/" LEASE "/release",
					     "/v1/admin/leases/" LEASE "/delete" };
	static const char *const names[] = { "keep", "retain", "noDelete", "DELETE" };
	char body[64];

	(void)state;
	stage_active(MINE);
	for (size_t i = 0; i < COUNT(paths) * COUNT(names); i++) {
		const char *name = names[i % COUNT(names)];

		snprintf(body, sizeof(body), "{\"%s\":true}", name);
		POST(paths[i / COUNT(names)], stage.admin, body);
		stage_expect(400, "unknown_member");
		assert_memory_equal(stage_text("message"), name, strlen(name));
		assert_non_null(
			strstr(stage_text("message"), "reason, retainUntil, expectedProvider."));
	}
	POST(paths[0], stage.alice, "{\"delete\":null}");
	stage_expect(400, "invalid_field");
	GET("/v1/leases/" LEASE, stage.alice);
	assert_string_equal(stage_text("lease.state"), "active");
	assert_int_equal(stage.world.deleted, 0);
}

/* Clients with adapters of their own send it; a machine here has none. */
static void the_end_of_an_adapter_is_known_and_ignored(void **state)
{
	const char *path = "/v1/leases/" LEASE "/release";

	(void)state;
	stage_active(MINE);
	POST(path, stage.alice, "{\"runtimeAdapterDeleteCompletion\":true}");
	stage_expect(400, "invalid_field");
	POST(path, stage.alice,
	     "{\"delete\":false,\"runtimeAdapterDeleteCompletion\":{\"adapterID\":\"a\","
	     "\"workspaceID\":\"w\",\"registrationID\":\"r\",\"status\":\"absent\"}}");
	stage_expect(200, "");
	assert_string_equal(stage_text("lease.cleanupStatus"), "retained");
	assert_int_equal(stage.world.deleted, 0);
}

static void no_delete_means_no_delete(void **state)
{
	const char *path = "/v1/leases/" LEASE "/release";

	(void)state;
	stage_active(MINE ",\"keep\":true");
	stage_ask("POST", path, stage.alice, "", NULL); /* the default of a kept lease */
	stage_expect(200, "");
	assert_string_equal(stage_text("lease.state"), "released");
	assert_true(json_is_false(stage_at("lease.releaseDeletesServer")));
	assert_string_equal(stage_text("lease.cleanupStartedAt"), "");
	assert_string_equal(stage_text("lease.cleanup.state"), "retained");
	assert_int_equal(stage_count("lease.cleanup.residue"), 1);
	assert_string_equal(stage_text("lease.retention"), "recorded");
	/* While its account cannot be relied on, nothing is sure. */
	account_set_fenced(stage.world.d.account, "why");
	GET("/v1/leases/" LEASE, stage.alice);
	assert_string_equal(stage_text("lease.retention"), "unsure");
	GET("/v1/leases", stage.alice);
	assert_string_equal(stage_text("leases.0.retention"), "unsure");
	account_set_fenced(stage.world.d.account, NULL);
	GET("/v1/leases", stage.alice);
	assert_string_equal(stage_text("leases.0.retention"), "recorded");
	world_pass(&stage.world, 7 * 86400000LL);
	assert_int_equal(world_alive(&stage.world), 1);
	POST(path, stage.alice, "{\"delete\":true}");
	stage_expect(200, "");
	world_pass(&stage.world, 20000);
	assert_int_equal(world_alive(&stage.world), 0);
}

static void a_failing_cleanup_is_told(void **state)
{
	(void)state;
	stage_active(MINE);
	stage.world.delete_refusals = 3;
	POST("/v1/leases/" LEASE "/release", stage.alice, "{\"delete\":true}");
	stage_expect(200, "");
	world_settle(&stage.world);
	GET("/v1/leases/" LEASE, stage.alice);
	assert_string_equal(stage_text("lease.state"), "released");
	assert_true(stage_text("lease.cleanupError")[0] != '\0');
	assert_true(stage_text("lease.cleanupRetryAt")[0] != '\0');
	assert_true(json_integer_value(stage_at("lease.cleanupAttempts")) >= 1);
	world_pass(&stage.world, 600000);
	GET("/v1/leases/" LEASE, stage.alice);
	assert_string_equal(stage_text("lease.cleanupError"), "");
	assert_string_equal(stage_text("lease.cleanup.state"), "done");
}

static void releasing_an_expired_lease_keeps_its_history(void **state)
{
	(void)state;
	stage_active(MINE);
	world_pass(&stage.world, 1900000);
	GET("/v1/leases/" LEASE, stage.alice);
	assert_string_equal(stage_text("lease.state"), "expired");
	POST("/v1/leases/" LEASE "/release", stage.alice, "{\"delete\":true}");
	stage_expect(200, "");
	assert_string_equal(stage_text("lease.state"), "released");
	assert_string_equal(stage_text("lease.endReason"), "idle");
}

/* The number of open requests is limited, and they may return in any order. */
static void the_queue_is_bounded(void **state)
{
	(void)state;
	stage_active(MINE);
	stage.config.pending_max = 1;
	assert_int_equal(api_reload(stage.api, &stage.config, NULL), 0);
	stage.hold = 1;
	assert_int_equal(POST("/v1/leases/" LEASE "/heartbeat", stage.alice, "{}"), 0);
	assert_int_equal(api_pending(stage.api), 1);
	POST("/v1/leases/" LEASE "/heartbeat", stage.alice, "{}");
	stage_expect(503, "busy");
	POST("/v1/leases", stage.alice, stage_create(""));
	stage_expect(503, "busy");
	/* Reads do not need the engine. */
	assert_int_equal(GET("/v1/leases/" LEASE, stage.alice), 200);
	/* At the end, requests that have returned are still answered. */
	stage.hold = 0;
	fleet_submit(NULL, stage.held);
	api_free(stage.api);
	stage.api = NULL;
	assert_int_equal(stage.status, 200);
	assert_string_equal(stage_text("lease.id"), LEASE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_setup, stage_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_create_answers_at_once_or_waits),
		TEST(a_waiting_create_is_answered_by_its_machine),
		TEST(a_wait_ends_before_a_slow_machine),
		TEST(a_create_cancelled_while_it_is_waited_for),
		TEST(ids_and_slugs_are_made_when_none_are_given),
		TEST(b162_an_id_of_anothers_lease),
		TEST(caps_are_429),
		TEST(a_failed_create_is_no_5xx_and_tells_its_attempts),
		TEST(a_create_that_fails_while_it_is_waited_for),
		TEST(a_blocked_account_is_424),
		TEST(a_fenced_account_is_424_and_says_what_to_do),
		TEST(take_over_wants_to_know_that_somebody_has_looked),
		TEST(idempotency_keys),
		TEST(put_is_idempotent_by_its_path),
		TEST(cancel_create_attests_exactly),
		TEST(cancel_create_of_a_live_lease_deletes),
		TEST(heartbeats),
		TEST(a_release_deletes_and_repeating_it_changes_nothing),
		TEST(b135_a_release_that_does_not_parse_releases_nothing),
		TEST(h6_a_release_refuses_what_it_does_not_know),
		TEST(the_end_of_an_adapter_is_known_and_ignored),
		TEST(no_delete_means_no_delete),
		TEST(a_failing_cleanup_is_told),
		TEST(releasing_an_expired_lease_keeps_its_history),
		TEST(the_queue_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
