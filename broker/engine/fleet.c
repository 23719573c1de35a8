/* SPDX-License-Identifier: MIT */
#include "engine/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crash_counts.h"
#include "engine/fleet_join.h"
#include "engine/moving.h"
#include "engine/timings.h"
#include "engine/unserved.h"
#include "store/shards.h"
#include "util/alloc.h"
#include "util/text.h"

struct fleet {
	const struct env *env;
	int is_split;
	struct account **accounts; /* borrowed */
	size_t account_count;
	/* One, or one for each account. */
	struct engine **engines;
	size_t count;
	struct owner **owners;	      /* of split engines */
	struct unserved *unserved;    /* the same */
	const char **names;	      /* of the accounts */
	_Atomic int64_t last_move_ms; /* of any account */
	struct engine_timings *timings;
};

/* ---- begin and end ------------------------------------------------------------------------- */

static int engines_single(struct fleet *fleet, const struct engine_config *config, struct err *err)
{
	if (engine_new(config, &fleet->engines[0], err))
		return -1;
	fleet->count = 1;
	return 0;
}

static int engines_split(struct fleet *fleet, const struct engine_config *config,
			 const struct owner_config *owners, struct err *err)
{
	fleet->is_split = 1;
	for (size_t i = 0; i < config->account_count; i++) {
		struct engine_config part = *config;

		fleet->owners[i] = owner_new(owners, fleet->names[i], &fleet->last_move_ms);
		part.store = NULL;
		part.ownership = owner_ownership(fleet->owners[i]);
		part.is_part = 1;
		part.accounts = &config->accounts[i];
		part.account_count = 1;
		/* The claim checks the database's identity. */
		part.place[0] = '\0';
		part.crash_count = 0;
		part.on_crashes_counted = NULL;
		if (engine_new(&part, &fleet->engines[i], err))
			return -1;
		fleet->count++;
	}
	return 0;
}

static int shared_begin(struct fleet *fleet, const struct engine_config *config,
			const struct owner_config *owners, struct err *err)
{
	int rc = shards_make(config->store, fleet->names, config->account_count, err) ||
		 crash_counts_add(config, err);

	store_close(config->store);
	if (rc)
		return -1;
	if (config->on_crashes_counted)
		config->on_crashes_counted();
	return engines_split(fleet, config, owners, err) ||
			       unserved_new(config, owners, &fleet->unserved, err) ?
		       -1 :
		       0;
}

int fleet_new(const struct engine_config *config, const struct owner_config *owners,
	      struct fleet **ret, struct err *err)
{
	struct fleet *fleet = xcalloc(1, sizeof(*fleet));
	struct engine_config timed = *config;
	size_t room = config->account_count + 1;

	fleet->env = config->env;
	fleet->accounts = config->accounts;
	fleet->account_count = config->account_count;
	fleet->engines = xcalloc(room, sizeof(struct engine *));
	fleet->owners = xcalloc(room, sizeof(struct owner *));
	fleet->names = xcalloc(room, sizeof(const char *));
	for (size_t i = 0; i < config->account_count; i++)
		fleet->names[i] = config->accounts[i]->config.name;
	timed.timings = fleet->timings = timings_new();
	if (owners ? shared_begin(fleet, &timed, owners, err) : engines_single(fleet, &timed, err)) {
		fleet_free(fleet);
		return -1;
	}
	*ret = fleet;
	return 0;
}

void fleet_stop(struct fleet *fleet, int64_t grace_ms)
{
	int64_t end = env_mono_ms(fleet->env) + grace_ms;

	for (size_t i = 0; i < fleet->count; i++)
		engine_stop_begin(fleet->engines[i]);
	for (size_t i = 0; i < fleet->count; i++) {
		int64_t left = end - env_mono_ms(fleet->env);

		engine_stop(fleet->engines[i], left > 0 ? left : 0);
	}
}

void fleet_free(struct fleet *fleet)
{
	if (!fleet)
		return;
	unserved_free(fleet->unserved);
	fleet_stop(fleet, 0);
	for (size_t i = 0; i < fleet->count; i++)
		engine_free(fleet->engines[i]);
	for (size_t i = 0; i < fleet->account_count; i++)
		owner_free(fleet->owners[i]);
	free(fleet->engines);
	free(fleet->owners);
	free(fleet->names);
	timings_free(fleet->timings);
	free(fleet);
}

const struct engine_timings *fleet_timings(const struct fleet *fleet)
{
	return fleet->timings;
}

/* ---- requests ------------------------------------------------------------------------------ */

static void request_refuse(struct engine_request *request, enum request_result result,
			   const char *code, const char *message)
{
	request->result = result;
	TEXT_SET(request->code, code);
	TEXT_SET(request->message, message);
	request->done(request);
}

static struct engine *engine_of(const struct fleet *fleet, const char *account)
{
	for (size_t i = 0; i < fleet->count; i++) {
		if (!strcmp(fleet->names[i], account))
			return fleet->engines[i];
	}
	return NULL;
}

/* The account of the request; "": of all, or of any. */
static const char *account_of(const struct engine_request *request)
{
	if (request->account[0])
		return request->account;
	return request->kind == REQUEST_CREATE ? request->create.account :
						 request->expected_account;
}

static void submit_to_all(struct fleet *fleet, struct engine_request *request)
{
	char message[sizeof(request->message)];

	for (size_t i = 0; i < fleet->count; i++) {
		if (engine_is_owner(fleet->engines[i], NULL, NULL))
			continue;
		snprintf(message, sizeof(message),
			 "account %s is not served by this lessord now: name the account that is meant",
			 fleet->names[i]);
		request_refuse(request, RESULT_UNAVAILABLE, "account_elsewhere", message);
		return;
	}
	fleet_join(fleet->engines, fleet->names, fleet->count, request);
}

/* What belongs to no account that is known: any engine that can write may answer. */
static void submit_to_any(struct fleet *fleet, struct engine_request *request)
{
	for (size_t i = 0; i < fleet->count; i++) {
		if (engine_is_owner(fleet->engines[i], NULL, NULL)) {
			engine_submit(fleet->engines[i], request);
			return;
		}
	}
	moving_answer(request);
}

void fleet_submit(struct fleet *fleet, struct engine_request *request)
{
	const char *account = account_of(request);
	struct engine *engine;

	if (!fleet->is_split) {
		engine_submit(fleet->engines[0], request);
		return;
	}
	engine = engine_of(fleet, account);
	if (engine)
		engine_submit(engine, request);
	else if (account[0])
		request_refuse(request, RESULT_UNAVAILABLE, "provider_blocked",
			       "the account is not configured here; tell an operator");
	else if (request->kind == REQUEST_SWEEP || request->kind == REQUEST_POOL)
		submit_to_all(fleet, request);
	else
		submit_to_any(fleet, request);
}

/* ---- all of them ----------------------------------------------------------------------------- */

void fleet_hurry(struct fleet *fleet, unsigned count)
{
	/* Where they wait is not known: if some have none, the next call makes more room. */
	unsigned share = (count + (unsigned)fleet->count - 1) / (unsigned)fleet->count;

	for (size_t i = 0; i < fleet->count; i++)
		engine_hurry(fleet->engines[i], share);
}

void fleet_set_limits(struct fleet *fleet, const struct engine_limits *limits)
{
	for (size_t i = 0; i < fleet->count; i++)
		engine_set_limits(fleet->engines[i], limits);
}

uint64_t fleet_queue_version(const struct fleet *fleet)
{
	uint64_t sum = 0;

	/* Each of them only grows. */
	for (size_t i = 0; i < fleet->count; i++)
		sum += engine_queue_version(fleet->engines[i]);
	return sum;
}

enum store_state fleet_store_state(const struct fleet *fleet)
{
	enum store_state worst = STORE_WRITABLE;

	for (size_t i = 0; i < fleet->count; i++) {
		enum store_state state = engine_store_state(fleet->engines[i]);

		worst = state > worst ? state : worst;
	}
	return worst;
}

void fleet_reload(struct fleet *fleet)
{
	for (size_t i = 0; i < fleet->count; i++)
		engine_reload(fleet->engines[i]);
}

int fleet_is_moving(const struct fleet *fleet, int64_t within_ms)
{
	for (size_t i = 0; i < fleet->count; i++) {
		if (!engine_is_moving(fleet->engines[i], within_ms))
			return 0;
	}
	return 1;
}

/* ---- who owns what --------------------------------------------------------------------------- */

int fleet_is_split(const struct fleet *fleet)
{
	return fleet->is_split;
}

void fleet_seek(struct fleet *fleet, const char *account)
{
	struct engine *engine = fleet->is_split ? engine_of(fleet, account) : NULL;

	if (engine)
		engine_seek(engine);
}

int fleet_owns(const struct fleet *fleet, const char *account)
{
	const struct engine *engine = fleet->is_split ? engine_of(fleet, account) :
							fleet->engines[0];

	return engine && engine_is_owner(engine, NULL, NULL);
}

void fleet_each(const struct fleet *fleet, fleet_account_fn fn, void *arg)
{
	for (size_t i = 0; i < fleet->account_count; i++) {
		const struct engine *engine = fleet->engines[fleet->is_split ? i : 0];
		struct fleet_account row = { .account = fleet->names[i] };

		row.is_owner = engine_is_owner(engine, &row.epoch, &row.since_ms);
		fn(arg, &row);
	}
}
