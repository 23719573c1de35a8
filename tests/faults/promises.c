/* SPDX-License-Identifier: MIT */
/*
 * Checks at each commit what is recorded of resources and of retained leases: I28 to I31.
 */
#include "world.h"

#include <stdlib.h>
#include <string.h>

#include "util/text.h"

static int64_t made_id(const struct resource *r)
{
	return strtoll(r->id, NULL, 10);
}

static enum cloud_kind kind_of(const struct resource *r)
{
	return r->kind == LESSOR_KIND_SERVER ? CLOUD_SERVER : CLOUD_KEY;
}

/* Does it exist, and is it not being deleted? */
static int lives(struct world *w, const struct resource *r)
{
	struct cloud_object o;

	return cloud_object_find(w->cloud, kind_of(r), made_id(r), &o) == 0 &&
	       strcmp(o.status, "deleting") != 0;
}

/*
 * I29: up to the settling time no existing resource is recorded as gone or never created.
 * The row is matched by id or, while that is unknown, by name.
 */
static void check_absence(struct world *w, const struct resource *r)
{
	if (r->state != LESSOR_STATE_GONE && r->state != LESSOR_STATE_NEVER_EXISTED)
		return;
	for (size_t i = 0; i < w->made_count; i++) {
		const struct made *m = &w->made[i];

		if (m->kind != kind_of(r) || !m->by_us || !m->alive || m->elsewhere || m->deletes ||
		    m->given_back || w->d.now_ms - m->made_ms > SETTLE_MS ||
		    /* The name is reused once the first create is settled as never executed. */
		    (r->id[0] ? made_id(r) != m->id :
				strcmp(r->name, m->name) != 0 ||
					r->changed_ms - w->d.wall_off_ms < m->made_ms))
			continue;
		violate(w, "I29: %s is recorded as %s after %lld s, but it exists", m->name,
			resource_state_name(r->state),
			(long long)(w->d.now_ms - m->made_ms) / 1000);
	}
}

/* I28: no lease is retained while a delete of one of its resources may be under way. */
static void check_honest(struct world *w, const struct lease *l, const struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->resource_count; i++) {
		const struct resource *r = &ledger->resources[i];

		if (resource_may_be_deleting(r))
			violate(w, "I28: %s is retained, but a delete of %s may be under way",
				l->id, r->name);
	}
}

/* I30: what is reported as protected has its label in the cloud, a server its protection. */
static void check_protected(struct world *w, const struct lease *l, const struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->resource_count; i++) {
		const struct resource *r = &ledger->resources[i];
		struct cloud_object o;
		const struct made *m = made_find(w, kind_of(r), made_id(r));
		const char *mark;

		/* The broker may have read it before a person changed it. */
		if (!resource_is_residue(r) || !r->id[0] || (m && m->edited) ||
		    cloud_object_find(w->cloud, kind_of(r), made_id(r), &o))
			continue;
		mark = cloud_object_label(w->cloud, kind_of(r), made_id(r), LESSOR_LABEL_RETAIN);
		if (!mark || strtoll(mark, NULL, 10) < r->retain_epoch)
			violate(w, "I30: %s is reported as protected, but %s bears no label", l->id,
				r->name);
		if (o.kind == CLOUD_SERVER && !o.is_protected)
			violate(w, "I30: %s is reported as protected, but %s is not", l->id,
				r->name);
	}
}

void promises_committed(struct world *w, const struct lease *l, int was_protected)
{
	struct ledger ledger;

	if (store_ledger(core_store(w->d.core), l->n, &ledger, NULL))
		return;
	/* While the token opens another project nothing is concluded: see I26. */
	for (size_t i = 0; i < ledger.resource_count && !w->restored && !w->lies && !w->jumped; i++)
		check_absence(w, &ledger.resources[i]);
	if (l->retained)
		check_honest(w, l, &ledger);
	/*
	 * A person may remove the protection later; so check only when it is first reported.
	 * Until the store is proven to be the newest, clients get `unsure`.
	 */
	if (l->retention == RETENTION_PROTECTED && !was_protected && !w->project_moved &&
	    (!w->restored || w->taken_over))
		check_protected(w, l, &ledger);
	ledger_fini(&ledger);
}

/*
 * I28: a no-delete release must not be acknowledged if a delete of ours is removing the
 * machine or has removed it.
 */
void promises_kept(struct world *w, const struct lease *l)
{
	struct ledger ledger;

	if (!l->retained || w->restored || w->project_moved || w->lies || w->comes_back ||
	    store_ledger(core_store(w->d.core), l->n, &ledger, NULL))
		return;
	for (size_t i = 0; i < ledger.resource_count; i++) {
		const struct resource *r = &ledger.resources[i];
		const struct made *m = r->id[0] ? made_find(w, kind_of(r), made_id(r)) : NULL;

		if (r->state == LESSOR_STATE_RETAINED && r->kind == LESSOR_KIND_SERVER && m &&
		    m->deletes && !lives(w, r))
			violate(w, "I28: %s was answered \"retained\", but its delete was sent",
				m->name);
	}
	ledger_fini(&ledger);
}

/* I31: the broker lifts only protection that it set itself, never that of a retained lease. */
void promises_protection(struct world *w, const struct cloud_event *e, int by_broker)
{
	struct made *m = made_find(w, e->kind, e->id);
	int index = m ? lease_index(w, m->lease) : -1;

	if (!m)
		return;
	if (strcmp(e->what, "protected") == 0) {
		m->protected_by_person = !by_broker;
		return;
	}
	if (by_broker && m->protected_by_person)
		violate(w, "I31: lifted the protection of %s, which a person had set", m->name);
	if (by_broker && index >= 0 && (w->leases[index].kept || w->leases[index].is_protected))
		violate(w, "I31: lifted the protection of %s, which is retained", m->name);
	m->protected_by_person = 0;
}
