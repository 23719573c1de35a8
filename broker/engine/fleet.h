/* SPDX-License-Identifier: MIT */
/*
 * The engines of a daemon, as the other rooms see them. On a store that belongs to this daemon
 * alone there is one engine for all accounts. On one that several daemons share, each account has
 * an engine of its own, with a connection of its own: it serves the account while this daemon owns
 * it (owner.h), and refuses requests with `account_moving` while it does not.
 */
#pragma once

#include "engine/engine.h"
#include "engine/owner.h"

struct fleet;

/*
 * As engine_new. `owners`: the store is shared; config->store is then used to begin with, and
 * closed. Borrowed until fleet_free, with what it points to. NULL: it is this daemon's.
 */
int fleet_new(const struct engine_config *config, const struct owner_config *owners,
	      struct fleet **ret, struct err *err);

/* ---- any thread; as the function of engine.h ---- */

/* A request for all accounts is split, if all of them are this daemon's. */
void fleet_submit(struct fleet *fleet, struct engine_request *request);
void fleet_hurry(struct fleet *fleet, unsigned count);
void fleet_set_limits(struct fleet *fleet, const struct engine_limits *limits);
uint64_t fleet_queue_version(const struct fleet *fleet);
/* The worst of all. */
enum store_state fleet_store_state(const struct fleet *fleet);
void fleet_reload(struct fleet *fleet);
/* All of them. */
int fleet_is_moving(const struct fleet *fleet, int64_t within_ms);

/* Has each account an engine of its own? Then requests name the account (engine_request.account). */
int fleet_is_split(const struct fleet *fleet);
/* Requests wait for an owner of the account: if it is free, this daemon takes it sooner. */
void fleet_seek(struct fleet *fleet, const char *account);
/* Does this daemon own the account now? */
int fleet_owns(const struct fleet *fleet, const char *account);
struct fleet_account {
	const char *account;
	int is_owner;	  /* and if so: */
	int64_t epoch;	  /* of the claim; 0: the store is not shared */
	int64_t since_ms; /* wall clock */
};
typedef void (*fleet_account_fn)(void *arg, const struct fleet_account *account);
void fleet_each(const struct fleet *fleet, fleet_account_fn fn, void *arg);

/* How long the work of all engines and their leases took; valid until fleet_free. */
const struct engine_timings *fleet_timings(const struct fleet *fleet);

void fleet_stop(struct fleet *fleet, int64_t grace_ms);
void fleet_free(struct fleet *fleet);
