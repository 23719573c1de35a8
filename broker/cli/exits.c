/* SPDX-License-Identifier: MIT */
#include "cli/exits.h"

#include <stddef.h>
#include <string.h>

enum exits exits_from_status(int status, const char *code)
{
	switch (status) {
	case 401:
		return EXIT_UNAUTHORIZED;
	case 404:
		return EXIT_NOT_FOUND;
	case 408:
	case 502:
	case 503:
	case 504:
		return EXIT_UNREACHABLE;
	case 409:
		if (code && (!strcmp(code, "lease_ended") || !strcmp(code, "lease_expired")))
			return EXIT_ENDED;
		return EXIT_REFUSED;
	default:
		return status >= 400 && status < 500 ? EXIT_REFUSED : EXIT_ERROR;
	}
}
