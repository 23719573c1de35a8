/* SPDX-License-Identifier: MIT */
/*
 * WebSocket frames of a client that sends arbitrary bytes: the result does not depend on how
 * the bytes are split, nothing exceeds its limit, texts are UTF-8, and nothing follows an
 * error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/frame.h"
#include "util/alloc.h"
#include "util/hash.h"
#include "util/utf8.h"

#define MESSAGE_MAX 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROMISE(what) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #what); \
			abort(); \
		} \
	} while (0)

/* A checksum of all results. */
static uint64_t run(const uint8_t *data, size_t size, size_t most)
{
	struct frame_parser p;
	uint64_t sum = 14695981039346656037u;
	uint32_t dice = (uint32_t)size;
	size_t at = 0;

	frame_parser_init(&p, MESSAGE_MAX);
	while (at < size) {
		size_t n = size - at;
		const char *payload = p.control;
		enum frame_step step;
		size_t used, len;

		dice = dice * 1664525 + 1013904223;
		if (most && n > 1 + dice % most)
			n = 1 + dice % most;
		step = frame_feed(&p, (const char *)data + at, n, &used);
		PROMISE(used <= n && (step != FRAME_MORE || used == n));
		at += used;
		if (step == FRAME_MORE)
			continue;
		sum = (sum ^ (uint64_t)step) * 1099511628211u;
		if (step == FRAME_BAD) {
			PROMISE(p.code >= 1000 && p.code < 5000);
			PROMISE(frame_feed(&p, "\x81\x80\0\0\0\0", 6, &used) == FRAME_BAD && !used);
			sum = (sum ^ p.code) * 1099511628211u;
			break;
		}
		len = (size_t)p.at;
		if (step == FRAME_TEXT) {
			payload = buf_str(&p.message);
			len = p.message.len;
			PROMISE(len <= MESSAGE_MAX && utf8_valid(payload, len));
		} else {
			PROMISE(len <= FRAME_CONTROL_MAX);
		}
		PROMISE(payload[len] == '\0');
		sum = (sum ^ hash_fnv32(payload, len)) * 1099511628211u;
	}
	frame_parser_fini(&p);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t cuts[] = { 1, 2, 5, 64 };
	uint64_t all = run(data, size, 0);

	for (size_t i = 0; i < ARRAY_LEN(cuts); i++)
		PROMISE(run(data, size, cuts[i]) == all);
	return 0;
}
