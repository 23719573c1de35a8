/* SPDX-License-Identifier: MIT */
/* The store's SQL in PostgreSQL's words. */
#include <stdlib.h>
#include <string.h>

#include "store/postgres/translate.h"
#include "unit/test.h"

static void expect(const char *sql, const char *want, int want_params)
{
	int params = -1;
	char *text = translate(sql, 99, &params);

	assert_non_null(text);
	assert_string_equal(text, want);
	assert_int_equal(params, want_params);
	free(text);
}

static void test_numbers(void **state)
{
	(void)state;
	expect("SELECT 1", "SELECT 1", 0);
	expect("SELECT ?1, ?2, ?1", "SELECT $1, $2, $1", 2);
	expect("SELECT ?, ?, ?", "SELECT $1, $2, $3", 3);
	expect("SELECT ?4", "SELECT $4", 4);
	expect("SELECT ?3, ?", "SELECT $3, $4", 4);
	expect("SELECT ?12 || ?1", "SELECT $12 || $1", 12);
	expect("SELECT $2", "SELECT $2", 2);
}

static void test_most(void **state)
{
	int params;
	char *text = translate("SELECT ?5", 5, &params);

	(void)state;
	assert_non_null(text);
	free(text);
	assert_null(translate("SELECT ?6", 5, &params));
	assert_null(translate("SELECT ?99999999999", 5, &params));
}

static void test_texts_and_comments_stay(void **state)
{
	(void)state;
	expect("SELECT '?1', ?1", "SELECT '?1', $1", 1);
	expect("SELECT 'it''s ?', ?", "SELECT 'it''s ?', $1", 1);
	expect("SELECT \"a?\" -- ?2\n, ?1", "SELECT \"a?\" -- ?2\n, $1", 1);
	expect("SELECT /* ?3 */ ?", "SELECT /* ?3 */ $1", 1);
	expect("SELECT ' INDEXED BY x '", "SELECT ' INDEXED BY x '", 0);
	expect("SELECT 'open", "SELECT 'open", 0);
}

static void test_indexes_are_left_out(void **state)
{
	(void)state;
	expect("SELECT n FROM lease INDEXED BY lease_open WHERE n = ?1",
	       "SELECT n FROM lease WHERE n = $1", 1);
	expect("SELECT n FROM lease indexed  by lease_open", "SELECT n FROM lease ", 0);
	expect("SELECT n FROM a INDEXED BY x JOIN b INDEXED BY y ON 1",
	       "SELECT n FROM a JOIN b ON 1", 0);
	/* Only the words themselves. */
	expect("SELECT indexed_by, reindexed BY FROM t", "SELECT indexed_by, reindexed BY FROM t",
	       0);
	expect("SELECT INDEXED, BY", "SELECT INDEXED, BY", 0);
}

static void test_one(void **state)
{
	char *one = translate_one("UPDATE t SET a = $1 WHERE n = $2");

	(void)state;
	assert_string_equal(one, "WITH changed AS (UPDATE t SET a = $1 WHERE n = $2 RETURNING 1)"
				 " SELECT 1 / (count(*) = 1)::int FROM changed");
	free(one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_most),
		cmocka_unit_test(test_texts_and_comments_stay),
		cmocka_unit_test(test_indexes_are_left_out),
		cmocka_unit_test(test_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
