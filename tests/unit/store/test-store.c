/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "unit/test.h"
#include "scratch.h"
#include "util/text.h"
#include "vfs.h"

static void a_lease_comes_back_as_it_went_in(void **state)
{
	struct lease l = scratch_insert("cbx_000000000001"), back;

	(void)state;
	assert_int_equal(store_lease_by_n(store, l.n, &back, NULL), 0);
	assert_memory_equal(&l, &back, sizeof(l));
	l.state = LEASE_ACTIVE;
	l.cleanup = CLEANUP_NONE;
	l.epoch = 3;
	l.tries = 4;
	l.ready_ms = l.touched_ms = 1500;
	l.released_ms = 7;
	strcpy(l.host, "192.0.2.1");
	strcpy(l.cursor, "c\xc3\xa4");
	strcpy(l.last_error, "it's 100% \"broken\"");
	l.retention = RETENTION_UNSURE;
	l.is_billed = 1;
	l.breaches = 7;
	l.retain_until_ms = INT64_MAX;
	scratch_begin();
	assert_int_equal(store_lease_update(store, &l, NULL), 0);
	assert_int_equal(store_touch(store, l.n, l.touched_ms, NULL), 0);
	scratch_commit();
	assert_int_equal(store_lease_by_id(store, l.id, &back, NULL), 0);
	assert_memory_equal(&l, &back, sizeof(l));
	assert_int_equal(store_lease_by_id(store, "cbx_nobody", &back, NULL), 1);
	l.n = 999;
	scratch_begin();
	assert_int_equal(scratch_end(store_lease_update(store, &l, NULL), NULL), -1);
}

/* Written by a newer version before a downgrade, or by hand. */
static void an_unknown_end_reason_is_kept(void **state)
{
	struct lease l = scratch_insert("cbx_000000000001");

	(void)state;
	lease_end_parse(&l, "nonsense of 31 bytes, no more..and more");
	scratch_begin();
	assert_int_equal(store_lease_update(store, &l, NULL), 0);
	scratch_commit();
	assert_int_equal(store_lease_by_n(store, l.n, &l, NULL), 0);
	assert_int_equal(l.end_reason, LEASE_END_OTHER);
	assert_string_equal(lease_end_text(&l), "nonsense of 31 bytes, no more..");
	l.tries = 1;
	scratch_begin();
	assert_int_equal(store_lease_update(store, &l, NULL), 0);
	scratch_commit();
	assert_int_equal(store_lease_by_n(store, l.n, &l, NULL), 0);
	assert_string_equal(lease_end_text(&l), "nonsense of 31 bytes, no more..");
}

static void an_id_is_taken_once(void **state)
{
	struct lease l = scratch_insert("cbx_000000000001");
	struct err err = { 0 };

	(void)state;
	scratch_begin();
	assert_int_equal(scratch_end(store_lease_insert(store, &l, &err), &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	/* On PostgreSQL it costs the batch, which its caller took for done. */
	assert_int_equal(store_broken(store), store_is_shared(store));
}

static void a_savepoint_undoes_only_its_own(void **state)
{
	struct lease a = scratch_lease("cbx_000000000001"), b = scratch_lease("cbx_000000000002"), back;

	(void)state;
	if (store_is_shared(store))
		skip();
	scratch_begin();
	store_savepoint(store, NULL);
	store_lease_insert(store, &a, NULL);
	store_savepoint_keep(store, NULL);
	store_savepoint(store, NULL);
	store_lease_insert(store, &b, NULL);
	store_savepoint_undo(store);
	scratch_commit();
	assert_int_equal(store_lease_by_id(store, a.id, &back, NULL), 0);
	assert_int_equal(store_lease_by_id(store, b.id, &back, NULL), 1);
}

/* One that is gone was rolled back with all before it: nobody may go on as if it were there. */
static void a_savepoint_that_is_gone_breaks_the_store(void **state)
{
	(void)state;
	if (store_is_shared(store))
		skip();
	for (int keeps = 0; keeps < 2; keeps++) {
		scratch_close();
		store = scratch_open();
		scratch_begin();
		assert_false(store_broken(store));
		if (keeps)
			assert_int_equal(store_savepoint_keep(store, NULL), -1);
		else
			store_savepoint_undo(store);
		assert_true(store_broken(store));
	}
}

static void a_reader_sees_what_was_committed(void **state)
{
	struct store *reader = NULL;
	struct lease l = scratch_lease("cbx_000000000001"), back;

	(void)state;
	assert_int_equal(store_open_reader(path, &reader, NULL), 0);
	scratch_begin();
	store_lease_insert(store, &l, NULL);
	assert_int_equal(store_lease_by_id(reader, l.id, &back, NULL), 1);
	scratch_commit();
	assert_int_equal(store_lease_by_id(reader, l.id, &back, NULL), 0);
	assert_int_equal(store_lease_update(reader, &l, NULL), -1);
	store_close(reader);
}

static void many_heartbeats_at_once(void **state)
{
	int64_t n[4], ms[4] = { 5000, 6000, 8000, 7000 };
	struct lease a = scratch_insert("cbx_000000000001"), b = scratch_insert("cbx_000000000002");

	(void)state;
	n[0] = b.n;
	n[1] = n[2] = n[3] = a.n;
	scratch_begin();
	assert_int_equal(store_touch_many(store, n, ms, 0, NULL), 0);
	assert_int_equal(store_touch_many(store, n, ms, 3, NULL), 0);
	scratch_commit();
	assert_int_equal(store_lease_by_n(store, a.n, &a, NULL), 0);
	assert_int_equal(store_lease_by_n(store, b.n, &b, NULL), 0);
	assert_int_equal(a.touched_ms, 8000);
	assert_int_equal(b.touched_ms, 5000);
	scratch_begin();
	assert_int_equal(store_touch_many(store, n + 3, ms + 3, 1, NULL), 0);
	scratch_commit();
	assert_int_equal(store_lease_by_n(store, a.n, &a, NULL), 0);
	assert_int_equal(a.touched_ms, 7000);
}

static void heartbeats_move_only_the_touched_time(void **state)
{
	struct lease l = scratch_insert("cbx_000000000001"), back;

	(void)state;
	scratch_begin();
	assert_int_equal(store_touch(store, l.n, 5000, NULL), 0);
	assert_int_equal(store_touch(store, l.n, 6000, NULL), 0);
	scratch_commit();
	store_lease_by_n(store, l.n, &back, NULL);
	assert_int_equal(back.touched_ms, 6000);
	assert_int_equal(back.updated_ms, l.updated_ms);
}

static void ownership_is_part_of_the_query(void **state)
{
	struct store_scope mine = { .owner = "alice@example.com", .org = "acme" };
	struct store_scope theirs = { .owner = "bob", .org = "acme" };
	struct store_scope other_org = { .owner = "alice@example.com", .org = "other" };
	struct store_scope org_reader = { .owner = "", .org = "acme" };
	struct store_scope all = { .all = 1 };
	struct lease l = scratch_insert("cbx_000000000001"), back;

	(void)state;
	assert_int_equal(store_lease_visible(store, l.id, &mine, &back, NULL), 0);
	assert_int_equal(store_lease_visible(store, l.id, &theirs, &back, NULL), 1);
	assert_int_equal(store_lease_visible(store, l.id, &other_org, &back, NULL), 1);
	assert_int_equal(store_lease_visible(store, l.id, &org_reader, &back, NULL), 0);
	assert_int_equal(store_lease_visible(store, l.id, &all, &back, NULL), 0);
	assert_int_equal(store_lease_by_slug(store, l.slug, &mine, &back, NULL), 0);
	assert_int_equal(store_lease_by_slug(store, l.slug, &theirs, &back, NULL), 1);
	assert_int_equal(store_lease_by_slug(store, "%", &all, &back, NULL), 1);
}

static void a_slug_names_live_leases_only(void **state)
{
	struct store_scope all = { .all = 1 };
	struct lease a = scratch_insert("cbx_000000000001"), back;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(store_slug_taken(store, a.slug, a.owner, a.org, NULL), 1);
	assert_int_equal(store_slug_taken(store, a.slug, "bob", a.org, NULL), 0);
	scratch_insert("cbx_000000000002");
	assert_int_equal(store_lease_by_slug(store, a.slug, &all, &back, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	a.state = LEASE_RELEASED;
	scratch_begin();
	store_lease_update(store, &a, NULL);
	scratch_commit();
	assert_int_equal(store_lease_by_slug(store, a.slug, &all, &back, NULL), 0);
	assert_string_equal(back.id, "cbx_000000000002");
}

static int collect(void *arg, const struct lease *l)
{
	char *ids = arg;

	strcat(ids, l->id + 14);
	return 0;
}

static void lists_page_newest_first(void **state)
{
	struct store_list list = { .scope = { .all = 1 }, .state = -1, .cleanup = -1, .limit = 3 };
	struct lease l;
	char ids[64] = "";

	(void)state;
	for (int i = 1; i <= 5; i++) {
		char id[24];

		snprintf(id, sizeof(id), "cbx_%012d", i);
		l = scratch_insert(id);
	}
	assert_int_equal(store_lease_each(store, &list, collect, ids, NULL), 0);
	assert_string_equal(ids, "050403");
	list.before_n = l.n - 2;
	ids[0] = '\0';
	store_lease_each(store, &list, collect, ids, NULL);
	assert_string_equal(ids, "0201");
	list.before_n = 0;
	list.state = LEASE_ACTIVE;
	ids[0] = '\0';
	assert_int_equal(store_lease_each(store, &list, collect, ids, NULL), 0);
	assert_string_equal(ids, "");
	list.state = LEASE_PROVISIONING;
	list.account = "hetzner";
	list.scope = (struct store_scope){ .owner = "alice@example.com", .org = "acme" };
	store_lease_each(store, &list, collect, ids, NULL);
	assert_string_equal(ids, "050403");
	list.account = "other";
	ids[0] = '\0';
	store_lease_each(store, &list, collect, ids, NULL);
	assert_string_equal(ids, "");
}

static struct store_counts counts_of(const char *owner, const struct lease *l, const char *account)
{
	struct store_counts counts;

	assert_int_equal(store_counts(store, owner, l->org, account, &counts, NULL), 0);
	return counts;
}

static void update(const struct lease *l)
{
	scratch_begin();
	assert_int_equal(store_lease_update(store, l, NULL), 0);
	scratch_commit();
}

static struct store_create_facts facts_of(const struct store_create *create)
{
	struct store_create_facts facts;

	assert_int_equal(store_create_facts(store, create, &facts, NULL), 0);
	return facts;
}

/* One question gives what the single ones would. */
static void all_about_a_create_is_read_at_once(void **state)
{
	struct lease l = scratch_insert("cbx_000000000001");
	const struct store_idempotency known = { .hash = "h", .lease_n = l.n };
	const struct store_create same = { l.owner, l.org, l.account, l.slug, "key", l.id, "token" };
	const struct store_create theirs = { "bob", l.org, "x", l.slug, "key", "cbx_2", "token" };
	const struct store_create bare = { l.owner, l.org, l.account, "other", "", "", "" };
	struct store_create_facts facts = facts_of(&same);

	(void)state;
	assert_true(!facts.has_key && facts.has_id && !facts.is_canceled && facts.is_slug_taken);
	scratch_begin();
	assert_int_equal(store_idempotency_put(store, l.owner, l.org, "key", &known, 1, NULL), 0);
	assert_int_equal(store_create_cancel(store, l.id, "token", l.owner, l.org, 1, NULL), 0);
	scratch_commit();
	facts = facts_of(&same);
	assert_true(facts.has_key && facts.has_id && facts.is_canceled && facts.is_slug_taken);
	assert_int_equal(facts.have.owner, 1);
	assert_int_equal(facts.have.account, 1);
	assert_int_equal(facts.have.micros_owner, 12345);
	facts = facts_of(&theirs);
	assert_true(!facts.has_key && !facts.has_id && !facts.is_canceled && !facts.is_slug_taken);
	assert_int_equal(facts.have.all, 1);
	assert_int_equal(facts.have.org, 1);
	assert_int_equal(facts.have.owner, 0);
	assert_int_equal(facts.have.account, 0);
	facts = facts_of(&bare);
	assert_true(!facts.has_key && !facts.has_id && !facts.is_canceled && !facts.is_slug_taken);
	l.state = LEASE_RELEASED;
	update(&l);
	facts = facts_of(&same);
	assert_true(facts.has_id && !facts.is_slug_taken);
}

static void counts_are_of_what_may_cost(void **state)
{
	struct lease l = scratch_insert("cbx_000000000001");
	struct store_counts counts;

	(void)state;
	scratch_insert("cbx_000000000002");
	counts = counts_of(l.owner, &l, l.account);
	assert_int_equal(counts.all, 2);
	assert_int_equal(counts.owner, 2);
	assert_int_equal(counts.micros_owner, 2 * 12345);
	for (int cleanup = CLEANUP_OWED; cleanup <= CLEANUP_ATTENTION; cleanup++) {
		l.state = LEASE_RELEASED;
		l.cleanup = (enum lease_cleanup)cleanup;
		l.is_billed = 1;
		update(&l);
		counts = counts_of("bob", &l, "x");
		assert_int_equal(counts.all, 2);
		assert_int_equal(counts.owner, 0);
		assert_int_equal(counts.org, 2);
		assert_int_equal(counts.account, 0);
		/* Only its key is left, which is free. */
		l.is_billed = 0;
		update(&l);
		counts = counts_of(l.owner, &l, l.account);
		assert_int_equal(counts.all, 1);
		assert_int_equal(counts.owner, 1);
		assert_int_equal(counts.org, 1);
		assert_int_equal(counts.account, 1);
		assert_int_equal(counts.micros_all, 12345);
	}
	l.cleanup = CLEANUP_DONE;
	l.is_billed = 1;
	update(&l);
	assert_int_equal(counts_of(l.owner, &l, l.account).all, 1);
	assert_int_equal(store_check(store, NULL), 0);
}

static int collect_event(void *arg, const struct store_event *event)
{
	char *kinds = arg;

	strcat(kinds, event->kind);
	strcat(kinds, ";");
	return 0;
}

static void the_timeline_pages(void **state)
{
	char kinds[64] = "";

	(void)state;
	scratch_begin();
	store_event_add(store, 1, 10, "a", "x", NULL);
	store_event_add(store, 2, 11, "other", "x", NULL);
	store_event_add(store, 1, 12, "b", "x", NULL);
	store_event_add(store, 1, 13, "c", "x", NULL);
	scratch_commit();
	assert_int_equal(store_event_each(store, 1, 0, 2, collect_event, kinds, NULL), 0);
	assert_string_equal(kinds, "a;b;");
	kinds[0] = '\0';
	store_event_each(store, 1, 3, 100, collect_event, kinds, NULL);
	assert_string_equal(kinds, "c;");
}

static void idempotency_keys_are_per_owner(void **state)
{
	struct store_idempotency put = { .hash = "abc", .lease_n = 5 }, got;

	(void)state;
	scratch_begin();
	assert_int_equal(store_idempotency_put(store, "a", "o", "k", &put, 1, NULL), 0);
	scratch_commit();
	scratch_begin();
	assert_int_equal(scratch_end(store_idempotency_put(store, "a", "o", "k", &put, 1, NULL),
				     NULL),
			 -1);
	assert_int_equal(store_idempotency_get(store, "a", "o", "k", &got, NULL), 0);
	assert_string_equal(got.hash, "abc");
	assert_int_equal(got.lease_n, 5);
	assert_int_equal(store_idempotency_get(store, "b", "o", "k", &got, NULL), 1);
}

static void canceled_creates_leave_a_tombstone(void **state)
{
	(void)state;
	scratch_begin();
	assert_int_equal(store_create_cancel(store, "cbx_1", "cat_1", "a", "o", 1, NULL), 0);
	assert_int_equal(store_create_cancel(store, "cbx_1", "cat_1", "a", "o", 1, NULL), 0);
	scratch_commit();
	assert_int_equal(store_create_canceled(store, "cbx_1", "cat_1", NULL), 1);
	assert_int_equal(store_create_canceled(store, "cbx_1", "cat_2", NULL), 0);
}

static void find_token(void *arg, const struct token *token)
{
	*(struct token *)arg = *token;
}

static void tokens_are_kept_as_hashes_and_raise_the_epoch(void **state)
{
	struct token token = { .id = "0123456789abcdef", .owner = "a", .org = "o",
			       .role = TOKEN_ADMIN, .created_ms = 1, .expires_ms = 2 }, got = { 0 };
	int64_t before, after;

	(void)state;
	memset(token.hash, 0xa5, sizeof(token.hash));
	store_token_epoch(store, &before, NULL);
	scratch_begin();
	assert_int_equal(store_token_add(store, &token, NULL), 0);
	scratch_commit();
	store_token_epoch(store, &after, NULL);
	assert_true(after > before);
	store_token_each(store, find_token, &got, NULL);
	assert_memory_equal(&got, &token, sizeof(token));
	scratch_begin();
	assert_int_equal(store_token_revoke(store, token.id, 99, NULL), 0);
	assert_int_equal(store_token_revoke(store, token.id, 99, NULL), 1);
	scratch_commit();
	store_token_each(store, find_token, &got, NULL);
	assert_int_equal(got.revoked_ms, 99);
	for (int r = TOKEN_USER; r <= TOKEN_ADMIN; r++)
		assert_int_equal(token_role_parse(token_role_name((enum token_role)r)), r);
	assert_int_equal(token_role_parse("root"), -1);
}

static void prices_are_replaced_whole(void **state)
{
	struct store_price two[] = {
		{ "cx23", "nbg1", 9000, "EUR", 1, 0, 0, 0 },
		{ "cx23", "hel1", 8000, "EUR", 0, 5000000, 3600000, 60000 },
	}, got;

	(void)state;
	scratch_begin();
	assert_int_equal(store_prices_replace(store, "h", two, 2, 1, NULL), 0);
	scratch_commit();
	assert_int_equal(store_price_get(store, "h", "cx23", "nbg1", &got, NULL), 0);
	assert_int_equal(got.hour_micros, 9000);
	assert_int_equal(store_price_get(store, "h", "cx23", "", &got, NULL), 0);
	assert_string_equal(got.location, "hel1");
	assert_int_equal(got.month_micros, 5000000);
	assert_int_equal(got.unit_ms, 3600000);
	assert_int_equal(got.minimum_ms, 60000);
	scratch_begin();
	store_prices_replace(store, "h", two, 1, 1, NULL);
	scratch_commit();
	assert_int_equal(store_price_get(store, "h", "cx23", "hel1", &got, NULL), 1);
}

static void a_pause_outlives_the_process(void **state)
{
	int64_t until = -1;

	(void)state;
	assert_int_equal(store_pause_get(store, "h", &until, NULL), 0);
	assert_int_equal(until, 0);
	scratch_begin();
	assert_int_equal(store_pause_put(store, "h", 5000, NULL), 0);
	assert_int_equal(store_pause_put(store, "h", 7000, NULL), 0);
	scratch_commit();
	store_close(store);
	store = scratch_open();
	assert_int_equal(store_pause_get(store, "h", &until, NULL), 0);
	assert_int_equal(until, 7000);
	assert_int_equal(store_pause_get(store, "other", &until, NULL), 0);
	assert_int_equal(until, 0);
}

static void the_identity_stays(void **state)
{
	struct signer a, b;
	char key_a[512], key_b[512];

	(void)state;
	assert_int_equal(store_signer(store, &a, NULL), 0);
	assert_int_equal(store_account_key(store, key_a, sizeof(key_a), NULL), 0);
	store_close(store);
	store = scratch_open();
	store_signer(store, &b, NULL);
	store_account_key(store, key_b, sizeof(key_b), NULL);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_string_equal(key_a, key_b);
	assert_int_equal(strlen(a.instance), 16);
	assert_in_range(a.instance[0], 'a', 'z');
	assert_int_equal(strncmp(key_a, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI", 37), 0);
}

static void *read_pairs(void *arg)
{
	struct store *reader = NULL;
	int64_t seen = 0;

	assert_int_equal(store_open_reader(path, &reader, NULL), 0);
	while (seen < 100) {
		struct store_counts got;

		if (store_counts(reader, "", "", "", &got, NULL)) {
			*(int *)arg = 1;
			break;
		}
		/*
		 * Each is a separate statement: only totals changed by one commit are
		 * compared.
		 */
		if (got.all % 2 || got.all < seen) {
			*(int *)arg = 2;
			break;
		}
		seen = got.all;
	}
	store_close(reader);
	return NULL;
}

static void a_reader_on_another_thread_sees_whole_commits(void **state)
{
	pthread_t thread;
	int bad = 0;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, read_pairs, &bad), 0);
	for (int i = 0; i < 50; i++) {
		scratch_begin();
		for (int k = 0; k < 2; k++) {
			struct lease l;
			char id[24];

			snprintf(id, sizeof(id), "cbx_%012d", 2 * i + k);
			l = scratch_lease(id);
			assert_int_equal(store_lease_insert(store, &l, NULL), 0);
		}
		scratch_commit();
	}
	pthread_join(thread, NULL);
	assert_int_equal(bad, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_lease_comes_back_as_it_went_in),
		TEST(an_unknown_end_reason_is_kept),
		TEST(an_id_is_taken_once),
		TEST(a_savepoint_undoes_only_its_own),
		TEST(a_savepoint_that_is_gone_breaks_the_store),
		TEST(a_reader_sees_what_was_committed),
		TEST(heartbeats_move_only_the_touched_time),
		TEST(many_heartbeats_at_once),
		TEST(ownership_is_part_of_the_query),
		TEST(a_slug_names_live_leases_only),
		TEST(lists_page_newest_first),
		TEST(all_about_a_create_is_read_at_once),
		TEST(counts_are_of_what_may_cost),
		TEST(the_timeline_pages),
		TEST(idempotency_keys_are_per_owner),
		TEST(canceled_creates_leave_a_tombstone),
		TEST(tokens_are_kept_as_hashes_and_raise_the_epoch),
		TEST(prices_are_replaced_whole),
		TEST(a_pause_outlives_the_process),
		TEST(the_identity_stays),
		TEST(a_reader_on_another_thread_sees_whole_commits),
	};

	if (vfs_install())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
