/* SPDX-License-Identifier: MIT */
/* What permits a delete or a change, and what a permit does not allow. */
#include "toy.h"

#include <stdio.h>

#define PRESENT LESSOR_STATE_PRESENT
#define DELETING LESSOR_STATE_DELETING
#define RETAINED LESSOR_STATE_RETAINED
#define READ "GET /servers/42; "
#define PERMIT READ "permit 1; "
#define KEY_ROW "intend key; POST /keys 2; created 2 k-4711; "

static int sent_of(const struct toy *toy, const char *method)
{
	int count = 0;

	for (int i = 0; i < toy->sent_count; i++)
		count += strcmp(toy->sent[i].method, method) == 0;
	return count;
}

/* ---- permit_delete --------------------------------------------------------------------- */

/* Only the exact read of the last request counts, not the plugin's copy. */
static void test_permit_delete(void **state)
{
	static const struct toy_case cases[] = {
		{ "read", PRESENT, PERMIT "DELETE /servers/42 1; deleting 1 7", NULL, DELETING },
		{ "read, with a query", PRESENT,
		  "GET /servers/42?all=1; permit 1; DELETE /servers/42 1; deleting 1 7", NULL, DELETING },
		{ "read a second time", PRESENT,
		  READ "GET /servers; !permit 1; " PERMIT "DELETE /servers/42 1; deleting 1 7", NULL,
		  DELETING },
		{ "not read", PRESENT, "!permit 1", NULL, PRESENT },
		{ "not read, whatever the plugin says", PRESENT, "!permit 1 42", NULL, PRESENT },
		{ "another step's read", PRESENT, "SHARED /servers/42; !permit 1", NULL, PRESENT },
		{ "a read that others were given, too", PRESENT,
		  "SHARED /servers/42; SHARED /servers/42; !permit 1", NULL, PRESENT },
		{ "listed", PRESENT, "GET /servers; !permit 1", NULL, PRESENT },
		{ "another id", PRESENT, "put servers 43 toy-1; GET /servers/43; !permit 1", NULL, PRESENT },
		{ "the same id of another kind", PRESENT, "put keys 42 toy-1; GET /keys/42; !permit 1",
		  NULL, PRESENT },
		{ "read, and then another request", PRESENT, READ "GET /actions/7; !permit 1", NULL,
		  PRESENT },
		{ "read, and then another step's answer", PRESENT, READ "SHARED /servers/42; !permit 1",
		  NULL, PRESENT },
		{ "an answer about another id", PRESENT,
		  "answer GET /servers/42 200 {\"server\":{\"id\":43,\"name\":\"toy-1\"}}; "
		  READ "!permit 1 42", NULL, PRESENT },
		{ "an answer without an id", PRESENT,
		  "answer GET /servers/42 200 {\"server\":{\"name\":\"toy-1\"}}; " READ "!permit 1 42", NULL,
		  PRESENT },
		{ "an answer with the id elsewhere", PRESENT,
		  "answer GET /servers/42 200 {\"id\":42,\"server\":{}}; " READ "!permit 1 42", NULL,
		  PRESENT },
		{ "no answer", PRESENT, "lose GET /servers/42; " READ "!permit 1", NULL, PRESENT },
		{ "404", PRESENT, "take 42; " READ "!permit 1", NULL, PRESENT },
		{ "500 that shows it", PRESENT,
		  "answer GET /servers/42 500 {\"server\":{\"id\":42}}; " READ "!permit 1", NULL, PRESENT },
		{ "read before the last delete", PRESENT,
		  PERMIT "lose DELETE /servers/42; DELETE /servers/42 1; delete_unknown 1; !permit 1", NULL,
		  LESSOR_STATE_DELETE_UNKNOWN },
		{ "read before the last delete and after it", PRESENT,
		  PERMIT "answer DELETE /servers/42 504; DELETE /servers/42 1; delete_unknown 1; "
		  "heal; " PERMIT "DELETE /servers/42 1; deleting 1", NULL, DELETING },
		{ "a row that is not there", PRESENT, READ "!permit 9", "not in this ledger", PRESENT },
	};
	static const struct toy_case elsewhere[] = {
		{ "where nothing is deleted", PRESENT, READ "!permit 1",
		  "in an operation that may not make this claim", PRESENT },
	};
	(void)state;

	TOY_CASES(&toy_table, STEP_CLEANUP, cases);
	TOY_CASES(&toy_table, STEP_PROVISION, cases);
	TOY_CASES(&toy_table, STEP_INSPECT, elsewhere);
	TOY_CASES(&toy_table, STEP_RETAIN, elsewhere);
}

/* On a shared store: who holds the account by now is read between the resource and its permit. */
static void test_the_holder_is_read_before_a_permit(void **state)
{
	const struct claim_evidence *e;
	struct toy toy;
	(void)state;

	toy_start_case(&toy, &toy_table, PRESENT);
	toy.is_shared = 1;
	toy_label(&toy, TOY_SENTINEL, LESSOR_LABEL_GEN, "12");
	toy_label(&toy, TOY_SENTINEL, LESSOR_LABEL_HOLDER, "abcdef");
	step_free(toy_play(&toy, STEP_CLEANUP, PERMIT "DELETE /servers/42 1; deleting 1 7"));
	assert_int_equal(toy.sent_count, 3);
	assert_string_equal(toy.sent[1].url, "https://api.toy.example/v1/marks/77");
	e = &toy.last[CLAIM_PERMIT].evidence;
	assert_int_equal(e->is_read && e->is_sentinel_read && !e->is_unproven, 1);
	assert_int_equal(e->generation, 12);
	assert_string_equal(e->holder, "abcdef");
	toy_stop(&toy);
	/* It could not be read: the gate is told. */
	toy_start_case(&toy, &toy_table, PRESENT);
	toy.is_shared = 1;
	step_free(toy_play(&toy, STEP_CLEANUP, "lose GET /marks/77; " PERMIT));
	assert_int_equal(e->is_read && !e->is_sentinel_read && e->is_unproven, 1);
	toy_stop(&toy);
	/* Nobody else can use the store. */
	toy_start_case(&toy, &toy_table, PRESENT);
	step_free(toy_play(&toy, STEP_CLEANUP, PERMIT "DELETE /servers/42 1; deleting 1 7"));
	assert_int_equal(toy.sent_count, 2);
	assert_int_equal(e->is_sentinel_read || e->is_unproven, 0);
	toy_stop(&toy);
}

/* What was permitted or intended never becomes durable: nothing is sent, however often. */
static void test_nothing_is_sent_for_an_account_that_has_moved(void **state)
{
	static const struct {
		enum step_op op;
		const char *script;
	} cases[] = {
		{ STEP_CLEANUP, PERMIT "moved; DELETE /servers/42 1; DELETE /servers/42 1; " READ },
		{ STEP_PROVISION, READ "intend key; moved; POST /keys 2; POST /keys 2; " READ },
	};
	struct toy toy;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		toy_start_case(&toy, &toy_table, PRESENT);
		step_free(toy_play(&toy, cases[i].op, cases[i].script));
		assert_int_equal(toy.sent_count, 1);
		toy_stop(&toy);
	}
}

/* The gate checks the response; the plugin's copy is ignored. */
static void test_a_permit_is_judged_by_the_answer(void **state)
{
	const struct toy_claim *claim;
	struct toy toy;
	(void)state;

	toy_start_case(&toy, &toy_table, PRESENT);
	claim = &toy.last[CLAIM_PERMIT];
	toy_label(&toy, "42", LESSOR_LABEL_RETAIN, "3");
	toy_protect(&toy, "42", 1);
	step_free(toy_play(&toy, STEP_CLEANUP, READ "permit 1 666"));
	assert_int_equal(claim->row, 1);
	assert_int_equal(claim->evidence.is_read, 1);
	assert_int_equal(claim->evidence.is_seen, 1);
	assert_string_equal(claim->id, "42");
	assert_string_equal(claim->name, "toy-1");
	assert_string_equal(claim->labels, "lessor-instance=" TOY_INSTANCE " lessor-lease=" TOY_LEASE
			    " lessor-attempt=1 lessor-kind=server lessor-sig=signed team=blue lessor-retain=3");
	assert_int_equal(claim->evidence.seen.protection, LESSOR_PROTECTION_ON);
	toy_stop(&toy);
	/* seen, but not last: the engine is asked, and refuses */
	toy_start_case(&toy, &toy_table, PRESENT);
	step_free(toy_play(&toy, STEP_CLEANUP, READ "GET /actions/7; !permit 1"));
	assert_int_equal(claim->evidence.is_read, 0);
	assert_int_equal(claim->evidence.is_seen, 1);
	toy_stop(&toy);
	/* nothing usable was seen */
	toy_start_case(&toy, &toy_table, PRESENT);
	step_free(toy_play(&toy, STEP_CLEANUP, "SHARED /servers/42; !permit 1 42"));
	assert_int_equal(claim->evidence.is_seen, 0);
	assert_string_equal(claim->id, "");
	toy_stop(&toy);
}

/* ---- the delete --------------------------------------------------------------------------- */

static void test_a_delete_needs_its_permit(void **state)
{
	static const struct toy_case cases[] = {
		{ "by DELETE", PRESENT, PERMIT "DELETE /servers/42 1; deleting 1 7", NULL,
		  DELETING },
		{ "by POST", PRESENT, PERMIT "POST /servers/42/destroy 1; deleting 1 7", NULL,
		  DELETING },
		{ "by GET", PRESENT, PERMIT "EFFECT /servers/42/terminate 1; deleting 1 7", NULL,
		  DELETING },
		{ "with a read between", PRESENT,
		  PERMIT "GET /actions/7; DELETE /servers/42 1; deleting 1 7", NULL, DELETING },
		{ "no permit", PRESENT, READ "!DELETE /servers/42 1", "without a permit", PRESENT },
		{ "no permit, by POST", PRESENT, READ "!POST /servers/42/destroy 1",
		  "without a permit", PRESENT },
		{ "no permit, by GET", PRESENT, READ "!EFFECT /servers/42/terminate 1",
		  "without a permit", PRESENT },
		{ "by GET, without a row", PRESENT, READ "!EFFECT /servers/42/terminate",
		  "for no row", PRESENT },
		{ "a permit that was refused", PRESENT, "!permit 1; !DELETE /servers/42 1",
		  "without a permit", PRESENT },
		{ "twice", PRESENT,
		  PERMIT "DELETE /servers/42 1; !DELETE /servers/42 1; deleting 1 7",
		  "its permit was already used", DELETING },
		{ "twice, in two ways", PRESENT,
		  PERMIT "POST /servers/42/destroy 1; !DELETE /servers/42 1; deleting 1 7",
		  "its permit was already used", DELETING },
		{ "twice, after an answer that was lost", PRESENT,
		  PERMIT "lose DELETE /servers/42; DELETE /servers/42 1; !DELETE /servers/42 1",
		  "its permit was already used", LESSOR_STATE_DELETE_UNKNOWN },
		{ "twice, though it was not sent", PRESENT,
		  PERMIT "unsent DELETE /servers/42; DELETE /servers/42 1; !DELETE /servers/42 1",
		  "its permit was already used", PRESENT },
		{ "permitted twice", PRESENT,
		  PERMIT "permit 1; DELETE /servers/42 1; !DELETE /servers/42 1; deleting 1",
		  "its permit was already used", DELETING },
		{ "a permit that was given back for another", PRESENT,
		  PERMIT "unprotect 1; !DELETE /servers/42 1", "without a permit", PRESENT },
		{ "another collection", PRESENT, "put keys 42 x; " PERMIT "!DELETE /keys/42 1",
		  "for a row of another kind", PRESENT },
		{ "another id", PRESENT, "put servers 43 x; " PERMIT "!DELETE /servers/43 1",
		  "for a row of another id", PRESENT },
		{ "a longer id", PRESENT, "put servers 422 x; " PERMIT "!DELETE /servers/422 1",
		  "for a row of another id", PRESENT },
		{ "a shorter id", PRESENT, "put servers 4 x; " PERMIT "!DELETE /servers/4 1",
		  "for a row of another id", PRESENT },
		{ "an id in the query", PRESENT,
		  "put servers 43 x; " PERMIT "!DELETE /servers/43?/servers/42 1",
		  "for a row of another id", PRESENT },
		{ "an escaped id", PRESENT, PERMIT "!DELETE /servers/%34%32 1",
		  "for a row of another id", PRESENT },
		{ "all of them", PRESENT, PERMIT "!DELETE /servers 1",
		  "none of its declared actions", PRESENT },
		{ "by name", PRESENT, PERMIT "!DELETE /servers?name=toy-1 1",
		  "none of its declared actions", PRESENT },
		{ "a part of it", PRESENT, PERMIT "!DELETE /servers/42/volumes 1",
		  "none of its declared actions", PRESENT },
		{ "a slash behind it", PRESENT, PERMIT "!DELETE /servers/42/ 1",
		  "none of its declared actions", PRESENT },
		{ "no row", PRESENT, PERMIT "!DELETE /servers/42 0", "for no row", PRESENT },
		{ "a row that is not there", PRESENT, PERMIT "!DELETE /servers/42 9", "for no row",
		  PRESENT },
	};
	(void)state;

	TOY_CASES(&toy_table, STEP_CLEANUP, cases);
}

/* A permit for one row allows nothing for another. */
static void test_a_permit_is_of_one_row(void **state)
{
	static const struct toy_case cases[] = {
		{ "another row's id", PRESENT, KEY_ROW PERMIT "!DELETE /keys/k-4711 2", "without a permit",
		  PRESENT },
		{ "another row's id, with the permitted row", PRESENT,
		  KEY_ROW PERMIT "!DELETE /keys/k-4711 1", "for a row of another kind", PRESENT },
		{ "both", PRESENT,
		  KEY_ROW PERMIT "GET /keys/k-4711; permit 2; DELETE /keys/k-4711 2; deleting 2; "
		  "DELETE /servers/42 1; deleting 1 7", NULL, DELETING },
	};
	struct step *step;
	struct toy toy;
	(void)state;

	TOY_CASES(&toy_table, STEP_PROVISION, cases);
	/* a resource that this lease did not create */
	toy_start_case(&toy, &toy_table, PRESENT);
	toy.rows[0].ours = 0;
	step = toy_play(&toy, STEP_CLEANUP, PERMIT "!DELETE /servers/42 1");
	assert_non_null(strstr(step->reason, "for no row that this lease created"));
	step_free(step);
	assert_int_equal(sent_of(&toy, "DELETE"), 0);
	/* a permit does not outlive its step */
	toy.rows[0].ours = 1;
	toy.rows[0].state = LESSOR_STATE_DELETE_AUTHORIZED;
	step = toy_play(&toy, STEP_CLEANUP, READ "!DELETE /servers/42 1");
	assert_non_null(strstr(step->reason, "without a permit"));
	step_free(step);
	assert_int_equal(sent_of(&toy, "DELETE"), 0);
	toy_stop(&toy);
}

/* An action without {id} names no object. The loader rejects it as well. */
static void test_a_delete_names_an_id(void **state)
{
	static const struct toy_case cases[] = {
		{ "all", PRESENT, PERMIT "!DELETE /servers 1", "a delete that names no id", PRESENT },
		{ "by query", PRESENT, PERMIT "!DELETE /servers?id=42 1", "a delete that names no id",
		  PRESENT },
	};
	struct lessor_provider table = toy_table_copy();
	(void)state;

	toy_action("delete_server")->path = "/servers";
	TOY_CASES(&table, STEP_CLEANUP, cases);
}

/* The action determines the effect, not the method or a flag of the request. */
static void test_no_method_is_harmless(void **state)
{
	struct lessor_provider table = toy_table_copy();
	static const struct toy_case cases[] = {
		{ "a POST that reads", PRESENT, "POST /servers/42/actions/poweron", NULL, PRESENT },
		{ "a GET that makes", PRESENT, "!EFFECT /servers/42 1", "without an intent of this step",
		  PRESENT },
	};
	(void)state;

	toy_action("poweron_server")->effect = LESSOR_READS;
	toy_action("read_server")->effect = LESSOR_MAKES;
	toy_action("read_server")->path = "/servers/{server}";
	TOY_CASES(&table, STEP_PROVISION, cases);
}

/* ---- an intent allows only its create -------------------------------------------------------- */

static void test_an_intent_opens_no_path_of_somebody_elses(void **state)
{
	static const char *const requests[] = {
		/* not a declared action, or another row's id */
		"POST /servers/42/actions/poweroff",
		"POST /servers/42/actions/poweron",
		"POST /servers/42/actions/rebuild",
		"POST /servers/42/actions/protect",
		"POST /servers/42/destroy",
		"POST /servers/42",
		"PUT /servers/42",
		"DELETE /servers/42",
		"EFFECT /servers/42/terminate",
		"POST /keys",
		"PUT /servers",
		"POST /servers/",
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		char script[200];
		struct step *step;
		struct toy toy;

		toy_start(&toy, 0);
		toy_put(&toy, "servers", "42", "somebody-elses");
		snprintf(script, sizeof(script), "intend server; !%s 1; !%s 0", requests[i], requests[i]);
		step = toy_play(&toy, STEP_PROVISION, script);
		assert_int_equal(step->violation, 1);
		assert_int_equal(step->calls, 0);
		step_free(step);
		assert_int_equal(toy.sent_count, 0);
		assert_int_equal(toy.object_count, 1);
		toy_stop(&toy);
	}
}

/* ---- changes ----------------------------------------------------------------------------------- */

static void test_changes_while_it_is_provisioned(void **state)
{
	static const struct toy_case cases[] = {
		{ "several of one row", PRESENT,
		  "POST /servers/42/actions/poweron 1; PUT /servers/42 1; "
		  "POST /servers/42/actions/poweron 1; PUT /servers/42 1",
		  NULL, PRESENT },
		{ "of what was just made", 0,
		  "intend server; POST /servers 1; created 1 4711; PUT /servers/4711 1; "
		  "POST /servers/4711/actions/poweron 1",
		  NULL, PRESENT },
		{ "of what is not made yet", 0, "intend server; !PUT /servers/4711 1",
		  "for a row of another id", LESSOR_STATE_NEVER_EXISTED },
		{ "of somebody else's", PRESENT, "put servers 43 x; !PUT /servers/43 1",
		  "for a row of another id", PRESENT },
		{ "of what is being deleted", DELETING, "!PUT /servers/42 1",
		  "without a permit for a change", DELETING },
		{ "of its protection", PRESENT, "!POST /servers/42/actions/protect 1",
		  "without a permit for a change of its protection", PRESENT },
	};
	static const struct toy_case elsewhere[] = {
		{ "labels", PRESENT, READ "!PUT /servers/42 1", "without a permit for a change",
		  PRESENT },
		{ "power", PRESENT, READ "!POST /servers/42/actions/poweron 1",
		  "without a permit for a change", PRESENT },
		{ "protection", PRESENT, READ "!POST /servers/42/actions/protect 1",
		  "without a permit for a change of its protection", PRESENT },
	};
	(void)state;

	TOY_CASES(&toy_table, STEP_PROVISION, cases);
	TOY_CASES(&toy_table, STEP_CLEANUP, elsewhere);
	TOY_CASES(&toy_table, STEP_RETAIN, elsewhere);
	TOY_CASES(&toy_table, STEP_INSPECT, elsewhere);
}

static void test_permit_change(void **state)
{
	static const struct toy_case cases[] = {
		{ "labels", RETAINED, READ "label 1; PUT /servers/42 1; " READ, NULL, RETAINED },
		{ "protection", RETAINED,
		  READ "protect 1; POST /servers/42/actions/protect 1; " READ, NULL, RETAINED },
		{ "one after the other", RETAINED,
		  READ "label 1; PUT /servers/42 1; " READ
		       "protect 1; POST /servers/42/actions/protect 1; " READ
		       "label 1; PUT /servers/42 1; " READ,
		  NULL, RETAINED },
		{ "labels twice", RETAINED, READ "label 1; PUT /servers/42 1; !PUT /servers/42 1",
		  "its permit was already used", RETAINED },
		{ "protection twice", RETAINED,
		  READ
		  "protect 1; POST /servers/42/actions/protect 1; !POST /servers/42/actions/protect 1",
		  "its permit was already used", RETAINED },
		{ "protection with a permit for labels", RETAINED,
		  READ "label 1; !POST /servers/42/actions/protect 1",
		  "without a permit for a change of its protection", RETAINED },
		{ "labels with a permit for protection", RETAINED,
		  READ "protect 1; !PUT /servers/42 1", "without a permit for a change", RETAINED },
		{ "a delete", RETAINED, READ "protect 1; !DELETE /servers/42 1", "without a permit",
		  RETAINED },
		{ "another id", RETAINED, "put servers 43 x; " READ "label 1; !PUT /servers/43 1",
		  "for a row of another id", RETAINED },
		{ "not read", RETAINED, "!label 1", NULL, RETAINED },
		{ "another step's read", RETAINED, "SHARED /servers/42; !protect 1 42", NULL,
		  RETAINED },
		{ "read, and then another request", RETAINED, READ "GET /actions/7; !label 1", NULL,
		  RETAINED },
		{ "an answer about another id", RETAINED,
		  "answer GET /servers/42 200 {\"server\":{\"id\":43}}; " READ "!label 1 42", NULL,
		  RETAINED },
		{ "read before the last change", RETAINED,
		  READ "label 1; PUT /servers/42 1; !protect 1", NULL, RETAINED },
		{ "a row that is not there", RETAINED, READ "!label 9", "not in this ledger",
		  RETAINED },
	};
	static const struct toy_case cleanup[] = {
		{ "lifting", PRESENT,
		  READ "unprotect 1; PUT /servers/42 1; POST /servers/42/actions/protect 1; " READ,
		  NULL, PRESENT },
		{ "lifting, and then the delete", PRESENT,
		  READ "unprotect 1; PUT /servers/42 1; POST /servers/42/actions/protect 1; " PERMIT
		       "DELETE /servers/42 1; deleting 1 7",
		  NULL, DELETING },
		{ "lifting twice", PRESENT,
		  READ "unprotect 1; PUT /servers/42 1; POST /servers/42/actions/protect 1; "
		       "!POST /servers/42/actions/protect 1; " READ,
		  "its permit was already used", PRESENT },
		{ "labels twice while lifting", PRESENT,
		  READ "unprotect 1; PUT /servers/42 1; !PUT /servers/42 1",
		  "its permit was already used", PRESENT },
		{ "lifting, and its answer lost", PRESENT,
		  READ "unprotect 1; PUT /servers/42 1; lose POST /servers/42/actions/protect; "
		       "POST /servers/42/actions/protect 1",
		  NULL, LESSOR_STATE_UNPROTECT_UNKNOWN },
		{ "lifting before its labels are written", PRESENT,
		  READ "unprotect 1; !POST /servers/42/actions/protect 1",
		  "its labels have not been written yet", PRESENT },
		{ "a delete in its stead", PRESENT, READ "unprotect 1; !DELETE /servers/42 1",
		  "without a permit", PRESENT },
		{ "lifting with the permit to delete", PRESENT,
		  PERMIT "!POST /servers/42/actions/protect 1",
		  "without a permit for a change of its protection", PRESENT },
	};
	(void)state;

	TOY_CASES(&toy_table, STEP_RETAIN, cases);
	TOY_CASES(&toy_table, STEP_CLEANUP, cleanup);
}

#define PROTECT "protect 1; POST /servers/42/actions/protect 1; "
#define ON LESSOR_PROTECTION_ON
#define OFF LESSOR_PROTECTION_OFF
#define NOT_READ LESSOR_PROTECTION_UNKNOWN

/* Changes of a machine that is being provisioned use up no permit. */
static void test_permit_change_after_changes_without_one(void **state)
{
	static const struct toy_case cases[] = {
		{ "labels", PRESENT, "PUT /servers/42 1; " READ "label 1; PUT /servers/42 1; " READ, NULL,
		  PRESENT },
	};
	(void)state;

	TOY_CASES(&toy_table, STEP_PROVISION, cases);
}

/* The response and the read after it determine the outcome of a change. */
static void test_changes_are_judged_by_the_read_after(void **state)
{
	static const struct {
		const char *script;
		enum effect_outcome outcome;
		uint32_t protection;
	} cases[] = {
		{ READ PROTECT READ, EFFECT_ACCEPTED, ON },
		{ READ PROTECT, EFFECT_ACCEPTED, NOT_READ },
		{ READ PROTECT "SHARED /servers/42", EFFECT_ACCEPTED, NOT_READ },
		{ READ "protect 1", EFFECT_NOT_SENT, OFF },
		{ "unsent POST /servers/42/actions/protect; " READ PROTECT, EFFECT_NOT_SENT, NOT_READ },
		{ "lose POST /servers/42/actions/protect; " READ PROTECT READ, EFFECT_UNKNOWN, ON },
		{ "answer POST /servers/42/actions/protect 423; " READ PROTECT READ, EFFECT_REFUSED, OFF },
		{ "answer POST /servers/42/actions/protect 500; " READ PROTECT READ, EFFECT_UNKNOWN, OFF },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct toy_claim *claim;
		struct toy toy;

		toy_start_case(&toy, &toy_table, RETAINED);
		step_free(toy_play(&toy, STEP_RETAIN, cases[i].script));
		claim = &toy.last[CLAIM_CHANGED];
		assert_int_equal(toy.commits[CLAIM_CHANGED], 1);
		assert_int_equal(claim->change, LESSOR_CHANGE_PROTECT);
		if (claim->evidence.outcome != cases[i].outcome ||
		    claim->evidence.seen.protection != cases[i].protection ||
		    claim->evidence.is_seen != (cases[i].protection != NOT_READ))
			fail_msg("%s: outcome %d, seen %d", cases[i].script, claim->evidence.outcome,
				 claim->evidence.is_seen);
		toy_stop(&toy);
	}
}

/* While a protection is lifted, both requests count separately. */
static void test_lifting_tells_of_the_labels_too(void **state)
{
	static const char lift[] = READ "unprotect 1; PUT /servers/42 1; "
				   "POST /servers/42/actions/protect 1; " READ;
	const struct toy_claim *claim;
	struct toy toy;
	(void)state;

	toy_start_case(&toy, &toy_table, PRESENT);
	toy_protect(&toy, "42", 1);
	labels_add(&toy.set, LESSOR_LABEL_RETAIN, "4");
	step_free(toy_play(&toy, STEP_CLEANUP, lift));
	claim = &toy.last[CLAIM_CHANGED];
	assert_int_equal(claim->change, LESSOR_CHANGE_UNPROTECT);
	assert_int_equal(claim->evidence.outcome, EFFECT_ACCEPTED);
	assert_int_equal(claim->evidence.is_labelled, 1);
	assert_int_equal(claim->evidence.seen.protection, LESSOR_PROTECTION_OFF);
	assert_non_null(strstr(claim->labels, "lessor-retain=4"));
	toy_stop(&toy);
	/* the labels were refused: nothing is lifted */
	toy_start_case(&toy, &toy_table, PRESENT);
	toy_answer(&toy, "PUT", "/servers/42", 422, NULL);
	step_free(toy_play(&toy, STEP_CLEANUP, READ "unprotect 1; PUT /servers/42 1; "
			   "!POST /servers/42/actions/protect 1; " READ));
	assert_int_equal(claim->evidence.outcome, EFFECT_NOT_SENT);
	assert_int_equal(claim->evidence.is_labelled, 0);
	toy_stop(&toy);
}

/* All labels that are required: those of others, and those of the host. */
static void test_labels_of_others_are_kept(void **state)
{
	static const char script[] = READ "label 1; PUT /servers/42 1; " READ;
	struct toy toy;
	(void)state;

	toy_start_case(&toy, &toy_table, RETAINED);
	toy_label(&toy, "42", LESSOR_LABEL_RETAIN, "2");
	labels_add(&toy.set, LESSOR_LABEL_RETAIN, "3");
	labels_add(&toy.set, "lessor-new", "x");
	step_free(toy_play(&toy, STEP_RETAIN, script));
	assert_string_equal(toy.last[CLAIM_CHANGED].labels,
			    "lessor-instance=" TOY_INSTANCE " lessor-lease=" TOY_LEASE " lessor-attempt=1 "
			    "lessor-kind=server lessor-sig=signed team=blue lessor-retain=3 lessor-new=x");
	/* the labels are there already: nothing is sent */
	toy.sent_count = 0;
	step_free(toy_play(&toy, STEP_RETAIN, READ "=label 1"));
	assert_int_equal(toy.sent_count, 1);
	assert_int_equal(toy.commits[CLAIM_CHANGED], 1);
	step_free(toy_play(&toy, STEP_RETAIN, READ "=label 1; !PUT /servers/42 1"));
	assert_int_equal(sent_of(&toy, "PUT"), 0);
	/* one of them differs */
	toy_label(&toy, "42", "lessor-new", "y");
	step_free(toy_play(&toy, STEP_RETAIN, script));
	assert_int_equal(sent_of(&toy, "PUT"), 1);
	/* the engine requires no change */
	toy.nothing_to_change = 1;
	step_free(toy_play(&toy, STEP_RETAIN, READ "=label 1; " READ "=protect 1"));
	toy_stop(&toy);
}

/* When lifting a protection, labels that are there already do not end the change. */
static void test_lifting_with_nothing_to_label(void **state)
{
	struct toy toy;
	(void)state;

	toy_start_case(&toy, &toy_table, PRESENT);
	toy_label(&toy, "42", LESSOR_LABEL_RETAIN, "3");
	labels_add(&toy.set, LESSOR_LABEL_RETAIN, "3");
	step_free(toy_play(&toy, STEP_CLEANUP, READ "unprotect 1; PUT /servers/42 1; "
			   "POST /servers/42/actions/protect 1; " READ));
	assert_int_equal(toy.commits[CLAIM_CHANGED], 1);
	toy_stop(&toy);
}

static void test_the_sentinel_is_changed_like_the_rest(void **state)
{
	struct toy toy;
	(void)state;

	toy_start(&toy, 0);
	toy.is_account = 1;
	toy_row(&toy, LESSOR_KIND_SENTINEL, PRESENT, TOY_SENTINEL);
	toy_put(&toy, "marks", TOY_SENTINEL, "toy-1");
	labels_add(&toy.set, LESSOR_LABEL_GEN, "9");
	step_free(toy_play(&toy, STEP_PROBE, "GET /marks/77; label 1; PUT /marks/77 1; GET /marks/77"));
	assert_int_equal(toy.last[CLAIM_CHANGED].evidence.outcome, EFFECT_ACCEPTED);
	assert_non_null(strstr(toy.last[CLAIM_CHANGED].labels, "lessor-gen=9"));
	step_free(toy_play(&toy, STEP_PROBE, "GET /marks/77; !PUT /marks/77 1"));
	assert_int_equal(sent_of(&toy, "PUT"), 1);
	toy_stop(&toy);
}

static int odd_changes(struct lessor_call *call, const struct lessor_lease *lease)
{
	struct lessor_change change = { .size = sizeof(change) };

	(void)lease;
	assert_int_equal(lessor_permit_change(call, 1, LESSOR_CHANGE_LABELS, NULL, NULL), -1);
	assert_int_equal(lessor_permit_change(call, 1, 0, NULL, &change), -1);
	assert_int_equal(lessor_permit_change(call, 1, 4, NULL, &change), -1);
	change.size--;
	assert_int_equal(lessor_permit_change(call, 1, LESSOR_CHANGE_LABELS, NULL, &change), -1);
	return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "x");
}

static void test_changes_that_are_none(void **state)
{
	struct toy toy;
	(void)state;

	toy_start_case(&toy, &toy_table, RETAINED);
	toy_violates(&toy, STEP_RETAIN, odd_changes, "permit_change without the change's size");
	assert_int_equal(toy.commits[CLAIM_CHANGE], 0);
	toy_stop(&toy);
}

/* ---- its time ------------------------------------------------------------------------------ */

/*
 * A permit is good for 20 s less a margin, from before it was asked for: whoever takes over
 * counts on it. What comes later is not sent, and had no effect.
 */
static void test_a_permit_ends(void **state)
{
	static const struct toy_case deletes[] = {
		{ "at once", PRESENT, PERMIT "DELETE /servers/42 1; deleting 1 7", NULL, DELETING },
		{ "at the last moment", PRESENT,
		  PERMIT "pass 18999; DELETE /servers/42 1; deleting 1 7", NULL, DELETING },
		{ "too late", PRESENT, PERMIT "pass 19000; DELETE /servers/42 1; still_there 1",
		  NULL, PRESENT },
		{ "too late, and nothing is reported", PRESENT,
		  PERMIT "pass 19000; DELETE /servers/42 1", NULL, PRESENT },
		{ "much later", PRESENT, PERMIT "pass 3600000; DELETE /servers/42 1", NULL,
		  PRESENT },
		{ "a new permit", PRESENT,
		  PERMIT "pass 19000; DELETE /servers/42 1; " PERMIT
			 "pass 18000; DELETE /servers/42 1; deleting 1 7",
		  NULL, DELETING },
	};
	struct toy toy;

	(void)state;
	TOY_CASES(&toy_table, STEP_CLEANUP, deletes);
	for (int late = 0; late < 2; late++) {
		toy_start_case(&toy, &toy_table, PRESENT);
		step_free(toy_play(&toy, STEP_CLEANUP,
				   late ? PERMIT "pass 19000; DELETE /servers/42 1" :
					  PERMIT "pass 5000; DELETE /servers/42 1"));
		assert_int_equal(sent_of(&toy, "DELETE"), !late);
		if (!late)
			assert_int_equal(toy.sent[toy.sent_count - 1].timeout_ms, 14000);
		toy_stop(&toy);
	}
}

static void test_an_intent_ends(void **state)
{
	struct toy toy;

	(void)state;
	for (int late = 0; late < 2; late++) {
		toy_start_case(&toy, &toy_table, DELETING);
		step_free(toy_play(&toy, STEP_PROVISION,
				   late ? "intend key; pass 19000; POST /keys 2" :
					  "intend key; pass 18999; POST /keys 2; created 2 k-4711"));
		assert_int_equal(sent_of(&toy, "POST"), !late);
		assert_int_equal(toy.commits[late ? CLAIM_NOT_CREATED : CLAIM_CREATED], 1);
		toy_stop(&toy);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(test_permit_delete),
		T(test_the_holder_is_read_before_a_permit),
		T(test_nothing_is_sent_for_an_account_that_has_moved),
		T(test_a_permit_is_judged_by_the_answer),
		T(test_a_delete_needs_its_permit),
		T(test_a_permit_is_of_one_row),
		T(test_a_delete_names_an_id),
		T(test_no_method_is_harmless),
		T(test_an_intent_opens_no_path_of_somebody_elses),
		T(test_changes_while_it_is_provisioned),
		T(test_permit_change),
		T(test_permit_change_after_changes_without_one),
		T(test_changes_are_judged_by_the_read_after),
		T(test_lifting_tells_of_the_labels_too),
		T(test_labels_of_others_are_kept),
		T(test_lifting_with_nothing_to_label),
		T(test_the_sentinel_is_changed_like_the_rest),
		T(test_changes_that_are_none),
		T(test_a_permit_ends),
		T(test_an_intent_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
