/* SPDX-License-Identifier: MIT */
/*
 * I8: creates whose outcome the broker does not know. After a create is sent, the lease
 * may not send another until a response refuses it or its id is committed. The one
 * exception: two complete lists, all pages, lacked it, each read later than the settling
 * time after the request could last be in flight. Only then may the lease also end
 * without it.
 */
#include "world.h"

#include <string.h>

#include <jansson.h>

#define FIRST "&page=1"
#define APART_MS (10 * SECOND)

static const char *const paths[] = { "/v1/servers", "/v1/ssh_keys" };
static const enum cloud_kind kinds[] = { CLOUD_SERVER, CLOUD_KEY };
static const char *const members[] = { "servers", "ssh_keys" };

/* The doubt of the running step's lease; NULL: no lease, or the target is something else. */
static struct doubt *doubt_of(struct world *w, const char *target, int *ret_kind)
{
	const struct step *step = w->d.running;
	int index = step && step->lease.n ? lease_index(w, step->lease.id) : -1;

	for (int kind = 0; kind < 2 && index >= 0; kind++) {
		size_t len = strlen(paths[kind]);

		*ret_kind = kind;
		if (strncmp(target, paths[kind], len) == 0 &&
		    (target[len] == '\0' || target[len] == '?'))
			return &w->leases[index].doubts[kind];
	}
	return NULL;
}

/* A step's observation counts once it is complete. */
static void look_ends(struct doubt *d)
{
	if (d->step && d->is_whole && !d->more && d->at_ms - d->out_ms >= SETTLE_MS) {
		if (!d->looks++)
			d->first_ms = d->at_ms;
		d->last_ms = d->at_ms;
	}
	d->step = 0;
}

/* A resource that the running step's lease created and that exists. NULL: none. */
static struct made *alive(struct world *w, int kind, int64_t id)
{
	for (size_t i = 0; i < w->made_count; i++) {
		struct made *m = &w->made[i];

		if (m->kind == kinds[kind] && m->by_us && m->alive && !m->elsewhere &&
		    (!id || m->id == id) && strcmp(m->lease, w->d.running->lease.id) == 0)
			return m;
	}
	return NULL;
}

/* The number of resources of the kind whose id is in the lease's ledger. */
static int ids_known(struct world *w, size_t lease, int kind)
{
	uint32_t row_kind = kind ? LESSOR_KIND_KEY : LESSOR_KIND_SERVER;
	const struct known *k = &w->leases[lease];
	struct ledger ledger;
	int count = 0;

	if (!k->seen || store_ledger(core_store(w->d.core), k->row.n, &ledger, NULL))
		return 0;
	for (size_t i = 0; i < ledger.resource_count; i++)
		count += ledger.resources[i].kind == row_kind && ledger.resources[i].id[0];
	ledger_fini(&ledger);
	return count;
}

static int is_settled(const struct world *w, const struct doubt *d)
{
	return d->looks >= 2 && (d->last_ms - d->first_ms >= APART_MS || w->jumped);
}

int doubt_is_settled(struct world *w, const struct made *m)
{
	int index = lease_index(w, m->lease);
	struct doubt *d;

	if (index < 0 || (m->kind != CLOUD_SERVER && m->kind != CLOUD_KEY))
		return 0;
	d = &w->leases[index].doubts[m->kind == CLOUD_KEY];
	look_ends(d);
	return m->is_given_up || (d->is_open && is_settled(w, d));
}

void doubt_asks(struct world *w, const char *method, const char *target)
{
	int kind;
	struct doubt *d = doubt_of(w, target, &kind);

	if (!d)
		return;
	if (d->step != w->d.step_count)
		look_ends(d);
	if (strcmp(method, "POST") != 0)
		return;
	if (d->is_open && !w->restored && !is_settled(w, d))
		violate(w, "I8: POST %s after %d searches in %lld s for the last one", target,
			d->looks, (long long)(d->last_ms - d->first_ms) / 1000);
	for (size_t i = 0; d->is_open && i < w->made_count; i++) {
		struct made *m = &w->made[i];

		m->is_given_up |= m->kind == kinds[kind] &&
				  strcmp(m->lease, w->d.running->lease.id) == 0;
	}
	*d = (struct doubt){ .is_open = 1, .out_ms = w->d.now_ms };
	d->ids = ids_known(w, (size_t)lease_index(w, w->d.running->lease.id), kind);
}

/* Is the response a whole page without the resource? Sets whether it is the last page. */
static int page_is_read(struct world *w, struct doubt *d, int kind,
			const struct env_http_response *answer, int *ret_is_last)
{
	json_t *root, *items, *item;
	int is_list;
	size_t i;

	if (answer->outcome != ENV_HTTP_ANSWERED || answer->status != 200)
		return 0;
	root = json_loadb(answer->body, answer->body_len, 0, NULL);
	items = json_object_get(root, members[kind]);
	is_list = json_is_array(items);
	json_array_foreach(items, i, item) {
		int64_t id = json_integer_value(json_object_get(item, "id"));

		if (!id || !alive(w, kind, id))
			continue;
		is_list = d->looks = 0;
	}
	*ret_is_last = !json_is_integer(json_object_get(json_object_get(json_object_get(
		root, "meta"), "pagination"), "next_page"));
	json_decref(root);
	return is_list;
}

/* Not sent, or refused by the provider; but "name taken" may mean an earlier create. */
static void create_answered(struct world *w, struct doubt *d, int kind,
			    const struct env_http_response *answer)
{
	struct made *m;

	if (answer->outcome != ENV_HTTP_NOT_SENT &&
	    (answer->outcome != ENV_HTTP_ANSWERED || answer->status < 400 ||
	     answer->status >= 500 || answer->status == 408))
		return;
	m = answer->status == 409 ? alive(w, kind, 0) : NULL;
	d->is_open = m != NULL;
	if (m)
		m->is_given_up = 0;
}

void doubt_answered(struct world *w, const char *method, const char *target,
		    const struct env_http_response *answer)
{
	int kind, is_last = 1;
	struct doubt *d = doubt_of(w, target, &kind);

	if (!d || !d->is_open)
		return;
	if (strcmp(method, "POST") == 0) {
		d->out_ms = w->d.now_ms;
		create_answered(w, d, kind, answer);
		return;
	}
	if (d->step != w->d.step_count) {
		d->step = w->d.step_count;
		d->is_whole = 1;
		d->more = 0;
	}
	/* A list that begins before the last page of the previous one: that was incomplete. */
	if ((d->more && strcmp(target + strlen(target) - strlen(FIRST), FIRST) == 0) ||
	    !page_is_read(w, d, kind, answer, &is_last))
		d->is_whole = 0;
	d->more = !is_last;
	d->at_ms = w->d.now_ms;
}

void doubt_committed(struct world *w)
{
	for (size_t i = 0; i < w->lease_count; i++) {
		for (int kind = 0; kind < 2; kind++) {
			struct doubt *d = &w->leases[i].doubts[kind];

			if (d->is_open && ids_known(w, i, kind) > d->ids)
				d->is_open = 0;
		}
	}
}
