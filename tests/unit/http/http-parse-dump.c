/* SPDX-License-Identifier: MIT */
/*
 * Prints what the parser reads: bytes on standard input, JSON lines on standard output
 * (http-trace.h). With --serve it processes one input after another; in both directions a
 * message is a length (4 bytes, little-endian) and that many bytes. So a driver needs only one
 * process for a million inputs. It also parses each of these in random pieces, and aborts if the
 * results differ.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http-trace.h"
#include "util/alloc.h"

#define INPUT_MAX (16u << 20)

static int serve_one(char *data)
{
	unsigned char length[4];
	struct trace t, pieces;
	uint64_t seed;
	size_t len;

	if (fread(length, 1, 4, stdin) != 4)
		return -1;
	len = (size_t)length[0] | (size_t)length[1] << 8 | (size_t)length[2] << 16 |
	      (size_t)length[3] << 24;
	if (len > INPUT_MAX || fread(data, 1, len, stdin) != len)
		return -1;
	seed = len * 2654435761u + (len ? (unsigned char)data[len / 2] : 0);
	trace_run(&t, data, len, NULL, NULL);
	trace_run(&pieces, data, len, trace_cut_random, &seed);
	if (strcmp(buf_str(&t.text), buf_str(&pieces.text)))
		abort();
	for (int i = 0; i < 4; i++)
		length[i] = (unsigned char)(t.text.len >> 8 * i);
	fwrite(length, 1, 4, stdout);
	fwrite(t.text.data, 1, t.text.len, stdout);
	fflush(stdout);
	trace_fini(&t);
	trace_fini(&pieces);
	return 0;
}

int main(int argc, char **argv)
{
	char *data = xcalloc(1, INPUT_MAX);
	struct trace t;

	if (argc > 1 && !strcmp(argv[1], "--serve")) {
		while (!serve_one(data))
			continue;
		free(data);
		return !feof(stdin);
	}
	trace_run(&t, data, fread(data, 1, INPUT_MAX, stdin), NULL, NULL);
	fputs(buf_str(&t.text), stdout);
	trace_fini(&t);
	free(data);
	return 0;
}
