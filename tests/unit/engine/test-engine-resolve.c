/* SPDX-License-Identifier: MIT */
/* Leases in attention: how it is reported, and how an operator resolves them. */

#include <stdio.h>

#include "util/text.h"
#include "fixture.h"

static struct asked resolve(enum request_resolve what, enum token_role role, int64_t row,
			    const char *id)
{
	struct asked a = { 0 };

	a.request.kind = REQUEST_RESOLVE;
	a.request.resolve = what;
	a.request.row = row;
	a.request.caller.role = role;
	snprintf(a.request.ref, sizeof(a.request.ref), ID);
	snprintf(a.request.resource_id, sizeof(a.request.resource_id), "%s", id);
	TEXT_SET(a.request.reason, "looked at it");
	if (role == TOKEN_ADMIN) {
		TEXT_SET(a.request.caller.owner, "root");
		TEXT_SET(a.request.caller.org, "ops");
	}
	world_ask(&w, &a);
	/* It is looked for first. */
	if (what == RESOLVE_FORGET && !a.answered)
		world_settle(&w);
	assert_int_equal(a.answered, 1);
	return a;
}

static int64_t attention_count(void)
{
	int64_t count = -1;

	assert_int_equal(store_attention_count(core_store(w.d.core), &count, NULL), 0);
	return count;
}

static char told[512];

static int event_find(void *arg, const struct store_event *event)
{
	if (strcmp(event->kind, arg) == 0)
		snprintf(told, sizeof(told), "%s", event->text);
	return 0;
}

static const char *event_last(const char *kind)
{
	told[0] = '\0';
	assert_int_equal(store_event_each(core_store(w.d.core), lease(ID).n, 0, 1000, event_find,
					  (void *)(uintptr_t)kind, NULL),
			 0);
	return told;
}

/* Released, with a server that cannot be deleted because a person removed its labels. */
static void stuck(void)
{
	struct asked a = { 0 };

	create_ready(ID);
	w.strip_labels = 1;
	world_release(&w, &a, ID, 1);
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_ATTENTION);
	assert_int_equal(attention_count(), 1);
}

static void attention_says_what_to_do(void **state)
{
	(void)state;
	stuck();
	assert_non_null(strstr(lease(ID).attention, "lessor resolve " ID " retry"));
	assert_non_null(strstr(event_last("lease.attention"), "lessor resolve " ID));
}

static void a_retry_is_due_at_once(void **state)
{
	struct asked a;

	(void)state;
	stuck();
	world_pass(&w, 12 * HOUR);
	w.strip_labels = 0;
	assert_true(lease(ID).due_ms > w.d.now_ms);
	a = resolve(RESOLVE_RETRY, TOKEN_USER, 0, "");
	assert_int_equal(a.request.result, RESULT_OK);
	world_settle(&w);
	world_pass(&w, 1000);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(world_alive(&w), 0);
	assert_int_equal(attention_count(), 0);
	assert_string_equal(event_last("lease.resolved"), "retry: by alice: looked at it");
	a = resolve(RESOLVE_RETRY, TOKEN_USER, 0, "");
	assert_string_equal(a.request.code, "nothing_to_retry");
}

static void forgetting_is_an_admins(void **state)
{
	struct asked a;

	(void)state;
	stuck();
	a = resolve(RESOLVE_FORGET, TOKEN_USER, 0, "");
	assert_int_equal(a.request.result, RESULT_FORBIDDEN);
	a = resolve(RESOLVE_ADOPT, TOKEN_USER, 0, "1001");
	assert_int_equal(a.request.result, RESULT_FORBIDDEN);
	a = resolve(RESOLVE_RETRY, TOKEN_READER, 0, "");
	assert_int_equal(a.request.result, RESULT_FORBIDDEN);
}

/* From then on nothing deletes it, even if its labels come back. */
static void what_is_forgotten_is_never_deleted(void **state)
{
	struct asked a, again = { 0 };

	(void)state;
	stuck();
	a = resolve(RESOLVE_FORGET, TOKEN_ADMIN, first_row(ID).n, "");
	assert_int_equal(a.request.result, RESULT_OK);
	assert_int_equal(a.request.lease.cleanup, CLEANUP_DONE);
	assert_int_equal(first_row(ID).state, LESSOR_STATE_DISOWNED);
	assert_non_null(strstr(event_last("lease.resolved"), "by root: looked at it"));
	w.strip_labels = 0;
	world_release(&w, &again, ID, 1);
	world_pass(&w, 24 * HOUR);
	assert_int_equal(world_alive(&w), 1);
	assert_int_equal(w.deleted, 0);
	assert_int_equal(attention_count(), 0);
	a = resolve(RESOLVE_FORGET, TOKEN_ADMIN, 0, "");
	assert_string_equal(a.request.code, "nothing_to_forget");
}

static void a_live_lease_forgets_nothing(void **state)
{
	struct asked a;

	(void)state;
	create_ready(ID);
	a = resolve(RESOLVE_FORGET, TOKEN_ADMIN, 0, "");
	assert_string_equal(a.request.code, "lease_alive");
	assert_int_equal(first_row(ID).state, LESSOR_STATE_PRESENT);
}

static struct asked in_between;

static void forget_in_between(struct world *world)
{
	world->during_delete = NULL;
	in_between = resolve(RESOLVE_FORGET, TOKEN_ADMIN, 0, "");
}

/* A permitted delete cannot be revoked. */
static void forgetting_between_permit_and_delete_is_refused(void **state)
{
	struct asked a = { 0 };

	(void)state;
	create_ready(ID);
	w.during_delete = forget_in_between;
	world_release(&w, &a, ID, 1);
	world_pass(&w, MINUTE);
	assert_string_equal(in_between.request.code, "cleanup_in_progress");
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
}

static void forget_during_create(struct world *world)
{
	struct asked a = { 0 };

	world->during_create = NULL;
	world_release(world, &a, ID, 1);
	in_between = resolve(RESOLVE_FORGET, TOKEN_ADMIN, 0, "");
}

/* What a running step creates cannot be seen yet, so it cannot be forgotten. */
static void what_is_being_created_is_not_forgotten(void **state)
{
	(void)state;
	w.during_create = forget_during_create;
	{
		struct asked a = { 0 };

		world_create(&w, &a, ID);
	}
	world_pass(&w, HOUR);
	assert_string_equal(in_between.request.code, "cleanup_in_progress");
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(w.deleted, 1);
}

/* ---- what can still be found is not forgotten ---------------------------------------------- */

static void b5_what_is_there_and_ours_is_not_forgotten(void **state)
{
	struct asked a;

	(void)state;
	stuck();
	/* Its labels are back, so its cleanup can delete it. */
	w.strip_labels = 0;
	a = resolve(RESOLVE_FORGET, TOKEN_ADMIN, 0, "");
	assert_int_equal(a.request.result, RESULT_CONFLICT);
	assert_string_equal(a.request.code, "resource_found");
	assert_non_null(strstr(a.request.message, "id 1001"));
	assert_non_null(strstr(a.request.message, "lessor resolve " ID " retry"));
	assert_int_equal(first_row(ID).state, LESSOR_STATE_PRESENT);
	assert_int_equal(lease(ID).cleanup, CLEANUP_ATTENTION);
}

/* Under another id than the ledger says: the answer names the command that resolves it. */
static void b5_what_has_another_id_is_adopted_not_forgotten(void **state)
{
	struct asked a;

	(void)state;
	stuck();
	w.strip_labels = 0;
	TEXT_SET(w.cloud[0].id, "4711");
	a = resolve(RESOLVE_FORGET, TOKEN_ADMIN, 0, "");
	assert_string_equal(a.request.code, "resource_found");
	assert_non_null(strstr(a.request.message, "lessor resolve " ID " adopt 4711"));
	a = resolve(RESOLVE_ADOPT, TOKEN_ADMIN, 0, "4711");
	if (a.request.result != RESULT_OK)
		a = resolve(RESOLVE_ADOPT, TOKEN_ADMIN, first_row(ID).n, "4711");
	assert_int_equal(a.request.result, RESULT_OK);
	world_pass(&w, 2 * MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(world_alive(&w), 0);
}

static void b5_a_retained_machine_is_not_forgotten(void **state)
{
	struct asked a = { 0 };

	(void)state;
	create_ready(ID);
	world_release(&w, &a, ID, 0);
	world_pass(&w, MINUTE);
	a = resolve(RESOLVE_FORGET, TOKEN_ADMIN, 0, "");
	assert_string_equal(a.request.code, "resource_found");
	assert_non_null(strstr(a.request.message, "lessor release " ID " --delete"));
	assert_int_equal(lease(ID).cleanup, CLEANUP_RETAINED);
}

/* A create that was lost may still show. */
static void b5_what_may_still_show_is_not_forgotten(void **state)
{
	struct asked a = { 0 };

	(void)state;
	w.create_fault = TOY_LOST_NOT_MADE;
	world_create(&w, &a, ID);
	world_pass(&w, 1000);
	world_release(&w, &a, ID, 1);
	world_settle(&w);
	a = resolve(RESOLVE_FORGET, TOKEN_ADMIN, 0, "");
	assert_string_equal(a.request.code, "resource_found");
	assert_non_null(strstr(a.request.message, "nothing was forgotten"));
	assert_int_equal(first_row(ID).state, LESSOR_STATE_UNKNOWN);
}

/* The operator says: exactly this one. */
static void b5_a_row_that_is_named_is_forgotten_though_it_is_there(void **state)
{
	struct asked a;

	(void)state;
	stuck();
	w.strip_labels = 0;
	a = resolve(RESOLVE_FORGET, TOKEN_ADMIN, first_row(ID).n, "");
	assert_int_equal(a.request.result, RESULT_OK);
	assert_int_equal(first_row(ID).state, LESSOR_STATE_DISOWNED);
	/* But not what was found under another id. */
	world_end(&w);
	world_start(&w, NULL);
	stuck();
	w.strip_labels = 0;
	TEXT_SET(w.cloud[0].id, "4711");
	a = resolve(RESOLVE_FORGET, TOKEN_ADMIN, first_row(ID).n, "");
	assert_string_equal(a.request.code, "resource_found");
}

/* A provider that cannot be asked is no reason to forget. */
static void b5_nothing_is_forgotten_unseen(void **state)
{
	struct asked a;

	(void)state;
	stuck();
	w.list_fails = 1;
	a = resolve(RESOLVE_FORGET, TOKEN_ADMIN, 0, "");
	assert_int_equal(a.request.result, RESULT_UNAVAILABLE);
	assert_string_equal(a.request.code, "inventory_unavailable");
	assert_int_equal(first_row(ID).state, LESSOR_STATE_PRESENT);
	w.probe_refuses = 1;
	w.probe_class = LESSOR_CLASS_AUTH;
	world_pass(&w, HOUR);
	a = resolve(RESOLVE_FORGET, TOKEN_ADMIN, 0, "");
	assert_string_equal(a.request.code, "inventory_unavailable");
	assert_non_null(strstr(a.request.message, "is blocked"));
	assert_int_equal(first_row(ID).state, LESSOR_STATE_PRESENT);
}

/* Its database may have lost changes: what it says is not all that there is. */
static void nothing_is_forgotten_in_a_frozen_account(void **state)
{
	struct asked a;

	(void)state;
	stuck();
	w.cloud[0].alive = 0;
	core_freeze(w.d.core, "toy", "why");
	a = resolve(RESOLVE_FORGET, TOKEN_ADMIN, 0, "");
	assert_int_equal(a.request.result, RESULT_UNAVAILABLE);
	assert_string_equal(a.request.code, "account_frozen");
	assert_int_equal(first_row(ID).state, LESSOR_STATE_PRESENT);
	core_freeze(w.d.core, "toy", "");
	a = resolve(RESOLVE_FORGET, TOKEN_ADMIN, 0, "");
	assert_int_equal(a.request.result, RESULT_OK);
}

/* The operator names the id; the delete still needs a read that proves it ours. */
static void an_adopted_id_is_proven_before_its_delete(void **state)
{
	struct asked a = { 0 };

	(void)state;
	w.create_fault = TOY_HIDE;
	w.create_fault_sticky = 1;
	world_create(&w, &a, ID);
	world_pass(&w, 1000);
	world_release(&w, &a, ID, 1);
	world_settle(&w);
	assert_int_equal(first_row(ID).state, LESSOR_STATE_UNKNOWN);
	/* Somebody else's server. */
	w.cloud[1] = w.cloud[0];
	TEXT_SET(w.cloud[1].id, "77");
	TEXT_SET(w.cloud[1].name, "somebody-elses");
	a = resolve(RESOLVE_ADOPT, TOKEN_ADMIN, 0, "77");
	assert_int_equal(a.request.result, RESULT_OK);
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_ATTENTION);
	assert_int_equal(w.deleted, 0);
	/* The right one. */
	a = resolve(RESOLVE_ADOPT, TOKEN_ADMIN, first_row(ID).n, "1001");
	assert_int_equal(a.request.result, RESULT_OK);
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(w.deleted, 1);
	assert_int_equal(w.cloud[1].alive, 1);
}

static void what_another_row_names_is_not_adopted(void **state)
{
	struct asked a = { 0 };

	(void)state;
	world_create(&w, &a, "cbx_000000000002");
	world_pass(&w, 5000);
	w.create_fault = TOY_HIDE;
	w.create_fault_sticky = 1;
	world_create(&w, &a, ID);
	world_pass(&w, 1000);
	world_release(&w, &a, ID, 1);
	a = resolve(RESOLVE_ADOPT, TOKEN_ADMIN, 0, "1001");
	assert_string_equal(a.request.code, "resource_claimed");
}

static int row_count(void)
{
	struct ledger ledger;
	int count;

	assert_int_equal(store_ledger(core_store(w.d.core), lease(ID).n, &ledger, NULL), 0);
	count = (int)ledger.resource_count;
	ledger_fini(&ledger);
	return count;
}

/* An operator whose request got no answer repeats it: still one row. */
static void adopting_an_id_twice_adds_no_row(void **state)
{
	struct asked a = { 0 };

	(void)state;
	w.create_fault = TOY_HIDE;
	w.create_fault_sticky = 1;
	world_create(&w, &a, ID);
	world_pass(&w, 1000);
	world_release(&w, &a, ID, 1);
	world_settle(&w);
	for (int i = 0; i < 2; i++) {
		a = resolve(RESOLVE_ADOPT, TOKEN_ADMIN, first_row(ID).n, "1001");
		assert_int_equal(a.request.result, RESULT_OK);
		assert_int_equal(a.request.lease.cleanup, CLEANUP_OWED);
		assert_int_equal(first_row(ID).state, LESSOR_STATE_PRESENT);
		assert_string_equal(first_row(ID).id, "1001");
	}
	assert_int_equal(row_count(), 1);
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(world_alive(&w), 0);
	assert_int_equal(w.deleted, 1);
}

/* A server exists although its row is gone: adoption reopens the row, and cleanup deletes it. */
static void adopting_into_a_gone_row_reopens_it(void **state)
{
	struct asked a = { 0 };

	(void)state;
	create_ready(ID);
	w.cloud[0].alive = 0;
	world_release(&w, &a, ID, 1);
	world_pass(&w, HOUR);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(first_row(ID).state, LESSOR_STATE_GONE);
	w.cloud[0].alive = 1;
	a = resolve(RESOLVE_ADOPT, TOKEN_ADMIN, first_row(ID).n, w.cloud[0].id);
	assert_int_equal(a.request.result, RESULT_OK);
	assert_int_equal(a.request.lease.cleanup, CLEANUP_OWED);
	assert_int_equal(first_row(ID).state, LESSOR_STATE_PRESENT);
	assert_int_equal(row_count(), 1);
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(world_alive(&w), 0);
	assert_int_equal(w.deleted, 1);
}

static void block(int how)
{
	w.probe_refuses = how;
	w.probe_class = LESSOR_CLASS_ACCOUNT;
	world_pass(&w, 6 * MINUTE);
}

static void a_blocked_account_is_said_and_ends_at_once(void **state)
{
	struct asked a = { 0 };

	(void)state;
	create_ready(ID);
	block(1);
	assert_int_equal(attention_count(), 0);
	world_release(&w, &a, ID, 1);
	world_settle(&w);
	assert_int_equal(lease(ID).cleanup, CLEANUP_OWED);
	assert_non_null(strstr(lease(ID).attention, "account toy is blocked"));
	assert_non_null(strstr(lease(ID).attention, "lessor providers"));
	assert_int_equal(attention_count(), 1);
	assert_int_equal(world_alive(&w), 1);
	/* Reported once, however long it lasts. */
	world_pass(&w, 24 * HOUR);
	world_restart(&w, NULL);
	world_pass(&w, HOUR);
	assert_int_equal(attention_count(), 1);
	w.probe_refuses = 0;
	a = resolve(RESOLVE_RETRY, TOKEN_USER, 0, "");
	assert_int_equal(a.request.result, RESULT_OK);
	world_settle(&w);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(attention_count(), 0);
	assert_int_equal(world_alive(&w), 0);
}

/* A lease that waited for its account before a crash continues at the first verification. */
static void a_proof_after_a_restart_counts_too(void **state)
{
	struct asked a = { 0 };

	(void)state;
	create_ready(ID);
	block(1);
	world_release(&w, &a, ID, 1);
	world_settle(&w);
	assert_int_equal(attention_count(), 1);
	w.probe_refuses = 0;
	world_restart(&w, NULL);
	assert_int_equal(attention_count(), 0);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
}

static void the_end_of_a_retention_tells_and_deletes_nothing(void **state)
{
	struct asked a = { 0 };

	(void)state;
	create_ready(ID);
	a.request.retain_until_ms = w.d.now_ms + 2 * HOUR;
	TEXT_SET(a.request.reason, "the disk is evidence");
	world_release(&w, &a, ID, 0);
	assert_int_equal(a.request.result, RESULT_OK);
	assert_int_equal(lease(ID).retain_until_ms, a.request.retain_until_ms);
	assert_string_equal(lease(ID).retain_reason, "the disk is evidence");
	world_pass(&w, HOUR);
	assert_int_equal(attention_count(), 0);
	/* A plain repetition changes nothing. */
	memset(&a, 0, sizeof(a));
	world_release(&w, &a, ID, -1);
	assert_true(lease(ID).retain_until_ms > 0);
	world_pass(&w, HOUR);
	assert_int_equal(lease(ID).cleanup, CLEANUP_RETAINED);
	assert_int_equal(attention_count(), 1);
	assert_non_null(strstr(lease(ID).attention, "lessor release " ID " --delete"));
	assert_int_equal(lease(ID).due_ms, 0);
	world_pass(&w, 48 * HOUR);
	world_restart(&w, NULL);
	assert_int_equal(world_alive(&w), 1);
	/* The retention is extended. */
	a.request.retain_until_ms = w.d.now_ms + HOUR;
	world_release(&w, &a, ID, 0);
	assert_int_equal(attention_count(), 0);
	world_pass(&w, 2 * HOUR);
	assert_int_equal(attention_count(), 1);
	/* Then it is deleted explicitly. */
	memset(&a, 0, sizeof(a));
	world_release(&w, &a, ID, 1);
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	assert_int_equal(world_alive(&w), 0);
	assert_int_equal(attention_count(), 0);
}

/* A kept lease with a resource that cannot be proven to belong to it. */
static void a_look_that_proves_nothing_calls_a_person(void **state)
{
	struct asked a = { 0 };

	(void)state;
	w.create_fault = TOY_LOST_MADE;
	w.strip_labels = 1;
	world_create(&w, &a, ID);
	world_settle(&w);
	world_release(&w, &a, ID, 0);
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_RETAINED);
	assert_int_equal(first_row(ID).state, LESSOR_STATE_UNKNOWN);
	assert_int_equal(attention_count(), 1);
	assert_non_null(strstr(lease(ID).attention, "lessor resolve " ID));
	world_pass(&w, 6 * HOUR);
	assert_true(lease(ID).due_ms > w.d.now_ms);
	w.strip_labels = 0;
	a = resolve(RESOLVE_RETRY, TOKEN_USER, 0, "");
	assert_int_equal(a.request.result, RESULT_OK);
	world_pass(&w, MINUTE);
	assert_int_equal(first_row(ID).state, LESSOR_STATE_RETAINED);
	assert_int_equal(attention_count(), 0);
	assert_int_equal(lease(ID).due_ms, 0);
	assert_int_equal(world_alive(&w), 1);
}

static void retry(const char *id)
{
	struct asked a = { .request = { .kind = REQUEST_RESOLVE, .resolve = RESOLVE_RETRY } };

	TEXT_SET(a.request.ref, id);
	world_ask(&w, &a);
	assert_int_equal(a.request.result, RESULT_OK);
}

/* Two leases wait for the account: the second requests a probe while the first one's runs. */
static void a_probe_that_is_asked_for_during_one_follows_it_soon(void **state)
{
	static const char other[] = "cbx_000000000002";
	struct asked a = { 0 };
	int probes;

	(void)state;
	TEXT_SET(a.request.create.slug, "another");
	world_create(&w, &a, other);
	create_ready(ID);
	w.strip_labels = 1;
	world_release(&w, &a, ID, 1);
	world_release(&w, &a, other, 1);
	world_pass(&w, MINUTE);
	assert_int_equal(attention_count(), 2);
	w.probe_refuses = 1;
	w.probe_class = LESSOR_CLASS_AUTH;
	world_pass(&w, 10 * MINUTE);
	assert_int_equal(account_is_blocked(w.d.account, NULL, 0), 1);
	w.probe_refuses = 0;
	probes = w.probes;
	retry(ID);
	driver_due(&w.d);
	retry(other);
	driver_due(&w.d);
	driver_run_queue(&w.d);
	assert_int_equal(w.probes, probes + 1);
	world_pass(&w, 999);
	assert_int_equal(w.probes, probes + 1);
	world_pass(&w, 1);
	assert_int_equal(w.probes, probes + 2);
	/* No further probe is requested. */
	world_pass(&w, MINUTE);
	assert_int_equal(w.probes, probes + 2);
}

/* However long it was refused before, a new refusal is retried within seconds. */
static void a_probe_that_succeeds_ends_its_backoff(void **state)
{
	int probes;

	(void)state;
	w.probe_class = LESSOR_CLASS_AUTH;
	for (int i = 0; i < 2; i++) {
		w.probe_refuses = 1;
		for (int s = 0; s < 600 && !account_is_blocked(w.d.account, NULL, 0); s++)
			world_pass(&w, SECOND);
		assert_int_equal(account_is_blocked(w.d.account, NULL, 0), 1);
		probes = w.probes;
		world_pass(&w, 10 * SECOND);
		assert_in_range(w.probes, probes + 2, probes + 6);
		world_pass(&w, HOUR);
		w.probe_refuses = 0;
		world_pass(&w, 11 * MINUTE);
		assert_int_equal(account_is_blocked(w.d.account, NULL, 0), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(attention_says_what_to_do),
		TEST(a_retry_is_due_at_once),
		TEST(forgetting_is_an_admins),
		TEST(nothing_is_forgotten_in_a_frozen_account),
		TEST(what_is_forgotten_is_never_deleted),
		TEST(a_live_lease_forgets_nothing),
		TEST(forgetting_between_permit_and_delete_is_refused),
		TEST(what_is_being_created_is_not_forgotten),
		TEST(b5_what_is_there_and_ours_is_not_forgotten),
		TEST(b5_what_has_another_id_is_adopted_not_forgotten),
		TEST(b5_a_retained_machine_is_not_forgotten),
		TEST(b5_what_may_still_show_is_not_forgotten),
		TEST(b5_nothing_is_forgotten_unseen),
		TEST(b5_a_row_that_is_named_is_forgotten_though_it_is_there),
		TEST(an_adopted_id_is_proven_before_its_delete),
		TEST(what_another_row_names_is_not_adopted),
		TEST(adopting_an_id_twice_adds_no_row),
		TEST(adopting_into_a_gone_row_reopens_it),
		TEST(a_blocked_account_is_said_and_ends_at_once),
		TEST(a_proof_after_a_restart_counts_too),
		TEST(the_end_of_a_retention_tells_and_deletes_nothing),
		TEST(a_look_that_proves_nothing_calls_a_person),
		TEST(a_probe_that_is_asked_for_during_one_follows_it_soon),
		TEST(a_probe_that_succeeds_ends_its_backoff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
