/* SPDX-License-Identifier: MIT */
/*
 * The common setup of the core's tests: a new world for each case, with a lease in it. The world
 * is global, so that the cases stay short.
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

/* Setup and teardown: creates and ends the world. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

/* Returns the lease as stored. The case fails if it does not exist. */
struct lease lease(const char *id);
/* The first row of its ledger. */
struct resource first_row(const char *id);
/* Creates a lease and waits until it has its machine. */
struct asked create_ready(const char *id);
/* Sends a heartbeat: the result. */
int beat(const char *id);
