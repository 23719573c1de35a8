/* SPDX-License-Identifier: MIT */
/*
 * The meaning of a response, determined only by HTTP status and error.code, never by
 * its text. Pure.
 */
#pragma once

#include <stdint.h>

/* For a POST that creates a resource. */
enum on_create {
	CREATE_REFUSED, /* did not happen, and cannot work */
	CREATE_NEXT,	/* did not happen; another type or location may work */
	CREATE_FIELDS,	/* did not happen; the named fields decide between the two above */
	CREATE_WAIT,	/* did not happen; the same request may work later */
	CREATE_TAKEN,	/* did not happen: name or fingerprint exists; find out whose it is */
	CREATE_UNKNOWN, /* outcome unknown */
};

/* For a DELETE. */
enum on_delete {
	DELETE_RETRY,	/* did not happen; retry later */
	DELETE_GONE,	/* the resource does not exist */
	DELETE_REFUSED, /* did not happen; an operator must act */
	DELETE_UNKNOWN, /* outcome unknown: read it again */
};

/* For a GET. */
enum on_get {
	GET_RETRY,
	GET_GONE,    /* the API itself reports that the resource does not exist */
	GET_REFUSED, /* the request is invalid; an operator must act */
};

struct rule {
	int status;	  /* 0: any 4xx with a definite outcome. The first matching rule counts */
	const char *code; /* NULL: any other code */
	uint32_t error_class; /* LESSOR_CLASS_ */
	enum on_create on_create;
	enum on_delete on_delete;
	enum on_get on_get;
	int64_t wait_ms; /* minimum wait before the next try; 0: the host chooses */
};

/*
 * The rule for an unsuccessful response. `code` is "" if the body has none. Never NULL.
 */
const struct rule *error_rule(int status, const char *code);
/* The rules for a request without a response. */
const struct rule *error_rule_not_sent(void);
const struct rule *error_rule_lost(void);
