/* SPDX-License-Identifier: MIT */
/*
 * Routes that existing clients know and this broker does not have: ready pools, images, sign-in
 * through a browser and others. They are answered with one sentence instead of "Not found.", and
 * with the status that the client handles best. Contract 7. Pure.
 */
#pragma once

#include "http/parser.h"

struct not_offered {
	unsigned methods; /* bits (1 << enum http_method); 0: any */
	/* The first segments of the path; "*" matches one. Whatever follows belongs to it as well. */
	const char *path;
	int status;
	const char *message;
};

/* For a request that no route serves: its row, borrowed for ever, or NULL. `path` as sent. */
const struct not_offered *not_offered_find(enum http_method method, const char *path);
