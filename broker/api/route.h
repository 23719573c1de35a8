/* SPDX-License-Identifier: MIT */
/*
 * The route table: methods, paths, roles, ownership and bodies as data. Nothing is served that
 * is not in it. Tests compare it with the OpenAPI file and a matrix of roles, both ways.
 */
#pragma once

#include <stddef.h>

#include "http/parser.h"
#include "store/store.h"

struct api_request;
struct body_table;

#define ROLE(role) (1u << (role))
#define ROLE_ANYONE 0u /* no token required */
#define ROLE_EACH (ROLE(TOKEN_USER) | ROLE(TOKEN_READER) | ROLE(TOKEN_ADMIN))
#define ROLE_WRITES (ROLE(TOKEN_USER) | ROLE(TOKEN_ADMIN))
#define ROLE_WATCHES (ROLE(TOKEN_READER) | ROLE(TOKEN_ADMIN))
#define ROLE_ADMIN ROLE(TOKEN_ADMIN)

/* Which leases a route may access. */
enum route_owns {
	OWNS_NOTHING, /* none */
	OWNS_SEEN,    /* a user's own, a reader's organisation, all for an admin: lookup_scope() */
	OWNS_CHANGED, /* a user's own, all for an admin: the engine checks it */
	OWNS_ALL,     /* all; for admins only */
};

/* Where several daemons share the store: to the owner of which account a request goes. */
enum route_goes {
	GOES_NOWHERE,  /* any daemon serves it */
	GOES_BY_QUERY, /* of `provider` in the query */
	/* An operator's decision, which is sent once: it is about the account as it is now. */
	GOES_BY_BODY, /* of `provider` in the body */
	GOES_BY_PATH, /* of "{account}" */
	/*
	 * that of the lease that it made before, else of `provider` in the body, or the default; the
	 * answer may wait for a machine
	 */
	GOES_BY_CREATE,
	GOES_BY_LEASE, /* the one of "{lease}" */
	GOES_BY_BEAT,  /* that, and the lease's epoch does not matter: no goal changes */
	GOES_BY_END,   /* that, and the answer may wait for the end of a cleanup */
	/* the one of "{lease}"; if it has not come, of the default: it is refused when it comes */
	GOES_BY_CANCEL,
};

enum route_body {
	BODY_NONE,
	BODY_OPTIONAL,
	BODY_NEEDED,
	BODY_WIDE,   /* required; up to ROUTE_WIDE_MAX bytes */
	BODY_STREAM, /* required; the handler reads it as it arrives */
};

#define ROUTE_WIDE_MAX (256u << 10)

struct route {
	enum http_method method;
	const char *path; /* "{...}" matches one segment */
	unsigned roles;
	enum route_owns owns;
	enum route_goes goes;
	enum route_body body;
	const struct body_table *members; /* of the body; NULL: it has none */
	const char *query;		  /* the known keys, separated by spaces */
	void (*handle)(struct api_request *request);
};

extern const struct route route_table[];
extern const size_t route_count;

#define ROUTE_PARAM_SIZE 64

/*
 * The route of a path as sent, undecoded. NULL with *ret_methods 0: no such path. NULL with
 * bits (1 << method): the path exists for these methods only. HEAD counts as GET. `param` gets
 * the segment that matches "{...}", "" if there is none.
 */
const struct route *route_find(enum http_method method, const char *path, unsigned *ret_methods,
			       char param[ROUTE_PARAM_SIZE]);
/* The value of the Allow header for such bits. */
void route_allow(unsigned methods, char *out, size_t size);
/* 1 + the index of the key (`len` bytes) among those of the route; 0: unknown. */
int route_knows_query(const struct route *route, const char *key, size_t len);
