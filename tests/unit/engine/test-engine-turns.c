/* SPDX-License-Identifier: MIT */
/*
 * An account whose calls are short or fail: who gets them, what waits for them, and what that
 * costs. The engine's core, the built Hetzner plugin in the real host and the simulated cloud
 * with one virtual clock.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/test.h"
#include "driver/driver.h"
#include "driver/wire.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

#define CALL_MS 20
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define SETTLE_MS MINUTE
#define BOOT_MS (10 * MINUTE)
#define LEASES_MOST 512
#define STEPS 8	 /* of the account, at the same time */
#define BOBS 420 /* the lease of another owner */

static struct driver d;
static struct cloud *cloud;
static struct asked asked[LEASES_MOST];
static int calls;
static char begun[LEASES_MOST]; /* by lease: its server was asked for */
static int64_t posted_ms;	/* the last POST /servers */
static int posts;
/* Answers a request in place of the cloud; 0: the cloud answers. */
static int (*trouble)(const struct cloud_request *ask, struct env_http_response *answer);
static int64_t trouble_until_ms;

static int is_create(const struct cloud_request *ask)
{
	return strcmp(ask->method, "POST") == 0 && strcmp(ask->target, "/v1/servers") == 0;
}

/* The lease's number is in the name: "lessor-box-7-..." of our own slugs. */
static int lease_of(const struct cloud_request *ask)
{
	const char *at = strstr(ask->body, "lessor-box-");

	return at ? (int)strtol(at + strlen("lessor-box-"), NULL, 10) - 1 : -1;
}

static void note_begun(const struct cloud_request *ask)
{
	int i = lease_of(ask);

	if (i >= 0 && i < LEASES_MOST)
		begun[i] = 1;
}

static int lose_creates_of_alice(const struct cloud_request *ask, struct env_http_response *answer)
{
	if (!is_create(ask) || lease_of(ask) == BOBS)
		return 0;
	answer->outcome = ENV_HTTP_LOST;
	return 1;
}

static void http(void *data, const struct env_http_request *request,
		 struct env_http_response *answer)
{
	struct cloud_request ask = wire_request(request);
	struct cloud_response reply;

	(void)data;
	calls++;
	d.now_ms += CALL_MS;
	if (is_create(&ask)) {
		posted_ms = d.now_ms;
		posts++;
		note_begun(&ask);
	}
	wire_init(answer);
	if (trouble && d.now_ms < trouble_until_ms && trouble(&ask, answer))
		return;
	cloud_response_init(&reply);
	cloud_handle(cloud, d.now_ms, &ask, &reply);
	wire_answered(&reply, answer);
	cloud_response_fini(&reply);
}

static void cloud_rules(const char *json)
{
	struct err err = { 0 };

	if (cloud_load(cloud, d.now_ms, json, strlen(json), &err))
		fail_msg("%s: %s", json, err.text);
}

static int setup(void **state)
{
	static const char *const options[] = { "keys", "account", NULL };
	static const char few[] =
		"{\"config\":{\"max_servers\":10000,\"max_primary_ips\":10000},"
		"\"catalogue\":{\"withdrawn\":[{\"type\":\"*\"}],\"available\":[{\"type\":\"cx23\"}]}}";
	struct account_config account = { .name = "hetzner",
					  .max_steps = STEPS,
					  .location_count = 1,
					  .locations = { "fsn1" },
					  .image = "ubuntu-24.04",
					  .settle_ms = SETTLE_MS };
	struct cloud_config config;

	(void)state;
	log_setup(2, LOG_HUMAN, LOG_LEVEL_ERROR);
	driver_init(&d, NULL, NULL);
	driver_folder(&d, "turns");
	d.env.http = http;
	d.config.boot_ms = BOOT_MS;
	d.config.probe_ms = 5 * MINUTE;
	cloud_config_init(&config);
	config.requests_kept = config.history_kept = 16;
	cloud = cloud_new(&config);
	cloud_rules(few);
	account.token = xstrdup("t");
	driver_account(&d, driver_plugin(HETZNER_SO), &account, options);
	trouble = NULL;
	trouble_until_ms = INT64_MAX;
	driver_open(&d);
	driver_pass(&d, SECOND);
	calls = posts = 0;
	memset(begun, 0, sizeof(begun));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	driver_close(&d);
	driver_account_free(&d);
	cloud_free(cloud);
	driver_folder_remove(&d);
	return 0;
}

static void create(int i, const char *owner)
{
	struct asked *a = &asked[i];
	struct lease *l = &a->request.create;
	char id[24];

	*a = (struct asked){ .request.kind = REQUEST_CREATE };
	snprintf(id, sizeof(id), "cbx_%012d", i + 1);
	driver_wish(l, id, "hetzner", "cx23");
	snprintf(l->slug, sizeof(l->slug), "box-%d", i + 1);
	strcpy(l->architecture, "x86");
	l->ttl_ms = l->idle_ms = 8 * 60 * MINUTE;
	TEXT_SET(a->request.caller.owner, owner);
	TEXT_SET(a->request.caller.org, "acme");
	driver_ask(&d, a);
	assert_int_equal(a->request.result, RESULT_CREATED);
}

static struct lease lease(int i)
{
	struct lease l;
	char id[24];

	snprintf(id, sizeof(id), "cbx_%012d", i + 1);
	assert_int_equal(driver_lease(&d, id, &l), 0);
	return l;
}

/* How long until the lease is in that state; at most `most_ms`. */
static int64_t pass_until(int i, enum lease_state state, int64_t most_ms)
{
	int64_t since = d.now_ms;

	while (lease(i).state != state && d.now_ms - since < most_ms)
		driver_pass(&d, SECOND);
	return d.now_ms - since;
}

/* Was a server asked for, for this lease? */
static int is_begun(int i)
{
	return begun[i];
}

/* ---- owners take turns ----------------------------------------------------------------------- */

/* Other tools use the account's calls. */
static void others_call(int times)
{
	struct cloud_request ask = { .method = "GET",
				     .target = "/v1/servers?page=1",
				     .authorization = "Bearer t" };

	for (int i = 0; i < times; i++) {
		struct cloud_response reply;

		cloud_response_init(&reply);
		cloud_handle(cloud, d.now_ms, &ask, &reply);
		cloud_response_fini(&reply);
	}
}

/* Hundreds of one owner wait for calls; another one's first create waits for seconds. */
static void h12_an_owner_with_hundreds_waiting_starves_nobody(void **state)
{
	int64_t asked_ms;
	int done = 0;

	(void)state;
	others_call(2698);
	for (int i = 0; i < 420; i++)
		create(i, "alice@acme");
	driver_pass(&d, 3 * MINUTE);
	assert_true(account_budget_wait(d.account, BUDGET_CREATE, 0) > 0);
	assert_int_equal(account_budget_wait(d.account, BUDGET_LOOKUP, 0), 0);
	for (int i = 0; i < 420; i++)
		done += lease(i).state == LEASE_ACTIVE;
	assert_in_range(done, 50, 350);
	asked_ms = d.now_ms;
	create(BOBS, "bob@acme");
	while (is_begun(BOBS) == 0 && d.now_ms - asked_ms < MINUTE)
		driver_pass(&d, SECOND);
	assert_in_range(d.now_ms - asked_ms, 0, 10 * SECOND);
	assert_in_range(pass_until(BOBS, LEASE_ACTIVE, 10 * MINUTE), 0, MINUTE);
}

/* A third owner's look-ups do not starve it either. */
static void h12_look_ups_of_one_owner_starve_nobody(void **state)
{
	int64_t asked_ms;

	(void)state;
	others_call(2698);
	trouble = lose_creates_of_alice;
	for (int i = 0; i < 120; i++)
		create(i, "alice@acme");
	driver_pass(&d, MINUTE);
	asked_ms = d.now_ms;
	create(BOBS, "bob@acme");
	while (is_begun(BOBS) == 0 && d.now_ms - asked_ms < 2 * MINUTE)
		driver_pass(&d, SECOND);
	assert_in_range(d.now_ms - asked_ms, 0, 15 * SECOND);
	assert_in_range(pass_until(BOBS, LEASE_ACTIVE, 10 * MINUTE), 0, MINUTE);
}

/* Within one owner: first come, first served, as far as steps do not run side by side. */
static void h12_within_one_owner_the_first_comes_first(void **state)
{
	(void)state;
	others_call(2870);
	for (int i = 0; i < 60; i++)
		create(i, "alice@acme");
	driver_pass(&d, 30 * SECOND);
	for (int i = STEPS; i < 60; i++)
		assert_true(is_begun(i) <= is_begun(i - STEPS));
	assert_int_equal(is_begun(0), 1);
	assert_int_equal(is_begun(59), 0);
}

/* ---- the last look --------------------------------------------------------------------------- */

static int is_read(const struct cloud_request *ask)
{
	return strcmp(ask->method, "GET") == 0 && !strstr(ask->target, "ssh_keys");
}

static int rate_limited(const struct cloud_request *ask, struct env_http_response *answer)
{
	if (!is_read(ask))
		return 0;
	answer->outcome = ENV_HTTP_ANSWERED;
	answer->status = 429;
	answer->retry_after_ms = 2000;
	answer->rate_limit = 3600;
	answer->rate_remaining = 0;
	return 1;
}

static int paused_long(const struct cloud_request *ask, struct env_http_response *answer)
{
	if (!rate_limited(ask, answer))
		return 0;
	answer->retry_after_ms = 3590000;
	return 1;
}

static int unavailable(const struct cloud_request *ask, struct env_http_response *answer)
{
	if (!is_read(ask))
		return 0;
	answer->outcome = ENV_HTTP_ANSWERED;
	answer->status = 503;
	return 1;
}

static int reset(const struct cloud_request *ask, struct env_http_response *answer)
{
	if (!is_read(ask))
		return 0;
	answer->outcome = ENV_HTTP_LOST;
	return 1;
}

/* Its machine runs long before the deadline, and nobody can see that until after it. */
static void b1_a_machine_is_not_given_up_unseen(void **state)
{
	static const struct {
		int (*trouble)(const struct cloud_request *ask, struct env_http_response *answer);
		int64_t until_ms, active_ms;
	} rows[] = {
		{ rate_limited, BOOT_MS + MINUTE, BOOT_MS + 2 * MINUTE },
		{ unavailable, BOOT_MS + MINUTE, BOOT_MS + 3 * MINUTE },
		{ reset, BOOT_MS - SECOND, BOOT_MS + 30 * SECOND },
		{ paused_long, BOOT_MS - MINUTE, 3700 * SECOND },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t start;

		if (i) {
			teardown(state);
			setup(state);
		}
		start = d.now_ms;
		trouble = rows[i].trouble;
		trouble_until_ms = start + rows[i].until_ms;
		create(0, "alice@acme");
		assert_in_range(pass_until(0, LEASE_ACTIVE, 2 * 60 * MINUTE), 0, rows[i].active_ms);
		assert_int_equal(lease(0).state, LEASE_ACTIVE);
		assert_int_equal(posts, 1);
	}
}

/* One look shows it: the wait ends, within seconds of the deadline. */
static void b1_a_machine_that_is_not_ready_is_seen_once_more(void **state)
{
	int64_t took;

	(void)state;
	cloud_rules(
		"{\"faults\":[{\"match\":{\"op\":\"s.create\"},\"fault\":{\"kind\":\"stuck\"}}]}");
	create(0, "alice@acme");
	took = pass_until(0, LEASE_FAILED, 60 * MINUTE);
	assert_in_range(took, BOOT_MS, BOOT_MS + 5 * SECOND);
	driver_pass(&d, 5 * MINUTE);
	assert_int_equal(lease(0).cleanup, CLEANUP_DONE);
}

/* An outage postpones the end, but not for ever. */
static void b1_an_outage_postpones_the_end_by_minutes(void **state)
{
	int64_t took;

	(void)state;
	trouble = unavailable;
	create(0, "alice@acme");
	took = pass_until(0, LEASE_FAILED, 120 * MINUTE);
	assert_in_range(took, BOOT_MS + 14 * MINUTE, BOOT_MS + 17 * MINUTE);
	trouble = NULL;
	driver_pass(&d, 20 * MINUTE);
	assert_int_equal(lease(0).cleanup, CLEANUP_DONE);
	assert_int_equal(posts, 1);
}

/* Nothing is begun after the deadline. */
static void b1_a_last_look_creates_nothing(void **state)
{
	(void)state;
	trouble = reset;
	trouble_until_ms = d.now_ms + BOOT_MS + MINUTE;
	cloud_rules("{\"faults\":[{\"match\":{\"op\":\"s.create\"},"
		    "\"fault\":{\"kind\":\"create_error\"}}]}");
	create(0, "alice@acme");
	driver_pass(&d, BOOT_MS + 10 * MINUTE);
	assert_int_equal(posts, 1);
	assert_int_equal(lease(0).state, LEASE_FAILED);
	assert_int_equal(lease(0).cleanup, CLEANUP_DONE);
}

/* ---- a lost create --------------------------------------------------------------------------- */

static int lose_first_create(const struct cloud_request *ask, struct env_http_response *answer)
{
	if (!is_create(ask) || posts > 1)
		return 0;
	answer->outcome = ENV_HTTP_LOST;
	return 1;
}

static int64_t down_until_ms;

static int lose_and_be_down(const struct cloud_request *ask, struct env_http_response *answer)
{
	return lose_first_create(ask, answer) ||
	       (posts && d.now_ms < down_until_ms && unavailable(ask, answer));
}

static int lose_and_be_limited(const struct cloud_request *ask, struct env_http_response *answer)
{
	return lose_first_create(ask, answer) ||
	       (posts && d.now_ms < down_until_ms && rate_limited(ask, answer));
}

/* Whatever its look-ups met before, it is settled soon after the settling time. */
static void b2_a_lost_create_is_settled_when_its_settling_time_is_over(void **state)
{
	static const struct {
		int (*trouble)(const struct cloud_request *ask, struct env_http_response *answer);
		int64_t down_ms;
	} rows[] = {
		{ lose_first_create, 0 },	   { lose_and_be_down, 20 * SECOND },
		{ lose_and_be_down, 45 * SECOND }, { lose_and_be_down, 59 * SECOND },
		{ lose_and_be_down, 61 * SECOND }, { lose_and_be_limited, 50 * SECOND },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t lost_ms;

		if (i) {
			teardown(state);
			setup(state);
		}
		trouble = rows[i].trouble;
		down_until_ms = d.now_ms + rows[i].down_ms;
		create(0, "alice@acme");
		while (!posts)
			driver_pass(&d, 100);
		lost_ms = posted_ms;
		while (posts < 2 && d.now_ms - lost_ms < 5 * MINUTE)
			driver_pass(&d, SECOND);
		assert_int_equal(posts, 2);
		assert_in_range(posted_ms - lost_ms, SETTLE_MS, SETTLE_MS + 15 * SECOND);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(h12_an_owner_with_hundreds_waiting_starves_nobody),
		T(h12_look_ups_of_one_owner_starve_nobody),
		T(h12_within_one_owner_the_first_comes_first),
		T(b1_a_machine_is_not_given_up_unseen),
		T(b1_a_machine_that_is_not_ready_is_seen_once_more),
		T(b1_an_outage_postpones_the_end_by_minutes),
		T(b1_a_last_look_creates_nothing),
		T(b2_a_lost_create_is_settled_when_its_settling_time_is_over),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
