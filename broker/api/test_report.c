/* SPDX-License-Identifier: MIT */
/*
 * The summary of the tests of a run: known members only, with a limited number of files and
 * failures and limited texts. Members of a wrong type are left out: the run matters more.
 */
#include "api/test_report.h"

#include <stdlib.h>
#include <string.h>

#include "api/json_body.h"
#include "util/alloc.h"

#define FILES_MAX 50
#define FAILED_MAX 100
#define TEXT_MAX 4096
#define ALL_MAX (256u << 10)

static json_t *text_cut(const json_t *value)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);

	if (!text)
		return NULL;
	return json_stringn_nocheck(text, json_body_cut(text, len, TEXT_MAX));
}

static json_t *read_files(const json_t *files)
{
	json_t *out = json_array();
	json_t *item;
	size_t i;

	json_array_foreach(files, i, item) {
		if (json_is_string(item) && json_array_size(out) < FILES_MAX)
			json_array_append_new(out, text_cut(item));
	}
	return out;
}

static json_t *read_failure(const json_t *from)
{
	static const char *const texts[] = { "suite", "name", "classname", "file", "message",
					     "type", "kind" };
	json_t *out = json_object();

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		json_t *text = text_cut(json_object_get(from, texts[i]));

		if (text)
			json_object_set_new(out, texts[i], text);
	}
	return out;
}

static json_t *read_failed(const json_t *failed)
{
	json_t *out = json_array();
	size_t bytes = 0;
	json_t *item;
	size_t i;

	json_array_foreach(failed, i, item) {
		json_t *one;
		size_t len;

		if (!json_is_object(item) || json_array_size(out) == FAILED_MAX)
			continue;
		one = read_failure(item);
		len = json_dumpb(one, NULL, 0, JSON_COMPACT);
		if (bytes + len > ALL_MAX) {
			json_decref(one);
			break;
		}
		bytes += len;
		json_array_append_new(out, one);
	}
	return out;
}

char *test_report_read(const json_t *results)
{
	static const char *const counts[] = { "suites", "tests", "failures", "errors", "skipped" };
	const json_t *seconds = json_object_get(results, "timeSeconds");
	json_t *out, *format;
	char *text;

	if (!json_is_object(results))
		return NULL;
	out = json_object();
	format = text_cut(json_object_get(results, "format"));
	json_object_set_new(out, "format", format ? format : json_string("junit"));
	json_object_set_new(out, "files", read_files(json_object_get(results, "files")));
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		json_int_t count = json_integer_value(json_object_get(results, counts[i]));

		json_object_set_new(out, counts[i], json_integer(count > 0 ? count : 0));
	}
	json_object_set_new(out, "timeSeconds", json_real(json_number_value(seconds)));
	json_object_set_new(out, "failed", read_failed(json_object_get(results, "failed")));
	text = json_dumps(out, JSON_COMPACT | JSON_REAL_PRECISION(12));
	json_decref(out);
	return text;
}
