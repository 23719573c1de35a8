/* SPDX-License-Identifier: MIT */
/* The exit codes. Scripts depend on them: their meaning never changes. */
#pragma once

#define EXITS(X)                                                                                   \
	X(EXIT_OK, 0, "success")                                                                   \
	X(EXIT_ERROR, 1, "any other error")                                                        \
	X(EXIT_USAGE, 2, "invalid options or settings; nothing was sent")                          \
	X(EXIT_NOT_FOUND, 3, "no such lease, or not yours")                                        \
	X(EXIT_REFUSED, 4, "lessord refused the request: a limit, a conflict or an invalid value") \
	X(EXIT_UNAUTHORIZED, 5, "the token is missing, invalid or expired")                        \
	X(EXIT_ENDED, 6, "the lease failed or has ended")                                          \
	X(EXIT_UNREACHABLE, 7, "no response in time, or lessord cannot be reached")                \
	X(EXIT_PENDING, 8, "released, but the cleanup is not finished")                            \
	X(EXIT_INTERRUPTED, 130, "interrupted by SIGINT (143: by SIGTERM)")

enum exits {
#define X(name, number, text) name = number,
	EXITS(X)
#undef X
};

/* For an HTTP status other than 2xx; `code` is the "error" of the response, may be NULL. */
enum exits exits_from_status(int status, const char *code);
