/* SPDX-License-Identifier: MIT */
/*
 * The book by itself: a host has one record, whoever writes, and what is told is there.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "registry.h"

static char folder[] = "/tmp/lessor-book-XXXXXX";

static json_t *root_for(const char *host, const char *name)
{
	const struct lessor_label labels[] = { { LESSOR_LABEL_LEASE, "cbx_000000000001" } };
	const struct lessor_intent intent = { .size = sizeof(intent), .name = name,
					      .labels = labels, .label_count = 1 };
	const struct record_new from = {
		.intent = &intent, .kind = LESSOR_KIND_SERVER, .now_ms = 1800000000000, .host = host,
		.address = "192.0.2.1", .port = 22, .type = "small", .location = "pool",
		.reset = json_array(),
	};
	json_t *root = record_make(&from);

	assert_non_null(root);
	return root;
}

static void open_book(struct book *book)
{
	assert_int_equal(book_open(folder, book), BOOK_OPEN);
}

static void one_record_for_a_host(void **state)
{
	json_t *first = root_for("a1", "first"), *second = root_for("a1", "second");
	struct book book, other;
	struct record *record;
	const char *id = json_string_value(json_object_get(first, "id"));

	(void)state;
	open_book(&book);
	assert_int_equal(book.count, 0);
	assert_int_equal(book_open(folder, &other), BOOK_BUSY);
	assert_int_equal(book_add(&book, first), BOOK_MADE);
	/* Also for one who has not read that it is taken. */
	assert_int_equal(book_add(&book, second), BOOK_TAKEN);
	book_close(&book);
	open_book(&book);
	assert_int_equal(book.count, 1);
	record = book_by_id(&book, id);
	assert_non_null(record);
	assert_string_equal(record->name, "first");
	assert_string_equal(record_label(record, LESSOR_LABEL_LEASE), "cbx_000000000001");
	assert_null(record_label(record, LESSOR_LABEL_SIG));
	assert_int_equal(record->stage, STAGE_TAKEN);
	assert_ptr_equal(book_of_host(&book, "a1"), record);
	assert_null(book_of_host(&book, "a"));
	assert_int_equal(record_set_stage(record, STAGE_READY), 0);
	assert_int_equal(record_set_failures(record, 3), 0);
	assert_int_equal(book_change(&book, record), 0);
	book_close(&book);
	open_book(&book);
	record = book_by_id(&book, id);
	assert_non_null(record);
	assert_int_equal(record->stage, STAGE_READY);
	assert_int_equal(record->failures, 3);
	assert_string_equal(record->name, "first");
	assert_int_equal(book_remove(&book, record), 0);
	/* Twice is once. */
	assert_int_equal(book_remove(&book, record), 0);
	book_close(&book);
	open_book(&book);
	assert_int_equal(book.count, 0);
	assert_int_equal(book_add(&book, second), BOOK_MADE);
	book_close(&book);
	open_book(&book);
	assert_int_equal(book_remove(&book, &book.records[0]), 0);
	book_close(&book);
	json_decref(first);
	json_decref(second);
}

/* A disk that takes no more: then it is certain that nothing was made. */
static void no_room(void **state)
{
	const struct rlimit none = { .rlim_cur = 0, .rlim_max = RLIM_INFINITY };
	json_t *root = root_for("a1", "first");
	struct rlimit before;
	struct book book;
	enum book_made made;

	(void)state;
	open_book(&book);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	made = book_add(&book, root);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(made, BOOK_NOT_MADE);
	book_close(&book);
	open_book(&book);
	assert_int_equal(book.count, 0);
	book_close(&book);
	json_decref(root);
}

static void where_it_may_lie(void **state)
{
	char path[64];
	struct book book;

	(void)state;
	assert_int_equal(book_open("/nonexistent/state", &book), BOOK_FAILED);
	assert_int_equal(errno, ENOENT);
	snprintf(path, sizeof(path), "%s.link", folder);
	assert_int_equal(symlink(folder, path), 0);
	assert_int_equal(book_open(path, &book), BOOK_FAILED);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_record_for_a_host),
		cmocka_unit_test(no_room),
		cmocka_unit_test(where_it_may_lie),
	};
	char path[64];
	int failed;

	signal(SIGXFSZ, SIG_IGN);
	if (!mkdtemp(folder))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(path, sizeof(path), "%s/lock", folder);
	unlink(path);
	rmdir(folder);
	return failed;
}
