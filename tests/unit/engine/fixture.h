/* SPDX-License-Identifier: MIT */
/*
 * What most tests of the core begin with: one world for each case, and a lease in it. The
 * world is global, so that the cases read as what happens in it.
 */
#pragma once

#include <string.h>

#include "unit/test.h"
#include "world.h"

#define ID "cbx_000000000001"
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

extern struct world w;

/* A new world, and its end. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

/* As stored. The case fails if there is none. */
struct lease lease(const char *id);
/* The first row of its ledger. */
struct resource first_row(const char *id);
/* A lease with its machine. */
struct asked create_ready(const char *id);
