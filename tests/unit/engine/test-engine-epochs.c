/* SPDX-License-Identifier: MIT */
/*
 * Requests that arrive late or twice: a change is applied only at the epoch at which it was
 * accepted, and what a named request has changed it changes once.
 */
#include "engine/internal.h"
#include "fixture.h"
#include "util/text.h"

static void change(struct asked *a, enum request_kind kind, int64_t epoch, const char *name)
{
	a->request.kind = kind;
	a->request.epoch = epoch;
	TEXT_SET(a->request.request_id, name);
	TEXT_SET(a->request.ref, ID);
	world_ask(&w, a);
}

static void release(struct asked *a, int delete_machine, int64_t epoch, const char *name)
{
	a->request.delete_machine = delete_machine;
	change(a, REQUEST_RELEASE, epoch, name);
	assert_int_equal(a->answered, 1);
}

/* Lines of this kind in the timeline. */
struct count {
	const char *kind;
	int count;
};

static int count_event(void *arg, const struct store_event *event)
{
	struct count *count = arg;

	count->count += !strcmp(event->kind, count->kind);
	return 0;
}

static int events(const char *kind)
{
	struct count count = { kind, 0 };

	assert_int_equal(store_event_each(w.d.core->store, lease(ID).n, 0, 1000, count_event,
					  &count, NULL),
			 0);
	return count.count;
}

/* T4: the delete waited elsewhere, and meanwhile somebody was told that the machine is kept. */
static void a_delete_of_an_earlier_epoch_is_refused(void **state)
{
	struct asked keep = { 0 }, late = { 0 };
	int64_t epoch;

	(void)state;
	create_ready(ID);
	epoch = lease(ID).epoch;
	release(&keep, 0, epoch, "keep");
	assert_int_equal(keep.request.result, RESULT_OK);
	assert_true(lease(ID).epoch > epoch);
	release(&late, 1, epoch, "late");
	assert_int_equal(late.request.result, RESULT_CONFLICT);
	assert_string_equal(late.request.code, "lease_changed");
	/* Whoever decides again must see what there is. */
	assert_string_equal(late.request.lease.id, ID);
	assert_int_equal(late.request.lease.epoch, lease(ID).epoch);
	world_settle(&w);
	assert_int_equal(lease(ID).cleanup, CLEANUP_RETAINED);
	assert_int_equal(world_alive(&w), 1);
	assert_int_equal(w.deleted, 0);
}

static void a_delete_of_this_epoch_is_carried_out(void **state)
{
	struct asked keep = { 0 }, then = { 0 };

	(void)state;
	create_ready(ID);
	release(&keep, 0, 0, "");
	release(&then, 1, lease(ID).epoch, "then");
	assert_int_equal(then.request.result, RESULT_OK);
	world_settle(&w);
	assert_int_equal(world_alive(&w), 0);
}

/* The answer was lost, and the request is sent again: to this process or to the next one. */
static void the_same_request_changes_the_lease_once(void **state)
{
	struct asked first = { 0 }, second = { 0 }, third = { 0 };
	struct lease before;
	int64_t epoch;

	(void)state;
	create_ready(ID);
	epoch = lease(ID).epoch;
	release(&first, 0, epoch, "one");
	assert_int_equal(first.request.result, RESULT_OK);
	world_settle(&w);
	before = lease(ID);
	assert_string_equal(before.last_request, "one");
	release(&second, 0, epoch, "one");
	assert_int_equal(second.request.result, RESULT_OK);
	assert_int_equal(second.request.lease.epoch, before.epoch);
	assert_null(store_lease_differs(&before, &(struct lease[]){ lease(ID) }[0]));
	assert_int_equal(events("lease.retained"), 1);
	aggregates_clear(w.d.core->aggregates);
	release(&third, 0, epoch, "one");
	assert_int_equal(third.request.result, RESULT_OK);
	assert_int_equal(events("lease.retained"), 1);
}

/* The same with a delete: the second one waits for the cleanup, like the first. */
static void a_repeated_delete_waits_for_its_cleanup(void **state)
{
	struct asked first = { 0 }, second = { 0 };
	int64_t epoch;

	(void)state;
	create_ready(ID);
	epoch = lease(ID).epoch;
	release(&first, 1, epoch, "one");
	second.request.delete_machine = 1;
	second.request.wait_ms = MINUTE;
	change(&second, REQUEST_RELEASE, epoch, "one");
	assert_int_equal(second.answered, 0);
	world_settle(&w);
	assert_int_equal(second.answered, 1);
	assert_int_equal(second.request.result, RESULT_OK);
	assert_int_equal(second.request.lease.cleanup, CLEANUP_DONE);
	assert_int_equal(w.deleted, 1);
}

/* What was refused is not remembered: it changed nothing. */
static void a_refused_request_is_not_remembered(void **state)
{
	struct asked end = { 0 }, late = { 0 };

	(void)state;
	create_ready(ID);
	release(&end, 1, 0, "end");
	world_settle(&w);
	late.request.extend_ttl_ms = HOUR;
	change(&late, REQUEST_EXTEND, 0, "late");
	assert_int_equal(late.request.result, RESULT_CONFLICT);
	assert_string_equal(lease(ID).last_request, "end");
}

/* An extension leaves the epoch alone, so only its name shows that it was carried out. */
static void an_extension_is_named_too(void **state)
{
	struct asked first = { 0 }, second = { 0 };
	int64_t epoch;

	(void)state;
	create_ready(ID);
	epoch = lease(ID).epoch;
	first.request.extend_ttl_ms = second.request.extend_ttl_ms = 20 * HOUR;
	change(&first, REQUEST_EXTEND, epoch, "more");
	assert_int_equal(first.request.result, RESULT_OK);
	change(&second, REQUEST_EXTEND, epoch, "more");
	assert_int_equal(second.request.result, RESULT_OK);
	assert_int_equal(lease(ID).epoch, epoch);
	assert_string_equal(lease(ID).last_request, "more");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_delete_of_an_earlier_epoch_is_refused),
		TEST(a_delete_of_this_epoch_is_carried_out),
		TEST(the_same_request_changes_the_lease_once),
		TEST(a_repeated_delete_waits_for_its_cleanup),
		TEST(a_refused_request_is_not_remembered),
		TEST(an_extension_is_named_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
