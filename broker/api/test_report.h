/* SPDX-License-Identifier: MIT */
/* The summary of the tests of a run. Pure. */
#pragma once

#include <jansson.h>

/* The summary as it is stored: complete JSON that the caller frees. NULL: not an object. */
char *test_report_read(const json_t *results);
