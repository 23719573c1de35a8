/* SPDX-License-Identifier: MIT */
/* The gate, the order of its reasons, and intents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "lease/ledger.h"
#include "util/alloc.h"

#define LABELS 6 /* the labels of a lease's resource */
#define OWNER_LABEL 4

static const struct signer signer = { .instance = "abcdefgh23456723", .key = "a key of the broker's own" };

struct fixture {
	struct lease l;
	struct ledger ledger;
	struct resource rows[2];	/* server of attempt 1, key */
	struct attempt attempts[2];	/* an older attempt, and the server's */
	struct labels labels;
	struct lessor_label copies[LABELS_MAX + 1];
	struct lessor_observed seen;	/* of the server, if not said otherwise */
	struct observation observation;
	struct gate_facts facts;
	int64_t epoch;			/* of the step */
};

static void row_init(struct fixture *f, int i, uint32_t kind, uint32_t attempt, const char *id)
{
	struct resource *r = &f->rows[i];

	*r = (struct resource){ .n = i + 1, .lease = 7, .kind = kind, .attempt = attempt, .ours = 1,
				.state = LESSOR_STATE_PRESENT };
	strcpy(r->id, id);
	ledger_name(&signer, "hetzner", &f->l, kind, attempt, r->name);
}

/* The object at the provider for this row, created for lease `l`. */
static void seen_init(struct fixture *f, const struct resource *r, const struct lease *l)
{
	ledger_labels(&signer, "hetzner", l, r->kind, r->attempt, r->name, &f->labels);
	memset(f->copies, 0, sizeof(f->copies));
	memcpy(f->copies, f->labels.items, sizeof(f->labels.items));
	f->seen = (struct lessor_observed){
		.size = sizeof(f->seen), .kind = r->kind,
		.id = r->kind == LESSOR_KIND_SERVER ? "118400001" : "555", .name = r->name,
		.labels = f->copies, .label_count = f->labels.count,
		.protection = LESSOR_PROTECTION_OFF,
	};
	f->observation = (struct observation){ .seen = &f->seen, .is_read = 1 };
}

/* A released lease whose server may be deleted. */
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
	f->attempts[0] = (struct attempt){ .lease = 7, .number = 8, .refused = LESSOR_CLASS_CAPACITY };
	f->attempts[1] = (struct attempt){ .lease = 7, .number = 1 };
	f->ledger = (struct ledger){ f->rows, 2, f->attempts, 2 };
	seen_init(f, &f->rows[0], &f->l);
	f->facts = (struct gate_facts){ .is_verified = 1 };
	f->epoch = 2;
}

/* The same with its server gone: the key may be deleted. */
static void fixture_of_key(struct fixture *f)
{
	fixture_init(f);
	f->rows[0].state = LESSOR_STATE_GONE;
	seen_init(f, &f->rows[1], &f->l);
}

static enum authorization authorize(struct fixture *f, int64_t row)
{
	struct err err = { 0 };
	enum authorization a;

	f->observation.retain = observed_retain(&f->seen);
	a = lease_authorize(&signer, &f->l, &f->ledger, row, f->epoch, &f->observation, &f->facts,
			    &err);
	if (a != AUTHORIZATION_GRANTED) {
		assert_int_equal(err.kind == ERR_REFUSED || err.kind == ERR_CONFLICT, 1);
		assert_true(err.text[0] != '\0');
	}
	if (a == AUTHORIZATION_SIGNATURE)
		assert_memory_equal(err.text, "not deleted: ownership not verified: it", 39);
	return a;
}

/* Adds a label to the object at the provider. */
static void add_label(struct fixture *f, const char *key, const char *value)
{
	f->copies[f->seen.label_count++] = (struct lessor_label){ key, value };
}

/* ---- ownership ------------------------------------------------------------------------ */

static void what_is_exactly_ours_may_go(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	assert_int_equal(authorize(&f, 1), AUTHORIZATION_GRANTED);
	/* The owner may have been renamed, and foreign labels do not matter. */
	f.copies[OWNER_LABEL].value = "someone.else";
	add_label(&f, "team", "blue");
	assert_int_equal(authorize(&f, 1), AUTHORIZATION_GRANTED);
	fixture_of_key(&f);
	assert_int_equal(authorize(&f, 2), AUTHORIZATION_GRANTED);
}

static void each_single_difference_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < LABELS; i++) {
		if (i == OWNER_LABEL)
			continue;
		fixture_init(&f);
		f.copies[i].value = "other";
		assert_int_equal(authorize(&f, 1), AUTHORIZATION_SIGNATURE);
		fixture_init(&f);
		f.copies[i].value = NULL;
		assert_int_equal(authorize(&f, 1), AUTHORIZATION_SIGNATURE);
		fixture_init(&f);
		f.copies[i].key = "stripped";
		assert_int_equal(authorize(&f, 1), AUTHORIZATION_SIGNATURE);
	}
	fixture_init(&f);
	f.seen.name = "lessor-violet-prawn-other";
	assert_int_equal(authorize(&f, 1), AUTHORIZATION_SIGNATURE);
	f.seen.name = NULL;
	assert_int_equal(authorize(&f, 1), AUTHORIZATION_SIGNATURE);
	fixture_init(&f);
	f.seen.kind = LESSOR_KIND_KEY;
	assert_int_equal(authorize(&f, 1), AUTHORIZATION_SIGNATURE);
	fixture_init(&f);
	f.seen.label_count = 0;
	assert_int_equal(authorize(&f, 1), AUTHORIZATION_SIGNATURE);
	fixture_init(&f);
	strcpy(f.l.account, "other");
	assert_int_equal(authorize(&f, 1), AUTHORIZATION_SIGNATURE);
}

static void another_id_is_another_thing(void **state)
{
	static const char *const ids[] = { NULL, "", "118400002", "11840000", "1184000010", "0118400001" };
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		fixture_init(&f);
		f.seen.id = ids[i];
		assert_int_equal(authorize(&f, 1), AUTHORIZATION_WRONG_ID);
	}
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
	assert_int_equal(authorize(&f, 1), AUTHORIZATION_SIGNATURE);
}

/* A key handed over by another lease carries that lease's name and signature. */
static void what_was_handed_over_bears_the_other_leases_signature(void **state)
{
	struct lease from = { .n = 6, .id = "cbx_ffffffffffff", .owner = "bob", .slug = "blue-whale" };
	struct fixture f;

	(void)state;
	fixture_of_key(&f);
	ledger_name(&signer, "hetzner", &from, LESSOR_KIND_KEY, 0, f.rows[1].name);
	seen_init(&f, &f.rows[1], &from);
	assert_int_equal(authorize(&f, 2), AUTHORIZATION_SIGNATURE);
	strcpy(f.rows[1].signed_lease, from.id);
	assert_int_equal(authorize(&f, 2), AUTHORIZATION_GRANTED);
	/* And no other lease's. */
	seen_init(&f, &f.rows[1], &f.l);
	assert_int_equal(authorize(&f, 2), AUTHORIZATION_SIGNATURE);
}

/* ---- the order of refusals ---------------------------------------------------------------- */

static void unverified(struct fixture *f)
{
	f->facts.is_verified = 0;
}

static void fenced(struct fixture *f)
{
	f->facts.is_fenced = 1;
}

static void frozen(struct fixture *f)
{
	f->facts.is_frozen = 1;
}

static void not_ours(struct fixture *f)
{
	f->rows[1].ours = 0;
}

static void retained(struct fixture *f)
{
	f->l.retained = 1;
}

static void stale(struct fixture *f)
{
	f->epoch--;
}

static void gone(struct fixture *f)
{
	f->rows[1].state = LESSOR_STATE_GONE;
}

static void without_id(struct fixture *f)
{
	f->rows[1].id[0] = '\0';
}

static void alive(struct fixture *f)
{
	f->l.state = LEASE_ACTIVE;
}

static void with_server(struct fixture *f)
{
	f->rows[0].state = LESSOR_STATE_PRESENT;
}

static void shared(struct fixture *f)
{
	f->facts.is_shared = 1;
}

static void not_read(struct fixture *f)
{
	f->observation.is_read = 0;
}

static void with_another_id(struct fixture *f)
{
	f->seen.id = "556";
}

static void unsigned_by_us(struct fixture *f)
{
	f->copies[0].value = "another-broker";
}

static void marked(struct fixture *f)
{
	add_label(f, LESSOR_LABEL_RETAIN, "1");
}

static void protected_there(struct fixture *f)
{
	f->seen.protection = LESSOR_PROTECTION_ON;
}

static const struct {
	enum authorization reason;
	void (*make)(struct fixture *f);
	int passes;
} refusals[] = {
	{ AUTHORIZATION_UNVERIFIED, unverified, 1 },
	{ AUTHORIZATION_FENCED, fenced, 0 },
	{ AUTHORIZATION_FROZEN, frozen, 1 },
	{ AUTHORIZATION_NOT_OURS, not_ours, 0 },
	{ AUTHORIZATION_RETAINED, retained, 1 },
	{ AUTHORIZATION_STALE, stale, 1 },
	{ AUTHORIZATION_NOT_DELETABLE, gone, 1 },
	{ AUTHORIZATION_NO_ID, without_id, 0 },
	{ AUTHORIZATION_IN_USE, alive, 1 },
	{ AUTHORIZATION_SERVER_FIRST, with_server, 1 },
	{ AUTHORIZATION_SHARED, shared, 1 },
	{ AUTHORIZATION_NOT_READ, not_read, 1 },
	{ AUTHORIZATION_WRONG_ID, with_another_id, 0 },
	{ AUTHORIZATION_SIGNATURE, unsigned_by_us, 0 },
	{ AUTHORIZATION_RETENTION_MARK, marked, 0 },
	{ AUTHORIZATION_PROTECTED, protected_there, 0 },
};

static void each_reason_refuses_and_the_earlier_of_two_is_told(void **state)
{
	struct fixture f;

	(void)state;
	/* All except the grant and the temporary AUTHORIZATION_UNPROTECT. */
	assert_int_equal(ARRAY_LEN(refusals), AUTHORIZATION_COUNT - 2);
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		for (size_t k = i; k < ARRAY_LEN(refusals); k++) {
			fixture_of_key(&f);
			refusals[k].make(&f);
			if (k != i)
				refusals[i].make(&f);
			assert_int_equal(authorize(&f, 2), refusals[i].reason);
		}
	}
}

static void refusals_have_names_and_some_pass(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
		assert_int_equal(authorization_passes(refusals[i].reason), refusals[i].passes);
	assert_true(authorization_passes(AUTHORIZATION_UNPROTECT));
	for (int a = 0; a < AUTHORIZATION_COUNT; a++) {
		for (int b = 0; b < a; b++)
			assert_string_not_equal(authorization_name((enum authorization)a),
						authorization_name((enum authorization)b));
	}
	assert_string_equal(authorization_name(AUTHORIZATION_COUNT), "unknown");
}

/* ---- one reason after the other ------------------------------------------------------------- */

static void only_what_is_there_is_deletable(void **state)
{
	struct fixture f;

	(void)state;
	for (uint32_t s = 0; s <= LESSOR_STATE_UNPROTECT_UNKNOWN + 1; s++) {
		fixture_init(&f);
		f.rows[0].state = s;
		assert_int_equal(authorize(&f, 1),
				 s == LESSOR_STATE_PRESENT || s == LESSOR_STATE_DELETE_UNKNOWN ?
					AUTHORIZATION_GRANTED :
				 s == LESSOR_STATE_RETAINED ? AUTHORIZATION_RETAINED :
							      AUTHORIZATION_NOT_DELETABLE);
	}
}

static void a_retained_lease_or_row_is_never_deleted(void **state)
{
	struct fixture f;

	(void)state;
	for (uint32_t s = 1; s <= LESSOR_STATE_UNPROTECT_UNKNOWN; s++) {
		fixture_init(&f);
		f.l.retained = 1;
		f.rows[0].state = s;
		assert_int_equal(authorize(&f, 1), AUTHORIZATION_RETAINED);
	}
}

static void a_step_of_another_epoch_deletes_nothing(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.l.epoch = 3;
	assert_int_equal(authorize(&f, 1), AUTHORIZATION_STALE);
	f.l.epoch = 1;
	assert_int_equal(authorize(&f, 1), AUTHORIZATION_STALE);
}

static void swap_rows(struct fixture *f)
{
	struct resource first = f->rows[0];

	f->rows[0] = f->rows[1];
	f->rows[1] = first;
}

static void the_key_goes_after_the_server(void **state)
{
	struct fixture f;

	(void)state;
	for (uint32_t s = 1; s <= LESSOR_STATE_UNPROTECT_UNKNOWN; s++) {
		fixture_of_key(&f);
		f.rows[0].state = s;
		assert_int_equal(authorize(&f, 2), lessor_state_is_over(s) ?
				 AUTHORIZATION_GRANTED : AUTHORIZATION_SERVER_FIRST);
	}
	/* Also one that this lease did not create, at any place in the ledger. */
	fixture_of_key(&f);
	f.rows[0].state = LESSOR_STATE_PRESENT;
	f.rows[0].ours = 0;
	assert_int_equal(authorize(&f, 2), AUTHORIZATION_SERVER_FIRST);
	swap_rows(&f);
	assert_int_equal(authorize(&f, 2), AUTHORIZATION_SERVER_FIRST);
}

static void text_2_shared_reused_and_foreign_keys_stay(void **state)
{
	struct fixture f;
	struct err err = { 0 };

	(void)state;
	fixture_of_key(&f);
	f.facts.is_shared = 1;
	assert_int_equal(authorize(&f, 2), AUTHORIZATION_SHARED);
	/* Text 2. */
	lease_authorize(&signer, &f.l, &f.ledger, 2, f.epoch, &f.observation, &f.facts, &err);
	assert_string_equal(err.text, "another lease uses it and receives it; it costs nothing");
	f.facts.is_shared = 0;
	assert_int_equal(authorize(&f, 99), AUTHORIZATION_NOT_OURS);
	f.rows[1].ours = 0;
	assert_int_equal(authorize(&f, 2), AUTHORIZATION_NOT_OURS);
	f.rows[1].ours = 1;
	f.rows[1].lease = 8;
	assert_int_equal(authorize(&f, 2), AUTHORIZATION_NOT_OURS);
	/* The sentinel is never deleted. */
	f.rows[1].lease = 0;
	assert_int_equal(authorize(&f, 2), AUTHORIZATION_NOT_OURS);
}

static void a_live_lease_loses_only_refused_attempts(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.l.state = LEASE_PROVISIONING;
	assert_int_equal(authorize(&f, 1), AUTHORIZATION_IN_USE);
	f.attempts[1].refused = LESSOR_CLASS_TIMEOUT;
	assert_int_equal(authorize(&f, 1), AUTHORIZATION_GRANTED);
	f.attempts[1].number = 2;
	assert_int_equal(authorize(&f, 1), AUTHORIZATION_IN_USE);
	f.attempts[1].number = 1;
	f.l.state = LEASE_ACTIVE;
	assert_int_equal(authorize(&f, 1), AUTHORIZATION_IN_USE);
	/* A resource shared by all attempts belongs to no refused one. */
	f.l.state = LEASE_PROVISIONING;
	f.rows[0].state = LESSOR_STATE_GONE;
	f.attempts[1].number = 0;
	seen_init(&f, &f.rows[1], &f.l);
	assert_int_equal(authorize(&f, 2), AUTHORIZATION_IN_USE);
}

static void a_mark_of_a_later_epoch_is_of_a_store_that_knew_more(void **state)
{
	static const struct { const char *label; enum authorization want; } rows[] = {
		{ "4", AUTHORIZATION_GRANTED }, { "5", AUTHORIZATION_GRANTED },
		{ "6", AUTHORIZATION_RETENTION_MARK }, { "0", AUTHORIZATION_RETENTION_MARK },
		{ "", AUTHORIZATION_RETENTION_MARK }, { "five", AUTHORIZATION_RETENTION_MARK },
		{ "99999999999999999999", AUTHORIZATION_RETENTION_MARK },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		fixture_init(&f);
		f.rows[0].retain_epoch = 5;
		add_label(&f, LESSOR_LABEL_RETAIN, rows[i].label);
		assert_int_equal(authorize(&f, 1), rows[i].want);
	}
	fixture_init(&f);
	add_label(&f, LESSOR_LABEL_RETAIN, "1");
	assert_int_equal(authorize(&f, 1), AUTHORIZATION_RETENTION_MARK);
	/* A label that we may have written need not be there. */
	fixture_init(&f);
	f.rows[0].retain_epoch = 5;
	assert_int_equal(authorize(&f, 1), AUTHORIZATION_GRANTED);
}

static void only_our_own_protection_is_lifted(void **state)
{
	struct fixture f;

	(void)state;
	for (uint32_t p = LESSOR_PROTECTION_UNKNOWN; p <= LESSOR_PROTECTION_ON; p++) {
		for (int by = PROTECT_NOT_OURS; by <= PROTECT_OURS; by++) {
			fixture_init(&f);
			f.seen.protection = p;
			f.rows[0].protect_by = by;
			assert_int_equal(authorize(&f, 1),
					 p != LESSOR_PROTECTION_ON ? AUTHORIZATION_GRANTED :
					 by == PROTECT_OURS ? AUTHORIZATION_UNPROTECT :
							      AUTHORIZATION_PROTECTED);
		}
	}
	/* Nor by a store that does not know its label. */
	fixture_init(&f);
	protected_there(&f);
	f.rows[0].protect_by = PROTECT_OURS;
	marked(&f);
	assert_int_equal(authorize(&f, 1), AUTHORIZATION_RETENTION_MARK);
}

/* ---- intents -------------------------------------------------------------------------------- */

static int may_intend(struct fixture *f, uint32_t kind, uint32_t attempt, int64_t epoch)
{
	struct err err = { 0 };
	int rc = ledger_may_intend(&f->l, &f->ledger, kind, attempt, epoch, &err);

	assert_int_equal(rc, err.kind == ERR_NONE ? 0 : -1);
	return rc;
}

static void one_server_at_a_time(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.l.state = LEASE_PROVISIONING;
	for (uint32_t s = 1; s <= LESSOR_STATE_UNPROTECT_UNKNOWN; s++) {
		f.rows[0].state = f.rows[1].state = s;
		assert_int_equal(may_intend(&f, LESSOR_KIND_SERVER, 1, 2),
				 lessor_state_is_over(s) ? 0 : -1);
		assert_int_equal(may_intend(&f, LESSOR_KIND_KEY, 0, 2),
				 lessor_state_is_over(s) ? 0 : -1);
	}
}

/* Until the last one is proven gone, whichever attempt created it. */
static void another_attempt_waits_for_the_server_of_the_last(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.l.state = LEASE_PROVISIONING;
	f.attempts[0] = (struct attempt){ .lease = 7, .number = 2 };
	assert_int_equal(may_intend(&f, LESSOR_KIND_SERVER, 2, 2), -1);
	/* Other kinds may exist once for each attempt. */
	f.rows[0].kind = LESSOR_KIND_VOLUME;
	assert_int_equal(may_intend(&f, LESSOR_KIND_VOLUME, 1, 2), -1);
	assert_int_equal(may_intend(&f, LESSOR_KIND_VOLUME, 2, 2), 0);
	assert_int_equal(may_intend(&f, LESSOR_KIND_SERVER, 2, 2), 0);
}

static void a_server_belongs_to_an_open_attempt(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.l.state = LEASE_PROVISIONING;
	f.rows[0].state = f.rows[1].state = LESSOR_STATE_NEVER_EXISTED;
	assert_int_equal(may_intend(&f, LESSOR_KIND_SERVER, 1, 2), 0);
	assert_int_equal(may_intend(&f, LESSOR_KIND_SERVER, 2, 2), -1);
	f.attempts[1].refused = LESSOR_CLASS_CAPACITY;
	assert_int_equal(may_intend(&f, LESSOR_KIND_SERVER, 1, 2), -1);
	assert_int_equal(may_intend(&f, LESSOR_KIND_SENTINEL, 0, 2), -1);
	assert_int_equal(may_intend(&f, LESSOR_KIND_VOLUME, 1, 2), 0);
}

static void only_a_lease_that_wants_a_machine_makes_anything(void **state)
{
	struct fixture f;

	(void)state;
	for (int s = LEASE_PROVISIONING; s < LEASE_STATE_COUNT; s++) {
		fixture_of_key(&f);
		f.rows[1].state = LESSOR_STATE_GONE;
		f.l.state = (enum lease_state)s;
		assert_int_equal(may_intend(&f, LESSOR_KIND_KEY, 0, 2),
				 s == LEASE_PROVISIONING ? 0 : -1);
		assert_int_equal(may_intend(&f, LESSOR_KIND_KEY, 0, 1), -1);
		assert_int_equal(may_intend(&f, LESSOR_KIND_KEY, 0, 3), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_exactly_ours_may_go),
		cmocka_unit_test(each_single_difference_is_refused),
		cmocka_unit_test(another_id_is_another_thing),
		cmocka_unit_test(a_copied_label_set_does_not_fit_another_name),
		cmocka_unit_test(what_was_handed_over_bears_the_other_leases_signature),
		cmocka_unit_test(each_reason_refuses_and_the_earlier_of_two_is_told),
		cmocka_unit_test(refusals_have_names_and_some_pass),
		cmocka_unit_test(only_what_is_there_is_deletable),
		cmocka_unit_test(a_retained_lease_or_row_is_never_deleted),
		cmocka_unit_test(a_step_of_another_epoch_deletes_nothing),
		cmocka_unit_test(the_key_goes_after_the_server),
		cmocka_unit_test(text_2_shared_reused_and_foreign_keys_stay),
		cmocka_unit_test(a_live_lease_loses_only_refused_attempts),
		cmocka_unit_test(a_mark_of_a_later_epoch_is_of_a_store_that_knew_more),
		cmocka_unit_test(only_our_own_protection_is_lifted),
		cmocka_unit_test(one_server_at_a_time),
		cmocka_unit_test(another_attempt_waits_for_the_server_of_the_last),
		cmocka_unit_test(a_server_belongs_to_an_open_attempt),
		cmocka_unit_test(only_a_lease_that_wants_a_machine_makes_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
