/* SPDX-License-Identifier: MIT */
/*
 * What exists, according to the cloud, and the rules that hold at each request of
 * the broker: I2, I2b, I3, I4, I4b, I5, I8, I10, I15, I26, I27.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lease/absence.h"
#include "util/alloc.h"
#include "util/hash.h"
#include "util/text.h"

#define WINDOW_MS (5 * MINUTE)
/* Hetzner refills one call a second: 300 in five minutes, and a burst at the start. */
#define WINDOW_MOST 320
#define AGAIN_MS 500
/* Between two observations of all that wait, of which one may answer many. */
#define OBSERVED_MS 200
#define PAUSE_LEAST_MS SECOND
#define EXPIRY_MOST_MS (120 * SECOND)

static int is_broker(const char *who)
{
	return who[0] == 't' && who[1] >= '0' && who[1] <= '9';
}

struct made *made_find(struct world *w, enum cloud_kind kind, int64_t id)
{
	for (size_t i = 0; i < w->made_count; i++) {
		if (w->made[i].kind == kind && w->made[i].id == id)
			return &w->made[i];
	}
	return NULL;
}

int lease_index(const struct world *w, const char *id)
{
	for (size_t i = 0; i < w->lease_count; i++) {
		if (strcmp(w->leases[i].id, id) == 0)
			return (int)i;
	}
	return -1;
}

/* ---- created ---------------------------------------------------------------------------- */

/* I15: the resource's row is committed before the resource is created. */
static void check_intended(struct world *w, const struct made *m)
{
	int index = lease_index(w, m->lease);
	struct ledger ledger;
	struct lease l;
	int found = 0;

	if (index < 0 || !w->d.core || w->restored || world_lease(w, (size_t)index, &l) ||
	    store_ledger(core_store(w->d.core), l.n, &ledger, NULL))
		return;
	for (size_t i = 0; i < ledger.resource_count; i++)
		found |= ledger.resources[i].ours && strcmp(ledger.resources[i].name, m->name) == 0;
	ledger_fini(&ledger);
	if (!found)
		violate(w, "I15: created %s %s without a committed row", cloud_kind_name(m->kind),
			m->name);
}

/* I8: no second server while the first may exist. */
static void check_only_one(struct world *w, const struct made *m)
{
	for (size_t i = 0; i < w->made_count; i++) {
		const struct made *other = &w->made[i];

		/* A server without labels cannot be attributed to a lease. */
		if ((w->restored && other->edited) || !m->lease[0])
			continue;
		if (other != m && other->kind == CLOUD_SERVER && other->by_us && other->alive &&
		    !other->elsewhere && !other->deletes && strcmp(other->lease, m->lease) == 0)
			violate(w, "I8: created %s while %s of the same lease exists", m->name,
				other->name);
	}
}

static void on_created(struct world *w, const struct cloud_event *e)
{
	struct made *m = made_find(w, e->kind, e->id);

	if (m) {
		m->alive = 1;
		m->given_back = 1;
		return;
	}
	w->made = xrealloc(w->made, (w->made_count + 1) * sizeof(*w->made));
	m = &w->made[w->made_count++];
	*m = (struct made){ .kind = e->kind,
			    .id = e->id,
			    .by_us = is_broker(e->who),
			    .alive = 1,
			    .elsewhere = w->project_moved,
			    .made_ms = w->d.now_ms };
	TEXT_SET(m->lease, e->lease);
	TEXT_SET(m->name, e->name);
	if (!m->by_us || m->kind == CLOUD_IP)
		return;
	/* I26: if the token opened another project before this process started, it must notice. */
	if (m->elsewhere && !w->moved_live)
		violate(w, "I26: created %s %s in a project that was not verified",
			cloud_kind_name(m->kind), m->name);
	if (m->elsewhere)
		return;
	check_intended(w, m);
	if (m->kind != CLOUD_SERVER)
		return;
	w->creates++;
	check_only_one(w, m);
}

/* ---- deleted ------------------------------------------------------------------------------ */

struct permits {
	const char *kind, *id;
	int count;
};

static int count_permit(void *arg, const struct store_event *e)
{
	struct permits *p = arg;
	char want[48];

	snprintf(want, sizeof(want), " id %s", p->id);
	p->count += strcmp(e->kind, p->kind) == 0 && strstr(e->text, want) != NULL;
	return 0;
}

/* I15: each delete has its own permit in the committed timeline. */
static void check_permitted(struct world *w, const struct made *m, int index)
{
	char kind[40], id[24];
	struct permits p = { kind, id, 0 };
	struct lease l;

	if (w->restored || world_lease(w, (size_t)index, &l))
		return;
	snprintf(kind, sizeof(kind), "%s.delete-permitted", m->kind == CLOUD_KEY ? "key" : "server");
	snprintf(id, sizeof(id), "%lld", (long long)m->id);
	store_event_each(core_store(w->d.core), l.n, 0, 10000, count_permit, &p, NULL);
	if (p.count < m->deletes)
		violate(w, "I15: %d deletes of %s, %d permits", m->deletes, m->name, p.count);
}

/* I4b: a key that another unfinished lease uses is not deleted. */
static void check_not_shared(struct world *w, const struct made *m, int index)
{
	for (size_t i = 0; i < w->lease_count; i++) {
		struct ledger ledger;
		struct lease l;

		if ((int)i == index || world_lease(w, i, &l) || l.cleanup == CLEANUP_DONE ||
		    store_ledger(core_store(w->d.core), l.n, &ledger, NULL))
			continue;
		for (size_t k = 0; k < ledger.resource_count; k++) {
			const struct resource *r = &ledger.resources[k];

			if (r->kind == LESSOR_KIND_KEY && !lessor_state_is_over(r->state) &&
			    strtoll(r->id, NULL, 10) == m->id)
				violate(w, "I4b: deleted key %s, which %s uses", m->name, l.id);
		}
		ledger_fini(&ledger);
	}
}

/* Was it concluded to be absent? That is allowed if it is not shown after the settling time. */
static int is_concluded(struct world *w, const struct made *m)
{
	int index = lease_index(w, m->lease);
	struct ledger ledger;
	struct lease l;
	int found = 0;

	if (index < 0 || world_lease(w, (size_t)index, &l) ||
	    store_ledger(core_store(w->d.core), l.n, &ledger, NULL))
		return 0;
	for (size_t i = 0; i < ledger.resource_count; i++) {
		const struct resource *r = &ledger.resources[i];

		if (!r->absent_count || !lessor_state_is_over(r->state))
			continue;
		/* A request may be executed long after its timeout: doubt.c checks that. */
		found |= r->id[0] ? strtoll(r->id, NULL, 10) == m->id &&
					    w->d.now_ms - m->made_ms > SETTLE_MS :
				    strcmp(r->name, m->name) == 0;
	}
	ledger_fini(&ledger);
	return found;
}

static void on_broker_deletes(struct world *w, const struct cloud_event *e, struct made *m)
{
	int index;

	if (!m || !m->by_us) {
		violate(w, "I2: deleted %s %s, which it did not create", cloud_kind_name(e->kind),
			e->name);
		return;
	}
	/*
	 * A key may belong to another lease by now, so check the lease whose step deletes it. A
	 * request that timed out may be executed when no step is running.
	 */
	index = lease_index(w, w->d.running ? w->d.running->lease.id : m->lease);
	if (index < 0 || (e->kind == CLOUD_SERVER && index != lease_index(w, m->lease))) {
		violate(w, "I2: deleted %s %s, which belongs to no lease", cloud_kind_name(e->kind),
			e->name);
		return;
	}
	m->deletes++;
	if (m->is_pruned)
		violate(w, "I37: deleted %s %s of a lease that was pruned",
			cloud_kind_name(e->kind), e->name);
	if (m->relabelled)
		violate(w, "I2: deleted %s %s, whose labels a person changed",
			cloud_kind_name(e->kind), e->name);
	if (w->leases[index].kept)
		violate(w, "I3: deleted %s %s of a retained lease", cloud_kind_name(e->kind),
			e->name);
	/* Even if an older store was restored. */
	if (e->kind == CLOUD_SERVER && w->leases[index].is_protected)
		violate(w, "I3: deleted %s %s, which was reported as protected",
			cloud_kind_name(e->kind), e->name);
	if (account_is_fenced(w->d.account))
		violate(w, "I27: deleted %s %s while the account is fenced",
			cloud_kind_name(e->kind), e->name);
	if (w->leases[index].seen && w->leases[index].row.state == LEASE_ACTIVE)
		violate(w, "I10: deleted %s %s of an active lease", cloud_kind_name(e->kind), e->name);
	check_permitted(w, m, index);
	inventory_deletes(w, m);
	if (e->kind != CLOUD_KEY)
		return;
	check_not_shared(w, m, index);
	for (size_t i = 0; i < w->made_count; i++) {
		if (w->made[i].kind == CLOUD_SERVER && w->made[i].alive && w->made[i].by_us &&
		    !w->made[i].elsewhere && !w->restored &&
		    !(w->comes_back && w->made[i].deletes) && !w->lies &&
		    !is_concluded(w, &w->made[i]) &&
		    !doubt_is_settled(w, &w->made[i]) && strcmp(w->made[i].lease, m->lease) == 0)
			violate(w, "I4: deleted key %s before its server", e->name);
	}
}

static void on_gone(struct world *w, struct made *m)
{
	int index = lease_index(w, m->lease);

	m->alive = 0;
	if (index < 0 || m->kind != CLOUD_SERVER || w->disturbed || w->jumped || w->restarts ||
	    !w->leases[index].expired_ms || w->leases[index].was_kept)
		return;
	if (w->d.now_ms - w->leases[index].expired_ms > EXPIRY_MOST_MS)
		violate(w, "I10: %s was gone only %lld s after its lease expired", m->name,
			(long long)(w->d.now_ms - w->leases[index].expired_ms) / 1000);
}

void truth_event(void *arg, const struct cloud_event *e)
{
	struct world *w = arg;
	struct made *m = made_find(w, e->kind, e->id);

	trace(w, e->what, strlen(e->what));
	trace(w, &e->id, sizeof(e->id));
	if (strcmp(e->what, "created") == 0 || strcmp(e->what, "reappeared") == 0)
		on_created(w, e);
	if ((strcmp(e->what, "delete_requested") == 0 ||
	     (strcmp(e->what, "deleted") == 0 && e->kind == CLOUD_KEY)) && is_broker(e->who))
		on_broker_deletes(w, e, m);
	if (strcmp(e->what, "protected") == 0 || strcmp(e->what, "unprotected") == 0)
		promises_protection(w, e, is_broker(e->who));
	if (strcmp(e->what, "deleted") == 0 && m)
		on_gone(w, m);
}

/* ---- requests ------------------------------------------------------------------------------ */

/* No backoff steps over the moment at which an unknown create can be settled. */
static int may_settle(const struct world *w, const struct step *step)
{
	struct absence_facts absence = { .settle_ms = SETTLE_MS };

	for (size_t i = 0; i < step->ledger.resource_count; i++) {
		const struct resource *r = &step->ledger.resources[i];

		if (lessor_state_is_unsettled(r->state) &&
		    llabs(w->d.now_ms - absence_next_ms(r, &absence)) < AGAIN_MS)
			return 1;
	}
	return 0;
}

/* The last look of a creation is due at its deadline, however short ago it was tried again. */
static int is_last_look(const struct world *w, const struct step *step, int64_t last_ms)
{
	return step->lease.provision_deadline_ms > last_ms &&
	       step->lease.provision_deadline_ms <= w->d.now_ms;
}

/* No request of a lease is sent twice within half the minimum backoff. */
static void check_again(struct world *w, const struct step *step,
			const struct env_http_request *request, uint32_t hash)
{
	int index = step && step->lease.n ? lease_index(w, step->lease.id) : -1;

	if (index < 0)
		return;
	if (w->leases[index].last_request == hash && !w->restarts && !w->jumped &&
	    !may_settle(w, step) && !is_last_look(w, step, w->leases[index].last_request_ms) &&
	    w->d.now_ms - w->leases[index].last_request_ms <
		    (w->d.running->op == STEP_OBSERVE ? OBSERVED_MS : AGAIN_MS))
		violate(w, "I5: %s %s again after %lld ms", request->method, request->url,
			(long long)(w->d.now_ms - w->leases[index].last_request_ms));
	w->leases[index].last_request = hash;
	w->leases[index].last_request_ms = w->d.now_ms;
}

/* I5: no burst, no request before a 429 allows it, none twice within half the minimum backoff. */
static void check_pace(struct world *w, const struct env_http_request *request)
{
	const struct step *step = w->d.running;
	long in_window = 0;
	uint32_t hash = hash_fnv32(request->url, strlen(request->url)) ^ (uint32_t)request->method[0] ^
			(request->body_len ? hash_fnv32(request->body, request->body_len) : 0) ^
			(uint32_t)(step ? step->epoch : 0) << 24;

	if (step && store_is_written(core_store(w->d.core)))
		violate(w, "I15: %s %s, but an earlier claim is not durable", request->method,
			request->url);
	w->window[w->calls % 4096] = w->d.now_ms;
	w->calls++;
	for (long i = w->calls - 1; i >= 0 && i > w->calls - 4096; i--) {
		if (w->d.now_ms - w->window[i % 4096] > WINDOW_MS)
			break;
		in_window++;
	}
	if (in_window > w->most_in_window)
		w->most_in_window = in_window;
	/* A start makes its probe, the catalogue request and the step that is due. */
	if (in_window > WINDOW_MOST + 4 * w->restarts)
		violate(w, "I5: %ld calls within five minutes", in_window);
	if (w->d.now_ms < w->not_before_ms)
		violate(w, "I5: %s %s, %lld ms before a 429 allows it", request->method,
			request->url, (long long)(w->not_before_ms - w->d.now_ms));
	check_again(w, step, request, hash);
	/* A coalesced observation makes its requests for each of its leases. */
	for (size_t i = 0; step && i < step->waiting_count; i++)
		check_again(w, step->waiting[i], request, hash);
}

static const char *target_of(const struct env_http_request *request)
{
	const char *target = strstr(request->url, "/v1/");

	return target ? target : "";
}

/* I15: an id in a response is committed before the next request. */
static void check_recorded(struct world *w)
{
	const struct step *step = w->d.running;
	struct ledger ledger;
	int found = 0;

	if (!w->made_id || w->made_step != w->d.step_count || !step || !step->lease.n ||
	    w->disturbed || w->restarts ||
	    store_ledger(core_store(w->d.core), step->lease.n, &ledger, NULL))
		return;
	for (size_t i = 0; i < ledger.resource_count; i++)
		found |= strtoll(ledger.resources[i].id, NULL, 10) == w->made_id;
	ledger_fini(&ledger);
	if (!found)
		violate(w, "I15: another request before id %lld is committed",
			(long long)w->made_id);
	w->made_id = 0;
}

void truth_asks(struct world *w, const struct env_http_request *request)
{
	const char *target = target_of(request);

	trace(w, request->method, strlen(request->method));
	trace(w, target, strlen(target));
	trace(w, &w->d.now_ms, sizeof(w->d.now_ms));
	check_recorded(w);
	doubt_asks(w, request->method, target);
	check_pace(w, request);
	/* I2b: directly before a delete, the same step read that exact id and proved it ours. */
	if (strcmp(request->method, "DELETE") == 0 &&
	    (w->last.step != w->d.step_count || strcmp(w->last.method, "GET") != 0 ||
	     strcmp(w->last.target, target) != 0 || !w->last.verified))
		violate(w, "I2b: DELETE %s, not directly after a read that proves it ours", target);
	if (strcmp(request->method, "GET") != 0 && !request->fresh)
		violate(w, "I8: %s %s on a reused connection", request->method, target);
	TEXT_SET(w->last.method, request->method);
	TEXT_SET(w->last.target, target);
	w->last.step = w->d.step_count;
	w->last.at_ms = w->d.now_ms;
	w->last.verified = 0;
}

/* Records what the response tells the broker: the new id, and whether it may create again. */
static void remember(struct world *w, const struct env_http_request *request,
		     const struct env_http_response *answer)
{
	/* A create, not an action on an existing resource. */
	int is_post = strcmp(request->method, "POST") == 0 &&
		      !strstr(target_of(request), "/actions/");

	doubt_answered(w, request->method, target_of(request), answer);
	if (answer->outcome != ENV_HTTP_ANSWERED)
		return;
	if (is_post && answer->status == 201) {
		w->made_id = 0;
		for (size_t i = w->made_count; i-- > 0 && !w->made_id;) {
			if (w->made[i].by_us && w->made[i].kind != CLOUD_IP)
				w->made_id = w->made[i].id;
		}
		w->made_step = w->d.step_count;
	}
}

/* A 429 without a usable time, or with one in the past, still requires a second's pause. */
static void pause_begins(struct world *w, int64_t retry_after_ms)
{
	int64_t pause = retry_after_ms > HOUR ? HOUR : retry_after_ms;

	w->not_before_ms = w->d.now_ms + (pause < PAUSE_LEAST_MS ? PAUSE_LEAST_MS : pause);
	w->is_pause_said = retry_after_ms > 0;
	w->is_pause_kept = 0;
}

void truth_answered(struct world *w, const struct env_http_request *request,
		    const struct env_http_response *answer)
{
	const struct step *step = w->d.running;
	const char *slash = strrchr(w->last.target, '/');
	enum cloud_kind kind = strncmp(w->last.target, "/v1/servers/", 12) == 0 ? CLOUD_SERVER : CLOUD_KEY;
	const struct made *m;

	trace(w, &answer->outcome, sizeof(answer->outcome));
	trace(w, &answer->status, sizeof(answer->status));
	remember(w, request, answer);
	if (step && step->op == STEP_LIST)
		inventory_answered(w, step, answer);
	if (answer->outcome != ENV_HTTP_ANSWERED)
		return;
	if (answer->status == 429)
		pause_begins(w, answer->retry_after_ms);
	if (strcmp(request->method, "GET") != 0 || answer->status != 200 || !slash || !step)
		return;
	m = made_find(w, kind, strtoll(slash + 1, NULL, 10));
	w->last.verified = m && answer->body && strstr(answer->body, m->name) &&
			   strstr(answer->body, m->lease) &&
			   strstr(answer->body, step->instance);
	if (m)
		made_find(w, kind, m->id)->was_read = 1;
}
