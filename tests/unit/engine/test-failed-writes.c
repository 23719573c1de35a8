/* SPDX-License-Identifier: MIT */
/*
 * Every kind of request, with each of its writes failing in turn, as when memory runs out:
 * the answer is never a success, and the request leaves no trace. What also changes what the
 * broker has in memory ends its process; what only writes rows is undone, and it goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuse.h"
#include "util/text.h"
#include "world.h"

#define ID "cbx_000000000001"
#define OTHER "cbx_000000000002"
#define MINUTE 60000
#define HOUR (60 * MINUTE)
#define WRITES_MAX 64

static struct world w;

/* ---- the state before the request --------------------------------------------------- */

static struct lease lease(void)
{
	struct lease l;

	assert_int_equal(world_lease(&w, ID, &l), 0);
	return l;
}

static void nothing(void)
{
}

static void lease_ready(void)
{
	struct asked a = { 0 };

	world_create(&w, &a, ID);
	world_pass(&w, MINUTE);
	assert_int_equal(lease().state, LEASE_ACTIVE);
}

static void lease_provisioning(void)
{
	struct asked a = { 0 };

	TEXT_SET(a.request.create.attempt_token, "cat_1");
	w.boot_polls = 1000;
	world_create(&w, &a, ID);
	world_pass(&w, 5000);
	assert_int_equal(lease().state, LEASE_PROVISIONING);
}

static void lease_retained(void)
{
	struct asked a = { 0 };

	lease_ready();
	world_release(&w, &a, ID, 0);
	assert_int_equal(lease().cleanup, CLEANUP_RETAINED);
}

static void lease_with_a_sample(void)
{
	struct asked a = { 0 };

	lease_ready();
	a.request.kind = REQUEST_HEARTBEAT;
	TEXT_SET(a.request.ref, ID);
	TEXT_SET(a.request.sample, "{\"load\":1}");
	a.request.sample_ms = w.now_ms;
	world_ask(&w, &a);
	assert_int_equal(a.request.result, RESULT_OK);
}

/* Released, with a server whose ownership cannot be proven. */
static void lease_in_attention(void)
{
	struct asked a = { 0 };

	lease_ready();
	w.strip_labels = 1;
	world_release(&w, &a, ID, 1);
	world_pass(&w, MINUTE);
	assert_int_equal(lease().cleanup, CLEANUP_ATTENTION);
}

/* Released while the outcome of its create is unknown. */
static void lease_unsure(void)
{
	struct asked a = { 0 };

	w.create_fault = TOY_HIDE;
	w.create_fault_sticky = 1;
	world_create(&w, &a, ID);
	world_pass(&w, 1000);
	world_release(&w, &a, ID, 1);
	world_settle(&w);
	assert_int_equal(lease().cleanup, CLEANUP_OWED);
}

static const struct store_share shares[] = { { .name = "bob" }, { .name = "carol", .manage = 1 } };

static void ask_share(struct asked *a, enum request_share what, size_t count)
{
	a->request.kind = REQUEST_SHARE;
	TEXT_SET(a->request.ref, ID);
	a->request.share = what;
	a->request.shares = shares;
	a->request.share_count = count;
	world_ask(&w, a);
}

static void lease_shared(void)
{
	struct asked a = { 0 };

	lease_ready();
	ask_share(&a, SHARE_PUT, 2);
	assert_int_equal(a.request.result, RESULT_OK);
}

static void an_orphan(void)
{
	struct asked a = { 0 };

	w.sweep_ms = 30 * MINUTE;
	world_restart(&w, NULL);
	lease_ready();
	world_release(&w, &a, ID, 1);
	world_pass(&w, MINUTE);
	assert_int_equal(lease().cleanup, CLEANUP_DONE);
	w.cloud[0].alive = 1;
	world_pass(&w, 3 * HOUR);
}

/* ---- the requests ------------------------------------------------------------------- */

static void create_plain(struct asked *a)
{
	world_create(&w, a, ID);
}

static void create_with_a_key(struct asked *a)
{
	TEXT_SET(a->request.idempotency_key, "k");
	TEXT_SET(a->request.body_hash, "h");
	world_create(&w, a, "");
}

static void cancel_create(struct asked *a)
{
	a->request.kind = REQUEST_CANCEL_CREATE;
	TEXT_SET(a->request.ref, ID);
	TEXT_SET(a->request.attempt_token, "cat_1");
	world_ask(&w, a);
}

static void release_delete(struct asked *a)
{
	world_release(&w, a, ID, 1);
}

static void release_keep(struct asked *a)
{
	a->request.retain_until_ms = w.now_ms + HOUR;
	TEXT_SET(a->request.reason, "the disk is evidence");
	world_release(&w, a, ID, 0);
}

static void heartbeat(struct asked *a)
{
	a->request.kind = REQUEST_HEARTBEAT;
	TEXT_SET(a->request.ref, ID);
	w.now_ms++;
	a->request.idle_ms = 20 * MINUTE;
	TEXT_SET(a->request.sample, "{\"load\":2}");
	a->request.sample_ms = w.now_ms + 1;
	world_ask(&w, a);
}

static void as_admin(struct asked *a)
{
	a->request.caller.role = TOKEN_ADMIN;
	TEXT_SET(a->request.caller.owner, "root");
	TEXT_SET(a->request.caller.org, "ops");
	TEXT_SET(a->request.reason, "looked at it");
}

static void resolve(struct asked *a, enum request_resolve what)
{
	as_admin(a);
	a->request.kind = REQUEST_RESOLVE;
	a->request.resolve = what;
	TEXT_SET(a->request.ref, ID);
	TEXT_SET(a->request.resource_id, "1001");
	world_ask(&w, a);
}

static void resolve_retry(struct asked *a)
{
	resolve(a, RESOLVE_RETRY);
}

static void resolve_forget(struct asked *a)
{
	resolve(a, RESOLVE_FORGET);
}

static void resolve_adopt(struct asked *a)
{
	resolve(a, RESOLVE_ADOPT);
}

static void sweep(struct asked *a, enum request_sweep what)
{
	as_admin(a);
	a->request.kind = REQUEST_SWEEP;
	a->request.sweep = what;
	world_ask(&w, a);
}

static void sweep_looked(struct asked *a)
{
	sweep(a, SWEEP_LOOKED);
}

static void sweep_delete(struct asked *a)
{
	sweep(a, SWEEP_DELETE);
}

static void share_put(struct asked *a)
{
	ask_share(a, SHARE_PUT, 2);
}

static void share_drop(struct asked *a)
{
	ask_share(a, SHARE_DROP, 1);
}

static void share_drop_all(struct asked *a)
{
	ask_share(a, SHARE_DROP_ALL, 0);
}

static const struct request {
	const char *name;
	void (*before)(void);
	void (*ask)(struct asked *a);
	int least;		/* writes it makes at least; more is fine */
} requests[] = {
	{ "create", nothing, create_plain, 4 },
	{ "create with a key", nothing, create_with_a_key, 5 },
	{ "cancel a create that has not come", nothing, cancel_create, 1 },
	{ "cancel a create", lease_provisioning, cancel_create, 2 },
	{ "release", lease_ready, release_delete, 2 },
	{ "release with samples", lease_with_a_sample, release_delete, 3 },
	{ "release and keep", lease_ready, release_keep, 4 },
	{ "release what is kept", lease_retained, release_delete, 3 },
	{ "heartbeat", lease_with_a_sample, heartbeat, 3 },
	{ "resolve: retry", lease_in_attention, resolve_retry, 2 },
	{ "resolve: forget", lease_in_attention, resolve_forget, 3 },
	{ "resolve: adopt", lease_unsure, resolve_adopt, 2 },
	{ "sweep: looked", an_orphan, sweep_looked, 1 },
	{ "sweep: delete", an_orphan, sweep_delete, 4 },
	{ "share", lease_ready, share_put, 4 },
	{ "share otherwise", lease_shared, share_put, 6 },
	{ "share less", lease_shared, share_drop, 5 },
	{ "share no more", lease_shared, share_drop_all, 4 },
};

/* ---- the test ----------------------------------------------------------------------- */

static int is_success(enum request_result result)
{
	return result == RESULT_OK || result == RESULT_CREATED || result == RESULT_REPLAY;
}

/* Lets the write after `writes` others fail. 1: it failed; 0: the request makes no more writes. */
static int fails_at(const struct request *request, int writes)
{
	struct asked a = { 0 };
	uint32_t before;
	int left;

	fuse_set(writes);
	before = fuse_sum_of_everything();
	request->ask(&a);
	left = fuse_left();
	if (w.is_broken) {
		assert_false(a.answered);
		if (fuse_sum_of_everything() != before)
			fail_msg("%s: write %d failed, and something of it stayed", request->name,
				 writes + 1);
		fuse_set(1000000000);
		world_restart(&w, NULL);
		return 1;
	}
	assert_int_equal(a.answered, 1);
	if (is_success(a.request.result)) {
		if (left < 0)
			fail_msg("%s: write %d failed, and the answer was a success", request->name,
				 writes + 1);
		return 0;
	}
	if (a.request.result != RESULT_UNAVAILABLE)
		fail_msg("%s: write %d failed: %s", request->name, writes + 1, a.request.code);
	assert_string_equal(a.request.code, "store_unavailable");
	if (fuse_sum_of_everything() != before)
		fail_msg("%s: write %d failed, and something of it stayed", request->name,
			 writes + 1);
	return 1;
}

static int setup(void **state)
{
	const struct request *request = *state;

	world_start(&w, NULL);
	request->before();
	fuse_arm(w.path);
	w.may_break = 1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fuse_end();
	world_end(&w);
	return 0;
}

static void no_failed_write_is_answered_with_success(void **state)
{
	const struct request *request = *state;
	int writes = 0;

	while (writes < WRITES_MAX && fails_at(request, writes))
		writes++;
	assert_in_range(writes, request->least, WRITES_MAX - 1);
}

int main(void)
{
	struct CMUnitTest tests[sizeof(requests) / sizeof(requests[0])];

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		tests[i] = (struct CMUnitTest){
			.name = requests[i].name,
			.test_func = no_failed_write_is_answered_with_success,
			.setup_func = setup,
			.teardown_func = teardown,
			.initial_state = (void *)(uintptr_t)&requests[i],
		};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
