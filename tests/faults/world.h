/* SPDX-License-Identifier: MIT */
/*
 * One world of the fault harness: the driver of the engine's core (tests/driver), the built
 * Hetzner plugin in the real host, a real store on a file, and the simulated cloud, all on
 * one thread under one virtual clock. Faults on the wire are applied to the outcome
 * that the plugin receives.
 *
 * The cloud is the authority on what exists. Rules that must always hold are checked
 * at each request and each event of the cloud (truth.c) and at each commit (watch.c).
 * The first violation is recorded and fails the case.
 *
 * A crash is a longjmp at a numbered point: the core, the account and the step are
 * abandoned as they are, the store's files are copied as they are, and a new core
 * starts on the copy.
 *
 * world.c    the world itself: crashes, restarts, time, and administration of the cloud
 * wire.c     converts a response, with its faults on the wire, to a client's outcome
 * truth.c    what exists, and which requests are allowed
 * watch.c    what may be committed
 * promises.c what may be recorded of resources and retained leases
 * inventory.c  what a sweep may conclude and delete
 * doubt.c    what may be sent after a lost response
 * client.c   what clients request, and which responses they may receive
 * inject.c   what happens at the k-th event
 * disk.c     a full disk
 * pruning.c  which leases may be pruned
 * check.c    what must hold at the end
 */
#pragma once

#include <setjmp.h>
#include <stdint.h>

#include "sim/cloud.h"
#include "driver/driver.h"
#include "vfs.h"

#define LEASES_MAX 4
#define LEASES_CAP 2 /* the broker's limit on leases */
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define SETTLE_MS MINUTE   /* the settling time */
#define GRACE_MS HOUR	   /* the sweep's grace period */
#define KEEP_MS (6 * HOUR) /* how long ended leases are kept */

struct pending_effect {
	int64_t at_ms;
	uint64_t ticket;
};

/* What happens to the broker or its surroundings at one event of a case. */
#define ACTS(X)                                       \
	X(ACT_NONE, "none")                           \
	X(ACT_DELETE, "release")                      \
	X(ACT_KEEP, "keep")                           \
	X(ACT_HEARTBEAT, "heartbeat")                 \
	X(ACT_AGAIN, "create-again")                  \
	X(ACT_CANCEL, "cancel")                       \
	X(ACT_HOUR, "clock+1h")                       \
	X(ACT_DECADE, "clock+10y")                    \
	X(ACT_HOUR_BACK, "clock-1h")                  \
	X(ACT_ACCOUNT_GONE, "account-gone")           \
	X(ACT_OTHER_PROJECT, "other-project-restart") \
	X(ACT_OTHER_PROJECT_LIVE, "other-project")    \
	X(ACT_REVOKED, "token-revoked")               \
	X(ACT_READONLY, "token-readonly")             \
	X(ACT_CRASH_LOOP, "crash-loop")               \
	X(ACT_FILE_MOVED, "file-moved")               \
	X(ACT_START_DAY, "start+1d")                  \
	X(ACT_START_YEAR, "start+365d")               \
	X(ACT_START_DAY_BACK, "start-1d")             \
	X(ACT_DISK_FULL, "disk-full")                 \
	X(ACT_RESTORE, "older-store")                 \
	X(ACT_FILE_REPLACED, "older-store-live")

enum act {
#define X(name, text) name,
	ACTS(X)
#undef X
	ACT_COUNT
};
const char *act_name(enum act act);

struct plan {
	enum act act;
	long event;	  /* the event at which it happens */
	long saved_at;	  /* ACT_RESTORE, ACT_FILE_REPLACED: the event at which the copy is made */
	int64_t down_ms;  /* ACT_RESTORE: how long no broker runs */
	long crash_after; /* crash this many points later; 0: never */
};

/* What the checks know of a lease. */
struct known {
	char id[24];
	int64_t queue_ms;	/* its create may wait so long for capacity */
	int acked;		/* a create was acknowledged */
	int canceled;		/* a cancel arrived before its create */
	int cancel_asked;	/* a cancel was requested at all */
	int ended;		/* a release was acknowledged */
	int delete_asked;	/* an explicit delete was requested since it was last retained */
	int kept;		/* retained, as committed */
	int was_kept;
	int is_protected;	/* committed as protected, and no delete requested since */
	int was_active;		/* so a complete read of its server happened */
	int64_t touched_ms;	/* wall clock of the last acknowledged heartbeat */
	/* the row as last committed */
	int seen;
	struct lease row;
	int64_t expired_ms; /* true time of its deadline, if it expired */
	int is_pruned;
	/* creates with an unknown outcome */
	struct doubt {
		int is_open; /* sent; no response refused it, no commit has its id */
		int ids;     /* the number of ids in the ledger when it was sent */
		/* complete observations since then, each in a step of its own */
		int looks;
		int64_t first_ms, last_ms;
		int64_t out_ms; /* when it could last be in flight */
		/* the running observation: were all pages read so far, are there more */
		long step;
		int is_whole, more;
		int64_t at_ms;
	} doubts[2];		/* of servers, of keys */
	/* the last request of one of its steps */
	uint32_t last_request;
	int64_t last_request_ms;
};

struct made {
	enum cloud_kind kind;
	int64_t id;
	char lease[24];
	char name[64];
	int by_us, alive;
	int edited;		/* by a person: a store without its row cannot prove it ours */
	int relabelled;		/* by a person: it cannot be proven ours */
	int elsewhere;		/* created in another project: invisible here */
	int deletes;		/* requested by us */
	int is_newer_than_store; /* created after the restored copy was made */
	int is_given_up;	 /* observed for long enough, and never shown */
	int is_pruned;		 /* so is its lease */
	int given_back;		 /* deleted, and back with the same id */
	int was_read;		 /* a complete read by id: its address is known */
	int protected_by_person;
	int64_t made_ms;
	/* in the lists of consecutive sweeps */
	int sights;
	int64_t first_sight_ms, last_sight_ms, sight_sweep_ms;
};

struct world {
	const char *folder;
	struct driver d; /* core, store, clock and steps */
	int life;
	int keys_per_account;
	struct provider *provider;
	struct cloud *cloud;
	struct pending_effect late[16]; /* requests that timed out, executed later */
	size_t late_count;

	/* crash enumeration */
	long points;			/* number passed so far in this world */
	long crash_at;			/* 0: never */
	const char *crashed_at;		/* name of the point */
	long crash_again;		/* crash again this many points after the first; 0: not */
	long loop_left;			/* remaining crashes, each a second after the start */
	uint32_t crash_chance;		/* out of 2^16, at each point */
	jmp_buf crashed;
	int may_crash; /* the running code may be left by longjmp */
	int restarts;

	/* events, and the plan for them */
	long events;
	struct plan plan;
	int acted;
	void (*undo)(struct world *w);
	int64_t undo_at_ms;
	int sweep_deletes;
	int may_fail;	 /* a lease may be refused permanently ... */
	int may_be_late; /* ... or miss its deadline because of many faults */
	int comes_back;	 /* resources proven gone may reappear */
	int lies;	 /* deletes do nothing, and reads deny existing resources */
	int account_gone, outage, project_moved, moved_live, jumped, restored, disturbed;
	int clock_wrong; /* since a start; the provider's Date shows the true time */
	int taken_over;	 /* an operator took the account over */
	int64_t loop_next_ms;
	int file_gone;	  /* the database is no longer where the broker opened it */
	int restore_from; /* the next life starts on the saved copy ... */
	int64_t down_ms;  /* ... this long after the last one */

	/* the store's disk */
	int store_faults;  /* a store error restarts the broker */
	int power;	   /* seed + 1: a crash loses unsynced writes; 0: not */
	int inside_sqlite; /* left by longjmp: do not touch the connection */
	int store_failures;

	struct known leases[LEASES_MAX];
	size_t lease_count;
	struct made *made;
	size_t made_count;
	int creates;			/* servers made by us */
	int orphans;			/* reported by the sweep */
	int used_again;			/* ids of pruned leases */
	long calls;			/* requests to the provider */
	long most_in_window;		/* most calls within five minutes */
	int64_t window[4096];		/* ring of call times */
	int64_t not_before_ms;		/* no request before, after a 429 */
	int is_pause_said;
	int is_asking;			/* a request is under way */
	int is_pause_kept;		/* the broker committed the pause of the 429 */
	int64_t jumped_ms;		/* the last jump of the wall clock */
	int64_t made_id;		/* the id in the step's create response */
	long made_step;
	int64_t healed_ms, converged_ms; /* faults removed; all leases finished */
	struct {
		char method[8], target[160];
		long step;
		int64_t at_ms;
		int verified; /* an exact read that proved the resource ours */
	} last;
	/* the running sweep: wall clock, as committed; its lists so far */
	int64_t sweep_begun_ms, sweep_done_ms;
	int list_failed, list_ends;
	uint32_t trace; /* hash of everything that happened */
	char violation[320];
};

/* `scenario` is JSON for cloud_load, or NULL. `folder` must exist and be empty. */
void world_begin(struct world *w, const char *folder, struct provider *provider,
		 int keys_per_account, uint32_t seed, const char *scenario);
void world_end(struct world *w);
/* Creates the new store of which every world starts with a copy. Call once per folder. */
void world_template(const char *folder);

/* Advances virtual time by `ms` and runs everything due in it. */
void world_pass(struct world *w, int64_t ms);
/* The same until the condition holds: 0; or `ms` have passed: -1. */
int world_until(struct world *w, int64_t ms, int (*met)(struct world *w, size_t lease),
		size_t lease);
void world_faults(struct world *w, const char *json);	/* adds rules */
void world_heal(struct world *w);			/* removes all rules */
size_t world_faults_pending(struct world *w);
/* A person does this to a server in the console. `more`: JSON members, or "". */
void world_human(struct world *w, const char *verb, int64_t id, const char *more);
/* A person changes the value of one label of a server. */
void world_relabel(struct world *w, int64_t id, const char *key, const char *value);
/* Any request to the simulator's administration. */
void world_admin(struct world *w, const char *method, const char *target, const char *body);

/* ---- requests of clients (client.c) ---- */

void world_create(struct world *w, size_t lease, int64_t ttl_ms, int64_t idle_ms);
void world_release(struct world *w, size_t lease, int delete_machine);
void world_heartbeat(struct world *w, size_t lease);
void world_cancel(struct world *w, size_t lease);
/* An operator takes the account over: this store is the newest one. */
void world_take_over(struct world *w);
/* Another owner sends every kind of request for the lease. */
void world_stranger_asks(struct world *w, size_t lease);
/* A create that waits for capacity at the limit, two hours at most. */
void world_create_waiting(struct world *w, size_t lease, int64_t ttl_ms, int64_t idle_ms);
/* Repeats the create. */
void world_create_again(struct world *w, size_t lease);
int world_lease(struct world *w, size_t lease, struct lease *ret);

/* Removes all faults, lets hours pass, and checks. Returns NULL or what is wrong. */
const char *world_conclude(struct world *w);

/* ---- between the files ---- */

void violate(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void trace(struct world *w, const void *data, size_t len);
void world_advance(struct world *w, int64_t ms);
void world_point(struct world *w, const char *name);
/* Crashes: leaves the running code. Does nothing where may_crash is 0. */
void world_crash(struct world *w, const char *where);
void world_reborn(struct world *w);	/* after the longjmp */
/* A regular stop and start; `between` changes the database meanwhile. */
void world_restart(struct world *w, void (*between)(const char *path));
void world_event(struct world *w);	/* inject.c */
void world_undo(struct world *w);	/* ends the plan's act now */
void wire_judge(struct world *w, const struct env_http_request *request, struct cloud_response *r,
		struct env_http_response *answer);
struct made *made_find(struct world *w, enum cloud_kind kind, int64_t id);	/* NULL: none */
void truth_event(void *arg, const struct cloud_event *e);
void truth_asks(struct world *w, const struct env_http_request *request);
void truth_answered(struct world *w, const struct env_http_request *request,
		    const struct env_http_response *answer);
void doubt_asks(struct world *w, const char *method, const char *target);
void doubt_answered(struct world *w, const char *method, const char *target,
		    const struct env_http_response *answer);
/* Was it observed for as long as required, and never shown? */
int doubt_is_settled(struct world *w, const struct made *m);
void doubt_committed(struct world *w);
void inventory_answered(struct world *w, const struct step *step,
			const struct env_http_response *answer);
void inventory_committed(struct world *w);
/* The store is now an older copy. */
void inventory_restored(struct world *w, struct store *store);
void inventory_deletes(struct world *w, const struct made *m);
int lease_index(const struct world *w, const char *id);
void watch_commit(struct world *w);
/* The lease is no longer stored. 1: it was pruned. */
int pruning_noticed(struct world *w, struct known *k);
/* The lease exists anew, with the id of one that was pruned. */
void pruning_again(struct world *w, struct known *k);
/* Does a server of its pruned namesake have the name of its own, unseen? */
int pruning_hides(struct world *w, const struct known *k);
/* At the end: what was pruned is still counted. */
void pruning_check(struct world *w);
/* A lease's rows were committed; `was_protected`: they already were reported as protected. */
void promises_committed(struct world *w, const struct lease *l, int was_protected);
/* A no-delete release was acknowledged. */
void promises_kept(struct world *w, const struct lease *l);
/* A server's protection was switched on or off. */
void promises_protection(struct world *w, const struct cloud_event *e, int by_broker);
/* A step's claim was answered. */
void watch_leave(struct world *w, const struct step *step, const struct lease_claim *what);
/* Checks that a start finds what was committed last. */
void watch_start(struct world *w, struct store *store);
void world_jump(struct world *w, int64_t ms);	/* the wall clock */
/* disk.c: a disk that is full for a while, in the cases that are about it. */
void disk_play(struct world *w);
int disk_is_played(const struct world *w);
int disk_is_full(void);
void disk_fill(void);
void disk_empty(struct world *w);
/* A new life, on copies of the files; the reserve goes along. */
void disk_reborn(struct world *w, const char *old);
void disk_committed(struct world *w);
/* Does the provider send a Date? Without one, a clock that was set is trusted after a while. */
int world_has_date(const struct world *w);
/* Before a life ends: puts the database back where an act moved it from. */
void world_file_back(struct world *w);
/* Copies the store's files as they are now, including the WAL. */
void world_store_copy(const char *from, const char *to);
