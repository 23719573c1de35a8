/* SPDX-License-Identifier: MIT */
/*
 * What a careless plugin may pass to each function of the host: every wrong argument is a
 * violation that names the function, and nothing of it reaches the ledger or the results. Also
 * the pure checks of paths and response headers.
 */
#include "toy.h"

#include <stdlib.h>

#include "provider/account_state.h"
#include "provider/http_headers.h"
#include "provider/operation.h"
#include "provider/url.h"
#include "util/alloc.h"

#define LONG_TEXT                                                         \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static struct toy toy;

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

/* ---- arguments of the host's functions ---------------------------------------------------- */

/* The call is a violation, and its text contains this. */
#define BREAKS(call, text, expression)                                                           \
	do {                                                                                     \
		struct operation *op_ = operation_of(call);                                      \
		op_->violation[0] = '\0';                                                        \
		expression;                                                                      \
		if (!strstr(op_->violation, text))                                               \
			fail_msg("%s: '%s' instead of '%s'", #expression, op_->violation, text); \
	} while (0)
/* The same, of a function that returns int. */
#define REFUSES(call, text, expression) BREAKS(call, text, assert_int_equal(expression, -1))

static int end_clean(struct lessor_call *call)
{
	operation_of(call)->violation[0] = '\0';
	return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "done");
}

static void run(enum step_op op, toy_script script)
{
	toy_verdict(&toy, op, script, LESSOR_RETRY);
}

static int attempts(struct lessor_call *call, const struct lessor_lease *lease)
{
	static const char invalid[] = "attempt with an invalid type or location";

	(void)lease;
	REFUSES(call, "attempt 2 after 0 attempts", lessor_attempt_open(call, 2, "a", "b"));
	REFUSES(call, invalid, lessor_attempt_open(call, 1, NULL, "b"));
	REFUSES(call, invalid, lessor_attempt_open(call, 1, "", "b"));
	REFUSES(call, invalid, lessor_attempt_open(call, 1, LONG_TEXT, "b"));
	REFUSES(call, invalid, lessor_attempt_open(call, 1, "a", NULL));
	REFUSES(call, invalid, lessor_attempt_open(call, 1, "a", LONG_TEXT));
	REFUSES(call, "which was not opened", lessor_attempt_refused(call, 0, 1, "x"));
	REFUSES(call, "which was not opened", lessor_attempt_refused(call, 1, 1, "x"));
	assert_int_equal(lessor_attempt_open(call, 1, "a", "b"), 0);
	REFUSES(call, "attempt_refused with class 0",
		lessor_attempt_refused(call, 1, LESSOR_CLASS_NONE, "x"));
	REFUSES(call, "attempt_refused with class 15",
		lessor_attempt_refused(call, 1, LESSOR_CLASS_BUG + 1, "x"));
	return end_clean(call);
}

static int creates(struct lessor_call *call, const struct lessor_lease *lease)
{
	static const char invalid[] = "created with an invalid id or action";
	struct lessor_intent intent = { .size = sizeof(intent) };
	struct lessor_intent sizeless = { 0 };
	int64_t row;

	(void)lease;
	assert_int_equal(lessor_attempt_open(call, 1, "a", "b"), 0);
	REFUSES(call, "intend of kind 0", lessor_intend(call, 0, 1, &intent));
	REFUSES(call, "intend of kind 7", lessor_intend(call, LESSOR_KIND_OTHER + 1, 1, &intent));
	REFUSES(call, "intent's size", lessor_intend(call, LESSOR_KIND_SERVER, 1, NULL));
	REFUSES(call, "intent's size", lessor_intend(call, LESSOR_KIND_SERVER, 1, &sizeless));
	assert_int_equal(lessor_intend(call, LESSOR_KIND_SERVER, 1, &intent), 0);
	row = intent.row;
	REFUSES(call, invalid, lessor_created(call, row, NULL, ""));
	REFUSES(call, invalid, lessor_created(call, row, "", ""));
	REFUSES(call, invalid, lessor_created(call, row, "4 2", ""));
	REFUSES(call, invalid, lessor_created(call, row, LONG_TEXT, ""));
	REFUSES(call, invalid, lessor_created(call, row, "42", "a b"));
	REFUSES(call, invalid, lessor_created(call, row, "42", LONG_TEXT));
	REFUSES(call, "not in this ledger", lessor_not_created(call, 99, "x"));
	REFUSES(call, "not in this ledger", lessor_unknown(call, 99, "x"));
	assert_int_equal(lessor_not_created(call, row, "never sent"), 0);
	return end_clean(call);
}

static int reuses(struct lessor_call *call, const struct lessor_lease *lease)
{
	static const char invalid[] = "reuse with an invalid kind or id";

	(void)lease;
	REFUSES(call, invalid, lessor_reuse(call, LESSOR_KIND_KEY, NULL, "k"));
	REFUSES(call, invalid, lessor_reuse(call, LESSOR_KIND_KEY, "", "k"));
	REFUSES(call, invalid, lessor_reuse(call, LESSOR_KIND_KEY, "a/b", "k"));
	REFUSES(call, invalid, lessor_reuse(call, 0, "42", "k"));
	REFUSES(call, invalid, lessor_reuse(call, LESSOR_KIND_OTHER + 1, "42", "k"));
	return end_clean(call);
}

/* An observation with one thing wrong after the other. */
static void observations(struct lessor_call *call, const char *text,
			 int (*report)(struct lessor_call *call, const struct lessor_observed *seen))
{
	struct lessor_label keyless[] = { { NULL, "v" } }, valueless[] = { { "k", NULL } };
	struct lessor_observed good, bad;

	toy_see("5", &good);
	REFUSES(call, text, report(call, NULL));
	bad = good;
	bad.size = 8;
	REFUSES(call, text, report(call, &bad));
	bad = good;
	bad.id = NULL;
	REFUSES(call, text, report(call, &bad));
	bad.id = "";
	REFUSES(call, text, report(call, &bad));
	bad = good;
	bad.label_count = 1;
	bad.labels = NULL;
	REFUSES(call, text, report(call, &bad));
	if (strstr(text, "listed"))
		return;
	bad = good;
	bad.name = NULL;
	REFUSES(call, text, report(call, &bad));
	bad = good;
	bad.id = "a/b";
	REFUSES(call, text, report(call, &bad));
	bad = good;
	bad.label_count = 1001;
	bad.labels = keyless;
	REFUSES(call, text, report(call, &bad));
	bad.label_count = 1;
	REFUSES(call, "a label without key or value", report(call, &bad));
	bad.labels = valueless;
	REFUSES(call, "a label without key or value", report(call, &bad));
}

static int report_adopt(struct lessor_call *call, const struct lessor_observed *seen)
{
	return lessor_adopt(call, seen);
}

static int report_listed(struct lessor_call *call, const struct lessor_observed *seen)
{
	return lessor_listed(call, seen);
}

static int adopts(struct lessor_call *call, const struct lessor_lease *lease)
{
	(void)lease;
	observations(call, "adopt without a valid observation", report_adopt);
	return end_clean(call);
}

static int lists(struct lessor_call *call, const struct lessor_lease *lease)
{
	(void)lease;
	observations(call, "listed an object without size or id", report_listed);
	return end_clean(call);
}

static int offers(struct lessor_call *call, const struct lessor_lease *lease)
{
	static const char invalid[] = "an offer with an invalid";
	static const struct lessor_offer billed[] = {
		{ .size = sizeof(billed[0]), .price_hour_micros = -1 },
		{ .size = sizeof(billed[0]), .price_month_micros = -1 },
		{ .size = sizeof(billed[0]), .unit_ms = -1 },
		{ .size = sizeof(billed[0]), .unit_ms = INT64_C(32) * 24 * 3600000 },
		{ .size = sizeof(billed[0]), .minimum_ms = -1 },
		{ .size = sizeof(billed[0]), .minimum_ms = INT64_C(25) * 3600000 },
	};

	(void)lease;
	REFUSES(call, invalid, lessor_offer(call, NULL, "b", 1, "EUR", 1));
	REFUSES(call, invalid, lessor_offer(call, "", "b", 1, "EUR", 1));
	REFUSES(call, invalid, lessor_offer(call, LONG_TEXT, "b", 1, "EUR", 1));
	REFUSES(call, invalid, lessor_offer(call, "a", NULL, 1, "EUR", 1));
	REFUSES(call, invalid, lessor_offer(call, "a", LONG_TEXT, 1, "EUR", 1));
	REFUSES(call, invalid, lessor_offer(call, "a", "b", 1, NULL, 1));
	REFUSES(call, invalid, lessor_offer(call, "a", "b", -1, "EUR", 1));
	REFUSES(call, "an offer without its size", lessor_offer_billed(call, NULL));
	for (size_t i = 0; i < ARRAY_LEN(billed); i++) {
		struct lessor_offer offer = billed[i];

		offer.type = "a";
		offer.location = "b";
		offer.currency = "EUR";
		REFUSES(call, "an offer with", lessor_offer_billed(call, &offer));
	}
	return end_clean(call);
}

static int outputs(struct lessor_call *call, const struct lessor_lease *lease)
{
	static const char undefined[] = "is not defined in provider.h";
	static const char invalid[] = "too long or not plain text";

	(void)lease;
	BREAKS(call, undefined, lessor_output(call, 0, "x"));
	BREAKS(call, undefined, lessor_output(call, LESSOR_OUT_NOTE + 1, "x"));
	BREAKS(call, undefined, lessor_output(call, LESSOR_OUT_HOST, NULL));
	BREAKS(call, invalid, lessor_output(call, LESSOR_OUT_HOST, ""));
	BREAKS(call, invalid, lessor_output(call, LESSOR_OUT_HOST, "-oProxyCommand=x"));
	BREAKS(call, invalid, lessor_output(call, LESSOR_OUT_HOST, "a b"));
	BREAKS(call, invalid, lessor_output(call, LESSOR_OUT_HOST, LONG_TEXT));
	BREAKS(call, invalid, lessor_output(call, LESSOR_OUT_STATUS, "a\nb"));
	BREAKS(call, invalid, lessor_output(call, LESSOR_OUT_STATUS, "a\x7f"));
	BREAKS(call, invalid, lessor_output(call, LESSOR_OUT_STATUS, "\xff"));
	BREAKS(call, invalid, lessor_output(call, LESSOR_OUT_NOTE, "a\nb"));
	return end_clean(call);
}

static int texts(struct lessor_call *call, const struct lessor_lease *lease)
{
	char *large = xcalloc(1, 300000);

	(void)lease;
	memset(large, 'x', 299999);
	BREAKS(call, "cache_put without a key", lessor_cache_put(call, NULL, "v", 1));
	BREAKS(call, "cache_put without a key", lessor_cache_put(call, "k", "v", -1));
	BREAKS(call, "that is too long", lessor_cache_put(call, "k", large, 1));
	BREAKS(call, "that is too long", lessor_cache_put(call, large, "v", 1));
	assert_null(lessor_cache_get(call, NULL));
	REFUSES(call, "a cursor must be", lessor_pending(call, 0, large));
	REFUSES(call, "a cursor must be", lessor_pending(call, 0, "\xff"));
	assert_int_equal(lessor_pending(call, 0, NULL), LESSOR_PENDING);
	BREAKS(call, "error class 15", (void)lessor_retry(call, LESSOR_CLASS_BUG + 1, 0, "x"));
	assert_int_equal(operation_of(call)->verdict_class, LESSOR_CLASS_BUG);
	(void)lessor_retry(call, LESSOR_CLASS_BUG, 0, "a\tb\x7f%s", "c");
	assert_string_equal(operation_of(call)->verdict_reason, "a b c");
	free(large);
	return end_clean(call);
}

static int requests(struct lessor_call *call, const struct lessor_lease *lease)
{
	struct lessor_http_response got = { .size = sizeof(got) }, sizeless = { 0 };
	struct lessor_http_request good = { .size = sizeof(good),
					    .method = "GET",
					    .path = "/servers/1" };
	struct lessor_http_request bad = { 0 };

	(void)lease;
	BREAKS(call, "response's size", lessor_http(call, &good, NULL));
	BREAKS(call, "response's size", lessor_http(call, &good, &sizeless));
	BREAKS(call, "request's size", lessor_http(call, NULL, &got));
	BREAKS(call, "request's size", lessor_http(call, &bad, &got));
	bad = good;
	bad.method = NULL;
	BREAKS(call, "without a method", lessor_http(call, &bad, &got));
	bad = good;
	bad.path = NULL;
	BREAKS(call, "a request whose path is missing", lessor_http(call, &bad, &got));
	assert_int_equal(toy.sent_count, 0);
	return end_clean(call);
}

static void every_wrong_argument_is_named(void **state)
{
	(void)state;
	run(STEP_PROVISION, attempts);
	run(STEP_PROVISION, creates);
	run(STEP_PROVISION, reuses);
	run(STEP_PROVISION, adopts);
	run(STEP_PROVISION, outputs);
	run(STEP_PROVISION, texts);
	run(STEP_PROVISION, requests);
	run(STEP_LIST, lists);
	run(STEP_CATALOG, offers);
}

/* ---- paths --------------------------------------------------------------------------------- */

static void a_path_stays_within_its_origin(void **state)
{
	static const struct {
		const char *path;
		const char *rule; /* NULL: allowed */
	} cases[] = {
		{ "/a", NULL },		  { "/a?x=//&y=..%2f", NULL },
		{ "/a/...x", NULL },	  { "/%41", NULL },
		{ "", "begin" },	  { "a", "begin" },
		{ "/a b", "a space" },	  { "/a\xc3", "a space" },
		{ "/a#b", "'#'" },	  { "/a?b#c", "'#'" },
		{ "/a\\b", "backslash" }, { "/a//b", "'//'" },
		{ "/.", "dots" },	  { "/..", "dots" },
		{ "/../x", "dots" },	  { "/a/.?x", "dots" },
		{ "/a/.../b", "dots" },	  { "/%", "escape" },
		{ "/%4", "escape" },	  { "/%4g", "escape" },
		{ "/%g4", "escape" },	  { "/%2e", "escape" },
		{ "/%2F", "escape" },	  { "/%5c", "escape" },
		{ "/%3f", "escape" },	  { "/%23", "escape" },
		{ "/%00", "escape" },	  { "/%1f", "escape" },
		{ "/%7F", "escape" },
	};
	char *large = xcalloc(1, URL_PATH_MAX + 2);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *rule = url_path_broken_rule(cases[i].path);

		if (!cases[i].rule != !rule || (rule && !strstr(rule, cases[i].rule)))
			fail_msg("'%s': %s", cases[i].path, rule ? rule : "allowed");
	}
	memset(large, '/', 1);
	memset(large + 1, 'x', URL_PATH_MAX);
	assert_non_null(strstr(url_path_broken_rule(large), "too long"));
	free(large);
}

/* ---- response headers ---------------------------------------------------------------------- */

static struct env_http_response response;

static void read_head(const char *const *lines)
{
	struct http_headers headers;

	http_headers_init(&headers);
	for (; *lines; lines++)
		http_headers_line(&headers, *lines, strlen(*lines));
	response = (struct env_http_response){ 0 };
	http_headers_finish(&headers, 1000, &response);
}

#define HEAD(...) \
	read_head((const char *const[]){ "HTTP/1.1 200 OK\r\n", __VA_ARGS__, "\r\n", NULL })

static void headers_are_read_strictly(void **state)
{
	(void)state;
	HEAD("Retry-After: 7\r\n", "RateLimit-Limit: 3600;w=3600\r\n", "RateLimit-Remaining: 5\r\n",
	     "RateLimit-Reset: 1700000000\r\n", "Content-Type: text/html\r\n");
	assert_int_equal(response.retry_after_ms, 7000);
	assert_int_equal(response.rate_limit, 3600);
	assert_int_equal(response.rate_remaining, 5);
	assert_int_equal(response.rate_reset_s, 1700000000);
	assert_string_equal(response.content_type, "text/html");
	HEAD("Retry-After: -7\r\n", "RateLimit-Limit: 12x\r\n", "RateLimit-Remaining: \r\n",
	     "RateLimit-Reset: 99999999999999999999\r\n", "Content-Type: a\x01\r\n");
	assert_int_equal(response.retry_after_ms, -1);
	assert_int_equal(response.rate_limit, -1);
	assert_int_equal(response.rate_remaining, -1);
	assert_int_equal(response.rate_reset_s, -1);
	assert_string_equal(response.content_type, "");
	/* without a colon, without a name, too long: ignored */
	HEAD("Retry-After\r\n", ": 7\r\n", "Retry-After: " LONG_TEXT LONG_TEXT LONG_TEXT "\r\n");
	assert_int_equal(response.retry_after_ms, -1);
}

static void a_retry_date_counts_by_the_senders_clock(void **state)
{
	(void)state;
	HEAD("Date: Thu, 01 Jan 1970 00:10:00 GMT\r\n",
	     "Retry-After: Thu, 01 Jan 1970 00:10:30 GMT\r\n");
	assert_int_equal(response.retry_after_ms, 30000);
	/* no Date: by our own clock, which says 1000 s */
	HEAD("Retry-After: Thu, 01 Jan 1970 00:17:00 GMT\r\n");
	assert_int_equal(response.retry_after_ms, 20000);
	HEAD("Retry-After: Thu, 01 Jan 1970 00:10:00 GMT\r\n");
	assert_int_equal(response.retry_after_ms, 0);
	HEAD("Retry-After: Fri, 01 Jan 2100 00:00:00 GMT\r\n");
	assert_int_equal(response.retry_after_ms, 86400000);
	HEAD("Retry-After: 86401\r\n");
	assert_int_equal(response.retry_after_ms, 86400000);
	HEAD("Retry-After: tomorrow\r\n");
	assert_int_equal(response.retry_after_ms, -1);
}

static void a_request_id_is_a_token(void **state)
{
	(void)state;
	HEAD("X-Request-Id: a\r\n", "X-Correlation-Id: b\r\n");
	assert_string_equal(response.request_id, "b");
	HEAD("X-Correlation-Id: b\r\n", "X-Request-Id: a\r\n");
	assert_string_equal(response.request_id, "b");
	HEAD("X-Request-Id: \"quoted\"\r\n", "X-Correlation-Id: \r\n");
	assert_string_equal(response.request_id, "");
	HEAD("X-Request-Id: " LONG_TEXT "\r\n");
	assert_string_equal(response.request_id, "");
}

/* ---- what may be absent ---------------------------------------------------------------------- */

static int on_done_calls;

static void on_done(void *arg, struct step *step)
{
	(void)arg;
	(void)step;
	on_done_calls++;
}

static void nothing_needs_nothing(void **state)
{
	struct workers *workers = NULL;
	struct err err = { 0 };
	char text[32];

	(void)state;
	account_free(NULL);
	step_free(NULL);
	workers_free(NULL);
	text_cache_free(NULL);
	coalesce_free(NULL);
	http_response_unref(NULL);
	assert_string_equal(step_op_name((enum step_op)99), "unknown");
	assert_int_equal(workers_new(0, on_done, NULL, &workers, &err), -1);
	assert_int_equal(workers_new(257, on_done, NULL, &workers, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_null(workers);
	assert_int_equal(on_done_calls, 0);
	account_set_sentinel(toy.account, NULL);
	account_sentinel(toy.account, text);
	assert_string_equal(text, "");
	account_probed(toy.account, 0, LESSOR_CLASS_AUTH, NULL);
	strcpy(text, "kept");
	assert_int_equal(account_is_blocked(toy.account, text, 0), 1);
	assert_string_equal(text, "kept");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(every_wrong_argument_is_named), T(a_path_stays_within_its_origin),
		T(headers_are_read_strictly),	  T(a_retry_date_counts_by_the_senders_clock),
		T(a_request_id_is_a_token),	  T(nothing_needs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
