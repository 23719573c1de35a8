/* SPDX-License-Identifier: MIT */
/* The account: its sentinel and the counter in it, and the inventory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/test.h"
#include "life.h"
#include "util/text.h"

/* ---- the account ---------------------------------------------------------------------------- */

static void the_mark(void **state)
{
	struct life *life = life_open(NULL);
	char target[64];

	(void)state;
	assert_int_equal(life_account(life, STEP_PROBE, 0), LESSOR_DONE);
	assert_int_equal(life->calls, 1);
	assert_int_equal(life_account(life, STEP_PROBE, 0), LESSOR_DONE);
	assert_int_equal(life->calls, 2);
	life_fault(life, "{'match':{'op':'k.get'},'fault':{'kind':'unauthorized'}}");
	assert_int_equal(life_account(life, STEP_PROBE, 0), LESSOR_REFUSED);
	assert_int_equal(life->error_class, LESSOR_CLASS_AUTH);
	life_fault(life, "{'match':{'op':'k.get'},'fault':{'kind':'unavailable'}}");
	assert_int_equal(life_account(life, STEP_PROBE, 0), LESSOR_RETRY);
	life_fault(life, "{'match':{'op':'k.get'},'fault':{'kind':'other_project'}}");
	assert_int_equal(life_account(life, STEP_PROBE, 0), LESSOR_REFUSED);
	assert_int_equal(life->error_class, LESSOR_CLASS_ACCOUNT);
	snprintf(target, sizeof(target), "/v1/ssh_keys/%s", life->mark.resources[0].id);
	assert_int_equal(life_meddle(life, "PUT", target, "{'name':'renamed'}"), 200);
	assert_int_equal(life_account(life, STEP_PROBE, 0), LESSOR_REFUSED);
	assert_int_equal(life->error_class, LESSOR_CLASS_ACCOUNT);
	life_free(life);
}

static void the_mark_made_without_an_answer(void **state)
{
	static const struct { const char *fault; int verdict; } rows[] = {
		{ "{'kind':'lost'}", LESSOR_RETRY }, { "{'kind':'server_error'}", LESSOR_RETRY },
		{ "{'kind':'rate_limited','headers':'none'}", LESSOR_RETRY }, { "{'kind':'token_readonly'}", LESSOR_REFUSED },
		{ "{'kind':'unauthorized'}", LESSOR_REFUSED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct life *life = life_open(NULL);
		char fault[200];

		snprintf(fault, sizeof(fault), "{'match':{'op':'k.create'},'fault':%s}", rows[i].fault);
		life_fault(life, fault);
		assert_int_equal(life_account(life, STEP_PROBE, 0), rows[i].verdict);
		for (int n = 0; n < 40 && life->verdict != LESSOR_DONE; n++) {
			life->now_ms += 30000;
			life_account(life, STEP_PROBE, 0);
		}
		assert_int_equal(life->verdict, LESSOR_DONE);
		assert_non_null(life_mark(life));
		assert_int_equal(life_count(life, CLOUD_KEY), 0);
		life_free(life);
	}
}

/* ---- the counter in it ------------------------------------------------------------------------ */

static void expect_counter(struct life *life, int64_t number)
{
	const struct resource *mark = life_mark(life);
	const char *have = life_label(life, mark, LESSOR_LABEL_GEN);
	const char *holder = life_label(life, mark, LESSOR_LABEL_HOLDER);
	char want[24];

	snprintf(want, sizeof(want), "%" PRId64, number);
	if (!have || !holder)
		fail_msg("the sentinel has no counter\n%s", life->requests);
	assert_string_equal(have, want);
	assert_string_equal(holder, life->gen.nonce);
}

static int probe(struct life *life)
{
	life_reset_calls(life);
	return life_account(life, STEP_PROBE, 0);
}

/* The sentinel is created with it; each start and each no-delete release raises it once. */
static void the_counter_goes_up(void **state)
{
	struct life *life = life_open(NULL);

	(void)state;
	assert_int_equal(probe(life), LESSOR_DONE);
	expect_counter(life, 1);
	assert_int_equal(life->gen.current, 0);
	assert_int_equal(probe(life), LESSOR_DONE);
	assert_int_equal(life->calls, 1);
	assert_int_equal(life->gen.current, 1);
	life_restart(life);
	assert_int_equal(probe(life), LESSOR_DONE);
	assert_int_equal(life_count_requests(life, "PUT /ssh_keys/"), 1);
	expect_counter(life, 2);
	assert_string_equal(life_label(life, life_mark(life), LESSOR_LABEL_KIND), "sentinel");
	assert_int_equal(probe(life), LESSOR_DONE);
	assert_int_equal(life->calls, 1);
	assert_int_equal(life->gen.current, 2);
	life_begin(life, "cx23", "nbg1");
	life_run(life, 60);
	life_release(life, 0);
	assert_int_equal(probe(life), LESSOR_DONE);
	expect_counter(life, 3);
	assert_false(life->gen.is_fenced);
	life_free(life);
}

static void meddle_with_the_mark(struct life *life, const char *body)
{
	char target[64];

	snprintf(target, sizeof(target), "/v1/ssh_keys/%s", life_mark(life)->id);
	assert_int_equal(life_meddle(life, "PUT", target, body), 200);
}

/* Labels that somebody removed are written again; other people's labels stay. */
static void the_labels_of_the_mark(void **state)
{
	struct life *life = life_new(NULL);

	(void)state;
	meddle_with_the_mark(life, "{'labels':{'team':'blue'}}");
	assert_int_equal(probe(life), LESSOR_DONE);
	expect_counter(life, 2);
	assert_string_equal(life_label(life, life_mark(life), "team"), "blue");
	assert_string_equal(life_label(life, life_mark(life), LESSOR_LABEL_INSTANCE), "test-broker");
	assert_non_null(life_label(life, life_mark(life), LESSOR_LABEL_SIG));
	life_free(life);
}

/* A read-only token verifies the account, but can neither create nor delete. */
static void a_token_that_may_only_read(void **state)
{
	for (int old = 0; old < 2; old++) {
		struct life *life = life_new(NULL);

		(void)state;
		life_config(life, "readonly_401", old);
		life_readonly(life, 1);
		/* It is not detected as long as nothing needs to be written. */
		assert_int_equal(probe(life), LESSOR_DONE);
		life_restart(life);
		assert_int_equal(probe(life), LESSOR_REFUSED);
		assert_int_equal(life->error_class, LESSOR_CLASS_AUTH);
		life_readonly(life, 0);
		assert_int_equal(probe(life), LESSOR_DONE);
		expect_counter(life, 3);
		life_free(life);
	}
}

/* A read-only token cannot create the sentinel. */
static void a_first_token_that_may_only_read(void **state)
{
	struct life *life = life_open(NULL);

	(void)state;
	life_readonly(life, 1);
	assert_int_equal(probe(life), LESSOR_REFUSED);
	assert_int_equal(life->error_class, LESSOR_CLASS_AUTH);
	assert_null(life_mark(life));
	life_readonly(life, 0);
	assert_int_equal(probe(life), LESSOR_DONE);
	expect_counter(life, 2);
	life_free(life);
}

/* The next probe reads whether it was written. */
static void a_counter_without_an_answer(void **state)
{
	static const struct { const char *fault; int64_t then; } rows[] = {
		{ "{'kind':'lost'}", 2 }, { "{'kind':'server_error','effect':true}", 2 },
		{ "{'kind':'close'}", 3 }, { "{'kind':'unavailable'}", 3 },
		{ "{'kind':'rate_limited','headers':'none'}", 3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct life *life = life_new(NULL);
		char fault[200];

		assert_int_equal(probe(life), LESSOR_DONE);
		life_restart(life);
		snprintf(fault, sizeof(fault), "{'match':{'op':'k.update'},'fault':%s}", rows[i].fault);
		life_fault(life, fault);
		assert_int_equal(probe(life), LESSOR_DONE);
		assert_int_equal(life->gen.current, 1);
		life->now_ms += 300000;
		assert_int_equal(probe(life), LESSOR_DONE);
		expect_counter(life, rows[i].then);
		life->now_ms += 300000;
		assert_int_equal(probe(life), LESSOR_DONE);
		assert_int_equal(life->gen.current, rows[i].then);
		assert_false(life->gen.is_fenced);
		life_free(life);
	}
}

/* An older copy, or a second daemon: the counter that it reads is above the one that it wrote. */
static void overtaken(void **state)
{
	struct life *life = life_active("cx23");
	char body[400];

	(void)state;
	snprintf(body, sizeof(body), "{'labels':{'lessor-instance':'test-broker','lessor-gen':'9',"
		 "'lessor-holder':'%s'}}", "0123456789abcdef0123456789abcdef");
	meddle_with_the_mark(life, body);
	life_release(life, 1);
	assert_int_equal(probe(life), LESSOR_DONE);
	assert_true(life->gen.is_fenced);
	assert_int_equal(life_count_requests(life, "PUT"), 0);
	life_step(life);
	assert_int_equal(life->error_class, LESSOR_CLASS_ACCOUNT);
	assert_int_equal(life->deletes, 0);
	/* Nothing is concluded from absence either. */
	life_fault(life, "{'match':{'op':['s.get','s.list','s.find']},'count':'always','fault':"
			 "{'kind':'other_project'}}");
	life->now_ms += 600000;
	for (int i = 0; i < 5; i++)
		life_step(life);
	assert_int_equal(life_row(life, LESSOR_KIND_SERVER)->absent_count, 0);
	life_free(life);
}

/* The read of the sentinel at the end of an observation detects it, too. */
static void overtaken_while_looking(void **state)
{
	struct life *life = life_active("cx23");
	char target[64];

	(void)state;
	snprintf(target, sizeof(target), "/v1/servers/%s", life->lease.server_id);
	assert_int_equal(life_meddle(life, "DELETE", target, NULL), 200);
	meddle_with_the_mark(life, "{'labels':{'lessor-gen':'9','lessor-holder':'somebody'}}");
	life->now_ms += 60000;
	life_release(life, 1);
	life_step(life);
	assert_true(life->gen.is_fenced);
	assert_int_equal(life_row(life, LESSOR_KIND_SERVER)->absent_count, 0);
	life_free(life);
}

/* ---- the account's image ----------------------------------------------------------------------- */

/* The note that a catalogue leaves. */
static const char *note_of(struct life *life)
{
	assert_int_equal(life_account(life, STEP_PROBE, 0), LESSOR_DONE);
	assert_int_equal(life_account(life, STEP_CATALOG, 0), LESSOR_DONE);
	return life->note;
}

static void s4_the_account_says_when_its_image_retires(void **state)
{
	static const char retired[] = "{\"catalogue\":{\"retired\":[{\"image\":\"ubuntu-24.04\","
				      "\"unavailable_after\":\"2027-02-01T00:00:00Z\"}]}}";
	struct life *life = life_new(NULL);

	(void)state;
	assert_string_equal(note_of(life), "");
	assert_int_equal(life_count_requests(life, "GET /images"), 1);
	assert_int_equal(cloud_load(life->cloud, life->now_ms, retired, strlen(retired), NULL), 0);
	life->now_ms += 3600000;
	assert_string_equal(note_of(life), "Its image 'ubuntu-24.04' retires on 2027-02-01; change "
					   "the account's image before.");
	life->now_ms += 3600000;
	life_fault(life, "{'match':{'op':'i.find'},'fault':{'kind':'unavailable'}}");
	assert_non_null(strstr(note_of(life), "retires on")); /* as last known */
	life->now_ms = 1803859200000;			      /* March 2027 */
	assert_string_equal(note_of(life), "The provider has no image 'ubuntu-24.04'; change the "
					   "account's image.");
	TEXT_SET(life->account->config.image, "ubuntu-26.04");
	life->now_ms += 3600000;
	assert_string_equal(note_of(life), "");
	life_free(life);
}

/* ---- prices ------------------------------------------------------------------------------------ */

static const struct step_price *price_of(const struct life *life, const char *type,
					 const char *location)
{
	for (size_t i = 0; i < life->price_count; i++) {
		if (strcmp(life->prices[i].type, type) == 0 &&
		    strcmp(life->prices[i].location, location) == 0)
			return &life->prices[i];
	}
	fail_msg("%s is not offered in %s", type, location);
	return NULL;
}

/* 0.0088 and 5.49 for the server, 0.0008 and 0.50 for its address, and 19 % of tax. */
static void u12_a_price_is_what_is_billed_for_a_machine(void **state)
{
	struct life *life = life_new(NULL);
	const struct step_price *price;

	(void)state;
	assert_string_equal(note_of(life), "");
	price = price_of(life, "cx23", "nbg1");
	assert_string_equal(price->currency, "EUR");
	assert_int_equal(price->hour_micros, 10472 + 952);
	assert_int_equal(price->month_micros, 6533100 + 595000);
	assert_int_equal(price->unit_ms, 3600000);
	/* Members come and go: what is known is told. */
	life->now_ms += 3600000;
	life_fault(life, "{'match':{'op':'pricing'},'fault':{'kind':'patch',"
			 "'remove':['/pricing/primary_ips','/pricing/currency']}}");
	assert_string_equal(note_of(life), "");
	price = price_of(life, "cx23", "nbg1");
	assert_string_equal(price->currency, "EUR");
	assert_int_equal(price->hour_micros, 10472);
	assert_int_equal(price->month_micros, 6533100);
	life_free(life);
}

/* ---- inventory ---------------------------------------------------------------------------------- */

static void inventory(void **state)
{
	struct life *life = life_new(NULL);

	(void)state;
	life_begin(life, "cx23", "nbg1");
	life_run(life, 60);
	assert_int_equal(life_meddle(life, "POST", "/v1/servers", "{'name':'mine','server_type':'cx23',"
				     "'image':'ubuntu-24.04','location':'nbg1'}"), 201);
	assert_int_equal(life_account(life, STEP_LIST, LESSOR_KIND_SERVER), LESSOR_DONE);
	assert_int_equal(life->listed, 1);
	assert_int_equal(life_account(life, STEP_LIST, LESSOR_KIND_KEY), LESSOR_DONE);
	assert_int_equal(life->listed, 1);
	assert_int_equal(life_account(life, STEP_LIST, LESSOR_KIND_SENTINEL), LESSOR_DONE);
	assert_int_equal(life->listed, 1);
	/* Sentinels of every broker, and what bears no instance is nobody's. */
	assert_int_equal(life_meddle(life, "POST", "/v1/ssh_keys",
				     "{'name':'theirs','public_key':'"
				     "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERI"
				     "TFBUWFxgZGhscHR4f x','labels':{'lessor-kind':'sentinel',"
				     "'lessor-instance':'somebodyelse'}}"),
			 201);
	assert_int_equal(life_account(life, STEP_LIST, LESSOR_KIND_SENTINEL), LESSOR_DONE);
	assert_int_equal(life->listed, 2);
	assert_int_equal(life_account(life, STEP_LIST, LESSOR_KIND_KEY), LESSOR_DONE);
	assert_int_equal(life->listed, 1);
	assert_int_equal(life_account(life, STEP_LIST, LESSOR_KIND_VOLUME), LESSOR_DONE);
	assert_int_equal(life->listed, 0);
	/* The plugin does not trust the filter. */
	life_fault(life, "{'match':{'op':'s.list'},'fault':{'kind':'selector_ignored'}}");
	assert_int_equal(life_account(life, STEP_LIST, LESSOR_KIND_SERVER), LESSOR_DONE);
	assert_int_equal(life->listed, 1);
	life_fault(life, "{'match':{'op':'s.list'},'fault':{'kind':'id','as':'string'}}");
	assert_int_equal(life_account(life, STEP_LIST, LESSOR_KIND_SERVER), LESSOR_RETRY);
	life_free(life);
}

/* It has no labels, so it is never deleted here; its id shows whose it was. */
static void an_address_that_stays_is_in_the_inventory(void **state)
{
	struct life *life = life_new(NULL);
	const struct resource *address;

	(void)state;
	life_fault(life, "{'match':{'op':'s.create'},'fault':{'kind':'ip_kept'}}");
	life_begin(life, "cx23", "nbg1");
	life_run(life, 60);
	address = life_row(life, LESSOR_KIND_ADDRESS);
	assert_non_null(address);
	assert_int_equal(address->ours, 0);
	assert_true(address->id[0]);
	assert_int_equal(life_account(life, STEP_LIST, LESSOR_KIND_ADDRESS), LESSOR_DONE);
	assert_int_equal(life->listed, 0);	/* its server uses it */
	life_release(life, 1);
	life_run(life, 60);
	assert_int_equal(life_count(life, CLOUD_SERVER), 0);
	assert_int_equal(life_count(life, CLOUD_IP), 1);
	assert_int_equal(life_count_requests(life, "DELETE /primary_ips"), 0);
	assert_int_equal(life_account(life, STEP_LIST, LESSOR_KIND_ADDRESS), LESSOR_DONE);
	assert_int_equal(life->listed, 1);
	life_fault(life, "{'match':{'op':'ip.list'},'fault':{'kind':'shape','as':'null'}}");
	assert_int_equal(life_account(life, STEP_LIST, LESSOR_KIND_ADDRESS), LESSOR_RETRY);
	life_free(life);
}

/* An inventory of several pages is complete or fails. */
static void inventory_of_many_pages(void **state)
{
	static const char *const faults[] = { "loop", "endless", "null", "duplicate", "shrink" };
	struct life *life = life_new(NULL);
	char body[300];

	(void)state;
	for (int i = 0; i < 120; i++) {
		snprintf(body, sizeof(body), "{'name':'s%d','server_type':'cx23','image':"
			 "'ubuntu-24.04','location':'nbg1','labels':{'lessor-instance':'%s'}}",
			 i, i % 2 ? "test-broker" : "other");
		assert_int_equal(life_meddle(life, "POST", "/v1/servers", body), 201);
	}
	assert_int_equal(life_account(life, STEP_LIST, LESSOR_KIND_SERVER), LESSOR_DONE);
	assert_int_equal(life->listed, 60);
	assert_int_equal(life->calls, 2);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		snprintf(body, sizeof(body), "{'match':{'op':'s.list'},'count':3,'fault':"
			 "{'kind':'pages','as':'%s'}}", faults[i]);
		life_fault(life, body);
		for (int n = 0; n < 3; n++) {
			if (life_account(life, STEP_LIST, LESSOR_KIND_SERVER) == LESSOR_DONE &&
			    life->listed != 60)
				fail_msg("%s: %zu listed", faults[i], life->listed);
		}
	}
	life_free(life);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_mark),
		cmocka_unit_test(the_mark_made_without_an_answer),
		cmocka_unit_test(the_counter_goes_up),
		cmocka_unit_test(the_labels_of_the_mark),
		cmocka_unit_test(a_token_that_may_only_read),
		cmocka_unit_test(a_first_token_that_may_only_read),
		cmocka_unit_test(a_counter_without_an_answer),
		cmocka_unit_test(overtaken),
		cmocka_unit_test(overtaken_while_looking),
		cmocka_unit_test(s4_the_account_says_when_its_image_retires),
		cmocka_unit_test(u12_a_price_is_what_is_billed_for_a_machine),
		cmocka_unit_test(inventory),
		cmocka_unit_test(an_address_that_stays_is_in_the_inventory),
		cmocka_unit_test(inventory_of_many_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
