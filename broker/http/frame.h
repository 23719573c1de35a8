/* SPDX-License-Identifier: MIT */
/*
 * WebSocket frames (RFC 6455, section 5) as a server reads and writes them: a pure
 * machine over bytes. Strict: masks are required, lengths minimal, reserved bits and
 * opcodes refused, text is UTF-8. No extension is spoken. Binary messages are refused.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

#define FRAME_HEAD_SIZE 10
#define FRAME_CONTROL_MAX 125

enum frame_step {
	FRAME_MORE,	/* everything was used; more bytes are needed */
	FRAME_TEXT,	/* a whole message, whatever it was cut into */
	FRAME_PING,
	FRAME_PONG,
	FRAME_CLOSE,
	FRAME_BAD,	/* close with frame_code(); every later call says so again */
};

/* Close codes, RFC 6455 section 7.4.1. */
#define FRAME_CODE_NORMAL 1000
#define FRAME_CODE_GOING_AWAY 1001
#define FRAME_CODE_PROTOCOL 1002
#define FRAME_CODE_UNSUPPORTED 1003
#define FRAME_CODE_NOT_UTF8 1007
#define FRAME_CODE_POLICY 1008
#define FRAME_CODE_TOO_BIG 1009

struct frame_parser {
	struct buf message;		/* of the text so far; its maximum is the limit */
	char control[FRAME_CONTROL_MAX + 1];
	unsigned char head[FRAME_HEAD_SIZE + 4]; /* and mask */
	unsigned head_len, head_need;
	unsigned char mask[4];
	unsigned opcode;		/* of this frame */
	int is_last;			/* of its message */
	int in_message;			/* a first frame was there, a last one not yet */
	int in_payload;
	int is_given;			/* the message was returned: begin anew */
	uint64_t left, at;		/* of the payload */
	uint16_t code;			/* FRAME_BAD, or what a close said; 0: nothing */
};

/* `message_max`: bytes of a message; more is FRAME_CODE_TOO_BIG before a byte of it is kept. */
void frame_parser_init(struct frame_parser *p, size_t message_max);
void frame_parser_fini(struct frame_parser *p);
/*
 * Takes bytes; *ret_used is how many. After any step but MORE and BAD call again with the
 * rest. The payload of the step is p->message or p->control (with its length in p->at),
 * NUL-terminated, until the next call.
 */
enum frame_step frame_feed(struct frame_parser *p, const char *data, size_t len, size_t *ret_used);

/* The head of a whole, unmasked frame; returns its length. */
size_t frame_head(unsigned opcode, size_t len, unsigned char out[FRAME_HEAD_SIZE]);
#define FRAME_OP_CONTINUATION 0
#define FRAME_OP_TEXT 1
#define FRAME_OP_BINARY 2
#define FRAME_OP_CLOSE 8
#define FRAME_OP_PING 9
#define FRAME_OP_PONG 10
