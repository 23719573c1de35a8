/* SPDX-License-Identifier: MIT */
/* One observation for several leases: what it proves for each, and what it must not do. */
#include "toy.h"

#include <stdio.h>

#include "provider/account_state.h"

static struct toy toy;
static struct lessor_http_response got;

/* Three leases with the servers 41, 42 and 43, named toy-1 to toy-3; 43 is not in the cloud. */
static int setup(void **state)
{
	(void)state;
	toy_start(&toy, 0);
	toy_row(&toy, LESSOR_KIND_SERVER, LESSOR_STATE_PRESENT, "41");
	toy_row(&toy, LESSOR_KIND_SERVER, LESSOR_STATE_PRESENT, "42");
	toy_row(&toy, LESSOR_KIND_SERVER, LESSOR_STATE_PRESENT, "43");
	toy_put(&toy, "servers", "41", "toy-1");
	toy_put(&toy, "servers", "42", "toy-2");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	toy_stop(&toy);
	return 0;
}

static int list(struct lessor_call *call)
{
	return toy_get(call, "/servers?label_selector=lessor-instance%3D%3D" TOY_INSTANCE, 1000, &got);
}

static int says_done(struct lessor_call *call, const char *id, const char *name)
{
	lessor_output(call, LESSOR_OUT_HOST, "192.0.2.1");
	lessor_output(call, LESSOR_OUT_SERVER_ID, id);
	lessor_output(call, LESSOR_OUT_SERVER_NAME, name);
	return LESSOR_DONE;
}

/* Reports its own server as ready, whatever is shown. */
static void ready(struct lessor_waiting *waiting, size_t i)
{
	struct lessor_waiting *w = lessor_waiting_at(waiting, i);
	const struct lessor_resource *row = lessor_resource_at(w->lease, 0);

	w->verdict = says_done(w->call, row->id, row->name);
}

static void expect(const struct step *look, size_t i, int verdict, const char *violation)
{
	const struct step *part = look->waiting[i];

	if (part->is_unobserved)
		fail_msg("lease %zu is not observed", i);
	if (!violation && part->violation)
		fail_msg("lease %zu: violation: %s", i, part->reason);
	if (violation && (!part->violation || !strstr(part->reason, violation)))
		fail_msg("lease %zu: '%s' does not say '%s'", i, part->reason, violation);
	assert_int_equal(part->verdict, verdict);
}

/* ---- results ------------------------------------------------------------------------- */

static int tells_each(struct lessor_call *call, struct lessor_waiting *waiting, size_t count)
{
	struct lessor_waiting *second = lessor_waiting_at(waiting, 1);

	assert_int_equal(count, 3);
	assert_string_equal(lessor_waiting_at(waiting, 0)->lease->id, "cbx_000000000001");
	assert_string_equal(second->lease->id, "cbx_000000000002");
	assert_string_equal(second->lease->user_data, "");
	assert_int_equal(second->verdict, 0);
	assert_true(LESSOR_HAS(second, lease));
	assert_int_equal(list(call), 0);
	ready(waiting, 0);
	second->verdict = lessor_pending(second->call, 2000, "boot 7");
	return LESSOR_DONE;
}

static void each_lease_has_its_own_result(void **state)
{
	struct step *look = toy_observe(&toy, tells_each);

	(void)state;
	assert_int_equal(look->verdict, LESSOR_DONE);
	assert_int_equal(look->violation, 0);
	assert_int_equal(look->calls, 1);
	assert_int_equal(look->answers, 1);
	expect(look, 0, LESSOR_DONE, NULL);
	assert_string_equal(look->waiting[0]->server_id, "41");
	assert_int_equal(look->waiting[0]->is_shown, 1);
	assert_string_equal(look->waiting[0]->shown.name, "toy-1");
	assert_string_equal(observed_label(&look->waiting[0]->shown, LESSOR_LABEL_SIG), "signed");
	assert_int_equal(look->waiting[0]->calls, 0);
	expect(look, 1, LESSOR_PENDING, NULL);
	assert_int_equal(look->waiting[1]->wait_ms, 2000);
	assert_string_equal(look->waiting[1]->cursor, "boot 7");
	assert_string_equal(look->waiting[1]->host, "");
	assert_int_equal(look->waiting[2]->is_unobserved, 1);
	assert_int_equal(look->waiting[2]->violation, 0);
	assert_int_equal(toy.sent_count, 1);
	step_free(look);
}

static int fails(struct lessor_call *call, struct lessor_waiting *waiting, size_t count)
{
	struct lessor_waiting *first = lessor_waiting_at(waiting, 0);
	struct lessor_waiting *second = lessor_waiting_at(waiting, 1);

	(void)count;
	first->verdict = lessor_retry(first->call, LESSOR_CLASS_RATE, 3000, "lease %d", 1);
	second->verdict = lessor_refuse(second->call, LESSOR_CLASS_CAPACITY, "lease 2");
	return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 4000, "all of them");
}

static void failures_are_of_whom_they_are_said(void **state)
{
	struct step *look = toy_observe(&toy, fails);

	(void)state;
	expect(look, 0, LESSOR_RETRY, NULL);
	assert_int_equal(look->waiting[0]->error_class, LESSOR_CLASS_RATE);
	assert_int_equal(look->waiting[0]->wait_ms, 3000);
	assert_string_equal(look->waiting[0]->reason, "lease 1");
	expect(look, 1, LESSOR_REFUSED, NULL);
	assert_string_equal(look->waiting[1]->reason, "lease 2");
	assert_int_equal(look->waiting[2]->is_unobserved, 1);
	assert_int_equal(look->verdict, LESSOR_RETRY);
	assert_int_equal(look->wait_ms, 4000);
	assert_string_equal(look->reason, "all of them");
	step_free(look);
}

static int reports(struct lessor_call *call, struct lessor_waiting *waiting, size_t count)
{
	struct lessor_waiting *w = lessor_waiting_at(waiting, 1);

	(void)count;
	assert_int_equal(list(call), 0);
	assert_int_equal(lessor_reuse(w->call, LESSOR_KIND_ADDRESS, "9", "192.0.2.1"), 0);
	assert_int_equal(lessor_attempt_refused(w->call, 1, LESSOR_CLASS_TIMEOUT, "too late"), 0);
	w->verdict = lessor_pending(w->call, 1, "");
	return LESSOR_DONE;
}

static void what_a_waiting_lease_may_report(void **state)
{
	struct step *look = toy_observe_step(&toy, reports);
	struct ledger *ledger = &look->waiting[1]->ledger;

	(void)state;
	ledger->attempts = xcalloc(1, sizeof(*ledger->attempts));
	ledger->attempts[0].number = 1;
	ledger->attempt_count = 1;
	step_run(look);
	expect(look, 1, LESSOR_PENDING, NULL);
	assert_int_equal(toy.commits[CLAIM_REUSE], 1);
	assert_int_equal(toy.commits[CLAIM_ATTEMPT_REFUSED], 1);
	assert_int_equal(ledger->attempts[0].refused, LESSOR_CLASS_TIMEOUT);
	step_free(look);
}

/* A cancelled lease's part is told so; the observation continues for the others. */
static int asks_who_is_cancelled(struct lessor_call *call, struct lessor_waiting *waiting,
				 size_t count)
{
	(void)count;
	assert_int_equal(lessor_cancelled(call), 0);
	assert_int_equal(lessor_cancelled(lessor_waiting_at(waiting, 0)->call), 0);
	assert_int_equal(lessor_cancelled(lessor_waiting_at(waiting, 1)->call), 1);
	assert_int_equal(list(call), 0);
	assert_int_equal(got.outcome, LESSOR_HAPPENED);
	ready(waiting, 0);
	return LESSOR_DONE;
}

static void one_is_cancelled(void **state)
{
	struct step *look = toy_observe_step(&toy, asks_who_is_cancelled);

	(void)state;
	atomic_store(&look->waiting[1]->cancel, 1);
	step_run(look);
	expect(look, 0, LESSOR_DONE, NULL);
	step_free(look);
}

/* ---- evidence ------------------------------------------------------------------------- */

static int all_ready(struct lessor_call *call, struct lessor_waiting *waiting, size_t count)
{
	list(call);
	for (size_t i = 0; i < count; i++)
		ready(waiting, i);
	return LESSOR_DONE;
}

static void ready_is_what_the_look_has_shown(void **state)
{
	struct step *look = toy_observe(&toy, all_ready);

	(void)state;
	expect(look, 0, LESSOR_DONE, NULL);
	expect(look, 1, LESSOR_DONE, NULL);
	expect(look, 2, LESSOR_RETRY, "no response of this step shows the server 43");
	assert_int_equal(look->violation, 0);
	step_free(look);
}

static void a_failed_answer_shows_nothing(void **state)
{
	struct step *look;

	(void)state;
	toy_answer(&toy, "GET", "/servers", 503, "{\"servers\":[{\"id\":41,\"name\":\"toy-1\"}]}");
	look = toy_observe(&toy, all_ready);
	for (size_t i = 0; i < 3; i++)
		expect(look, i, LESSOR_RETRY, "no response of this step shows the server");
	step_free(look);
}

/* A response to another step's request is sufficient: no permit and no absence depends on it. */
static void a_shared_listing_will_do(void **state)
{
	struct step *look;

	(void)state;
	step_free(toy_observe(&toy, all_ready));
	look = toy_observe(&toy, all_ready);
	assert_int_equal(toy.sent_count, 1);
	assert_int_equal(look->calls, 0);
	assert_int_equal(look->answers, 1);
	expect(look, 0, LESSOR_DONE, NULL);
	step_free(look);
}

static int mixes_up(struct lessor_call *call, struct lessor_waiting *waiting, size_t count)
{
	struct lessor_waiting *w = lessor_waiting_at(waiting, 0);

	(void)count;
	list(call);
	w->verdict = says_done(w->call, "42", "toy-2");
	return LESSOR_DONE;
}

static void another_leases_server_is_not_ones_own(void **state)
{
	struct step *look = toy_observe(&toy, mixes_up);

	(void)state;
	expect(look, 0, LESSOR_RETRY, "which is not in the ledger");
	step_free(look);
}

static void a_provider_with_its_own_io_is_believed(void **state)
{
	struct step *look;

	(void)state;
	toy_stop(&toy);
	toy_start_as(&toy, &toy_own_io_table, 0);
	toy_row(&toy, LESSOR_KIND_SERVER, LESSOR_STATE_PRESENT, "41");
	look = toy_observe(&toy, all_ready);
	expect(look, 0, LESSOR_DONE, NULL);
	assert_int_equal(look->waiting[0]->is_shown, 0);
	step_free(look);
}

/* ---- breaches -------------------------------------------------------------------------- */

/* What a plugin does with the call object of a lease, and the host's result. */
static int (*deed)(struct lessor_call *call);

static int deed_on_part(struct lessor_call *call, struct lessor_waiting *waiting, size_t count)
{
	struct lessor_waiting *w = lessor_waiting_at(waiting, 1);

	(void)count;
	assert_int_equal(list(call), 0);
	assert_int_equal(deed(w->call), -1);
	ready(waiting, 0);
	w->verdict = lessor_pending(w->call, 1, "");
	return LESSOR_DONE;
}

static int deed_on_look(struct lessor_call *call, struct lessor_waiting *waiting, size_t count)
{
	(void)count;
	assert_int_equal(list(call), 0);
	assert_int_equal(deed(call), -1);
	ready(waiting, 0);
	return LESSOR_DONE;
}

static int was_refused(void)
{
	return got.outcome == LESSOR_DID_NOT_HAPPEN && got.error_class == LESSOR_CLASS_BUG ? -1 : 0;
}

static int does_get(struct lessor_call *call)
{
	toy_get(call, "/servers/42", 0, &got);
	return was_refused();
}

static int does_post(struct lessor_call *call)
{
	toy_send(call, "POST", "/servers", 2, "{}", &got);
	return was_refused();
}

static int does_put(struct lessor_call *call)
{
	toy_send(call, "PUT", "/servers/42", 2, "{}", &got);
	return was_refused();
}

static int does_delete(struct lessor_call *call)
{
	toy_send(call, "DELETE", "/servers/42", 2, NULL, &got);
	return was_refused();
}

static int does_intend(struct lessor_call *call)
{
	struct lessor_intent intent = { .size = sizeof(intent) };

	return lessor_intend(call, LESSOR_KIND_SERVER, 1, &intent);
}

static int does_attempt(struct lessor_call *call)
{
	return lessor_attempt_open(call, 1, "small", "here");
}

static int does_permit(struct lessor_call *call)
{
	struct lessor_observed seen;

	toy_see("42", &seen);
	return lessor_permit_delete(call, 2, &seen);
}

static int does_change(struct lessor_call *call)
{
	struct lessor_change change = { .size = sizeof(change) };
	struct lessor_observed seen;

	toy_see("42", &seen);
	return lessor_permit_change(call, 2, LESSOR_CHANGE_LABELS, &seen, &change);
}

static int does_adopt(struct lessor_call *call)
{
	struct lessor_observed seen;

	toy_see("42", &seen);
	return lessor_adopt(call, &seen);
}

static int does_gone(struct lessor_call *call)
{
	return lessor_gone(call, 2, "not listed");
}

static int does_still_there(struct lessor_call *call)
{
	return lessor_still_there(call, 2, "listed");
}

static int does_unknown(struct lessor_call *call)
{
	return lessor_unknown(call, 2, "?");
}

static int does_list(struct lessor_call *call)
{
	struct lessor_observed seen;

	toy_see("42", &seen);
	return lessor_listed(call, &seen);
}

static void nothing_else_may_be_done(void **state)
{
	static int (*const deeds[])(struct lessor_call *call) = {
		does_get, does_post, does_put, does_delete, does_intend, does_attempt, does_permit,
		does_change, does_adopt, does_gone, does_still_there, does_unknown, does_list,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(deeds); i++) {
		struct step *look;

		deed = deeds[i];
		look = toy_observe(&toy, deed_on_part);
		/* Only the lease whose call object was used is affected. */
		expect(look, 0, LESSOR_DONE, NULL);
		expect(look, 1, LESSOR_PENDING, "");
		assert_int_equal(look->violation, 0);
		step_free(look);
		if (deed == does_get)
			continue; /* allowed on the observation's own call object */
		look = toy_observe(&toy, deed_on_look);
		assert_int_equal(look->violation, 1);
		expect(look, 0, LESSOR_DONE, NULL);
		step_free(look);
	}
	for (int i = 0; i < toy.sent_count; i++)
		assert_string_equal(toy.sent[i].method, "GET");
	for (size_t i = 0; i < ARRAY_LEN(toy.commits); i++)
		assert_int_equal(toy.commits[i], 0);
}

static int odd_verdict, odd_result;

static int ends_oddly(struct lessor_call *call, struct lessor_waiting *waiting, size_t count)
{
	(void)call;
	(void)count;
	lessor_waiting_at(waiting, 0)->verdict = odd_verdict;
	return odd_result;
}

static int forgets_its_verdict(struct lessor_call *call, struct lessor_waiting *waiting, size_t count)
{
	(void)call;
	(void)count;
	lessor_pending(lessor_waiting_at(waiting, 0)->call, 1000, "");
	return LESSOR_DONE;
}

static void verdicts_that_cannot_be(void **state)
{
	static const int verdicts[] = { LESSOR_GONE, LESSOR_PENDING, LESSOR_REFUSED, 77, -1 };
	struct step *look;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
		odd_verdict = verdicts[i];
		odd_result = LESSOR_DONE;
		look = toy_observe(&toy, ends_oddly);
		expect(look, 0, LESSOR_RETRY, "ended with verdict");
		assert_int_equal(look->waiting[0]->error_class, LESSOR_CLASS_BUG);
		assert_int_equal(look->violation, 0);
		step_free(look);
		odd_verdict = 0;
		odd_result = verdicts[i];
		look = toy_observe(&toy, ends_oddly);
		assert_int_equal(look->violation, 1);
		assert_int_equal(look->verdict, LESSOR_RETRY);
		assert_int_equal(look->waiting[0]->is_unobserved, 1);
		step_free(look);
	}
	look = toy_observe(&toy, forgets_its_verdict);
	expect(look, 0, LESSOR_RETRY, "provision ended with verdict 0");
	step_free(look);
}

/* Polls leave part of the account's budget for deletes, and an observation is a poll. */
static int asks_for_ever(struct lessor_call *call, struct lessor_waiting *waiting, size_t count)
{
	(void)waiting;
	(void)count;
	do
		toy_get(call, "/servers/41", 0, &got);
	while (got.outcome == LESSOR_HAPPENED);
	return (call->host->fail)(call, LESSOR_RETRY, got.error_class, got.wait_ms, "budget");
}

static void a_look_is_a_poll(void **state)
{
	struct step *look;

	(void)state;
	toy_stop(&toy);
	toy_start(&toy, 40);
	toy_row(&toy, LESSOR_KIND_SERVER, LESSOR_STATE_PRESENT, "41");
	look = toy_observe(&toy, asks_for_ever);
	assert_int_equal(toy.sent_count, 30);
	assert_int_equal(look->error_class, LESSOR_CLASS_RATE);
	assert_true(look->wait_ms > 0);
	step_free(look);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_lease_has_its_own_result),
		T(failures_are_of_whom_they_are_said),
		T(what_a_waiting_lease_may_report),
		T(one_is_cancelled),
		T(ready_is_what_the_look_has_shown),
		T(a_failed_answer_shows_nothing),
		T(a_shared_listing_will_do),
		T(another_leases_server_is_not_ones_own),
		T(a_provider_with_its_own_io_is_believed),
		T(nothing_else_may_be_done),
		T(verdicts_that_cannot_be),
		T(a_look_is_a_poll),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
