/* SPDX-License-Identifier: MIT */
/*
 * How often an address may be refused in a minute. Bounded: a fixed table, in
 * which the oldest entry of a bucket makes room. An IPv6 address counts with its
 * whole /64. Loop thread only.
 */
#pragma once

#include <stdint.h>

struct auth_throttle;

struct auth_throttle *auth_throttle_new(uint64_t seed);
void auth_throttle_free(struct auth_throttle *throttle);
/* Counts one more of this address; 1 if it is beyond `per_minute` (0: no limit). */
int auth_throttle_count(struct auth_throttle *throttle, const char *address, int per_minute,
			int64_t mono_ms);
