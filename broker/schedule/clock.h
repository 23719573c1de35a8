/* SPDX-License-Identifier: MIT */
/*
 * Is the wall clock to be believed? It is as long as it goes with the monotonic one. When it
 * jumps by more than a quarter of an hour against it, somebody set it, or set it wrong: it is
 * doubted until both have gone together for ten minutes. A jump while no lessord runs cannot
 * be seen. Pure.
 */
#pragma once

#include <stdint.h>

#define CLOCK_JUMP_MS (15 * 60 * 1000)
#define CLOCK_AGREE_MS (10 * 60 * 1000)

/* Zeroed: nothing is known yet. */
struct clock_watch {
	int64_t offset_ms;		/* wall clock less monotonic, when last looked at */
	int64_t suspect_until_mono_ms;
	int is_known;
};

/* By how much it has jumped since the last look; 0: it has not. A slow drift is followed. */
int64_t clock_observe(struct clock_watch *watch, int64_t wall_ms, int64_t mono_ms);
int clock_is_suspect(const struct clock_watch *watch, int64_t mono_ms);
