/* SPDX-License-Identifier: MIT */
#include "http-fixture.h"

struct harness h;
struct client c;

int fixture_setup(void **state)
{
	(void)state;
	c = (struct client){ .fd = -1 };
	harness_init(&h);
	return 0;
}

int fixture_teardown(void **state)
{
	(void)state;
	client_close(&c);
	harness_stop(&h);
	return 0;
}

void begin(handler_fn handler)
{
	if (handler)
		h.handler = handler;
	harness_start(&h);
	client_open(&h, &c);
}

void fixture_again(void)
{
	client_close(&c);
	harness_stop(&h);
	harness_init(&h);
}
