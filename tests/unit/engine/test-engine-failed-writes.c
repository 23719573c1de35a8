/* SPDX-License-Identifier: MIT */
/*
 * Every kind of request, with each of its writes failing in turn, as if out of memory: the
 * response is never a success, and the request leaves no trace. If the request also changes the
 * broker's memory, the process ends; if it only writes rows, these are rolled back and the
 * process continues.
 */

#include <stdio.h>
#include <stdlib.h>

#include "driver/fuse.h"
#include "util/text.h"
#include "fixture.h"

#define OTHER "cbx_000000000002"

static struct asked asked;

/* ---- the state before the request --------------------------------------------------- */

static void nothing(void)
{
}

static void lease_ready(void)
{
	struct asked a = { 0 };

	world_create(&w, &a, ID);
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).state, LEASE_ACTIVE);
}

static void lease_provisioning(void)
{
	struct asked a = { 0 };

	TEXT_SET(a.request.create.attempt_token, "cat_1");
	w.boot_polls = 1000;
	world_create(&w, &a, ID);
	world_pass(&w, 5000);
	assert_int_equal(lease(ID).state, LEASE_PROVISIONING);
}

static void lease_retained(void)
{
	struct asked a = { 0 };

	lease_ready();
	world_release(&w, &a, ID, 0);
	assert_int_equal(lease(ID).cleanup, CLEANUP_RETAINED);
}

static void lease_with_a_sample(void)
{
	struct asked a = { 0 };

	lease_ready();
	a.request.kind = REQUEST_HEARTBEAT;
	TEXT_SET(a.request.ref, ID);
	TEXT_SET(a.request.sample, "{\"load\":1}");
	a.request.sample_ms = w.d.now_ms;
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
	assert_int_equal(lease(ID).cleanup, CLEANUP_ATTENTION);
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
	assert_int_equal(lease(ID).cleanup, CLEANUP_OWED);
}

static const struct store_share shares[] = { { .name = "bob" }, { .name = "carol", .manage = 1 } };

static void ask_share(enum request_share what, size_t count)
{
	asked.request.kind = REQUEST_SHARE;
	TEXT_SET(asked.request.ref, ID);
	asked.request.share = what;
	asked.request.shares = shares;
	asked.request.share_count = count;
	world_ask(&w, &asked);
}

static void lease_shared(void)
{
	lease_ready();
	ask_share(SHARE_PUT, 2);
	assert_int_equal(asked.request.result, RESULT_OK);
}

static void an_orphan(void)
{
	struct asked a = { 0 };

	w.d.config.sweep_ms = 30 * MINUTE;
	world_restart(&w, NULL);
	lease_ready();
	world_release(&w, &a, ID, 1);
	world_pass(&w, MINUTE);
	assert_int_equal(lease(ID).cleanup, CLEANUP_DONE);
	w.cloud[0].alive = 1;
	world_pass(&w, 3 * HOUR);
}

/* ---- the requests ------------------------------------------------------------------- */

static void create_plain(void)
{
	world_create(&w, &asked, ID);
}

static void create_with_a_key(void)
{
	TEXT_SET(asked.request.idempotency_key, "k");
	TEXT_SET(asked.request.body_hash, "h");
	world_create(&w, &asked, "");
}

static void cancel_create(void)
{
	asked.request.kind = REQUEST_CANCEL_CREATE;
	TEXT_SET(asked.request.ref, ID);
	TEXT_SET(asked.request.attempt_token, "cat_1");
	world_ask(&w, &asked);
}

static void release_delete(void)
{
	world_release(&w, &asked, ID, 1);
}

static void release_keep(void)
{
	asked.request.retain_until_ms = w.d.now_ms + HOUR;
	TEXT_SET(asked.request.reason, "the disk is evidence");
	world_release(&w, &asked, ID, 0);
}

static void heartbeat(void)
{
	asked.request.kind = REQUEST_HEARTBEAT;
	TEXT_SET(asked.request.ref, ID);
	w.d.now_ms++;
	asked.request.idle_ms = 20 * MINUTE;
	TEXT_SET(asked.request.sample, "{\"load\":2}");
	asked.request.sample_ms = w.d.now_ms + 1;
	world_ask(&w, &asked);
}

static void extend(void)
{
	asked.request.kind = REQUEST_EXTEND;
	TEXT_SET(asked.request.ref, ID);
	asked.request.extend_ttl_ms = 20 * HOUR;
	world_ask(&w, &asked);
}

static void as_admin(void)
{
	asked.request.caller.role = TOKEN_ADMIN;
	TEXT_SET(asked.request.caller.owner, "root");
	TEXT_SET(asked.request.caller.org, "ops");
	TEXT_SET(asked.request.reason, "looked at it");
}

static void resolve(enum request_resolve what)
{
	as_admin();
	asked.request.kind = REQUEST_RESOLVE;
	asked.request.resolve = what;
	TEXT_SET(asked.request.ref, ID);
	TEXT_SET(asked.request.resource_id, "1001");
	world_ask(&w, &asked);
	/* It is looked for first. */
	if (what == RESOLVE_FORGET && !asked.answered && !w.is_broken)
		driver_run_queue(&w.d);
}

static void resolve_retry(void)
{
	resolve(RESOLVE_RETRY);
}

static void resolve_forget(void)
{
	resolve(RESOLVE_FORGET);
}

static void resolve_adopt(void)
{
	resolve(RESOLVE_ADOPT);
}

static void sweep(enum request_sweep what)
{
	as_admin();
	asked.request.kind = REQUEST_SWEEP;
	asked.request.sweep = what;
	world_ask(&w, &asked);
}

static void sweep_looked(void)
{
	sweep(SWEEP_LOOKED);
}

static void sweep_delete(void)
{
	sweep(SWEEP_DELETE);
}

static void share_put(void)
{
	ask_share(SHARE_PUT, 2);
}

static void share_drop(void)
{
	ask_share(SHARE_DROP, 1);
}

static void share_drop_all(void)
{
	ask_share(SHARE_DROP_ALL, 0);
}

static const struct fuse_case requests[] = {
	{ "create", nothing, create_plain, 4 },
	{ "create with a key", nothing, create_with_a_key, 5 },
	{ "cancel a create that has not arrived", nothing, cancel_create, 1 },
	{ "cancel a create", lease_provisioning, cancel_create, 2 },
	{ "release", lease_ready, release_delete, 2 },
	{ "release with samples", lease_with_a_sample, release_delete, 3 },
	{ "release and keep", lease_ready, release_keep, 4 },
	{ "release what is kept", lease_retained, release_delete, 3 },
	{ "heartbeat", lease_with_a_sample, heartbeat, 3 },
	{ "extend", lease_ready, extend, 2 },
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

/* ---- the environment ---------------------------------------------------------------- */

static const char *start(void)
{
	world_start(&w, NULL);
	return w.d.path;
}

static void end(void)
{
	world_end(&w);
}

static void prepare(void)
{
	if (w.is_broken)
		world_restart(&w, NULL);
	w.may_break = 1;
	asked = (struct asked){ 0 };
}

static enum fuse_answer answer(const struct fuse_case *one)
{
	enum request_result result = asked.request.result;

	w.may_break = 0;
	assert_int_equal(asked.answered, !w.is_broken);
	/* A request that only writes rows is rolled back, and the process continues. */
	if (strncmp(one->name, "share", strlen("share")) == 0)
		assert_false(w.is_broken);
	if (w.is_broken)
		return FUSE_REFUSED;
	if (result == RESULT_OK || result == RESULT_CREATED || result == RESULT_REPLAY)
		return FUSE_SUCCESS;
	if (result != RESULT_UNAVAILABLE)
		fail_msg("%s: %s", one->name, asked.request.code);
	assert_string_equal(asked.request.code, "store_unavailable");
	return FUSE_REFUSED;
}

int main(void)
{
	const struct fuse_room room = {
		.cases = requests,
		.count = sizeof(requests) / sizeof(requests[0]),
		.start = start,
		.end = end,
		.answer = answer,
		.prepare = prepare,
	};

	return fuse_run(&room);
}
