/* SPDX-License-Identifier: MIT */
/* Names, labels and the meaning of a row of the ledger. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <string.h>

#include "lease/ledger.h"
#include "util/alloc.h"

#define LABELS 6	/* of a resource */

static const struct signer signer = { .instance = "abcdefgh23456723", .key = "a key of the broker's own" };

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

static void names_say_what_they_are(void **state)
{
	static const struct {
		uint32_t kind;
		const char *slug, *begins;
	} rows[] = {
		{ LESSOR_KIND_SERVER, "violet-prawn", "lessor-violet-prawn-" },
		{ LESSOR_KIND_KEY, "violet-prawn", "lessor-violet-prawn-key-" },
		{ LESSOR_KIND_VOLUME, "violet-prawn", "lessor-violet-prawn-res-" },
		{ LESSOR_KIND_SENTINEL, NULL, "lessor-account-mark-" },
		/* Truncated after a dash, leaving a single one. */
		{ LESSOR_KIND_SERVER, "abcdefghijklmnopqrstuvwxyz01234-more",
		  "lessor-abcdefghijklmnopqrstuvwxyz01234-" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lease l = { .id = "cbx_000000000001" };
		size_t len = strlen(rows[i].begins);
		char name[64];

		strcpy(l.slug, rows[i].slug ? rows[i].slug : "");
		ledger_name(&signer, "h", rows[i].slug ? &l : NULL, rows[i].kind, 1, name);
		assert_memory_equal(name, rows[i].begins, len);
		assert_int_equal(strlen(name + len), 12);
		assert_null(strchr(name + len, '-'));
	}
}

static void labels_keep_to_the_grammar(void **state)
{
	struct lease l = { .id = "cbx_0123456789ab", .owner = "@@\xc3\xa4 weird:owner/@" };
	struct labels labels;

	(void)state;
	memset(l.owner + strlen(l.owner), 'x', 100);
	ledger_labels(&signer, "hetzner", &l, LESSOR_KIND_SERVER, 1, "lessor-name", &labels);
	assert_int_equal(labels.count, LABELS);
	for (size_t i = 0; i < labels.count; i++) {
		const char *value = labels.items[i].value;
		size_t len = strlen(value);

		assert_in_range(len, 1, 63);
		assert_true(isalnum((unsigned char)value[0]) && isalnum((unsigned char)value[len - 1]));
		for (size_t k = 0; k < len; k++)
			assert_true(isalnum((unsigned char)value[k]) || strchr("._-", value[k]));
	}
}

static void copied_labels_point_into_the_copy(void **state)
{
	struct labels labels = { 0 }, copy;

	(void)state;
	for (size_t i = 0; i < LABELS_MAX + 2; i++)
		labels_add(&labels, "key", "value");
	assert_int_equal(labels.count, LABELS_MAX);
	copy = labels;
	labels_rebase(&copy);
	memset(&labels, 'x', sizeof(labels));
	for (size_t i = 0; i < LABELS_MAX; i++) {
		assert_ptr_equal(copy.items[i].value, copy.text[i]);
		assert_string_equal(copy.items[i].value, "value");
	}
}

static void a_mark_that_makes_no_sense_is_a_mark(void **state)
{
	static const struct { const char *label; int64_t epoch; } rows[] = {
		{ "1", 1 }, { "17", 17 }, { "007", 7 }, { "999999999999999999", 999999999999999999 },
		{ "1000000000000000000", INT64_MAX }, { "9223372036854775808", INT64_MAX },
		{ "", INT64_MAX }, { "0", INT64_MAX }, { "000", INT64_MAX }, { "-1", INT64_MAX },
		{ "+1", INT64_MAX }, { " 1", INT64_MAX }, { "1 ", INT64_MAX }, { "1x", INT64_MAX },
		{ "0x10", INT64_MAX }, { "yes", INT64_MAX }, { NULL, INT64_MAX },
	};

	(void)state;
	assert_int_equal(observed_retain(&(struct lessor_observed){ 0 }), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lessor_label labels[] = {
			{ "team", "9" }, { NULL, "9" }, { LESSOR_LABEL_RETAIN, rows[i].label },
		};
		struct lessor_observed seen = { .labels = labels, .label_count = 2 };

		assert_int_equal(observed_retain(&seen), 0);
		seen.label_count = 3;
		assert_int_equal(observed_retain(&seen), rows[i].epoch);
	}
}

/* A malformed counter is above any real one, and can still be raised. */
static void a_generation_that_makes_no_sense_is_a_high_one(void **state)
{
	static const struct { const char *label; int64_t number; } rows[] = {
		{ "1", 1 }, { "17", 17 }, { "0", 100000000000000000 }, { "-1", 100000000000000000 },
		{ "x", 100000000000000000 }, { "9223372036854775807", 100000000000000000 },
	};

	(void)state;
	assert_int_equal(observed_generation(&(struct lessor_observed){ 0 }), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lessor_label label = { LESSOR_LABEL_GEN, rows[i].label };
		struct lessor_observed seen = { .labels = &label, .label_count = 1 };

		assert_int_equal(observed_generation(&seen), rows[i].number);
	}
}

/* The account's own sentinel: no lease, and possibly no id yet. */
static void a_sentinel_is_verified_without_a_lease(void **state)
{
	struct resource r = { .n = 1, .kind = LESSOR_KIND_SENTINEL, .state = LESSOR_STATE_UNKNOWN,
			      .ours = 1 };
	struct lease l = { .n = 7, .id = "cbx_0123456789ab", .slug = "violet-prawn" };
	struct lessor_observed seen = { .kind = r.kind, .id = "555", .name = r.name };
	struct labels labels;
	struct err err;

	(void)state;
	ledger_name(&signer, "hetzner", NULL, r.kind, 0, r.name);
	ledger_labels(&signer, "hetzner", NULL, r.kind, 0, r.name, &labels);
	seen.labels = labels.items;
	seen.label_count = labels.count;
	assert_int_equal(ledger_verify(&signer, "hetzner", NULL, &r, &seen, &err), 0);
	strcpy(r.id, "9");
	assert_int_equal(ledger_verify(&signer, "hetzner", NULL, &r, &seen, &err), -1);
	strcpy(r.id, "555");
	assert_int_equal(ledger_verify(&signer, "hetzner", NULL, &r, &seen, &err), 0);
	assert_int_equal(ledger_verify(&signer, "other", NULL, &r, &seen, &err), -1);
	assert_int_equal(ledger_verify(&signer, "hetzner", &l, &r, &seen, &err), -1);
	seen.id = "";
	r.id[0] = '\0';
	assert_int_equal(ledger_verify(&signer, "hetzner", NULL, &r, &seen, &err), -1);
}

/* ---- rows ------------------------------------------------------------------------------------- */

static const struct {
	uint32_t state;
	const char *name;
	int may_exist, may_be_deleting;
} states[] = {
	{ LESSOR_STATE_INTENDED, "intended", 1, 0 },
	{ LESSOR_STATE_UNKNOWN, "unknown", 1, 0 },
	{ LESSOR_STATE_PRESENT, "present", 1, 0 },
	{ LESSOR_STATE_DELETING, "deleting", 1, 1 },
	{ LESSOR_STATE_GONE, "gone", 0, 0 },
	{ LESSOR_STATE_RETAINED, "retained", 1, 0 },
	{ LESSOR_STATE_DISOWNED, "disowned", 0, 0 },
	{ LESSOR_STATE_DELETE_AUTHORIZED, "deleting", 1, 1 },
	{ LESSOR_STATE_DELETE_UNKNOWN, "deleting", 1, 1 },
	{ LESSOR_STATE_NEVER_EXISTED, "gone", 0, 0 },
	{ LESSOR_STATE_HANDED_OVER, "reused", 0, 0 },
	{ LESSOR_STATE_UNPROTECT_AUTHORIZED, "deleting", 1, 1 },
	{ LESSOR_STATE_UNPROTECT_UNKNOWN, "deleting", 1, 1 },
};

static void what_a_state_means(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		struct resource r = { .ours = 1, .state = states[i].state };
		struct resource two[] = { r, { .state = LESSOR_STATE_PRESENT } };
		struct ledger ledger = { .resources = two, .resource_count = 2 };

		assert_int_equal(states[i].state, i + 1);
		assert_string_equal(resource_state_name(r.state), states[i].name);
		assert_int_equal(resource_is_residue(&r), states[i].may_exist);
		assert_int_equal(resource_may_be_deleting(&r), states[i].may_be_deleting);
		assert_int_equal(ledger_residue(&ledger), states[i].may_exist);
		/* A resource created by someone else does not count. */
		r.ours = 0;
		assert_false(resource_is_residue(&r) || resource_may_be_deleting(&r));
	}
	assert_string_equal(resource_state_name(0), "unknown");
	assert_string_equal(resource_state_name(ARRAY_LEN(states) + 1), "unknown");
}

static void what_waits_for_its_server(void **state)
{
	struct attempt attempts[] = { { .number = 1, .refused = LESSOR_CLASS_CAPACITY },
				      { .number = 2 } };
	struct resource rows[] = {
		{ .kind = LESSOR_KIND_KEY, .ours = 1, .state = LESSOR_STATE_PRESENT, .id = "5" },
		{ .kind = LESSOR_KIND_SERVER, .attempt = 1, .ours = 1, .state = LESSOR_STATE_GONE,
		  .id = "6" },
		{ .kind = LESSOR_KIND_SERVER, .attempt = 2, .ours = 1,
		  .state = LESSOR_STATE_PRESENT, .id = "7" },
	};
	struct ledger ledger = { .resources = rows, .resource_count = 3, .attempts = attempts,
				 .attempt_count = 2 };
	struct resource *server = &rows[2];

	(void)state;
	assert_true(ledger_awaits_server(&ledger));
	/* The server itself must be present. */
	for (uint32_t s = LESSOR_STATE_INTENDED; s <= LESSOR_STATE_UNPROTECT_UNKNOWN; s++) {
		server->state = s;
		assert_int_equal(ledger_awaits_server(&ledger), s == LESSOR_STATE_PRESENT);
	}
	server->state = LESSOR_STATE_PRESENT;
	server->ours = 0;
	assert_false(ledger_awaits_server(&ledger));
	server->ours = 1;
	server->id[0] = '\0';
	assert_false(ledger_awaits_server(&ledger));
	server->id[0] = '7';
	/* Something else comes first. */
	rows[0].state = LESSOR_STATE_UNKNOWN;
	assert_false(ledger_awaits_server(&ledger));
	rows[0].state = LESSOR_STATE_PRESENT;
	rows[1].state = LESSOR_STATE_DELETING;
	assert_false(ledger_awaits_server(&ledger));
	rows[1].state = LESSOR_STATE_GONE;
	attempts[1].refused = LESSOR_CLASS_TIMEOUT;
	assert_false(ledger_awaits_server(&ledger));
	attempts[1].refused = 0;
	ledger.resource_count = 2;
	assert_false(ledger_awaits_server(&ledger));
	ledger.attempt_count = 0;
	assert_false(ledger_awaits_server(&ledger));
}

static void keys_and_sentinels_are_free(void **state)
{
	(void)state;
	for (uint32_t k = LESSOR_KIND_SERVER; k <= LESSOR_KIND_OTHER; k++)
		assert_int_equal(resource_kind_is_billed(k),
				 k != LESSOR_KIND_KEY && k != LESSOR_KIND_SENTINEL);
}

static void texts_exist_for_every_value(void **state)
{
	(void)state;
	for (uint32_t k = LESSOR_KIND_SERVER; k <= LESSOR_KIND_OTHER; k++)
		assert_string_not_equal(resource_kind_name(k), "unknown");
	assert_string_equal(resource_kind_name(LESSOR_KIND_OTHER + 1), "unknown");
	for (uint32_t c = LESSOR_CLASS_NONE; c <= LESSOR_CLASS_BUG; c++)
		assert_string_not_equal(error_class_name(c), "unknown");
	assert_string_equal(error_class_name(9999), "unknown");
	for (int i = LEASE_END_NONE; i < LEASE_END_REASON_COUNT; i++) {
		struct lease l = { .end_reason = (enum lease_end_reason)i };
		char text[32];

		strcpy(text, lease_end_text(&l));
		l.end_reason = LEASE_END_OTHER;
		lease_end_parse(&l, text);
		assert_int_equal(l.end_reason, i);
		assert_string_equal(l.end_reason_other, "");
	}
	for (uint32_t c = LESSOR_CLASS_NONE; c <= LESSOR_CLASS_BUG + 1; c++)
		assert_string_equal(lease_end_text(
					    &(struct lease){ .end_reason = lease_end_of_class(c) }),
				    error_class_name(c));
	for (int s = 0; s < LEASE_STATE_COUNT; s++)
		assert_int_equal(lease_state_parse(lease_state_name((enum lease_state)s)), s);
	assert_int_equal(lease_state_parse("nonsense"), -1);
	for (int c = 0; c < LEASE_CLEANUP_COUNT; c++)
		assert_string_not_equal(lease_cleanup_name((enum lease_cleanup)c), "unknown");
	assert_string_equal(lease_state_name(LEASE_STATE_COUNT), "unknown");
	assert_string_equal(lease_cleanup_name(LEASE_CLEANUP_COUNT), "unknown");
	assert_string_equal(lease_retention_name(LEASE_RETENTION_COUNT), "");
	assert_string_equal(lease_retention_name(RETENTION_NONE), "");
	assert_string_equal(lease_retention_name(RETENTION_UNSURE), "unsure");
	assert_string_equal(lease_retention_name(RETENTION_RECORDED), "recorded");
	assert_string_equal(lease_retention_name(RETENTION_PROTECTED), "protected");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_host_names_and_one_of_a_kind),
		cmocka_unit_test(names_say_what_they_are),
		cmocka_unit_test(labels_keep_to_the_grammar),
		cmocka_unit_test(copied_labels_point_into_the_copy),
		cmocka_unit_test(a_mark_that_makes_no_sense_is_a_mark),
		cmocka_unit_test(a_generation_that_makes_no_sense_is_a_high_one),
		cmocka_unit_test(a_sentinel_is_verified_without_a_lease),
		cmocka_unit_test(what_a_state_means),
		cmocka_unit_test(what_waits_for_its_server),
		cmocka_unit_test(keys_and_sentinels_are_free),
		cmocka_unit_test(texts_exist_for_every_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
