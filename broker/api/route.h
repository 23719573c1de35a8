/* SPDX-License-Identifier: MIT */
/*
 * The route table: what is served, to whom, and whose leases it may touch, as data. A
 * method and path that is not in it does not exist; the OpenAPI file and the role
 * matrix of the tests are held against it, both ways.
 */
#pragma once

#include <stddef.h>

#include "http/parser.h"
#include "store/store.h"

struct api_request;
struct body_table;

#define ROLE(role) (1u << (role))
#define ROLE_ANYONE 0u		/* no token needed */
#define ROLE_EACH (ROLE(TOKEN_USER) | ROLE(TOKEN_READER) | ROLE(TOKEN_ADMIN))
#define ROLE_WRITES (ROLE(TOKEN_USER) | ROLE(TOKEN_ADMIN))
#define ROLE_WATCHES (ROLE(TOKEN_READER) | ROLE(TOKEN_ADMIN))
#define ROLE_ADMIN ROLE(TOKEN_ADMIN)

/* Whose leases a route may touch. */
enum route_owns {
	OWNS_NOTHING,	/* it touches none */
	OWNS_SEEN,	/* a user's own, a reader's organisation, an admin's all: call_scope() */
	OWNS_CHANGED,	/* a user's own, an admin's all: the engine's query, by the caller's role */
	OWNS_ALL,	/* every one: admins only */
};

enum route_body {
	BODY_NONE,
	BODY_OPTIONAL,
	BODY_NEEDED,
	BODY_WIDE,	/* needed, and more than others take: ROUTE_WIDE_MAX */
	BODY_STREAM,	/* needed, and read as it comes: the handler's own affair */
};

#define ROUTE_WIDE_MAX (256u << 10)

struct route {
	enum http_method method;
	const char *path;	/* "{...}" stands for one segment */
	unsigned roles;
	enum route_owns owns;
	enum route_body body;
	const struct body_table *members; /* of the body; NULL: it has none */
	const char *query;	/* the keys it knows, one space between them */
	void (*handle)(struct api_request *request);
};

extern const struct route route_table[];
extern const size_t route_count;

#define ROUTE_PARAM_ROOM 64

/*
 * The route of a path as sent, undecoded. NULL with *ret_methods 0: no such path. NULL
 * with bits (1 << method): the path is there, the method is not. HEAD counts as GET.
 * `param` gets the segment of the "{...}", "" if there is none.
 */
const struct route *route_find(enum http_method method, const char *path, unsigned *ret_methods,
			       char param[ROUTE_PARAM_ROOM]);
/* The value of the Allow field for such bits. */
void route_allow(unsigned methods, char *out, size_t room);
/* 1 + the place of `len` bytes at `key` among the keys of the route's query; 0: not one of them. */
int route_knows_query(const struct route *route, const char *key, size_t len);
