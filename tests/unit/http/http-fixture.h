/* SPDX-License-Identifier: MIT */
/* A new server and client for each case. They are global, so that the cases stay short. */
#pragma once

#include "http-harness.h"

extern struct harness h;
extern struct client c;

/* Setup creates the server, which does not listen yet. Teardown closes both. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

/* Starts the server and opens the client. NULL keeps the current handler. */
void begin(handler_fn handler);
/* Replaces the server with a new one, which does not listen yet. */
void fixture_again(void);
