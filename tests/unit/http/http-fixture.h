/* SPDX-License-Identifier: MIT */
/* A server with one client, for each case anew. Global, so that a case reads as what they do. */
#pragma once

#include "http-harness.h"

extern struct harness h;
extern struct client c;

/* The server is set up and does not listen yet. In the end both are closed. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

/* Starts the server and opens the client. NULL: the handler stays what it is. */
void begin(handler_fn handler);
/* Another server instead of this one, which does not listen yet. */
void fixture_again(void);
