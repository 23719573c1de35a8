/* SPDX-License-Identifier: MIT */
/*
 * One observation of many servers: its number of calls and parses, how far it reads, and the
 * result for each server, including one that disappears, fails or is not ours, and when the API
 * fails. test-hetzner-life and -trouble assert that whole lives end as with provision.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dlfcn.h>
#include <jansson.h>

#include "unit/test.h"
#include "life.h"
#include "util/alloc.h"

#define MANY 300
#define PAGE 50

/* A lease that waits for its server. */
struct member {
	struct lease lease;
	struct ledger book;
};

static struct life *life;
static struct member members[MANY];
static int member_count;
static int parses;

/* Overrides the library's function for host and plugin. */
__attribute__((visibility("default"))) json_t *json_loadb(const char *buffer, size_t len, size_t flags, json_error_t *error)
{
	static json_t *(*real)(const char *, size_t, size_t, json_error_t *);

	if (!real)
		*(void **)(void *)&real = dlsym(RTLD_NEXT, "json_loadb");
	parses++;
	return real(buffer, len, flags, error);
}

/* ---- the crowd ----------------------------------------------------------------------- */

static int setup(void **state)
{
	static const char *const options[] = { "keys", "account", "boot_timeout", "3m", NULL, NULL };

	(void)state;
	life = life_new(options);
	life_config(life, "max_servers", 1000);
	member_count = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < member_count; i++)
		ledger_fini(&members[i].book);
	life_free(life);
	return 0;
}

/* Adds `count` leases, each with a server that was just created. */
static void crowd_grow(int count, const char *types)
{
	while (count-- > 0) {
		struct member *m = &members[member_count++];

		life_begin(life, types, "nbg1");
		while (!ledger_awaits_server(&life->book))
			assert_int_equal(life_step(life), 1);
		m->lease = life->lease;
		m->book = life->book;
		life->book = (struct ledger){ 0 };
	}
	life_reset_calls(life);
}

/* The fixture handles one lease at a time. */
static int crowd_commit(void *arg, struct step *step, struct lease_claim *what)
{
	for (int i = 0; i < member_count; i++) {
		struct member *m = &members[i];
		struct lease lease = life->lease;
		struct ledger book = life->book;
		int result;

		if (m->lease.n != step->lease.n)
			continue;
		life->lease = m->lease;
		life->book = m->book;
		result = life_commit(arg, step, what);
		m->lease = life->lease;
		m->book = life->book;
		life->lease = lease;
		life->book = book;
		return result;
	}
	fail_msg("a commit for no member");
	return -1;
}

static void *copy_of(const void *from, size_t count, size_t size)
{
	void *copy = xcalloc(count + 1, size);

	return count ? memcpy(copy, from, count * size) : copy;
}

static struct step *part_of(struct step *look, const struct member *m)
{
	struct step *part = life_new_step(life, STEP_PROVISION);

	part->lease = m->lease;
	part->epoch = m->lease.epoch;
	part->ledger = m->book;
	part->ledger.resources = copy_of(m->book.resources, m->book.resource_count,
					 sizeof(*m->book.resources));
	part->ledger.attempts = copy_of(m->book.attempts, m->book.attempt_count,
					sizeof(*m->book.attempts));
	part->look = look;
	part->is_unobserved = 1;
	return part;
}

/* Observes the members from .. from + count - 1 and keeps each one's result for the next time. */
static struct step *crowd_look(int from, int count)
{
	struct step *look = life_new_step(life, STEP_OBSERVE);

	look->claim = crowd_commit;
	look->waiting = xcalloc((size_t)count, sizeof(*look->waiting));
	look->waiting_count = (size_t)count;
	for (int i = 0; i < count; i++)
		look->waiting[i] = part_of(look, &members[from + i]);
	life_reset_calls(life);
	parses = 0;
	step_run(look);
	if (look->violation)
		fail_msg("the look: %s", look->reason);
	for (int i = 0; i < count; i++) {
		if (look->waiting[i]->violation)
			fail_msg("lease %d: %s", from + i, look->waiting[i]->reason);
		memcpy(members[from + i].lease.cursor, look->waiting[i]->cursor,
		       sizeof(members[from + i].lease.cursor));
	}
	return look;
}

static int count_verdicts(const struct step *look, int verdict)
{
	int count = 0;

	for (size_t i = 0; i < look->waiting_count; i++)
		count += !look->waiting[i]->is_unobserved && look->waiting[i]->verdict == verdict;
	return count;
}

static int count_unobserved(const struct step *look)
{
	int count = 0;

	for (size_t i = 0; i < look->waiting_count; i++)
		count += look->waiting[i]->is_unobserved;
	return count;
}

static const struct resource *server_of(const struct member *m)
{
	for (size_t i = 0; i < m->book.resource_count; i++) {
		if (m->book.resources[i].kind == LESSOR_KIND_SERVER)
			return &m->book.resources[i];
	}
	fail_msg("no server");
	return NULL;
}

static void meddle(const struct member *m, const char *method, const char *body)
{
	char target[64];

	snprintf(target, sizeof(target), "/v1/servers/%s", server_of(m)->id);
	assert_int_equal(life_meddle(life, method, target, body), 200);
}

/* ---- what it costs ---------------------------------------------------------------------- */

static void three_hundred_by_six_pages_parsed_once(void **state)
{
	struct step *look;

	(void)state;
	crowd_grow(MANY, "cx23");
	look = crowd_look(0, MANY);
	assert_int_equal(look->verdict, LESSOR_DONE);
	/* The servers that are already booting were created first. */
	assert_int_equal(count_verdicts(look, LESSOR_PENDING) + count_verdicts(look, LESSOR_DONE), MANY);
	assert_true(count_verdicts(look, LESSOR_PENDING) > MANY / 2);
	assert_int_equal(life_count_requests(life, "GET /servers?"), MANY / PAGE);
	step_free(look);
	life->now_ms += 20000;
	look = crowd_look(0, MANY);
	assert_int_equal(count_verdicts(look, LESSOR_DONE), MANY);
	assert_int_equal(life->calls, MANY / PAGE);
	assert_int_equal(look->answers, MANY / PAGE);
	/* Once by the plugin, and once by the host, which verifies it. */
	assert_int_equal(parses, 2 * MANY / PAGE);
	for (int i = 0; i < MANY; i++) {
		const struct step *part = look->waiting[i];

		assert_string_equal(part->server_id, server_of(&members[i])->id);
		assert_int_equal(part->is_shown, 1);
		assert_string_equal(part->shown.name, server_of(&members[i])->name);
	}
	step_free(look);
}

static void nobody_is_ready_and_the_host_parses_nothing(void **state)
{
	struct step *look;

	(void)state;
	life_fault(life, "{'match':{'op':'s.create'},'count':'always','fault':{'kind':'stuck'}}");
	crowd_grow(2 * PAGE, "cx23");
	look = crowd_look(0, 2 * PAGE);
	assert_int_equal(count_verdicts(look, LESSOR_PENDING), 2 * PAGE);
	assert_int_equal(life->calls, 2);
	assert_int_equal(parses, 2);
	step_free(look);
}

static void no_further_than_somebody_waits(void **state)
{
	struct step *look;

	(void)state;
	crowd_grow(MANY, "cx23");
	life->now_ms += 20000;
	look = crowd_look(MANY - 10, 10);
	assert_int_equal(life->calls, 1);
	assert_int_equal(count_verdicts(look, LESSOR_DONE), 10);
	step_free(look);
	/* It reads a single old server by its id ... */
	life->now_ms += 20000;
	look = crowd_look(0, 1);
	assert_int_equal(life->calls, 4);
	assert_int_equal(count_unobserved(look), 1);
	step_free(look);
	/* ... and six pages for ten of them. */
	life->now_ms += 20000;
	look = crowd_look(0, 10);
	assert_int_equal(life->calls, 6);
	assert_int_equal(count_verdicts(look, LESSOR_DONE), 10);
	step_free(look);
}

static void expect_look(int from, int count, int calls)
{
	struct step *look;

	life->now_ms += 1000;
	look = crowd_look(from, count);
	assert_int_equal(life->calls, calls);
	assert_int_equal(count_verdicts(look, LESSOR_DONE), count);
	step_free(look);
}

/* Of a steady crowd those are expected that were created at about the same time ago. */
static void b7_it_begins_where_the_last_ones_were(void **state)
{
	(void)state;
	crowd_grow(MANY, "cx23");
	life->now_ms += 20000;
	expect_look(20, 20, 6);
	expect_look(0, 20, 1);
	expect_look(20, 20, 1);
	/* From there to the older and to the newer ones. */
	expect_look(40, 20, 2);
	expect_look(0, 110, 3);
	/* Not where it begins: from the newest on, and the next time it begins there. */
	expect_look(MANY - 20, 20, 2);
	expect_look(MANY - 20, 20, 1);
	expect_look(0, MANY, 6);
	expect_look(0, MANY, 6);
	expect_look(0, 20, 6);
	/* The servers before it are deleted. */
	for (int i = 20; i < MANY; i++)
		meddle(&members[i], "DELETE", NULL);
	life->now_ms += 60000;
	expect_look(0, 20, 1);
	expect_look(0, 20, 1);
}

static void a_listing_of_a_moment_ago_will_do(void **state)
{
	(void)state;
	crowd_grow(10, "cx23");
	life->now_ms += 20000;
	step_free(crowd_look(0, 5));
	assert_int_equal(life->calls, 1);
	life->now_ms += 200;
	step_free(crowd_look(5, 5));
	assert_int_equal(life->calls, 0);
	/* But not one in which a server would still be booting that is ready now. */
	life->now_ms += 200;
	step_free(crowd_look(0, 5));
	assert_int_equal(life->calls, 1);
}

static void actions_are_followed_together(void **state)
{
	struct step *look;

	(void)state;
	life_fault(life, "{'match':{'op':'s.create'},'count':'always','fault':{'kind':'stuck'}}");
	crowd_grow(30, "cx23");
	life->now_ms += 20000;
	look = crowd_look(0, 30);
	assert_int_equal(count_verdicts(look, LESSOR_PENDING), 30);
	assert_int_equal(life_count_requests(life, "GET /servers?"), 1);
	/* Two actions per server, and at most 25 per request. */
	assert_int_equal(life_count_requests(life, "GET /actions?"), 3);
	assert_int_equal(life->calls, 4);
	step_free(look);
	life->now_ms += 3000;
	step_free(crowd_look(0, 30));
	assert_int_equal(life->calls, 1);
	life->now_ms += 20000;
	step_free(crowd_look(0, 30));
	assert_int_equal(life->calls, 4);
}

/* With very many, it follows some at the next observation. */
static void a_look_does_not_follow_all(void **state)
{
	(void)state;
	life_fault(life, "{'match':{'op':'s.create'},'count':'always','fault':{'kind':'stuck'}}");
	crowd_grow(150, "cx23");
	life->now_ms += 20000;
	step_free(crowd_look(0, 150));
	assert_int_equal(life_count_requests(life, "GET /actions?"), 8);
	life->now_ms += 2000;
	step_free(crowd_look(0, 150));
	assert_int_equal(life_count_requests(life, "GET /actions?"), 5);
}

/* ---- the results ------------------------------------------------------------------------- */

static void one_has_vanished(void **state)
{
	struct step *look;

	(void)state;
	crowd_grow(3, "cx23");
	life->now_ms += 20000;
	meddle(&members[1], "DELETE", NULL);
	look = crowd_look(0, 3);
	/* A server that is being deleted is given up ... */
	assert_int_equal(count_verdicts(look, LESSOR_DONE), 2);
	assert_int_equal(look->waiting[1]->verdict, LESSOR_PENDING);
	assert_int_equal(members[1].book.attempts[0].refused, LESSOR_CLASS_FAILED);
	step_free(look);
	members[1].book.attempts[0].refused = 0;
	life->now_ms += 60000;
	look = crowd_look(0, 3);
	/* ... and one that is not listed must be read by its id. */
	assert_int_equal(count_verdicts(look, LESSOR_DONE), 2);
	assert_int_equal(look->waiting[1]->is_unobserved, 1);
	step_free(look);
}

static void some_have_failed(void **state)
{
	struct step *look;
	int refused = 0;

	(void)state;
	life_fault(life, "{'match':{'op':'s.create','server_type':'cx33'},'count':'always',"
			 "'fault':{'kind':'create_error'}}");
	crowd_grow(4, "cx23");
	crowd_grow(2, "cx33");
	life->now_ms += 21000;
	look = crowd_look(0, 6);
	assert_int_equal(count_verdicts(look, LESSOR_DONE), 4);
	for (int i = 4; i < 6; i++) {
		if (look->waiting[i]->is_unobserved)
			continue;
		assert_int_equal(look->waiting[i]->verdict, LESSOR_PENDING);
		refused += members[i].book.attempts[0].refused == LESSOR_CLASS_FAILED;
	}
	/* The ones that no longer exist are left to provision. */
	assert_int_equal(refused + count_unobserved(look), 2);
	step_free(look);
}

static void one_of_the_actions_fails(void **state)
{
	struct step *look;

	(void)state;
	life_fault(life, "{'match':{'op':'s.create','server_type':'cx33'},'count':'always',"
			 "'fault':{'kind':'start_error'}},"
			 "{'match':{'op':['s.list','s.get']},'count':'always','fault':"
			 "{'kind':'odd_status','value':'starting'}}");
	crowd_grow(4, "cx23");
	crowd_grow(2, "cx33");
	life->now_ms += 21000;
	look = crowd_look(0, 6);
	/* One listing covers the actions of all six; each failure belongs to its own server. */
	assert_int_equal(life_count_requests(life, "GET /actions?"), 1);
	assert_int_equal(count_verdicts(look, LESSOR_PENDING), 6);
	for (int i = 0; i < 6; i++)
		assert_int_equal(members[i].book.attempts[0].refused,
				 i < 4 ? LESSOR_CLASS_NONE : LESSOR_CLASS_FAILED);
	step_free(look);
}

static void not_ours_any_more(void **state)
{
	static const char *const bodies[] = {
		"{'labels':{}}", "{'labels':{'lessor-instance':'test-broker'}}",
		"{'labels':{'lessor-instance':'test-broker','lessor-lease':'cbx_000000000001'}}",
		"{'labels':{'lessor-instance':'another'}}", "{'name':'mine-now'}",
	};
	struct step *look;

	(void)state;
	crowd_grow(6, "cx23");
	life->now_ms += 20000;
	for (int i = 0; i < 5; i++)
		meddle(&members[i + 1], "PUT", bodies[i]);
	look = crowd_look(0, 6);
	assert_int_equal(look->waiting[0]->verdict, LESSOR_DONE);
	for (int i = 1; i < 6; i++) {
		/* Without our instance label it is not listed. */
		if (i == 1 || i == 4)
			assert_int_equal(look->waiting[i]->is_unobserved, 1);
		else
			assert_int_equal(look->waiting[i]->verdict, LESSOR_PENDING);
		assert_int_equal(members[i].book.attempts[0].refused, LESSOR_CLASS_NONE);
	}
	step_free(look);
	life->now_ms += 180000;
	look = crowd_look(0, 6);
	assert_int_equal(members[2].book.attempts[0].refused, LESSOR_CLASS_TIMEOUT);
	assert_int_equal(members[5].book.attempts[0].refused, LESSOR_CLASS_TIMEOUT);
	step_free(look);
}

/* The same listing contains machines of other leases and of no lease. */
static void others_in_the_listing_are_none_of_its_business(void **state)
{
	struct step *look;

	(void)state;
	crowd_grow(8, "cx23");
	assert_int_equal(life_meddle(life, "POST", "/_sim/human",
		"{'verb':'create','kind':'server','name':'theirs','labels':{'lessor-instance':"
		"'test-broker','lessor-lease':'cbx_000000000002','lessor-sig':'AAAA'}}"), 200);
	life->now_ms += 20000;
	look = crowd_look(2, 3);
	assert_int_equal(count_verdicts(look, LESSOR_DONE), 3);
	for (int i = 0; i < 3; i++)
		assert_string_equal(look->waiting[i]->server_id, server_of(&members[i + 2])->id);
	step_free(look);
}

static void its_address_is_noted(void **state)
{
	struct step *look;

	(void)state;
	life_fault(life, "{'match':{'op':'s.create'},'count':'always','fault':{'kind':'ipv4_late'}}");
	crowd_grow(2, "cx23");
	life->now_ms += 90000;
	look = crowd_look(0, 2);
	assert_int_equal(count_verdicts(look, LESSOR_DONE), 2);
	for (int i = 0; i < 2; i++) {
		const struct resource *last = &members[i].book.resources[members[i].book.resource_count - 1];

		assert_int_equal(last->kind, LESSOR_KIND_ADDRESS);
		assert_int_equal(last->ours, 0);
	}
	step_free(look);
}

/* ---- when the API fails -------------------------------------------------------------------- */

static void a_failed_page_costs_nobody(void **state)
{
	static const struct {
		const char *fault;
		uint32_t error_class;
	} rows[] = {
		{ "{'kind':'unavailable'}", LESSOR_CLASS_TRANSIENT },
		{ "{'kind':'unauthorized'}", LESSOR_CLASS_AUTH },
		{ "{'kind':'lost'}", LESSOR_CLASS_TRANSIENT },
		/* After this one the host holds back polls for a while. */
		{ "{'kind':'rate_limited','retry_after':30}", LESSOR_CLASS_RATE },
	};

	(void)state;
	crowd_grow(PAGE + 10, "cx23");
	life->now_ms += 20000;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct step *look;
		char fault[200];

		/* Not the first page, which lists the newer servers. */
		snprintf(fault, sizeof(fault), "{'match':{'op':'s.list'},'skip':1,'fault':%s}",
			 rows[i].fault);
		life_fault(life, fault);
		look = crowd_look(0, PAGE + 10);
		assert_int_equal(look->verdict, LESSOR_RETRY);
		assert_int_equal(look->error_class, rows[i].error_class);
		assert_int_equal(count_verdicts(look, LESSOR_DONE), PAGE);
		assert_int_equal(count_verdicts(look, LESSOR_RETRY), 10);
		assert_int_equal(look->waiting[0]->error_class, rows[i].error_class);
		assert_true(rows[i].error_class != LESSOR_CLASS_RATE ||
			    look->waiting[0]->wait_ms >= 30000);
		step_free(look);
		life->now_ms += 40000;
	}
	for (int i = 0; i < PAGE + 10; i++)
		assert_int_equal(members[i].book.attempts[0].refused, LESSOR_CLASS_NONE);
}

/* Nothing is concluded from nonsense; provision reads each server by its id. */
static void answers_that_make_no_sense(void **state)
{
	static const char *const faults[] = {
		"{'kind':'shape','as':'html'}", "{'kind':'shape','as':'null'}",
		"{'kind':'shape','as':'empty'}", "{'kind':'id','as':'string'}",
		"{'kind':'labels','as':'null'}", "{'kind':'selector_ignored'}",
		"{'kind':'pages','as':'loop'}", "{'kind':'pages','as':'endless'}",
	};

	(void)state;
	crowd_grow(PAGE + 10, "cx23");
	life->now_ms += 20000;
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		struct step *look;
		char fault[200];

		snprintf(fault, sizeof(fault), "{'match':{'op':'s.list'},'count':'always',"
			 "'for_ms':5000,'fault':%s}", faults[i]);
		life_fault(life, fault);
		look = crowd_look(0, PAGE + 10);
		assert_int_equal(look->verdict, LESSOR_DONE);
		assert_int_equal(count_verdicts(look, LESSOR_DONE) + count_unobserved(look),
				 PAGE + 10);
		assert_in_range(life->calls, 1, 8);
		step_free(look);
		life->now_ms += 10000;
	}
	for (int i = 0; i < PAGE + 10; i++)
		assert_int_equal(members[i].book.attempts[0].refused, LESSOR_CLASS_NONE);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(three_hundred_by_six_pages_parsed_once),
		T(nobody_is_ready_and_the_host_parses_nothing),
		T(no_further_than_somebody_waits),
		T(b7_it_begins_where_the_last_ones_were),
		T(a_listing_of_a_moment_ago_will_do),
		T(actions_are_followed_together),
		T(a_look_does_not_follow_all),
		T(one_has_vanished),
		T(some_have_failed),
		T(one_of_the_actions_fails),
		T(not_ours_any_more),
		T(others_in_the_listing_are_none_of_its_business),
		T(its_address_is_noted),
		T(a_failed_page_costs_nobody),
		T(answers_that_make_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
