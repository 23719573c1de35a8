/* SPDX-License-Identifier: MIT */
#include "http/frame.h"

#include <string.h>

#include "util/utf8.h"

void frame_parser_init(struct frame_parser *p, size_t message_max)
{
	memset(p, 0, sizeof(*p));
	buf_init(&p->message, message_max);
	p->head_need = 2;
}

void frame_parser_fini(struct frame_parser *p)
{
	buf_fini(&p->message);
}

static enum frame_step frame_fail(struct frame_parser *p, uint16_t code)
{
	if (!p->code)
		p->code = code;
	/* a head of length 0 never completes: every later call fails */
	p->head_need = 0;
	return FRAME_BAD;
}

static int opcode_is_control(const struct frame_parser *p)
{
	return (p->opcode & 8) != 0;
}

/* The first two bytes determine the length of the head. Returns 0, or -1 if they are invalid. */
static int head_begin(struct frame_parser *p)
{
	unsigned char flags = p->head[0], len = p->head[1];

	p->opcode = flags & 0x0f;
	p->is_last = flags >> 7;
	/* no extension was negotiated, and clients must mask */
	if ((flags & 0x70) || !(len & 0x80)) {
		frame_fail(p, FRAME_CODE_PROTOCOL);
		return -1;
	}
	len &= 0x7f;
	if (opcode_is_control(p) ?
		    !p->is_last || len > FRAME_CONTROL_MAX || p->opcode > FRAME_OP_PONG :
		    p->opcode > FRAME_OP_BINARY) {
		frame_fail(p, FRAME_CODE_PROTOCOL);
		return -1;
	}
	if (!opcode_is_control(p) && (p->opcode == FRAME_OP_CONTINUATION) != p->in_message) {
		frame_fail(p, FRAME_CODE_PROTOCOL);
		return -1;
	}
	if (p->opcode == FRAME_OP_BINARY) {
		frame_fail(p, FRAME_CODE_UNSUPPORTED);
		return -1;
	}
	p->head_need = 2 + (len == 126 ? 2 : len == 127 ? 8 : 0) + 4;
	return 0;
}

/* a length must use its shortest encoding */
static int head_read_len(struct frame_parser *p, uint64_t *ret)
{
	unsigned char len = p->head[1] & 0x7f;
	unsigned bytes = len == 126 ? 2 : len == 127 ? 8 : 0;
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | p->head[2 + i];
	*ret = bytes ? value : len;
	if ((bytes == 2 && value < 126) || (bytes == 8 && (value < 65536 || value >> 63)))
		return -1;
	return 0;
}

static int head_finish(struct frame_parser *p)
{
	uint64_t len;

	if (head_read_len(p, &len)) {
		frame_fail(p, FRAME_CODE_PROTOCOL);
		return -1;
	}
	memcpy(p->mask, p->head + p->head_need - 4, 4);
	if (!opcode_is_control(p)) {
		if (p->is_returned) {
			buf_clear(&p->message);
			p->is_returned = 0;
		}
		if (len > p->message.max - p->message.len) {
			frame_fail(p, FRAME_CODE_TOO_BIG);
			return -1;
		}
		p->in_message = 1;
	}
	p->left = len;
	p->at = 0;
	p->in_payload = 1;
	return 0;
}

static void payload_add(struct frame_parser *p, const char *data, size_t len)
{
	char plain[512];

	while (len) {
		size_t n = len < sizeof(plain) ? len : sizeof(plain);

		for (size_t i = 0; i < n; i++)
			plain[i] = (char)((unsigned char)data[i] ^ p->mask[(p->at + i) & 3]);
		if (opcode_is_control(p))
			memcpy(p->control + p->at, plain, n);
		else
			buf_add(&p->message, plain, n);
		p->at += n;
		p->left -= n;
		data += n;
		len -= n;
	}
}

/* Codes allowed in a close frame: 1004 to 1006 and 1015 are reserved, the others undefined. */
static int code_is_valid(unsigned code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	       (code >= 3000 && code <= 4999);
}

static enum frame_step close_finish(struct frame_parser *p)
{
	unsigned code = (unsigned)(unsigned char)p->control[0] << 8 |
			(unsigned char)p->control[1];

	if (!p->at)
		return FRAME_CLOSE;
	if (p->at < 2 || !code_is_valid(code))
		return frame_fail(p, FRAME_CODE_PROTOCOL);
	if (!utf8_valid(p->control + 2, p->at - 2))
		return frame_fail(p, FRAME_CODE_NOT_UTF8);
	p->code = (uint16_t)code;
	return FRAME_CLOSE;
}

static enum frame_step frame_finish(struct frame_parser *p)
{
	p->head_len = 0;
	p->head_need = 2;
	p->in_payload = 0;
	if (opcode_is_control(p)) {
		p->control[p->at] = '\0';
		return p->opcode == FRAME_OP_PING ? FRAME_PING :
		       p->opcode == FRAME_OP_PONG ? FRAME_PONG :
						    close_finish(p);
	}
	if (!p->is_last)
		return FRAME_MORE;
	p->in_message = 0;
	p->is_returned = 1;
	if (!utf8_valid(buf_str(&p->message), p->message.len))
		return frame_fail(p, FRAME_CODE_NOT_UTF8);
	return FRAME_TEXT;
}

/* Reads as much of the head as is available. 1: complete; 0: more bytes are needed; -1: invalid. */
static int head_feed(struct frame_parser *p, const char *data, size_t len, size_t *used)
{
	while (p->head_len < p->head_need) {
		if (*used == len)
			return 0;
		p->head[p->head_len++] = (unsigned char)data[(*used)++];
		if (p->head_len == 2 && head_begin(p))
			return -1;
	}
	return head_finish(p) ? -1 : 1;
}

enum frame_step frame_feed(struct frame_parser *p, const char *data, size_t len, size_t *ret_used)
{
	enum frame_step step;
	size_t n;

	*ret_used = 0;
	if (!p->head_need)
		return FRAME_BAD;
	for (;;) {
		if (!p->in_payload) {
			int rc = head_feed(p, data, len, ret_used);

			if (rc <= 0)
				return rc < 0 ? FRAME_BAD : FRAME_MORE;
		}
		n = len - *ret_used;
		if (n > p->left)
			n = (size_t)p->left;
		payload_add(p, data + *ret_used, n);
		*ret_used += n;
		if (p->left)
			return FRAME_MORE;
		step = frame_finish(p);
		if (step != FRAME_MORE)
			return step;
	}
}

size_t frame_head(unsigned opcode, size_t len, unsigned char out[FRAME_HEAD_SIZE])
{
	unsigned bytes = len < 126 ? 0 : len < 65536 ? 2 : 8;

	out[0] = (unsigned char)(0x80 | opcode);
	out[1] = (unsigned char)(bytes == 0 ? len : bytes == 2 ? 126 : 127);
	for (unsigned i = 0; i < bytes; i++)
		out[2 + i] = (unsigned char)((uint64_t)len >> (8 * (bytes - 1 - i)));
	return 2 + bytes;
}
