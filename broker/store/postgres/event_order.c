/* SPDX-License-Identifier: MIT */
/*
 * An event is numbered by the transaction that wrote it, as PostgreSQL counts them, plus an offset that
 * is 0 at first. A database that was dumped and restored keeps its events' numbers, but the other server
 * counts on from where it is: what is written there would come before what the clients have, and what
 * they have would look as if it were not committed. So the offset is raised until the next transaction
 * comes after all events that there are. What is there keeps its number, which clients know.
 */
#include "store/postgres/internal.h"

/*
 * An event that a statement sees was written by a transaction below xmax. Whichever still runs, or
 * begins, is not below xmin. Two who do this at the same time wait for each other at the row, and the
 * second one finds it done.
 */
static const char mend_sql[] =
	"UPDATE lessor_schema SET event_offset = last.number + 1 - now.oldest FROM"
	" (SELECT CAST(CAST(commit_xid AS text) AS bigint) AS number FROM event"
	" ORDER BY commit_xid DESC, n DESC LIMIT 1) AS last,"
	" (SELECT CAST(CAST(pg_snapshot_xmin(s) AS text) AS bigint) AS oldest,"
	" CAST(CAST(pg_snapshot_xmax(s) AS text) AS bigint) AS next"
	" FROM pg_current_snapshot() AS s) AS now WHERE last.number >= now.next + event_offset";

int pg_event_order_mend(struct pg_connection *c, struct err *err)
{
	return pg_exec(c, mend_sql, "looking at the order of the events", err);
}
