/* SPDX-License-Identifier: MIT */
/* bench-store -u URL: heartbeats on PostgreSQL, beside pgbench. */
#pragma once

#include "store/store.h"

/* Writes lease `i`; exits if it cannot. */
typedef void (*touches_lease_fn)(struct store *store, long i, int ended);

/* Prints a table. The database must be empty, and takes `seconds` per figure. */
int touches_measure(const char *url, double seconds, touches_lease_fn lease_add, struct err *err);
