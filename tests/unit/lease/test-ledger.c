/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lease/ledger.h"
#include "util/alloc.h"

static const struct signer signer = { .instance = "abcdefgh23456723", .key = "a key of the broker's own" };

struct fixture {
	struct lease l;
	struct ledger ledger;
	struct resource rows[2];	/* server of attempt 1, key */
	struct attempt attempt;
	struct labels labels;
	struct lessor_label copies[LABELS_MAX + 1];
	struct lessor_observed seen;	/* of the server */
};

static void row_init(struct fixture *f, int i, uint32_t kind, uint32_t attempt, const char *id)
{
	struct resource *r = &f->rows[i];

	*r = (struct resource){ .n = i + 1, .lease = 7, .kind = kind, .attempt = attempt, .ours = 1,
				.state = LESSOR_STATE_PRESENT };
	strcpy(r->id, id);
	ledger_name(&signer, "hetzner", &f->l, kind, attempt, r->name);
}

static void seen_init(struct fixture *f, const struct resource *r)
{
	ledger_labels(&signer, "hetzner", &f->l, r->kind, r->attempt, r->name, &f->labels);
	memcpy(f->copies, f->labels.items, sizeof(f->labels.items));
	f->seen = (struct lessor_observed){
		.size = sizeof(f->seen), .kind = r->kind, .id = r->id, .name = r->name,
		.labels = f->copies, .label_count = f->labels.count,
	};
}

/* A released lease whose server and key may be deleted. */
static void fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->l = (struct lease){ .n = 7, .state = LEASE_RELEASED, .cleanup = CLEANUP_OWED, .epoch = 2 };
	strcpy(f->l.id, "cbx_0123456789ab");
	strcpy(f->l.owner, "alice@example.com");
	strcpy(f->l.account, "hetzner");
	strcpy(f->l.slug, "violet-prawn");
	row_init(f, 0, LESSOR_KIND_SERVER, 1, "118400001");
	row_init(f, 1, LESSOR_KIND_KEY, 0, "555");
	f->attempt = (struct attempt){ .lease = 7, .number = 1 };
	f->ledger = (struct ledger){ f->rows, 2, &f->attempt, 1 };
	seen_init(f, &f->rows[0]);
}

static enum permit_refusal permit(struct fixture *f, int64_t row, int shared)
{
	struct err err = { 0 };
	enum permit_refusal refusal = ledger_permit(&signer, &f->l, &f->ledger, row, 2, &f->seen,
						    shared, &err);

	if (refusal != PERMIT_GRANTED)
		assert_true(err.text[0] != '\0');
	return refusal;
}

static int is_name(const char *name)
{
	size_t len = strlen(name);

	if (!len || len > 63 || !isalnum((unsigned char)name[0]) ||
	    !isalnum((unsigned char)name[len - 1]))
		return 0;
	for (; *name; name++) {
		if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) && *name != '-')
			return 0;
	}
	return 1;
}

static void names_are_host_names_and_one_of_a_kind(void **state)
{
	struct lease a = { .id = "cbx_000000000001", .slug = "a" };
	struct lease b = { .id = "cbx_000000000002", .slug = "a" };
	struct signer other = signer;
	char one[64], two[64];

	(void)state;
	memset(a.slug, 'x', 41);
	a.slug[31] = '-';
	ledger_name(&signer, "h", &a, LESSOR_KIND_SERVER, 1, one);
	assert_true(is_name(one));
	ledger_name(&signer, "h", &a, LESSOR_KIND_SERVER, 1, two);
	assert_string_equal(one, two);
	ledger_name(&signer, "h", &a, LESSOR_KIND_SERVER, 2, two);
	assert_string_not_equal(one, two);
	ledger_name(&signer, "h", &a, LESSOR_KIND_KEY, 1, two);
	assert_true(is_name(two));
	strcpy(b.slug, a.slug);
	ledger_name(&signer, "h", &b, LESSOR_KIND_SERVER, 1, two);
	assert_string_not_equal(one, two);
	strcpy(other.instance, "zzzzzzzz23456723");
	ledger_name(&other, "h", &a, LESSOR_KIND_SERVER, 1, two);
	assert_string_not_equal(one, two);
	ledger_name(&signer, "h", NULL, LESSOR_KIND_SENTINEL, 0, two);
	assert_true(is_name(two));
}

static void labels_keep_to_the_grammar(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	strcpy(f.l.owner, "@@\xc3\xa4 weird:owner/@");
	ledger_labels(&signer, "hetzner", &f.l, LESSOR_KIND_SERVER, 1, f.rows[0].name, &f.labels);
	assert_int_equal(f.labels.count, LABELS_MAX);
	for (size_t i = 0; i < f.labels.count; i++) {
		const char *value = f.labels.items[i].value;
		size_t len = strlen(value);

		assert_in_range(len, 1, 63);
		assert_true(isalnum((unsigned char)value[0]) && isalnum((unsigned char)value[len - 1]));
		for (size_t k = 0; k < len; k++)
			assert_true(isalnum((unsigned char)value[k]) || strchr("._-", value[k]));
	}
}

static void what_is_exactly_ours_may_go(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	assert_int_equal(permit(&f, 1, 0), PERMIT_GRANTED);
	/* Its owner may have been renamed, and strangers' labels do not matter. */
	f.copies[4].value = "someone.else";
	f.copies[6] = (struct lessor_label){ "team", "blue" };
	f.seen.label_count = 7;
	assert_int_equal(permit(&f, 1, 0), PERMIT_GRANTED);
}

static void each_single_difference_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < LABELS_MAX; i++) {
		if (i == 4)
			continue;
		fixture_init(&f);
		f.copies[i].value = "other";
		assert_int_equal(permit(&f, 1, 0), PERMIT_UNPROVEN);
		fixture_init(&f);
		f.copies[i].key = "stripped";
		assert_int_equal(permit(&f, 1, 0), PERMIT_UNPROVEN);
	}
	fixture_init(&f);
	f.seen.id = "118400002";
	assert_int_equal(permit(&f, 1, 0), PERMIT_UNPROVEN);
	fixture_init(&f);
	f.seen.name = "lessor-violet-prawn-other";
	assert_int_equal(permit(&f, 1, 0), PERMIT_UNPROVEN);
	fixture_init(&f);
	f.seen.kind = LESSOR_KIND_KEY;
	assert_int_equal(permit(&f, 1, 0), PERMIT_UNPROVEN);
	fixture_init(&f);
	f.seen.label_count = 0;
	assert_int_equal(permit(&f, 1, 0), PERMIT_UNPROVEN);
}

static void a_copied_label_set_does_not_fit_another_name(void **state)
{
	struct fixture f;
	struct resource other;

	(void)state;
	fixture_init(&f);
	other = f.rows[0];
	f.rows[0].attempt = 2;
	ledger_name(&signer, "hetzner", &f.l, LESSOR_KIND_SERVER, 2, f.rows[0].name);
	assert_string_not_equal(other.name, f.rows[0].name);
	f.seen.name = f.rows[0].name;
	assert_int_equal(permit(&f, 1, 0), PERMIT_UNPROVEN);
}

static void a_retained_lease_is_never_permitted(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.l.retained = 1;
	assert_int_equal(permit(&f, 1, 0), PERMIT_RETAINED);
	f.l.retained = 0;
	f.rows[0].state = LESSOR_STATE_RETAINED;
	assert_int_equal(permit(&f, 1, 0), PERMIT_RETAINED);
}

static void a_stale_step_is_never_permitted(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.l.epoch = 3;
	assert_int_equal(permit(&f, 1, 0), PERMIT_STALE);
}

static void the_key_goes_after_the_server(void **state)
{
	struct fixture f;

	(void)state;
	for (uint32_t s = LESSOR_STATE_INTENDED; s <= LESSOR_STATE_DISOWNED; s++) {
		fixture_init(&f);
		seen_init(&f, &f.rows[1]);
		f.rows[0].state = s;
		assert_int_equal(permit(&f, 2, 0),
				 s == LESSOR_STATE_GONE || s == LESSOR_STATE_DISOWNED ?
				 PERMIT_GRANTED : PERMIT_SERVER_FIRST);
	}
}

static void shared_reused_and_foreign_keys_stay(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.rows[0].state = LESSOR_STATE_GONE;
	seen_init(&f, &f.rows[1]);
	assert_int_equal(permit(&f, 2, 1), PERMIT_SHARED);
	f.rows[1].ours = 0;
	assert_int_equal(permit(&f, 2, 0), PERMIT_NOT_OURS);
	assert_int_equal(permit(&f, 99, 0), PERMIT_NOT_OURS);
	f.rows[1].ours = 1;
	f.rows[1].lease = 8;
	assert_int_equal(permit(&f, 2, 0), PERMIT_NOT_OURS);
}

static void without_an_id_nothing_is_deleted(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.rows[0].id[0] = '\0';
	f.seen.id = "118400001";
	assert_int_equal(permit(&f, 1, 0), PERMIT_NO_ID);
}

static void a_live_lease_loses_only_refused_attempts(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.l.state = LEASE_PROVISIONING;
	assert_int_equal(permit(&f, 1, 0), PERMIT_WANTED);
	f.attempt.refused = LESSOR_CLASS_TIMEOUT;
	assert_int_equal(permit(&f, 1, 0), PERMIT_GRANTED);
	f.l.state = LEASE_ACTIVE;
	assert_int_equal(permit(&f, 1, 0), PERMIT_WANTED);
}

static void one_server_at_a_time(void **state)
{
	struct fixture f;
	struct err err;

	(void)state;
	fixture_init(&f);
	f.l.state = LEASE_PROVISIONING;
	for (uint32_t s = LESSOR_STATE_INTENDED; s <= LESSOR_STATE_RETAINED; s++) {
		f.rows[0].state = s;
		assert_int_equal(ledger_may_intend(&f.l, &f.ledger, LESSOR_KIND_SERVER, 1, 2, &err),
				 s == LESSOR_STATE_GONE ? 0 : -1);
	}
	f.rows[0].state = LESSOR_STATE_GONE;
	assert_int_equal(ledger_may_intend(&f.l, &f.ledger, LESSOR_KIND_SERVER, 2, 2, &err), -1);
	assert_int_equal(ledger_may_intend(&f.l, &f.ledger, LESSOR_KIND_KEY, 0, 2, &err), -1);
	f.rows[1].state = LESSOR_STATE_GONE;
	assert_int_equal(ledger_may_intend(&f.l, &f.ledger, LESSOR_KIND_KEY, 0, 2, &err), 0);
	assert_int_equal(ledger_may_intend(&f.l, &f.ledger, LESSOR_KIND_KEY, 0, 1, &err), -1);
	f.l.state = LEASE_RELEASED;
	assert_int_equal(ledger_may_intend(&f.l, &f.ledger, LESSOR_KIND_KEY, 0, 2, &err), -1);
}

static void texts_exist_for_every_value(void **state)
{
	(void)state;
	for (uint32_t k = LESSOR_KIND_SERVER; k <= LESSOR_KIND_OTHER; k++)
		assert_string_not_equal(resource_kind_name(k), "unknown");
	for (uint32_t s = LESSOR_STATE_INTENDED; s <= LESSOR_STATE_DISOWNED; s++)
		assert_non_null(resource_state_name(s));
	for (uint32_t c = LESSOR_CLASS_NONE; c <= LESSOR_CLASS_BUG; c++)
		assert_string_not_equal(error_class_name(c), "unknown");
	assert_string_equal(error_class_name(9999), "unknown");
	for (int s = 0; s < LEASE_STATE_COUNT; s++)
		assert_int_equal(lease_state_parse(lease_state_name((enum lease_state)s)), s);
	assert_int_equal(lease_state_parse("nonsense"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_host_names_and_one_of_a_kind),
		cmocka_unit_test(labels_keep_to_the_grammar),
		cmocka_unit_test(what_is_exactly_ours_may_go),
		cmocka_unit_test(each_single_difference_is_refused),
		cmocka_unit_test(a_copied_label_set_does_not_fit_another_name),
		cmocka_unit_test(a_retained_lease_is_never_permitted),
		cmocka_unit_test(a_stale_step_is_never_permitted),
		cmocka_unit_test(the_key_goes_after_the_server),
		cmocka_unit_test(shared_reused_and_foreign_keys_stay),
		cmocka_unit_test(without_an_id_nothing_is_deleted),
		cmocka_unit_test(a_live_lease_loses_only_refused_attempts),
		cmocka_unit_test(one_server_at_a_time),
		cmocka_unit_test(texts_exist_for_every_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
