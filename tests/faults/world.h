/* SPDX-License-Identifier: MIT */
/*
 * One world of the fault harness: the driver of the engine's core (tests/driver), the built
 * Hetzner plugin in the real host, a real store on a file, and the simulated cloud, all on
 * one thread under one virtual clock. What the wire does to an answer is done here
 * to the outcome that the plugin sees.
 *
 * The cloud knows the truth. Rules that hold at every instant are checked at the
 * instant of each request, each event of the cloud (truth.c) and each commit
 * (watch.c); a broken one is written down as the world's violation (the first
 * one counts).
 *
 * A crash is a longjmp out of whatever ran, at a numbered point: the core, the
 * account and the step are abandoned as they are, the store's files are taken as
 * they lie there, and a new core begins on them.
 *
 * world.c    the world itself: crashes, restarts, time, and the cloud's own side
 * wire.c     what a client on the other end makes of an answer
 * truth.c    what exists, and what may be asked
 * watch.c    what may be committed
 * promises.c what is said of rows and of what is kept
 * inventory.c  what a sweep may conclude and take
 * doubt.c    what may be sent after a lost answer
 * client.c   what clients ask for, and which answers they may get
 * inject.c   what happens at the k-th event
 * check.c    what must hold at the end
 */
#pragma once

#include <setjmp.h>
#include <stdint.h>

#include "sim/cloud.h"
#include "driver/driver.h"
#include "vfs.h"

#define LEASES_MAX 4
#define LEASES_CAP 2		/* the broker's limit */
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define SETTLE_MS MINUTE		/* so long a lost create is looked for */
#define GRACE_MS HOUR		/* the sweep's */

struct pending_effect {
	int64_t at_ms;
	uint64_t ticket;
};

/* What happens to the broker or around it, at one event of a case. */
#define ACTS(X) \
	X(ACT_NONE, "none") \
	X(ACT_DELETE, "release") \
	X(ACT_KEEP, "keep") \
	X(ACT_HEARTBEAT, "heartbeat") \
	X(ACT_AGAIN, "create-again") \
	X(ACT_CANCEL, "cancel") \
	X(ACT_HOUR, "clock+1h") \
	X(ACT_DECADE, "clock+10y") \
	X(ACT_HOUR_BACK, "clock-1h") \
	X(ACT_ACCOUNT_GONE, "account-gone") \
	X(ACT_OTHER_PROJECT, "other-project-restart") \
	X(ACT_OTHER_PROJECT_LIVE, "other-project") \
	X(ACT_REVOKED, "token-revoked") \
	X(ACT_READONLY, "token-readonly") \
	X(ACT_CRASH_LOOP, "crash-loop") \
	X(ACT_RESTORE, "older-store")

enum act {
#define X(name, text) name,
	ACTS(X)
#undef X
	ACT_COUNT
};
const char *act_name(enum act act);

struct plan {
	enum act act;
	long event;		/* at which it happens */
	long saved_at;		/* ACT_RESTORE: at which the copy was made */
	int64_t down_ms;	/* ACT_RESTORE: so long no broker runs */
	long crash_after;	/* so many points after it the process dies; 0: not */
};

/* What the checks know of a lease. */
struct known {
	char id[24];
	int acked;		/* a create was answered with yes */
	int canceled;		/* a cancel came before it was there */
	int cancel_asked;	/* one came at all */
	int ended;		/* a release was answered with yes */
	int delete_asked;	/* an explicit delete was sent since it was last kept */
	int kept;		/* retained, as committed */
	int was_kept;
	int is_protected;	/* said to be, by a commit, and no delete was asked for since */
	int was_active;		/* so its server was read, whole */
	int64_t touched_ms;	/* wall clock of the last acknowledged heartbeat */
	/* the row as last committed */
	int seen;
	struct lease row;
	int64_t expired_ms;	/* true time at which its time was over, if it expired */
	/* creates whose outcome nobody knows */
	struct doubt {
		int is_open;		/* it was sent; no answer said no, no commit names its id */
		int ids;		/* so many ids the ledger named by then */
		/* complete looks for it since then, each a step of its own */
		int looks;
		int64_t first_ms, last_ms;
		int64_t out_ms;		/* until then it may have been on its way */
		/* the one that runs: all pages read so far, and the last one was not the end */
		long step;
		int is_whole, more;
		int64_t at_ms;
	} doubts[2];		/* of servers, of keys */
	/* the last request of a step for it */
	uint32_t last_request;
	int64_t last_request_ms;
};

struct made {
	enum cloud_kind kind;
	int64_t id;
	char lease[24];
	char name[64];
	int by_us, alive;
	int edited;		/* by a person: a store that does not know it cannot prove it ours */
	int relabelled;		/* by a person: nobody can prove it ours */
	int elsewhere;		/* made in another project: nobody can see it here */
	int deletes;		/* requested by us */
	int is_newer_than_store; /* the store is older than its making */
	int is_given_up;	/* looked for long enough, and never shown */
	int given_back;		/* deleted by a person, and back */
	int was_read;		/* by its exact id, whole: its address is known */
	int protected_by_person;
	int64_t made_ms;
	/* in the sweeps' lists, without a gap */
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
	struct pending_effect late[16];	/* requests the client gave up on, executed later */
	size_t late_count;

	/* crash enumeration */
	long points;			/* passed so far in this world */
	long crash_at;			/* 0: never */
	const char *crashed_at;		/* name of the point */
	long crash_again;		/* after the first crash, at so many points more; 0: not */
	long loop_left;			/* crashes to come, each a second after the start */
	uint32_t crash_chance;		/* out of 2^16, at each point */
	jmp_buf crashed;
	int may_crash;			/* inside a region that can be left */
	int restarts;

	/* events, and what is to happen */
	long events;
	struct plan plan;
	int acted;
	void (*undo)(struct world *w);
	int64_t undo_at_ms;
	int sweep_deletes;
	int may_fail;			/* something may refuse a machine for good ... */
	int may_be_late;		/* ... or so much goes wrong that none is ready in time */
	int comes_back;			/* what was proven gone may be there again */
	int lies;			/* deletes that do nothing, and reads that deny what is there */
	int account_gone, outage, project_moved, moved_live, jumped, restored, disturbed;
	int taken_over;			/* by an operator who looked */
	int64_t loop_next_ms;
	int restore_from;		/* the next life begins with the saved copy ... */
	int64_t down_ms;		/* ... and so long after the last one */

	/* the store's disk */
	int store_faults;		/* an error of the store is a reason to restart */
	int power;			/* a crash loses what was not synced; seed + 1 */
	int inside_sqlite;		/* left from in there: its connection is not to be touched */
	int store_failures;

	struct known leases[LEASES_MAX];
	size_t lease_count;
	struct made *made;
	size_t made_count;
	int creates;			/* servers made by us */
	int orphans;			/* left, and reported by the sweep */
	long calls;			/* requests to the provider */
	long most_in_window;		/* most calls within five minutes */
	int64_t window[4096];		/* ring of call times */
	int64_t not_before_ms;		/* a 429 said so, or nothing of use */
	int is_pause_said;
	int is_asking;			/* a request is under way */
	int is_pause_kept;		/* and the broker has committed since, and looked at the clock */
	int64_t jumped_ms;			/* the last time that the wall clock did */
	int64_t made_id;			/* by this step, as its answer said */
	long made_step;
	int64_t healed_ms, converged_ms;	/* when all was as it should be again */
	struct {
		char method[8], target[160];
		long step;
		int64_t at_ms;
		int verified;		/* an exact read that showed exactly ours */
	} last;
	/* the sweep that runs: wall clock, as committed; of its lists' answers so far */
	int64_t sweep_begun_ms, sweep_done_ms;
	int list_failed, list_ends;
	uint32_t trace;			/* hash of all that happened */
	char violation[320];
};

/* `scenario` is JSON for cloud_load, or NULL. `folder` must be empty and exist. */
void world_begin(struct world *w, const char *folder, struct provider *provider,
		 int keys_per_account, uint32_t seed, const char *scenario);
void world_end(struct world *w);
/* Makes the new store that every world begins with a copy of. Once in a folder. */
void world_template(const char *folder);

/* Lets `ms` of virtual time pass, with everything that happens in it. */
void world_pass(struct world *w, int64_t ms);
/* The same until the condition holds; 0 when it does, -1 when `ms` were over. */
int world_until(struct world *w, int64_t ms, int (*met)(struct world *w, size_t lease),
		size_t lease);
void world_faults(struct world *w, const char *json);	/* adds rules */
void world_heal(struct world *w);			/* removes all rules */
size_t world_faults_pending(struct world *w);
/* A person in the console does that to a server. `more`: JSON members, or "". */
void world_human(struct world *w, const char *verb, int64_t id, const char *more);
/* The same: one label of a server gets another value, the others stay. */
void world_relabel(struct world *w, int64_t id, const char *key, const char *value);
/* Any request to the cloud's own administration. */
void world_admin(struct world *w, const char *method, const char *target, const char *body);

/* ---- what clients ask for (client.c) ---- */

void world_create(struct world *w, size_t lease, int64_t ttl_ms, int64_t idle_ms);
void world_release(struct world *w, size_t lease, int delete_machine);
void world_heartbeat(struct world *w, size_t lease);
void world_cancel(struct world *w, size_t lease);
/* An operator has looked, and says that this store is the newest one. */
void world_take_over(struct world *w);
/* Somebody else asks for all that may be asked of that lease. */
void world_stranger_asks(struct world *w, size_t lease);
/* The create once more, as it was. */
void world_create_again(struct world *w, size_t lease);
int world_lease(struct world *w, size_t lease, struct lease *ret);

/* Heals everything, lets healthy hours pass, and looks: NULL, or what is wrong. */
const char *world_conclude(struct world *w);

/* ---- between the files ---- */

void violate(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void trace(struct world *w, const void *data, size_t len);
void world_advance(struct world *w, int64_t ms);
void world_point(struct world *w, const char *name);
/* Leaves whatever runs, as a dying process does. Does nothing where that cannot be. */
void world_crash(struct world *w, const char *where);
void world_reborn(struct world *w);	/* after the longjmp */
/* In good order, and something happens to the database while nobody has it. */
void world_restart(struct world *w, void (*between)(const char *path));
void world_event(struct world *w);	/* inject.c */
void world_undo(struct world *w);	/* at once what was to come later */
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
/* Was it looked for as long as is asked for, and never shown? */
int doubt_is_settled(struct world *w, const struct made *m);
void doubt_committed(struct world *w);
void inventory_answered(struct world *w, const struct step *step,
			const struct env_http_response *answer);
void inventory_committed(struct world *w);
/* The store is an older one now. */
void inventory_restored(struct world *w, struct store *store);
void inventory_deletes(struct world *w, const struct made *m);
int lease_index(const struct world *w, const char *id);
void watch_commit(struct world *w);
/* A lease's rows, as committed; `was_protected`: it was said so before. */
void promises_committed(struct world *w, const struct lease *l, int was_protected);
/* A no-delete release was answered with yes. */
void promises_kept(struct world *w, const struct lease *l);
/* A server's protection was switched on or off. */
void promises_protection(struct world *w, const struct cloud_event *e, int by_broker);
/* What a step asked for and got an answer to, at the moment of its commit. */
void watch_leave(struct world *w, const struct step *step, const struct lease_claim *what);
/* A start finds what was committed last. */
void watch_start(struct world *w, struct store *store);
void world_jump(struct world *w, int64_t ms);	/* the wall clock */
/* Copies the store's files as they are now, the log included. */
void world_store_copy(const char *from, const char *to);
