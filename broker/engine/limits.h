/* SPDX-License-Identifier: MIT */
/*
 * The limits on what counts: on leases that may cost money, on the sum of their hourly prices, and
 * on what a calendar month costs; the limits of one owner, organisation or account by name; and what
 * is paused. Pure; any thread.
 */
#pragma once

#include <stdint.h>

struct store_counts;
struct store_spend;

/* Whose limit it is, from the caller's own to that of all. */
enum limit_scope { LIMIT_NONE, LIMIT_OWNER, LIMIT_ORG, LIMIT_ACCOUNT, LIMIT_TOTAL, LIMIT_SCOPES };

#define LIMITS_NAMED_MAX 128
#define LIMIT_UNSET (-1)

/*
 * The limits of one owner (within each organisation), organisation or account, which take the place
 * of the general ones. 0: no limit; LIMIT_UNSET: the general one holds.
 */
struct limits_named {
	enum limit_scope scope;
	char name[128];
	int64_t max_active;
	int64_t max_hour_micros;
	int64_t max_month_micros;
};

#define PAUSES_MAX 17 /* one of the daemon, and one of each account */
#define PAUSE_REASON_SIZE 200

/* Creates are refused. */
struct limits_pause {
	char account[32]; /* "": of the daemon, in every account */
	char reason[PAUSE_REASON_SIZE];
};

/* Limits that a reload can change. 0: no limit. */
struct engine_limits {
	int64_t max_active; /* leases that may cost money, in all */
	int64_t max_active_owner;
	int64_t max_active_org;
	int64_t max_active_account;
	int64_t max_hour_micros; /* sum of hourly prices, 1/1,000,000 of a unit of money */
	int64_t max_hour_micros_owner;
	int64_t max_hour_micros_org;
	int64_t max_month_micros; /* reserved and billed in a calendar month */
	int64_t max_month_micros_owner;
	int64_t max_month_micros_org;
	/* Leases that may wait in the queue for capacity, in all and of one owner; 0: none. */
	int64_t max_queued;
	int64_t max_queued_owner;
	struct limits_named named[LIMITS_NAMED_MAX];
	int named_count;
	struct limits_pause pauses[PAUSES_MAX];
	int pause_count;
};

/* The limits that hold for one lease, by scope. 0: none. */
struct limits_for {
	int64_t max_active[LIMIT_SCOPES];
	int64_t max_hour_micros[LIMIT_SCOPES];
	int64_t max_month_micros[LIMIT_SCOPES];
};

/* A limit that leaves no room for one more lease. */
struct limit_hit {
	enum limit_scope scope; /* LIMIT_NONE: all leave room */
	int is_price;		/* `used` and `max` are money, in millionths; else leases */
	int64_t month_ms;	/* the money of this month; 0: hourly prices, or leases */
	int64_t used, max;
	int64_t more;	   /* what the lease adds: 1, its price, or what it costs in the month */
	int64_t ahead;	   /* so many leases wait for it already */
	int is_queue_full; /* and no more may wait, by max_queued or max_queued_owner */
};

/* "owner", "org", "account", "total"; "" for LIMIT_NONE. */
const char *limit_scope_name(enum limit_scope scope);
/* "" is an owner, organisation or account of no name: only the general limits hold. */
struct limits_for limits_of(const struct engine_limits *limits, const char *owner, const char *org,
			    const char *account);
/* The first limit that a lease of this price would exceed; the owner's own first. 1: there is one. */
int limits_exceeded(const struct limits_for *limits, const struct store_counts *have, int64_t price,
		    struct limit_hit *ret);
/* Is the money of a month limited at all? Then what it has must be read. */
int limits_month_is_set(const struct limits_for *limits);
/* As limits_exceeded, for what a lease adds to the month. */
int limits_month_exceeded(const struct limits_for *limits, const struct store_spend *have,
			  int64_t more, struct limit_hit *ret);
/* Does the lease exceed it even when nothing else counts? Then waiting is of no use. */
int limit_is_too_small(const struct limit_hit *hit);
/* The pause that holds in the account, the daemon's own first; NULL: none. */
const struct limits_pause *limits_pause_find(const struct engine_limits *limits,
					     const char *account);
