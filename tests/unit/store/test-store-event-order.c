/* SPDX-License-Identifier: MIT */
/* The order of events with several writers, and on a server that is not the one they came from. */
#include <stdio.h>
#include <string.h>

#include "unit/test.h"
#include "shard_scratch.h"

#define MOST 16

static const struct event_place beginning;

struct heard {
	char texts[MOST + 1];
	int count;
};

static void on_event(void *arg, const struct store_feed_event *event)
{
	struct heard *heard = arg;

	assert_in_range(heard->count, 0, MOST - 1);
	heard->texts[heard->count++] = event->event.text[0];
}

static struct event_place last_get(struct store *store)
{
	struct event_place last;

	assert_int_equal(store_event_last(store, &last, NULL), 0);
	return last;
}

/* What one hears who has read up to `after`. */
static void hears(struct store *store, const struct event_place *after, const char *texts)
{
	const struct store_scope everything = { .all = 1 };
	struct event_place last = last_get(store);
	struct heard heard = { .count = 0 };

	assert_int_equal(store_event_feed(store, &everything, after, &last, MOST, on_event, &heard,
					  NULL),
			 strlen(texts));
	assert_string_equal(heard.texts, texts);
}

static int on_one(void *arg, const struct store_event *event)
{
	(void)arg;
	(void)event;
	return 0;
}

static void event_begin(struct store *store, const char *text)
{
	assert_int_equal(store_begin(store, NULL), 0);
	assert_int_equal(store_event_add(store, 1, 1000, "test.event", text, NULL), 0);
	/* A read waits until the server has done what was sent before it. */
	assert_int_equal(store_event_each(store, 1, 0, 1, on_one, NULL, NULL), 0);
}

static void event_write(struct store *store, const char *text)
{
	event_begin(store, text);
	assert_int_equal(store_commit(store, NULL), 0);
}

/* Who began first comes first, and nobody is told of what came after it until it has ended. */
static void an_open_transaction_holds_the_others_back(void **state)
{
	struct store *a = shard_store(NULL), *b = shard_store(NULL);
	struct event_place before, held;

	(void)state;
	event_write(a, "a");
	before = last_get(a);
	event_begin(b, "b");
	event_write(a, "c");
	held = last_get(a);
	assert_int_equal(held.n, before.n);
	assert_int_equal(held.commit, before.commit);
	assert_int_equal(store_commit(b, NULL), 0);
	hears(a, &before, "bc");
	before = last_get(a);
	/* One that is undone leaves no gap. */
	event_begin(b, "d");
	event_write(a, "e");
	hears(a, &before, "");
	store_rollback(b);
	hears(a, &before, "e");
	hears(b, &beginning, "abce");
}

/* As if the database had come from a server that is ahead of this one. */
static void server_replace(void)
{
	pair_sql(&pair, PAIR_PRIMARY, database, NULL, 0,
		 "UPDATE event SET commit_xid ="
		 " CAST(CAST(CAST(CAST(commit_xid AS text) AS bigint) + 1000000 AS text) AS xid8)");
}

static void a_start_on_another_server_goes_on(void **state)
{
	struct store *a = shard_store(NULL), *b;
	struct event_place before, again;

	(void)state;
	event_write(a, "a");
	event_write(a, "b");
	shard_store_close(a);
	for (int i = 0; i < 2; i++) {
		server_replace();
		/* The second one finds it mended. */
		a = shard_store(NULL);
		b = shard_store(NULL);
		before = last_get(b);
		hears(a, &beginning, i ? "abcd" : "ab");
		event_write(a, i ? "e" : "c");
		event_write(b, i ? "f" : "d");
		hears(b, &before, i ? "ef" : "cd");
		shard_store_close(a);
		shard_store_close(b);
	}
	a = shard_store(NULL);
	hears(a, &beginning, "abcdef");
	before = last_get(a);
	/* Nothing is mended that is right. */
	shard_store_close(a);
	a = shard_store(NULL);
	again = last_get(a);
	assert_int_equal(before.n, again.n);
	assert_int_equal(before.commit, again.commit);
	event_write(a, "g");
	hears(a, &before, "g");
}

/* A store that is open meanwhile, which connects again and claims before it writes. */
static void a_claim_on_another_server_goes_on(void **state)
{
	struct store *a = shard_store(NULL), *reader = shard_store(NULL);
	struct event_place before;

	(void)state;
	assert_int_equal(shard_take(a, NULL), 0);
	event_write(a, "a");
	assert_int_equal(shard_yield(a, NULL), 0);
	server_replace();
	assert_int_equal(last_get(reader).n, 0);
	assert_int_equal(shard_take(a, NULL), 0);
	before = last_get(reader);
	hears(reader, &beginning, "a");
	event_write(a, "b");
	hears(reader, &before, "b");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, shard_setup, shard_teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_open_transaction_holds_the_others_back),
		TEST(a_start_on_another_server_goes_on),
		TEST(a_claim_on_another_server_goes_on),
	};

	if (!pair_possible()) {
		puts("SKIP: PostgreSQL is not installed");
		return 77;
	}
	return cmocka_run_group_tests(tests, shard_group_setup, shard_group_teardown);
}
