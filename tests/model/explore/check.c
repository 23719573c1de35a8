/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <lessor/provider.h>

int row_is_over(const struct row *row)
{
	return lessor_state_is_over(row->state);
}

int object_exists(const struct object *object)
{
	return object->state == HIDDEN || object->state == SHOWN || object->state == GOING;
}

int store_is_live(const struct store *store)
{
	return store->state == LEASE_PROVISIONING || store->state == LEASE_ACTIVE;
}

const struct row *store_holds(const struct store *store, enum thing thing)
{
	for (size_t i = 0; i < ROWS_MOST && store->rows[i].state; i++) {
		const struct row *row = &store->rows[i];

		if (row->thing == thing && row->is_ours && !row_is_over(row))
			return row;
	}
	return NULL;
}

int store_forgot(const struct store *store, enum thing thing)
{
	for (size_t i = 0; i < ROWS_MOST && store->rows[i].state; i++) {
		if (store->rows[i].thing == thing && store->rows[i].state == LESSOR_STATE_DISOWNED)
			return 1;
	}
	return 0;
}

/* Nothing may be under way without a running step. */
static int is_under_way(const struct row *row)
{
	return row->state == LESSOR_STATE_INTENDED || row->state == LESSOR_STATE_DELETE_AUTHORIZED ||
	       row->state == LESSOR_STATE_UNPROTECT_AUTHORIZED;
}

static const char *check_rows(const struct world *w)
{
	for (size_t i = 0; i < ROWS_MOST && w->store.rows[i].state; i++) {
		const struct row *row = &w->store.rows[i];

		if (is_under_way(row) && (w->step.at == AT_NOTHING || w->step.at == AT_END))
			return "state: something is under way without a step";
		if (row->thing >= OBJECTS && row->is_ours)
			return "address: the row became ours";
	}
	return NULL;
}

static int is_protected(const struct config *config, const struct row *row, const struct object *o)
{
	if (o->state != SHOWN)
		return 1;
	return o->label && o->label >= row->retain_epoch &&
	       (row->thing == KEY || o->protection != OFF || config->cannot_protect);
}

/* What is reported as protected must be protected. */
static const char *check_protected(const struct config *config, const struct world *w)
{
	const struct store *s = &w->store;

	for (size_t i = 0; i < ROWS_MOST && s->rows[i].state; i++) {
		const struct row *row = &s->rows[i];

		if (row_is_over(row) || row->thing >= OBJECTS ||
		    is_protected(config, row, &w->objects[row->thing]))
			continue;
		if (row->is_marked && row->state == LESSOR_STATE_RETAINED)
			return "honest: a row is recorded as protected, but is not";
		if (s->retention == RETENTION_PROTECTED)
			return "honest: the lease is reported as protected, but is not";
	}
	return NULL;
}

/* Does it exist without a row? An accepted delete is up to the provider. */
static int is_left(const struct world *w, enum thing thing)
{
	const struct object *o = &w->objects[thing];

	return (o->state == HIDDEN || o->state == SHOWN) && !store_holds(&w->store, thing) &&
	       !store_forgot(&w->store, thing);
}

const char *check_state(const struct config *config, const struct world *w)
{
	const char *wrong = check_rows(w);

	/* An older store has lost history; the sweep reports what is left. */
	if (wrong || w->is_restored)
		return wrong;
	for (int i = 0; i < OBJECTS; i++) {
		/* An accepted delete is up to the provider. */
		if (is_left(w, i) && !config->is_tardy)
			return "leak: an object exists, but no row holds it";
		if (i != KEY && object_exists(&w->objects[i]) && store_holds(&w->store, i) &&
		    !w->store.is_billed)
			return "billed: a machine exists, but does not count";
		if (w->objects[i].state == GOING && w->store.is_retained && store_holds(&w->store, i))
			return "honest: it is retained, but its delete was accepted";
	}
	return w->is_bared ? NULL : check_protected(config, w);
}

/* ---- settled -------------------------------------------------------------------------------------- */

/* Is there something that only an operator can decide? */
static int is_strange(const struct world *w)
{
	for (int i = 0; i < OBJECTS; i++) {
		const struct object *o = &w->objects[i];

		if (o->state == SHOWN && (!o->is_signed || o->protection != OFF || o->is_marked))
			return 1;
	}
	return 0;
}

/* Attention settles what only an operator can decide, and that the owner's time is over. */
static int needs_operator(const struct world *w)
{
	const struct store *s = &w->store;

	if (!s->has_attention)
		return 0;
	if (s->attention_class == LESSOR_CLASS_NONE)
		return s->until == UNTIL_OVER || is_strange(w);
	return s->attention_class != LESSOR_CLASS_TRANSIENT &&
	       s->attention_class != LESSOR_CLASS_ACCOUNT && is_strange(w);
}

static int is_kept_well(const struct config *config, const struct world *w)
{
	const struct store *s = &w->store;

	return s->is_retained && s->is_due != DUE_SOON && s->until != UNTIL_OVER &&
	       s->retention == (config->cannot_protect ? RETENTION_RECORDED : RETENTION_PROTECTED);
}

int check_is_settled(const struct config *config, const struct world *w)
{
	const struct store *s = &w->store;

	/* While the account waits for an operator, and in an older store, nothing is required. */
	if (w->is_other_project || w->is_restored || w->account == ACCOUNT_FENCED)
		return 1;
	/* With a wild plugin a live lease settles only at its deadline. */
	if (config->is_wild && store_is_live(s))
		return 1;
	if (w->step.at != AT_NOTHING || w->deposed.at != AT_NOTHING)
		return 0;
	for (int i = 0; i < OBJECTS && !store_is_live(s); i++) {
		if (is_left(w, i))
			return 0;
	}
	return s->state == LEASE_ACTIVE || s->cleanup == CLEANUP_DONE || needs_operator(w) ||
	       is_kept_well(config, w);
}
