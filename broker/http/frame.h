/* SPDX-License-Identifier: MIT */
/*
 * WebSocket frames (RFC 6455, section 5) as a server reads and writes them: a pure state
 * machine over bytes. Strict: clients must mask, lengths must be minimal, reserved bits and
 * opcodes are refused, text must be UTF-8. No extensions; binary messages are refused.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

#define FRAME_HEAD_SIZE 10
#define FRAME_CONTROL_MAX 125

enum frame_step {
	FRAME_MORE, /* all input was used; more bytes are needed */
	FRAME_TEXT, /* a complete message, however it was fragmented */
	FRAME_PING,
	FRAME_PONG,
	FRAME_CLOSE,
	FRAME_BAD, /* invalid; close with `code`. Every later call returns this again */
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
	struct buf message; /* the text received so far; its maximum is the limit */
	char control[FRAME_CONTROL_MAX + 1];
	unsigned char head[FRAME_HEAD_SIZE + 4]; /* with the mask */
	unsigned head_len, head_need;
	unsigned char mask[4];
	unsigned opcode; /* opcode of this frame */
	int is_last;	 /* last frame of its message */
	int in_message;	 /* a message has begun and not ended */
	int in_payload;
	int is_returned;   /* the message was returned; the next one starts afresh */
	uint64_t left, at; /* payload bytes left, and read */
	uint16_t code;	   /* with FRAME_BAD, or from a close frame; 0: none */
};

/*
 * `message_max`: bytes per message. A longer one fails with FRAME_CODE_TOO_BIG before any of
 * the excess is stored.
 */
void frame_parser_init(struct frame_parser *p, size_t message_max);
void frame_parser_fini(struct frame_parser *p);
/*
 * Feeds bytes; *ret_used is how many were used. After any step but MORE and BAD call again
 * with the rest. The payload of the step is p->message or p->control (length in p->at),
 * NUL-terminated, and valid until the next call.
 */
enum frame_step frame_feed(struct frame_parser *p, const char *data, size_t len, size_t *ret_used);

/* Writes the head of an unfragmented, unmasked frame; returns its length. */
size_t frame_head(unsigned opcode, size_t len, unsigned char out[FRAME_HEAD_SIZE]);
#define FRAME_OP_CONTINUATION 0
#define FRAME_OP_TEXT 1
#define FRAME_OP_BINARY 2
#define FRAME_OP_CLOSE 8
#define FRAME_OP_PING 9
#define FRAME_OP_PONG 10
