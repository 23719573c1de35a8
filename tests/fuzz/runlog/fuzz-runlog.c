/* SPDX-License-Identifier: MIT */
/*
 * The streamed body of a finish as arbitrary bytes in arbitrary pieces: the result does not
 * depend on how it is split. If another JSON reader accepts the whole body, it reads the same
 * log, and accepts the rest of the body too.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/runlog.h"
#include "util/alloc.h"

#define LOG_MAX (4u << 20)
#define REST_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROMISE(what) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #what); \
			abort(); \
		} \
	} while (0)

struct outcome {
	int is_wrong;
	char *rest, *log;
	size_t rest_len, log_len;
};

static void outcome_fini(struct outcome *o)
{
	free(o->rest);
	free(o->log);
}

/* Feeds pieces of 1 to `most` bytes; 0: everything at once. */
static struct outcome run(const uint8_t *data, size_t size, size_t most)
{
	struct runlog *r = runlog_new(LOG_MAX, REST_MAX);
	struct outcome o = { 0 };
	uint32_t dice = (uint32_t)size + 1;
	const char *piece;
	size_t len, told;

	for (size_t at = 0; at < size;) {
		size_t n = size - at;

		dice = dice * 1664525 + 1013904223;
		if (most && n > 1 + dice % most)
			n = 1 + dice % most;
		runlog_feed(r, (const char *)data + at, n);
		at += n;
	}
	o.is_wrong = runlog_end(r) != NULL;
	piece = runlog_rest(r, &o.rest_len);
	o.rest = xstrndup(piece, o.rest_len);
	told = runlog_size(r);
	while (runlog_next(r, &piece, &len)) {
		o.log = xrealloc(o.log, o.log_len + len);
		memcpy(o.log + o.log_len, piece, len);
		o.log_len += len;
	}
	PROMISE(told == o.log_len);
	PROMISE(o.log_len <= size && o.rest_len <= 5 * size + 1);
	runlog_free(r);
	return o;
}

static void check_log(const json_t *text, const char **at, const char *end)
{
	size_t len = json_string_length(text);

	PROMISE((size_t)(end - *at) >= len && !memcmp(*at, json_string_value(text), len));
	*at += len;
}

/* Another reader accepts the body: compares what both read. */
static void compare(const json_t *whole, const struct outcome *o)
{
	const json_t *log = json_object_get(whole, "log");
	const json_t *chunks = json_object_get(whole, "logChunks");
	const char *at = o->log;
	size_t i, texts = 0;
	json_t *item, *rest;

	json_array_foreach(chunks, i, item)
		texts += json_is_string(item) != 0;
	rest = json_loadb(o->rest, o->rest_len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	PROMISE(rest && json_is_object(rest));
	json_decref(rest);
	/* An escaped name is not recognised; an element of another type ends the chunks. */
	if ((log && !json_is_string(log)) || (chunks && texts != json_array_size(chunks)))
		return;
	if (!o->log_len)
		return;
	if (texts) {
		json_array_foreach(chunks, i, item)
			check_log(item, &at, o->log + o->log_len);
	} else if (json_is_string(log)) {
		check_log(log, &at, o->log + o->log_len);
	}
	PROMISE(at == o->log + o->log_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t cuts[] = { 1, 2, 7, 300 };
	struct outcome all = run(data, size, 0);
	json_t *whole;

	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		struct outcome o = run(data, size, cuts[i]);

		PROMISE(o.is_wrong == all.is_wrong);
		PROMISE(all.is_wrong || (o.rest_len == all.rest_len &&
					 !memcmp(o.rest, all.rest, o.rest_len)));
		PROMISE(all.is_wrong || (o.log_len == all.log_len &&
					 (!o.log_len || !memcmp(o.log, all.log, o.log_len))));
		outcome_fini(&o);
	}
	whole = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	if (whole && json_is_object(whole) && !all.is_wrong)
		compare(whole, &all);
	json_decref(whole);
	outcome_fini(&all);
	return 0;
}
