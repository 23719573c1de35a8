/* SPDX-License-Identifier: MIT */
/* What a no-delete release keeps: labelled, protected, and deleted by an explicit delete. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/test.h"
#include "life.h"
#include "util/text.h"

static const struct resource *server(const struct life *life)
{
	return life_row(life, LESSOR_KIND_SERVER);
}

static const struct resource *key(const struct life *life)
{
	return life_row(life, LESSOR_KIND_KEY);
}

/* Writes a person's own label next to ours, or all labels with one of ours changed. */
static void put_label(struct life *life, const struct resource *row, const char *name,
		      const char *value)
{
	static const char *const ours[] = {
		LESSOR_LABEL_INSTANCE, LESSOR_LABEL_LEASE, LESSOR_LABEL_ATTEMPT, LESSOR_LABEL_KIND,
		LESSOR_LABEL_OWNER, LESSOR_LABEL_SIG, LESSOR_LABEL_RETAIN, LESSOR_LABEL_GEN,
		LESSOR_LABEL_HOLDER,
	};
	char body[900], target[64];
	int len = snprintf(body, sizeof(body), "{'labels':{'%s':'%s'", name, value);

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		const char *have = life_label(life, row, ours[i]);

		if (have && strcmp(ours[i], name) != 0)
			len += snprintf(body + len, sizeof(body) - (size_t)len, ",'%s':'%s'",
					ours[i], have);
	}
	snprintf(body + len, sizeof(body) - (size_t)len, "}}");
	snprintf(target, sizeof(target), "/v1/%s/%s",
		 row->kind == LESSOR_KIND_SERVER ? "servers" : "ssh_keys", row->id);
	assert_int_equal(life_meddle(life, "PUT", target, body), 200);
}

static void protect_by_hand(struct life *life, int on)
{
	char target[80];

	snprintf(target, sizeof(target), "/v1/servers/%s/actions/change_protection",
		 server(life)->id);
	assert_int_equal(life_meddle(life, "POST", target, on ? "{'delete':true,'rebuild':true}" :
				     "{'delete':false,'rebuild':false}"), 201);
	life->now_ms += 1000;
}

static int is_protected(struct life *life)
{
	struct cloud_object object;

	return life_object(life, server(life), &object) == 0 && object.is_protected;
}

static void expect_label(struct life *life, const struct resource *row, const char *name,
			 const char *value)
{
	const char *have = life_label(life, row, name);

	if (!have || strcmp(have, value) != 0)
		fail_msg("%s has the label %s=%s, not %s\n%s", row->name, name, have ? have : "(none)",
			 value, life->requests);
}

/* Steps until everything that is kept is labelled and protected, or in attention. */
static void settle(struct life *life)
{
	for (int i = 0; i < 100 && life_step(life); i++) {
		if (life->lease.attention[0])
			return;
	}
}

static void expect_protected(struct life *life, const char *epoch)
{
	expect_label(life, server(life), LESSOR_LABEL_RETAIN, epoch);
	expect_label(life, key(life), LESSOR_LABEL_RETAIN, epoch);
	assert_true(is_protected(life));
	assert_true(server(life)->marked_ms && key(life)->marked_ms);
	assert_int_equal(server(life)->state, LESSOR_STATE_RETAINED);
	assert_int_equal(server(life)->label_known, server(life)->retain_epoch);
}

static struct life *kept(void)
{
	struct life *life = life_active("cx23");

	life_release(life, 0);
	settle(life);
	expect_protected(life, "2");
	assert_int_equal(server(life)->protect_by, PROTECT_OURS);
	life->now_ms += 60000;
	life_reset_calls(life);
	return life;
}

/* Both still exist, nothing was deleted, and the lease is in attention. */
static void expect_untouched(struct life *life, uint32_t error_class)
{
	assert_int_equal(life->lease.cleanup, CLEANUP_ATTENTION);
	assert_int_equal(life->lease.attention_class, error_class);
	assert_int_equal(life->deletes, 0);
	assert_int_equal(life_count(life, CLOUD_SERVER), 1);
	assert_int_equal(life_count(life, CLOUD_KEY), 1);
}

static int requests_are(const struct life *life, const char *wanted)
{
	char names[1000] = "";
	size_t len = 0;

	for (const char *line = life->requests; *line; line = strchr(line, '\n') + 1) {
		int is_protection = strstr(line, "change_protection") &&
				    strstr(line, "change_protection") < strchr(line, '\n');
		int is_key = strncmp(strchr(line, ' '), " /ssh_keys", 10) == 0;

		len += (size_t)snprintf(names + len, sizeof(names) - len, "%.*s%s ",
					(int)strcspn(line, " "), line,
					is_protection ? ":protect" : is_key ? ":key" : "");
	}
	if (strcmp(names, wanted) == 0)
		return 1;
	print_message("%s\n", names);
	return 0;
}

/* ---- keeping ------------------------------------------------------------------------------- */

/* A PUT replaces all labels, so all are written; then a read confirms them. */
static void what_is_kept_is_marked_and_protected(void **state)
{
	struct life *life = life_active("cx23");

	(void)state;
	put_label(life, server(life), "team", "blue");
	put_label(life, key(life), "team", "blue");
	life_reset_calls(life);
	life_release(life, 0);
	settle(life);
	expect_protected(life, "2");
	assert_int_equal(server(life)->protect_by, PROTECT_OURS);
	expect_label(life, server(life), "team", "blue");
	expect_label(life, key(life), "team", "blue");
	assert_true(requests_are(life, "GET PUT GET POST:protect GET GET:key PUT:key GET:key "));
	assert_int_equal(life->deletes, 0);
	assert_int_equal(life->lease.due_ms, 0);
	assert_true(life->gen.is_wanted);
	life_free(life);
}

/* If the operator disables protection, no request is sent. */
static void nothing_is_protected_where_that_is_off(void **state)
{
	struct life *life = life_active("cx23");

	(void)state;
	life->account->config.protect_retained = 0;
	life_release(life, 0);
	settle(life);
	assert_int_equal(life->calls, 0);
	life_release(life, 1);
	life_end(life, 60);
	life_expect_clean(life, 0);
	life_free(life);
}

/* A server that is being created accepts labels, but no action. */
static void a_locked_server_is_protected_later(void **state)
{
	struct life *life = life_new(NULL);
	int64_t released_ms;

	(void)state;
	life_begin(life, "cx23", "nbg1");
	while (!server(life) || server(life)->state != LESSOR_STATE_PRESENT)
		life_step(life);
	life_reset_calls(life);
	released_ms = life->now_ms;
	life_release(life, 0);
	settle(life);
	expect_protected(life, "2");
	assert_int_equal(server(life)->protect_by, PROTECT_OURS);
	assert_true(life_count_requests(life, "POST") > 1);
	assert_true(life->now_ms - released_ms > 5000);
	life_free(life);
}

/* Protection was already on: it stays, and lessord does not lift it. */
static void a_protection_that_was_there(void **state)
{
	struct life *life = life_active("cx23");

	(void)state;
	protect_by_hand(life, 1);
	life_reset_calls(life);
	life_release(life, 0);
	settle(life);
	expect_protected(life, "2");
	assert_int_equal(server(life)->protect_by, PROTECT_NOT_OURS);
	assert_int_equal(life_count_requests(life, "POST"), 0);
	/* Not even on an explicit delete. */
	life_release(life, 1);
	life_end(life, 10);
	expect_untouched(life, LESSOR_CLASS_PROTECTED);
	assert_int_equal(life_count_requests(life, "POST"), 0);
	assert_true(is_protected(life));
	/* The person who enabled it disables it. */
	protect_by_hand(life, 0);
	for (int i = 0; i < 60 && life->lease.cleanup != CLEANUP_DONE; i++)
		life_step(life);
	life_expect_clean(life, 0);
	life_free(life);
}

/* Accepted but not done: requested again until a read shows it. */
static void a_protection_that_does_not_come_about(void **state)
{
	static const char *const faults[] = { "protect_ignored", "protect_error", "server_error",
					      "unavailable", "locked", "conflict", "close" };

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct life *life = life_active("cx23");
		char fault[200];

		snprintf(fault, sizeof(fault), "{'match':{'op':'s.act'},'count':2,'fault':"
			 "{'kind':'%s'}}", faults[i]);
		life_fault(life, fault);
		life_release(life, 0);
		settle(life);
		expect_protected(life, "2");
		/* The effective request was proven completely: read off, accepted, read on. */
		assert_int_equal(server(life)->protect_by, PROTECT_OURS);
		assert_int_equal(life_count_requests(life, "POST"), 3);
		life_free(life);
	}
}

/* It took effect without a response: it protects, and is never lifted automatically. */
static void a_protection_without_an_answer(void **state)
{
	static const char *const faults[] = { "{'kind':'lost'}", "{'kind':'hang'}",
					      "{'kind':'bad_gateway','effect':true}" };

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct life *life = life_active("cx23");
		char fault[200];

		snprintf(fault, sizeof(fault), "{'match':{'op':'s.act'},'fault':%s}", faults[i]);
		life_fault(life, fault);
		life_release(life, 0);
		settle(life);
		expect_protected(life, "2");
		assert_int_equal(server(life)->protect_by, PROTECT_PERHAPS_OURS);
		assert_int_equal(life_count_requests(life, "POST"), 1);
		life_release(life, 1);
		life_end(life, 10);
		expect_untouched(life, LESSOR_CLASS_PROTECTED);
		assert_true(is_protected(life));
		life_free(life);
	}
}

/* Without the label there is no protection request. */
static void the_label_comes_first(void **state)
{
	static const char *const faults[] = { "{'kind':'server_error'}", "{'kind':'close'}",
					      "{'kind':'rate_limited','headers':'none'}" };

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct life *life = life_active("cx23");
		char fault[200];

		snprintf(fault, sizeof(fault), "{'match':{'op':'s.update'},'count':2,'fault':%s}",
			 faults[i]);
		life_fault(life, fault);
		life_release(life, 0);
		while (life_count_requests(life, "PUT /servers/") < 2) {
			life_step(life);
			assert_int_equal(life_count_requests(life, "POST"), 0);
		}
		settle(life);
		expect_protected(life, "2");
		assert_int_equal(server(life)->protect_by, PROTECT_OURS);
		life_free(life);
	}
}

/* A read-only token cannot protect anything: the account reports it at once. */
static void keeping_with_a_token_that_may_only_read(void **state)
{
	struct life *life = life_active("cx23");

	(void)state;
	life_readonly(life, 1);
	life_release(life, 0);
	life_step(life);
	assert_int_equal(life->verdict, LESSOR_REFUSED);
	assert_int_equal(life->error_class, LESSOR_CLASS_AUTH);
	assert_false(life->is_verified);
	life_readonly(life, 0);
	settle(life);
	for (int i = 0; i < 20; i++)
		life_step(life);
	expect_protected(life, "2");
	life_free(life);
}

/* A server whose signature somebody removed is neither labelled nor protected. */
static void what_is_not_provably_ours_is_not_changed(void **state)
{
	struct life *life = life_active("cx23");

	(void)state;
	put_label(life, server(life), LESSOR_LABEL_SIG, "somebody-elses");
	life_reset_calls(life);
	life_release(life, 0);
	settle(life);
	assert_int_equal(life->lease.attention_class, LESSOR_CLASS_OWNERSHIP);
	assert_int_equal(life_count_requests(life, "GET"), life->calls);
	assert_int_equal(server(life)->marked_ms, 0);
	life_free(life);
}

/* Accepted but not shown: a label that appears late, or never, is written again. */
static void a_label_that_is_not_shown(void **state)
{
	struct life *life = life_active("cx23");

	(void)state;
	life_fault(life, "{'match':{'op':'s.update'},'count':2,'fault':{'kind':'labels_lost'}}");
	life_release(life, 0);
	settle(life);
	assert_string_equal(life->lease.attention, "");
	expect_protected(life, "2");
	assert_int_equal(life_count_requests(life, "PUT /servers/"), 3);
	assert_int_equal(life_count_requests(life, "POST"), 1);
	life_free(life);
}

/* Our signature disappeared while the labels were written: this needs operator action. */
static void a_signature_that_is_lost_on_the_way(void **state)
{
	struct life *life = life_active("cx23");

	(void)state;
	life_fault(life, "{'match':{'op':'s.get','nth':2},'fault':{'kind':'patch','remove':"
			 "['/server/labels/lessor-sig']}}");
	life_release(life, 0);
	settle(life);
	assert_int_equal(life->lease.attention_class, LESSOR_CLASS_OWNERSHIP);
	assert_int_equal(life_count_requests(life, "POST"), 0);
	assert_int_equal(server(life)->marked_ms, 0);
	life_free(life);
}

static void what_is_kept_and_vanished(void **state)
{
	struct life *life = kept();
	char target[64];

	(void)state;
	protect_by_hand(life, 0);
	snprintf(target, sizeof(target), "/v1/servers/%s", server(life)->id);
	assert_int_equal(life_meddle(life, "DELETE", target, NULL), 200);
	life->now_ms += 60000;
	/* As after a sweep that found it unprotected. */
	life->book.resources[server(life) - life->book.resources].marked_ms = 0;
	life->lease.due_ms = life->now_ms;
	/* A failed listing proves nothing. */
	life_fault(life, "{'match':{'op':'s.find'},'fault':{'kind':'unavailable'}}");
	life_step(life);
	assert_int_equal(server(life)->absent_count, 0);
	while (server(life) && life_step(life))
		;
	assert_null(server(life));
	assert_true(life_count_requests(life, "GET /servers?name=") > 1);
	assert_true(life_count_requests(life, "GET /servers?label_selector=") > 1);
	assert_int_equal(life->lease.cleanup, CLEANUP_RETAINED);
	assert_int_equal(life_count(life, CLOUD_KEY), 1);
	life_free(life);
}

/* ---- deleting what was kept ----------------------------------------------------------------- */

/* The label is raised first, then the protection lifted, then the delete permitted and sent. */
static void an_explicit_delete_lifts_what_is_ours(void **state)
{
	struct life *life = kept();

	(void)state;
	life_release(life, 1);
	life_step(life);
	expect_label(life, server(life), LESSOR_LABEL_RETAIN, "3");
	assert_false(is_protected(life));
	assert_int_equal(server(life)->state, LESSOR_STATE_PRESENT);
	assert_int_equal(server(life)->protect_by, PROTECT_NOT_OURS);
	assert_true(requests_are(life, "GET PUT POST:protect GET "));
	life_end(life, 60);
	life_expect_clean(life, 0);
	assert_int_equal(life_count_requests(life, "DELETE /servers/"), 1);
	life_free(life);
}

/* Keep, delete, keep again before any request: the label is raised, the protection stays ours. */
static void kept_again(void **state)
{
	struct life *life = kept();

	(void)state;
	life_release(life, 1);
	life_release(life, 0);
	settle(life);
	expect_protected(life, "4");
	assert_int_equal(server(life)->protect_by, PROTECT_OURS);
	assert_int_equal(life_count_requests(life, "POST"), 0);
	life_release(life, 1);
	life_end(life, 60);
	life_expect_clean(life, 0);
	life_free(life);
}

/* Once the protection is lifted it may be kept again, with all steps. */
static void kept_again_after_its_protection_was_lifted(void **state)
{
	struct life *life = kept();

	(void)state;
	life_release(life, 1);
	life_step(life);
	assert_false(is_protected(life));
	life_release(life, 0);
	settle(life);
	expect_protected(life, "4");
	assert_int_equal(server(life)->protect_by, PROTECT_OURS);
	life_free(life);
}

static void lifting_that_is_refused(void **state)
{
	static const char *const ops[] = { "s.update", "s.act" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct life *life = kept();
		char fault[200];

		snprintf(fault, sizeof(fault), "{'match':{'op':'%s'},'fault':{'kind':'locked'}}", ops[i]);
		life_fault(life, fault);
		life_release(life, 1);
		life_step(life);
		assert_int_equal(life->verdict, LESSOR_RETRY);
		assert_true(is_protected(life));
		assert_int_equal(server(life)->state, LESSOR_STATE_PRESENT);
		assert_int_equal(server(life)->protect_by, PROTECT_OURS);
		life_end(life, 60);
		life_expect_clean(life, 0);
		life_free(life);
	}
}

/* Lifted without a response: a read shows it off, and the server is deleted. */
static void lifting_without_an_answer(void **state)
{
	static const char *const faults[] = { "{'kind':'lost'}", "{'kind':'hang'}",
					      "{'kind':'server_error','effect':true}" };

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct life *life = kept();
		char fault[200];

		snprintf(fault, sizeof(fault), "{'match':{'op':'s.act'},'fault':%s}", faults[i]);
		life_fault(life, fault);
		life_release(life, 1);
		life_step(life);
		assert_int_equal(server(life)->state, LESSOR_STATE_UNPROTECT_UNKNOWN);
		assert_true(life_try_release(life, 0) != LEASE_REFUSAL_NONE);
		life_end(life, 60);
		life_expect_clean(life, 0);
		life_free(life);
	}
}

/*
 * Not lifted, without a response: while the request may still take effect, this resolves itself;
 * after that it is unknown whose protection is on.
 */
static void lifting_that_perhaps_never_was(void **state)
{
	struct life *life = kept();
	int64_t lifted_ms;

	(void)state;
	life_fault(life, "{'match':{'op':'s.act'},'fault':{'kind':'close'}}");
	life_release(life, 1);
	life_step(life);
	lifted_ms = life->now_ms;
	assert_int_equal(server(life)->state, LESSOR_STATE_UNPROTECT_UNKNOWN);
	while (life->lease.cleanup == CLEANUP_OWED) {
		life_step(life);
		if (life->now_ms - lifted_ms < life->settle_ms)
			assert_int_equal(life->verdict, LESSOR_RETRY);
	}
	assert_in_range(life->now_ms - lifted_ms, life->settle_ms, life->settle_ms + 5000);
	expect_untouched(life, LESSOR_CLASS_PROTECTED);
	assert_int_equal(server(life)->protect_by, PROTECT_PERHAPS_OURS);
	assert_int_equal(server(life)->state, LESSOR_STATE_PRESENT);
	assert_int_equal(life_count_requests(life, "POST"), 1);
	protect_by_hand(life, 0);
	for (int i = 0; i < 60 && life->lease.cleanup != CLEANUP_DONE; i++)
		life_step(life);
	life_expect_clean(life, 0);
	life_free(life);
}

/* A person enables it again after ours was lifted: it is theirs. */
static void protected_again_by_a_person(void **state)
{
	struct life *life = kept();

	(void)state;
	life_release(life, 1);
	life_step(life);
	assert_false(is_protected(life));
	protect_by_hand(life, 1);
	life_end(life, 10);
	expect_untouched(life, LESSOR_CLASS_PROTECTED);
	assert_true(is_protected(life));
	life_free(life);
}

/* ---- a store that does not know ------------------------------------------------------------------ */

/* Another daemon, or a newer store, has kept it: it stays, whatever this store requests. */
static void a_mark_that_this_store_does_not_know(void **state)
{
	struct life *life = life_active("cx23");

	(void)state;
	put_label(life, server(life), LESSOR_LABEL_RETAIN, "7");
	life_reset_calls(life);
	life_release(life, 1);
	life_step(life);
	assert_true(life->lease.retained);
	assert_int_equal(server(life)->state, LESSOR_STATE_RETAINED);
	assert_int_equal(server(life)->retain_epoch, 7);
	for (int i = 0; i < 20; i++)
		life_step(life);
	assert_int_equal(life->deletes, 0);
	expect_label(life, server(life), LESSOR_LABEL_RETAIN, "7");
	life_free(life);
}

/* The same for its protection: its label was above ours. */
static void a_protection_of_a_store_that_knew_more(void **state)
{
	struct life *life = kept();

	(void)state;
	put_label(life, server(life), LESSOR_LABEL_RETAIN, "9");
	life_reset_calls(life);
	life_release(life, 1);
	for (int i = 0; i < 20; i++)
		life_step(life);
	assert_int_equal(life->deletes, 0);
	assert_int_equal(life_count_requests(life, "POST"), 0);
	assert_true(is_protected(life));
	assert_true(life->lease.retained);
	assert_int_equal(server(life)->protect_by, PROTECT_NOT_OURS);
	life_free(life);
}

/* ---- the process crashes -------------------------------------------------------------------- */

static void died_while_keeping(void **state)
{
	(void)state;
	for (int nth = 1; nth <= 3; nth++) {
		struct life *life = life_active("cx23");

		life_release(life, 0);
		life->crash_after_effect = nth;
		settle(life);
		expect_protected(life, "2");
		/* Only if the response of the protection itself was lost, its owner is unknown. */
		assert_int_equal(server(life)->protect_by, nth == 2 ? PROTECT_PERHAPS_OURS : PROTECT_OURS);
		life_free(life);
	}
}

static void died_while_lifting(void **state)
{
	(void)state;
	for (int nth = 1; nth <= 4; nth++) {
		struct life *life = kept();

		life_release(life, 1);
		life->crash_after_effect = nth;
		life_end(life, 60);
		if (nth > 1) {
			life_expect_clean(life, 0);
			life_free(life);
			continue;
		}
		/* The label is written, the lifting not sent: after a crash it may have been. */
		expect_untouched(life, LESSOR_CLASS_PROTECTED);
		assert_int_equal(server(life)->protect_by, PROTECT_PERHAPS_OURS);
		life_free(life);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_kept_is_marked_and_protected),
		cmocka_unit_test(nothing_is_protected_where_that_is_off),
		cmocka_unit_test(a_locked_server_is_protected_later),
		cmocka_unit_test(a_protection_that_was_there),
		cmocka_unit_test(a_protection_that_does_not_come_about),
		cmocka_unit_test(a_protection_without_an_answer),
		cmocka_unit_test(the_label_comes_first),
		cmocka_unit_test(keeping_with_a_token_that_may_only_read),
		cmocka_unit_test(what_is_not_provably_ours_is_not_changed),
		cmocka_unit_test(a_label_that_is_not_shown),
		cmocka_unit_test(a_signature_that_is_lost_on_the_way),
		cmocka_unit_test(what_is_kept_and_vanished),
		cmocka_unit_test(an_explicit_delete_lifts_what_is_ours),
		cmocka_unit_test(kept_again),
		cmocka_unit_test(kept_again_after_its_protection_was_lifted),
		cmocka_unit_test(lifting_that_is_refused),
		cmocka_unit_test(lifting_without_an_answer),
		cmocka_unit_test(lifting_that_perhaps_never_was),
		cmocka_unit_test(protected_again_by_a_person),
		cmocka_unit_test(a_mark_that_this_store_does_not_know),
		cmocka_unit_test(a_protection_of_a_store_that_knew_more),
		cmocka_unit_test(died_while_keeping),
		cmocka_unit_test(died_while_lifting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
