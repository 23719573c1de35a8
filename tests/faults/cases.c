/* SPDX-License-Identifier: MIT */
/*
 * Enumerates the cases: each kind of fault at each injection point, in each scenario
 * and both key modes. `thin` skips most points of a kind, evenly spread, so that all
 * kinds fit into a time budget.
 */
#include "cases.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

const char *group_name(enum group group)
{
	static const char *const names[] = {
#define X(name, text) [name] = text,
		GROUPS(X)
#undef X
	};

	return names[group];
}

static const char *keys_name(int keys)
{
	return keys ? "account" : "lease";
}

static struct one one_new(enum group group, const struct scenario *s, int keys)
{
	return (struct one){ .group = group, .scenario = s, .keys = keys, .cell_op = -1 };
}

/* A scenario with more points repeats the same hour many times: a few points are enough. */
#define PLACES_MANY 1000
#define PLACES_FEW 10

/*
 * Skips all but every stride-th point. The offset depends on the kind, so that each
 * point is tested with some kind.
 */
static int is_thin(const struct run *run, const struct scenario *s, long place, long places,
		   long kind, int stride)
{
	long step = (long)run->thin * (places > PLACES_MANY ? places / PLACES_FEW : stride) *
		    (s->few ? s->few : 1);

	return run->thin > 0 && step > 1 && (place + kind) % step != 0;
}

/* ---- the provider ------------------------------------------------------------------------- */

static void fault_case(struct run *run, const struct scenario *s, int keys, size_t op, size_t fault,
		       int nth)
{
	struct one one = one_new(GROUP_FAULT, s, keys);
	char rule[320];

	snprintf(one.name, sizeof(one.name), "fault/%s/%s/%s/%s/%d", s->name, keys_name(keys), ops[op],
		 faults[fault].name, nth);
	run->totals->planned[op][fault]++;
	if (!one_is_mine(run, one.name))
		return;
	run->totals->tried[op][fault]++;
	snprintf(rule, sizeof(rule),
		 "{\"match\":{\"op\":\"%s\"},\"skip\":%d,\"count\":1,\"fault\":{%s}}", ops[op],
		 nth - 1, faults[fault].json);
	one.rules[one.rule_count++] = rule;
	one.cell_op = (long)op;
	one.cell_fault = (long)fault;
	one_run(run, &one);
}

/*
 * The number of requests of an operation at which a kind is injected: one is enough
 * in a scenario that is part of another or has a disturbance of its own.
 */
static unsigned long places_of(const struct scenario *s, int keys)
{
	static const char *const whole[] = {
		"life", "two", "expiry", "kept-then-deleted", "canceled", "kept-early",
	};

	if (strcmp(s->name, "outage") == 0)
		return 0;
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		if (strcmp(s->name, whole[i]) == 0)
			return keys || i > 1 ? 2 : 3;
	}
	return 1;
}

static void fault_cases(struct run *run, const struct scenario *s, int keys,
			const struct baseline *b)
{
	for (size_t op = 0; op < op_count; op++) {
		for (size_t f = 0; f < fault_count; f++) {
			if (cell_excuse(op, f) ||
			    (s->few && run->thin && (int)(op + f) % s->few != keys))
				continue;
			for (unsigned long n = 1; n <= places_of(s, keys) && n <= b->ops[op]; n++)
				fault_case(run, s, keys, op, f, (int)n);
		}
	}
}

/* ---- the process ---------------------------------------------------------------------------- */

static void crash_cases(struct run *run, const struct scenario *s, int keys,
			const struct baseline *b)
{
	/* With account keys a life has the same calls except those for the lease's key. */
	for (long k = 1; k <= b->points; k++) {
		for (int power = 0; power <= 1; power++) {
			struct one one = one_new(power ? GROUP_POWER : GROUP_CRASH, s, keys);

			snprintf(one.name, sizeof(one.name), "%s/%s/%s/%ld",
				 power ? "power" : "crash", s->name, keys_name(keys), k);
			one.crash_at = k;
			/* Every fifth case crashes again soon after the restart. */
			one.crash_again = k % 5 == 0 ? 1 + k % 7 : 0;
			one.power = power ? (int)k + 1 : 0;
			if (is_thin(run, s, k, b->points, keys, power ? 3 : 1 + keys))
				continue;
			if (one_is_mine(run, one.name))
				one_run(run, &one);
		}
	}
}

/* ---- the disk ---------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum vfs_op op;
	int code;
	int for_good;
} disks[] = {
	{ "write-error", VFS_WRITE, SQLITE_IOERR_WRITE, 0 },
	{ "write-error-stays", VFS_WRITE, SQLITE_IOERR_WRITE, 1 },
	{ "full", VFS_WRITE, SQLITE_FULL, 1 },
	{ "sync-error", VFS_SYNC, SQLITE_IOERR_FSYNC, 0 },
	{ "sync-error-stays", VFS_SYNC, SQLITE_IOERR_FSYNC, 1 },
	{ "cut-at-write", VFS_WRITE, VFS_POWER_CUT, 0 },
	{ "cut-at-sync", VFS_SYNC, VFS_POWER_CUT, 0 },
};

static void disk_cases(struct run *run, const struct scenario *s, int keys,
			const struct baseline *b)
{
	for (size_t d = 0; d < sizeof(disks) / sizeof(disks[0]); d++) {
		long most = disks[d].op == VFS_SYNC ? b->syncs : b->writes;

		for (long k = 1; k <= most; k++) {
			struct one one = one_new(GROUP_STORE, s, keys);

			if (is_thin(run, s, k, most, (long)d + keys, disks[d].op == VFS_SYNC ? 2 : 40))
				continue;
			snprintf(one.name, sizeof(one.name), "store/%s/%s/%s/%ld", s->name,
				 keys_name(keys), disks[d].name, k);
			one.vfs = (struct vfs_fault){ .op = disks[d].op, .nth = k,
						      .code = disks[d].code,
						      .for_good = disks[d].for_good,
						      .seed = (uint32_t)k };
			if (one_is_mine(run, one.name))
				one_run(run, &one);
		}
	}
}

/* ---- what happens around it ------------------------------------------------------------------ */

static enum group group_of(enum act act)
{
	return act <= ACT_CANCEL ? GROUP_CLIENT : act <= ACT_HOUR_BACK ? GROUP_CLOCK : GROUP_RESTART;
}

static void act_cases(struct run *run, const struct scenario *s, int keys, const struct baseline *b)
{
	for (int act = ACT_DELETE; act < ACT_RESTORE; act++) {
		for (long k = 1; k <= b->events; k++) {
			struct one one = one_new(group_of((enum act)act), s, keys);

			if (is_thin(run, s, k, b->events, act + keys, one.group == GROUP_CLIENT ? 2 : 4))
				continue;
			snprintf(one.name, sizeof(one.name), "%s/%s/%s/%s/%ld", group_name(one.group),
				 s->name, keys_name(keys), act_name((enum act)act), k);
			one.plan = (struct plan){ .act = (enum act)act, .event = k };
			/* I5: the calls that fifty crashes may cost. */
			if (act == ACT_CRASH_LOOP)
				one.calls_most = b->calls + 50 * 3 + 60;
			if (one_is_mine(run, one.name))
				one_run(run, &one);
		}
	}
}

/* The process crashes soon after a client's request is committed. */
static void client_crash_cases(struct run *run, const struct scenario *s, int keys,
			       const struct baseline *b)
{
	for (int act = ACT_DELETE; act <= ACT_CANCEL; act++) {
		for (long k = 1; k <= b->events; k++) {
			struct one one = one_new(GROUP_CLIENT_CRASH, s, keys);
			long after = 1 + (k / 2) % 4;

			if (is_thin(run, s, k, b->events, act + keys, 3))
				continue;
			snprintf(one.name, sizeof(one.name), "client-crash/%s/%s/%s/%ld", s->name,
				 keys_name(keys), act_name((enum act)act), k);
			one.plan = (struct plan){ .act = (enum act)act, .event = k,
						  .crash_after = after };
			if (one_is_mine(run, one.name))
				one_run(run, &one);
		}
	}
}

static void restore_cases(struct run *run, const struct scenario *s, int keys,
			  const struct baseline *b)
{
	static const long later[] = { 3, 11, 40 };

	for (long k = 1; k < b->events; k++) {
		for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
			struct one one = one_new(GROUP_RESTORE, s, keys);

			if (k + later[i] > b->events || is_thin(run, s, k, b->events, (long)i + keys, 4))
				continue;
			snprintf(one.name, sizeof(one.name), "restore/%s/%s/%ld/%ld", s->name,
				 keys_name(keys), k, k + later[i]);
			/* Every fourth is put in the place of the file while the broker uses it. */
			one.plan = (struct plan){ .act = k / 4 % 4 == 2 ? ACT_FILE_REPLACED :
									  ACT_RESTORE,
						  .event = k + later[i],
						  .saved_at = k };
			/* Every other case has hours without a broker, in which leases expire. */
			one.plan.down_ms = (k / 4) & 1 ? 3 * HOUR : 0;
			if (one_is_mine(run, one.name))
				one_run(run, &one);
		}
	}
}

/* ---- all --------------------------------------------------------------------------------- */

/* No faults; a second, identical run must have the same trace (I19). */
static void healthy_cases(struct run *run, const struct scenario *s, int keys)
{
	struct one one = one_new(GROUP_HEALTHY, s, keys);
	struct one again = one_new(GROUP_TWICE, s, keys);
	uint32_t first;

	snprintf(one.name, sizeof(one.name), "healthy/%s/%s", s->name, keys_name(keys));
	if (one_is_mine(run, one.name))
		one_run(run, &one);
	snprintf(again.name, sizeof(again.name), "twice/%s/%s", s->name, keys_name(keys));
	if (!one_is_mine(run, again.name))
		return;
	again.crash_chance = 600;
	again.seed = 7;
	again.rules[again.rule_count++] = "{\"match\":{},\"probability\":0.1,\"count\":\"always\","
					  "\"fault\":{\"kind\":\"lost\"}}";
	one_run(run, &again);
	first = run->totals->trace;
	one_run(run, &again);
	if (first == run->totals->trace)
		return;
	printf("FAILED %s: I19: two identical runs differ\n", again.name);
	run->totals->failed[GROUP_TWICE]++;
}

void cases_run(struct run *run)
{
	for (size_t i = 0; i < scenario_count; i++) {
		for (int keys = 0; keys <= 1; keys++) {
			const struct scenario *s = &scenarios[i];
			struct baseline b;

			baseline_take(run, s, keys, &b);
			if (run->verbose)
				printf("baseline %s %s: %ld points, %ld events, %ld calls, %ld writes, "
				       "%ld syncs\n", s->name, keys_name(keys), b.points, b.events,
				       b.calls, b.writes, b.syncs);
			healthy_cases(run, s, keys);
			crash_cases(run, s, keys, &b);
			if (s->only_crashes)
				continue;
			fault_cases(run, s, keys, &b);
			disk_cases(run, s, keys, &b);
			act_cases(run, s, keys, &b);
			client_crash_cases(run, s, keys, &b);
			restore_cases(run, s, keys, &b);
		}
	}
}
