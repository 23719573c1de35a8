/* SPDX-License-Identifier: MIT */
/*
 * Lost responses, crashed processes, resources that are not ours, and slow deletes. At the end
 * nothing of ours is left, and nothing of anybody else is deleted.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/test.h"
#include "lease/deadline.h"
#include "life.h"

/* ---- creates with an unknown outcome ---------------------------------------------------- */

/* Whatever happens to the response, the result is one server and one key. */
static void lost_creates(void **state)
{
	static const char *const faults[] = {
		"{'kind':'lost'}", "{'kind':'close'}", "{'kind':'cut'}", "{'kind':'cut_headers'}",
		"{'kind':'hang'}",
		"{'kind':'hang','effect':false}",
		"{'kind':'server_error','effect':true}", "{'kind':'server_error'}",
		"{'kind':'bad_gateway','effect':true}", "{'kind':'gateway_timeout','effect':true}",
		"{'kind':'unavailable'}", "{'kind':'redirect'}",
		"{'kind':'status','status':204,'effect':true}",
		"{'kind':'status','status':408,'effect':true}",
		"{'kind':'shape','as':'empty'}", "{'kind':'shape','as':'html'}",
		"{'kind':'shape','as':'text'}", "{'kind':'shape','as':'array'}",
		"{'kind':'shape','as':'null'}", "{'kind':'shape','as':'error'}",
		"{'kind':'shape','as':'duplicate'}", "{'kind':'shape','as':'utf8'}",
		"{'kind':'shape','as':'nul'}", "{'kind':'shape','as':'surrogate'}",
		"{'kind':'shape','as':'deep'}", "{'kind':'shape','as':'truncated'}",
		"{'kind':'id','as':'string'}", "{'kind':'id','as':'huge'}",
		"{'kind':'id','as':'float'}", "{'kind':'id','as':'exp'}",
		"{'kind':'id','as':'zero'}", "{'kind':'id','as':'negative'}",
		"{'kind':'id','as':'null'}", "{'kind':'id','as':'missing'}",
		"{'kind':'labels','as':'null'}", "{'kind':'labels','as':'missing'}",
		"{'kind':'labels','as':{'lessor-lease':'cbx_other'}}",
		"{'kind':'name','as':'upper'}", "{'kind':'name','as':'dot'}",
		"{'kind':'name','value':'somebody'}",
		"{'kind':'slow','ms':70000}", "{'kind':'stale'}",
		"{'kind':'conflict','effect':true}", "{'kind':'conflict'}",
	};
	static const char *const ops[] = { "s.create", "k.create" };

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		for (size_t o = 0; o < 2; o++) {
			struct life *life = life_new(NULL);
			char fault[300];

			snprintf(fault, sizeof(fault), "{'match':{'op':'%s'},'fault':%s}", ops[o],
				 faults[i]);
			life_fault(life, fault);
			life_begin(life, "cx23,cx33", "nbg1");
			life_run(life, 100);
			if (life->lease.state != LEASE_ACTIVE)
				fail_msg("%s: %s %s\n%s", fault, life->lease.failure,
					 life->lease.last_error, life->requests);
			/* No other type is tried while the outcome of the first is unknown. */
			if (strcmp(life->lease.server_type, "cx23") != 0 ||
			    life_count(life, CLOUD_SERVER) != 1 || life_count(life, CLOUD_KEY) != 1)
				fail_msg("%s: %d servers\n%s", fault, life_count(life, CLOUD_SERVER),
					 life->requests);
			life_release(life, 1);
			life_end(life, 60);
			life_expect_clean(life, 0);
			life_free(life);
		}
	}
}

/* Harmless deviations change nothing. */
static void harmless_oddities(void **state)
{
	static const char *const faults[] = {
		"{'kind':'extra'}", "{'kind':'no_action'}",
		"{'kind':'id','of':'action','as':'missing'}",
		"{'kind':'id','of':'action','as':'string'}", "{'kind':'action_unknown'}",
		"{'kind':'progress_odd'}",
		"{'kind':'endless'}", "{'kind':'ipv4_late'}",
		"{'kind':'ipv4_late','missing':true}", "{'kind':'chunked'}",
		"{'kind':'close_after'}", "{'kind':'odd_status'}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct life *life = life_new(NULL);
		char fault[300];

		snprintf(fault, sizeof(fault), "{'match':{'op':'s.create'},'fault':%s}", faults[i]);
		life_fault(life, fault);
		life_begin(life, "cx23,cx33", "nbg1");
		life_run(life, 200);
		if (life->lease.state != LEASE_ACTIVE || life_count_requests(life, "POST /servers") != 1)
			fail_msg("%s: %s\n%s", fault, life->lease.last_error, life->requests);
		life_release(life, 1);
		life_end(life, 100);
		life_expect_clean(life, 0);
		life_free(life);
	}
}

static void died_after_an_effect(void **state)
{
	/* Crashes after the effect: key, server, delete of the server, delete of the key. */
	(void)state;
	for (int nth = 0; nth < 4; nth++) {
		struct life *life = life_new(NULL);

		life_begin(life, "cx23,cx33", "nbg1");
		life->crash_after_effect = nth == 0;
		if (nth == 1) {
			while (!life_row(life, LESSOR_KIND_KEY) ||
			       life_row(life, LESSOR_KIND_KEY)->state != LESSOR_STATE_PRESENT)
				life_step(life);
			life->crash_after_effect = 1;
		}
		life_run(life, 100);
		life_expect_active(life);
		assert_int_equal(life_count_requests(life, "POST /servers"), 1);
		assert_int_equal(life_count_requests(life, "POST /ssh_keys"), 1);
		life->now_ms += 60000;
		life_release(life, 1);
		life->crash_after_effect = nth == 2;
		if (nth == 3) {
			while (life_row(life, LESSOR_KIND_SERVER))
				life_step(life);
			/* The key goes in the step that proves the server's absence, or later. */
			life->crash_after_effect = life_row(life, LESSOR_KIND_KEY) != NULL;
		}
		life_end(life, 100);
		life_expect_clean(life, 0);
		life_free(life);
	}
}

static void released_while_a_create_is_unknown(void **state)
{
	struct life *life = life_new(NULL);

	(void)state;
	life_fault(life, "{'match':{'op':'s.create'},'fault':{'kind':'lost'}},"
			"{'match':{'op':['s.find','s.list']},'for_ms':600000,"
			"'fault':{'kind':'unavailable'}}");
	life_begin(life, "cx23", "nbg1");
	life_run(life, 6);
	assert_int_equal(life_row(life, LESSOR_KIND_SERVER)->state, LESSOR_STATE_UNKNOWN);
	life_release(life, 1);
	life_end(life, 200);
	life_expect_clean(life, 0);
	life_free(life);
}

/* Kept at the client's request: found, recorded, and not deleted before an explicit delete. */
static void retained_while_a_create_is_unknown(void **state)
{
	struct life *life = life_new(NULL);

	(void)state;
	life_fault(life, "{'match':{'op':'s.create'},'fault':{'kind':'lost'}}");
	life_begin(life, "cx23", "nbg1");
	while (!life_row(life, LESSOR_KIND_SERVER))
		life_step(life);
	assert_int_equal(life_row(life, LESSOR_KIND_SERVER)->state, LESSOR_STATE_UNKNOWN);
	life_release(life, 0);
	for (int i = 0; i < 50 && life_step(life); i++)
		;
	assert_int_equal(life->lease.cleanup, CLEANUP_RETAINED);
	assert_int_equal(life_row(life, LESSOR_KIND_SERVER)->state, LESSOR_STATE_RETAINED);
	assert_string_not_equal(life_row(life, LESSOR_KIND_SERVER)->id, "");
	assert_int_equal(life->deletes, 0);
	assert_int_equal(life_count(life, CLOUD_SERVER), 1);
	life_release(life, 1);
	life_end(life, 60);
	life_expect_clean(life, 0);
	life_free(life);
}

/* An inconsistent listing does not prove absence. */
static void bad_inventories_prove_nothing(void **state)
{
	static const char *const faults[] = {
		"{'kind':'shape','as':'html'}", "{'kind':'shape','as':'empty'}",
		"{'kind':'pages','as':'loop'}", "{'kind':'pages','as':'endless'}",
		"{'kind':'not_found'}", "{'kind':'unavailable'}",
		"{'kind':'rate_limited','headers':'none'}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct life *life = life_new(NULL);
		char fault[300];

		life->settle_ms = 0;
		life_fault(life, "{'match':{'op':'s.create'},'fault':{'kind':'close'}}");
		snprintf(fault, sizeof(fault), "{'match':{'op':['s.find','s.list']},'count':'always',"
			 "'fault':%s}", faults[i]);
		life_fault(life, fault);
		life_begin(life, "cx23", "nbg1");
		life_run(life, 20);
		if (!life_row(life, LESSOR_KIND_SERVER) ||
		    life_row(life, LESSOR_KIND_SERVER)->state != LESSOR_STATE_UNKNOWN)
			fail_msg("%s:\n%s", fault, life->requests);
		assert_int_equal(life_count_requests(life, "POST /servers"), 1);
		life_free(life);
	}
}

static void the_name_taken_by_our_own_late_order(void **state)
{
	struct life *life = life_new(NULL);

	/* A server with a lost create response, hidden long enough to count as never created. */
	(void)state;
	life_fault(life, "{'match':{'op':'s.create'},'faults':[{'kind':'lost'},"
			 "{'kind':'hidden','ms':300000,'where':'both'}]}");
	life_begin(life, "cx23,cx33", "nbg1");
	life_run(life, 200);
	life_expect_active(life);
	assert_int_equal(life_count(life, CLOUD_SERVER), 1);
	life_release(life, 1);
	life_end(life, 60);
	life_expect_clean(life, 0);
	life_free(life);
}

/* A key with a lost create response, hidden just as long. */
static struct life *late_key(int64_t hidden_ms)
{
	struct life *life = life_new(NULL);
	char rule[160];

	snprintf(rule, sizeof(rule), "{'match':{'op':'k.create'},'faults':[{'kind':'lost'},"
		 "{'kind':'hidden','ms':%" PRId64 ",'where':'both'}]}", hidden_ms);
	life_fault(life, rule);
	life_begin(life, "cx23", "nbg1");
	return life;
}

/* The key is not found by name, but a moment later by its material: it is not a stranger's key. */
static void our_own_key_comes_into_sight_between_two_looks(void **state)
{
	struct life *life = late_key(600000);
	int64_t taken_ms = -life->now_ms;
	int met = 0;

	(void)state;
	while (!life_count_requests(life, "POST /ssh_keys 409") && life_step(life))
		;
	taken_ms += life->now_ms;
	life_free(life);
	for (int64_t ms = taken_ms - 400; ms < taken_ms + 400; ms += 20) {
		life = late_key(ms);
		while (life->lease.state == LEASE_PROVISIONING && life_step(life))
			met |= strstr(life->reason, "became visible") != NULL;
		life_expect_active(life);
		assert_int_equal(life_count(life, CLOUD_KEY), 1);
		life_release(life, 1);
		life_end(life, 60);
		life_expect_clean(life, 0);
		life_free(life);
	}
	assert_true(met);
}

/* The name is taken, and its owner is not visible: it may be ours, so the row stays open. */
static void a_name_taken_by_nobody_knows_whom(void **state)
{
	struct life *life = life_new(NULL);

	(void)state;
	life_fault(life, "{'match':{'op':'s.create'},'faults':[{'kind':'lost'},"
			 "{'kind':'hidden','ms':300000,'where':'both'}]}");
	life_begin(life, "cx23", "nbg1");
	while (life_count_requests(life, "POST /servers") < 2 && life_step(life))
		;
	assert_int_equal(life_count_requests(life, "POST /servers 409"), 1);
	assert_int_equal(life_row(life, LESSOR_KIND_SERVER)->state, LESSOR_STATE_UNKNOWN);
	life->now_ms += 300000;
	life_release(life, 1);
	life_end(life, 60);
	life_expect_clean(life, 0);
	life_free(life);
}

/* A hidden server with a lost create response, whose labels a person changed. */
static struct life *changed_server(int64_t hidden_ms)
{
	struct life *life = life_new(NULL);
	char rule[160], target[64];
	int64_t id;

	snprintf(rule, sizeof(rule), "{'match':{'op':'s.create'},'faults':[{'kind':'lost'},"
		 "{'kind':'hidden','ms':%" PRId64 ",'where':'list'}]}", hidden_ms);
	life_fault(life, rule);
	life_begin(life, "cx23,cx33", "nbg1");
	while (!life_row(life, LESSOR_KIND_SERVER))
		life_step(life);
	id = life_find(life, CLOUD_SERVER, life_row(life, LESSOR_KIND_SERVER)->name);
	snprintf(target, sizeof(target), "/v1/servers/%" PRId64, id);
	assert_int_equal(life_meddle(life, "PUT", target, "{'labels':{'lessor-sig':'copied'}}"), 200);
	return life;
}

/* Our name with an invalid signature: it is not a stranger's, and no other type is tried. */
static void the_name_taken_by_what_was_ours(void **state)
{
	struct life *life = changed_server(1000000);
	int64_t taken_ms = -life->now_ms;
	int met = 0;

	(void)state;
	while (!life_count_requests(life, "POST /servers 409") && life_step(life))
		;
	taken_ms += life->now_ms;
	life_free(life);
	for (int64_t ms = taken_ms - 400; ms < taken_ms + 400; ms += 20) {
		life = changed_server(ms);
		while (life->lease.state == LEASE_PROVISIONING && life_step(life))
			met |= life_count_requests(life, "POST /servers 409") &&
			       life->error_class == LESSOR_CLASS_OWNERSHIP;
		assert_int_equal(life->lease.state, LEASE_FAILED);
		assert_int_equal(life->lease.end_reason, LEASE_END_CLASS_OWNERSHIP);
		assert_int_equal(life->book.attempt_count, 1);
		life_end(life, 60);
		assert_int_equal(life->lease.cleanup, CLEANUP_ATTENTION);
		assert_int_equal(life->deletes, 0);
		assert_int_equal(life_count(life, CLOUD_SERVER), 1);
		life_free(life);
	}
	assert_true(met);
}

/* ---- what is not ours -------------------------------------------------------------------- */

static void a_strangers_server_of_our_name(void **state)
{
	struct life *life = life_new(NULL);

	(void)state;
	life_fault(life, "{'match':{'op':'s.create'},'fault':{'kind':'name_taken'}}");
	life_begin(life, "cx23,cx33", "nbg1");
	life_run(life, 100);
	life_expect_active(life);
	assert_int_equal(life->book.attempts[0].refused, LESSOR_CLASS_CONFLICT);
	assert_int_equal(life_count(life, CLOUD_SERVER), 2);
	life_release(life, 1);
	life_end(life, 60);
	assert_int_equal(life->lease.cleanup, CLEANUP_DONE);
	assert_int_equal(life_count(life, CLOUD_SERVER), 1);
	life_free(life);
}

static void a_strangers_key_of_our_name(void **state)
{
	struct life *life = life_new(NULL);

	(void)state;
	life_fault(life, "{'match':{'op':'k.create'},'fault':{'kind':'name_taken'}}");
	life_begin(life, "cx23", "nbg1");
	life_run(life, 100);
	assert_int_equal(life->lease.state, LEASE_FAILED);
	assert_int_equal(life->error_class, LESSOR_CLASS_CONFLICT);
	life_end(life, 60);
	life_expect_clean(life, 1);
	assert_int_equal(life->deletes, 0);
	life_free(life);
}

static void the_same_key_of_somebody_else(void **state)
{
	struct life *life = life_new(NULL);

	(void)state;
	life_fault(life, "{'match':{'op':'k.create'},'fault':{'kind':'key_taken'}}");
	life_begin(life, "cx23", "nbg1");
	life_run(life, 100);
	life_expect_active(life);
	assert_int_equal(life_row(life, LESSOR_KIND_KEY)->ours, 0);
	life_release(life, 1);
	life_end(life, 60);
	assert_int_equal(life->lease.cleanup, CLEANUP_DONE);
	/* It existed before us and stays. */
	assert_int_equal(life_count(life, CLOUD_KEY), 1);
	assert_int_equal(life_count_requests(life, "DELETE /ssh_keys"), 0);
	life_free(life);
}

/* Copies the fault with the id for each @. */
static void fault_fill(const char *fault, int64_t id, char *ret, size_t room)
{
	size_t len = 0;

	for (; *fault && len + 24 < room; fault++) {
		if (*fault == '@')
			len += (size_t)snprintf(ret + len, room - len, "%lld", (long long)id);
		else
			ret[len++] = *fault;
	}
	ret[len] = '\0';
}

/* A create that is answered with the id of something else is looked up by its name. */
static void b5_a_create_that_is_answered_with_another_id(void **state)
{
	static const char *const faults[] = {
		/* of nothing, of a stranger's server or key */
		"{'match':{'op':'s.create'},'fault':{'kind':'patch','set':{'/server/id':424242}}}",
		"{'match':{'op':'s.create'},'fault':{'kind':'patch','set':{'/server/id':@}}}",
		/* the action agrees, so that only a read shows it */
		"{'match':{'op':'s.create'},'fault':{'kind':'patch','set':"
		"{'/server/id':424242,'/action/resources/0/id':424242}}}",
		"{'match':{'op':'s.create'},'fault':{'kind':'patch','set':"
		"{'/server/id':@,'/action/resources/0/id':@}}}",
		/* the action of another server, or none */
		"{'match':{'op':'s.create'},'fault':{'kind':'patch','set':"
		"{'/action/resources/0/id':424242}}}",
		"{'match':{'op':'s.create'},'fault':{'kind':'no_action'}}",
		"{'match':{'op':'s.create'},'fault':{'kind':'shape','as':'truncated'}}",
		"{'match':{'op':'k.create'},'fault':{'kind':'shape','as':'truncated'}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		static const char *const options[] = { "boot_timeout", "9m", NULL, NULL };
		struct life *life = life_new(options);
		int64_t stranger, begun_ms;
		char fault[400];

		life_meddle(life, "POST", "/v1/servers",
			    "{'name':'theirs','server_type':'cx23','image':'ubuntu-24.04',"
			    "'location':'nbg1'}");
		stranger = life_find(life, CLOUD_SERVER, "theirs");
		assert_true(stranger > 0);
		fault_fill(faults[i], stranger, fault, sizeof(fault));
		life_fault(life, fault);
		begun_ms = life->now_ms;
		life_begin(life, "cx23", "nbg1");
		life_run(life, 120);
		if (life->lease.state != LEASE_ACTIVE)
			fail_msg("%s: %s\n%s", fault, life->lease.last_error, life->requests);
		assert_in_range(life->now_ms - begun_ms, 0, 120000);
		assert_int_not_equal(strtoll(life->lease.server_id, NULL, 10), stranger);
		assert_int_equal(life_count(life, CLOUD_SERVER), 2);
		life_release(life, 1);
		life_end(life, 60);
		assert_int_equal(life->lease.cleanup, CLEANUP_DONE);
		assert_int_equal(life_count(life, CLOUD_SERVER), 1);
		assert_int_equal(life_count(life, CLOUD_KEY), 0);
		life_free(life);
	}
}

/* Of a lease that is given up before that is noticed, nothing stays either. */
static void b5_a_wrong_id_is_noticed_by_the_cleanup(void **state)
{
	static const char *const faults[] = {
		"{'match':{'op':'s.create'},'fault':{'kind':'patch','set':"
		"{'/server/id':@,'/action/resources/0/id':@}}}",
		"{'match':{'op':'s.create'},'fault':{'kind':'patch','set':"
		"{'/server/id':424242,'/action/resources/0/id':424242}}}",
		"{'match':{'op':'k.create'},'fault':{'kind':'patch','set':{'/ssh_key/id':424242}}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		static const char *const options[] = { NULL, NULL };
		struct life *life = life_new(options);
		int64_t stranger;
		char fault[400];

		life_meddle(life, "POST", "/v1/servers",
			    "{'name':'theirs','server_type':'cx23','image':'ubuntu-24.04',"
			    "'location':'nbg1'}");
		stranger = life_find(life, CLOUD_SERVER, "theirs");
		fault_fill(faults[i], stranger, fault, sizeof(fault));
		life_fault(life, fault);
		life_begin(life, "cx23", "nbg1");
		for (int k = 0; k < 40 && !life_count_requests(life, "POST /servers 201"); k++)
			life_step(life);
		life_release(life, 1);
		life_end(life, 80);
		if (life->lease.cleanup != CLEANUP_DONE)
			fail_msg("%s: %s\n%s", fault, life->lease.attention, life->requests);
		assert_int_equal(life_count(life, CLOUD_SERVER), 1);
		assert_int_equal(life_count(life, CLOUD_KEY), 0);
		life_free(life);
	}
}

static void a_person_took_the_labels(void **state)
{
	struct life *life = life_active("cx23");
	char target[64];

	(void)state;
	snprintf(target, sizeof(target), "/v1/servers/%s", life->lease.server_id);
	assert_int_equal(life_meddle(life, "PUT", target, "{'labels':{}}"), 200);
	life_release(life, 1);
	life_end(life, 60);
	assert_int_equal(life->lease.cleanup, CLEANUP_ATTENTION);
	assert_int_equal(life->deletes, 0);
	assert_int_equal(life_count(life, CLOUD_SERVER), 1);
	assert_int_equal(life_count(life, CLOUD_KEY), 1);
	life_free(life);
}

static void lies_about_what_is_to_be_deleted(void **state)
{
	static const char *const faults[] = {
		"{'kind':'id','value':42}", "{'kind':'id','as':'string'}",
		"{'kind':'name','as':'upper'}", "{'kind':'name','as':'dot'}",
		"{'kind':'labels','as':'null'}", "{'kind':'labels','as':'missing'}",
		"{'kind':'labels','as':{'lessor-lease':'cbx_000000000001'}}",
		"{'kind':'shape','as':'html'}", "{'kind':'shape','as':'empty'}",
		"{'kind':'status','status':404}", "{'kind':'shape','as':'null'}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct life *life = life_active("cx23");
		char fault[300];

		snprintf(fault, sizeof(fault), "{'match':{'op':'s.get'},'count':'always','fault':%s}",
			 faults[i]);
		life_fault(life, fault);
		life_release(life, 1);
		life_end(life, 10);
		if (life->deletes || life->lease.cleanup == CLEANUP_DONE ||
		    life_count(life, CLOUD_SERVER) != 1)
			fail_msg("%s:\n%s", fault, life->requests);
		life_free(life);
	}
}

/* The row of its first server, whatever became of it; NULL: none was begun. */
static const struct resource *begun_server(const struct life *life)
{
	for (size_t i = 0; i < life->book.resource_count; i++) {
		if (life->book.resources[i].kind == LESSOR_KIND_SERVER)
			return &life->book.resources[i];
	}
	return NULL;
}

/*
 * The owner dies while its create is under way, and another process takes over at once. The
 * provider shows the server only later than `settle`, but before the intent has ended: it is
 * found, and nothing is concluded before.
 */
static void a_create_outlives_its_owner(void **state)
{
	(void)state;
	for (int is_shared = 0; is_shared < 2; is_shared++) {
		struct life *life = life_new(NULL);
		int64_t intended_ms;

		life->settle_ms = 2000;
		life->is_shared = is_shared;
		life_fault(life, "{'match':{'op':'s.create'},'fault':"
				 "{'kind':'hidden','ms':45000,'where':'both'}}");
		life_begin(life, "cx23", "nbg1");
		/* The key's create comes first. */
		life->crash_after_effect = 2;
		while (!begun_server(life) && life_step(life))
			;
		assert_int_equal(begun_server(life)->state, LESSOR_STATE_UNKNOWN);
		intended_ms = begun_server(life)->created_ms;
		while (life->now_ms < intended_ms + 30000 &&
		       begun_server(life)->state == LESSOR_STATE_UNKNOWN)
			life_step(life);
		/* The only process of a store knows that the request is over: there `settle` is wrong. */
		assert_int_equal(begun_server(life)->state,
				 is_shared ? LESSOR_STATE_UNKNOWN : LESSOR_STATE_NEVER_EXISTED);
		if (!is_shared) {
			life_free(life);
			continue;
		}
		life_run(life, 100);
		life_expect_active(life);
		assert_int_equal(life_count_requests(life, "POST /servers"), 1);
		life_free(life);
	}
}

/* One that was never carried out: not before the intent has ended, and soon after. */
static void an_intent_outlives_its_owner(void **state)
{
	struct life *life = life_new(NULL);
	int64_t intended_ms, row;

	(void)state;
	life->settle_ms = 2000;
	life->is_shared = 1;
	life_fault(life, "{'match':{'op':'s.create'},'fault':{'kind':'close'}}");
	life_begin(life, "cx23", "nbg1");
	while (!begun_server(life) && life_step(life))
		;
	row = begun_server(life)->n;
	intended_ms = begun_server(life)->created_ms;
	while (ledger_find(&life->book, row)->state != LESSOR_STATE_NEVER_EXISTED && life_step(life))
		;
	assert_in_range(life->now_ms - intended_ms, PERMIT_MS + PERMIT_GUARD_MS,
			PERMIT_MS + PERMIT_GUARD_MS + 15000);
	life_run(life, 100);
	life_expect_active(life);
	life_free(life);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_create_outlives_its_owner),
		cmocka_unit_test(an_intent_outlives_its_owner),
		cmocka_unit_test(lost_creates),
		cmocka_unit_test(harmless_oddities),
		cmocka_unit_test(died_after_an_effect),
		cmocka_unit_test(released_while_a_create_is_unknown),
		cmocka_unit_test(retained_while_a_create_is_unknown),
		cmocka_unit_test(bad_inventories_prove_nothing),
		cmocka_unit_test(the_name_taken_by_our_own_late_order),
		cmocka_unit_test(our_own_key_comes_into_sight_between_two_looks),
		cmocka_unit_test(a_name_taken_by_nobody_knows_whom),
		cmocka_unit_test(the_name_taken_by_what_was_ours),
		cmocka_unit_test(a_strangers_server_of_our_name),
		cmocka_unit_test(a_strangers_key_of_our_name),
		cmocka_unit_test(the_same_key_of_somebody_else),
		cmocka_unit_test(b5_a_create_that_is_answered_with_another_id),
		cmocka_unit_test(b5_a_wrong_id_is_noticed_by_the_cleanup),
		cmocka_unit_test(a_person_took_the_labels),
		cmocka_unit_test(lies_about_what_is_to_be_deleted),
	};

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	life_looks = 1;
	return failed + cmocka_run_group_tests_name("with shared observations", tests, NULL, NULL);
}
