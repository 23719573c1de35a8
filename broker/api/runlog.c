/* SPDX-License-Identifier: MIT */
#include "api/runlog.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "util/alloc.h"
#include "util/buf.h"

#define DEPTH_MAX 64
#define KEY_SIZE 16

/* ---- blocks ----------------------------------------------------------------------- */

struct log_block {
	TAILQ_ENTRY(log_block) entry;
	size_t len;
	char data[RUNLOG_BLOCK];
};

struct log_blocks {
	TAILQ_HEAD(log_block_list, log_block) list;
	size_t size;
	int is_cut;
	int is_there; /* a text was there, even if empty */
};

static void blocks_drop_first(struct log_blocks *b)
{
	struct log_block *first = TAILQ_FIRST(&b->list);

	TAILQ_REMOVE(&b->list, first, entry);
	b->size -= first->len;
	free(first);
}

static void blocks_free(struct log_blocks *b)
{
	while (!TAILQ_EMPTY(&b->list))
		blocks_drop_first(b);
}

static void blocks_add(struct log_blocks *b, const char *data, size_t len, size_t max)
{
	struct log_block *last = TAILQ_LAST(&b->list, log_block_list);

	while (len) {
		size_t space = last ? RUNLOG_BLOCK - last->len : 0;

		if (!space) {
			last = xrealloc(NULL, sizeof(*last));
			last->len = 0;
			TAILQ_INSERT_TAIL(&b->list, last, entry);
			space = RUNLOG_BLOCK;
		}
		if (space > len)
			space = len;
		memcpy(last->data + last->len, data, space);
		last->len += space;
		b->size += space;
		data += space;
		len -= space;
	}
	/* The last block is never dropped: it is being filled. */
	while (b->size > max && TAILQ_FIRST(&b->list) != last) {
		blocks_drop_first(b);
		b->is_cut = 1;
	}
}

/* ---- the state machine -------------------------------------------------------------------- */

enum place {
	PLACE_BETWEEN, /* outside strings */
	PLACE_KEY,     /* a name of the outer object */
	PLACE_STRING,  /* a string of the rest */
	PLACE_TEXT,    /* a text of the log */
};

enum escape { ESCAPE_NONE, ESCAPE_BEGUN, ESCAPE_HEX };

struct runlog {
	size_t log_max;
	struct buf rest;
	struct log_blocks log, chunks;
	struct log_block *given; /* by runlog_next */
	const char *wrong;	 /* the first error */
	enum place place;
	enum escape escape;
	int depth;
	int wants_key;			/* in the outer object, before a name */
	int in_chunks;			/* in the array of chunks, not deeper */
	int in_log;			/* the name was "log" */
	int named_chunks;		/* the name was "logChunks" */
	char key[KEY_SIZE];
	size_t key_len;
	struct log_blocks *into; /* PLACE_TEXT */
	int hex_left;
	uint32_t unit;			/* UTF-16, of an escape */
	uint32_t high;			/* first half of a surrogate pair; 0: none */
};

struct runlog *runlog_new(size_t log_max, size_t rest_max)
{
	struct runlog *r = xcalloc(1, sizeof(*r));

	r->log_max = log_max;
	TAILQ_INIT(&r->log.list);
	TAILQ_INIT(&r->chunks.list);
	buf_init(&r->rest, rest_max);
	return r;
}

void runlog_free(struct runlog *r)
{
	if (!r)
		return;
	blocks_free(&r->log);
	blocks_free(&r->chunks);
	free(r->given);
	buf_fini(&r->rest);
	free(r);
}

static void runlog_fail(struct runlog *r, const char *why)
{
	if (!r->wrong)
		r->wrong = why;
}

static void text_add(struct runlog *r, const char *data, size_t len)
{
	blocks_add(r->into, data, len, r->log_max);
}

static void text_add_char(struct runlog *r, uint32_t c)
{
	char out[4];
	size_t len = 0;

	if (c < 0x80) {
		out[len++] = (char)c;
	} else if (c < 0x800) {
		out[len++] = (char)(0xc0 | c >> 6);
		out[len++] = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		out[len++] = (char)(0xe0 | c >> 12);
		out[len++] = (char)(0x80 | (c >> 6 & 0x3f));
		out[len++] = (char)(0x80 | (c & 0x3f));
	} else {
		out[len++] = (char)(0xf0 | c >> 18);
		out[len++] = (char)(0x80 | (c >> 12 & 0x3f));
		out[len++] = (char)(0x80 | (c >> 6 & 0x3f));
		out[len++] = (char)(0x80 | (c & 0x3f));
	}
	text_add(r, out, len);
}

/* Half a surrogate pair stands for no character. */
static void high_alone(struct runlog *r)
{
	if (r->high)
		text_add_char(r, 0xfffd);
	r->high = 0;
}

static void unit_done(struct runlog *r)
{
	uint32_t unit = r->unit;

	if (r->high && unit >= 0xdc00 && unit < 0xe000) {
		text_add_char(r, 0x10000 + ((r->high - 0xd800) << 10) + (unit - 0xdc00));
		r->high = 0;
		return;
	}
	high_alone(r);
	if (unit >= 0xd800 && unit < 0xdc00)
		r->high = unit;
	else
		text_add_char(r, unit >= 0xdc00 && unit < 0xe000 ? 0xfffd : unit);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 32);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void escape_begun(struct runlog *r, char c)
{
	static const char names[] = "\"\\/bfnrt";
	static const char values[] = "\"\\/\b\f\n\r\t";
	const char *at = c ? strchr(names, c) : NULL;

	r->escape = ESCAPE_NONE;
	if (c == 'u') {
		r->escape = ESCAPE_HEX;
		r->hex_left = 4;
		r->unit = 0;
	} else if (at) {
		high_alone(r);
		text_add(r, &values[at - names], 1);
	} else {
		runlog_fail(r, "the log has an invalid escape");
	}
}

static void escape_hex(struct runlog *r, char c)
{
	int value = hex_digit(c);

	if (value < 0) {
		runlog_fail(r, "the log has an invalid escape");
		return;
	}
	r->unit = r->unit << 4 | (uint32_t)value;
	if (--r->hex_left)
		return;
	r->escape = ESCAPE_NONE;
	unit_done(r);
}

/* Up to the next byte of the log with a meaning of its own. */
static size_t feed_text(struct runlog *r, const char *data, size_t len)
{
	size_t n = 0;

	if (r->escape == ESCAPE_BEGUN) {
		escape_begun(r, data[0]);
		return 1;
	}
	if (r->escape == ESCAPE_HEX) {
		escape_hex(r, data[0]);
		return 1;
	}
	while (n < len && data[n] != '"' && data[n] != '\\' && (unsigned char)data[n] >= 0x20)
		n++;
	if (n) {
		high_alone(r);
		text_add(r, data, n);
		return n;
	}
	if (data[0] == '\\') {
		r->escape = ESCAPE_BEGUN;
	} else if (data[0] == '"') {
		high_alone(r);
		r->place = PLACE_BETWEEN;
	} else {
		runlog_fail(r, "the log has a control character that is not escaped");
	}
	return 1;
}

static int key_is(const struct runlog *r, const char *name)
{
	return r->key_len == strlen(name) && !memcmp(r->key, name, r->key_len);
}

/* Names and strings of the rest are copied unchanged; the reader of the rest checks them. */
static size_t feed_string(struct runlog *r, const char *data, size_t len)
{
	size_t n = 0;

	for (; n < len; n++) {
		if (r->escape == ESCAPE_BEGUN) {
			r->escape = ESCAPE_NONE;
		} else if (data[n] == '\\') {
			r->escape = ESCAPE_BEGUN;
		} else if (data[n] == '"') {
			break;
		}
		if (r->place == PLACE_KEY) {
			if (r->key_len < KEY_SIZE)
				r->key[r->key_len] = data[n];
			r->key_len++;
		}
	}
	if (n < len) {
		n++;
		if (r->place == PLACE_KEY && r->key_len <= KEY_SIZE) {
			r->in_log = key_is(r, "log");
			r->named_chunks = key_is(r, "logChunks");
		}
		r->place = PLACE_BETWEEN;
	}
	buf_add(&r->rest, data, n);
	return n;
}

static void string_begin(struct runlog *r)
{
	int is_key = r->depth == 1 && r->wants_key;

	if (!is_key && r->depth == 1 && r->in_log)
		r->into = &r->log;
	else if (!is_key && r->depth == 2 && r->in_chunks)
		r->into = &r->chunks;
	else
		r->into = NULL;
	if (r->into) {
		r->place = PLACE_TEXT;
		r->into->is_there = 1;
		buf_adds(&r->rest, "\"\"");
		return;
	}
	r->place = is_key ? PLACE_KEY : PLACE_STRING;
	if (is_key) {
		r->key_len = 0;
		r->in_log = r->named_chunks = 0;
	}
	buf_addc(&r->rest, '"');
}

static size_t feed_between(struct runlog *r, char c)
{
	switch (c) {
	case '"':
		string_begin(r);
		return 1;
	case '{':
	case '[':
		if (++r->depth > DEPTH_MAX)
			runlog_fail(r, "the body is nested too deeply");
		r->wants_key = r->depth == 1 && c == '{';
		r->in_chunks = r->depth == 2 && c == '[' && r->named_chunks;
		break;
	case '}':
	case ']':
		if (r->depth)
			r->depth--;
		if (r->depth < 2)
			r->in_chunks = 0;
		break;
	case ',':
		if (r->depth == 1)
			r->wants_key = 1;
		break;
	case ':':
		if (r->depth == 1)
			r->wants_key = 0;
		break;
	default:
		break;
	}
	buf_addc(&r->rest, c);
	return 1;
}

void runlog_feed(struct runlog *r, const char *data, size_t len)
{
	size_t at = 0;

	while (at < len && !r->wrong && !r->rest.overflow) {
		if (r->place == PLACE_TEXT)
			at += feed_text(r, data + at, len - at);
		else if (r->place == PLACE_BETWEEN)
			at += feed_between(r, data[at]);
		else
			at += feed_string(r, data + at, len - at);
	}
}

const char *runlog_end(struct runlog *r)
{
	if (r->rest.overflow)
		runlog_fail(r, "the body is too large apart from its log");
	if (r->place != PLACE_BETWEEN)
		runlog_fail(r, "the body ends in the middle of a string");
	return r->wrong;
}

int runlog_is_too_large(const struct runlog *r)
{
	return r->rest.overflow;
}

const char *runlog_rest(const struct runlog *r, size_t *ret_len)
{
	*ret_len = r->rest.len;
	return buf_str(&r->rest);
}

/* ---- the kept log ------------------------------------------------------------------ */

static struct log_blocks *runlog_kept(struct runlog *r)
{
	return r->chunks.is_there ? &r->chunks : &r->log;
}

int runlog_next(struct runlog *r, const char **ret, size_t *ret_len)
{
	struct log_blocks *b = runlog_kept(r);

	free(r->given);
	r->given = TAILQ_FIRST(&b->list);
	if (!r->given)
		return 0;
	TAILQ_REMOVE(&b->list, r->given, entry);
	*ret = r->given->data;
	*ret_len = r->given->len;
	return 1;
}

size_t runlog_size(const struct runlog *r)
{
	return r->chunks.is_there ? r->chunks.size : r->log.size;
}

int runlog_is_cut(const struct runlog *r)
{
	return r->chunks.is_there ? r->chunks.is_cut : r->log.is_cut;
}
