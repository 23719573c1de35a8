/* SPDX-License-Identifier: MIT */
/*
 * The schema of the runs' file: numbered migrations under the same rules as the leases'
 * (schema.c). Lists read only the small row of a run; large texts are in tables of their
 * own, which are deleted a few rows at a time.
 */
#include "store/sqlite/internal.h"

#include "util/alloc.h"

static const char *const migrations[] = {
	/* 1 */
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
	"CREATE TABLE run("
	" n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, org TEXT NOT NULL,"
	" label TEXT NOT NULL, started_ms INTEGER NOT NULL, lease TEXT NOT NULL,"
	" slug TEXT NOT NULL, account TEXT NOT NULL, target TEXT NOT NULL,"
	" windows_mode TEXT NOT NULL, class TEXT NOT NULL, server_type TEXT NOT NULL,"
	" phase TEXT NOT NULL, blocked_stage TEXT NOT NULL, retry_likely TEXT NOT NULL,"
	" state INTEGER NOT NULL, finished INTEGER NOT NULL, event_ms INTEGER NOT NULL,"
	" ended_ms INTEGER NOT NULL, sync_ms INTEGER NOT NULL, command_ms INTEGER NOT NULL,"
	" has_exit_code INTEGER NOT NULL, exit_code INTEGER NOT NULL, log_bytes INTEGER NOT NULL,"
	" log_truncated INTEGER NOT NULL, event_count INTEGER NOT NULL,"
	" event_bytes INTEGER NOT NULL, bytes INTEGER NOT NULL, command TEXT NOT NULL);"
	"CREATE INDEX run_owner ON run(owner, org);"
	"CREATE INDEX run_owner_state ON run(owner, org, state);"
	"CREATE INDEX run_org ON run(org);"
	"CREATE INDEX run_open ON run(event_ms) WHERE state = 0;"
	"CREATE INDEX run_ended ON run(ended_ms) WHERE state > 0;"
	"CREATE INDEX run_size ON run(bytes);"
	"CREATE TABLE run_lease("
	" run INTEGER NOT NULL, lease TEXT NOT NULL, PRIMARY KEY(run, lease)) WITHOUT ROWID;"
	"CREATE INDEX run_lease_of ON run_lease(lease, run);"
	"CREATE TABLE run_event("
	" run INTEGER NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, fields TEXT NOT NULL,"
	" PRIMARY KEY(run, seq));"
	"CREATE TABLE run_sample("
	" run INTEGER NOT NULL, at_ms INTEGER NOT NULL, data TEXT NOT NULL,"
	" PRIMARY KEY(run, at_ms)) WITHOUT ROWID;"
	"CREATE TABLE run_results(run INTEGER PRIMARY KEY, data TEXT NOT NULL);"
	"CREATE TABLE run_receipt(run INTEGER PRIMARY KEY, data TEXT NOT NULL);"
	"CREATE TABLE run_log("
	" run INTEGER NOT NULL, part INTEGER NOT NULL, data BLOB NOT NULL,"
	" PRIMARY KEY(run, part));",
};

static const struct schema_check checks[] = {
	{ "events without a run",
	  "SELECT count(*) FROM run_event WHERE run NOT IN (SELECT n FROM run)" },
	{ "logs without a run",
	  "SELECT count(*) FROM run_log WHERE run NOT IN (SELECT n FROM run)" },
	{ "results without a run",
	  "SELECT count(*) FROM run_results WHERE run NOT IN (SELECT n FROM run)" },
	{ "receipts without a run",
	  "SELECT count(*) FROM run_receipt WHERE run NOT IN (SELECT n FROM run)" },
	{ "samples without a run",
	  "SELECT count(*) FROM run_sample WHERE run NOT IN (SELECT n FROM run)" },
	{ "leases without a run",
	  "SELECT count(*) FROM run_lease WHERE run NOT IN (SELECT n FROM run)" },
};

const struct schema schema_runs = {
	.application = 0x4c53524e,	/* "LSRN" */
	.migrations = migrations,
	.newest = (int)ARRAY_LEN(migrations),
	.checks = checks,
	.check_count = ARRAY_LEN(checks),
};
