/* SPDX-License-Identifier: MIT */
/*
 * What an answer of Hetzner's means, by HTTP status and error.code and nothing
 * else: never by its text. Pure.
 */
#pragma once

#include <stdint.h>

/* For a POST that makes something. */
enum on_create {
	CREATE_REFUSED,	/* did not happen, and never will */
	CREATE_NEXT,	/* did not happen; another type or location may do */
	CREATE_FIELDS,	/* did not happen; which of the two, the named fields tell */
	CREATE_WAIT,	/* did not happen; the same may do later */
	CREATE_TAKEN,	/* did not happen: name or fingerprint exists; look whose it is */
	CREATE_UNKNOWN,	/* nobody knows */
};

/* For a DELETE. */
enum on_delete {
	DELETE_RETRY,	/* did not happen; later */
	DELETE_GONE,	/* there is no such thing */
	DELETE_REFUSED,	/* did not happen; a person must act */
	DELETE_UNKNOWN,	/* nobody knows: read it again */
};

/* For a GET. */
enum on_get {
	GET_RETRY,
	GET_GONE,	/* the API itself says that there is no such thing */
	GET_REFUSED,	/* this request is wrong; a person must act */
};

struct rule {
	int status;		/* 0: any 4xx that settles something. Of two that fit, the first counts */
	const char *code;	/* NULL: any other code */
	uint32_t error_class;	/* LESSOR_CLASS_ */
	enum on_create on_create;
	enum on_delete on_delete;
	enum on_get on_get;
	int64_t wait_ms;	/* at least so long before the next try; 0: as the host likes */
};

/*
 * The rule for an answer that is no success. `code` is "" when the body held
 * none. Never NULL.
 */
const struct rule *error_rule(int status, const char *code);
/* The rules for a request without an answer. */
const struct rule *error_rule_not_sent(void);
const struct rule *error_rule_lost(void);
