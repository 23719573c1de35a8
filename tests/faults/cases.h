/* SPDX-License-Identifier: MIT */
/*
 * What the harness runs: scenarios (the requests of clients over time), kinds of
 * faults, and the enumeration of cases over both.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "world.h"

struct scenario {
	const char *name;
	void (*run)(struct world *w);
	const char *cloud;	/* the cloud's initial state as JSON, or NULL */
	int paired;		/* takes part in pairs of faults */
	int only_crashes;	/* crashes only: `life` covers the other faults */
	int few;		/* CI runs one in this many points and kinds; 0: all */
};
extern const struct scenario scenarios[];
extern const size_t scenario_count;

struct fault {
	const char *name;
	const char *json;  /* the fault rule, without the braces */
	int paired;	   /* represents its class in pairs */
	const char *where; /* the operations that it affects; NULL: all */
	/* 1: it may cost a lease its machine; 2: only if it occurs repeatedly. */
	int may_fail;
};
extern const struct fault faults[];
extern const size_t fault_count;
#define FAULTS_MAX 96

#define OPS_MAX 20
extern const char *const ops[];
extern const size_t op_count;

/* Does the rule contain a fault that may make a lease fail? */
int rule_may_fail(const char *json);

/* Why a fault cannot occur in an operation; NULL: it can, and some case must inject it. */
const char *cell_excuse(size_t op, size_t fault);

/* Counts from a run of a scenario without faults: the points that cases can use. */
struct baseline {
	unsigned long ops[OPS_MAX];
	long points, events, writes, syncs, calls;
};

#define GROUPS(X) \
	X(GROUP_HEALTHY, "healthy") \
	X(GROUP_FAULT, "fault") \
	X(GROUP_CRASH, "crash") \
	X(GROUP_POWER, "power") \
	X(GROUP_STORE, "store") \
	X(GROUP_CLIENT, "client") \
	X(GROUP_CLIENT_CRASH, "client-crash") \
	X(GROUP_CLOCK, "clock") \
	X(GROUP_RESTART, "restart") \
	X(GROUP_RESTORE, "restore") \
	X(GROUP_PAIR, "pair") \
	X(GROUP_FAULT_CRASH, "fault-crash") \
	X(GROUP_SEED, "seed") \
	X(GROUP_TWICE, "twice")

enum group {
#define X(name, text) name,
	GROUPS(X)
#undef X
	GROUP_COUNT
};
const char *group_name(enum group group);

#define POINTS_MAX 16

/* In memory that the children share with the parent. */
struct totals {
	long cases[GROUP_COUNT], failed[GROUP_COUNT], met[GROUP_COUNT];
	long acts[ACT_COUNT];
	struct {
		char name[24];
		long count;
	} points[POINTS_MAX];		  /* crashes by point */
	long matrix[OPS_MAX][FAULTS_MAX]; /* injected */
	long planned[OPS_MAX][FAULTS_MAX], tried[OPS_MAX][FAULTS_MAX];
	long attention, calls, most_calls, most_window, orphans;
	int64_t longest_ms;
	char most_calls_name[160], longest_name[160];
	uint32_t trace; /* the trace hash of the last case */
};

/* upgrade.c: a lease's life across an upgrade of the database. */
void upgrade_run(struct world *w);

/* The options of the run. */
struct run {
	struct provider *provider;
	const char *folder;
	const char *only;
	int verbose;
	int shard, shards;
	int thin; /* thinning factor, see is_thin; 0: run every point */
	long pairs_thin;
	long seed_from, seed_to;
	long numbered;
	struct totals *totals;
};

/* One case. It runs in a child process, so that it cannot affect others. */
struct one {
	enum group group;
	char name[160];
	const struct scenario *scenario;
	int keys;
	uint32_t seed;
	const char *rules[12];		/* JSON of fault rules */
	size_t rule_count;
	long cell_op, cell_fault;	/* -1: none */
	long crash_at, crash_again;
	uint32_t crash_chance;
	int power;			/* seed + 1 */
	struct plan plan;
	struct vfs_fault vfs;		/* nth 0: none */
	long calls_most;		/* 0: not checked */
};
void one_run(struct run *run, struct one *one);
/* Does the case belong to this shard, or match --only? */
int one_is_mine(struct run *run, const char *name);

void baseline_take(struct run *run, const struct scenario *s, int keys, struct baseline *ret);
void cases_run(struct run *run);
void pairs_run(struct run *run);
void seeds_run(struct run *run);
