/* SPDX-License-Identifier: MIT */
/* The summary of a run's tests. Pure. */
#pragma once

#include <jansson.h>

/* The summary as it may be kept, as complete JSON that the caller frees; NULL: it is none. */
char *test_report_read(const json_t *results);
