/* SPDX-License-Identifier: MIT */
/*
 * Outcomes of deletes, and absence: each report is accepted with its evidence, and rejected,
 * or recorded as unknown, without.
 */
#include "toy.h"

#include <stdio.h>

#define PRESENT LESSOR_STATE_PRESENT
#define DELETING LESSOR_STATE_DELETING
#define DELETE_UNKNOWN LESSOR_STATE_DELETE_UNKNOWN
#define GONE LESSOR_STATE_GONE
#define READ "GET /servers/42; "
#define PERMIT READ "permit 1; "
#define DELETE "DELETE /servers/42 1; "
#define NAME "GET /servers?name=toy-1; "
#define LABELS "GET /servers?" TOY_LABELS "; "
#define LOOK NAME LABELS

/* ---- deleting ---------------------------------------------------------------------------- */

#define NOT_ACCEPTED "no response of this step accepts its delete"
#define NO_PERMIT "this step has no permit"

static void test_deleting(void **state)
{
	static const struct toy_case cases[] = {
		{ "accepted", PRESENT, PERMIT DELETE "deleting 1 7", NULL, DELETING },
		{ "accepted, with nothing to wait for", PRESENT, PERMIT DELETE "deleting 1", NULL,
		  DELETING },
		{ "accepted with 204", PRESENT,
		  PERMIT "answer DELETE /servers/42 204; " DELETE "deleting 1", NULL, DELETING },
		{ "accepted, after one without an outcome", DELETE_UNKNOWN,
		  PERMIT DELETE "deleting 1 7", NULL, DELETING },
		{ "no request", PRESENT, PERMIT "!deleting 1 7", NOT_ACCEPTED, DELETE_UNKNOWN },
		{ "not sent", PRESENT, "unsent DELETE /servers/42; " PERMIT DELETE "!deleting 1",
		  NOT_ACCEPTED, DELETE_UNKNOWN },
		{ "404", PRESENT, PERMIT "take 42; " DELETE "!deleting 1", NOT_ACCEPTED,
		  DELETE_UNKNOWN },
		{ "423", PRESENT, PERMIT "answer DELETE /servers/42 423; " DELETE "!deleting 1",
		  NOT_ACCEPTED, DELETE_UNKNOWN },
		{ "500", PRESENT, PERMIT "answer DELETE /servers/42 500; " DELETE "!deleting 1",
		  NOT_ACCEPTED, DELETE_UNKNOWN },
		{ "lost", PRESENT, PERMIT "lose DELETE /servers/42; " DELETE "!deleting 1",
		  NOT_ACCEPTED, DELETE_UNKNOWN },
		{ "twice", PRESENT, PERMIT DELETE "deleting 1 7; !deleting 1 8", NO_PERMIT,
		  DELETING },
		{ "by the answer to an earlier one", PRESENT,
		  "answer DELETE /servers/42 202; " PERMIT DELETE "delete_unknown 1; " PERMIT
		  "!deleting 1",
		  NOT_ACCEPTED, DELETE_UNKNOWN },
		{ "no permit", PRESENT, READ "!deleting 1 7", NO_PERMIT, PRESENT },
		{ "a permit that was refused", PRESENT, "!permit 1; !deleting 1", NO_PERMIT,
		  PRESENT },
		{ "without a read, a permit or a request", PRESENT, "!deleting 1", NO_PERMIT,
		  PRESENT },
		{ "one that another step began", DELETE_UNKNOWN, "!deleting 1", NO_PERMIT,
		  DELETE_UNKNOWN },
		{ "one that is under way", DELETING, "!deleting 1", NO_PERMIT, DELETING },
		{ "an action that cannot be one", PRESENT,
		  PERMIT DELETE "!deleting 1 0123456789012345678901234567890123456789",
		  "an invalid action", DELETE_UNKNOWN },
		{ "a row that is not there", PRESENT, "!deleting 9", "not in this ledger", PRESENT },
	};
	(void)state;

	TOY_CASES(&toy_table, STEP_CLEANUP, cases);
}

/* The delete of another row is no evidence for this one. */
static void test_deleting_by_another_rows_answer(void **state)
{
	static const struct toy_case cases[] = {
		{ "the key's delete for the server's", PRESENT,
		  "intend key; POST /keys 2; created 2 k-4711; " PERMIT
		  "GET /keys/k-4711; permit 2; DELETE /keys/k-4711 2; !deleting 1; deleting 2",
		  NOT_ACCEPTED, DELETE_UNKNOWN },
	};
	(void)state;

	TOY_CASES(&toy_table, STEP_PROVISION, cases);
}

static void test_delete_unknown(void **state)
{
	static const struct toy_case cases[] = {
		{ "lost", PRESENT, PERMIT "lose DELETE /servers/42; " DELETE "delete_unknown 1",
		  NULL, DELETE_UNKNOWN },
		/* reporting an unknown outcome is always allowed */
		{ "accepted", PRESENT, PERMIT DELETE "delete_unknown 1", NULL, DELETE_UNKNOWN },
		{ "no request", PRESENT, PERMIT "delete_unknown 1", NULL, DELETE_UNKNOWN },
		{ "no permit", PRESENT, READ "!delete_unknown 1", NO_PERMIT, PRESENT },
		{ "after deleting", PRESENT, PERMIT DELETE "deleting 1; !delete_unknown 1",
		  NO_PERMIT, DELETING },
	};
	(void)state;

	TOY_CASES(&toy_table, STEP_CLEANUP, cases);
}

/* ---- steps that do not report their delete ------------------------------------------------ */

static void test_deletes_that_end_without_a_report(void **state)
{
	static const struct toy_case cases[] = {
		{ "no request", PRESENT, PERMIT, NULL, PRESENT },
		{ "not sent", PRESENT, "unsent DELETE /servers/42; " PERMIT DELETE, NULL, PRESENT },
		{ "stopped", PRESENT, PERMIT "!DELETE /servers/43 1", "another id", PRESENT },
		{ "lost", PRESENT, PERMIT "lose DELETE /servers/42; " DELETE, NULL, DELETE_UNKNOWN },
		{ "500", PRESENT, PERMIT "answer DELETE /servers/42 500; " DELETE, NULL, DELETE_UNKNOWN },
		{ "408", PRESENT, PERMIT "answer DELETE /servers/42 408; " DELETE, NULL, DELETE_UNKNOWN },
		{ "accepted", PRESENT, PERMIT DELETE, NULL, DELETE_UNKNOWN },
		{ "accepted and read", PRESENT, PERMIT DELETE READ, NULL, DELETE_UNKNOWN },
		{ "423", PRESENT, PERMIT "answer DELETE /servers/42 423; " DELETE, NULL, PRESENT },
		{ "404", PRESENT, PERMIT "take 42; " DELETE, NULL, PRESENT },
		{ "a second permit after a lost one", PRESENT,
		  PERMIT "lose DELETE /servers/42; " DELETE
		  "heal; !permit 1", NULL, DELETE_UNKNOWN },
	};
	(void)state;

	TOY_CASES(&toy_table, STEP_CLEANUP, cases);
	TOY_CASES(&toy_table, STEP_PROVISION, cases);
}

/* ---- still_there ------------------------------------------------------------------------------ */

#define REFUSED(status) PERMIT "answer DELETE /servers/42 " status "; " DELETE "still_there 1"

static void test_still_there(void **state)
{
	static const struct toy_case cases[] = {
		{ "nothing was deleted", PRESENT, READ "still_there 1", NULL, PRESENT },
		{ "no request", PRESENT, PERMIT "still_there 1", NULL, PRESENT },
		{ "not sent", PRESENT, "unsent DELETE /servers/42; " PERMIT DELETE "still_there 1",
		  NULL, PRESENT },
		{ "401", PRESENT, REFUSED("401"), NULL, PRESENT },
		{ "403", PRESENT, REFUSED("403"), NULL, PRESENT },
		{ "409", PRESENT, REFUSED("409"), NULL, PRESENT },
		{ "423", PRESENT, REFUSED("423"), NULL, PRESENT },
		{ "429", PRESENT, REFUSED("429"), NULL, PRESENT },
		{ "408", PRESENT, REFUSED("408"), NULL, DELETE_UNKNOWN },
		{ "499", PRESENT, REFUSED("499"), NULL, DELETE_UNKNOWN },
		{ "500", PRESENT, REFUSED("500"), NULL, DELETE_UNKNOWN },
		{ "504", PRESENT, REFUSED("504"), NULL, DELETE_UNKNOWN },
		{ "accepted", PRESENT, PERMIT DELETE "still_there 1", NULL, DELETE_UNKNOWN },
		{ "lost", PRESENT, PERMIT "lose DELETE /servers/42; " DELETE "still_there 1", NULL,
		  DELETE_UNKNOWN },
		/* an object that is being deleted may still be shown for a while */
		{ "lost, and read again", PRESENT,
		  PERMIT "answer DELETE /servers/42 504; " DELETE READ "still_there 1", NULL,
		  DELETE_UNKNOWN },
		{ "without an outcome, and read", DELETE_UNKNOWN, READ "still_there 1", NULL,
		  DELETE_UNKNOWN },
		{ "under way, and read", DELETING, READ "still_there 1", NULL, DELETE_UNKNOWN },
		{ "under way, and not read", DELETING, "!still_there 1", NULL, DELETING },
		{ "under way, and read by another step", DELETING,
		  "SHARED /servers/42; !still_there 1", NULL, DELETING },
		{ "under way, and read as absent", DELETING, "take 42; " READ "!still_there 1",
		  NULL, DELETING },
		{ "its action failed", DELETING,
		  "answer GET /actions/7 200 {\"action\":{\"status\":\"error\"}}; GET /actions/7; "
		  "still_there 1",
		  NULL, PRESENT },
		{ "its action goes on", DELETING,
		  "answer GET /actions/7 200 {\"action\":{\"status\":\"running\"}}; GET /actions/7; "
		  "!still_there 1",
		  NULL, DELETING },
		/* the action of the earlier request is not this delete */
		{ "an action failed, and no delete is known to be under way", DELETE_UNKNOWN,
		  "answer GET /actions/7 200 {\"action\":{\"status\":\"error\"}}; GET /actions/7; "
		  "!still_there 1",
		  NULL, DELETE_UNKNOWN },
		{ "another action failed", DELETING,
		  "answer GET /actions/8 200 {\"action\":{\"status\":\"error\"}}; GET /actions/8; "
		  "!still_there 1",
		  NULL, DELETING },
		{ "its action failed, as another step read", DELETING,
		  "answer GET /actions/7 200 {\"action\":{\"status\":\"error\"}}; SHARED /actions/7; "
		  "!still_there 1",
		  NULL, DELETING },
		{ "its action failed, says an error", DELETING,
		  "answer GET /actions/7 500 {\"action\":{\"status\":\"error\"}}; GET /actions/7; "
		  "!still_there 1",
		  NULL, DELETING },
	};
	(void)state;

	TOY_CASES(&toy_table, STEP_CLEANUP, cases);
}

/* ---- gone: our delete was accepted -------------------------------------------------------------- */

#define NO_READ "no exact read of this step shows it absent"
#define ABSENT "take 42; " READ
#define AS(status) "answer GET /servers/42 " status "; " READ "!gone 1"

static void test_gone_after_an_accepted_delete(void **state)
{
	static const struct toy_case cases[] = {
		{ "404", DELETING, ABSENT "gone 1", NULL, GONE },
		{ "410", DELETING, "answer GET /servers/42 410; " READ "gone 1", NULL, GONE },
		{ "404, then its action", DELETING, ABSENT "GET /actions/7; gone 1", NULL, GONE },
		{ "its action is over, then 404", DELETING, "GET /actions/7; " ABSENT "gone 1",
		  NULL, GONE },
		/* the exact read shows absence; the action proves only the project */
		{ "its action goes on", DELETING,
		  "answer GET /actions/7 200 {\"action\":{\"status\":\"running\"}}; GET /actions/7; " ABSENT
		  "gone 1",
		  NULL, GONE },
		{ "its action is not there any more", DELETING,
		  "answer GET /actions/7 404; GET /actions/7; " ABSENT "gone 1", NULL, GONE },
		{ "all in one step", PRESENT, PERMIT DELETE "deleting 1 7; " READ "gone 1", NULL,
		  GONE },
		{ "its action failed", DELETING,
		  "answer GET /actions/7 200 {\"action\":{\"status\":\"error\"}}; GET /actions/7; " ABSENT
		  "!gone 1",
		  "its delete failed", DELETING },
		{ "another action failed", DELETING,
		  "answer GET /actions/8 200 {\"action\":{\"status\":\"error\"}}; GET /actions/8; " ABSENT
		  "gone 1",
		  NULL, GONE },
		{ "not read", DELETING, "take 42; !gone 1", NO_READ, DELETING },
		{ "not read, but listed nowhere", DELETING, "take 42; " LOOK "!gone 1", NO_READ,
		  DELETING },
		{ "not read, but its action is over", DELETING, "take 42; GET /actions/7; !gone 1",
		  NO_READ, DELETING },
		{ "read by another step", DELETING, "take 42; SHARED /servers/42; !gone 1", NO_READ,
		  DELETING },
		{ "read by other steps, too", DELETING,
		  "take 42; SHARED /servers/42; SHARED /servers/42; !gone 1", NO_READ, DELETING },
		{ "read before the delete", PRESENT,
		  "answer GET /servers/42 404; " READ "heal; " PERMIT DELETE "deleting 1 7; !gone 1",
		  NO_READ, DELETING },
		{ "200", DELETING, READ "!gone 1", NO_READ, DELETING },
		{ "200 after 404", DELETING,
		  "answer GET /servers/42 404; " READ "heal; " READ "!gone 1", NO_READ, DELETING },
		{ "200 without it", DELETING, AS("200"), NO_READ, DELETING },
		{ "401", DELETING, AS("401"), NO_READ, DELETING },
		{ "403", DELETING, AS("403"), NO_READ, DELETING },
		{ "429", DELETING, AS("429"), NO_READ, DELETING },
		{ "500", DELETING, AS("500"), NO_READ, DELETING },
		{ "503 that says 404", DELETING,
		  "answer GET /servers/42 503 {\"error\":{\"code\":\"not_found\"}}; " READ "!gone 1",
		  NO_READ, DELETING },
		{ "lost", DELETING, "lose GET /servers/42; " READ "!gone 1", NO_READ, DELETING },
		{ "another id", DELETING, "take 42; GET /servers/43; !gone 1", NO_READ, DELETING },
		{ "the same id of another kind", DELETING, "take 42; GET /keys/42; !gone 1",
		  NO_READ, DELETING },
		{ "a path that is no exact read", DELETING, "take 42; GET /servers?id=42; !gone 1",
		  NO_READ, DELETING },
	};
	(void)state;

	TOY_CASES(&toy_table, STEP_CLEANUP, cases);
}

static void counts_requests(uint32_t start, const char *script, int calls, int is_sentinel_read)
{
	struct step *step;
	struct toy toy;

	toy_start_case(&toy, &toy_table, start);
	step = toy_play(&toy, STEP_CLEANUP, script);
	assert_int_equal(toy.rows[0].state, GONE);
	if (step->calls != calls ||
	    toy.last[CLAIM_GONE].evidence.is_sentinel_read != is_sentinel_read)
		fail_msg("%s: %d requests, sentinel read %d", script, step->calls,
			 toy.last[CLAIM_GONE].evidence.is_sentinel_read);
	assert_int_equal(toy.last[CLAIM_GONE].evidence.is_proof, 1);
	step_free(step);
	toy_stop(&toy);
}

/* The sentinel is read only if nothing else in the step proves the project. */
static void test_what_proves_the_project(void **state)
{
	(void)state;
	counts_requests(DELETING, ABSENT "gone 1", 2, 1);
	counts_requests(DELETING, "GET /actions/7; " ABSENT "gone 1", 2, 0);
	counts_requests(DELETING, "SHARED /actions/7; " ABSENT "gone 1", 3, 1);
	counts_requests(DELETING, "GET /actions/8; " ABSENT "gone 1", 3, 1);
	counts_requests(DELETING, "answer GET /actions/7 404; GET /actions/7; " ABSENT "gone 1", 3, 1);
	counts_requests(PRESENT, PERMIT DELETE "deleting 1; " READ "gone 1", 3, 0);
	counts_requests(PRESENT, ABSENT LOOK "gone 1", 4, 1);
	/* without an accepted delete of ours, an action proves nothing */
	counts_requests(DELETE_UNKNOWN, "GET /actions/7; " ABSENT LOOK "gone 1", 5, 1);
}

/* If deletes leave no action, the listings must agree. */
static void test_gone_where_deletes_leave_no_action(void **state)
{
	struct lessor_provider table = toy_table_without("read_action");
	static const struct toy_case cases[] = {
		{ "404 and listings", DELETING, ABSENT LOOK "gone 1", NULL, GONE },
		{ "404", DELETING, ABSENT "!gone 1", "without complete listings", DELETING },
		{ "404 and one listing", DELETING, ABSENT NAME "!gone 1", "without complete listings",
		  DELETING },
		{ "all in one step", PRESENT, PERMIT DELETE "deleting 1; " READ LOOK "gone 1", NULL, GONE },
		{ "listings before the delete", PRESENT,
		  LOOK PERMIT DELETE "deleting 1; " READ "!gone 1", "without complete listings", DELETING },
	};
	(void)state;

	TOY_CASES(&table, STEP_CLEANUP, cases);
	/* a list of actions is not an action that can be read */
	table = toy_table_copy();
	toy_action("read_action")->effect = LESSOR_LISTS;
	TOY_CASES(&table, STEP_CLEANUP, cases);
}

/*
 * ---- gone: without a delete of ours
 * ------------------------------------------------------------
 */

#define NOT_LISTED "without complete listings of this step that do not show it"
#define LOST PERMIT "lose DELETE /servers/42; " DELETE

static void test_gone_without_an_accepted_delete(void **state)
{
	static const struct toy_case cases[] = {
		{ "read and listed", PRESENT, ABSENT LOOK "gone 1", NULL, GONE },
		{ "listed and read", PRESENT, "take 42; " LOOK READ "gone 1", NULL, GONE },
		{ "after a delete without an outcome", DELETE_UNKNOWN, ABSENT LOOK "gone 1", NULL, GONE },
		{ "kept, and gone all the same", LESSOR_STATE_RETAINED, ABSENT LOOK "gone 1", NULL, GONE },
		{ "another thing has its name", PRESENT, ABSENT "put servers 43 toy-1; " LOOK "gone 1", NULL,
		  GONE },
		{ "not read", PRESENT, "take 42; " LOOK "!gone 1", NO_READ, PRESENT },
		{ "200", PRESENT, READ LOOK "!gone 1", NO_READ, PRESENT },
		{ "no listing", PRESENT, ABSENT "!gone 1", NOT_LISTED, PRESENT },
		{ "by name only", PRESENT, ABSENT NAME "!gone 1", NOT_LISTED, PRESENT },
		{ "by labels only", PRESENT, ABSENT LABELS "!gone 1", NOT_LISTED, PRESENT },
		{ "another step's listing", PRESENT,
		  ABSENT NAME "SHARED /servers?" TOY_LABELS "; !gone 1", NOT_LISTED, PRESENT },
		{ "half of the pages", PRESENT,
		  "put servers 50 toy-8; put servers 51 toy-9; " ABSENT NAME
		  "GET /servers?" TOY_LABELS "&per_page=1; !gone 1", NOT_LISTED, PRESENT },
		{ "a listing shows it", PRESENT,
		  "answer GET /servers/42 404; " READ LOOK "!gone 1", NOT_LISTED, PRESENT },
		{ "a listing shows it under another name", PRESENT,
		  "take 42; put servers 42 renamed; answer GET /servers/42 404; " READ LOOK "!gone 1",
		  NOT_LISTED, PRESENT },
		{ "a listing that failed", PRESENT,
		  "answer GET /servers?name=toy-1 503; " ABSENT LOOK "!gone 1", NOT_LISTED, PRESENT },
	};
	(void)state;

	TOY_CASES(&toy_table, STEP_CLEANUP, cases);
	TOY_CASES(&toy_table, STEP_RETAIN, cases);
}

/* The record settles the delete's outcome first: the proof of absence depends on it. */
static void test_gone_settles_the_delete_first(void **state)
{
	static const struct toy_case cases[] = {
		{ "lost", PRESENT, LOST READ LOOK "gone 1", NULL, GONE },
		{ "lost, and only read", PRESENT, LOST READ "!gone 1", NOT_LISTED, DELETE_UNKNOWN },
		{ "lost, and read before", PRESENT, LOST LOOK "!gone 1", NO_READ, DELETE_UNKNOWN },
		{ "accepted and not reported", PRESENT, PERMIT DELETE READ "!gone 1", NOT_LISTED,
		  DELETE_UNKNOWN },
		{ "accepted and not reported, but looked for", PRESENT, PERMIT DELETE READ LOOK "gone 1",
		  NULL, GONE },
		{ "404", PRESENT, PERMIT "take 42; " DELETE READ LOOK "gone 1", NULL, GONE },
		{ "404, and only read", PRESENT, PERMIT "take 42; " DELETE READ "!gone 1", NOT_LISTED,
		  PRESENT },
	};
	struct toy toy;
	(void)state;

	TOY_CASES(&toy_table, STEP_CLEANUP, cases);
	toy_start_case(&toy, &toy_table, PRESENT);
	step_free(toy_play(&toy, STEP_CLEANUP, LOST READ LOOK "gone 1"));
	assert_int_equal(toy.commits[CLAIM_DELETE_UNKNOWN], 1);
	assert_int_equal(toy.last[CLAIM_DELETE_UNKNOWN].evidence.outcome, EFFECT_UNKNOWN);
	toy_stop(&toy);
}

/* A plugin could once do this: the machine stayed, and no cleanup was owed. */
static void test_gone_without_any_request_is_not_believed(void **state)
{
	static const struct toy_case cases[] = {
		{ "deleting and gone, and no request", PRESENT, "!deleting 1; !gone 1", NO_PERMIT, PRESENT },
		{ "gone", PRESENT, "!gone 1", NO_READ, PRESENT },
		{ "a permit, no request, and deleting and gone", PRESENT, PERMIT "!deleting 1; !gone 1",
		  NOT_ACCEPTED, DELETE_UNKNOWN },
		{ "a permit, no request, and gone", PRESENT, PERMIT "!gone 1", NO_READ, PRESENT },
		{ "a refused permit, no request, and gone", PRESENT, "!permit 1; !gone 1", NO_READ,
		  PRESENT },
		{ "somebody else's absence", PRESENT, "GET /servers/43; " LOOK "!gone 1", NO_READ, PRESENT },
		{ "of a create without an outcome", LESSOR_STATE_UNKNOWN, LOOK "!gone 1", NULL,
		  LESSOR_STATE_UNKNOWN },
		{ "a row that is not there", PRESENT, "!gone 9", "not in this ledger", PRESENT },
	};
	(void)state;

	TOY_CASES(&toy_table, STEP_CLEANUP, cases);
}

static int gone_without_words(struct lessor_call *call, const struct lessor_lease *lease)
{
	(void)lease;
	assert_int_equal(lessor_gone(call, 1, ""), -1);
	assert_int_equal(lessor_gone(call, 1, NULL), -1);
	return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "x");
}

static void test_gone_says_why(void **state)
{
	struct toy toy;
	(void)state;

	toy_start_case(&toy, &toy_table, PRESENT);
	toy_violates(&toy, STEP_CLEANUP, gone_without_words, "gone without evidence");
	assert_int_equal(toy.commits[CLAIM_GONE], 0);
	toy_stop(&toy);
}

/* With a token of another project everything looks absent; that is no contract violation. */
static void test_gone_without_the_sentinel(void **state)
{
	static const struct toy_case cases[] = {
		{ "404", PRESENT, "take 77; " ABSENT LOOK "!gone 1", NULL, PRESENT },
		{ "401", PRESENT, "answer GET /marks/77 401; " ABSENT LOOK "!gone 1", NULL, PRESENT },
		{ "503", PRESENT, "answer GET /marks/77 503; " ABSENT LOOK "!gone 1", NULL, PRESENT },
		{ "lost", PRESENT, "lose GET /marks/77; " ABSENT LOOK "!gone 1", NULL, PRESENT },
		{ "not sent", PRESENT, "unsent GET /marks/77; " ABSENT LOOK "!gone 1", NULL, PRESENT },
		{ "another id", PRESENT,
		  "answer GET /marks/77 200 {\"mark\":{\"id\":78}}; " ABSENT LOOK "!gone 1", NULL, PRESENT },
		{ "gone since it was read", PRESENT, "GET /marks/77; " ABSENT LOOK "take 77; !gone 1", NULL,
		  PRESENT },
		{ "not asked, but read by the plugin before", PRESENT,
		  "GET /marks/77; " ABSENT LOOK "late; !gone 1", NULL, PRESENT },
		{ "not asked, but read by the plugin last", PRESENT,
		  ABSENT LOOK "GET /marks/77; late; gone 1", NULL, GONE },
		{ "an accepted delete, and no other proof", DELETING, "take 77; " ABSENT "!gone 1", NULL,
		  DELETING },
		{ "an accepted delete, and its action", DELETING, "take 77; GET /actions/7; " ABSENT "gone 1",
		  NULL, GONE },
	};
	struct lessor_provider table = toy_table;
	struct toy toy;
	(void)state;

	TOY_CASES(&toy_table, STEP_CLEANUP, cases);
	/* a provider without a sentinel has nothing to prove */
	table.probe = NULL;
	toy_start_case(&toy, &table, PRESENT);
	step_free(toy_play(&toy, STEP_CLEANUP, "take 77; " ABSENT LOOK "gone 1"));
	assert_int_equal(toy.rows[0].state, GONE);
	assert_int_equal(toy.last[CLAIM_GONE].evidence.is_sentinel_read, 0);
	toy_stop(&toy);
}

static void test_the_generation_is_passed_on(void **state)
{
	const struct claim_evidence *e;
	struct toy toy;
	(void)state;

	toy_start_case(&toy, &toy_table, PRESENT);
	toy_label(&toy, TOY_SENTINEL, LESSOR_LABEL_GEN, "41");
	toy_label(&toy, TOY_SENTINEL, LESSOR_LABEL_HOLDER, "0123456789abcdef0123456789abcdef");
	step_free(toy_play(&toy, STEP_CLEANUP, ABSENT LOOK "gone 1"));
	e = &toy.last[CLAIM_GONE].evidence;
	assert_int_equal(e->generation, 41);
	assert_string_equal(e->holder, "0123456789abcdef0123456789abcdef");
	assert_int_equal(e->is_absent, 1);
	toy_stop(&toy);
}

/* ---- providers with I/O of their own ---------------------------------------------------------------- */

/* Without a record the plugin's reports are accepted, and what it does not report is unknown. */
static void test_own_io_is_taken_at_its_word(void **state)
{
	static const struct toy_case provision[] = {
		{ "created", 0, "intend server; created 1 42", NULL, PRESENT },
		{ "not created", 0, "intend server; not_created 1", NULL,
		  LESSOR_STATE_NEVER_EXISTED },
		{ "silent", 0, "intend server", "its outcome was not reported",
		  LESSOR_STATE_UNKNOWN },
		{ "not seen", LESSOR_STATE_UNKNOWN, "not_seen 1", NULL, LESSOR_STATE_NEVER_EXISTED },
		{ "found", LESSOR_STATE_UNKNOWN, "adopt server 42 toy-1", NULL, PRESENT },
		{ "ready", PRESENT, "ready 42 toy-1", NULL, PRESENT },
		{ "ready without a row", 0, "ready 42 toy-1", "which is not in the ledger", 0 },
	};
	static const struct toy_case cleanup[] = {
		{ "deleting", PRESENT, "permit 1 42; deleting 1", NULL, DELETING },
		{ "deleting and gone", PRESENT, "permit 1 42; deleting 1; gone 1", NULL, GONE },
		{ "not deleted", PRESENT, "permit 1 42; still_there 1", NULL, PRESENT },
		{ "unknown", PRESENT, "permit 1 42; delete_unknown 1", NULL, DELETE_UNKNOWN },
		{ "silent", PRESENT, "permit 1 42", NULL, DELETE_UNKNOWN },
		{ "vanished", PRESENT, "gone 1", NULL, GONE },
		{ "gone after a delete that it did not report", PRESENT, "permit 1 42; gone 1", NULL, GONE },
		{ "what it read is another thing", PRESENT, "!permit 1 43", NULL, PRESENT },
		{ "without a permit", PRESENT, "!deleting 1", NO_PERMIT, PRESENT },
		{ "a request", PRESENT, "permit 1 42; !" DELETE, "declares no http_auth", DELETE_UNKNOWN },
	};
	(void)state;

	TOY_CASES(&toy_own_io_table, STEP_PROVISION, provision);
	TOY_CASES(&toy_own_io_table, STEP_CLEANUP, cleanup);
}

/* A plugin that sends requests through the host needs their evidence, whatever else it declares. */
static void test_own_io_beside_the_hosts_http(void **state)
{
	struct lessor_provider table = toy_table;
	static const struct toy_case cases[] = {
		{ "gone", PRESENT, "!gone 1", NO_READ, PRESENT },
		{ "deleting", PRESENT, PERMIT "!deleting 1", NOT_ACCEPTED, DELETE_UNKNOWN },
		{ "permit", PRESENT, "!permit 1 42", NULL, PRESENT },
	};
	(void)state;

	table.capabilities |= LESSOR_OWN_IO;
	TOY_CASES(&table, STEP_CLEANUP, cases);
}

static void test_own_io_evidence(void **state)
{
	struct step *step;
	struct toy toy;
	(void)state;

	toy_start_case(&toy, &toy_own_io_table, PRESENT);
	step_free(toy_play(&toy, STEP_CLEANUP, "permit 1 42; deleting 1; gone 1"));
	assert_int_equal(toy.last[CLAIM_PERMIT].evidence.is_own_io, 1);
	assert_int_equal(toy.last[CLAIM_PERMIT].evidence.is_read, 1);
	assert_string_equal(toy.last[CLAIM_PERMIT].name, "a-lie");
	assert_int_equal(toy.last[CLAIM_GONE].evidence.is_own_io, 1);
	assert_int_equal(toy.last[CLAIM_GONE].evidence.is_proof, 1);
	assert_int_equal(toy.last[CLAIM_GONE].evidence.is_sentinel_read, 0);
	assert_int_equal(toy.sent_count, 0);
	toy_stop(&toy);
	/* a permitted effect without a report is unknown, a change as well */
	toy_start_case(&toy, &toy_own_io_table, LESSOR_STATE_RETAINED);
	step = toy_play(&toy, STEP_RETAIN, "protect 1 42");
	assert_int_equal(step->violation, 0);
	step_free(step);
	assert_int_equal(toy.last[CLAIM_CHANGED].evidence.is_own_io, 1);
	assert_int_equal(toy.last[CLAIM_CHANGED].evidence.outcome, EFFECT_UNKNOWN);
	assert_int_equal(toy.last[CLAIM_CHANGED].evidence.is_seen, 0);
	toy_stop(&toy);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(test_deleting),
		T(test_deleting_by_another_rows_answer),
		T(test_delete_unknown),
		T(test_deletes_that_end_without_a_report),
		T(test_still_there),
		T(test_gone_after_an_accepted_delete),
		T(test_what_proves_the_project),
		T(test_gone_where_deletes_leave_no_action),
		T(test_gone_without_an_accepted_delete),
		T(test_gone_settles_the_delete_first),
		T(test_gone_without_any_request_is_not_believed),
		T(test_gone_says_why),
		T(test_gone_without_the_sentinel),
		T(test_the_generation_is_passed_on),
		T(test_own_io_is_taken_at_its_word),
		T(test_own_io_beside_the_hosts_http),
		T(test_own_io_evidence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
