/* SPDX-License-Identifier: MIT */
/* Sharing is part of every query; samples are a ring. */
#include <stdio.h>
#include <string.h>

#include "unit/test.h"
#include "scratch.h"
#include "util/text.h"

static const struct store_scope bob = { .owner = "Bob", .org = "acme" };
static const struct store_scope eve = { .owner = "eve", .org = "acme" };
static const struct store_scope far = { .owner = "Bob", .org = "other" };

static void share(const struct lease *l, const char *name, int manage)
{
	struct store_share one = { .manage = manage };

	TEXT_SET(one.name, name);
	scratch_begin();
	assert_int_equal(store_share_replace(store, l, &one, name ? 1 : 0, 5, "me", NULL), 0);
	scratch_commit();
}

static int sees(const struct store_scope *scope, enum store_sharing sharing, const char *ref)
{
	struct store_scope asked = *scope;
	struct lease l;
	int rc;

	asked.sharing = sharing;
	rc = store_lease_visible(store, ref, &asked, &l, NULL);
	if (rc == 1)
		rc = store_lease_by_slug(store, ref, &asked, &l, NULL);
	assert_true(rc >= 0);
	return rc == 0;
}

static void who_sees_a_shared_lease(void **state)
{
	struct lease l = scratch_insert("cbx_000000000001");
	static const struct {
		const char *name;
		int manage, bob_uses, bob_manages, eve_uses, eve_manages;
	} rows[] = {
		{ NULL, 0, 0, 0, 0, 0 },
		{ "bob", 0, 1, 0, 0, 0 },
		{ "bob", 1, 1, 1, 0, 0 },
		{ "", 0, 1, 0, 1, 0 },
		{ "", 1, 1, 1, 1, 1 },
		{ "alice", 1, 0, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *refs[] = { l.id, l.slug };

		share(&l, rows[i].name, rows[i].manage);
		for (int r = 0; r < 2; r++) {
			assert_int_equal(sees(&bob, SHARED_USE, refs[r]), rows[i].bob_uses);
			assert_int_equal(sees(&bob, SHARED_MANAGE, refs[r]), rows[i].bob_manages);
			assert_int_equal(sees(&eve, SHARED_USE, refs[r]), rows[i].eve_uses);
			assert_int_equal(sees(&eve, SHARED_MANAGE, refs[r]), rows[i].eve_manages);
			assert_int_equal(sees(&bob, SHARED_NOT, refs[r]), 0);
			/* Never outside the lease's own organisation. */
			assert_int_equal(sees(&far, SHARED_USE, refs[r]), 0);
		}
	}
}

static void an_own_slug_goes_before_a_shared_one(void **state)
{
	struct lease theirs = scratch_insert("cbx_000000000001");
	struct lease mine = scratch_lease("cbx_000000000002"), got;

	(void)state;
	TEXT_SET(mine.owner, "Bob");
	TEXT_SET(mine.slug, theirs.slug);
	share(&theirs, "bob", 1);
	assert_int_equal(store_lease_by_slug(store, theirs.slug, &bob, &got, NULL), 0);
	assert_string_equal(got.id, theirs.id);
	scratch_begin();
	assert_int_equal(store_lease_insert(store, &mine, NULL), 0);
	scratch_commit();
	assert_int_equal(store_lease_by_slug(store, theirs.slug, &bob, &got, NULL), 0);
	assert_string_equal(got.id, mine.id);
}

struct listed {
	char text[256];
};

static int list_add(void *arg, const struct lease *l)
{
	struct listed *listed = arg;
	size_t len = strlen(listed->text);

	snprintf(listed->text + len, sizeof(listed->text) - len, "%s ", l->id + 14);
	return 0;
}

static const char *list(const struct store_scope *scope, int state, int limit, int64_t before)
{
	static struct listed listed;
	struct store_list what = { .scope = *scope, .state = state, .cleanup = -1, .limit = limit,
				   .before_n = before };

	listed.text[0] = '\0';
	assert_int_equal(store_lease_each(store, &what, list_add, &listed, NULL), 0);
	return listed.text;
}

static void lists_have_both_newest_first(void **state)
{
	struct store_scope bob_alone = bob;
	struct lease l[6];

	(void)state;
	scratch_begin();
	for (int i = 0; i < 6; i++) {
		char id[24];

		snprintf(id, sizeof(id), "cbx_%012d", i + 10);
		l[i] = scratch_lease(id);
		snprintf(l[i].slug, sizeof(l[i].slug), "slug-%d", i);
		TEXT_SET(l[i].owner, i % 2 ? "Bob" : "alice");
		if (i > 3)
			l[i].state = LEASE_RELEASED;
		assert_int_equal(store_lease_insert(store, &l[i], NULL), 0);
	}
	scratch_commit();
	share(&l[0], "bob", 0);
	share(&l[4], "", 0);
	assert_string_equal(list(&bob, -1, 10, 0), "15 14 13 11 10 ");
	assert_string_equal(list(&bob, -1, 2, 0), "15 14 ");
	assert_string_equal(list(&bob, -1, 2, l[4].n), "13 11 ");
	assert_string_equal(list(&bob, -1, 10, l[1].n), "10 ");
	assert_string_equal(list(&bob, LEASE_RELEASED, 10, 0), "15 14 ");
	assert_string_equal(list(&eve, -1, 10, 0), "14 ");
	assert_string_equal(list(&far, -1, 10, 0), "");
	bob_alone.sharing = SHARED_NOT;
	assert_string_equal(list(&bob_alone, -1, 10, 0), "15 13 11 ");
}

/* Whatever else is asked for, what is shared is in the list, and once. */
static void lists_by_cleanup_have_both(void **state)
{
	static const struct {
		enum lease_cleanup cleanup;
		const char *listed;
	} rows[] = {
		{ CLEANUP_NONE, "13 12 " },
		{ CLEANUP_OWED, "15 14 " },
		{ CLEANUP_DONE, "11 10 " },
		{ CLEANUP_ATTENTION, "" },
	};

	(void)state;
	for (int i = 0; i < 6; i++) {
		static const enum lease_cleanup cleanups[] = { CLEANUP_DONE, CLEANUP_NONE,
							       CLEANUP_OWED };
		struct lease l;
		char id[24];

		snprintf(id, sizeof(id), "cbx_%012d", i + 10);
		l = scratch_lease(id);
		snprintf(l.slug, sizeof(l.slug), "slug-%d", i);
		TEXT_SET(l.owner, i % 2 ? "Bob" : "alice");
		l.cleanup = cleanups[i / 2];
		scratch_begin();
		assert_int_equal(store_lease_insert(store, &l, NULL), 0);
		scratch_commit();
		if (i % 2 == 0)
			share(&l, "bob", 0);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct store_list what = {
			.scope = bob, .state = -1, .cleanup = (int)rows[i].cleanup, .limit = 10
		};
		struct listed listed = { "" };

		assert_int_equal(store_lease_each(store, &what, list_add, &listed, NULL), 0);
		assert_string_equal(listed.text, rows[i].listed);
	}
}

static void sample_add(void *arg, const char *data)
{
	struct listed *listed = arg;
	size_t len = strlen(listed->text);

	snprintf(listed->text + len, sizeof(listed->text) - len, "%s ", data);
}

static void samples_are_a_ring(void **state)
{
	struct lease l = scratch_insert("cbx_000000000001");
	struct listed listed = { "" };
	char text[32];

	(void)state;
	scratch_begin();
	for (int i = 0; i < STORE_SAMPLES_MAX + 3; i++) {
		snprintf(text, sizeof(text), "%d", i);
		assert_int_equal(store_telemetry_add(store, l.n, 1000 + i, text, NULL), 0);
	}
	/* A sample with the same time is the same sample. */
	assert_int_equal(store_telemetry_add(store, l.n, 1062, "again", NULL), 0);
	scratch_commit();
	assert_int_equal(store_telemetry_each(store, l.n, sample_add, &listed, NULL), 0);
	assert_true(!strncmp(listed.text, "3 4 5 ", 6));
	assert_non_null(strstr(listed.text, " 61 62 "));
	assert_null(strstr(listed.text, "again"));
	scratch_begin();
	assert_int_equal(store_telemetry_drop(store, l.n, NULL), 0);
	scratch_commit();
	listed.text[0] = '\0';
	assert_int_equal(store_telemetry_each(store, l.n, sample_add, &listed, NULL), 0);
	assert_string_equal(listed.text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
		TEST(who_sees_a_shared_lease),	    TEST(an_own_slug_goes_before_a_shared_one),
		TEST(lists_have_both_newest_first), TEST(lists_by_cleanup_have_both),
		TEST(samples_are_a_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
