/* SPDX-License-Identifier: MIT */
/*
 * The generation in each account's sentinel (lease/generation.h). It is read by each probe and
 * at the end of each absence observation. It is raised at a start, at each no-delete release,
 * and at intervals while a lease is open. If another process has raised it, this store fences
 * the account: nothing in it is created, deleted, expired or concluded.
 */
#include "engine/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/hash.h"
#include "util/text.h"

/* The interval of raises while a lease is open: any older copy of the store is recognised. */
#define RAISE_MS (10 * 60 * 1000)

#define MOVED "the database is not where it was at the last start: another machine, or another file"

/* Fences the account, for one more reason, and logs it; `why` is for the operator. */
static int account_fence_again(struct core *core, struct core_account *a, const char *why,
			       struct err *err)
{
	const char *name = a->account->config.name;

	generation_fence(&a->gen, why);
	account_set_fenced(a->account, why);
	if (store_generation_put(core->store, &a->gen, err))
		return -1;
	core_log_later(core,
		       &(struct log_origin){ .level = LOG_LEVEL_ERROR,
					     .account = name,
					     .event = "account.fenced" },
		       "account %s is fenced: %s; nothing in it is created, deleted or expired "
		       "until an operator has looked: lessor account take-over %s --looked",
		       name, why, name);
	core_account_blocked(core, a);
	sweep_after_fence(core, a);
	return 0;
}

static int account_fence(struct core *core, struct core_account *a, const char *why, struct err *err)
{
	return a->gen.is_fenced ? 0 : account_fence_again(core, a, why, err);
}

int core_generation_init(struct core *core, struct core_account *a, struct err *err)
{
	unsigned char bytes[16];
	char place[sizeof(core->config.place)];

	if (store_generation_get(core->store, a->account->config.name, &a->gen, err))
		return -1;
	env_random(core->env, bytes, sizeof(bytes));
	hash_hex(bytes, sizeof(bytes), a->gen.nonce);
	a->gen.is_wanted = 1;
	account_set_fenced(a->account, a->gen.is_fenced ? a->gen.why : NULL);
	if (!core_account_has_generation(a) || !core->config.place[0])
		return 0;
	if (store_place_get(core->store, place, sizeof(place), err))
		return -1;
	return place[0] && strcmp(place, core->config.place) != 0 ?
		       account_fence(core, a, MOVED, err) :
		       0;
}

/* The pending generation is known to be in the sentinel. */
static int generation_written(struct core *core, struct core_account *a, struct err *err)
{
	generation_arrived(&a->gen);
	return store_generation_put(core->store, &a->gen, err);
}

/* Compares what the sentinel carries with the store, and acts on the result. */
static enum generation_state generation_compare(struct core *core, struct core_account *a,
						int64_t number, const char *holder, struct err *err)
{
	enum generation_state state = generation_found(&a->gen, number, holder);
	char why[sizeof(a->gen.why)];

	if (a->gen.is_fenced)
		return GENERATION_OVERTAKEN;
	if (state == GENERATION_OVERTAKEN) {
		snprintf(why, sizeof(why),
			 "its sentinel has generation %" PRId64 " of another process, this store "
			 "has %" PRId64 ": an older copy, or a second daemon",
			 number, a->gen.pending);
		if (account_fence(core, a, why, err))
			return GENERATION_OVERTAKEN;
		a->surprised_ms = core_now(core);
	} else if (state == GENERATION_ARRIVED) {
		generation_written(core, a, err);
	} else if (state == GENERATION_MISSING || a->gen.pending > a->gen.current) {
		/* Our last write did not arrive. */
		a->gen.is_wanted = 1;
	}
	return state;
}

int core_generation_found(struct core *core, struct core_account *a, int64_t number,
			  const char *holder, struct err *err)
{
	if (!core_account_has_generation(a))
		return 0;
	return generation_compare(core, a, number, holder, err) == GENERATION_OVERTAKEN ?
		       err_set(err, ERR_REFUSED, "the store may be older than the account") :
		       0;
}

int core_generation_seen(struct core *core, struct core_account *a,
			 const struct lessor_observed *sentinel, struct err *err)
{
	const char *holder = observed_label(sentinel, LESSOR_LABEL_HOLDER);

	return core_generation_found(core, a, observed_generation(sentinel), holder ? holder : "",
				     err);
}

/* Raises the generation, stores it as pending, and adds its labels. */
static int generation_raise_next(struct core *core, struct core_account *a, struct labels *labels,
				 struct err *err)
{
	char number[24];

	generation_raise(&a->gen, core_now(core));
	snprintf(number, sizeof(number), "%" PRId64, a->gen.pending);
	labels_add(labels, LESSOR_LABEL_GEN, number);
	labels_add(labels, LESSOR_LABEL_HOLDER, a->gen.holder);
	return store_generation_put(core->store, &a->gen, err);
}

int core_generation_begin(struct core *core, struct core_account *a, struct labels *labels,
			  struct err *err)
{
	return core_account_has_generation(a) && !a->gen.is_fenced ?
		       generation_raise_next(core, a, labels, err) :
		       0;
}

/* Adds the labels to write to a sentinel that was just read, if a raise is wanted. */
static int generation_prepare(struct core *core, struct core_account *a,
			      const struct lessor_observed *sentinel, struct labels *labels,
			      struct err *err)
{
	if (!core_account_has_generation(a))
		return 0;
	if (core_generation_seen(core, a, sentinel, err))
		return -1;
	return a->gen.is_wanted ? generation_raise_next(core, a, labels, err) : 0;
}

/* The sentinel's own labels: whoever removed them removed the proof of ownership, too. */
static void own_labels(const struct core *core, const struct resource *r, struct labels *labels)
{
	struct labels own;

	ledger_labels(&core->signer, r->account, NULL, r->kind, r->attempt, r->name, &own);
	for (size_t i = 0; i < own.count; i++)
		labels_add(labels, own.items[i].key, own.items[i].value);
}

/* May the sentinel's labels be written? */
static int sentinel_change(struct core *core, struct core_account *a, const struct resource *r,
			   struct lease_claim *claim)
{
	const struct lessor_observed *seen = &claim->evidence.seen;
	const char *instance = observed_label(seen, LESSOR_LABEL_INSTANCE);

	if (!claim->evidence.is_read)
		return err_set(&claim->err, ERR_REFUSED, "the sentinel was not read just before");
	if (instance && strcmp(instance, core->signer.instance) != 0)
		return err_set(&claim->err, ERR_REFUSED,
			       "the sentinel bears the labels of another broker");
	if (generation_prepare(core, a, seen, &claim->labels, &claim->err))
		return -1;
	claim->is_done = !claim->labels.count;
	if (!claim->is_done)
		own_labels(core, r, &claim->labels);
	return 0;
}

int core_generation_claim(struct core *core, struct core_account *a, struct lease_claim *claim)
{
	const struct resource *r = ledger_find(&a->own.ledger, claim->row);

	if (!r)
		return err_set(&claim->err, ERR_NOT_FOUND, "no such row in this ledger");
	if (claim->change != LESSOR_CHANGE_LABELS)
		return err_set(&claim->err, ERR_REFUSED, "only the sentinel's labels can change");
	claim->resource = *r;
	if (claim->kind == CLAIM_CHANGE)
		return sentinel_change(core, a, r, claim);
	return claim->evidence.outcome == EFFECT_ACCEPTED ?
		       generation_written(core, a, &claim->err) :
		       0;
}

void core_generation_due(struct core *core, struct core_account *a)
{
	if (core_account_has_generation(a) && a->gen.raised_ms &&
	    core_now(core) - a->gen.raised_ms >= RAISE_MS && core_account_has_open(core, a))
		a->gen.is_wanted = 1;
}

/* ---- other instances in the account -------------------------------------------------------- */

#define NEIGHBOURS_SIZE 4096 /* some 200 ids */
#define NEIGHBOURS_SHOWN 2

struct neighbours {
	char known[NEIGHBOURS_SIZE]; /* as recorded, with those of `shown` at the end */
	int count;		     /* how many sentinels of others were listed */
	int fresh_count;	     /* of instances that were not recorded */
	char shown[40];		     /* the first of them */
};

int core_neighbours_unknown(const struct core_account *a)
{
	const struct ledger *own = &a->own.ledger;

	for (size_t i = 0; i < own->resource_count; i++) {
		const struct resource *r = &own->resources[i];

		/* Once there is a sentinel of ours, it was created with the operator's consent. */
		if (r->kind == LESSOR_KIND_SENTINEL && r->state == LESSOR_STATE_PRESENT)
			return 0;
	}
	return !a->is_alone;
}

static int list_has(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += len) {
		if ((at == list || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return 1;
	}
	return 0;
}

static void list_add(char *list, size_t size, const char *between, const char *word)
{
	size_t len = strlen(list);

	if (len + strlen(between) + strlen(word) < size)
		snprintf(list + len, size - len, "%s%s", len ? between : "", word);
}

/* A label can be written by anybody who has the token: a value that cannot be an id is ignored. */
static void neighbour_add(struct neighbours *n, const char *instance)
{
	size_t len = strlen(instance);

	if (!len || len >= sizeof(((struct signer *)0)->instance) ||
	    strspn(instance, "abcdefghijklmnopqrstuvwxyz0123456789") != len)
		return;
	n->count++;
	if (list_has(n->known, instance))
		return;
	if (n->fresh_count++ < NEIGHBOURS_SHOWN)
		list_add(n->shown, sizeof(n->shown), ", ", instance);
	list_add(n->known, sizeof(n->known), " ", instance);
}

static int neighbours_fence(struct core *core, struct core_account *a, const struct neighbours *n,
			    struct err *err)
{
	char why[sizeof(a->gen.why)];

	if (n->fresh_count == 1)
		snprintf(why, sizeof(why),
			 "another lessord database (instance %s) uses it and this one never did: "
			 "restore that one if it was lost",
			 n->shown);
	else
		snprintf(why, sizeof(why),
			 "%d other lessord databases (instances %s%s) use it and this one never "
			 "did: restore the lost one",
			 n->fresh_count, n->shown,
			 n->fresh_count > NEIGHBOURS_SHOWN ? ", ..." : "");
	return store_neighbours_put(core->store, a->account->config.name, n->known, err) ||
			       account_fence_again(core, a, why, err) ?
		       -1 :
		       0;
}

int core_neighbours_listed(struct core *core, struct core_account *a, const struct step *step,
			   struct err *err)
{
	struct neighbours n = { .count = 0 };

	if (store_neighbours_get(core->store, a->account->config.name, n.known, sizeof(n.known),
				 err))
		return -1;
	for (size_t i = 0; i < step->listed_count; i++) {
		const struct lessor_observed *seen = &step->listed[i].seen;
		const char *instance = observed_label(seen, LESSOR_LABEL_INSTANCE);

		if (seen->kind == LESSOR_KIND_SENTINEL && instance &&
		    strcmp(instance, core->signer.instance) != 0)
			neighbour_add(&n, instance);
	}
	if (n.fresh_count && neighbours_fence(core, a, &n, err))
		return -1;
	/* Recorded ones count until an operator has agreed, which ends the fence. */
	a->is_alone = !n.count || !a->gen.is_fenced;
	return 0;
}

int core_request_account(struct core *core, struct engine_request *r, struct err *err)
{
	struct core_account *a = core_account_find(core, r->expected_account);
	int rc;

	if (r->caller.role != TOKEN_ADMIN) {
		request_fail(r, RESULT_FORBIDDEN, "forbidden",
			     "only an admin may take over an account");
		return 0;
	}
	if (!a) {
		request_fail(r, RESULT_NOT_FOUND, "not_found",
			     "there is no account of this name; see: "
			     "lessor providers");
		return 0;
	}
	rc = core_reconcile_looked(core, a, r, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	r->result = RESULT_OK;
	if (!a->gen.is_fenced)
		return 0;
	generation_take_over(&a->gen);
	/* A newer store may have lifted a protection that this one records. */
	if (store_generation_put(core->store, &a->gen, err) ||
	    core_retained_recheck(core, r->expected_account, err))
		return -1;
	account_set_fenced(a->account, NULL);
	core_log_later(core,
		       &(struct log_origin){ .level = LOG_LEVEL_NOTICE,
					     .account = r->expected_account,
					     .event = "account.taken-over" },
		       "%s takes over account %s: this store may use it from now on%s%s",
		       r->caller.owner, r->expected_account, r->reason[0] ? ": " : "", r->reason);
	core_account_unblocked(core, a, 0);
	account_task_soon(core, a, TASK_PROBE);
	return 0;
}
