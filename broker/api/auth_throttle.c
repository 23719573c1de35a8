/* SPDX-License-Identifier: MIT */
#include "api/auth_throttle.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"

#define BUCKETS 512
#define WAYS 4
#define WINDOW_MS 60000

struct throttled {
	uint64_t address; /* 0: free */
	int64_t since_ms;
	int count;
};

struct auth_throttle {
	uint64_t seed;
	struct throttled throttled[BUCKETS][WAYS];
};

struct auth_throttle *auth_throttle_new(uint64_t seed)
{
	struct auth_throttle *throttle = xcalloc(1, sizeof(*throttle));

	throttle->seed = seed;
	return throttle;
}

void auth_throttle_free(struct auth_throttle *throttle)
{
	free(throttle);
}

/* The seed is secret, so that nobody can aim at a bucket. */
static uint64_t address_hash(uint64_t seed, const char *address)
{
	unsigned char bytes[64] = { 0 };
	uint64_t hash = seed;
	uint64_t part;

	if (strchr(address, ':') && inet_pton(AF_INET6, address, bytes) == 1)
		memset(bytes + 8, 0, sizeof(bytes) - 8);
	else
		memcpy(bytes, address, strnlen(address, sizeof(bytes)));
	for (size_t i = 0; i < sizeof(bytes); i += 8) {
		memcpy(&part, bytes + i, sizeof(part));
		hash = (hash ^ part) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	return hash ? hash : 1;
}

/* The place of this address, or else the oldest in its bucket. */
static struct throttled *place_find(struct auth_throttle *throttle, uint64_t hash)
{
	struct throttled *bucket = throttle->throttled[hash % BUCKETS];
	struct throttled *mine = bucket;

	for (int i = 0; i < WAYS; i++) {
		if (bucket[i].address == hash)
			return &bucket[i];
		if (bucket[i].since_ms < mine->since_ms)
			mine = &bucket[i];
	}
	return mine;
}

int auth_throttle_is_full(struct auth_throttle *throttle, const char *address, int per_minute,
			  int64_t mono_ms)
{
	uint64_t hash = address_hash(throttle->seed, address);
	const struct throttled *mine = place_find(throttle, hash);

	return per_minute > 0 && mine->address == hash && mono_ms - mine->since_ms < WINDOW_MS &&
	       mine->count >= per_minute;
}

int auth_throttle_count(struct auth_throttle *throttle, const char *address, int per_minute,
			int64_t mono_ms)
{
	uint64_t hash = address_hash(throttle->seed, address);
	struct throttled *mine = place_find(throttle, hash);

	if (mine->address != hash || mono_ms - mine->since_ms >= WINDOW_MS) {
		mine->address = hash;
		mine->since_ms = mono_ms;
		mine->count = 0;
	}
	if (mine->count <= per_minute)
		mine->count++;
	return per_minute > 0 && mine->count > per_minute;
}
