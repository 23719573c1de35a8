/* SPDX-License-Identifier: MIT */
/* Requests that this daemon had in its hands when it lost the account: they wait, and go on. */
#include <event2/event.h>

#include "stage.h"

#include "api/relay.h"
#include "api/request.h"
#include "engine/fleet.h"
#include "util/text.h"

#define RELEASE "/v1/leases/" LEASE "/release"

static struct relay_route route;
static char found[32]; /* the account whose owner was asked for last */

static void find(void *arg, const char *account, struct relay_route *ret)
{
	(void)arg;
	TEXT_SET(found, account);
	*ret = route;
}

static int setup(void **state)
{
	static const struct relay_config config = { .self = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
						    .find = find,
						    .wait_ms = RELAY_WAIT_MS };
	int rc;

	route.place = RELAY_SELF;
	stage_relay = &config;
	rc = stage_setup(state);
	stage_relay = NULL;
	return rc;
}

/* The engine has lost the account before the request was applied, or does not know. */
static void lost(void)
{
	struct engine_request *request = stage.held;

	stage.held = NULL;
	request->result = RESULT_UNAVAILABLE;
	TEXT_SET(request->code, "account_moving");
	TEXT_SET(request->message, "the account moves");
	request->done(request);
}

/* Until the engine has a request again, or the client its answer. */
static void go_on(void)
{
	for (int i = 0; i < 1000 && !stage.held && !stage.status; i++)
		event_base_loop(stage.base, EVLOOP_ONCE);
}

static void a_request_is_given_to_the_engine_again(void **state)
{
	char name[LEASE_REQUEST_ROOM];

	(void)state;
	stage_active(MINE);
	stage.hold = 1;
	POST(RELEASE, stage.alice, "{\"delete\":false}");
	assert_non_null(stage.held);
	/* At first it is as any request. */
	assert_int_equal(stage.held->epoch, 0);
	TEXT_SET(name, stage.held->request_id);
	assert_string_not_equal(name, "");
	lost();
	go_on();
	assert_non_null(stage.held);
	assert_int_equal(stage.status, 0);
	/* Now it may have been applied, or something else meanwhile. */
	assert_int_equal(stage.held->epoch, 1);
	assert_string_equal(stage.held->request_id, name);
	assert_int_equal(stage.held->delete_machine, 0);
	stage.hold = 0;
	fleet_submit(NULL, stage.held);
	stage.held = NULL;
	go_on();
	stage_expect(200, "");
	assert_string_equal(stage_text("lease.state"), "released");
}

static void what_happened_meanwhile_counts(void **state)
{
	struct asked keep = { 0 };

	(void)state;
	stage_active(MINE);
	stage.hold = 1;
	POST(RELEASE, stage.alice, "{\"delete\":true}");
	lost();
	go_on();
	assert_non_null(stage.held);
	world_release(&stage.world, &keep, LEASE, 0);
	assert_int_equal(keep.request.result, RESULT_OK);
	stage.hold = 0;
	fleet_submit(NULL, stage.held);
	stage.held = NULL;
	go_on();
	stage_expect(409, "lease_changed");
	world_pass(&stage.world, 60000);
	assert_int_equal(world_alive(&stage.world), 1);
}

/* Its lease has ended, and another one has its slug, and the same epoch. */
static void a_slug_stands_for_the_same_lease(void **state)
{
	struct engine_request *first;
	struct asked ended = { 0 };

	(void)state;
	stage_active(MINE);
	stage.hold = 1;
	POST("/v1/leases/my-box/release", stage.alice, "{\"delete\":true}");
	assert_non_null(stage.held);
	lost();
	go_on();
	assert_non_null(stage.held);
	first = stage.held;
	stage.held = NULL;
	stage.hold = 0;
	world_release(&stage.world, &ended, LEASE, 1);
	world_pass(&stage.world, 60000);
	assert_int_equal(world_alive(&stage.world), 0);
	stage_active(",\"leaseID\":\"cbx_00000000000b\",\"slug\":\"my-box\"");
	stage.status = 0;
	fleet_submit(NULL, first);
	go_on();
	stage_expect(409, "lease_changed");
	world_pass(&stage.world, 60000);
	assert_int_equal(world_alive(&stage.world), 1);
}

/* A create's account is in its body, and the body is read again. */
static void a_create_is_given_to_the_engine_again(void **state)
{
	(void)state;
	stage.hold = 1;
	POST("/v1/leases", stage.alice, stage_create(",\"slug\":\"again\""));
	lost();
	go_on();
	assert_non_null(stage.held);
	assert_string_equal(stage.held->create.slug, "again");
	stage.hold = 0;
	fleet_submit(NULL, stage.held);
	stage.held = NULL;
	go_on();
	stage_expect(201, "");
}

/* Another daemon, with another default, has made its lease: the engine found it by the key. */
static void a_create_goes_to_the_account_of_its_lease(void **state)
{
	(void)state;
	stage.hold = 1;
	POST("/v1/leases", stage.alice, stage_create(",\"slug\":\"again\""));
	assert_string_equal(found, "toy");
	assert_string_equal(stage.held->account, "toy");
	TEXT_SET(stage.held->account, "west");
	lost();
	go_on();
	assert_non_null(stage.held);
	assert_string_equal(found, "west");
	assert_string_equal(stage.held->account, "west");
	lost();
	go_on();
	assert_string_equal(stage.held->account, "west");
	stage.hold = 0;
	stage.held->result = RESULT_INVALID;
	stage.held->done(stage.held);
	stage.held = NULL;
	go_on();
	stage_expect(400, "invalid_request");
}

static void it_does_not_wait_for_ever(void **state)
{
	(void)state;
	stage_active(MINE);
	stage.hold = 1;
	POST(RELEASE, stage.alice, "{\"delete\":true}");
	for (int i = 0; i < 4 && !stage.status; i++) {
		lost();
		world_pass(&stage.world, 2000);
		go_on();
	}
	stage_expect(503, "account_moving");
	assert_non_null(strstr(stage.headers, "Retry-After: "));
	stage.hold = 0;
}

/*
 * The database cannot be read when the request arrives. Kept, it would meet the lease later as it is
 * then: what was promised to somebody meanwhile would count for nothing.
 */
static void what_has_no_epoch_does_not_wait(void **state)
{
	struct store *reader = stage.reader;

	(void)state;
	stage_active(MINE);
	stage.hold = 1;
	/* It has no leases. */
	stage.api->parts.reader = stage.runs_reader;
	route.place = RELAY_UNKNOWN;
	POST(RELEASE, stage.alice, "{\"delete\":true}");
	stage.api->parts.reader = reader;
	assert_null(stage.held);
	stage_expect(503, "store_unavailable");
	assert_non_null(strstr(stage.headers, "Retry-After: "));
	assert_int_equal(relay_count(stage.api->relay), 0);
	stage.hold = 0;
}

/* An operator's decision: the engine may have carried it out, and the account is another one now. */
static void a_decision_is_given_to_the_engine_once(void **state)
{
	(void)state;
	stage.hold = 1;
	POST("/v1/admin/accounts/toy/take-over", stage.admin, "{\"looked\":true}");
	assert_non_null(stage.held);
	lost();
	go_on();
	stage_expect(503, "account_moving");
	assert_null(stage.held);
	POST("/v1/admin/sweep", stage.admin, "{\"action\":\"looked\",\"provider\":\"toy\"}");
	assert_non_null(stage.held);
	lost();
	go_on();
	stage_expect(503, "account_moving");
	assert_null(stage.held);
	stage.hold = 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, stage_teardown)

/* What this daemon saw while the account was its own is not how it stands with another. */
static void what_was_seen_before_is_not_told(void **state)
{
	(void)state;
	account_probed(stage.world.d.account, 0, LESSOR_CLASS_AUTH, "token refused");
	account_set_fenced(stage.world.d.account, "an older copy");
	stage_ask("GET", "/v1/providers", stage.admin, "", NULL);
	assert_string_equal(stage_text("providers.0.daemon"), "self");
	assert_true(json_is_true(stage_at("providers.0.fenced")));
	route.place = RELAY_OTHER;
	TEXT_SET(route.address, "http://192.0.2.1:8480");
	stage_ask("GET", "/v1/providers", stage.admin, "", NULL);
	assert_string_equal(stage_text("providers.0.daemon"), "other");
	assert_true(json_is_false(stage_at("providers.0.blocked")));
	assert_non_null(strstr(stage_text("providers.0.message"), "http://192.0.2.1:8480"));
	stage_ask("GET", "/v1/metrics", stage.admin, "", NULL);
	assert_non_null(strstr(stage.body, "\nlessor_account_fenced{account=\"toy\"} 0\n"));
	assert_non_null(strstr(stage.body, "\nlessor_account_blocked{account=\"toy\"} 0\n"));
	route.place = RELAY_UNKNOWN;
	stage_ask("GET", "/v1/providers/toy/readiness", stage.alice, "", NULL);
	assert_string_equal(stage_text("message"), "No daemon owns the account at the moment.");
	assert_string_equal(stage_text("checks.0.status"), "warning");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_given_to_the_engine_again),
		TEST(what_happened_meanwhile_counts),
		TEST(a_slug_stands_for_the_same_lease),
		TEST(a_create_is_given_to_the_engine_again),
		TEST(a_create_goes_to_the_account_of_its_lease),
		TEST(it_does_not_wait_for_ever),
		TEST(what_has_no_epoch_does_not_wait),
		TEST(a_decision_is_given_to_the_engine_once),
		TEST(what_was_seen_before_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
