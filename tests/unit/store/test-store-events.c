/* SPDX-License-Identifier: MIT */
/* The timelines of all leases, as one who follows them reads them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "unit/test.h"
#include "scratch.h"
#include "store/rows.h"
#include "util/text.h"

#define MOST 32

static const struct store_scope everything = { .all = 1 };
static const struct event_place beginning;

struct heard {
	struct store_feed_event events[MOST];
	int count;
};

static void on_event(void *arg, const struct store_feed_event *event)
{
	struct heard *heard = arg;

	assert_in_range(heard->count, 0, MOST - 1);
	heard->events[heard->count++] = *event;
}

static struct event_place last_get(void)
{
	struct event_place last;

	assert_int_equal(store_event_last(store, &last, NULL), 0);
	return last;
}

/* Appends what is read. How many. */
static int feed(const struct store_scope *scope, const struct event_place *after,
		const struct event_place *last, int limit, struct heard *heard)
{
	return store_event_feed(store, scope, after, last, limit, on_event, heard, NULL);
}

static void event_write(int64_t lease_n, const char *text)
{
	scratch_begin();
	assert_int_equal(store_event_add(store, lease_n, 1000, "test.event", text, NULL), 0);
	scratch_commit();
}

static struct lease lease_of(const char *id, const char *owner)
{
	struct lease l = scratch_lease(id);

	TEXT_SET(l.owner, owner);
	TEXT_SET(l.slug, id + 4);
	scratch_begin();
	assert_int_equal(store_lease_insert(store, &l, NULL), 0);
	scratch_commit();
	return l;
}

static void all_of_it_is(const struct heard *heard, int from, const char *texts)
{
	char got[MOST + 1] = "";

	for (int i = from; i < heard->count; i++)
		got[i - from] = heard->events[i].event.text[0];
	assert_string_equal(got, texts);
}

static void an_empty_store_is_at_the_beginning(void **state)
{
	struct event_place last = last_get();
	struct store_feed_event event;
	struct heard heard = { .count = 0 };

	(void)state;
	assert_int_equal(last.commit, 0);
	assert_int_equal(last.n, 0);
	assert_int_equal(feed(&everything, &beginning, &last, 10, &heard), 0);
	assert_int_equal(store_event_at(store, &beginning, &event, NULL), 1);
}

static void they_are_read_in_pages(void **state)
{
	struct lease one = lease_of("cbx_000000000001", "ann"),
		     two = lease_of("cbx_000000000002", "ben");
	struct heard heard = { .count = 0 };
	struct event_place last;

	(void)state;
	event_write(one.n, "a");
	event_write(two.n, "b");
	/* Two of one transaction. */
	scratch_begin();
	assert_int_equal(store_event_add(store, one.n, 2000, "test.event", "c", NULL), 0);
	assert_int_equal(store_event_add(store, two.n, 2000, "test.event", "d", NULL), 0);
	scratch_commit();
	event_write(one.n, "e");
	last = last_get();
	assert_int_equal(feed(&everything, &beginning, &last, 2, &heard), 2);
	assert_int_equal(feed(&everything, &heard.events[1].place, &last, 1, &heard), 1);
	/* A place between two events of one transaction is a place. */
	assert_int_equal(feed(&everything, &heard.events[2].place, &last, 5, &heard), 2);
	assert_int_equal(feed(&everything, &heard.events[4].place, &last, 5, &heard), 0);
	all_of_it_is(&heard, 0, "abcde");
	assert_string_equal(heard.events[0].lease, "cbx_000000000001");
	assert_string_equal(heard.events[1].slug, "000000000002");
	assert_string_equal(heard.events[1].account, "hetzner");
	assert_int_equal(heard.events[3].event.at_ms, 2000);
	assert_int_equal(heard.events[4].place.n, last.n);
	assert_int_equal(heard.events[4].place.commit, last.commit);
	/* What comes later is not read up to an earlier place. */
	event_write(two.n, "f");
	assert_int_equal(feed(&everything, &beginning, &last, 10, &heard), 5);
	assert_int_equal(feed(&everything, &last, &last, 10, &heard), 0);
	last = last_get();
	assert_int_equal(feed(&everything, &heard.events[4].place, &last, 10, &heard), 1);
	all_of_it_is(&heard, 5, "abcdef");
}

/* What is not visible counts, so that one who sees little gets on; but it says nothing. */
static void what_is_not_visible_is_counted(void **state)
{
	struct lease one = lease_of("cbx_000000000001", "ann"),
		     two = lease_of("cbx_000000000002", "ben");
	const struct store_scope ben = { .owner = "ben", .org = "acme" };
	struct heard heard = { .count = 0 };
	struct event_place last;

	(void)state;
	event_write(one.n, "a");
	event_write(two.n, "b");
	event_write(9999, "c"); /* its lease was pruned */
	last = last_get();
	assert_int_equal(feed(&ben, &beginning, &last, 10, &heard), 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(heard.events[i].is_visible, i == 1);
		assert_string_equal(heard.events[i].lease, i == 1 ? two.id : "");
		assert_string_equal(heard.events[i].slug, i == 1 ? two.slug : "");
		assert_string_equal(heard.events[i].account, i == 1 ? "hetzner" : "");
	}
	assert_int_equal(feed(&everything, &beginning, &last, 10, &heard), 3);
	assert_int_equal(heard.events[3].is_visible, 1);
	assert_int_equal(heard.events[5].is_visible, 0);
}

static void an_event_is_at_one_place(void **state)
{
	struct lease l = lease_of("cbx_000000000001", "ann");
	struct store_feed_event first, second, none;
	struct event_place place, wrong;

	(void)state;
	event_write(l.n, "a");
	place = last_get();
	assert_int_equal(store_event_at(store, &place, &first, NULL), 0);
	assert_string_equal(first.event.text, "a");
	assert_string_equal(first.event.kind, "test.event");
	assert_int_equal(first.place.n, place.n);
	assert_int_equal(first.place.commit, place.commit);
	assert_int_equal(first.is_visible, 0);
	wrong = (struct event_place){ place.commit, place.n + 1 };
	assert_int_equal(store_event_at(store, &wrong, &none, NULL), 1);
	wrong = (struct event_place){ place.commit + 1, place.n };
	assert_int_equal(store_event_at(store, &wrong, &none, NULL), 1);
	event_write(l.n, "b");
	place = last_get();
	assert_int_equal(store_event_at(store, &place, &second, NULL), 0);
	assert_int_not_equal(first.digest, second.digest);
}

/* Clients bring it back years later, to another machine: it must not change. */
static void the_digest_is_a_fixed_one(void **state)
{
	struct store_feed_event event;
	struct event_place place;
	struct statement *stmt;

	(void)state;
	scratch_begin();
	stmt = store_prepare(store,
			     "INSERT INTO event(n, lease, at_ms, kind, text) VALUES(?1, ?2, ?3, ?4, ?5)",
			     NULL);
	assert_non_null(stmt);
	bind_number(stmt, 1, 7);
	bind_number(stmt, 2, 3);
	bind_number(stmt, 3, INT64_C(1234567890123));
	bind_text(stmt, 4, "lease.created");
	bind_text(stmt, 5, "Made for alice@example.com.");
	assert_int_equal(store_run(store, stmt, "writing", NULL), 0);
	scratch_commit();
	place = last_get();
	assert_int_equal(place.n, 7);
	assert_int_equal(store_event_at(store, &place, &event, NULL), 0);
	assert_int_equal(event.digest, 0xb4006289);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_empty_store_is_at_the_beginning, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(they_are_read_in_pages, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(what_is_not_visible_is_counted, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(an_event_is_at_one_place, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(the_digest_is_a_fixed_one, scratch_setup,
						scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
