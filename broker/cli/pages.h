/* SPDX-License-Identifier: MIT */
/* Lists of leases, which lessord sends in pages. */
#pragma once

#include <jansson.h>

#include "cli/cli.h"

/* 1: keep this lease. `kept` are those before it. */
typedef int (*pages_keep_fn)(const json_t *kept, const json_t *lease);

/*
 * Appends the leases that `query` ("&state=active&...") selects and `keep` keeps (NULL: all) to
 * `into`, until there are `most` or more. -1, and *ret_more says whether lessord has others;
 * otherwise the exit code, and the error is reported.
 */
int pages_fetch(struct cli *cli, const char *query, pages_keep_fn keep, json_t *into, size_t most,
		int *ret_more);
