/* SPDX-License-Identifier: MIT */
#include "lease/lease.h"

#include <string.h>

static const char *const state_names[] = {
#define X(name, text) [name] = text,
	LEASE_STATES(X)
#undef X
};

static const char *const cleanup_names[] = {
#define X(name, text) [name] = text,
	LEASE_CLEANUPS(X)
#undef X
};

const char *lease_state_name(enum lease_state state)
{
	return state < LEASE_STATE_COUNT ? state_names[state] : "unknown";
}

const char *lease_cleanup_name(enum lease_cleanup cleanup)
{
	return cleanup < LEASE_CLEANUP_COUNT ? cleanup_names[cleanup] : "unknown";
}

int lease_state_parse(const char *text)
{
	for (int i = 0; i < LEASE_STATE_COUNT; i++) {
		if (strcmp(state_names[i], text) == 0)
			return i;
	}
	return -1;
}

int lease_is_live(const struct lease *l)
{
	return l->state == LEASE_PROVISIONING || l->state == LEASE_ACTIVE;
}

int lease_counts(const struct lease *l)
{
	return lease_is_live(l) || (l->cleanup != CLEANUP_DONE && l->cleanup != CLEANUP_NONE);
}

enum lease_state lease_shown_state(const struct lease *l)
{
	return l->released_ms ? LEASE_RELEASED : l->state;
}

/* What a row read from a file adds up to need not be a time. */
static int64_t later(int64_t at_ms, int64_t by_ms)
{
	int64_t sum;

	return __builtin_add_overflow(at_ms, by_ms, &sum) ? INT64_MAX : sum;
}

int64_t lease_expires_ms(const struct lease *l)
{
	int64_t ttl = later(l->created_ms, l->ttl_ms);
	int64_t idle = later(l->touched_ms, l->idle_ms);

	if (l->state == LEASE_PROVISIONING || !l->idle_ms)
		return ttl;
	return ttl < idle ? ttl : idle;
}
