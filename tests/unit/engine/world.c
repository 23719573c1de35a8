/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/internal.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

/* One world at a time: the plugin's instance finds it here. */
static struct world *the_world;

/* ---- the toy provider ------------------------------------------------------------ */

static int toy_open(struct lessor_call *call, void **instance)
{
	(void)call;
	*instance = the_world;
	return LESSOR_DONE;
}

static void toy_close(void *instance)
{
	(void)instance;
}

void world_observe(const struct world *w, const struct toy_server *s, struct lessor_observed *seen)
{
	*seen = (struct lessor_observed){
		.size = sizeof(*seen), .kind = LESSOR_KIND_SERVER, .id = s->id, .name = s->name,
		.labels = s->labels.items, .label_count = w->strip_labels ? 0 : s->labels.count,
	};
}

static struct toy_server *make(struct world *w, const struct lessor_intent *intent,
			       const struct lessor_lease *lease)
{
	struct toy_server *s = &w->cloud[w->made % CLOUD_MAX];

	w->made++;
	*s = (struct toy_server){ .alive = 1 };
	snprintf(s->id, sizeof(s->id), "%d", 1000 + w->made);
	TEXT_SET(s->name, intent->name);
	TEXT_SET(s->lease, lease->id);
	for (size_t i = 0; i < intent->label_count; i++) {
		TEXT_SET(s->labels.text[i], intent->labels[i].value);
		TEXT_SET(s->keys[i], intent->labels[i].key);
		s->labels.items[i] = (struct lessor_label){ s->keys[i], s->labels.text[i] };
		s->labels.count++;
	}
	return s;
}

/* Sets the public host key from the user data that the server is created with. */
static void born(struct toy_server *s, const char *user_data)
{
	static const char member[] = "\"ed25519_public\":\"";
	const char *at = strstr(user_data, member);
	size_t len = at ? strcspn(at + strlen(member), "\"") : 0;
	struct err err = { 0 };

	MUST(len < sizeof(s->host_key));
	if (at)
		memcpy(s->host_key, at + strlen(member), len);
	s->host_key[len] = '\0';
}

static int create(struct world *w, struct lessor_call *call, const struct lessor_lease *lease)
{
	struct lessor_intent intent = { .size = sizeof(intent) };
	enum toy_fault fault = w->create_fault;
	uint32_t number = (uint32_t)lease->attempt_count;
	struct toy_server *s;

	if (!number || lessor_attempt_at(lease, number - 1)->refused) {
		if (number == lease->type_count)
			return lessor_refuse(call, LESSOR_CLASS_CAPACITY, "every type is sold out");
		number++;
		if (lessor_attempt_open(call, number, lease->types[number - 1], lease->locations[0]))
			return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "no attempt");
	}
	if (w->before_create)
		w->before_create(w, call);
	if (lessor_intend(call, LESSOR_KIND_SERVER, number, &intent))
		return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "no intent");
	if (w->during_create)
		w->during_create(w);
	w->creates_sent++;
	if (!w->create_fault_sticky)
		w->create_fault = TOY_NONE;
	switch (fault) {
	case TOY_SOLD_OUT:
		lessor_not_created(call, intent.row, "sold out");
		lessor_attempt_refused(call, number, LESSOR_CLASS_CAPACITY, "sold out");
		return lessor_pending(call, 0, "");
	case TOY_LOST_MADE:
	case TOY_HIDE:
	case TOY_LOST_NOT_MADE:
		if (fault != TOY_LOST_NOT_MADE)
			born(make(w, &intent, lease), lease->user_data);
		lessor_unknown(call, intent.row, "no answer");
		return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "no answer");
	default:
		break;
	}
	s = make(w, &intent, lease);
	born(s, lease->user_data);
	lessor_created(call, intent.row, s->id, "");
	return lessor_pending(call, 1000, "0");
}

/* Searches for the resource of an INTENDED or UNKNOWN row. */
static int look_up(struct world *w, struct lessor_call *call, const struct lessor_resource *r)
{
	for (int i = 0; i < CLOUD_MAX && w->create_fault != TOY_HIDE; i++) {
		struct lessor_observed seen;

		if (!w->cloud[i].alive || strcmp(w->cloud[i].name, r->name) != 0)
			continue;
		world_observe(w, &w->cloud[i], &seen);
		if (lessor_adopt(call, &seen))
			return lessor_refuse(call, LESSOR_CLASS_OWNERSHIP, "found, but not ours");
		return lessor_pending(call, 0, "");
	}
	if (lessor_not_seen(call, r->row) == 0)
		return lessor_pending(call, 0, "");
	return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "not found, not settled");
}

static int is_unsure(const struct lessor_resource *r)
{
	return r->state == LESSOR_STATE_INTENDED || r->state == LESSOR_STATE_UNKNOWN;
}

static void op_note(struct world *w, char op)
{
	size_t len = strlen(w->ops);

	if (len == sizeof(w->ops) - 1)
		memmove(w->ops, w->ops + 1, len--);
	w->ops[len] = op;
	w->ops[len + 1] = '\0';
}

/* Reports the progress of the server's creation. */
static int report(struct world *w, struct lessor_call *call, const struct lessor_lease *lease,
		  const struct lessor_resource *r)
{
	int polls = atoi(lease->cursor);
	char next[16];

	if (w->create_fault == TOY_BREAK_CONTRACT)
		return LESSOR_DONE;
	if (polls < w->boot_polls) {
		snprintf(next, sizeof(next), "%d", polls + 1);
		return lessor_pending(call, 1000, next);
	}
	lessor_output(call, LESSOR_OUT_HOST, "192.0.2.7");
	lessor_output(call, LESSOR_OUT_SERVER_ID, r->id);
	lessor_output(call, LESSOR_OUT_SERVER_NAME, r->name);
	lessor_output(call, LESSOR_OUT_SERVER_TYPE,
		      lessor_attempt_at(lease, lease->attempt_count - 1)->type);
	lessor_output(call, LESSOR_OUT_LOCATION, "here");
	return LESSOR_DONE;
}

static int toy_provision(void *instance, struct lessor_call *call, const struct lessor_lease *lease)
{
	struct world *w = instance;

	w->provisions++;
	op_note(w, 'P');
	for (size_t i = 0; i < lease->resource_count; i++) {
		const struct lessor_resource *r = lessor_resource_at(lease, i);

		if (is_unsure(r))
			return look_up(w, call, r);
		if (r->state != LESSOR_STATE_PRESENT)
			continue;
		return report(w, call, lease, r);
	}
	return create(w, call, lease);
}

static int toy_observe(void *instance, struct lessor_call *call, struct lessor_waiting *waiting,
		       size_t count)
{
	struct world *w = instance;

	w->looks++;
	w->looked += count;
	w->look_most = count > w->look_most ? count : w->look_most;
	op_note(w, 'L');
	if (w->during_look)
		w->during_look(w, call);
	if (w->look_verdict == LESSOR_RETRY)
		return lessor_retry(call, w->look_class, 5000, "the look fails");
	if (w->look_verdict == LESSOR_REFUSED)
		return lessor_refuse(call, w->look_class, "the observation is refused");
	if (w->look_verdict)
		return w->look_verdict;
	for (size_t i = 0; i < count; i++) {
		struct lessor_waiting *one = lessor_waiting_at(waiting, i);
		const struct lessor_lease *lease = one->lease;

		if (w->look_misses && strcmp(w->look_misses, lease->id) == 0)
			continue;
		one->verdict = report(w, one->call, lease, lessor_resource_at(lease, 0));
	}
	return LESSOR_DONE;
}

static int remove_server(struct world *w, struct lessor_call *call, const struct lessor_resource *r)
{
	for (int i = 0; i < CLOUD_MAX; i++) {
		struct lessor_observed seen;

		if (!w->cloud[i].alive || strcmp(w->cloud[i].id, r->id) != 0)
			continue;
		world_observe(w, &w->cloud[i], &seen);
		if (lessor_permit_delete(call, r->row, &seen))
			return w->cleanup_lies_after_refusal ? LESSOR_GONE :
			       lessor_refuse(call, LESSOR_CLASS_OWNERSHIP, "no permit to delete it");
		if (w->during_delete)
			w->during_delete(w);
		if (w->delete_refusals > 0) {
			w->delete_refusals--;
			lessor_still_there(call, r->row, "locked");
			return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "locked");
		}
		w->cloud[i].alive = 0;
		w->deleted++;
		if (w->delete_silent) {
			w->delete_silent = 0;
			return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "no answer");
		}
		lessor_deleting(call, r->row, "");
	}
	if (lessor_gone(call, r->row, "deleted"))
		return lessor_pending(call, 5000, "");
	return lessor_pending(call, 0, "");
}

static int toy_cleanup(void *instance, struct lessor_call *call, const struct lessor_lease *lease)
{
	struct world *w = instance;

	w->cleanups++;
	op_note(w, 'C');
	if (w->cleanup_lies)
		return LESSOR_GONE;
	if (w->before_cleanup)
		w->before_cleanup(w, call);
	for (size_t i = 0; i < lease->resource_count; i++) {
		const struct lessor_resource *r = lessor_resource_at(lease, i);

		if (is_unsure(r))
			return look_up(w, call, r);
		if (!lessor_state_is_over(r->state))
			return remove_server(w, call, r);
	}
	return LESSOR_GONE;
}

static int toy_inspect(void *instance, struct lessor_call *call, const struct lessor_lease *lease)
{
	struct world *w = instance;

	for (size_t i = 0; i < lease->resource_count; i++) {
		if (is_unsure(lessor_resource_at(lease, i)))
			return look_up(w, call, lessor_resource_at(lease, i));
	}
	return LESSOR_DONE;
}

/* Those of other brokers; the toy makes none of its own. */
static int sentinels_list(struct world *w, struct lessor_call *call)
{
	w->sentinel_lists++;
	for (int i = 0; i < w->neighbour_count; i++) {
		const struct lessor_label label = { LESSOR_LABEL_INSTANCE, w->neighbours[i] };
		const struct lessor_observed seen = {
			.size = sizeof(seen),
			.kind = LESSOR_KIND_SENTINEL,
			.id = "1",
			.name = "mark",
			.labels = &label,
			.label_count = 1,
		};

		lessor_listed(call, &seen);
	}
	return LESSOR_DONE;
}

static int toy_list(void *instance, struct lessor_call *call, uint32_t kind)
{
	struct world *w = instance;

	if (kind == LESSOR_KIND_SENTINEL)
		return sentinels_list(w, call);
	w->lists++;
	if (w->during_list)
		w->during_list(w);
	if (w->list_fails > 0) {
		w->list_fails--;
		return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "half of the pages");
	}
	for (int i = 0; i < CLOUD_MAX && kind == LESSOR_KIND_SERVER; i++) {
		struct lessor_observed seen;

		if (!w->cloud[i].alive)
			continue;
		world_observe(w, &w->cloud[i], &seen);
		lessor_listed(call, &seen);
	}
	return LESSOR_DONE;
}

static int toy_probe(void *instance, struct lessor_call *call, const struct lessor_lease *account)
{
	struct world *w = instance;

	(void)account;
	w->probes++;
	if (w->probe_refuses)
		return lessor_refuse(call, w->probe_class, "the account refuses");
	return LESSOR_DONE;
}

#define TOY \
	.size = sizeof(struct lessor_provider), .abi = LESSOR_ABI, .name = "toy", .version = "1", \
	.summary = "a toy", .concurrency = LESSOR_SERIAL, \
	.capabilities = LESSOR_CAN_USER_DATA | LESSOR_OWN_IO, .open = toy_open, .close = toy_close, \
	.provision = toy_provision, .cleanup = toy_cleanup, .inspect = toy_inspect, \
	.list = toy_list, .probe = toy_probe

static const struct lessor_provider toy = { TOY };
static const struct lessor_provider observing_toy = { TOY, .observe = toy_observe };

/* ---- the world ----------------------------------------------------------------------- */

static void core_start(struct world *w, const struct engine_limits *limits)
{
	w->d.config.limits = limits ? *limits : (struct engine_limits){ 0 };
	driver_open(&w->d);
}

/* A test sets when the store may fail; a real process would exit then. */
static void store_failed(void *arg, const struct err *why)
{
	struct world *w = arg;
	const struct err err = *why;

	MUST(w->may_break);
	w->is_broken = 1;
}

static void start_as(struct world *w, const struct engine_limits *limits,
		     const struct lessor_provider *table)
{
	static const struct driver_hooks hooks = { .store_failed = store_failed };
	struct account_config config = { .name = "toy",
					 .location_count = 1,
					 .max_steps = 4,
					 .locations = { "here" },
					 .image = "image",
					 .protect_retained = 1 };

	memset(w, 0, sizeof(*w));
	the_world = w;
	log_setup(2, LOG_HUMAN, LOG_LEVEL_ERROR);
	driver_init(&w->d, &hooks, w);
	driver_folder(&w->d, "core");
	w->d.config.settle_ms = 30000;
	w->d.config.boot_ms = 600000;
	w->d.config.probe_ms = 300000;
	w->d.config.sweep_grace_ms = 3600000;
	driver_account(&w->d, table, &config, NULL);
	core_start(w, limits);
	world_settle(w);
}

void world_start(struct world *w, const struct engine_limits *limits)
{
	start_as(w, limits, &toy);
}

void world_start_observing(struct world *w, const struct engine_limits *limits)
{
	start_as(w, limits, &observing_toy);
}

void world_forget(struct world *w)
{
	aggregates_clear(w->d.core->aggregates);
}

void world_restart(struct world *w, const struct engine_limits *limits)
{
	driver_close(&w->d);
	if (w->between_lives && system(w->between_lives))
		perror(w->between_lives);
	w->between_lives = NULL;
	core_start(w, limits);
	world_settle(w);
}

void world_end(struct world *w)
{
	driver_close(&w->d);
	driver_account_free(&w->d);
	driver_folder_remove(&w->d);
}

void world_settle(struct world *w)
{
	struct err err = { .text = "the core spins" };

	MUST(driver_settle(&w->d) == 0);
}

void world_pass(struct world *w, int64_t ms)
{
	driver_pass(&w->d, ms);
}

void world_ask(struct world *w, struct asked *a)
{
	w->is_broken = 0;
	driver_ask(&w->d, a);
}

void world_create(struct world *w, struct asked *a, const char *id)
{
	struct lease *l = &a->request.create;

	a->request.kind = REQUEST_CREATE;
	driver_wish(l, id, "toy", "small,middle,big");
	if (!l->slug[0])
		TEXT_SET(l->slug, "violet-prawn");
	l->ttl_ms = 3600000;
	l->idle_ms = 1800000;
	world_ask(w, a);
	/* The next request may be of another kind that uses the same memory. */
	memset(l, 0, sizeof(*l));
	a->request.idempotency_key[0] = a->request.body_hash[0] = '\0';
}

void world_release(struct world *w, struct asked *a, const char *ref, int delete_machine)
{
	a->request.kind = REQUEST_RELEASE;
	TEXT_SET(a->request.ref, ref);
	a->request.delete_machine = delete_machine;
	world_ask(w, a);
}

int world_lease(struct world *w, const char *id, struct lease *ret)
{
	return driver_lease(&w->d, id, ret);
}

int world_alive(const struct world *w)
{
	int alive = 0;

	for (int i = 0; i < CLOUD_MAX; i++)
		alive += w->cloud[i].alive;
	return alive;
}
