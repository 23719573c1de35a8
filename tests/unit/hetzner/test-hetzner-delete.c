/* SPDX-License-Identifier: MIT */
/*
 * Deletes: slow ones, ones with a lost response, refused ones, and resources that somebody else
 * has deleted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/test.h"
#include "lease/deadline.h"
#include "life.h"

/* ---- slow deletes ------------------------------------------------------------------------- */

static void deletes_that_come_right(void **state)
{
	static const char *const faults[] = {
		"{'match':{'op':'s.delete'},'for_ms':20000,'fault':{'kind':'locked'}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'lost'}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'close'}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'hang'}}",
		"{'match':{'op':'s.delete'},'count':3,'fault':{'kind':'server_error'}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'server_error','effect':true}}",
		"{'match':{'op':'s.delete'},'count':2,"
		"'fault':{'kind':'rate_limited','headers':'none'}}",
		"{'match':{'op':'s.delete'},'count':2,'fault':{'kind':'conflict'}}",
		"{'match':{'op':'s.delete'},'count':2,'fault':{'kind':'unauthorized'}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'delete_error'}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'delete_error','error':null}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'delete_lag','ms':20000}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'ghost','ms':60000}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'delete_ignored'}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'action_unknown'}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'no_action'}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'endless'}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'shape','as':'html'}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'status','status':404}}",
		"{'match':{'op':'a.get'},'count':3,'fault':{'kind':'unavailable'}}",
		"{'match':{'op':'a.get'},'count':3,'fault':{'kind':'shape','as':'empty'}}",
		"{'match':{'op':'s.get'},'count':3,'fault':{'kind':'bad_gateway'}}",
		"{'match':{'op':'k.delete'},'fault':{'kind':'lost'}}",
		"{'match':{'op':'k.delete'},'count':2,'fault':{'kind':'unavailable'}}",
		"{'match':{'op':'k.get'},'count':2,'fault':{'kind':'unavailable'}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct life *life = life_active("cx23");

		life_fault(life, faults[i]);
		life_release(life, 1);
		for (int n = 0; n < 300 && life->lease.cleanup != CLEANUP_DONE && life_step(life); n++) {
			/* Always the server before the key. */
			if (life_count(life, CLOUD_SERVER))
				assert_int_equal(life_count(life, CLOUD_KEY), 1);
		}
		if (life->lease.cleanup != CLEANUP_DONE || life_count(life, CLOUD_SERVER) ||
		    life_count(life, CLOUD_KEY))
			fail_msg("%s: %s %s\n%s", faults[i], life->lease.last_error,
				 life->lease.attention, life->requests);
		life_free(life);
	}
}

static void protected_by_a_person(void **state)
{
	struct life *life = life_active("cx23");
	char target[80];

	(void)state;
	snprintf(target, sizeof(target), "/v1/servers/%s/actions/change_protection",
		 life->lease.server_id);
	assert_in_range(life_meddle(life, "POST", target, "{'delete':true,'rebuild':true}"), 200, 201);
	life->now_ms += 10000;
	life_release(life, 1);
	life_end(life, 20);
	assert_int_equal(life->lease.cleanup, CLEANUP_ATTENTION);
	assert_int_equal(life->error_class, LESSOR_CLASS_PROTECTED);
	assert_int_equal(life_count(life, CLOUD_KEY), 1);
	assert_int_equal(life_meddle(life, "POST", target, "{'delete':false,'rebuild':false}"), 201);
	life->now_ms += 10000;
	for (int i = 0; i < 20 && life->lease.cleanup != CLEANUP_DONE; i++)
		life_step(life);
	life_expect_clean(life, 0);
	life_free(life);
}

static void another_project_answers(void **state)
{
	struct life *life = life_active("cx23");

	(void)state;
	life->unverified = 1;
	life_fault(life, "{'match':{'op':['s.get','k.get','a.get']},'for_ms':600000,"
			 "'fault':{'kind':'not_found'}}");
	life_release(life, 1);
	life_end(life, 10);
	assert_int_not_equal(life->lease.cleanup, CLEANUP_DONE);
	assert_non_null(life_row(life, LESSOR_KIND_SERVER));
	life->unverified = 0;
	life->now_ms += 600000;
	life_end(life, 60);
	life_expect_clean(life, 0);
	life_free(life);
}

/* Exact reads repeatedly return 404 while the server runs: a listing still shows it. */
static void reads_deny_what_a_listing_shows(void **state)
{
	struct life *life = life_active("cx23");

	(void)state;
	life->now_ms += 120000;
	life_fault(life, "{'match':{'op':'s.get'},'for_ms':600000,'fault':{'kind':'not_found'}}");
	life_release(life, 1);
	for (int i = 0; i < 8; i++)
		life_step(life);
	assert_int_equal(life->verdict, LESSOR_RETRY);
	assert_non_null(strstr(life->reason, "is listed but cannot be read"));
	assert_int_equal(life_count(life, CLOUD_SERVER), 1);
	assert_non_null(life_row(life, LESSOR_KIND_SERVER));
	assert_int_equal(life->deletes, 0);
	life->now_ms += 600000;
	life_end(life, 20);
	life_expect_clean(life, 0);
	life_free(life);
}

/* Released right after its creation: a read that does not show it yet proves nothing. */
static void released_before_it_can_be_read(void **state)
{
	struct life *life = life_new(NULL);

	(void)state;
	life_fault(life, "{'match':{'op':'s.create'},'fault':"
			 "{'kind':'hidden','ms':8000,'where':'both'}}");
	life_begin(life, "cx23", "nbg1");
	while (!life_row(life, LESSOR_KIND_SERVER))
		life_step(life);
	life_release(life, 1);
	life_end(life, 60);
	life_expect_clean(life, 0);
	life_free(life);
}

/* ---- deletes without a response ------------------------------------------------------------ */

static const struct resource *server(const struct life *life)
{
	return life_row(life, LESSOR_KIND_SERVER);
}

/* Steps until the server's delete was requested, whatever its result. */
static void step_to_delete(struct life *life)
{
	int before = life->deletes;

	for (int i = 0; i < 10 && life->deletes == before; i++)
		life_step(life);
	assert_int_equal(life->deletes, before + 1);
}

/* It had no effect: the server is read, permitted and deleted again. */
static void a_lost_delete_without_effect(void **state)
{
	static const char *const faults[] = {
		"{'kind':'close'}", "{'kind':'hang','effect':false}", "{'kind':'server_error'}",
		"{'kind':'bad_gateway'}", "{'kind':'status','status':408}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct life *life = life_active("cx23");
		char fault[200];
		int64_t permitted_ms;

		snprintf(fault, sizeof(fault), "{'match':{'op':'s.delete'},'fault':%s}", faults[i]);
		life_fault(life, fault);
		life_release(life, 1);
		step_to_delete(life);
		assert_int_equal(server(life)->state, LESSOR_STATE_DELETE_UNKNOWN);
		assert_int_equal(server(life)->deletes_unknown, 1);
		permitted_ms = server(life)->authorized_ms;
		/* The delete may be in progress, so a no-delete release is refused. */
		assert_true(life_try_release(life, 0) != LEASE_REFUSAL_NONE);
		step_to_delete(life);
		assert_int_equal(server(life)->state, LESSOR_STATE_DELETING);
		assert_int_equal(server(life)->deletes_unknown, 1);
		assert_true(server(life)->authorized_ms > permitted_ms);
		life_end(life, 60);
		life_expect_clean(life, 0);
		assert_int_equal(life_count_requests(life, "DELETE /servers/"), 2);
		life_free(life);
	}
}

/* It was done without a response: absence is accepted when two observations agree. */
static void a_lost_delete_that_was_done(void **state)
{
	static const char *const faults[] = { "lost", "hang", "cut" };

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct life *life = life_active("cx23");
		char fault[200];
		int64_t first_ms;

		snprintf(fault, sizeof(fault), "{'match':{'op':'s.delete'},'fault':{'kind':'%s'}}",
			 faults[i]);
		life_fault(life, fault);
		life_release(life, 1);
		step_to_delete(life);
		assert_int_equal(server(life)->state, LESSOR_STATE_DELETE_UNKNOWN);
		life->now_ms += 60000;
		life_reset_calls(life);
		life_step(life);
		assert_int_equal(server(life)->absent_count, 1);
		first_ms = server(life)->first_absent_ms;
		/* One call each for its id, its name, its labels and the account's sentinel. */
		assert_int_equal(life->calls, 4);
		assert_int_equal(life_count_requests(life, "GET /servers/"), 1);
		assert_int_equal(life_count_requests(life, "GET /servers?name="), 1);
		assert_int_equal(life_count_requests(life, "GET /servers?label_selector="), 1);
		assert_int_equal(life_count_requests(life, "GET /ssh_keys/"), 1);
		assert_true(life_try_release(life, 0) != LEASE_REFUSAL_NONE);
		while (server(life))
			life_step(life);
		assert_true(life->now_ms - first_ms >= 60000);
		assert_true(life->now_ms - first_ms < 70000);
		life_end(life, 60);
		life_expect_clean(life, 0);
		life_free(life);
	}
}

/* The same for the key. */
static void a_lost_delete_of_a_key(void **state)
{
	struct life *life = life_active("cx23");

	(void)state;
	life_fault(life, "{'match':{'op':'k.delete'},'fault':{'kind':'close'}}");
	life_release(life, 1);
	while (!life_count_requests(life, "DELETE /ssh_keys/"))
		life_step(life);
	assert_int_equal(life_row(life, LESSOR_KIND_KEY)->state, LESSOR_STATE_DELETE_UNKNOWN);
	life_end(life, 60);
	life_expect_clean(life, 0);
	assert_int_equal(life_count_requests(life, "DELETE /ssh_keys/"), 2);
	life_free(life);
}

static void protect(struct life *life, int on)
{
	char target[80], body[64];

	snprintf(target, sizeof(target), "/v1/servers/%s/actions/change_protection",
		 life->lease.server_id);
	snprintf(body, sizeof(body), "{'delete':%s,'rebuild':%s}", on ? "true" : "false",
		 on ? "true" : "false");
	assert_int_equal(life_meddle(life, "POST", target, body), 201);
	life->now_ms += 1000;
}

/*
 * A person protects the server after a delete without a response. That delete may still be
 * carried out, once the protection is lifted: no client is told that the server is kept.
 */
static void a_lost_delete_and_then_protected(void **state)
{
	(void)state;
	/* Of a store with other owners its permit counts, whatever `settle` says. */
	for (int is_shared = 0; is_shared < 2; is_shared++) {
		struct life *life = life_active("cx23");
		int64_t lands_ms = is_shared ? PERMIT_MS + PERMIT_GUARD_MS : 10000;

		life->settle_ms = 10000;
		life->is_shared = is_shared;
		life_fault(life, "{'match':{'op':'s.delete'},'fault':{'kind':'close'}}");
		life_release(life, 1);
		step_to_delete(life);
		protect(life, 1);
		life_step(life);
		assert_int_equal(life->lease.attention_class, LESSOR_CLASS_PROTECTED);
		assert_int_equal(server(life)->state, LESSOR_STATE_DELETE_UNKNOWN);
		assert_int_equal(life_try_release(life, 0), LEASE_REFUSAL_CLEANUP_RUNS);
		/* The next look comes when it can be told, and it can be kept again. */
		life_step(life);
		assert_int_equal(server(life)->state, LESSOR_STATE_PRESENT);
		assert_int_equal(server(life)->deletes_unknown, 0);
		assert_in_range(life->now_ms - server(life)->authorized_ms, lands_ms,
				lands_ms + 15000);
		assert_int_equal(life_try_release(life, 0), LEASE_REFUSAL_NONE);
		life_free(life);
	}
}

/*
 * The owner dies with a permit out, and another process takes over at once: until the permit's
 * end and what may be on the wire, it accepts no no-delete release.
 */
static void a_permit_outlives_its_owner(void **state)
{
	struct life *life = life_active("cx23");
	int64_t permitted_ms;

	(void)state;
	life->settle_ms = 1000;
	life->is_shared = 1;
	life_release(life, 1);
	life->crash_after_effect = 1;
	step_to_delete(life);
	permitted_ms = server(life)->authorized_ms;
	assert_int_equal(server(life)->state, LESSOR_STATE_DELETE_UNKNOWN);
	assert_int_equal(server(life)->until_ms, permitted_ms + PERMIT_MS + PERMIT_GUARD_MS);
	while (life->now_ms < permitted_ms + PERMIT_MS + PERMIT_GUARD_MS - 1000) {
		life->now_ms += 1000;
		assert_int_equal(life_try_release(life, 0), LEASE_REFUSAL_CLEANUP_RUNS);
	}
	life_end(life, 60);
	life_expect_clean(life, 0);
	life_free(life);
}

/* The process crashes with a permit out: after a restart, a delete may be in progress. */
static void died_with_a_permit(void **state)
{
	struct life *life = life_active("cx23");

	(void)state;
	life_release(life, 1);
	life->crash_after_effect = 1;
	step_to_delete(life);
	assert_int_equal(server(life)->state, LESSOR_STATE_DELETE_UNKNOWN);
	assert_true(life_try_release(life, 0) != LEASE_REFUSAL_NONE);
	life_end(life, 60);
	life_expect_clean(life, 0);
	life_free(life);
}

/* A response with another server's action proves nothing about this one. */
static void the_action_of_another_server(void **state)
{
	struct life *life = life_active("cx23");

	(void)state;
	life_fault(life, "{'match':{'op':'s.delete'},'fault':{'kind':'patch','set':"
			 "{'/action/resources/0/id':4242}}}");
	life_release(life, 1);
	step_to_delete(life);
	assert_int_equal(server(life)->state, LESSOR_STATE_DELETE_UNKNOWN);
	life_end(life, 60);
	life_expect_clean(life, 0);
	life_free(life);
}

/* An answer to a DELETE that is not about its resource, or not whole: it is read within seconds. */
static void b4_a_delete_that_is_answered_with_something_else(void **state)
{
	static const char *const faults[] = {
		"{'match':{'op':'s.delete'},'fault':{'kind':'patch','set':"
		"{'/action/resources/0/id':4242}}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'patch','set':"
		"{'/action/resources':[]}}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'patch','set':"
		"{'/action/command':'stop_server'}}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'patch','set':{'/action/id':'7'}}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'no_action'}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'shape','as':'truncated'}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'shape','as':'array'}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'shape','as':'object'}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'shape','as':'empty'}}",
		/* and nothing was deleted */
		"{'match':{'op':'s.delete'},'fault':{'kind':'error','status':200,'code':'x'}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'status','status':200}}",
		"{'match':{'op':'s.delete'},'fault':{'kind':'status','status':204}}",
		"{'match':{'op':'k.delete'},'fault':{'kind':'error','status':200,'code':'x'}}",
		"{'match':{'op':'k.delete'},'fault':{'kind':'status','status':200}}",
		"{'match':{'op':'k.delete'},'fault':{'kind':'status','status':202}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct life *life = life_active("cx23");
		uint32_t kind = strstr(faults[i], "k.delete") ? LESSOR_KIND_KEY :
								LESSOR_KIND_SERVER;
		const char *what = kind == LESSOR_KIND_KEY ? "DELETE /ssh_keys/" :
							     "DELETE /servers/";
		int64_t row, deleted_ms;
		int reads;
		char read[64];

		life_fault(life, faults[i]);
		row = life_row(life, kind)->n;
		snprintf(read, sizeof(read), "GET /%s/%s",
			 kind == LESSOR_KIND_KEY ? "ssh_keys" : "servers",
			 life_row(life, kind)->id);
		life_release(life, 1);
		for (int k = 0; k < 40 && !life_count_requests(life, what); k++)
			life_step(life);
		if (ledger_find(&life->book, row)->state != LESSOR_STATE_DELETE_UNKNOWN)
			fail_msg("%s: taken as accepted", faults[i]);
		deleted_ms = life->now_ms;
		reads = life_count_requests(life, read);
		life_step(life);
		assert_true(life_count_requests(life, read) > reads);
		assert_in_range(life->now_ms - deleted_ms, 0, 5000);
		life_end(life, 60);
		life_expect_clean(life, 0);
		assert_in_range(life->now_ms - deleted_ms, 0, 90000);
		assert_in_range(life_count_requests(life, what), 1, 2);
		life_free(life);
	}
}

/* The action of a delete that is answered with another one: the server itself is read. */
static void b4_an_action_that_is_answered_with_another(void **state)
{
	static const char *const faults[] = {
		"{'kind':'patch','set':{'/action/id':77,'/action/status':'running'}}",
		"{'kind':'patch','set':{'/action/resources/0/id':4242,'/action/status':'running'}}",
		"{'kind':'patch','set':{'/action/command':'stop_server','/action/status':'running'}}",
		"{'kind':'shape','as':'truncated'}",
		"{'kind':'shape','as':'object'}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct life *life = life_active("cx23");
		char fault[240];
		int64_t released_ms = life->now_ms;

		snprintf(fault, sizeof(fault), "{'match':{'op':'a.get'},'count':1000,'fault':%s}",
			 faults[i]);
		life_fault(life, fault);
		life_release(life, 1);
		life_end(life, 60);
		life_expect_clean(life, 0);
		assert_in_range(life->now_ms - released_ms, 0, 60000);
		assert_int_equal(life_count_requests(life, "DELETE /servers/"), 1);
		life_free(life);
	}
}

/* Its action never ends, or ends and the server stays: after a while it is deleted again. */
static void deletes_that_do_not_end(void **state)
{
	static const struct {
		const char *fault;
		int accepted;
	} rows[] = {
		{ "{'kind':'endless'}", 1 },
		{ "{'kind':'delete_ignored'}", 2 },
		/* The server is locked until it is gone. */
		{ "{'kind':'delete_lag','ms':400000}", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct life *life = life_active("cx23");
		char fault[200], accepted[64];
		int64_t released_ms = life->now_ms;

		snprintf(fault, sizeof(fault), "{'match':{'op':'s.delete'},'fault':%s}", rows[i].fault);
		life_fault(life, fault);
		snprintf(accepted, sizeof(accepted), "DELETE /servers/%s 200", life->lease.server_id);
		life_release(life, 1);
		life_end(life, 100);
		life_expect_clean(life, 0);
		if (life_count_requests(life, accepted) != rows[i].accepted)
			fail_msg("%s:\n%s", rows[i].fault, life->requests);
		assert_true(life->now_ms - released_ms < 600000);
		life_free(life);
	}
}

/*
 * The key is much older than its delete, which is accepted and has no effect: it is read for a
 * minute, and only then deleted again.
 */
static void an_ignored_delete_of_an_old_key(void **state)
{
	struct life *life = life_active("cx23");
	int64_t deleted_ms;

	(void)state;
	life->now_ms += 600000;
	life_fault(life, "{'match':{'op':'k.delete'},'fault':{'kind':'delete_ignored'}}");
	life_release(life, 1);
	while (!life_count_requests(life, "DELETE /ssh_keys/"))
		life_step(life);
	assert_int_equal(life_row(life, LESSOR_KIND_KEY)->state, LESSOR_STATE_DELETING);
	deleted_ms = life->now_ms;
	while (life_count_requests(life, "DELETE /ssh_keys/") < 2)
		life_step(life);
	assert_in_range(life->now_ms - deleted_ms, 60000, 120000);
	life_end(life, 60);
	life_expect_clean(life, 0);
	life_free(life);
}

/* ---- refused deletes ------------------------------------------------------------------------ */

/* A missing permission raises attention at once; the account's next probe decides the rest. */
static void a_delete_that_we_may_not(void **state)
{
	static const char *const faults[] = { "unauthorized", "token_readonly", "forbidden" };

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct life *life = life_active("cx23");
		char fault[200];

		snprintf(fault, sizeof(fault), "{'match':{'op':'s.delete'},'fault':{'kind':'%s'}}",
			 faults[i]);
		life_fault(life, fault);
		life_release(life, 1);
		step_to_delete(life);
		assert_int_equal(life->verdict, LESSOR_REFUSED);
		assert_int_equal(life->error_class, LESSOR_CLASS_AUTH);
		assert_int_equal(life->lease.cleanup, CLEANUP_ATTENTION);
		assert_int_equal(life->lease.attention_class, LESSOR_CLASS_AUTH);
		assert_false(life->is_verified);
		/* The delete was definitely not done. */
		assert_int_equal(server(life)->state, LESSOR_STATE_PRESENT);
		for (int n = 0; n < 60 && life->lease.cleanup != CLEANUP_DONE; n++)
			life_step(life);
		life_expect_clean(life, 0);
		assert_int_equal(life_count_requests(life, "DELETE /servers/"), 2);
		life_free(life);
	}
}

static void a_token_that_may_only_read(void **state)
{
	for (int old = 0; old < 2; old++) {
		struct life *life = life_active("cx23");

		(void)state;
		life_config(life, "readonly_401", old);
		life_readonly(life, 1);
		life_release(life, 1);
		step_to_delete(life);
		assert_int_equal(life->verdict, LESSOR_REFUSED);
		assert_int_equal(life->error_class, LESSOR_CLASS_AUTH);
		life_readonly(life, 0);
		for (int n = 0; n < 60 && life->lease.cleanup != CLEANUP_DONE; n++)
			life_step(life);
		life_expect_clean(life, 0);
		life_free(life);
	}
}

/* A temporary refusal does not need operator action. */
static void a_delete_that_is_not_possible_now(void **state)
{
	static const char *const faults[] = { "maintenance", "locked", "conflict" };

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct life *life = life_active("cx23");
		char fault[200];

		snprintf(fault, sizeof(fault), "{'match':{'op':'s.delete'},'fault':{'kind':'%s'}}",
			 faults[i]);
		life_fault(life, fault);
		life_release(life, 1);
		step_to_delete(life);
		assert_int_equal(life->verdict, LESSOR_RETRY);
		assert_int_equal(life->lease.cleanup, CLEANUP_OWED);
		assert_int_equal(server(life)->state, LESSOR_STATE_PRESENT);
		life_end(life, 60);
		life_expect_clean(life, 0);
		life_free(life);
	}
}

/* It is protected after the read. */
static void protected_in_the_last_moment(void **state)
{
	struct life *life = life_active("cx23");

	(void)state;
	life_fault(life, "{'match':{'op':'s.delete'},'fault':{'kind':'protected'}}");
	life_release(life, 1);
	step_to_delete(life);
	assert_int_equal(life->lease.attention_class, LESSOR_CLASS_PROTECTED);
	assert_int_equal(server(life)->state, LESSOR_STATE_PRESENT);
	assert_int_equal(life_count_requests(life, "POST"), 0);
	life_free(life);
}

/* ---- deleted by somebody else ---------------------------------------------------------------- */

static void a_server_that_vanished(void **state)
{
	struct life *life = life_active("cx23");
	char target[64];

	(void)state;
	snprintf(target, sizeof(target), "/v1/servers/%s", life->lease.server_id);
	assert_int_equal(life_meddle(life, "DELETE", target, NULL), 200);
	life->now_ms += 60000;
	life_release(life, 1);
	life_reset_calls(life);
	life_step(life);
	assert_int_equal(server(life)->state, LESSOR_STATE_PRESENT);
	assert_int_equal(server(life)->absent_count, 1);
	assert_int_equal(life->calls, 4);
	assert_int_equal(life_count_requests(life, "GET /servers/"), 1);
	assert_int_equal(life_count_requests(life, "GET /servers?name="), 1);
	assert_int_equal(life_count_requests(life, "GET /servers?label_selector="), 1);
	assert_int_equal(life_count_requests(life, "GET /ssh_keys/"), 1);
	life_end(life, 60);
	life_expect_clean(life, 0);
	assert_int_equal(life_count_requests(life, "DELETE /servers/"), 0);
	life_free(life);
}

/* If the sentinel is missing too, the token belongs to another project. */
static void a_server_that_another_project_does_not_have(void **state)
{
	struct life *life = life_active("cx23");

	(void)state;
	life_fault(life, "{'match':{'op':['s.get','s.list','s.find','k.get','k.list','k.find']},"
			 "'for_ms':600000,'count':'always','fault':{'kind':'other_project'}}");
	life->now_ms += 120000;
	life_release(life, 1);
	for (int i = 0; i < 5; i++)
		life_step(life);
	assert_int_equal(server(life)->absent_count, 0);
	assert_int_equal(life_count(life, CLOUD_SERVER), 1);
	life->now_ms += 600000;
	life_end(life, 60);
	life_expect_clean(life, 0);
	life_free(life);
}

/* A listing that shows it overrides earlier reads: counting starts again. */
static void a_listing_shows_it_again(void **state)
{
	struct life *life = life_active("cx23");
	const struct resource *row;

	(void)state;
	life->now_ms += 120000;
	life_fault(life, "{'match':{'op':'s.delete'},'fault':{'kind':'close'}}");
	life_release(life, 1);
	step_to_delete(life);
	row = server(life);
	assert_int_equal(row->state, LESSOR_STATE_DELETE_UNKNOWN);
	/* Hidden from reads and listings, then from reads alone. */
	life_fault(life, "{'match':{'op':'s.get'},'count':2,'fault':{'kind':'not_found'}}");
	life_fault(life, "{'match':{'op':['s.list','s.find']},'count':2,'fault':"
			 "{'kind':'patch','set':{'/servers':[],'/meta/pagination/total_entries':0}}}");
	life_step(life);
	assert_int_equal(row->absent_count, 1);
	life_step(life);
	assert_int_equal(row->state, LESSOR_STATE_DELETE_UNKNOWN);
	assert_int_equal(row->absent_count, 0);
	life_end(life, 60);
	life_expect_clean(life, 0);
	assert_int_equal(life_count_requests(life, "DELETE /servers/"), 2);
	life_free(life);
}

/* ---- a key that another lease handed over --------------------------------------------------- */

/* A second lease that inherits the first one's key. */
static struct life *heir(void)
{
	struct life *life = life_new(NULL);
	struct resource key;

	life_begin(life, "cx23", "nbg1");
	while (!life_row(life, LESSOR_KIND_KEY) || !life_row(life, LESSOR_KIND_KEY)->id[0])
		life_step(life);
	key = *life_row(life, LESSOR_KIND_KEY);
	snprintf(key.signed_lease, sizeof(key.signed_lease), "%s", life->lease.id);
	life_begin(life, "cx23", "nbg1");
	key.lease = life->lease.n;
	life->book.resources = malloc(sizeof(key));
	assert_non_null(life->book.resources);
	life->book.resources[0] = key;
	life->book.resource_count = 1;
	life_run(life, 60);
	life_expect_active(life);
	assert_int_equal(life_count(life, CLOUD_KEY), 1);
	life->now_ms += 60000;
	life_release(life, 1);
	return life;
}

static void a_key_that_was_handed_over(void **state)
{
	struct life *life = heir();

	(void)state;
	life_end(life, 60);
	life_expect_clean(life, 0);
	assert_int_equal(life_count_requests(life, "DELETE /ssh_keys/"), 1);
	life_free(life);
}

/* It has the labels of the lease that created it, and the search uses these. */
static void a_key_that_was_handed_over_and_vanished(void **state)
{
	struct life *life = heir();
	char target[64];

	(void)state;
	snprintf(target, sizeof(target), "/v1/ssh_keys/%s", life_row(life, LESSOR_KIND_KEY)->id);
	assert_int_equal(life_meddle(life, "DELETE", target, NULL), 204);
	life->now_ms += 60000;
	life_reset_calls(life);
	life_end(life, 60);
	life_expect_clean(life, 0);
	assert_true(life_count_requests(life, "GET /ssh_keys?label_selector=lessor-instance%3D%3D"
					      "test-broker%2Clessor-lease%3D%3Dcbx_000000000001") > 1);
	assert_int_equal(life_count_requests(life, "GET /ssh_keys?label_selector=lessor-instance%3D%3D"
						   "test-broker%2Clessor-lease%3D%3Dcbx_000000000002"),
			 0);
	assert_int_equal(life_count_requests(life, "DELETE /ssh_keys/"), 0);
	life_free(life);
}

/* ---- addresses ----------------------------------------------------------------------------------- */

/* A look-up finds the server and it is deleted at once: its address is recorded anyway. */
static void the_address_of_a_server_that_was_found(void **state)
{
	struct life *life = life_new(NULL);

	(void)state;
	life_fault(life, "{'match':{'op':'s.create'},'faults':[{'kind':'lost'},{'kind':'ip_kept'}]}");
	life_begin(life, "cx23", "nbg1");
	while (!server(life))
		life_step(life);
	assert_int_equal(server(life)->state, LESSOR_STATE_UNKNOWN);
	life->now_ms += 30000;
	life_release(life, 1);
	life_end(life, 60);
	life_expect_clean(life, 0);
	assert_int_equal(life_count(life, CLOUD_IP), 1);
	assert_non_null(life_row(life, LESSOR_KIND_ADDRESS));
	assert_int_equal(life_row(life, LESSOR_KIND_ADDRESS)->ours, 0);
	life_free(life);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deletes_that_come_right),
		cmocka_unit_test(protected_by_a_person),
		cmocka_unit_test(another_project_answers),
		cmocka_unit_test(reads_deny_what_a_listing_shows),
		cmocka_unit_test(released_before_it_can_be_read),
		cmocka_unit_test(a_lost_delete_without_effect),
		cmocka_unit_test(a_lost_delete_that_was_done),
		cmocka_unit_test(a_lost_delete_of_a_key),
		cmocka_unit_test(died_with_a_permit),
		cmocka_unit_test(the_action_of_another_server),
		cmocka_unit_test(b4_a_delete_that_is_answered_with_something_else),
		cmocka_unit_test(b4_an_action_that_is_answered_with_another),
		cmocka_unit_test(deletes_that_do_not_end),
		cmocka_unit_test(an_ignored_delete_of_an_old_key),
		cmocka_unit_test(a_lost_delete_and_then_protected),
		cmocka_unit_test(a_permit_outlives_its_owner),
		cmocka_unit_test(a_delete_that_we_may_not),
		cmocka_unit_test(a_token_that_may_only_read),
		cmocka_unit_test(a_delete_that_is_not_possible_now),
		cmocka_unit_test(protected_in_the_last_moment),
		cmocka_unit_test(a_server_that_vanished),
		cmocka_unit_test(a_server_that_another_project_does_not_have),
		cmocka_unit_test(a_listing_shows_it_again),
		cmocka_unit_test(a_key_that_was_handed_over),
		cmocka_unit_test(a_key_that_was_handed_over_and_vanished),
		cmocka_unit_test(the_address_of_a_server_that_was_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
