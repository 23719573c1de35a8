/* SPDX-License-Identifier: MIT */
/*
 * The exit codes, a promise to scripts: they are listed in `lessor --help` and
 * do not change their meaning.
 */
#pragma once

#define EXITS(X) \
	X(EXIT_OK, 0, "done") \
	X(EXIT_ERROR, 1, "an error that no other number names") \
	X(EXIT_USAGE, 2, "wrong flags or settings; nothing was sent") \
	X(EXIT_NOT_FOUND, 3, "no such lease, or not yours") \
	X(EXIT_REFUSED, 4, "the server refused: a cap, a conflict, a value it does not take") \
	X(EXIT_UNAUTHORIZED, 5, "the token is missing, wrong or has expired") \
	X(EXIT_ENDED, 6, "the lease failed or has ended") \
	X(EXIT_UNREACHABLE, 7, "no answer in time, or the server cannot be reached") \
	X(EXIT_PENDING, 8, "given back, and something of it still waits to be cleaned up") \
	X(EXIT_INTERRUPTED, 130, "interrupted by Ctrl-C (143: by SIGTERM)")

enum exits {
#define X(name, number, text) name = number,
	EXITS(X)
#undef X
};

/* For an HTTP status that is not 2xx; `code` is the server's "error", may be NULL. */
enum exits exits_from_status(int status, const char *code);
