/* SPDX-License-Identifier: MIT */
/*
 * The limits on what counts: on leases that may cost money, and on the sum of their hourly
 * prices. Pure; any thread.
 */
#pragma once

#include <stdint.h>

struct store_counts;

/* Limits that a reload can change. 0: no limit. */
struct engine_limits {
	int64_t max_active; /* leases that may cost money, in all */
	int64_t max_active_owner;
	int64_t max_active_org;
	int64_t max_active_account;
	int64_t max_hour_micros; /* sum of hourly prices, 1/1,000,000 of a unit of money */
	int64_t max_hour_micros_owner;
	int64_t max_hour_micros_org;
	/* Leases that may wait in the queue for capacity, in all and of one owner; 0: none. */
	int64_t max_queued;
	int64_t max_queued_owner;
};

/* Whose limit it is, from the caller's own to that of all. */
enum limit_scope { LIMIT_NONE, LIMIT_OWNER, LIMIT_ORG, LIMIT_ACCOUNT, LIMIT_TOTAL };

/* A limit that leaves no room for one more lease. */
struct limit_hit {
	enum limit_scope scope; /* LIMIT_NONE: all leave room */
	int is_price;		/* `used` and `max` are hourly prices, in millionths; else leases */
	int64_t used, max;
	int64_t more;	   /* what the lease adds: 1, or its price */
	int64_t ahead;	   /* so many leases wait for it already */
	int is_queue_full; /* and no more may wait, by max_queued or max_queued_owner */
};

/* "owner", "org", "account", "total"; "" for LIMIT_NONE. */
const char *limit_scope_name(enum limit_scope scope);
/* The first limit that a lease of this price would exceed; the owner's own first. 1: there is one. */
int limits_exceeded(const struct engine_limits *limits, const struct store_counts *have,
		    int64_t price, struct limit_hit *ret);
/* Does the lease exceed it even when nothing else counts? Then waiting is of no use. */
int limit_is_too_small(const struct limit_hit *hit);
