/* SPDX-License-Identifier: MIT */
/*
 * When to look first for what takes its time (a boot, a delete). Learned from
 * what it took before, so that one look does where blind polling takes five.
 */
#pragma once

#include <stdint.h>

#include <lessor/provider.h>

/* `what` is a short word, "boot/cx23". `guess_ms` as long as nothing is known. */
int64_t poll_estimate_first(struct lessor_call *call, const char *what, int64_t guess_ms);
/* It was over after `took_ms`; `looks`: at which look that was seen. */
void poll_estimate_learn(struct lessor_call *call, const char *what, int64_t took_ms,
			 unsigned int polls);
