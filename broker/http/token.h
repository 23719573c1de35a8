/* SPDX-License-Identifier: MIT */
/*
 * The small grammars within a request: pure functions over complete strings that the parser
 * calls at the end of a token. Any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "http/parser.h"

/* RFC 9110 tchar: the character in lower case, or 0 if it is not one. */
extern const unsigned char token_lower_table[256];
/* Bit flags: where a byte may occur. */
#define TOKEN_TARGET 1		/* path and query of RFC 3986 */
#define TOKEN_VALUE 2		/* a field value: visible, 0x80-0xFF, space, TAB */
extern const unsigned char token_class_table[256];

static inline unsigned char token_lower(char c)
{
	return token_lower_table[(unsigned char)c];
}

static inline int token_is(char c, int class)
{
	return token_class_table[(unsigned char)c] & class;
}

static inline int token_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* 0 to 15, or -1. */
int token_hex(char c);

/* The method, or HTTP_METHOD_COUNT for any other token. Upper case only. */
enum http_method token_find_method(const char *text, size_t len);

/* The known field with that lower-case name; -1: unknown; -2: a known name with "_" for "-". */
int token_find_field(const char *name, size_t len);

/*
 * Are the %-escapes complete and free of control characters, and is the decoded text valid
 * UTF-8? (The rest is ASCII.) At most HTTP_LINE_SIZE bytes. Returns 0 or -1.
 */
int token_check_escapes(const char *text, size_t len);

/* host [":" port]; returns the length of the host, or 0 if it is malformed. */
size_t token_check_host(const char *text, size_t len);

/* 1*DIGIT without a leading zero; saturates at UINT64_MAX. Returns 0 or -1. */
int token_read_length(const char *text, size_t len, uint64_t *ret_value);

/* Checks the value of a Transfer-Encoding field: HTTP_REFUSED_NONE if it is exactly "chunked". */
enum http_refusal token_check_coding(const char *text, size_t len);

/*
 * Iterates over a comma-separated list: the next element, without surrounding white space,
 * which may be empty. Returns 0 at the end. Advances *at; `end` is fixed.
 */
int token_next_element(const char **at, const char *end, struct http_span *ret_element);
