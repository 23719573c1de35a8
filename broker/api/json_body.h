/* SPDX-License-Identifier: MIT */
/*
 * Reads JSON bodies strictly, with jansson. A body is described by one table, which is its
 * reader, its error messages and, held against openapi.json by test-api-bodies, its
 * documentation. A known field of the wrong type or value is an error that names the field
 * and what it must be. null is a wrong type, except for a field with FIELD_NULL. A field that
 * is not in the table is never looked at, so it cannot set anything; by a strict table it is
 * an error. The first error stays. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "api/api_error.h"
#include "util/alloc.h"

#define JSON_BODY_DEPTH_MAX 32
#define JSON_BODY_ITEMS_MAX 1024  /* members and elements in all */
#define JSON_BODY_STRING_MAX 8192 /* bytes of one string, as written */

struct json_body_bounds {
	size_t items;
	size_t string;
	int allow_nul; /* accept \u0000: the output of programs may hold any byte */
};

struct json_body {
	json_t *root; /* owned; an object */
	struct api_error *error;
	int failed;
};

/*
 * Parses a whole body. -1: `error` is filled in. `may_be_empty`: a body of no bytes is read
 * as {}. json_body_close is needed after a failure, too.
 */
int json_body_open(struct json_body *in, const char *body, size_t len, int may_be_empty,
		   struct api_error *error);
/* The same with other bounds, except for the depth; the body may not be empty. */
int json_body_open_wide(struct json_body *in, const char *body, size_t len,
			const struct json_body_bounds *bounds, struct api_error *error);
void json_body_close(struct json_body *in);

/* What a field holds, and what the reader writes to its place in the target. */
enum field_type {
	FIELD_TEXT,    /* a string that fits: char[size] */
	FIELD_LINE,    /* a string that fits, without control characters: char[size] */
	FIELD_CUT,     /* a string, cut to fit at the end of a character: char[size] */
	FIELD_CHOICE,  /* a string, one of `choices`: int, its place among them */
	FIELD_TIME,    /* a string, RFC 3339: int64_t, ms */
	FIELD_INT,     /* an integer: int64_t */
	FIELD_BOOL,    /* true or false: int */
	FIELD_STRINGS, /* an array of strings, at most `size` (0: any number): json_t * */
	FIELD_MAP,     /* an object of strings, each "", null or one of `choices`: json_t * */
	FIELD_STRING,  /* a string of any length: json_t * */
	FIELD_NUMBER,  /* a number: json_t * */
	FIELD_COUNT,   /* a number that should be an integer: json_t * */
	FIELD_OBJECT,  /* an object: json_t * */
};

enum field_flag {
	FIELD_REQUIRED = 1,    /* absence is an error with the field's code */
	FIELD_EMPTY = 2,       /* "" counts as absent */
	FIELD_FALLBACK = 4,    /* another name of the field before: read if that one is absent */
	FIELD_LENIENT = 8,     /* a wrong value, but not a wrong type, counts as absent */
	FIELD_TYPE_CODE = 16,  /* a wrong type has the code and the text of a wrong value */
	FIELD_ONLY_TRUE = 32,  /* a boolean that may not be false */
	FIELD_ONLY_FALSE = 64, /* a boolean that may not be true */
	FIELD_NULL = 128,      /* null counts as absent: clients send it */
	FIELD_IGNORED = 256,   /* counts as absent, but is known: clients send it */
};

/* One member of a body. All static data. */
struct body_field {
	const char *name;
	enum field_type type;
	unsigned flags;			  /* of field_flag */
	size_t at;			  /* offset in the target */
	size_t size;			  /* bytes of the place of a text; elements of an array */
	const char *expected;		  /* "NAME must be ...": one sentence, for the client */
	const char *code;		  /* of a wrong value; NULL: invalid_field */
	const char *pattern;		  /* of a text, as in openapi.json; `check` decides */
	int (*check)(const char *text);	  /* of a text, or of each element: 1 well formed */
	const char *const *choices;	  /* ends with NULL */
	int64_t low, high;		  /* of an integer or a time; both 0: any */
	const struct body_table *members; /* of an object that has a table of its own */
};

/* The place of a text in the target, a structure of this type; and that of anything else. */
#define FIELD_AT(type, member) \
	.at = offsetof(struct type, member), .size = sizeof(((struct type *)0)->member)
#define FIELD_TO(type, member) .at = offsetof(struct type, member)

struct body_table {
	const char *schema; /* its name in openapi.json; NULL: not there */
	const char *of;	    /* of a nested object: its name in messages; else NULL */
	const struct body_field *fields;
	size_t count;
	int is_strict; /* a member that is not in the table is an error, "unknown_member" */
};

#define BODY_TABLE(schema, of, fields)                         \
	{                                                      \
		(schema), (of), (fields), ARRAY_LEN(fields), 0 \
	}

/*
 * Reads the members of `object` (in->root, or an object in it) into `target`, in the order of
 * the table. What is absent leaves its place as it is, so the caller fills in the defaults.
 * json_t * are borrowed from the body. 0, or -1 and in->error is filled in.
 */
int json_body_read(struct json_body *in, json_t *object, const struct body_table *table,
		   void *target);

/* As api_error_set, but an error that is there stays. Always returns -1. */
int json_body_fail(struct json_body *in, int status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* How many of the `len` bytes to keep so that at most `max` are, and no character is broken. */
size_t json_body_cut(const char *text, size_t len, size_t max);
