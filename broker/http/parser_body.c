/* SPDX-License-Identifier: MIT */
/* The parser's third state machine: a body of known length, or in chunks. */
#include "http/parser_states.h"

#include "http/token.h"

#define CHUNK_DIGITS_MAX 8

static int body_begin(struct http_parser *p)
{
	const struct http_head *head = p->head;

	switch (head->framing) {
	case HTTP_FRAMING_LENGTH:
		if (head->length > p->body_max)
			return parser_refuse(p, HTTP_REFUSED_BODY_SIZE);
		p->left = head->length;
		p->state = S_LENGTH;
		return HAND_OVER;
	case HTTP_FRAMING_CHUNKED:
		p->token_len = 0;
		p->left = 0;
		p->state = S_CHUNK_SIZE;
		return HAND_OVER;
	case HTTP_FRAMING_NONE:
		break;
	}
	p->state = S_DONE;
	return HTTP_STEP_DONE;
}

static int chunk_size_read(struct http_parser *p, char c)
{
	int digit = token_hex(c);

	if (c == '\r' && p->token_len) {
		p->state = S_CHUNK_SIZE_LF;
		return HAND_OVER;
	}
	if (digit < 0 || p->token_len == CHUNK_DIGITS_MAX)
		return parser_refuse(p, HTTP_REFUSED_CHUNK);
	p->left = p->left * 16 + (unsigned)digit;
	p->token_len++;
	return HAND_OVER;
}

/* Handles a state that accepts exactly one character. */
static int char_expect(struct http_parser *p, char c, char want, enum parser_state next)
{
	if (c != want)
		return parser_refuse(p, HTTP_REFUSED_CHUNK);
	p->state = (uint8_t)next;
	return HAND_OVER;
}

static int chunk_begin(struct http_parser *p, char c)
{
	if (char_expect(p, c, '\n', p->left ? S_CHUNK_DATA : S_LAST_CR) != HAND_OVER)
		return HTTP_STEP_REFUSED;
	/* invariant: received <= body_max */
	if (p->left > p->body_max - p->received)
		return parser_refuse(p, HTTP_REFUSED_BODY_SIZE);
	p->received += p->left;
	return HAND_OVER;
}

static int data_read(struct http_parser *p, struct parser_cursor *c)
{
	size_t n = (size_t)(c->end - c->at);

	if (n > p->left)
		n = (size_t)p->left;
	c->body = (struct http_span){ c->at, n };
	c->at += n;
	p->left -= n;
	if (!p->left && p->state == S_CHUNK_DATA)
		p->state = S_CHUNK_CR;
	return HTTP_STEP_BODY;
}

int parser_body_feed(struct http_parser *p, struct parser_cursor *c)
{
	int step = HAND_OVER;

	if (p->state == S_HEAD_DONE)
		step = body_begin(p);
	while (step == HAND_OVER) {
		if (p->state == S_LENGTH && !p->left)
			p->state = S_DONE;
		if (p->state == S_DONE)
			return HTTP_STEP_DONE;
		if (c->at == c->end)
			break;
		switch (p->state) {
		case S_LENGTH:
		case S_CHUNK_DATA:
			step = data_read(p, c);
			break;
		case S_CHUNK_SIZE:
			step = chunk_size_read(p, *c->at++);
			break;
		case S_CHUNK_SIZE_LF:
			step = chunk_begin(p, *c->at++);
			break;
		case S_CHUNK_CR:
			step = char_expect(p, *c->at++, '\r', S_CHUNK_LF);
			break;
		case S_CHUNK_LF:
			p->token_len = 0;
			step = char_expect(p, *c->at++, '\n', S_CHUNK_SIZE);
			break;
		case S_LAST_CR:
			step = char_expect(p, *c->at++, '\r', S_LAST_LF);
			break;
		default:
			step = char_expect(p, *c->at++, '\n', S_DONE);
			break;
		}
	}
	return step;
}
