/* SPDX-License-Identifier: MIT */
/* The queue for capacity in memory, for the two files that implement it. */
#pragma once

#include "engine/internal.h"
#include "store/queue.h"

struct capacity_waiter {
	int64_t n;
	TAILQ_ENTRY(capacity_waiter) link;
};

/* An owner in an account's ring. */
struct capacity_owner {
	struct store_queue_owner row;
	TAILQ_HEAD(, capacity_waiter) waiters; /* in the order of arrival; never empty */
	int64_t count;
	TAILQ_ENTRY(capacity_owner) link;
};

struct capacity_account {
	char name[32];
	TAILQ_HEAD(, capacity_owner) owners; /* the next turn first */
	int64_t turn;			     /* the highest that was given */
	int64_t count;
	LIST_ENTRY(capacity_account) link;
};

/* A limit that stops leases of the queue; empty strings mean any. */
struct capacity_stop {
	struct limit_hit hit;
	char account[32], owner[128], org[64];
};

struct capacity_queue {
	LIST_HEAD(, capacity_account) accounts;
	int64_t count;
	int is_changed;		     /* there may be capacity: capacity_admit has work */
	int is_blocked;		     /* an account was skipped because it is blocked */
	int is_news;		     /* who waits has changed since the last commit */
	int64_t looked_mono_ms;	     /* capacity_look */
	struct capacity_stop *stops; /* as the last capacity_admit found them */
	size_t stop_count;
};

/* The ring of an account; an empty one if it has none yet. */
struct capacity_account *capacity_ring(struct capacity_queue *queue, const char *name);
/* NULL: the owner has no lease in it. */
struct capacity_owner *capacity_owner_find(const struct capacity_account *a, const char *owner,
					   const char *org);
