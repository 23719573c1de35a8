/* SPDX-License-Identifier: MIT */
/*
 * Whole lives, from the first call until nothing is left, with the calls counted; what makes a
 * lease try the next type; what ends a wait, and what must not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/test.h"
#include "life.h"
#include "util/text.h"

static const char *const account_keys[] = { "keys", "account", NULL, NULL };

static struct life *with_lease_keys(void)
{
	return life_new(NULL);
}

static struct life *with_account_keys(void)
{
	return life_new(account_keys);
}

static void live_and_die(struct life *life, const char *types, const char *locations)
{
	life_begin(life, types, locations);
	life_run(life, 60);
	life_expect_active(life);
	assert_int_equal(life_count(life, CLOUD_SERVER), 1);
	life->now_ms += 60000;
	life_release(life, 1);
	life_run(life, 60);
}

/* A few lives, which teach how long boots and deletes take. */
static void teach(struct life *life)
{
	for (int i = 0; i < 4; i++) {
		live_and_die(life, "cx23", "nbg1");
		life_expect_clean(life, 0);
	}
	life_reset_calls(life);
}

static void plain_life_with_a_key_of_its_own(void **state)
{
	struct life *life = with_lease_keys();

	(void)state;
	teach(life);
	live_and_die(life, "cx23", "nbg1");
	life_expect_clean(life, 0);
	/* Nine calls, and the listing that all waiting leases share. */
	if (life->calls != 10)
		fail_msg("%d calls:\n%s", life->calls, life->requests);
	assert_int_equal(life_count_requests(life, "POST /ssh_keys"), 1);
	assert_int_equal(life_count_requests(life, "POST /servers"), 1);
	assert_int_equal(life_count_requests(life, "DELETE /servers/"), 1);
	assert_int_equal(life_count_requests(life, "DELETE /ssh_keys/"), 1);
	assert_int_equal(life->looks > 0, life_looks);
	assert_int_equal(life->unobserved, 0);
	life_free(life);
}

static void plain_life_with_the_accounts_key(void **state)
{
	struct life *life = with_account_keys();

	(void)state;
	teach(life);
	live_and_die(life, "cx23", "nbg1");
	life_expect_clean(life, 0);
	if (life->calls != 6)
		fail_msg("%d calls:\n%s", life->calls, life->requests);
	life_free(life);
}

/* The number of calls of many lives in sequence, including everything learned meanwhile. */
static void calls_of_a_hundred_lives(void **state)
{
	(void)state;
	for (int shared = 0; shared < 2; shared++) {
		struct life *life = shared ? with_account_keys() : with_lease_keys();
		int most = shared ? 6 : 10;

		for (int i = 0; i < 100; i++)
			live_and_die(life, "cx23", "nbg1");
		print_message("%d calls in 100 lives with keys=%s\n", life->calls,
			      shared ? "account" : "lease");
		life_expect_clean(life, 0);
		assert_in_range(life->calls, 100 * most, 100 * most + 35);
		life_free(life);
	}
}

static void what_the_client_is_told(void **state)
{
	struct life *life = with_lease_keys();

	(void)state;
	life_begin(life, "cx23", "nbg1");
	life_run(life, 60);
	life_expect_active(life);
	assert_true(life->lease.host[0] != '\0');
	assert_string_equal(life->lease.server_type, "cx23");
	assert_string_equal(life->lease.server_location, "nbg1");
	assert_string_equal(life->lease.server_id, life_row(life, LESSOR_KIND_SERVER)->id);
	assert_int_equal(life_account(life, STEP_INSPECT, 0), LESSOR_DONE);
	life_free(life);
}

/* ---- the next type ------------------------------------------------------------------- */

static void sold_out_leads_to_the_next(void **state)
{
	struct life *life = with_lease_keys();

	(void)state;
	life_fault(life, "{'match':{'op':'s.create','server_type':'cx23'},'count':'always',"
			 "'fault':{'kind':'sold_out'}}");
	life_begin(life, "cx23,cx33", "nbg1,fsn1");
	life_run(life, 60);
	life_expect_active(life);
	assert_string_equal(life->lease.server_type, "cx33");
	assert_int_equal(life->book.attempt_count, 3);
	assert_string_equal(life->book.attempts[0].location, "nbg1");
	assert_string_equal(life->book.attempts[1].location, "fsn1");
	assert_int_equal(life->book.attempts[1].refused, LESSOR_CLASS_CAPACITY);
	assert_int_equal(life_count_requests(life, "POST /servers"), 3);
	/* The refusal is remembered: the next lease tries only types that may be available. */
	life_release(life, 1);
	life_run(life, 60);
	life_reset_calls(life);
	life_begin(life, "cx23,cx33", "nbg1,fsn1");
	life_run(life, 60);
	life_expect_active(life);
	assert_int_equal(life_count_requests(life, "POST /servers"), 1);
	life_release(life, 1);
	life_run(life, 60);
	/* The refusal expires. */
	life->now_ms += 6 * 60 * 1000;
	life_reset_calls(life);
	life_begin(life, "cx23", "nbg1");
	life_run(life, 60);
	assert_int_equal(life_count_requests(life, "POST /servers"), 1);
	life_free(life);
}

static void an_explicit_type_that_is_sold_out(void **state)
{
	struct life *life = with_lease_keys();

	(void)state;
	life_fault(life, "{'match':{'op':'s.create'},'count':'always',"
			 "'fault':{'kind':'sold_out'}}");
	for (int round = 0; round < 2; round++) {
		life_begin(life, "cx23", "nbg1");
		life_run(life, 60);
		assert_int_equal(life->lease.state, LEASE_FAILED);
		assert_int_equal(life->lease.end_reason, LEASE_END_CLASS_CAPACITY);
		assert_int_equal(life->book.attempt_count, 1);
		life_expect_clean(life, 0);
	}
	assert_int_equal(life_count_requests(life, "POST /servers"), 1);
	assert_non_null(strstr(life->lease.failure, "not retried before"));
	life_free(life);
}

static void a_closed_location_is_left_for_all_types(void **state)
{
	struct life *life = with_lease_keys();

	(void)state;
	life_fault(life, "{'match':{'op':'s.create','location':'fsn1'},'count':'always',"
			 "'fault':{'kind':'location_disabled'}}");
	life_begin(life, "cx23,cx33", "fsn1");
	life_run(life, 60);
	assert_int_equal(life->lease.state, LEASE_FAILED);
	assert_int_equal(life_count_requests(life, "POST /servers"), 1);
	assert_int_equal(life->book.attempt_count, 2);
	life_free(life);
}

static void limits(void **state)
{
	static const struct { const char *limit; int posts; } rows[] = {
		{ "dedicated_core_limit", 2 }, { "server_limit", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct life *life = with_lease_keys();
		char fault[200];

		snprintf(fault, sizeof(fault), "{'match':{'op':'s.create','server_type':'ccx13'},"
			 "'count':'always','fault':{'kind':'limit','limit':'%s'}}",
			 rows[i].limit);
		life_fault(life, fault);
		life_begin(life, "ccx13,cx23", "nbg1,fsn1");
		life_run(life, 60);
		assert_int_equal(life_count_requests(life, "POST /servers"), rows[i].posts);
		assert_int_equal(life->book.attempts[0].refused, LESSOR_CLASS_QUOTA);
		assert_int_equal(life->lease.state, rows[i].posts == 2 ? LEASE_ACTIVE : LEASE_FAILED);
		life_free(life);
	}
}

static void the_catalogue_spares_calls_in_vain(void **state)
{
	struct life *life = with_lease_keys();

	(void)state;
	assert_int_equal(life_account(life, STEP_CATALOG, 0), LESSOR_DONE);
	assert_true(life->price_count > 20);
	for (size_t i = 0; i < life->price_count; i++) {
		assert_string_equal(life->prices[i].currency, "EUR");
		assert_true(life->prices[i].hour_micros > 0);
	}
	life_reset_calls(life);
	/* an ARM type; one only in America; an unknown one; and one that is available */
	life_begin(life, "cax11,cpx11,cx1000,cx23", "nbg1");
	life_run(life, 60);
	life_expect_active(life);
	assert_int_equal(life_count_requests(life, "POST /servers"), 1);
	assert_int_equal(life->book.attempt_count, 4);
	life_free(life);
}

static void what_does_not_fit_is_refused_by_the_provider_too(void **state)
{
	struct life *life = with_lease_keys();

	(void)state;
	life_begin(life, "cpx11,cx1000,cx23", "nbg1");
	life_run(life, 60);
	life_expect_active(life);
	assert_int_equal(life_count_requests(life, "POST /servers"), 3);
	life_free(life);
}

/* A 422 without a field may be unrelated to the type: after four of them, no more are tried. */
static void invalid_without_a_reason_ends_it(void **state)
{
	struct life *life = with_lease_keys();

	(void)state;
	life_fault(life, "{'match':{'op':'s.create'},'count':'always','fault':{'kind':'error',"
			 "'status':422,'code':'invalid_input','message':'invalid input'}}");
	life_begin(life, "cx23,cx33,cx43,cx53,cpx22", "nbg1");
	life_run(life, 60);
	assert_int_equal(life->lease.state, LEASE_FAILED);
	assert_int_equal(life->lease.end_reason, LEASE_END_CLASS_INVALID);
	assert_int_equal(life_count_requests(life, "POST /servers"), 4);
	assert_int_equal(life->book.attempt_count, 4);
	for (size_t i = 0; i < life->book.attempt_count; i++)
		assert_int_equal(life->book.attempts[i].refused, LESSOR_CLASS_INVALID);
	life_expect_clean(life, 0);
	life_free(life);
}

/*
 * Once the create action is over, the lock may be, too: a release then deletes a server whose start
 * still runs. Where the lock lasts, the delete waits for the end of the start.
 */
static void s5_a_delete_while_the_start_runs(void **state)
{
	(void)state;
	for (int old = 0; old < 2; old++) {
		struct life *life = with_lease_keys();

		life_config(life, "lock_until_started", old);
		life_config(life, "boot_ms", 60000);
		life_begin(life, "cx23", "nbg1");
		while (!life_count(life, CLOUD_SERVER))
			assert_int_equal(life_step(life), 1);
		life->now_ms += 11000;
		life_release(life, 1);
		life_end(life, 60);
		life_expect_clean(life, 0);
		/* Reads show the lock; a delete is not even tried before it ends. */
		assert_int_equal(life->deletes, 2);
		assert_true((life_count_requests(life, "GET /servers/") > 2) == old);
		life_free(life);
	}
}

/* ---- images and types that the provider does not have ---------------------------------------- */

/* Begins a lease of this image. */
static void begin_image(struct life *life, const char *types, const char *image)
{
	life_begin(life, types, "nbg1,fsn1");
	TEXT_SET(life->lease.image, image);
}

/* One order was refused, by a sentence that names the image. */
static void expect_no_image(struct life *life, const char *image)
{
	assert_int_equal(life->lease.state, LEASE_FAILED);
	assert_int_equal(life->lease.end_reason, LEASE_END_CLASS_INVALID);
	assert_int_equal(life_count_requests(life, "POST /servers"), 1);
	assert_non_null(strstr(life->lease.failure, image));
	assert_non_null(strstr(life->lease.failure, "choose another image"));
	life_expect_clean(life, 0);
}

static void s3_an_unknown_image_is_one_refused_order(void **state)
{
	static const char *const images[] = { "debian-99", "4711", "fedora-41", "45557056" };

	(void)state;
	for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
		for (int old = 0; old < 2; old++) {
			struct life *life = with_lease_keys();

			life->now_ms = 1796774400000; /* December 2026 */
			life_config(life, "image_field", old);
			begin_image(life, "cx23,cx33,cx43", images[i]);
			life_run(life, 60);
			expect_no_image(life, images[i]);
			life_free(life);
		}
	}
}

static void s3_an_image_of_another_architecture_is_one_refused_order(void **state)
{
	struct life *life = with_lease_keys();

	(void)state;
	begin_image(life, "cx23,cx33,cx43", "103908130");
	life_run(life, 60);
	expect_no_image(life, "103908130");
	assert_non_null(strstr(life->lease.failure, "for x86 servers"));
	life_free(life);
}

/* Without the answer the other types are tried, as for any refusal that names nothing. */
static void s3_an_image_that_cannot_be_read_is_not_blamed(void **state)
{
	struct life *life = with_lease_keys();

	(void)state;
	life_fault(life, "{'match':{'op':['i.find','i.get']},'count':'always','fault':"
			 "{'kind':'unavailable'}}");
	life_config(life, "image_field", 0);
	begin_image(life, "cx23,cx33,cx43", "debian-99");
	life_run(life, 60);
	assert_int_equal(life->lease.state, LEASE_FAILED);
	assert_int_equal(life_count_requests(life, "POST /servers"), 4);
	life_free(life);
}

/* In an hour. */
static void retire(struct life *life, const char *what)
{
	char scenario[200];
	struct err err = { 0 };

	snprintf(scenario, sizeof(scenario),
		 "{\"catalogue\":{\"retired\":[{%s,\"in_ms\":3600000}]}}", what);
	assert_int_equal(cloud_load(life->cloud, life->now_ms, scenario, strlen(scenario), &err), 0);
}

/* An image works until its last day; then the configuration names one that nobody offers. */
static void s4_an_image_retires_under_the_configuration(void **state)
{
	struct life *life = with_lease_keys();

	(void)state;
	retire(life, "\"image\":\"ubuntu-24.04\"");
	life_begin(life, "cx23,cx33", "nbg1");
	life_run(life, 60);
	life_expect_active(life);
	life_release(life, 1);
	life_end(life, 60);
	life_expect_clean(life, 0);
	life->now_ms += 2 * 3600000;
	life_reset_calls(life);
	life_begin(life, "cx23,cx33", "nbg1");
	life_run(life, 60);
	expect_no_image(life, "ubuntu-24.04");
	life_free(life);
}

/* With and without a catalogue that already knows, the next type is taken. */
static void s4_a_type_retires_and_the_next_one_is_taken(void **state)
{
	(void)state;
	for (int knows = 0; knows < 2; knows++) {
		struct life *life = with_lease_keys();

		assert_int_equal(life_account(life, STEP_CATALOG, 0), LESSOR_DONE);
		retire(life, "\"type\":\"cx23\"");
		life->now_ms += 3600000 + 1;
		if (knows)
			assert_int_equal(life_account(life, STEP_CATALOG, 0), LESSOR_DONE);
		life_begin(life, "cx23,cx33", "nbg1");
		life_run(life, 60);
		life_expect_active(life);
		assert_int_equal(life->book.attempts[0].refused, LESSOR_CLASS_INVALID);
		assert_string_equal(life->book.attempts[1].type, "cx33");
		life_free(life);
	}
}

static void too_many_calls_wait(void **state)
{
	struct life *life = with_lease_keys();

	(void)state;
	life_fault(life, "{'match':{'op':['s.create','k.create']},'count':2,"
			 "'fault':{'kind':'rate_limited','headers':'none'}}");
	life_begin(life, "cx23", "nbg1");
	life_run(life, 60);
	life_expect_active(life);
	assert_int_equal(life->book.attempt_count, 1);
	life_free(life);
}

static void a_refused_credential_ends_it(void **state)
{
	static const char *const faults[] = { "unauthorized", "token_readonly", "forbidden" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct life *life = with_account_keys();
		char fault[200];

		snprintf(fault, sizeof(fault), "{'match':{'op':'s.create'},'count':'always',"
			 "'fault':{'kind':'%s'}}", faults[i]);
		life_fault(life, fault);
		life_begin(life, "cx23,cx33", "nbg1");
		life_run(life, 60);
		assert_int_equal(life->lease.state, LEASE_FAILED);
		assert_int_equal(life->error_class, LESSOR_CLASS_AUTH);
		assert_int_equal(life_count_requests(life, "POST /servers"), 1);
		life_free(life);
	}
}

/* ---- waiting --------------------------------------------------------------------------- */

static void failed_looks_never_cost_a_server(void **state)
{
	static const char *const faults[] = {
		"{'kind':'unavailable'}", "{'kind':'server_error'}", "{'kind':'bad_gateway'}",
		"{'kind':'rate_limited','headers':'none'}", "{'kind':'unauthorized'}",
		"{'kind':'lost'}",
		"{'kind':'shape','as':'html'}", "{'kind':'shape','as':'null'}",
		"{'kind':'selector_ignored'}", "{'kind':'pages','as':'loop'}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		/* After a 429 the host holds back polls for 15 minutes. */
		static const char *const options[] = { "boot_timeout", "40m", NULL, NULL };
		struct life *life = life_new(options);
		char fault[300];

		snprintf(fault, sizeof(fault), "{'match':{'op':['s.list','s.get','a.list']},"
			 "'count':2,'fault':%s}", faults[i]);
		life_fault(life, fault);
		life_begin(life, "cx23,cx33", "nbg1");
		life_run(life, 100);
		life_expect_active(life);
		assert_string_equal(life->lease.server_type, "cx23");
		assert_int_equal(life_count_requests(life, "POST /servers"), 1);
		assert_int_equal(life->deletes, 0);
		life_free(life);
	}
}

static void not_shown_at_first(void **state)
{
	static const char *const where[] = { "get", "list", "both" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct life *life = with_lease_keys();
		char fault[200];

		snprintf(fault, sizeof(fault), "{'match':{'op':'s.create'},'fault':"
			 "{'kind':'hidden','ms':14000,'where':'%s'}}", where[i]);
		life_fault(life, fault);
		life_begin(life, "cx23,cx33", "nbg1");
		life_run(life, 100);
		life_expect_active(life);
		assert_int_equal(life_count_requests(life, "POST /servers"), 1);
		life_free(life);
	}
}

/* Only a cloud on this machine may report loopback addresses for its machines. */
static void an_address_on_this_machine(void **state)
{
	static const char *const local[] = { "endpoint", "http://127.0.0.1:1/v1", NULL, NULL };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct life *life = i ? life_new(local) : with_lease_keys();

		life_fault(life, "{'match':{'op':['s.list','s.get']},'count':'always','for_ms':60000,"
				 "'fault':{'kind':'ip','value':'127.88.3.1'}}");
		life_begin(life, "cx23,cx33", "nbg1");
		life_run(life, 200);
		life_expect_active(life);
		if (i)
			assert_string_equal(life->lease.host, "127.88.3.1");
		else
			assert_string_not_equal(life->lease.host, "127.88.3.1");
		life_free(life);
	}
}

static void an_address_that_comes_late_or_makes_no_sense(void **state)
{
	struct life *life = with_lease_keys();

	(void)state;
	life_fault(life, "{'match':{'op':['s.list','s.get']},'for_ms':60000,'fault':"
			 "{'kind':'ip','value':'127.0.0.1'}}");
	life_begin(life, "cx23,cx33", "nbg1");
	life_run(life, 200);
	life_expect_active(life);
	assert_string_not_equal(life->lease.host, "127.0.0.1");
	assert_int_equal(life_count_requests(life, "POST /servers"), 1);
	life_free(life);
}

static void never_ready_in_time(void **state)
{
	static const char *const options[] = { "boot_timeout", "3m", NULL, NULL };
	struct life *life = life_new(options);

	(void)state;
	life_fault(life, "{'match':{'op':'s.create','server_type':'cx23'},"
			 "'fault':{'kind':'stuck'}}");
	life_begin(life, "cx23,cx33", "nbg1");
	life_run(life, 300);
	life_expect_active(life);
	assert_string_equal(life->lease.server_type, "cx33");
	assert_int_equal(life->book.attempts[0].refused, LESSOR_CLASS_TIMEOUT);
	/* The first server is proven gone before the second is requested. */
	assert_int_equal(life_count(life, CLOUD_SERVER), 1);
	assert_int_equal(life->deletes, 1);
	/* No poll steps over the end of the boot timeout; then it takes a delete. */
	assert_in_range(life->book.attempts[1].started_ms - life->book.attempts[0].started_ms,
			180000, 187000);
	life_free(life);
}

static void the_provider_fails_to_make_or_start_it(void **state)
{
	static const char *const faults[] = {
		"{'kind':'create_error'}", "{'kind':'create_error','error':null}",
		"{'kind':'start_error'}",
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct life *life = with_lease_keys();
		char fault[200];

		snprintf(fault, sizeof(fault), "{'match':{'op':'s.create','server_type':'cx23'},"
			 "'fault':%s}", faults[i]);
		life_fault(life, fault);
		life_begin(life, "cx23,cx33", "nbg1");
		life_run(life, 100);
		life_expect_active(life);
		assert_string_equal(life->lease.server_type, "cx33");
		assert_int_equal(life->book.attempts[0].refused, LESSOR_CLASS_FAILED);
		assert_int_equal(life_count(life, CLOUD_SERVER), 1);
		/* Long before the boot timeout. */
		assert_in_range(life->book.attempts[1].started_ms - life->book.attempts[0].started_ms, 0,
				120000);
		life_free(life);
	}
}

#define FAILS(kind) \
	"{'match':{'op':'s.create','server_type':'cx23'},'fault':{'kind':'" kind "'}}"
/* The simulator fails both actions with the create; here the start keeps running. */
#define START_RUNS \
	"{'match':{'op':'a.list'},'count':'always','fault':{'kind':'patch','set':" \
	"{'/actions/1/status':'running','/actions/1/error':null}}}"
#define STATUS(status) \
	"{'match':{'op':['s.list','s.get']},'count':'always','fault':" \
	"{'kind':'odd_status','value':'" status "'}}"

/*
 * One of the two actions fails, and the other does not show it. The next read of the actions
 * detects it: after at most 20 s, at once when the server is off.
 */
static void either_action_that_fails_is_noticed_at_the_next_look(void **state)
{
	static const struct {
		const char *faults;
		int64_t failed_ms; /* after the create, with the simulator's default times */
	} rows[] = {
		{ FAILS("create_error") "," START_RUNS, 10000 },
		{ FAILS("start_error"), 16500 },
		/* With a server status that looks healthy: only the actions show the failure. */
		{ FAILS("create_error") "," START_RUNS "," STATUS("initializing"), 10000 },
		{ FAILS("start_error") "," STATUS("starting"), 16500 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct life *life = with_lease_keys();
		const struct attempt *first;

		life_fault(life, rows[i].faults);
		life_begin(life, "cx23,cx33", "nbg1");
		while (!life->book.attempt_count || !life->book.attempts[0].refused)
			assert_int_equal(life_step(life), 1);
		first = &life->book.attempts[0];
		assert_int_equal(first->refused, LESSOR_CLASS_FAILED);
		assert_in_range(life->now_ms - first->started_ms, rows[i].failed_ms,
				rows[i].failed_ms + 25000);
		life_free(life);
	}
}

static void a_person_deletes_it_while_it_boots(void **state)
{
	struct life *life = with_lease_keys();
	char target[64];

	(void)state;
	life_fault(life, "{'match':{'op':'s.create','server_type':'cx23'},"
			 "'fault':{'kind':'stuck'}}");
	life_begin(life, "cx23,cx33", "nbg1");
	life_run(life, 8);
	snprintf(target, sizeof(target), "/v1/servers/%s", life_row(life, LESSOR_KIND_SERVER)->id);
	assert_int_equal(life_meddle(life, "DELETE", target, NULL), 200);
	life_run(life, 100);
	life_expect_active(life);
	assert_string_equal(life->lease.server_type, "cx33");
	assert_int_equal(life->book.attempts[0].refused, LESSOR_CLASS_FAILED);
	life_free(life);
}

/* ---- rollback that is not allowed ------------------------------------------------------- */

static void another_type_only_after_proven_absence(void **state)
{
	static const char *const options[] = { "boot_timeout", "1m", NULL, NULL };
	struct life *life = life_new(options);

	(void)state;
	life_fault(life, "{'match':{'op':'s.create'},'fault':{'kind':'stuck'}},"
			"{'match':{'op':'s.delete'},'for_ms':300000,"
			"'fault':{'kind':'unavailable'}}");
	life_begin(life, "cx23,cx33", "nbg1");
	for (int i = 0; i < 200 && life->lease.state == LEASE_PROVISIONING; i++) {
		life_step(life);
		assert_true(life_count(life, CLOUD_SERVER) <= 1);
	}
	life_expect_active(life);
	assert_string_equal(life->lease.server_type, "cx33");
	life_free(life);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_life_with_a_key_of_its_own),
		cmocka_unit_test(plain_life_with_the_accounts_key),
		cmocka_unit_test(calls_of_a_hundred_lives),
		cmocka_unit_test(what_the_client_is_told),
		cmocka_unit_test(sold_out_leads_to_the_next),
		cmocka_unit_test(an_explicit_type_that_is_sold_out),
		cmocka_unit_test(a_closed_location_is_left_for_all_types),
		cmocka_unit_test(limits),
		cmocka_unit_test(the_catalogue_spares_calls_in_vain),
		cmocka_unit_test(what_does_not_fit_is_refused_by_the_provider_too),
		cmocka_unit_test(invalid_without_a_reason_ends_it),
		cmocka_unit_test(s5_a_delete_while_the_start_runs),
		cmocka_unit_test(s3_an_unknown_image_is_one_refused_order),
		cmocka_unit_test(s3_an_image_of_another_architecture_is_one_refused_order),
		cmocka_unit_test(s3_an_image_that_cannot_be_read_is_not_blamed),
		cmocka_unit_test(s4_an_image_retires_under_the_configuration),
		cmocka_unit_test(s4_a_type_retires_and_the_next_one_is_taken),
		cmocka_unit_test(too_many_calls_wait),
		cmocka_unit_test(a_refused_credential_ends_it),
		cmocka_unit_test(failed_looks_never_cost_a_server),
		cmocka_unit_test(not_shown_at_first),
		cmocka_unit_test(an_address_on_this_machine),
		cmocka_unit_test(an_address_that_comes_late_or_makes_no_sense),
		cmocka_unit_test(never_ready_in_time),
		cmocka_unit_test(the_provider_fails_to_make_or_start_it),
		cmocka_unit_test(either_action_that_fails_is_noticed_at_the_next_look),
		cmocka_unit_test(a_person_deletes_it_while_it_boots),
		cmocka_unit_test(another_type_only_after_proven_absence),
	};

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	life_looks = 1;
	return failed + cmocka_run_group_tests_name("with shared observations", tests, NULL, NULL);
}
