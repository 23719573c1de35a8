/* SPDX-License-Identifier: MIT */
/* WebSocket frames: every rule of RFC 6455 section 5, whole and byte by byte. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/test.h"
#include "http/frame.h"
#include "util/hash.h"

#define MAX 1000

static unsigned char wire[70000];
static size_t wire_len;

/* Appends a masked frame; `flags` are the first byte. */
static void put(unsigned flags, const char *payload, size_t len)
{
	static const unsigned char mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
	unsigned char head[FRAME_HEAD_SIZE];
	size_t head_len = frame_head(0, len, head);

	head[0] = (unsigned char)flags;
	head[1] |= 0x80;
	memcpy(wire + wire_len, head, head_len);
	memcpy(wire + wire_len + head_len, mask, 4);
	wire_len += head_len + 4;
	for (size_t i = 0; i < len; i++)
		wire[wire_len++] = (unsigned char)payload[i] ^ mask[i & 3];
}

#define PUT(flags, text) put((flags), (text), sizeof(text) - 1)

/* The parsed frames as text: T(...) a message, p P c(code,...) and X(code). */
static char got[4096];

static void note(const char *fmt, const char *text, size_t len)
{
	size_t at = strlen(got);

	if (fmt[0] == 'T' && len > 40)
		snprintf(got + at, sizeof(got) - at, "T(%zu)", len);
	else
		snprintf(got + at, sizeof(got) - at, "%s(%.*s)", fmt, (int)len, text);
}

static void run(size_t piece)
{
	struct frame_parser p;
	size_t at = 0;

	got[0] = '\0';
	frame_parser_init(&p, MAX);
	while (at < wire_len) {
		size_t n = piece && wire_len - at > piece ? piece : wire_len - at;
		size_t used;
		enum frame_step step = frame_feed(&p, (const char *)wire + at, n, &used);
		char code[24];

		assert_true(used <= n);
		at += used;
		switch (step) {
		case FRAME_MORE:
			assert_int_equal(used, n);
			break;
		case FRAME_TEXT:
			assert_int_equal(p.message.data ? p.message.data[p.message.len] : 0, 0);
			note("T", buf_str(&p.message), p.message.len);
			break;
		case FRAME_PING:
			note("p", p.control, (size_t)p.at);
			break;
		case FRAME_PONG:
			note("P", p.control, (size_t)p.at);
			break;
		case FRAME_CLOSE:
			snprintf(code, sizeof(code), "%u", p.code);
			note("c", code, strlen(code));
			break;
		case FRAME_BAD:
			snprintf(code, sizeof(code), "%u", p.code);
			note("X", code, strlen(code));
			assert_int_equal(frame_feed(&p, "x", 1, &used), FRAME_BAD);
			assert_int_equal(used, 0);
			at = wire_len;
			break;
		}
	}
	frame_parser_fini(&p);
}

/* The result must be the same however the bytes are split. */
static void expect(const char *want)
{
	static const size_t pieces[] = { 0, 1, 2, 3, 7, 100 };

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		run(pieces[i]);
		assert_string_equal(got, want);
	}
	wire_len = 0;
}

static void raw(const char *bytes, size_t len)
{
	memcpy(wire + wire_len, bytes, len);
	wire_len += len;
}
#define RAW(bytes) raw((bytes), sizeof(bytes) - 1)

static void messages(void **state)
{
	char long_text[MAX + 1];

	(void)state;
	PUT(0x81, "Hello");
	expect("T(Hello)");
	PUT(0x81, "");
	PUT(0x81, "b");
	expect("T()T(b)");
	PUT(0x01, "Hel");
	PUT(0x00, "");
	PUT(0x80, "lo");
	PUT(0x81, "next");
	expect("T(Hello)T(next)");
	/* Control frames in the middle of a message. */
	PUT(0x01, "a");
	PUT(0x89, "ping");
	PUT(0x8a, "pong");
	PUT(0x80, "b");
	expect("p(ping)P(pong)T(ab)");
	/* Lengths of 7, 16 and 64 bits; the last are above the limit. */
	memset(long_text, 'x', sizeof(long_text));
	put(0x81, long_text, 125);
	put(0x81, long_text, 126);
	put(0x81, long_text, MAX);
	expect("T(125)T(126)T(1000)");
	/* a character split between two frames */
	PUT(0x01, "\xe2\x82");
	PUT(0x80, "\xac");
	expect("T(\xe2\x82\xac)");
}

static void what_is_refused(void **state)
{
	char long_text[MAX + 1];

	(void)state;
	memset(long_text, 'x', sizeof(long_text));
	/* Without a mask: the example of RFC 6455 section 5.7. */
	RAW("\x81\x05Hello");
	expect("X(1002)");
	for (unsigned bit = 0x10; bit <= 0x40; bit <<= 1) {
		PUT(0x81 | bit, "a");
		expect("X(1002)");
	}
	for (unsigned opcode = 3; opcode < 16; opcode++) {
		if (opcode >= 8 && opcode <= 10)
			continue;
		PUT(0x80 | opcode, "a");
		expect("X(1002)");
	}
	PUT(0x82, "binary");
	expect("X(1003)");
	/* Fragmented control frames, and ones that are too long. */
	for (unsigned opcode = 8; opcode <= 10; opcode++) {
		PUT(opcode, "a");
		expect("X(1002)");
		put(0x80 | opcode, long_text, 126);
		expect("X(1002)");
	}
	/* A continuation without a first frame, and a new message inside a fragmented one. */
	PUT(0x80, "a");
	expect("X(1002)");
	PUT(0x01, "a");
	PUT(0x81, "b");
	expect("X(1002)");
	PUT(0x81, "a");
	PUT(0x00, "b");
	expect("T(a)X(1002)");
	/* lengths that are not minimal, and invalid ones */
	RAW("\x81\xfe\x00\x7d\0\0\0\0");
	expect("X(1002)");
	RAW("\x81\xff\0\0\0\0\0\0\xff\xff\0\0\0\0");
	expect("X(1002)");
	RAW("\x81\xff\x80\0\0\0\0\1\0\0\0\0\0\0");
	expect("X(1002)");
	/* too long: refused at the head, before any payload */
	put(0x81, long_text, MAX + 1);
	wire_len -= MAX + 1;
	expect("X(1009)");
	RAW("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0");
	expect("X(1009)");
	put(0x01, long_text, MAX - 1);
	put(0x80, long_text, 2);
	expect("X(1009)");
	/* Not UTF-8. */
	PUT(0x81, "\xff");
	expect("X(1007)");
	PUT(0x81, "\xed\xa0\x80");
	expect("X(1007)");
	PUT(0x81, "\xe2\x82");
	expect("X(1007)");
}

static void closes(void **state)
{
	static const struct {
		unsigned code;
		int good;
	} codes[] = {
		{ 0, 0 }, { 999, 0 }, { 1000, 1 }, { 1001, 1 }, { 1002, 1 }, { 1003, 1 }, { 1004, 0 },
		{ 1005, 0 }, { 1006, 0 }, { 1007, 1 }, { 1011, 1 }, { 1014, 1 }, { 1015, 0 },
		{ 1016, 0 }, { 2999, 0 }, { 3000, 1 }, { 4999, 1 }, { 5000, 0 }, { 65535, 0 },
	};

	(void)state;
	PUT(0x88, "");
	expect("c(0)");
	PUT(0x88, "\x03");
	expect("X(1002)");
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		char payload[8] = { (char)(codes[i].code >> 8), (char)codes[i].code, 'b', 'y', 'e' };
		char want[16];

		snprintf(want, sizeof(want), codes[i].good ? "c(%u)" : "X(1002)", codes[i].code);
		put(0x88, payload, 5);
		expect(want);
	}
	PUT(0x88, "\x03\xe8\xff");
	expect("X(1007)");
}

static void heads(void **state)
{
	unsigned char out[FRAME_HEAD_SIZE];

	(void)state;
	assert_int_equal(frame_head(FRAME_OP_TEXT, 5, out), 2);
	assert_memory_equal(out, "\x81\x05", 2);
	assert_int_equal(frame_head(FRAME_OP_TEXT, 125, out), 2);
	assert_int_equal(frame_head(FRAME_OP_TEXT, 126, out), 4);
	assert_memory_equal(out, "\x81\x7e\x00\x7e", 4);
	assert_int_equal(frame_head(FRAME_OP_TEXT, 65535, out), 4);
	assert_int_equal(frame_head(FRAME_OP_PING, 65536, out), 10);
	assert_memory_equal(out, "\x89\x7f\0\0\0\0\0\1\0\0", 10);
}

/* The hash is from RFC 6455 section 1.3, the padding from RFC 4648. */
static void sums(void **state)
{
	static const char text[] = "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	unsigned char digest[HASH_SHA1_LEN];
	char out[32];

	(void)state;
	assert_int_equal(hash_sha1(text, sizeof(text) - 1, digest), 0);
	assert_int_equal(hash_base64(digest, sizeof(digest), out), 28);
	assert_string_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	hash_base64("fo", 2, out);
	assert_string_equal(out, "Zm8=");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(closes),
		cmocka_unit_test(heads),
		cmocka_unit_test(sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
