/* SPDX-License-Identifier: MIT */
/*
 * A parsed request target: path and query, percent-decoded.
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
	struct query_param params[QUERY_PARAMS_MAX]; /* further ones are ignored */
	size_t count;
};

void query_parse(const char *target, struct query *ret);
void query_fini(struct query *query);
/* The first value of a key; NULL: none. */
const char *query_get(const struct query *query, const char *key);
int query_has(const struct query *query, const char *key, const char *value);
/* Whether a parameter is "sort" by this key: 1 ascending, -1 descending ("id:desc"), 0 no. */
int query_sorts(const struct query_param *param, const char *key);
/* A boolean, as clients write it: true, True, 1. */
int query_is_true(const struct query *query, const char *key);
/* An integer >= 0; `otherwise` if the key is missing, -1 if it is not a number. */
int64_t query_get_int(const struct query *query, const char *key, int64_t otherwise);
/* -1: not an integer >= 0. */
int number_parse(const char *text, int64_t *ret);
