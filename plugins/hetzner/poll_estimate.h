/* SPDX-License-Identifier: MIT */
/*
 * When to poll first for an operation that takes time (a boot, a delete), learned
 * from earlier durations, so that one poll suffices instead of five.
 */
#pragma once

#include <stdint.h>

#include <lessor/provider.h>

/* `what` is a short key, "boot/cx23". Returns `guess_ms` while nothing is known. */
int64_t poll_estimate_first(struct lessor_call *call, const char *what, int64_t guess_ms);
/* The operation took `took_ms`; `polls` is the number of polls that were needed. */
void poll_estimate_learn(struct lessor_call *call, const char *what, int64_t took_ms,
			 unsigned int polls);
