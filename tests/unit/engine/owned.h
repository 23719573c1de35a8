/* SPDX-License-Identifier: MIT */
/*
 * An engine with threads on a real file, whose ownership a test takes away: an ownership
 * (engine/ownership.h) over SQLite that is lost when the test says so.
 */
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "driver/driver.h"
#include "engine/engine.h"
#include "engine/ownership.h"

/* On any thread: ends the process unless it is so. */
#define REQUIRE(what)                                                                     \
	do {                                                                              \
		if (!(what)) {                                                            \
			fprintf(stderr, "%s:%d: %s failed\n", __FILE__, __LINE__, #what); \
			abort();                                                          \
		}                                                                         \
	} while (0)

/* How the next loss comes about. */
enum owned_loss {
	LOSS_NONE,
	LOSS_BEFORE_COMMIT, /* the batch is not committed */
	LOSS_IN_COMMIT,	    /* it is, but nobody is told */
	LOSS_AFTER_COMMIT,
	LOSS_AT_RENEWAL,
	LOSS_AND_TAKEN, /* and the next claims fail */
	LOSS_YIELD,
	LOSS_COUNT
};

struct owned {
	char folder[64], path[96];
	struct env env;
	struct engine_ownership ownership;
	struct engine_config config;
	struct engine *engine;

	/* any thread */
	atomic_int loss;       /* enum owned_loss; armed */
	atomic_int commits;    /* that may still pass before it */
	atomic_int losses;     /* that happened */
	atomic_int claims;     /* that succeeded */
	atomic_int looks;      /* of the engine at what it owns */
	atomic_int is_blind;   /* what it owns may be over */
	atomic_int is_taken;   /* somebody else is the owner: claims are refused */
	atomic_int clock_left; /* looks at the monotonic clock until `spun` */
	sem_t spun;
	atomic_llong ahead_ms; /* both clocks, of the real ones */
	atomic_llong wall_ms;  /* the wall clock alone, in addition */
	atomic_llong gap_ms;   /* of the next claim */
	/* called when leases were credited with it; NULL: that is not recorded */
	void (*credited)(struct owned *o);
	sem_t claimed; /* once for each */
	sem_t refused; /* the same, while is_taken */
	/* chooses the next loss after one happened; NULL: there is none */
	void (*next)(struct owned *o);

	/* engine thread */
	struct store *store;
	int64_t renewed_ms, gaps_ms, owed_ms;
	int is_lost, refusals;
	atomic_int must_renew; /* at once; until it is */
	sem_t renewed;	       /* once for each of those */
};

/* Makes the folder and opens nothing. `config` is to be completed before owned_start. */
void owned_make(struct owned *o);
void owned_start(struct owned *o);
void owned_stop(struct owned *o);
void owned_remove(struct owned *o);
/* Has the ownership lost that way, after so many commits. */
void owned_lose(struct owned *o, enum owned_loss how, int commits);
/* Waits for the next claim. */
void owned_claimed(struct owned *o);
/* Both clocks advance. */
void owned_advance(struct owned *o, int64_t ms);

/* A request that counts its answers. */
struct ask {
	struct engine_request request;
	sem_t answered;
	atomic_int is_open;
	int64_t patience_ms; /* of ask_await, and the test fails; 0: a minute */
};

void ask_init(struct ask *a, enum request_kind kind, const char *ref);
/* Submits it and waits for the one answer. */
enum request_result ask_run(struct owned *o, struct ask *a);
void ask_submit(struct owned *o, struct ask *a);
void ask_await(struct ask *a);
int ask_is_moving(const struct ask *a);

/* Waits for the answer, while time passes fast. */
void ask_await_fast(struct owned *o, struct ask *a);

/* Waits for at most a minute. */
void event_await(sem_t *event);
