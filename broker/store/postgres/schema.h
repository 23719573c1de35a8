/* SPDX-License-Identifier: MIT */
/* The schema's texts. */
#pragma once

#include "store/postgres/internal.h"

/* tables.c: all tables as of schema 13 */
extern const char pg_schema_13[];
/* What was added since: as SQLite's migration of the same number. */
extern const char pg_schema_14[];
extern const char pg_schema_15[];
extern const char pg_schema_16[];
extern const char pg_schema_17[];
