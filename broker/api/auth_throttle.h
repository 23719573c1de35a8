/* SPDX-License-Identifier: MIT */
/*
 * Counts refused requests per address and minute, in a table of fixed size: the oldest entry
 * of a bucket is replaced. An IPv6 address counts as its /64. Loop thread only.
 */
#pragma once

#include <stdint.h>

struct auth_throttle;

struct auth_throttle *auth_throttle_new(uint64_t seed);
void auth_throttle_free(struct auth_throttle *throttle);
/* Would another refusal be more than `per_minute`? */
int auth_throttle_is_full(struct auth_throttle *throttle, const char *address, int per_minute,
			  int64_t mono_ms);
/* Counts one refusal; 1 if the address has had more than `per_minute` (0: no limit). */
int auth_throttle_count(struct auth_throttle *throttle, const char *address, int per_minute,
			int64_t mono_ms);
