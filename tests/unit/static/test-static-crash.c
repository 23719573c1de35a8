/* SPDX-License-Identifier: MIT */
/*
 * The daemon dies at each place in a lease's life where it has an external effect or commits,
 * and another one continues. At every place: the lease gets its host or ends, a host belongs to
 * one lease, a host is clean when it is allocated, and in the end nothing is left.
 *
 * All hosts are one directory: "prepare" leaves something there and fails if it finds something
 * of another lease; "reset" removes it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/test.h"
#include "pool-world.h"

#define ID "cbx_000000000001"
#define NEXT "cbx_000000000002"
#define PLACES_MOST 200

static void make_world(struct pool_world *w)
{
	char prepare[160], reset[160], text[1024];

	pool_world_make(w, "{'hosts': []}");
	/* Nothing of another lease may be there; something of the same lease may, from a lost job. */
	pool_world_script(w, "prepare", "[ ! -e \"on-$LESSOR_HOST\" ] || "
			  "[ \"$(cat \"on-$LESSOR_HOST\")\" = \"$LESSOR_LEASE\" ] || exit 1\n"
			  "echo \"$LESSOR_LEASE\" >\"on-$LESSOR_HOST\"", prepare);
	pool_world_script(w, "reset", "rm -f \"on-$LESSOR_HOST\"", reset);
	snprintf(text, sizeof(text),
		 "{'defaults': {'types': ['small'], 'prepare': ['/bin/sh', '%s'], 'reset': ['/bin/sh', '%s']},"
		 "'hosts': [{'name': 'a1', 'address': '192.0.2.1'},"
		 "{'name': 'a2', 'address': '192.0.2.2'}]}", prepare, reset);
	pool_world_inventory(w, text);
	pool_world_option(w, "poll", "10ms");
}

static int on_host(const struct pool_world *w, const char *host)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/on-%s", w->d.folder, host);
	return access(path, F_OK) == 0;
}

static void live(struct pool_world *w)
{
	pool_world_take(w, ID, "small");
	pool_world_give(w, ID);
}

/* Runs a life in a child, which may die. Returns 1 if it did. */
static int life_dies(struct pool_world *w, const char *effect, int commit)
{
	pid_t pid = pool_world_fork();
	int status = 0;

	if (pid == 0) {
		if (effect)
			setenv("STATIC_DIES_AT", effect, 1);
		w->die_at_commit = commit;
		pool_world_start(w);
		live(w);
		pool_world_stop(w);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 66 || WEXITSTATUS(status) == 0);
	return WEXITSTATUS(status) == 66;
}

static int is_known(struct pool_world *w, const char *id)
{
	struct lease l;

	return store_lease_by_id(core_store(w->d.core), id, &l, NULL) == 0;
}

static void goes_on(struct pool_world *w, int place, int *ret_seen)
{
	struct lease l, next;

	w->d.now_ms += 1000;
	pool_world_start(w);
	/* It was never accepted: nothing of it may exist. */
	if (!is_known(w, ID)) {
		assert_int_equal(pool_world_count(w, "host-"), 0);
		pool_world_take(w, ID, "small");
	}
	pool_world_go(w, ID, 3600000, is_settled);
	l = pool_world_lease(w, ID);
	if (l.state == LEASE_ACTIVE) {
		assert_int_equal(pool_world_count(w, "host-"), 1);
		assert_true(on_host(w, l.server_name));
		*ret_seen |= 1;
		/* And dies again, without visible effect. */
		pool_world_stop(w);
		pool_world_start(w);
		next = pool_world_take(w, NEXT, "small");
		if (next.state != LEASE_ACTIVE)
			fail_msg("place %d: the next lease: %s", place, next.failure);
		assert_string_not_equal(next.server_name, l.server_name);
		pool_world_give(w, ID);
		pool_world_give(w, NEXT);
	} else {
		*ret_seen |= 2;
		assert_int_equal(l.state, LEASE_RELEASED);
		next = pool_world_take(w, NEXT, "small");
		if (next.state != LEASE_ACTIVE)
			fail_msg("place %d: the next lease: %s", place, next.failure);
		/* Nothing of the first one was in the way. */
		assert_string_equal(next.server_name, "a1");
		assert_int_equal(next.tries, 0);
		pool_world_give(w, NEXT);
	}
	assert_int_equal(pool_world_count(w, "host-"), 0);
	assert_int_equal(pool_world_count(w, "run-"), 0);
	assert_int_equal(pool_world_count(w, "mark-"), 1);
	assert_false(on_host(w, "a1"));
	assert_false(on_host(w, "a2"));
	pool_world_end(w);
}

static void at_each_effect(void **state)
{
	int seen = 0, place;

	(void)state;
	for (place = 1; place < PLACES_MOST; place++) {
		struct pool_world w;
		char text[16];

		snprintf(text, sizeof(text), "%d", place);
		make_world(&w);
		if (!life_dies(&w, text, 0)) {
			pool_world_end(&w);
			break;
		}
		goes_on(&w, place, &seen);
	}
	print_message("%d places of effects\n", place - 1);
	assert_in_range(place, 20, PLACES_MOST - 1);
	assert_int_equal(seen, 3);
}

static void at_each_commit(void **state)
{
	int seen = 0, place;

	(void)state;
	for (place = 1; place < PLACES_MOST; place++) {
		struct pool_world w;

		make_world(&w);
		if (!life_dies(&w, NULL, place)) {
			pool_world_end(&w);
			break;
		}
		goes_on(&w, place, &seen);
	}
	print_message("%d commits\n", place - 1);
	assert_in_range(place, 6, PLACES_MOST - 1);
	assert_int_equal(seen, 3);
}

/* The disk fails while a record is removed: the delete has an unknown outcome. */
static void a_removal_without_an_answer(void **state)
{
	static const char *const when[] = { "before", "after" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct pool_world w;
		struct lease l;

		make_world(&w);
		pool_world_start(&w);
		pool_world_take(&w, ID, "small");
		setenv("STATIC_DISK_BREAKS", when[i], 1);
		pool_world_release(&w, ID, 1);
		for (int n = 0; n < 5; n++) {
			pool_world_settle(&w);
			pool_world_wait_runs(&w);
			w.d.now_ms += 1000;
		}
		unsetenv("STATIC_DISK_BREAKS");
		assert_int_equal(pool_world_state(&w, ID), LESSOR_STATE_DELETE_UNKNOWN);
		assert_int_equal(pool_world_count(&w, "host-"), i == 0);
		pool_world_keep_refused(&w, ID, "cleanup_in_progress");
		/* If it exists, it is removed with a new permit; if not, its absence is observed twice. */
		pool_world_go(&w, ID, 120000, is_clean);
		l = pool_world_take(&w, NEXT, "small");
		assert_string_equal(l.server_name, "a1");
		pool_world_give(&w, NEXT);
		pool_world_end(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_each_effect),
		cmocka_unit_test(at_each_commit),
		cmocka_unit_test(a_removal_without_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
