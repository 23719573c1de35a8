/* SPDX-License-Identifier: MIT */
/*
 * Pruning: ended leases that are older than an operator wants to keep go, with everything that hangs
 * on them: their ledger and attempts, timeline, heartbeat, shares, telemetry, charges and
 * Idempotency-Keys.
 * What they cost stays: each bill as it is, and how many leases there were and how long they ran in
 * `past_usage`, per month, account, owner, organisation and type. Runs are in a history of their own
 * (store/runs.h), which has its own age; they name their lease, and need no row of it.
 *
 * Which lease may go. Everything that is decided about a resource after its lease has ended is
 * decided by a row, and a lease goes only if nobody can miss its rows:
 *
 * - It has ended, its cleanup is done, nothing is due, and it is in no attention.
 * - It is not retained, nor is anything of it: "no delete" is honoured for ever, and the gate and the
 *   sweep look for that in the lease (`retained`) and in its rows (RETAINED, retain_epoch). A lease
 *   that was retained and then deleted explicitly may go: its resources are proven gone.
 * - Each resource that it made is proven gone, never existed, or belongs to another lease. DISOWNED
 *   is not enough: an operator gave the resource up, it may exist for ever, and the row is the claim
 *   that keeps the sweep from taking it for an orphan. Of a key that was handed over the claim is
 *   the other lease's row; while that is open, the row it came from stays as well. A row of what the
 *   lease only used (`ours` 0) claims nothing: whoever made that has a row of its own, as the intent
 *   was committed before the create.
 * - No sighting of a sweep names it. A resource that was seen after its end is judged by its ledger
 *   (ORPHAN_ENDED, which may be handed to cleanup), and an address that was left by it.
 * - A complete sweep of its account has ended long after its last change (the caller sees to that,
 *   engine/history.c): what its creates may have brought late is in the inventory by then, has made
 *   the lease owe its cleanup again, and has so changed it. Intents and permits end with their
 *   deadlines, which are minutes; ages are days.
 * - No bill of it is open, none of its rows was changed later, and it takes nothing of the money of
 *   this month: its charges go with it, and limits are decided by their totals.
 * - It has no number that SQLite would give once more: the newest lease, and those with the newest
 *   resource and event, stay, since bills and followers of events refer to numbers.
 *
 * What can still go wrong goes wrong on the safe side. If a resource of a pruned lease shows all the
 * same (the provider restores a server, somebody runs an old copy of this database), its signature
 * is ours and its lease is unknown: the sweep reports it (ORPHAN_UNKNOWN), nothing ever deletes it,
 * and until an operator has looked no orphan of that account is deleted. Names are derived from the
 * lease's id, and a new lease gets another one. If a client asks for the id of a pruned lease once
 * more, it is a new lease with the same names: what shows late under one of them is adopted by it,
 * being signed for that id, and ends with it; or the name is taken, and the create fails. A restored
 * backup has the pruned leases again, ended as they were, and they are pruned again. The generation,
 * the sweeps, what an operator has looked at and the cancelled creates are not touched.
 *
 * Functions return 0, or -1 with `err` set. Writers call within a transaction.
 */
#pragma once

#include <stdint.h>

#include "store/store.h"

/* Read at once, and so pruned in one transaction at most. */
#define STORE_HISTORY_MOST 50

struct store_history_place {
	int64_t updated_ms, n;
};
struct store_history_lease {
	struct store_history_place place;
	int may_go;
	char id[24];
};
/* What is old enough: changed last before `before_ms`, and charged to no month that is not over. */
struct store_history_age {
	int64_t before_ms;
	int64_t month_ms; /* the beginning of this month */
};
/*
 * The next ended leases of the account that were changed last before that time, in the order of
 * that, after the place; at most `most`, also of those that may not go. Returns their number, or -1.
 */
int store_history_next(struct store *store, const char *account,
		       const struct store_history_age *age, const struct store_history_place *after,
		       struct store_history_lease ret[], int most, struct err *err);
/* Removes a lease of the account that may go, by store_history_next in the same transaction. */
int store_history_drop(struct store *store, const char *account, int64_t n, struct err *err);
/*
 * The highest number of an event that was ever pruned: who has followed events up to a lower one may
 * have missed some. 0: none was.
 */
int store_history_event(struct store *store, int64_t *ret, struct err *err);

/* Leases that were pruned, by the month in which they were created. */
struct store_past_usage {
	char owner[128], org[64], account[32], type[32];
	int64_t leases, runtime_ms;
};
typedef void (*store_past_usage_fn)(void *arg, const struct store_past_usage *row);
/* Those of the month that the scope may see. */
int store_past_usage_each(struct store *store, const struct store_scope *scope, int64_t month_ms,
			  store_past_usage_fn fn, void *arg, struct err *err);
/*
 * How many of them there are, of whomever they are. Who reads a report in several reads compares it
 * before and after: if it differs, leases were pruned meanwhile, and counted twice or not at all.
 */
int store_past_usage_leases(struct store *store, int64_t month_ms, int64_t *ret, struct err *err);

/*
 * In a transaction: gives at most `pages` free pages of the file back to the file system, with the
 * next checkpoint. Some stay, for what comes. *ret_left: is there more to give back? Nothing where
 * the database does that itself, and of a file that was not made for it yet (sqlite/shrink.c).
 */
int store_shrink(struct store *store, int pages, int *ret_left, struct err *err);
