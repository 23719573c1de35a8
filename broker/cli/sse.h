/* SPDX-License-Identifier: MIT */
/*
 * The parser of a text/event-stream, as the HTML standard ("Server-sent events") defines it, for bytes
 * in pieces of any size. Pure: it knows of no connection. Two differences, both on purpose: a line and
 * the data of an event are limited, and the last id outlives a connection, as in browsers.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

#define SSE_RETRY_MAX_MS 60000

struct sse_event {
	const char *name; /* "message" if the stream does not say */
	const char *data; /* the lines, with newlines between them */
	size_t len;
	const char *id; /* of this event, or the last one before it; "" */
};

/* Nonzero: enough, nothing more is parsed. */
typedef int (*sse_fn)(void *arg, const struct sse_event *event);

struct sse {
	sse_fn fn;
	void *arg;
	struct buf line, data, name;
	struct buf id;	    /* of the last event that was complete: where to go on */
	struct buf next_id; /* of the event that is being read */
	int64_t retry_ms;   /* how long to wait before the next connection; 0: not said */
	int is_started;	    /* the first line, which may begin with a byte order mark, is over */
	int is_cr;	    /* the last byte was a CR: an LF belongs to it */
};

/* `max`: bytes of a line, and of the data of an event. */
void sse_init(struct sse *sse, size_t max, sse_fn fn, void *arg);
void sse_fini(struct sse *sse);

/* A connection begins: what was incomplete is dropped, `id` and `retry_ms` stay. */
void sse_begin(struct sse *sse);
/* The next event has another past, or none: `id` is not sent again. */
void sse_forget(struct sse *sse);

/* 0; 1: `fn` had enough; -1: more than `max`. After either, only sse_begin may follow. */
int sse_feed(struct sse *sse, const char *data, size_t len);
