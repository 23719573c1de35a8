/* SPDX-License-Identifier: MIT */
/*
 * The body of a create: read by its table, completed with the defaults, limited to what the
 * configuration allows, and written to the request fields of a lease. Contract 2.2, 3.3 and
 * 3.4. Does no I/O.
 */
#pragma once

#include <stddef.h>

#include "api/api.h"
#include "api/api_error.h"
#include "api/json_body.h"
#include "api/notice.h"

extern const struct body_table body_create; /* "Create" */

/* The conditions of a create; all borrowed. */
struct create_request {
	const struct api_config *config;
	struct account **accounts;
	size_t account_count;
	enum token_role role;
	const char *put_id;	      /* the id in the path of a PUT; NULL for a POST */
	struct notice_request *asked; /* filled in with what the body asks for; may be NULL */
	const char *account;	      /* if the body names none; "": the default */
	const char *org;	      /* the caller's */
};

/*
 * Fills in the request fields of `ret`, which is zeroed, and the SHA-256 of the body in hex.
 * -1: `error` is filled in, and so is the hash. An id or slug that the client left open stays
 * "".
 */
int create_request_read(const struct create_request *create, struct json_body *in,
			struct lease *ret, char hash[65], struct api_error *error);
