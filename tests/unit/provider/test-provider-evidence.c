/* SPDX-License-Identifier: MIT */
/*
 * Outcomes of creates: each report is accepted with its evidence, and rejected, or recorded as
 * unknown, without.
 */
#include "toy.h"

#include <stdio.h>

#define LOOK "GET /servers?name=toy-1; GET /servers?" TOY_LABELS
#define LOOK_LABELS "GET /servers?" TOY_LABELS
/* Two objects of this lease that are not row 1. */
#define OTHERS \
	"put servers 50 toy-8; mark 50 lessor-attempt 2; " \
	"put servers 51 toy-9; mark 51 lessor-attempt 3; "
#define UNKNOWN LESSOR_STATE_UNKNOWN
#define PRESENT LESSOR_STATE_PRESENT
#define NEVER LESSOR_STATE_NEVER_EXISTED

/* ---- created --------------------------------------------------------------------------- */

#define MAKE "intend server; POST /servers 1; "
#define MAKE_AS(status, body) "answer POST /servers " status " " body "; " MAKE
#define NOT_SHOWN "no response to its create shows that id"

static void test_created(void **state)
{
	static const struct toy_case cases[] = {
		{ "the id in the answer", 0, MAKE "created 1 4711", NULL, PRESENT },
		{ "with an action to wait for", 0, MAKE "created 1 4711 9", NULL, PRESENT },
		{ "an id that is text", 0, "intend key; POST /keys 1; created 1 k-4711", NULL,
		  PRESENT },
		{ "a number as text", 0,
		  MAKE_AS("200", "{\"server\":{\"id\":\"4711\"}}") "created 1 4711", NULL, PRESENT },
		{ "twice", 0, MAKE "created 1 4711; !created 1 4711", NULL, PRESENT },
		{ "another id", 0, MAKE "!created 1 4712", NOT_SHOWN, UNKNOWN },
		{ "a shorter id", 0, MAKE "!created 1 471", NOT_SHOWN, UNKNOWN },
		{ "a longer id", 0,
		  MAKE_AS("201", "{\"server\":{\"id\":\"47110\"}}") "!created 1 4711", NOT_SHOWN,
		  UNKNOWN },
		{ "the id at another place", 0,
		  MAKE_AS("201",
			  "{\"id\":4711,\"action\":{\"id\":4711},\"server\":{\"id\":1}}") "!created 1 4711",
		  NOT_SHOWN, UNKNOWN },
		{ "the id deeper down", 0,
		  MAKE_AS("201", "{\"server\":{\"server\":{\"id\":4711}}}") "!created 1 4711",
		  NOT_SHOWN, UNKNOWN },
		{ "an id that is no id", 0,
		  MAKE_AS("201", "{\"server\":{\"id\":4711.0}}") "!created 1 4711", NOT_SHOWN,
		  UNKNOWN },
		{ "two answers in one", 0,
		  MAKE_AS("201",
			  "{\"server\":{\"id\":4711},\"server\":{\"id\":4711}}") "!created 1 4711",
		  NOT_SHOWN, UNKNOWN },
		{ "half an answer", 0, MAKE_AS("201", "{\"server\":{\"id\":4711}") "!created 1 4711",
		  NOT_SHOWN, UNKNOWN },
		{ "no JSON", 0, MAKE_AS("201", "4711") "!created 1 4711", NOT_SHOWN, UNKNOWN },
		{ "a 5xx that shows it", 0,
		  MAKE_AS("503", "{\"server\":{\"id\":4711}}") "!created 1 4711", NOT_SHOWN,
		  UNKNOWN },
		{ "a 4xx that shows it", 0,
		  MAKE_AS("409", "{\"server\":{\"id\":4711}}") "!created 1 4711", NOT_SHOWN,
		  UNKNOWN },
		{ "a lost answer", 0, "lose POST /servers; " MAKE "!created 1 4711", NOT_SHOWN,
		  UNKNOWN },
		{ "a request that was not sent", 0, "unsent POST /servers; " MAKE "!created 1 4711",
		  NOT_SHOWN, UNKNOWN },
		{ "no request", 0, "intend server; !created 1 4711", NOT_SHOWN, UNKNOWN },
		{ "the answer to another row's create", 0,
		  "intend server; intend server; POST /servers 1; POST /servers 2; !created 1 4712; "
		  "created 2 4712",
		  NOT_SHOWN, UNKNOWN },
		{ "a read that shows it", 0,
		  "put servers 42 other; " MAKE "GET /servers/42; !created 1 42", NOT_SHOWN,
		  UNKNOWN },
		{ "no id", 0, MAKE "!created 1", "invalid id or action", UNKNOWN },
		{ "an id with a slash", 0, MAKE "!created 1 47/11", "invalid id or action",
		  UNKNOWN },
		{ "an intent of another step", LESSOR_STATE_INTENDED, "!created 1 42", "use adopt",
		  LESSOR_STATE_INTENDED },
		{ "a row that is not there", 0, "!created 9 42", "not in this ledger", 0 },
	};
	(void)state;

	TOY_CASES(&toy_table, STEP_PROVISION, cases);
}

/* One intent, one request, one report. */
static void test_creates_that_end_without_a_report(void **state)
{
	static const char silent[] = "its outcome was not reported";
	static const struct toy_case cases[] = {
		{ "answered", 0, "intend server; POST /servers 1", silent, UNKNOWN },
		{ "refused", 0, MAKE_AS("422", "{}"), silent, UNKNOWN },
		{ "lost", 0, "lose POST /servers; " MAKE, silent, UNKNOWN },
		{ "not sent", 0, "unsent POST /servers; " MAKE, NULL, NEVER },
		{ "no request", 0, "intend server", NULL, NEVER },
		{ "unknown", 0, "lose POST /servers; " MAKE "unknown 1", NULL, UNKNOWN },
		{ "a second request", 0, MAKE "!POST /servers 1; created 1 4711",
		  "was already sent", PRESENT },
		{ "a request after unknown", 0, "intend server; unknown 1; !POST /servers 1",
		  "no longer intended", UNKNOWN },
		{ "a request without an intent", 0, "!POST /servers 0", "for no row", 0 },
		{ "a request of another step's intent", LESSOR_STATE_INTENDED, "!POST /servers 1",
		  "without an intent of this step", LESSOR_STATE_INTENDED },
		{ "the intent of another kind", 0, "intend key; !POST /servers 1",
		  "for a row of another kind", NEVER },
	};
	(void)state;

	TOY_CASES(&toy_table, STEP_PROVISION, cases);
}

/* ---- not_created ------------------------------------------------------------------------ */

static void not_created_after(const char *status, int is_believed)
{
	char script[200];
	struct toy_case c = { status, 0, script, is_believed ? NULL : "recorded as unknown",
			      is_believed ? NEVER : UNKNOWN };

	snprintf(script, sizeof(script), MAKE_AS("%s", "{}") "%snot_created 1", status,
		 is_believed ? "" : "!");
	toy_cases(&toy_table, STEP_PROVISION, &c, 1);
}

/* A 4xx is a refusal, except for those that a proxy may send after forwarding the request. */
static void test_not_created_by_status(void **state)
{
	static const char *const truths[] = { "400", "401", "402", "403", "404", "412", "422", "423",
					      "429" };
	static const char *const lies[] = { "200", "201", "204", "408", "409", "421", "425", "499",
					    "500", "502", "503", "504" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(truths); i++)
		not_created_after(truths[i], 1);
	for (size_t i = 0; i < ARRAY_LEN(lies); i++)
		not_created_after(lies[i], 0);
}

#define TAKEN "answer POST /servers 409; " MAKE
#define NO_ANSWER "not_created, but no response says so"

/* "Taken" may refer to an earlier create of ours: the listing by name shows whose it is. */
static void test_not_created(void **state)
{
	static const struct toy_case cases[] = {
		{ "not sent", 0, "unsent POST /servers; " MAKE "not_created 1", NULL, NEVER },
		{ "no request", 0, "intend server; not_created 1", NULL, NEVER },
		{ "twice", 0, "intend server; not_created 1; !not_created 1", "use not_seen", NEVER },
		{ "lost", 0, "lose POST /servers; " MAKE "!not_created 1", NO_ANSWER, UNKNOWN },
		{ "lost, and a listing without it", 0,
		  "answer POST /servers 504; " MAKE LOOK "; !not_created 1", NO_ANSWER, UNKNOWN },
		{ "taken", 0, TAKEN "!not_created 1", NO_ANSWER, UNKNOWN },
		{ "taken, and a listing without it", 0, TAKEN "GET /servers?name=toy-1; not_created 1",
		  NULL, NEVER },
		{ "taken by a stranger", 0,
		  "put servers 9 toy-1; mark 9 lessor-sig; " TAKEN
		  "GET /servers?name=toy-1; not_created 1", NULL, NEVER },
		{ "taken by what bears a signature", 0,
		  "put servers 9 toy-1; " TAKEN "GET /servers?name=toy-1; !not_created 1", NO_ANSWER,
		  UNKNOWN },
		{ "a listing from before the create", 0,
		  "GET /servers?name=toy-1; " TAKEN "!not_created 1", NO_ANSWER, UNKNOWN },
		{ "a listing by another name", 0, TAKEN "GET /servers?name=toy-2; !not_created 1",
		  NO_ANSWER, UNKNOWN },
		{ "a listing by labels", 0, TAKEN LOOK_LABELS "; !not_created 1", NO_ANSWER, UNKNOWN },
		{ "another step's listing", 0, TAKEN "SHARED /servers?name=toy-1; !not_created 1",
		  NO_ANSWER, UNKNOWN },
		{ "a listing that failed", 0,
		  "answer GET /servers 500; " TAKEN "GET /servers?name=toy-1; !not_created 1",
		  NO_ANSWER, UNKNOWN },
		{ "a listing that goes on", 0,
		  "answer GET /servers 200 {\"servers\":[],\"meta\":{\"pagination\":{\"next_page\":2}}}; "
		  TAKEN "GET /servers?name=toy-1; !not_created 1", NO_ANSWER, UNKNOWN },
		{ "an intent of another step", LESSOR_STATE_INTENDED, "!not_created 1",
		  "did not intend", LESSOR_STATE_INTENDED },
	};
	(void)state;

	TOY_CASES(&toy_table, STEP_PROVISION, cases);
}

/* ---- not_seen ---------------------------------------------------------------------------- */

#define INCOMPLETE "without complete listings"
#define NAME "GET /servers?name=toy-1; "
#define PAGE(number) LOOK_LABELS "&page=" number "&per_page=1; "

static void test_not_seen(void **state)
{
	static const struct toy_case cases[] = {
		{ "by name and by labels", UNKNOWN, LOOK "; not_seen 1", NULL, NEVER },
		{ "in whatever order", UNKNOWN, LOOK_LABELS "; " NAME "not_seen 1", NULL, NEVER },
		{ "with other filters beside", UNKNOWN,
		  "GET /servers?sort=id&name=toy-1&per_page=5; " LOOK_LABELS "&sort=id; not_seen 1",
		  NULL, NEVER },
		{ "escaped in whatever way", UNKNOWN,
		  "GET /servers?name=%74%6f%79%2D%31; GET /servers?label_selector=lessor-instance%3d%3D" TOY_INSTANCE
		  "%2clessor-lease%3D%3Dcbx%5F%30%31%32%33%34%35%36%37%38%39ab; not_seen 1",
		  NULL, NEVER },
		{ "an intent of before a crash", LESSOR_STATE_INTENDED, LOOK "; not_seen 1", NULL,
		  NEVER },
		{ "all pages", UNKNOWN, OTHERS NAME PAGE("1") PAGE("2") "not_seen 1", NULL, NEVER },
		{ "all pages, the second time", UNKNOWN,
		  OTHERS NAME PAGE("1") PAGE("1") PAGE("2") "not_seen 1", NULL, NEVER },
		{ "no listing", UNKNOWN, "!not_seen 1", INCOMPLETE, UNKNOWN },
		{ "by name only", UNKNOWN, NAME "!not_seen 1", INCOMPLETE, UNKNOWN },
		{ "by labels only", UNKNOWN, LOOK_LABELS "; !not_seen 1", INCOMPLETE, UNKNOWN },
		{ "all that there is, unfiltered", UNKNOWN, "GET /servers; !not_seen 1", INCOMPLETE,
		  UNKNOWN },
		{ "by another name", UNKNOWN,
		  "GET /servers?name=toy-2; " LOOK_LABELS "; !not_seen 1", INCOMPLETE, UNKNOWN },
		{ "by the beginning of the name", UNKNOWN,
		  "GET /servers?name=toy; " LOOK_LABELS "; !not_seen 1", INCOMPLETE, UNKNOWN },
		{ "by an empty name", UNKNOWN, "GET /servers?name=; " LOOK_LABELS "; !not_seen 1",
		  INCOMPLETE, UNKNOWN },
		{ "by the labels of another lease", UNKNOWN,
		  NAME "GET /servers?" TOY_LABELS_OF("cbx_ffffffffffff") "; !not_seen 1",
		  INCOMPLETE, UNKNOWN },
		{ "by the labels of another broker", UNKNOWN,
		  NAME
		  "GET /servers?label_selector=lessor-instance%3D%3Dother%2Clessor-lease%3D%3D" TOY_LEASE
		  "; !not_seen 1",
		  INCOMPLETE, UNKNOWN },
		{ "by the labels of all leases", UNKNOWN,
		  NAME "GET /servers?label_selector=lessor-instance%3D%3D" TOY_INSTANCE
		       "; !not_seen 1",
		  INCOMPLETE, UNKNOWN },
		{ "of another kind", UNKNOWN,
		  "GET /keys?name=toy-1; GET /keys?" TOY_LABELS "; !not_seen 1", INCOMPLETE,
		  UNKNOWN },
		{ "another step's listing by name", UNKNOWN,
		  "SHARED /servers?name=toy-1; " LOOK_LABELS "; !not_seen 1", INCOMPLETE, UNKNOWN },
		{ "another step's listing by labels", UNKNOWN,
		  NAME "SHARED /servers?" TOY_LABELS "; !not_seen 1", INCOMPLETE, UNKNOWN },
		{ "a listing that failed", UNKNOWN,
		  "answer GET /servers?name=toy-1 500; " LOOK "; !not_seen 1", INCOMPLETE, UNKNOWN },
		{ "a listing whose answer was lost", UNKNOWN,
		  "lose GET /servers?name=toy-1; " LOOK "; !not_seen 1", INCOMPLETE, UNKNOWN },
		{ "a listing that is none", UNKNOWN,
		  "answer GET /servers?name=toy-1 200 {\"servers\":{}}; " LOOK "; !not_seen 1",
		  INCOMPLETE, UNKNOWN },
		{ "half of the pages", UNKNOWN, OTHERS NAME PAGE("1") "!not_seen 1", INCOMPLETE,
		  UNKNOWN },
		{ "the other half", UNKNOWN, OTHERS NAME PAGE("2") "!not_seen 1", INCOMPLETE,
		  UNKNOWN },
		{ "the pages backwards", UNKNOWN, OTHERS NAME PAGE("2") PAGE("1") "!not_seen 1",
		  INCOMPLETE, UNKNOWN },
		{ "a page skipped", UNKNOWN,
		  OTHERS "put servers 52 toy-7; mark 52 lessor-attempt 4; " NAME PAGE("1")
			  PAGE("3") "!not_seen 1",
		  INCOMPLETE, UNKNOWN },
		{ "a page that failed", UNKNOWN,
		  OTHERS "answer GET /servers?" TOY_LABELS "&page=1 500; " NAME PAGE("1")
			  PAGE("2") "!not_seen 1",
		  INCOMPLETE, UNKNOWN },
		{ "a page that there is not", UNKNOWN,
		  OTHERS NAME PAGE("2") PAGE("0") "!not_seen 1", INCOMPLETE, UNKNOWN },
		{ "a page that is no number", UNKNOWN,
		  "put servers 50 toy-8; mark 50 lessor-attempt 2; " NAME PAGE("x")
			  PAGE("x") "!not_seen 1",
		  INCOMPLETE, UNKNOWN },
		{ "a page that is half a number", UNKNOWN, NAME PAGE("1x") "!not_seen 1",
		  INCOMPLETE, UNKNOWN },
		{ "two pages at once", UNKNOWN, NAME PAGE("1&page=2") "!not_seen 1", INCOMPLETE,
		  UNKNOWN },
		{ "a page 0 after one that failed", UNKNOWN,
		  "answer GET /servers?" TOY_LABELS "&page=1 500; " NAME PAGE("1")
			  PAGE("0") "!not_seen 1",
		  INCOMPLETE, UNKNOWN },
		{ "pages of another size", UNKNOWN,
		  OTHERS NAME PAGE("1") LOOK_LABELS "&page=2&per_page=50; !not_seen 1", INCOMPLETE,
		  UNKNOWN },
		{ "by name and labels at once", UNKNOWN,
		  "GET /servers?name=toy-1&" TOY_LABELS "; !not_seen 1", INCOMPLETE, UNKNOWN },
		{ "by labels, and by name with labels", UNKNOWN,
		  LOOK_LABELS "; GET /servers?name=toy-1&label_selector=team%3D%3Dred; !not_seen 1",
		  INCOMPLETE, UNKNOWN },
		{ "by two names", UNKNOWN,
		  "GET /servers?name=toy-1&name=toy-2; " LOOK_LABELS "; !not_seen 1", INCOMPLETE,
		  UNKNOWN },
		{ "shown by its labels, under another name", UNKNOWN,
		  "put servers 42 renamed; " LOOK "; !not_seen 1", INCOMPLETE, UNKNOWN },
		{ "another attempt's, under another name", UNKNOWN,
		  "put servers 50 toy-8; mark 50 lessor-attempt 2; " LOOK "; not_seen 1", NULL,
		  NEVER },
		{ "labels without a signature, under another name", UNKNOWN,
		  "put servers 50 toy-8; mark 50 lessor-sig; " LOOK "; not_seen 1", NULL, NEVER },
		{ "shown by its name", UNKNOWN, "put servers 42 toy-1; " LOOK "; !not_seen 1",
		  INCOMPLETE, UNKNOWN },
		{ "its name borne by a stranger", UNKNOWN,
		  "put servers 42 toy-1; mark 42 lessor-sig; mark 42 lessor-lease; " LOOK
		  "; !not_seen 1",
		  INCOMPLETE, UNKNOWN },
		{ "shown on page 2", UNKNOWN,
		  "put servers 50 toy-8; mark 50 lessor-attempt 2; put servers 42 toy-1; "
		  "answer GET /servers?name=toy-1 200 {\"servers\":[]}; " NAME PAGE("1")
			  PAGE("2") "!not_seen 1",
		  INCOMPLETE, UNKNOWN },
		{ "shown by a listing that is older", UNKNOWN,
		  "put servers 42 toy-1; " LOOK "; take 42; " LOOK "; !not_seen 1", INCOMPLETE,
		  UNKNOWN },
	};
	(void)state;

	TOY_CASES(&toy_table, STEP_CLEANUP, cases);
	TOY_CASES(&toy_table, STEP_INSPECT, cases);
}

/* A listing from before the create proves nothing about it. */
static void test_not_seen_before_the_create(void **state)
{
	static const struct toy_case cases[] = {
		{ "before", 0, "intend server; " LOOK "; lose POST /servers; POST /servers 1; unknown 1; "
		  "!not_seen 1", INCOMPLETE, UNKNOWN },
		{ "after", 0, "intend server; answer POST /servers 500; POST /servers 1; unknown 1; "
		  LOOK "; not_seen 1", NULL, NEVER },
	};
	(void)state;

	TOY_CASES(&toy_table, STEP_PROVISION, cases);
}

/* Without proof of the account after the look-up, nothing is concluded; that is no violation. */
static void test_not_seen_without_the_sentinel(void **state)
{
	static const struct toy_case cases[] = {
		{ "404", UNKNOWN, "take 77; " LOOK "; !not_seen 1", NULL, UNKNOWN },
		{ "401", UNKNOWN, "answer GET /marks/77 401; " LOOK "; !not_seen 1", NULL, UNKNOWN },
		{ "500", UNKNOWN, "answer GET /marks/77 500; " LOOK "; !not_seen 1", NULL, UNKNOWN },
		{ "lost", UNKNOWN, "lose GET /marks/77; " LOOK "; !not_seen 1", NULL, UNKNOWN },
		{ "not sent", UNKNOWN, "unsent GET /marks/77; " LOOK "; !not_seen 1", NULL, UNKNOWN },
		{ "another id", UNKNOWN,
		  "answer GET /marks/77 200 {\"mark\":{\"id\":78}}; " LOOK "; !not_seen 1", NULL, UNKNOWN },
		{ "an answer without it", UNKNOWN, "answer GET /marks/77 200; " LOOK "; !not_seen 1",
		  NULL, UNKNOWN },
		{ "gone since the plugin read it", UNKNOWN,
		  "GET /marks/77; " LOOK "; take 77; !not_seen 1", NULL, UNKNOWN },
		{ "not asked, but read by the plugin before", UNKNOWN,
		  "GET /marks/77; " LOOK "; late; !not_seen 1", NULL, UNKNOWN },
		{ "there again", UNKNOWN,
		  "answer GET /marks/77 401; " LOOK "; !not_seen 1; heal; not_seen 1", NULL, NEVER },
	};
	struct toy toy;
	(void)state;

	TOY_CASES(&toy_table, STEP_CLEANUP, cases);
	/* an account without a sentinel yet */
	toy_start_case(&toy, &toy_table, UNKNOWN);
	account_set_sentinel(toy.account, "");
	step_free(toy_play(&toy, STEP_CLEANUP, LOOK "; !not_seen 1"));
	assert_int_equal(toy.commits[CLAIM_REPORT_ABSENT], 0);
	assert_int_equal(toy.sent_count, 2);
	toy_stop(&toy);
}

/* The host reads the sentinel last and passes on its labels. */
static void test_the_generation_is_passed_on(void **state)
{
	const struct claim_evidence *e;
	struct step *step;
	struct toy toy;
	(void)state;

	toy_start_case(&toy, &toy_table, UNKNOWN);
	toy_label(&toy, TOY_SENTINEL, LESSOR_LABEL_GEN, "12");
	toy_label(&toy, TOY_SENTINEL, LESSOR_LABEL_HOLDER, "abcdef");
	step = toy_play(&toy, STEP_CLEANUP, LOOK "; not_seen 1");
	assert_int_equal(step->calls, 3);
	step_free(step);
	assert_string_equal(toy.sent[2].url, "https://api.toy.example/v1/marks/77");
	e = &toy.last[CLAIM_REPORT_ABSENT].evidence;
	assert_int_equal(e->is_sentinel_read, 1);
	assert_int_equal(e->generation, 12);
	assert_string_equal(e->holder, "abcdef");
	assert_int_equal(e->is_absent && e->is_proof, 1);
	toy_stop(&toy);
	/* a sentinel without a generation */
	toy_start_case(&toy, &toy_table, UNKNOWN);
	step_free(toy_play(&toy, STEP_CLEANUP, LOOK "; not_seen 1"));
	assert_int_equal(e->is_sentinel_read, 1);
	assert_int_equal(e->generation, 0);
	assert_string_equal(e->holder, "");
	toy_stop(&toy);
}

/* A look-up of the sentinel does not use the sentinel as proof. */
static void test_not_seen_of_the_sentinel(void **state)
{
	static const char labels[] = "GET /marks?" TOY_LABELS_OF("account");
	struct step *step;
	struct toy toy;
	(void)state;

	toy_start(&toy, 0);
	toy.is_account = 1;
	toy_row(&toy, LESSOR_KIND_SENTINEL, UNKNOWN, "");
	step = toy_play(&toy, STEP_PROBE, "GET /marks?name=toy-1; GET /marks?" TOY_LABELS "; !not_seen 1");
	assert_int_equal(step->violation, 1);
	step_free(step);
	assert_int_equal(toy.rows[0].state, UNKNOWN);
	step = toy_play(&toy, STEP_PROBE, "GET /marks?name=toy-1; GET /marks?"
			TOY_LABELS_OF("account") "; not_seen 1");
	assert_int_equal(step->violation, 0);
	step_free(step);
	assert_int_equal(toy.rows[0].state, NEVER);
	assert_non_null(strstr(toy.sent[3].url, labels + strlen("GET /")));
	assert_int_equal(toy.sent_count, 4);
	toy_stop(&toy);
}

/* A listing without filters shows everything. */
static void test_listings_without_filters(void **state)
{
	struct lessor_provider table = toy_table_copy();
	static const struct toy_case by_labels_only[] = {
		{ "all, and by labels", UNKNOWN, "GET /servers; " LOOK_LABELS "; not_seen 1", NULL, NEVER },
		{ "all", UNKNOWN, "GET /servers; !not_seen 1", INCOMPLETE, UNKNOWN },
		{ "by labels", UNKNOWN, LOOK_LABELS "; !not_seen 1", INCOMPLETE, UNKNOWN },
	};
	static const struct toy_case neither[] = {
		{ "all", UNKNOWN, "GET /servers; not_seen 1", NULL, NEVER },
		{ "shown", UNKNOWN, "put servers 42 toy-1; GET /servers; !not_seen 1", INCOMPLETE,
		  UNKNOWN },
		{ "shown under another name", UNKNOWN,
		  "put servers 42 renamed; GET /servers; !not_seen 1", INCOMPLETE, UNKNOWN },
		/* objects of others have another name and other labels */
		{ "another lease's", UNKNOWN,
		  "put servers 50 x; mark 50 lessor-lease cbx_ffffffffffff; GET /servers; not_seen 1",
		  NULL, NEVER },
		{ "another broker's", UNKNOWN,
		  "put servers 50 x; mark 50 lessor-instance other; GET /servers; not_seen 1", NULL,
		  NEVER },
		{ "another kind's", UNKNOWN,
		  "put servers 50 x; mark 50 lessor-kind volume; GET /servers; not_seen 1", NULL,
		  NEVER },
	};
	(void)state;

	toy_action("list_servers")->by_name = NULL;
	TOY_CASES(&table, STEP_CLEANUP, by_labels_only);
	toy_action("list_servers")->by_labels = NULL;
	TOY_CASES(&table, STEP_CLEANUP, neither);
}

/* A resource that was handed over has the labels of the earlier lease. */
static void test_listings_of_what_was_handed_over(void **state)
{
	static const char script[] = "take 42; GET /servers/42; GET /servers?name=toy-1; "
				     "GET /servers?" TOY_LABELS "; !gone 1; "
				     "GET /servers?" TOY_LABELS_OF("cbx_ffffffffffff") "; gone 1";
	struct toy toy;
	(void)state;

	toy_start_case(&toy, &toy_table, PRESENT);
	strcpy(toy.rows[0].signed_lease, "cbx_ffffffffffff");
	step_free(toy_play(&toy, STEP_CLEANUP, script));
	assert_int_equal(toy.rows[0].state, LESSOR_STATE_GONE);
	toy_stop(&toy);
}

/* ---- adopt ------------------------------------------------------------------------------- */

#define NO_SIGHT "no response of this step shows it"
#define THERE "put servers 42 toy-1; "

/* Name and labels come from the response: the plugin's own are always wrong here. */
static void test_adopt(void **state)
{
	static const struct toy_case cases[] = {
		{ "a listing shows it", UNKNOWN, THERE NAME "adopt server 42", NULL, PRESENT },
		{ "an exact read shows it", UNKNOWN, THERE "GET /servers/42; adopt server 42", NULL,
		  PRESENT },
		{ "another step's listing shows it", UNKNOWN, THERE "SHARED /servers; adopt server 42",
		  NULL, PRESENT },
		{ "no request", UNKNOWN, THERE "!adopt server 42", NO_SIGHT, UNKNOWN },
		{ "a listing without it", UNKNOWN, NAME "!adopt server 42", NO_SIGHT, UNKNOWN },
		{ "its answer was lost", UNKNOWN, THERE "lose GET /servers; " NAME "!adopt server 42",
		  NO_SIGHT, UNKNOWN },
		{ "an error that shows it", UNKNOWN,
		  "answer GET /servers/42 500 {\"server\":{\"id\":42,\"name\":\"toy-1\"}}; "
		  "GET /servers/42; !adopt server 42", NO_SIGHT, UNKNOWN },
		{ "something of another kind", UNKNOWN,
		  "put keys 42 toy-1; GET /keys/42; !adopt server 42", NO_SIGHT, UNKNOWN },
		{ "of another name, whatever the plugin says", UNKNOWN,
		  "put servers 42 else; GET /servers/42; !adopt server 42 toy-1", NULL, UNKNOWN },
		{ "an id that cannot be one", UNKNOWN, THERE NAME "!adopt server 4/2", "adopt without",
		  UNKNOWN },
	};
	(void)state;

	TOY_CASES(&toy_table, STEP_PROVISION, cases);
	TOY_CASES(&toy_table, STEP_CLEANUP, cases);
	TOY_CASES(&toy_table, STEP_INSPECT, cases);
}

/* ---- ready ------------------------------------------------------------------------------- */

#define NOT_HELD "which is not in the ledger"

static void test_ready(void **state)
{
	static const struct toy_case cases[] = {
		{ "read", PRESENT, "GET /servers/42; ready 42 toy-1", NULL, PRESENT },
		{ "listed", PRESENT, "GET /servers; ready 42 toy-1", NULL, PRESENT },
		{ "listed for another step", PRESENT, "SHARED /servers; ready 42 toy-1", NULL,
		  PRESENT },
		{ "just made", 0, MAKE "created 1 4711; ready 4711 toy-1", NULL, PRESENT },
		{ "without a row", 0, "put servers 42 toy-1; GET /servers/42; ready 42 toy-1",
		  NOT_HELD, 0 },
		{ "without an id", PRESENT, "GET /servers/42; ready", NOT_HELD, PRESENT },
		{ "of another id", PRESENT, "put servers 43 toy-1; GET /servers; ready 43 toy-1",
		  NOT_HELD, PRESENT },
		{ "of another name", PRESENT, "GET /servers/42; ready 42 toy-2", NOT_HELD, PRESENT },
		{ "without a name", PRESENT, "GET /servers/42; ready 42", NOT_HELD, PRESENT },
		{ "of a row without an outcome", UNKNOWN,
		  "put servers 42 toy-1; GET /servers; "
		  "ready 42 toy-1",
		  NOT_HELD, UNKNOWN },
		{ "of a row that is being deleted", LESSOR_STATE_DELETE_UNKNOWN,
		  "GET /servers/42; ready 42 toy-1", NOT_HELD, LESSOR_STATE_DELETE_UNKNOWN },
		{ "never shown", PRESENT, "ready 42 toy-1", "no response of this step shows",
		  PRESENT },
		{ "read as absent", PRESENT,
		  "take 42; GET /servers/42; GET /servers; ready 42 toy-1",
		  "no response of this step shows", PRESENT },
		{ "a key of that id", PRESENT, "put keys 42 toy-1; GET /keys/42; ready 42 toy-1",
		  "no response of this step shows", PRESENT },
	};
	(void)state;

	TOY_CASES(&toy_table, STEP_PROVISION, cases);
}

/* DONE without evidence becomes RETRY; with evidence, the engine gets what was observed. */
static void test_ready_is_what_was_shown(void **state)
{
	struct step *step;
	struct toy toy;
	(void)state;

	toy_start_case(&toy, &toy_table, PRESENT);
	step = toy_play(&toy, STEP_PROVISION, "ready 42 toy-1");
	assert_int_equal(step->verdict, LESSOR_RETRY);
	assert_int_equal(step->error_class, LESSOR_CLASS_BUG);
	assert_string_equal(step->host, "");
	assert_string_equal(step->server_id, "");
	assert_int_equal(step->is_shown, 0);
	step_free(step);
	step = toy_play(&toy, STEP_PROVISION, "GET /servers/42; ready 42 toy-1");
	assert_int_equal(step->verdict, LESSOR_DONE);
	assert_string_equal(step->server_id, "42");
	assert_int_equal(step->is_shown, 1);
	assert_string_equal(step->shown.id, "42");
	assert_string_equal(step->shown.name, "toy-1");
	assert_string_equal(observed_label(&step->shown, LESSOR_LABEL_SIG), "signed");
	assert_int_equal(step->shown.protection, LESSOR_PROTECTION_OFF);
	step_free(step);
	/* a server that this lease did not create is not its machine */
	toy.rows[0].ours = 0;
	step = toy_play(&toy, STEP_PROVISION, "GET /servers/42; ready 42 toy-1");
	assert_int_equal(step->violation, 1);
	step_free(step);
	toy_stop(&toy);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(test_created),
		T(test_creates_that_end_without_a_report),
		T(test_not_created_by_status),
		T(test_not_created),
		T(test_not_seen),
		T(test_not_seen_before_the_create),
		T(test_not_seen_without_the_sentinel),
		T(test_the_generation_is_passed_on),
		T(test_not_seen_of_the_sentinel),
		T(test_listings_without_filters),
		T(test_listings_of_what_was_handed_over),
		T(test_adopt),
		T(test_ready),
		T(test_ready_is_what_was_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
