/* SPDX-License-Identifier: MIT */
/*
 * What a create asks for: a JSON body made into the request fields of a lease, every
 * one checked against its grammar, completed with the defaults, and never more
 * than the configuration allows. Contract 2.2, 3.3 and 3.4. Does no I/O.
 */
#pragma once

#include <stddef.h>

#include "api/api.h"
#include "api/fault.h"
#include "api/input.h"

extern const struct input_table body_create; /* "Create" */

struct wish {
	const struct api_config *config;
	struct account **accounts;
	size_t account_count;
	enum token_role role;
	const char *put_id;	/* the id in the path of a PUT; NULL for a POST */
};

/*
 * Fills the request fields of `ret` (a zeroed one) and the SHA-256 of the body, in hex. -1:
 * `fault` says what is wrong; the hash is there all the same. An id or slug that the client
 * left open stays "".
 */
int wish_read(const struct wish *wish, struct input *in, struct lease *ret, char hash[65],
	      struct fault *fault);
