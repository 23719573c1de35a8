/* SPDX-License-Identifier: MIT */
/*
 * The queue for capacity: the leases that wait in it, whose turn is next, and what a refusal at a
 * limit shows of the leases that count. Functions return 0, or -1 with `err` set.
 */
#pragma once

#include <stdint.h>

#include "lease/lease.h"
#include "store/store.h"

/* A lease for which lease_is_queued() holds. */
struct store_queued {
	int64_t n; /* rows are numbered as they arrive */
	char id[24], slug[48], account[32], owner[128], org[64];
	int64_t since_ms, until_ms;
	int64_t price_hour_micros; /* 0: unknown */
};
typedef int (*store_queued_fn)(void *arg, const struct store_queued *row); /* non-zero stops */
/* All of them, in the order of their arrival. */
int store_queue_each(struct store *store, store_queued_fn fn, void *arg, struct err *err);

/* An owner who has leases in the queue of an account. The lowest turn is next. */
struct store_queue_owner {
	char account[32], owner[128], org[64];
	int64_t turn;
};
typedef void (*store_queue_owner_fn)(void *arg, const struct store_queue_owner *row);
/* All of them, by turn. */
int store_queue_owner_each(struct store *store, store_queue_owner_fn fn, void *arg, struct err *err);
int store_queue_owner_put(struct store *store, const struct store_queue_owner *row, struct err *err);
int store_queue_owner_drop(struct store *store, const struct store_queue_owner *row,
			   struct err *err);

/* A lease that counts against a limit. */
struct store_holder {
	char id[24], slug[48];
	enum lease_state state;
	enum lease_cleanup cleanup;
	int64_t ends_ms; /* at the latest; 0: it has ended, and something of it is left */
};
/*
 * The leases of the owner that count, those that end first first, at most `size`; in `account`
 * only, unless it is "".
 */
int store_holders(struct store *store, const char *owner, const char *org, const char *account,
		  struct store_holder *ret, int size, int *ret_count, struct err *err);
/*
 * When the first of the newest STORE_ENDS_MOST live leases ends at the latest, of whomever it is;
 * of `org` and in `account` only, unless they are "". 0: there is none.
 */
#define STORE_ENDS_MOST 1000
int store_first_end(struct store *store, const char *org, const char *account, int64_t *ret_ms,
		    struct err *err);
