/* SPDX-License-Identifier: MIT */
/*
 * Stored times, read against the present. Each is a moment that has passed: when a lease was
 * created, touched, ended, when a row changed or was seen. One that lies in the future was written
 * while the clock was ahead. It counts as now, so that no lease, backoff, absence or retention
 * lasts longer than its own limits from now on; and once the clock is trusted the row is
 * corrected, so that it does count down. Of several such times of a row the latest becomes now
 * and the others keep their distance from it.
 *
 * Times that are not derived from such a moment (due times, the end of a retention) move with
 * it. Pure.
 */
#pragma once

#include "lease/ledger.h"

/* A time is wrong if it is later than now by more than this: clocks are corrected a little. */
#define TIMES_AHEAD_MS 1000

/* A clock was wrong since `from_ms`, until it jumped at `to_ms` by `by_ms` to the right time. */
struct times_change {
	int64_t from_ms, to_ms; /* as the wrong clock showed them */
	int64_t by_ms;		/* 0: no change */
};

/* A moment that has passed: `at_ms`, but never later than now. */
int64_t time_past(int64_t at_ms, int64_t now_ms);
/*
 * Does the row of the lease have a time that lies in the future though it has passed? Its last
 * heartbeat is stored elsewhere and does not count: its TTL ends it all the same.
 */
int lease_is_ahead(const struct lease *l, int64_t now_ms);
/*
 * The clock is trusted: corrects the times that lie in the future, and what depends on them. 1 if
 * anything changed.
 */
int lease_times_mend(struct lease *l, int64_t now_ms);
/*
 * The same for the rows and attempts of a ledger; marks the changed ones dirty. `is_shared`: the
 * ends of requests (until_ms) are of the store's clock, and stay.
 */
void ledger_times_mend(struct ledger *ledger, int64_t now_ms, int is_shared);
/*
 * The wall clock was set by so much: requests on their way take as long as before, unless their
 * ends are of another clock or moved already, and no row has changed in the future, which would
 * delay absence.
 */
void ledger_clock_set(struct ledger *ledger, int64_t now_ms, int64_t by_ms, int keeps_until);
/* Moves the times that were written while the clock was wrong. 1 if anything changed. */
int lease_times_move(struct lease *l, const struct times_change *change);
void ledger_times_move(struct ledger *ledger, const struct times_change *change, int is_shared);
