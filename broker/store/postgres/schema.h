/* SPDX-License-Identifier: MIT */
/* The schema's texts. */
#pragma once

#include "store/postgres/internal.h"

/* tables.c: all tables as of schema 13 */
extern const char pg_schema_13[];
