/* SPDX-License-Identifier: MIT */
/*
 * What a sweep may conclude from its lists, and what it may hand to cleanup: I25.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APART_MS (15 * MINUTE)

static void sight(struct world *w, struct made *m)
{
	if (m->sight_sweep_ms == w->sweep_begun_ms && m->sights)
		return;
	if (!m->sights++)
		m->first_sight_ms = w->d.now_ms;
	m->last_sight_ms = w->d.now_ms;
	m->sight_sweep_ms = w->sweep_begun_ms;
}

/*
 * Searches the text: a JSON parser would take a twentieth of a case's time. The text also
 * contains the ids of associated objects; no created resource has such an id.
 */
void inventory_answered(struct world *w, const struct step *step,
			const struct env_http_response *answer)
{
	static const char key[] = "\"id\":", next[] = "\"next_page\":";
	enum cloud_kind kind = step->list_kind == LESSOR_KIND_SERVER ? CLOUD_SERVER :
			       step->list_kind == LESSOR_KIND_ADDRESS ? CLOUD_IP : CLOUD_KEY;
	const char *at;

	w->list_ends = 0;
	if (answer->outcome != ENV_HTTP_ANSWERED || answer->status != 200 || !answer->body) {
		w->list_failed = 1;
		return;
	}
	for (at = strstr(answer->body, key); at; at = strstr(at, key)) {
		at += strlen(key);
		for (size_t k = 0; k < w->made_count; k++) {
			if (w->made[k].kind == kind && w->made[k].id == strtoll(at, NULL, 10))
				sight(w, &w->made[k]);
		}
	}
	at = strstr(answer->body, next);
	w->list_ends = !at || strtoll(at + strlen(next), NULL, 10) == 0;
}

/* Resources in none of the sweep's lists start again with no sightings. */
static void forget_unseen(struct world *w)
{
	for (size_t i = 0; i < w->made_count; i++) {
		if (w->made[i].sight_sweep_ms != w->sweep_begun_ms)
			w->made[i].sights = 0;
	}
}

void inventory_committed(struct world *w)
{
	struct sweep sweep;

	/* No sweep state is written during a step. */
	if (w->d.running || store_sweep_get(core_store(w->d.core), "hetzner", &sweep, NULL))
		return;
	if (sweep.begun_ms != w->sweep_begun_ms) {
		w->sweep_begun_ms = sweep.begun_ms;
		w->list_failed = w->list_ends = 0;
	}
	if (sweep.done_ms == w->sweep_done_ms)
		return;
	/* A time of a clock that was ahead is corrected. */
	if (sweep.done_ms < w->sweep_done_ms && w->jumped && !w->list_ends) {
		w->sweep_done_ms = sweep.done_ms;
		return;
	}
	w->sweep_done_ms = sweep.done_ms;
	if (w->list_failed || !w->list_ends)
		violate(w, "I25: a sweep is recorded as complete, but one of its lists was not");
	forget_unseen(w);
}

/* The number of rows with its name. */
static int rows_of(struct store *store, const struct made *m)
{
	struct ledger ledger;
	struct lease l;
	int count = 0;

	if (store_lease_by_id(store, m->lease, &l, NULL) || store_ledger(store, l.n, &ledger, NULL))
		return 0;
	for (size_t i = 0; i < ledger.resource_count; i++)
		count += strcmp(ledger.resources[i].name, m->name) == 0;
	ledger_fini(&ledger);
	return count;
}

void inventory_restored(struct world *w, struct store *store)
{
	struct sweep sweep = { 0 };

	store_sweep_get(store, "hetzner", &sweep, NULL);
	w->sweep_begun_ms = sweep.begun_ms;
	w->sweep_done_ms = sweep.done_ms;
	for (size_t i = 0; i < w->made_count; i++)
		w->made[i].is_newer_than_store = w->made[i].by_us && !rows_of(store, &w->made[i]);
}

struct swept {
	char id[24];
	int found;
};

static int is_swept(void *arg, const struct store_event *e)
{
	struct swept *swept = arg;
	const char *at = strcmp(e->kind, "lease.swept") ? NULL : strstr(e->text, swept->id);

	swept->found |= at != NULL;
	return swept->found;
}

void inventory_deletes(struct world *w, const struct made *m)
{
	int index = lease_index(w, m->lease);
	struct swept swept = { .found = 0 };
	struct lease l;

	if (index < 0 || world_lease(w, (size_t)index, &l))
		return;
	snprintf(swept.id, sizeof(swept.id), " id %lld ", (long long)m->id);
	store_event_each(core_store(w->d.core), l.n, 0, 10000, is_swept, &swept, NULL);
	if (!swept.found)
		return;
	/*
	 * No operator confirms orphans in these worlds. But the lease may have intended the
	 * resource again since: then a second row exists beside the sweep's.
	 */
	if (m->is_newer_than_store && rows_of(core_store(w->d.core), m) < 2)
		violate(w, "I25: the sweep deleted %s, which is newer than the store", m->name);
	if (m->sights < 2 ||
	    (m->last_sight_ms - m->first_sight_ms < APART_MS && !w->jumped))
		violate(w, "I25: the sweep deleted %s, seen %d times in %lld s", m->name, m->sights,
			(long long)(m->last_sight_ms - m->first_sight_ms) / 1000);
	if (w->d.now_ms - m->made_ms < GRACE_MS && !w->jumped)
		violate(w, "I25: the sweep deleted %s, made %lld s ago", m->name,
			(long long)(w->d.now_ms - m->made_ms) / 1000);
}
