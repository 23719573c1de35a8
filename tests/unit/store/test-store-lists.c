/* SPDX-License-Identifier: MIT */
/* Lists of leases with conditions that no index covers, and ended leases by slug. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/test.h"
#include "scratch.h"
#include "util/text.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

static int made;

/* A lease that differs from the others by its id; the transaction is the caller's. */
static struct lease lease_new(void)
{
	char id[24];
	struct lease l;

	snprintf(id, sizeof(id), "cbx_%012d", ++made);
	l = scratch_lease(id);
	snprintf(l.slug, sizeof(l.slug), "box-%d", made);
	l.created_ms = l.touched_ms = made;
	return l;
}

static void add(struct lease l)
{
	struct err err = { 0 };

	if (store_lease_insert(store, &l, &err))
		fail_msg("%s", err.text);
}

static void add_ended(const char *slug, const char *owner, const char *org)
{
	struct lease l = lease_new();

	TEXT_SET(l.slug, slug);
	TEXT_SET(l.owner, owner);
	TEXT_SET(l.org, org);
	l.state = LEASE_EXPIRED;
	l.cleanup = CLEANUP_DONE;
	l.ended_ms = made;
	add(l);
}

static int setup(void **state)
{
	made = 0;
	return scratch_setup(state);
}

static int collect(void *arg, const struct lease *l)
{
	char *ids = arg;
	size_t len = strlen(ids);

	snprintf(ids + len, 256 - len, "%s%d", len ? " " : "", atoi(l->id + 4));
	return 0;
}

static struct store_list list_of(const char *owner)
{
	struct store_list list = { .state = -1, .cleanup = -1, .limit = 100 };

	list.scope.all = !owner;
	list.scope.owner = owner;
	list.scope.org = "acme";
	return list;
}

/* The numbers of the leases of a page. */
static const char *page_of(const struct store_list *list, struct store_list_end *end)
{
	static char ids[256];
	struct err err = { 0 };

	ids[0] = '\0';
	if (store_lease_page(store, list, collect, ids, end, &err))
		fail_msg("%s", err.text);
	return ids;
}

static void check(const struct store_list *list, const char *ids)
{
	struct store_list_end end;

	assert_string_equal(page_of(list, &end), ids);
	assert_int_equal(end.n, 0);
}

/* Four leases of alice and bob that differ in one thing each. */
static void add_four(void)
{
	struct lease l;

	scratch_begin();
	l = lease_new();
	TEXT_SET(l.class_name, "tiny");
	add(l);
	l = lease_new();
	TEXT_SET(l.owner, "bob");
	add(l);
	l = lease_new();
	TEXT_SET(l.account, "other");
	l.state = LEASE_FAILED;
	l.cleanup = CLEANUP_DONE;
	l.released_ms = 9;
	add(l);
	l = lease_new();
	TEXT_SET(l.slug, "build");
	add(l);
	scratch_commit();
}

static void u8_each_filter_and_all_together(void **state)
{
	static const char *const owners[] = { NULL, "alice@example.com" };

	(void)state;
	add_four();
	for (int i = 0; i < 2; i++) {
		struct store_list list = list_of(owners[i]);

		check(&list, owners[i] ? "4 3 1" : "4 3 2 1");
		list.class_name = "tiny";
		check(&list, "1");
		list.class_name = NULL;
		list.slug = "build";
		check(&list, "4");
		list.class_name = "tiny";
		check(&list, "");
		list.class_name = list.slug = NULL;
		list.account = "other";
		check(&list, "3");
		list.account = NULL;
		list.since_ms = 3;
		check(&list, "4 3");
		list.since_ms = 0;
		/* As it is shown: a failed lease that was released shows released. */
		list.state = LEASE_FAILED;
		check(&list, "");
		list.state = LEASE_RELEASED;
		check(&list, "3");
		list.state = -1;
		list.open = 1;
		check(&list, owners[i] ? "4 1" : "4 2 1");
		list.class_name = "standard";
		check(&list, owners[i] ? "4" : "4 2");
	}
}

static void u8_an_admin_lists_an_owner(void **state)
{
	struct store_list list = list_of(NULL);
	char org[64];

	(void)state;
	add_four();
	list.owner = "bob";
	check(&list, "2");
	assert_int_equal(store_owner_org(store, "bob", org, sizeof(org), NULL), 1);
	assert_string_equal(org, "acme");
	assert_int_equal(store_owner_org(store, "nobody", org, sizeof(org), NULL), 0);
	scratch_begin();
	add_ended("x", "bob", "beta");
	add_ended("x", "carol", "");
	scratch_commit();
	check(&list, "5 2");
	assert_int_equal(store_owner_org(store, "bob", org, sizeof(org), NULL), 2);
	assert_int_equal(store_owner_org(store, "carol", org, sizeof(org), NULL), 1);
	assert_string_equal(org, "");
}

/* However few match, a page reads a bounded number of rows and says where to continue. */
static void u8_a_page_reads_a_bounded_number_of_rows(void **state)
{
	struct store_list list = list_of("alice@example.com");
	struct store_list_end end;
	char whole[256] = "";
	struct lease l;
	int pages = 0;

	(void)state;
	scratch_begin();
	l = lease_new();
	TEXT_SET(l.class_name, "tiny");
	add(l);
	while (made < 2 * STORE_SCAN_MAX + 2)
		add(lease_new());
	scratch_commit();
	list.class_name = "tiny";
	do {
		assert_string_equal(page_of(&list, &end), pages == 2 ? "1" : "");
		pages++;
		assert_true(!end.n ||
			    (end.id[0] == 'c' && (!list.before_n || end.n < list.before_n)));
		list.before_n = end.n;
	} while (end.n);
	assert_int_equal(pages, 3);
	list.before_n = 0;
	assert_int_equal(store_lease_each(store, &list, collect, whole, NULL), 0);
	assert_string_equal(whole, "1");
}

static void u8_pages_follow_each_other(void **state)
{
	struct store_list list = list_of("alice@example.com");
	struct store_list_end end;

	(void)state;
	scratch_begin();
	for (int i = 0; i < 4; i++)
		add(lease_new());
	scratch_commit();
	list.limit = 2;
	assert_string_equal(page_of(&list, &end), "4 3");
	assert_string_equal(end.id, "cbx_000000000003");
	list.before_n = end.n;
	/* Full, and the last one. */
	check(&list, "2 1");
}

/* The list ends a day before `since`, however many older leases there are. */
static void u8_since_ends_the_list(void **state)
{
	struct store_list list = list_of(NULL);
	struct lease l;

	(void)state;
	scratch_begin();
	for (int i = 0; i < STORE_SCAN_MAX + 10; i++)
		add(lease_new());
	for (int i = 0; i < 3; i++) {
		l = lease_new();
		/* the clock was set back by an hour before the last one */
		l.created_ms = 10 * DAY_MS - (i == 2 ? 3600000 : i == 0 ? 1 : 0);
		add(l);
	}
	scratch_commit();
	list.since_ms = 10 * DAY_MS - 3600000;
	check(&list, "1013 1012 1011");
	list.since_ms = 10 * DAY_MS;
	check(&list, "1012");
}

static void u21_the_newest_ended_lease_of_a_slug(void **state)
{
	struct lease got;

	(void)state;
	assert_int_equal(store_lease_ended_by_slug(store, "build", "alice", "acme", &got, NULL), 1);
	scratch_begin();
	add_ended("build", "alice", "acme");
	add_ended("build", "alice", "acme");
	add_ended("build", "bob", "acme");
	add_ended("build", "alice", "beta");
	scratch_commit();
	assert_int_equal(store_lease_ended_by_slug(store, "build", "alice", "acme", &got, NULL), 0);
	assert_string_equal(got.id, "cbx_000000000002");
	assert_int_equal(store_lease_ended_by_slug(store, "build", "alice", "gamma", &got, NULL), 1);
	assert_int_equal(store_lease_ended_by_slug(store, "buil", "alice", "acme", &got, NULL), 1);
	scratch_begin();
	got = lease_new();
	TEXT_SET(got.slug, "live");
	TEXT_SET(got.owner, "alice");
	add(got);
	scratch_commit();
	assert_int_equal(store_lease_ended_by_slug(store, "live", "alice", "acme", &got, NULL), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(u8_each_filter_and_all_together),
		TEST(u8_an_admin_lists_an_owner),
		TEST(u8_a_page_reads_a_bounded_number_of_rows),
		TEST(u8_pages_follow_each_other),
		TEST(u8_since_ends_the_list),
		TEST(u21_the_newest_ended_lease_of_a_slug),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
