/* SPDX-License-Identifier: MIT */
/*
 * Commits the claims of a step in memory: lease_apply decides, as it does for the engine. Only
 * the counter of the account's sentinel is kept here, as in broker/engine/core_generation.c.
 */
#include "life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lease/deadline.h"
#include "util/text.h"

static void number_rows(struct life *life, struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->attempt_count; i++)
		ledger->attempts[i].is_dirty = ledger->attempts[i].is_new = 0;
	for (size_t i = 0; i < ledger->resource_count; i++) {
		if (!ledger->resources[i].n)
			ledger->resources[i].n = ++life->last_row;
		ledger->resources[i].is_dirty = 0;
	}
}

struct lease_facts life_facts(const struct life *life)
{
	int is_verified = life->is_verified && !life->unverified;

	return (struct lease_facts){
		.now_ms = life->now_ms,
		.account = "acc",
		.can_protect = life->account->config.protect_retained,
		.is_blind = life->gen.is_fenced,
		.is_unsure = !is_verified,
		.is_blocked = !is_verified || life->gen.is_fenced,
		.gate = { .is_verified = is_verified, .is_fenced = life->gen.is_fenced },
		.settle_ms = life->settle_ms,
		.is_shared = life->is_shared,
		.signer = &life->signer,
		.users = { .count = life->shared },
	};
}

struct lease_effects life_apply(struct life *life, struct lease_aggregate *a,
				const struct lease_event *event)
{
	struct lease_facts facts = life_facts(life);
	struct lease_effects out = { 0 };

	lease_apply(a, event, &facts, &out);
	number_rows(life, &a->ledger);
	life->gen.is_wanted |= out.raise_generation;
	return out;
}

/* ---- the sentinel's counter ---------------------------------------------------------------- */

/* Handles the counter that was read from the sentinel. -1: this store is behind. */
static int found(struct life *life, struct lease_claim *claim, int64_t number, const char *holder)
{
	struct generation *gen = &life->gen;
	enum generation_state state = generation_found(gen, number, holder);

	if (!gen->is_fenced && state == GENERATION_OVERTAKEN)
		generation_fence(gen, "another process has raised it");
	if (gen->is_fenced)
		return err_set(&claim->err, ERR_REFUSED, "the store may be older than the account");
	if (state == GENERATION_ARRIVED)
		generation_arrived(gen);
	else if (state == GENERATION_MISSING || gen->pending > gen->current)
		gen->is_wanted = 1;
	return 0;
}

static int seen(struct life *life, struct lease_claim *claim)
{
	const struct lessor_observed *o = &claim->evidence.seen;
	const char *holder = observed_label(o, LESSOR_LABEL_HOLDER);

	return found(life, claim, observed_generation(o), holder ? holder : "");
}

static void raise_counter(struct life *life, struct labels *labels)
{
	char number[24];

	generation_raise(&life->gen, life->now_ms);
	snprintf(number, sizeof(number), "%lld", (long long)life->gen.pending);
	labels_add(labels, LESSOR_LABEL_GEN, number);
	labels_add(labels, LESSOR_LABEL_HOLDER, life->gen.holder);
}

static int sentinel_change(struct life *life, struct lease_claim *claim)
{
	const char *instance = observed_label(&claim->evidence.seen, LESSOR_LABEL_INSTANCE);
	const struct resource *r = ledger_find(&life->own.ledger, claim->row);
	struct labels own;

	if (!r || claim->change != LESSOR_CHANGE_LABELS)
		return err_set(&claim->err, ERR_REFUSED, "only the sentinel's labels can change");
	claim->resource = *r;
	if (claim->kind == CLAIM_CHANGED) {
		if (claim->evidence.outcome == EFFECT_ACCEPTED)
			generation_arrived(&life->gen);
		return 0;
	}
	if (!claim->evidence.is_read)
		return err_set(&claim->err, ERR_REFUSED, "the sentinel was not read just before");
	if (instance && strcmp(instance, life->signer.instance) != 0)
		return err_set(&claim->err, ERR_REFUSED,
			       "the sentinel bears the labels of another broker");
	if (seen(life, claim))
		return -1;
	claim->is_done = !life->gen.is_wanted;
	if (claim->is_done)
		return 0;
	raise_counter(life, &claim->labels);
	ledger_labels(&life->signer, "acc", NULL, r->kind, r->attempt, r->name, &own);
	for (size_t i = 0; i < own.count; i++)
		labels_add(&claim->labels, own.items[i].key, own.items[i].value);
	return 0;
}

/* ---- claims ---------------------------------------------------------------------------------- */

static void remember(struct life *life, const struct lease_effects *out)
{
	life->not_now |= out->not_now;
	if (out->absence_ms)
		life->absence_ms = out->absence_ms;
	if (!out->refusal_class || life->refusal_class)
		return;
	life->refusal_class = out->refusal_class;
	TEXT_SET(life->refusal, out->refusal_text);
}

int life_commit(void *arg, struct step *step, struct lease_claim *claim)
{
	struct life *life = arg;
	struct lease_aggregate *a = step->lease.n ? &life->a : &life->own;
	struct lease_event event = {
		.kind = LEASE_EVENT_CLAIM,
		.u.claim = { .claim = claim,
			     .epoch = step->epoch,
			     .host_key = step->host_key,
			     .until_ms = life->now_ms + PERMIT_MS + PERMIT_GUARD_MS },
	};
	struct lease_effects out;

	/* A crashed process records nothing. */
	if (life->crashed) {
		claim->result = err_set(&claim->err, ERR_REFUSED, "dead");
		return -1;
	}
	if (claim->evidence.is_sentinel_read)
		found(life, claim, claim->evidence.generation, claim->evidence.holder);
	if (!a->lease.n && (claim->kind == CLAIM_CHANGE || claim->kind == CLAIM_CHANGED)) {
		claim->result = sentinel_change(life, claim);
		return claim->result;
	}
	out = life_apply(life, a, &event);
	if (out.has_row) {
		claim->resource = a->ledger.resources[out.row_index];
		claim->row = claim->resource.n;
	}
	if (!a->lease.n && claim->kind == CLAIM_INTEND && claim->result == 0 && !life->gen.is_fenced)
		raise_counter(life, &claim->labels);
	remember(life, &out);
	return claim->result;
}
