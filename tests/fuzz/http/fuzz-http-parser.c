/* SPDX-License-Identifier: MIT */
/*
 * The request parser with arbitrary bytes: no crash, heads that satisfy the checks in
 * http-trace.c, and the same result however the bytes are split.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http-trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(const struct trace *whole, const char *data, size_t size, trace_cut_fn cut,
		    void *arg)
{
	struct trace t;

	trace_run(&t, data, size, cut, arg);
	if (strcmp(buf_str(&t.text), buf_str(&whole->text))) {
		fprintf(stderr, "whole:\n%scut:\n%s", buf_str(&whole->text), buf_str(&t.text));
		abort();
	}
	trace_fini(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	const char *data = (const char *)input;
	struct trace whole;
	size_t one = 1;
	uint64_t seed = size;

	/* The splits depend on the bytes, so that a fuzzer can move them. */
	for (size_t i = 0; i < size; i++)
		seed = seed * 31 + input[i];
	trace_run(&whole, data, size, NULL, NULL);
	compare(&whole, data, size, trace_cut_each, &one);
	compare(&whole, data, size, trace_cut_random, &seed);
	trace_fini(&whole);
	return 0;
}
