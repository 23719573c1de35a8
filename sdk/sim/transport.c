/* SPDX-License-Identifier: MIT */
/*
 * WIRE faults: directives for the transport of the response.
 */
#include <string.h>

#include "sim/call.h"
#include "util/alloc.h"

/* The greatest length of a response. */
#define BODY_MAX (1LL << 28)

static enum cloud_end end_of(const json_t *args, enum cloud_end otherwise)
{
	if (args_true(args, "reset", 0))
		return CLOUD_END_RESET;
	return args_true(args, "hang", 0) ? CLOUD_END_HANG : otherwise;
}

static void suppress_answer(struct cloud_wire *wire, enum cloud_end end)
{
	wire->head_cut = 0;
	wire->end = end;
}

static int64_t value_clamp(int64_t n, int64_t low, int64_t high)
{
	return n < low ? low : n > high ? high : n;
}

static void pad_body(struct buf *out, int64_t bytes)
{
	char blanks[64];

	memset(blanks, ' ', sizeof(blanks));
	for (bytes = value_clamp(bytes, 0, BODY_MAX); bytes > 0; bytes -= 64)
		buf_add(out, blanks, bytes < 64 ? (size_t)bytes : 64);
}

struct bits {
	struct buf *out;
	uint64_t value;
	unsigned count;
};

/* Huffman codes are written first bit first, so `value` is reversed. */
static void bits_add(struct bits *b, unsigned value, unsigned count)
{
	b->value |= (uint64_t)value << b->count;
	for (b->count += count; b->count >= 8; b->count -= 8) {
		buf_addc(b->out, (char)(b->value & 0xff));
		b->value >>= 8;
	}
}

/*
 * A deflate block with fixed codes: one space, then copies of 258 bytes at distance 1, 13 bits
 * each. The checksum at the end is wrong, but clients stop before.
 */
static void write_bomb(struct buf *out, int64_t mib)
{
	static const unsigned char head[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3 };
	struct bits b = { .out = out };
	int64_t copies = value_clamp(mib, 1, 4096) * (1 << 20) / 258;

	buf_clear(out);
	buf_add(out, head, sizeof(head));
	bits_add(&b, 3, 3);		/* last block, fixed codes */
	bits_add(&b, 0x0a, 8);		/* literal 0x20: code 01010000 */
	while (copies-- > 0) {
		bits_add(&b, 0xa3, 8);	/* length 258: code 11000101 */
		bits_add(&b, 0, 5);	/* distance 1: code 00000 */
	}
	bits_add(&b, 0, 7);		/* end of block */
	bits_add(&b, 0, 7);
	buf_add(out, "\0\0\0\0\0\0\0\0", 8);
}

static void apply_size_fault(struct call *call, const struct plan_item *item)
{
	struct cloud_response *r = call->response;
	int64_t bytes;

	switch (item->kind) {
	case FAULT_BIG:
		pad_body(&call->out, args_int(item->args, "bytes", 2 << 20));
		break;
	case FAULT_GZIP:
		write_bomb(&call->out, args_int(item->args, "mib", 64));
		cloud_response_add_header(r, "Content-Encoding", "gzip");
		break;
	case FAULT_BIG_HEADERS:
		bytes = value_clamp(args_int(item->args, "bytes", 100 << 10), 0, BODY_MAX);
		for (int64_t i = 0; i * 1000 < bytes; i++) {
			char name[32], value[1000];

			snprintf(name, sizeof(name), "X-Padding-%lld", (long long)i);
			memset(value, 'p', sizeof(value) - 1);
			value[sizeof(value) - 1] = '\0';
			cloud_response_add_header(r, name, value);
		}
		break;
	default:
		break;
	}
}

static void apply_signal(struct call *call, const json_t *args)
{
	struct cloud_wire *wire = &call->response->wire;
	const char *at = args_str(args, "at", "before");

	if (!strcmp(at, "before"))
		return; /* done when the request was received */
	wire->signal_pid = args_int(args, "pid", call->cloud->config.signal_pid);
	wire->signal_number = (int)args_int(args, "signal", 9);
	wire->signal_late = !strcmp(at, "answered");
}

static void apply_wire_fault(struct call *call, const struct plan_item *item)
{
	struct cloud_wire *wire = &call->response->wire;
	const json_t *args = item->args;
	int64_t len = (int64_t)call->out.len;

	switch (item->kind) {
	case FAULT_CLOSE:
	case FAULT_LOST:
	case FAULT_STALE:
		suppress_answer(wire, end_of(args, CLOUD_END_CLOSE));
		break;
	case FAULT_HANG:
		suppress_answer(wire, CLOUD_END_HANG);
		break;
	case FAULT_DELAY:
		wire->delay_ms = value_clamp(args_int(args, "ms", 1000), 0, INT32_MAX);
		break;
	case FAULT_CUT:
		wire->body_cut = value_clamp(args_int(args, "bytes", len / 2), 0, len);
		wire->end = end_of(args, CLOUD_END_CLOSE);
		break;
	case FAULT_CUT_HEADERS:
		wire->head_cut = value_clamp(args_int(args, "bytes", 20), 0, 1 << 20);
		wire->end = end_of(args, CLOUD_END_CLOSE);
		break;
	case FAULT_LONG_LENGTH:
		wire->declared = len + value_clamp(args_int(args, "extra", 100), 0, BODY_MAX);
		wire->end = end_of(args, CLOUD_END_CLOSE);
		break;
	case FAULT_CHUNKED:
		wire->chunked = 1;
		if (json_object_get(args, "bytes")) {
			wire->body_cut = value_clamp(args_int(args, "bytes", 0), 0, len);
			wire->end = end_of(args, CLOUD_END_CLOSE);
		}
		break;
	case FAULT_DRIP:
		wire->drip_bytes = (size_t)value_clamp(args_int(args, "bytes", 1), 1, 1 << 20);
		wire->drip_ms = value_clamp(args_int(args, "ms", 1000), 1, INT32_MAX);
		break;
	case FAULT_INTERIM:
		wire->interim = (int)value_clamp(args_int(args, "count", -1), -1, 1 << 20);
		break;
	case FAULT_STRAY:
		wire->stray = 1;
		break;
	case FAULT_CLOSE_AFTER:
		wire->end = CLOUD_END_CLOSE;
		break;
	case FAULT_SIGNAL:
		apply_signal(call, args);
		break;
	default:
		break;
	}
}

void answer_wire(struct call *call)
{
	for (size_t i = 0; i < call->plan.count; i++)
		apply_size_fault(call, &call->plan.items[i]);
	for (size_t i = 0; i < call->plan.count; i++)
		apply_wire_fault(call, &call->plan.items[i]);
}
