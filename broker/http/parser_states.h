/* SPDX-License-Identifier: MIT */
/* Shared by the parser's state machines, parser.c and parser_body.c. */
#pragma once

#include "http/parser.h"

enum parser_state {
	/* request line */
	S_START,       /* nothing yet */
	S_START_LF,    /* the CR of a skipped line */
	S_START_AGAIN, /* one empty line was skipped; a second is refused */
	S_METHOD,
	S_TARGET_START,
	S_TARGET,
	S_VERSION,
	S_LINE_LF,
	/* fields */
	S_FIELD_START,
	S_NAME,
	S_VALUE_START,
	S_VALUE,
	S_FIELD_LF,
	S_HEAD_LF,
	/* body */
	S_HEAD_DONE,
	S_LENGTH,
	S_CHUNK_SIZE,
	S_CHUNK_SIZE_LF,
	S_CHUNK_DATA,
	S_CHUNK_CR,
	S_CHUNK_LF,
	S_LAST_CR,
	S_LAST_LF,
	S_DONE,
	S_REFUSED,
};

/* Returned instead of a step: the next machine takes over. */
#define HAND_OVER (-1)

struct parser_cursor {
	const char *at;
	const char *end;
	struct http_span body;
};

/* The parser's last step: it takes no more bytes. */
static inline int parser_refuse(struct http_parser *p, enum http_refusal why)
{
	p->state = S_REFUSED;
	p->refusal = (uint8_t)why;
	return HTTP_STEP_REFUSED;
}

/* From the end of the head to the end of the body: a step, or HAND_OVER when more is needed. */
int parser_body_feed(struct http_parser *p, struct parser_cursor *c);
