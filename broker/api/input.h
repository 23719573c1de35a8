/* SPDX-License-Identifier: MIT */
/*
 * Reading a JSON body strictly, with jansson. A known field of the wrong type is a
 * fault that names the field and what is allowed; null is the same as absent; a
 * field nobody asks for is never looked at, so it cannot set anything. The first
 * fault sticks: a reader asks for all fields and looks once, at the end.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "api/fault.h"

#define INPUT_DEPTH_MAX 32
#define INPUT_ITEMS_MAX 1024	/* members and elements in all */
#define INPUT_STRING_MAX 8192	/* bytes of one string, as written */

struct input_bounds {
	size_t items;
	size_t string;
	int allow_nul;		/* as \u0000: what programs print holds anything */
};

struct input {
	json_t *root;		/* owned; an object */
	struct fault *fault;
	int failed;
};

/*
 * Parses a whole body. -1: `fault` is filled. `may_be_empty`: then nothing at all is
 * taken for {}. input_close takes a failed one too.
 */
int input_open(struct input *in, const char *body, size_t len, int may_be_empty,
	       struct fault *fault);
/* With other bounds than those above, but for the depth; nothing at all is not taken. */
int input_open_wide(struct input *in, const char *body, size_t len,
		    const struct input_bounds *bounds, struct fault *fault);
void input_close(struct input *in);

/*
 * Each returns 1 when the field is there, 0 when it is absent or null (then *ret or out is
 * unchanged), and 0 with `failed` set when it is of the wrong type. A text must fit
 * `room`; it may hold any UTF-8 until its grammar was asked.
 */
int input_text(struct input *in, const char *key, char *out, size_t room);
/* The same, and no control characters in it. */
int input_line(struct input *in, const char *key, char *out, size_t room);
int input_int(struct input *in, const char *key, int64_t *ret);
int input_bool(struct input *in, const char *key, int *ret);
/* Borrowed. The array's elements must all be texts. */
int input_texts(struct input *in, const char *key, size_t max, json_t **ret);
int input_object(struct input *in, const char *key, json_t **ret);

/* As fault_set, but a fault that is there stays. Always returns -1. */
int input_fail(struct input *in, int status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* How many of the `len` bytes to keep so that at most `max` are, and no character is broken. */
size_t input_cut(const char *text, size_t len, size_t max);
