/* SPDX-License-Identifier: MIT */
/* The host enforces the contract of provider.h. */
#include "toy.h"
#include "lease/deadline.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "provider/account_state.h"
#include "util/log.h"

static struct toy toy;
static struct lessor_http_response got;

static int setup(void **state)
{
	(void)state;
	toy_start(&toy, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	toy_stop(&toy);
	return 0;
}

static void violates(enum step_op op, toy_script script, const char *text)
{
	toy_violates(&toy, op, script, text);
}

static void verdict(enum step_op op, toy_script script, int expected)
{
	toy_verdict(&toy, op, script, expected);
}

/* Ready needs evidence (test-provider-evidence.c); here a step ends with RETRY. */
static int done(struct lessor_call *call)
{
	return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "done");
}

/* ---- creates ---- */

static int create_well(struct lessor_call *call, const struct lessor_lease *lease)
{
	struct lessor_intent intent = { .size = sizeof(intent) };

	assert_string_equal(lease->id, "cbx_0123456789ab");
	assert_int_equal(lease->location_count, 2);
	assert_string_equal(lease->locations[1], "there");
	assert_int_equal(lessor_attempt_open(call, 1, "small", "here"), 0);
	assert_int_equal(lessor_intend(call, LESSOR_KIND_SERVER, 1, &intent), 0);
	assert_string_equal(intent.name, "toy-1");
	assert_int_equal(intent.label_count, 1);
	assert_string_equal(intent.labels[0].value, TOY_LEASE);
	assert_int_equal(toy_send(call, "POST", "/servers", intent.row, "{\"a\":1}", &got), 0);
	assert_int_equal(got.outcome, LESSOR_HAPPENED);
	assert_int_equal(lessor_created(call, intent.row, "4711", "9"), 0);
	lessor_output(call, LESSOR_OUT_HOST, "192.0.2.1");
	lessor_output(call, LESSOR_OUT_SERVER_ID, "4711");
	lessor_output(call, LESSOR_OUT_SERVER_NAME, intent.name);
	return LESSOR_DONE;
}

static void test_create(void **state)
{
	(void)state;
	struct step *step = toy_run(&toy, STEP_PROVISION, create_well);
	assert_int_equal(step->verdict, LESSOR_DONE);
	assert_int_equal(step->violation, 0);
	assert_string_equal(step->host, "192.0.2.1");
	assert_int_equal(step->calls, 1);
	assert_int_equal(step->ledger.resource_count, 1);
	assert_string_equal(step->ledger.resources[0].id, "4711");
	assert_int_equal(step->ledger.attempt_count, 1);
	assert_string_equal(toy.sent[0].url, "https://api.toy.example/v1/servers");
	assert_string_equal(toy.sent[0].authorization, "Bearer s3cret-token-of-the-toy");
	assert_string_equal(toy.sent[0].body, "{\"a\":1}");
	assert_int_equal(toy.sent[0].fresh, 1);
	/* What is left of its intent. */
	assert_int_equal(toy.sent[0].timeout_ms, PERMIT_MS - PERMIT_MARGIN_MS);
	assert_int_equal(toy.sent[0].send_by_mono_ms, toy.mono_ms + toy.sent[0].timeout_ms);
	step_free(step);
}

static char places[64];

static int places_note(struct lessor_call *call, const struct lessor_lease *lease)
{
	places[0] = '\0';
	for (size_t i = 0; i < lease->location_count; i++) {
		strcat(places, i ? " " : "");
		strcat(places, lease->locations[i]);
	}
	return done(call);
}

/* A preferred location comes first, if the account has it; a required one comes alone. */
static void x1_the_locations_of_a_lease(void **state)
{
	static const struct {
		const char *location;
		int preferred;
		const char *want;
	} rows[] = {
		{ "", 0, "here there" },	  { "there", 0, "there" },
		{ "there", 1, "there here" },	  { "here", 1, "here there" },
		{ "elsewhere", 1, "here there" }, { "elsewhere", 0, "elsewhere" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct step *step = toy_step(&toy, STEP_PROVISION, places_note);

		strcpy(step->lease.location, rows[i].location);
		step->lease.location_preferred = rows[i].preferred;
		step_run(step);
		assert_string_equal(places, rows[i].want);
		step_free(step);
	}
}

static int strange_rows(struct lessor_call *call, const struct lessor_lease *lease)
{
	(void)lease;
	assert_int_equal(lessor_gone(call, 99, "x"), -1);
	assert_int_equal(lessor_unknown(call, 99, "x"), -1);
	assert_int_equal(lessor_not_seen(call, 99), -1);
	assert_int_equal(lessor_deleting(call, 99, ""), -1);
	assert_int_equal(lessor_delete_unknown(call, 99, "x"), -1);
	assert_int_equal(lessor_still_there(call, 99, "x"), -1);
	return done(call);
}

/* Where nothing may be created, nothing may be intended. */
static int intends(struct lessor_call *call, const struct lessor_lease *lease)
{
	struct lessor_intent intent = { .size = sizeof(intent) };

	(void)lease;
	assert_int_equal(lessor_intend(call, LESSOR_KIND_SERVER, 1, &intent), -1);
	toy_send(call, "POST", "/servers", 1, "{}", &got);
	assert_int_equal(got.outcome, LESSOR_DID_NOT_HAPPEN);
	return done(call);
}

static int intends_badly(struct lessor_call *call, const struct lessor_lease *lease)
{
	struct lessor_intent intent = { .size = sizeof(intent) };

	(void)lease;
	assert_int_equal(lessor_intend(call, 0, 1, &intent), -1);
	assert_int_equal(lessor_intend(call, 7, 1, &intent), -1);
	assert_int_equal(lessor_intend(call, LESSOR_KIND_SERVER, 1, NULL), -1);
	intent.size--;
	assert_int_equal(lessor_intend(call, LESSOR_KIND_SERVER, 1, &intent), -1);
	return done(call);
}

static void test_row_rules(void **state)
{
	(void)state;
	violates(STEP_PROVISION, strange_rows, "row 99, which is not in this ledger");
	violates(STEP_CLEANUP, intends, "intend in cleanup");
	violates(STEP_INSPECT, intends, "may not make this claim");
	violates(STEP_RETAIN, intends, "may not make this claim");
	violates(STEP_PROVISION, intends_badly, "intend of kind 0");
	for (size_t i = 0; i < ARRAY_LEN(toy.commits); i++)
		assert_int_equal(toy.commits[i], 0);
	toy.deny = CLAIM_INTEND;
	violates(STEP_PROVISION, intends, "for no row");
	assert_int_equal(toy.sent_count, 0);
}

/* ---- form of requests ---- */

static const char *bad_path;

static int bad_get(struct lessor_call *call, const struct lessor_lease *lease)
{
	(void)lease;
	toy_get(call, bad_path, 0, &got);
	assert_int_equal(got.outcome, LESSOR_DID_NOT_HAPPEN);
	assert_int_equal(got.error_class, LESSOR_CLASS_BUG);
	return done(call);
}

static void is_refused(struct lessor_call *call, const struct lessor_http_request *request)
{
	got = (struct lessor_http_response){ .size = sizeof(got) };
	assert_int_equal(lessor_http(call, request, &got), 0);
	assert_int_equal(got.outcome, LESSOR_DID_NOT_HAPPEN);
	assert_int_equal(got.error_class, LESSOR_CLASS_BUG);
}

static int odd_requests(struct lessor_call *call, const struct lessor_lease *lease)
{
	struct lessor_http_request request = { .size = sizeof(request), .method = "PATCH",
					       .path = "/servers/1" };

	(void)lease;
	is_refused(call, &request);
	request.method = NULL;
	is_refused(call, &request);
	request.method = "GET";
	request.flags = 1;
	is_refused(call, &request);
	request.flags = 0;
	request.body_len = 1;
	is_refused(call, &request);
	request.body = "x";
	is_refused(call, &request);
	request.body_len = (size_t)2 << 20;
	is_refused(call, &request);
	request.body_len = 0;
	request.size = 8;
	is_refused(call, &request);
	is_refused(call, NULL);
	request.size = sizeof(request);
	got.size = 0;
	assert_int_equal(lessor_http(call, &request, &got), -1);
	return done(call);
}

static void test_paths(void **state)
{
	static const char *const paths[] = {
		"servers", "", "//evil.example/x", "/a//b", "/a/../b", "/..", "/a/.", "/a/./b",
		"/a\r\nHost: x", "/a b", "/a#b", "https://evil.example/", "/a\\b", "/a/%2e%2e/b",
		"/a%2Fb", "/a%5cb", "/a%00", "/a%0d%0a", "/a%", "/a%2", "/a%zz", "/\x80", "/a\x7f",
		"/...", "@evil.example/",
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		bad_path = paths[i];
		violates(STEP_PROVISION, bad_get, "a request whose path");
	}
	violates(STEP_PROVISION, odd_requests, "PATCH /servers/1 is none of its declared actions");
	assert_int_equal(toy.sent_count, 0);
}

static int good_get(struct lessor_call *call, const struct lessor_lease *lease)
{
	(void)lease;
	assert_int_equal(toy_get(call, "/servers?label_selector=a%3D%3Db&page=2", 0, &got), 0);
	assert_int_equal(got.outcome, LESSOR_HAPPENED);
	assert_int_equal(got.status, 200);
	assert_string_equal(got.body, "{\"servers\":[],\"meta\":{\"pagination\":{\"next_page\":null}}}");
	assert_int_equal(got.body_len, strlen(got.body));
	assert_string_equal(got.error, "");
	return done(call);
}

/* ---- verdicts ---- */

#define RETURNS(name, expression) \
	static int name(struct lessor_call *call, const struct lessor_lease *lease) \
	{ \
		(void)call; \
		(void)lease; \
		return expression; \
	}
RETURNS(returns_zero, 0)
RETURNS(returns_77, 77)
RETURNS(returns_minus, -1)
RETURNS(returns_done, LESSOR_DONE)
RETURNS(returns_gone, LESSOR_GONE)
RETURNS(returns_bare_pending, LESSOR_PENDING)
RETURNS(returns_bare_refused, LESSOR_REFUSED)
RETURNS(returns_pending, lessor_pending(call, 5, "c 1"))
RETURNS(returns_fail_done, (call->host->fail)(call, LESSOR_DONE, 1, 0, "x"))
RETURNS(returns_odd_class, lessor_retry(call, 99, 0, "x"))
RETURNS(returns_retry, lessor_retry(call, LESSOR_CLASS_RATE, -5, "line\nbreak %d", 7))

static int returns_long_cursor(struct lessor_call *call, const struct lessor_lease *lease)
{
	char cursor[1002];

	(void)lease;
	memset(cursor, 'x', 1001);
	cursor[1001] = '\0';
	return lessor_pending(call, 5, cursor);
}

static int returns_longest_cursor(struct lessor_call *call, const struct lessor_lease *lease)
{
	char cursor[1001];

	(void)lease;
	memset(cursor, 'x', 1000);
	cursor[1000] = '\0';
	return lessor_pending(call, 5, cursor);
}

static int bad_outputs(struct lessor_call *call, const struct lessor_lease *lease)
{
	(void)lease;
	lessor_output(call, LESSOR_OUT_HOST, "192.0.2.1\nx");
	return LESSOR_DONE;
}

static void test_verdicts(void **state)
{
	(void)state;
	verdict(STEP_PROVISION, good_get, LESSOR_RETRY);
	violates(STEP_PROVISION, returns_done, "names no host");
	violates(STEP_PROVISION, returns_gone, "ended with verdict 5");
	violates(STEP_PROVISION, returns_zero, "ended with verdict 0");
	violates(STEP_PROVISION, returns_77, "ended with verdict 77");
	violates(STEP_PROVISION, returns_minus, "ended with verdict -1");
	violates(STEP_PROVISION, returns_bare_pending, "without a reason");
	violates(STEP_CLEANUP, returns_bare_refused, "without a reason");
	violates(STEP_CLEANUP, returns_done, "ended with verdict 1");
	violates(STEP_INSPECT, returns_pending, "ended with verdict 2");
	violates(STEP_LIST, returns_pending, "ended with verdict 2");
	violates(STEP_PROVISION, returns_fail_done, "neither RETRY nor REFUSED");
	violates(STEP_PROVISION, returns_odd_class, "class 99");
	violates(STEP_PROVISION, returns_long_cursor, "at most 1000 bytes");
	violates(STEP_PROVISION, bad_outputs, "output 1 is too long or not plain");
	verdict(STEP_CLEANUP, returns_gone, LESSOR_GONE);
	verdict(STEP_INSPECT, returns_gone, LESSOR_GONE);
	verdict(STEP_PROBE, returns_done, LESSOR_DONE);
	verdict(STEP_PROVISION, returns_longest_cursor, LESSOR_PENDING);

	struct step *step = toy_run(&toy, STEP_PROVISION, returns_77);
	assert_int_equal(step->verdict, LESSOR_RETRY);
	assert_int_equal(step->error_class, LESSOR_CLASS_BUG);
	step_free(step);
	step = toy_run(&toy, STEP_PROVISION, returns_retry);
	assert_int_equal(step->violation, 0);
	assert_int_equal(step->error_class, LESSOR_CLASS_RATE);
	assert_int_equal(step->wait_ms, 0);
	assert_string_equal(step->reason, "line break 7");
	step_free(step);
	step = toy_run(&toy, STEP_PROVISION, returns_pending);
	assert_string_equal(step->cursor, "c 1");
	assert_string_equal(step->host, "");
	step_free(step);
}

/* ---- budget, time, cancel ---- */

static int gets(struct lessor_call *call, const struct lessor_lease *lease)
{
	(void)lease;
	do
		toy_get(call, "/servers/1", 0, &got);
	while (got.outcome == LESSOR_HAPPENED);
	assert_int_equal(got.outcome, LESSOR_DID_NOT_HAPPEN);
	assert_int_equal(got.error_class, LESSOR_CLASS_RATE);
	assert_true(got.wait_ms > 0);
	assert_int_equal(got.status, 0);
	return (call->host->fail)(call, LESSOR_RETRY, LESSOR_CLASS_RATE, got.wait_ms, "budget");
}

static int one_get(struct lessor_call *call, const struct lessor_lease *lease)
{
	(void)lease;
	toy_get(call, "/servers/1", 0, &got);
	return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "x");
}

static void test_budget(void **state)
{
	struct account_figures figures;
	(void)state;

	/* 40 calls an hour: polls leave a quarter, look-ups a tenth, deletes nothing */
	toy_stop(&toy);
	toy_start(&toy, 40);
	verdict(STEP_PROVISION, gets, LESSOR_RETRY);
	assert_int_equal(toy.sent_count, 30);
	toy_row(&toy, LESSOR_KIND_SERVER, LESSOR_STATE_UNKNOWN, "");
	verdict(STEP_PROVISION, gets, LESSOR_RETRY);
	assert_int_equal(toy.sent_count, 36);
	verdict(STEP_CLEANUP, gets, LESSOR_RETRY);
	assert_int_equal(toy.sent_count, 40);
	account_figures(toy.account, &figures);
	assert_int_equal(figures.calls, 40);
	assert_int_equal(figures.budget_waits, 3);
}

static int creates(struct lessor_call *call, const struct lessor_lease *lease)
{
	struct lessor_intent intent;
	char id[24];

	(void)lease;
	do {
		intent = (struct lessor_intent){ .size = sizeof(intent) };
		snprintf(id, sizeof(id), "%d", toy.next_id);
		assert_int_equal(lessor_intend(call, LESSOR_KIND_SERVER, 1, &intent), 0);
		toy_send(call, "POST", "/servers", intent.row, "{}", &got);
		if (got.outcome == LESSOR_HAPPENED)
			assert_int_equal(lessor_created(call, intent.row, id, ""), 0);
	} while (got.outcome == LESSOR_HAPPENED);
	assert_int_equal(got.error_class, LESSOR_CLASS_RATE);
	assert_int_equal(lessor_not_created(call, intent.row, "no budget"), 0);
	return lessor_retry(call, LESSOR_CLASS_RATE, got.wait_ms, "budget");
}

/* What can wait longer leaves more of it to the others. */
static void test_budget_of_each(void **state)
{
	(void)state;
	toy_stop(&toy);
	toy_start(&toy, 40);
	verdict(STEP_LIST, gets, LESSOR_RETRY);
	assert_int_equal(toy.sent_count, 28);
	verdict(STEP_PROVISION, gets, LESSOR_RETRY);
	assert_int_equal(toy.sent_count, 30);
	verdict(STEP_PROVISION, creates, LESSOR_RETRY);
	assert_int_equal(toy.sent_count, 32);
	verdict(STEP_PROBE, gets, LESSOR_RETRY);
	assert_int_equal(toy.sent_count, 36);
	verdict(STEP_CLEANUP, gets, LESSOR_RETRY);
	assert_int_equal(toy.sent_count, 40);
}

static void too_many(struct toy *t, const struct env_http_request *request,
		     struct env_http_response *answer)
{
	(void)t;
	(void)request;
	answer->status = 429;
	answer->retry_after_ms = 30000;
}

static void test_429(void **state)
{
	(void)state;
	toy.network = too_many;
	verdict(STEP_PROVISION, one_get, LESSOR_RETRY);
	assert_int_equal(got.outcome, LESSOR_HAPPENED);
	assert_int_equal(got.status, 429);
	assert_int_equal(got.wait_ms, 30000);
	/* no request before that, not even a delete */
	verdict(STEP_CLEANUP, one_get, LESSOR_RETRY);
	assert_int_equal(got.outcome, LESSOR_DID_NOT_HAPPEN);
	assert_int_equal(got.error_class, LESSOR_CLASS_RATE);
	assert_int_equal(toy.sent_count, 1);
	toy.mono_ms += 31000;
	toy.network = NULL;
	verdict(STEP_CLEANUP, one_get, LESSOR_RETRY);
	assert_int_equal(got.outcome, LESSOR_HAPPENED);
}

/* Bytes of the next answer, which is cut off as the HTTP client does. */
static size_t long_len;

static void answer_long(struct toy *t, const struct env_http_request *request,
			struct env_http_response *answer)
{
	static const char head[] = "{\"servers\":[],\"pad\":\"";

	(void)t;
	env_http_response_fini(answer);
	answer->outcome = ENV_HTTP_BROKEN;
	if (long_len > request->max_response)
		return;
	answer->outcome = ENV_HTTP_ANSWERED;
	answer->status = 200;
	answer->body_len = long_len;
	answer->body = xcalloc(1, long_len + 1);
	memset(answer->body, 'x', long_len);
	memcpy(answer->body, head, sizeof(head) - 1);
	memcpy(answer->body + long_len - 2, "\"}", 2);
}

static uint32_t outcome_of(struct lessor_call *call, const char *path, size_t len, size_t max)
{
	struct lessor_http_request request = {
		.size = sizeof(request), .method = "GET", .path = path, .max_response = max
	};

	long_len = len;
	got = (struct lessor_http_response){ .size = sizeof(got) };
	assert_int_equal(call->host->http(call, &request, &got), 0);
	if (got.outcome == LESSOR_HAPPENED)
		assert_int_equal(got.body_len, len);
	return got.outcome;
}

#define MIB ((size_t)1 << 20)

static int long_reads(struct lessor_call *call, const struct lessor_lease *lease)
{
	const char *list = "/servers?" TOY_LABELS "&page=1";

	(void)lease;
	assert_int_equal(outcome_of(call, list, 5 * MIB, 0), LESSOR_HAPPENED);
	assert_int_equal(outcome_of(call, list, LESSOR_LIST_MAX, 0), LESSOR_HAPPENED);
	assert_int_equal(outcome_of(call, list, LESSOR_LIST_MAX + 1, 0), LESSOR_CONTRADICTORY);
	assert_int_equal(outcome_of(call, list, LESSOR_LIST_MAX + 1, 64 * MIB),
			 LESSOR_CONTRADICTORY);
	assert_int_equal(outcome_of(call, list, 5 * MIB, MIB), LESSOR_CONTRADICTORY);
	assert_int_equal(outcome_of(call, "/servers/42", LESSOR_RESPONSE_MAX, 0), LESSOR_HAPPENED);
	assert_int_equal(outcome_of(call, "/servers/42", LESSOR_RESPONSE_MAX + 1, 0),
			 LESSOR_CONTRADICTORY);
	assert_int_equal(outcome_of(call, "/servers/42", 5 * MIB, 6 * MIB), LESSOR_HAPPENED);
	return done(call);
}

static void b6_a_list_may_be_longer_than_an_object(void **state)
{
	(void)state;
	toy.network = answer_long;
	verdict(STEP_PROVISION, long_reads, LESSOR_RETRY);
}

static void test_time(void **state)
{
	(void)state;
	struct step *step = toy_step(&toy, STEP_PROVISION, one_get);
	atomic_store(&step->cancel, 1);
	step_run(step);
	assert_int_equal(got.outcome, LESSOR_DID_NOT_HAPPEN);
	assert_int_equal(got.error_class, LESSOR_CLASS_TRANSIENT);
	assert_int_equal(got.wait_ms, 0);
	step_free(step);
	step = toy_step(&toy, STEP_PROVISION, one_get);
	step->deadline_ms = toy.wall_ms;
	step_run(step);
	assert_int_equal(got.outcome, LESSOR_DID_NOT_HAPPEN);
	step_free(step);
	assert_int_equal(toy.sent_count, 0);
	step = toy_step(&toy, STEP_PROVISION, one_get);
	step->deadline_ms = toy.wall_ms + 1234;
	step_run(step);
	assert_int_equal(toy.sent[0].timeout_ms, 1234);
	step_free(step);
}

/* ---- the rest of the table ---- */

static int uses_all(struct lessor_call *call, const struct lessor_lease *lease)
{
	char *scratch = lessor_alloc(call, 100);

	assert_non_null(scratch);
	for (int i = 0; i < 100; i++)
		assert_int_equal(scratch[i], 0);
	assert_null(lessor_alloc(call, (size_t)1 << 40));
	assert_null(lessor_alloc(call, SIZE_MAX));
	assert_int_equal(lessor_now(call), toy.wall_ms);
	assert_int_equal(lessor_deadline(call), toy.wall_ms + 60000);
	assert_string_equal(lessor_broker_id(call), TOY_INSTANCE);
	assert_int_equal(lessor_cancelled(call), 0);
	assert_string_equal(lessor_option_text(call, "endpoint"), "");
	assert_null(lessor_option_text(call, "nonsense"));
	assert_int_equal(lessor_option_int(call, "nonsense"), 0);
	assert_null(lessor_cache_get(call, "k"));
	lessor_cache_put(call, "k", "v", 1000);
	assert_string_equal(lessor_cache_get(call, "k"), "v");
	toy.mono_ms += 999;
	assert_string_equal(lessor_cache_get(call, "k"), "v");
	toy.mono_ms += 1;
	assert_null(lessor_cache_get(call, "k"));
	assert_string_equal(lease->slug, "blue-fox");
	assert_string_equal(lease->architecture, "x86");
	assert_string_equal(lease->user_data, "");
	assert_string_equal(lease->sentinel_id, "77");
	assert_true(LESSOR_HAS(lease, deadline_ms));
	lessor_log(call, LESSOR_LOG_DEBUG, "a line of %d", 1);
	return done(call);
}

static int lists(struct lessor_call *call, const struct lessor_lease *lease)
{
	struct lessor_label labels[] = { { "a", "b" } };
	struct lessor_observed seen;

	(void)lease;
	toy_see("5", &seen);
	seen.labels = labels;
	seen.label_count = 1;
	for (int i = 0; i < 5; i++)
		assert_int_equal(lessor_listed(call, &seen), 0);
	labels[0].value = "changed";
	return LESSOR_DONE;
}

static int offers(struct lessor_call *call, const struct lessor_lease *lease)
{
	(void)lease;
	for (int i = 0; i < 5; i++)
		assert_int_equal(lessor_offer(call, "small", "here", 5000 + i, "EUR", 1), 0);
	return LESSOR_DONE;
}

static int offers_billed(struct lessor_call *call, const struct lessor_lease *lease)
{
	struct lessor_offer offer = { .size = sizeof(offer),
				      .available = 1,
				      .type = "small",
				      .location = "here",
				      .currency = "EUR",
				      .price_hour_micros = 5000,
				      .price_month_micros = 3000000,
				      .unit_ms = 3600000,
				      .minimum_ms = 60000 };

	(void)lease;
	assert_int_equal(lessor_offer_billed(call, &offer), 0);
	offer.unit_ms = offer.minimum_ms = offer.price_month_micros = 0;
	assert_int_equal(lessor_offer_billed(call, &offer), 0);
	return LESSOR_DONE;
}

static int offers_badly(struct lessor_call *call, const struct lessor_lease *lease)
{
	(void)lease;
	assert_int_equal(lessor_offer(call, "small", "here", 5000, "EURO", 1), -1);
	return LESSOR_DONE;
}

static void test_table(void **state)
{
	(void)state;
	account_set_sentinel(toy.account, "77");
	verdict(STEP_PROVISION, uses_all, LESSOR_RETRY);
	struct step *step = toy_run(&toy, STEP_LIST, lists);
	assert_int_equal(step->violation, 0);
	assert_int_equal(step->listed_count, 5);
	assert_string_equal(step->listed[4].seen.labels[0].value, "b");
	step_free(step);
	step = toy_run(&toy, STEP_CATALOG, offers);
	assert_int_equal(step->price_count, 5);
	assert_int_equal(step->prices[4].hour_micros, 5004);
	assert_int_equal(step->prices[4].unit_ms, 1000);
	step_free(step);
	step = toy_run(&toy, STEP_CATALOG, offers_billed);
	assert_int_equal(step->price_count, 2);
	assert_int_equal(step->prices[0].month_micros, 3000000);
	assert_int_equal(step->prices[0].unit_ms, 3600000);
	assert_int_equal(step->prices[0].minimum_ms, 60000);
	assert_int_equal(step->prices[1].unit_ms, 1000);
	step_free(step);
	violates(STEP_CATALOG, offers_badly, "an offer");
	violates(STEP_LIST, offers_badly, "offer outside of catalog");
}

static void reset(struct toy *t, const struct env_http_request *request,
		  struct env_http_response *answer)
{
	(void)t;
	answer->outcome = ENV_HTTP_LOST;
	/* As careless as a library's texts may be. */
	snprintf(answer->error, sizeof(answer->error), "reset after %s", request->authorization);
}

static int get_and_say(struct lessor_call *call, const struct lessor_lease *lease)
{
	one_get(call, lease);
	lessor_log(call, LESSOR_LOG_ERROR, "it said: %s", got.error);
	return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "lost");
}

static void test_secret(void **state)
{
	char text[8192];
	int fd = memfd_create("log", MFD_CLOEXEC);
	ssize_t len;

	(void)state;
	log_setup(fd, LOG_JSON, LOG_LEVEL_DEBUG);
	toy.network = reset;
	verdict(STEP_PROVISION, get_and_say, LESSOR_RETRY);
	log_setup(2, LOG_HUMAN, (enum log_level)0);
	len = pread(fd, text, sizeof(text) - 1, 0);
	close(fd);
	assert_true(len > 0);
	text[len] = '\0';
	assert_non_null(strstr(text, "it said: reset after Bearer "));
	assert_null(strstr(text, "s3cret-token-of-the-toy"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_create),		T(x1_the_locations_of_a_lease),
		T(test_row_rules),	T(test_paths),
		T(test_verdicts),	T(test_budget),
		T(test_create),		T(test_row_rules),
		T(test_paths),		T(test_verdicts),
		T(test_budget_of_each), T(test_429),
		T(test_time),		T(test_table),
		T(test_secret),		T(b6_a_list_may_be_longer_than_an_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
