/* SPDX-License-Identifier: MIT */
/*
 * A request target taken apart: path and query, percent-decoded.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { QUERY_PARAMS_MAX = 64 };

struct query_param {
	char *key, *value;
};

struct query {
	char *path;
	struct query_param params[QUERY_PARAMS_MAX];	/* what is beyond is ignored */
	size_t count;
};

void query_parse(const char *target, struct query *ret);
void query_fini(struct query *query);
/* The first; NULL: none. */
const char *query_get(const struct query *query, const char *key);
int query_has(const struct query *query, const char *key, const char *value);
/* A whole number; `otherwise` when the key is missing, -1 when it is no number. */
int64_t query_get_int(const struct query *query, const char *key, int64_t otherwise);
/* 0, or -1: not all of it is a number >= 0. */
int number_parse(const char *text, int64_t *ret);
