/* SPDX-License-Identifier: MIT */
/*
 * The sweep periodically compares the whole inventory of an account with the ledger. A resource
 * that we signed and no ledger holds is an orphan: it is stored and reported. Only where an
 * operator wants it, it is also added to the ledger of its ended lease, so that ordinary cleanup
 * deletes it.
 *
 * A sweep is one step per kind of resource, one after the other. Its start is committed before
 * its first call, so that a crash loop does not repeat it. It counts only if every list was
 * complete and the account was verified before and after.
 */
#include "engine/internal.h"

#include <stdlib.h>
#include <string.h>

#include "lease/absence.h"
#include "schedule/backoff.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

#define RETRY_MS (60 * 1000)
#define RETRY_CAP_MS (30 * 60 * 1000)
#define UNVERIFIED_WAIT_MS (60 * 1000)
/* Per account; the rest is ignored. So many need an operator anyway. */
#define ORPHANS_MAX 10000

static const uint32_t kinds[] = { LESSOR_KIND_SERVER, LESSOR_KIND_KEY, LESSOR_KIND_ADDRESS };

struct orphans {
	struct orphan *list;
	size_t count;
	int any_newer_than_store; /* some found since the last review show that the store is behind */
	int64_t looked_ms;
};

static int orphans_add(void *arg, const struct orphan *s)
{
	struct orphans *orphans = arg;

	if (orphans->count == ORPHANS_MAX)
		return 1;
	if (!(orphans->count & (orphans->count - 1)))
		orphans->list = xrealloc(orphans->list, (orphans->count ? orphans->count * 2 : 1) *
								sizeof(*orphans->list));
	orphans->list[orphans->count++] = *s;
	orphans->any_newer_than_store |= orphan_is_newer_than_store(s->why) &&
					 s->first_ms > orphans->looked_ms;
	return 0;
}

static int orphans_load(struct core *core, const struct sweep *sweep, struct orphans *ret,
			struct err *err)
{
	*ret = (struct orphans){ .looked_ms = sweep->looked_ms };
	return store_orphan_each(core->store, sweep->account, orphans_add, ret, err);
}

/* ---- one list ---------------------------------------------------------------------------- */

/*
 * A resource that the lease intended, that was concluded to be absent, and that shows up now
 * makes the lease owe cleanup again, whatever the sweep's mode. 1: it is such a resource.
 */
static int take_late_arrival(struct core *core, struct lease_aggregate *a, const struct orphan *s,
			     struct err *err)
{
	struct lease_event event = {
		.kind = LEASE_EVENT_LATE_ARRIVAL,
		.u.seen = { .kind = s->kind, .attempt = s->attempt, .name = s->name, .id = s->id },
	};
	struct lease_effects out;

	if (core_apply(core, a, &event, &out, err))
		return -1;
	if (!out.has_row)
		return 0;
	return store_orphan_drop(core->store, s->account, s->kind, s->id, err) ? -1 : 1;
}

/* Judges an unused address. 1: it came with a server of an ended lease; 0: it did not. */
static int classify_address(struct core *core, const char *account,
			    const struct lessor_observed *seen, struct orphan *ret, struct err *err)
{
	struct lease l;
	int64_t n;

	if (!seen->id || strlen(seen->id) >= sizeof(ret->id) || !seen->name)
		return 0;
	if (store_resource_lease(core->store, account, seen->kind, seen->id, &n, err))
		return -1;
	if (!n)
		return 0;
	if (store_lease_by_n(core->store, n, &l, err))
		return -1;
	if (lease_is_live(&l) || (l.cleanup != CLEANUP_DONE && l.cleanup != CLEANUP_NONE))
		return 0;
	*ret = (struct orphan){
		.kind = seen->kind,
		.why = ORPHAN_ADDRESS,
		.made_ms = seen->created_ms,
	};
	TEXT_SET(ret->account, account);
	TEXT_SET(ret->id, seen->id);
	TEXT_SET(ret->name, seen->name);
	TEXT_SET(ret->lease, l.id);
	return 1;
}

/* The same of a lease of another account, which another engine may change: it is only read. */
static int classify_elsewhere(struct core *core, struct orphan *s, struct err *err)
{
	struct ledger ledger = { 0 };
	struct lease l;
	int why;

	if (store_lease_by_id(core->store, s->lease, &l, err) ||
	    store_ledger(core->store, l.n, &ledger, err))
		return -1;
	why = orphan_classify(s, &l, &ledger);
	ledger_fini(&ledger);
	if (why < 0)
		return 0;
	s->why = (enum orphan_why)why;
	return 1;
}

/* A row of a ledger has it: does what was listed fit the row? */
static int claimed_check(struct core *core, struct core_account *account, int64_t row,
			 const struct lessor_observed *seen, struct err *err)
{
	int ahead = account->is_reconciling ? core_retained_ahead(core, row, seen, err) : 0;

	if (ahead < 0)
		return -1;
	account->ahead += ahead;
	return ahead ? 0 : core_retained_check(core, row, seen, err);
}

/* 1: an orphan, classified in *s; 0: not. `seen`: as listed now; NULL: not from a list. */
static int classify_sighting(struct core *core, struct core_account *account, struct orphan *s,
			     const struct lessor_observed *seen, struct err *err)
{
	struct lease_aggregate *a = NULL;
	int64_t claim;
	int why, late;

	if (store_resource_claim(core->store, account->account->config.name, s->kind, s->id, &claim,
				 err))
		return -1;
	if (claim)
		return seen ? claimed_check(core, account, claim, seen, err) : 0;
	if (core_lease_by_id(core, s->lease, &a, err) < 0)
		return err->kind == ERR_REFUSED ? classify_elsewhere(core, s, err) : -1;
	why = orphan_classify(s, a ? &a->lease : NULL, a ? &a->ledger : NULL);
	if (why < 0)
		return 0;
	if (seen && a && !account_is_fenced(account->account)) {
		late = take_late_arrival(core, a, s, err);
		if (late)
			return late < 0 ? -1 : 0;
	}
	s->why = (enum orphan_why)why;
	return 1;
}

/* Merges the earlier sightings of the same resource, which had no gap, into this one. */
static void merge_sighting(struct orphan *s, struct orphans *before, int64_t now)
{
	s->first_ms = s->last_ms = now;
	s->sightings = 1;
	for (size_t i = 0; i < before->count; i++) {
		struct orphan *b = &before->list[i];

		if (b->kind != s->kind || strcmp(b->id, s->id) != 0)
			continue;
		if (strcmp(b->name, s->name) == 0 && strcmp(b->lease, s->lease) == 0) {
			s->first_ms = b->first_ms;
			s->sightings = b->sightings + 1;
		}
		b->sightings = 0; /* merged */
		return;
	}
}

static void sighting_report(struct core *core, const struct orphan *s)
{
	/* Twice only: at the first sighting, and when the second confirms it. */
	if (s->sightings > 2)
		return;
	core_log_later(core,
		       &(struct log_origin){ .level = s->sightings == 2 ? LOG_LEVEL_WARNING :
									  LOG_LEVEL_NOTICE,
					     .lease = s->lease,
					     .account = s->account,
					     .event = "sweep.orphan" },
		       "orphan found: %s %s (id %s), ours and in no ledger (%s); see: lessor sweep",
		       resource_kind_name(s->kind), s->name, s->id, orphan_why_name(s->why));
}

static int list_take(struct core *core, struct core_account *a, struct step *step, struct err *err)
{
	const char *account = a->account->config.name;
	struct sweep sweep;
	struct orphans before = { 0 };
	int64_t now = core_now(core);
	int rc = store_sweep_get(core->store, account, &sweep, err) ||
				 orphans_load(core, &sweep, &before, err) ?
			 -1 :
			 0;

	for (size_t i = 0; i < step->listed_count && !rc; i++) {
		const struct lessor_observed *seen = &step->listed[i].seen;
		struct orphan s;

		if (seen->kind != step->list_kind)
			continue;
		if (seen->kind == LESSOR_KIND_ADDRESS) {
			rc = classify_address(core, account, seen, &s, err);
		} else if (!orphan_read(&core->signer, account, seen, &s)) {
			a->sweep_unverified++;
			continue;
		} else {
			a->sweep_objects++;
			rc = classify_sighting(core, a, &s, seen, err);
		}
		if (rc <= 0)
			continue;
		merge_sighting(&s, &before, now);
		sighting_report(core, &s);
		rc = store_orphan_put(core->store, &s, err);
	}
	/* A gap in the sightings ends them: whatever was not seen this time is dropped. */
	for (size_t i = 0; i < before.count && !rc; i++) {
		if (before.list[i].kind == step->list_kind && before.list[i].sightings)
			rc = store_orphan_drop(core->store, account, step->list_kind,
					       before.list[i].id, err);
	}
	free(before.list);
	return rc;
}

/* ---- handing orphans to cleanup ---------------------------------------------------------- */

/* Adds an orphan to its lease's ledger. 0: done; 1: refused, since the lease has changed. */
static int hand_to_cleanup(struct core *core, const struct orphan *s, const char *who,
			   const char *reason, struct err *err)
{
	struct lease_event event = {
		.kind = LEASE_EVENT_SWEPT,
		.u.seen = {
			.kind = s->kind, .attempt = s->attempt, .name = s->name, .id = s->id, .by = who,
			.reason = reason,
		},
	};
	struct lease_aggregate *a;
	struct lease_effects out;

	/* Another account's: its own sweep decides. */
	if (core_lease_by_id(core, s->lease, &a, err))
		return err->kind == ERR_REFUSED ? 1 : -1;
	if (core_apply(core, a, &event, &out, err))
		return -1;
	if (out.refusal)
		return 1;
	return store_orphan_drop(core->store, s->account, s->kind, s->id, err);
}

/*
 * Hands the orphans that may be deleted to cleanup, up to the limit. `by_itself`: without an
 * operator's request; then none if there are more than the limit, since very many at once
 * suggest a mistake, and an operator must decide. *ret_handed: how many.
 */
static int hand_all_to_cleanup(struct core *core, struct sweep *sweep, int by_itself,
			       const char *who, const char *reason, int64_t *ret_handed,
			       struct err *err)
{
	int64_t limit = orphan_limit(sweep->objects);
	int64_t now = core_now(core);
	int64_t may = 0, handed = 0;
	struct orphans orphans;
	int rc = orphans_load(core, sweep, &orphans, err);

	for (size_t i = 0; i < orphans.count && !rc; i++)
		may += !orphan_holds(&orphans.list[i], sweep, orphans.any_newer_than_store,
				     core->config.sweep_grace_ms, now);
	/* Their ages are not known. */
	if (by_itself && core_clock_is_suspect(core))
		may = 0;
	if (core_frozen(core, sweep->account)[0])
		may = 0;
	if (by_itself && may > limit) {
		log_warning(LOG_FIELDS({ "account", sweep->account }),
			    "the sweep would delete %lld orphans, more than the %lld allowed at "
			    "once; if that is right: lessor sweep --delete",
			    (long long)may, (long long)limit);
		may = 0;
	}
	for (size_t i = 0; i < orphans.count && !rc && may && handed < limit; i++) {
		struct orphan *s = &orphans.list[i];

		/* The ledgers have changed since it was seen: judge it again. */
		if (orphan_holds(s, sweep, orphans.any_newer_than_store,
				 core->config.sweep_grace_ms, now))
			continue;
		rc = classify_sighting(core, core_account_find(core, sweep->account), s, NULL, err);
		if (rc < 0)
			break;
		if (rc == 0) {
			rc = store_orphan_drop(core->store, s->account, s->kind, s->id, err);
			continue;
		}
		rc = 0;
		if (orphan_holds(s, sweep, orphans.any_newer_than_store,
				 core->config.sweep_grace_ms, now))
			continue;
		rc = hand_to_cleanup(core, s, who, reason, err);
		handed += !rc;
		rc = rc < 0 ? -1 : 0;
	}
	free(orphans.list);
	if (!rc && handed) {
		sweep->deleted_ms = now;
		rc = store_sweep_put(core->store, sweep, err);
	}
	*ret_handed = handed;
	return rc;
}

/* ---- start and end ----------------------------------------------------------------------- */

static void start_list(struct core *core, struct core_account *a)
{
	struct step *step = core_step_begin(core, a, STEP_LIST, 0);

	/* Like all account tasks, it does not count towards max_steps. */
	a->running--;
	step->list_kind = kinds[a->sweep_kind];
	a->is_sweeping = 1;
}

void core_sweep_due(struct core *core, struct core_account *a)
{
	struct sweep sweep;

	if (a->is_sweeping)
		return;
	/* If anything below fails, this is the retry. */
	sweep_schedule(core, a, core_now(core) + RETRY_MS);
	if (!core_account_is_readable(core, a)) {
		a->is_sweep_put_off = 1;
		sweep_schedule(core, a, core_now(core) + UNVERIFIED_WAIT_MS);
		return;
	}
	if (store_sweep_get(core->store, a->account->config.name, &sweep, NULL))
		return;
	sweep.begun_ms = core_now(core);
	if (store_sweep_put(core->store, &sweep, NULL))
		return;
	sweep_schedule(core, a, 0);
	a->is_sweep_put_off = 0;
	a->sweep_kind = 0;
	a->sweep_objects = a->sweep_unverified = 0;
	core_reconcile_begin(a);
	start_list(core, a);
}

static void sweep_failed(struct core *core, struct core_account *a, const char *why, int64_t wait_ms)
{
	struct sweep sweep;

	/* Each permit reads what it concerns, and the sentinel: a list that fails stops none for long. */
	a->is_unlisted = 0;
	a->sweep_tries++;
	log_notice(LOG_FIELDS({ "account", a->account->config.name }, { "reason", why }),
		   "the sweep of account %s did not complete; its result is ignored",
		   a->account->config.name);
	if (store_sweep_get(core->store, a->account->config.name, &sweep, NULL) == 0) {
		TEXT_SET(sweep.error, why);
		store_sweep_put(core->store, &sweep, NULL);
	}
	sweep_schedule(core, a,
		       core_now(core) + backoff_ms(a->sweep_tries, RETRY_MS, RETRY_CAP_MS, wait_ms,
						   core_random32(core)));
}

static int sweep_complete(struct core *core, struct core_account *a, struct err *err)
{
	struct sweep sweep;
	struct orphans orphans = { 0 };
	int64_t handed = 0, lands_ms;
	int rc = store_sweep_get(core->store, a->account->config.name, &sweep, err);

	sweep.done_ms = core_now(core);
	sweep.objects = a->sweep_objects;
	sweep.unverified = a->sweep_unverified;
	sweep.error[0] = '\0';
	/*
	 * The sweep that soon_ms requires must start after that time and run in a verified account,
	 * where a late arrival can be handled. Otherwise another one is scheduled.
	 */
	if (sweep.soon_ms <= sweep.begun_ms && core_account_is_verified(core, a))
		sweep.soon_ms = 0;
	else if (sweep.soon_ms && sweep.soon_ms <= core_now(core))
		sweep.soon_ms = core_now(core) + SWEEP_SOON_MS;
	/* One that shows what was under way when the database lost its newest changes does both. */
	lands_ms = core_reconcile_lands_ms(core, a);
	if (lands_ms > sweep.begun_ms && lands_ms > sweep.soon_ms)
		sweep.soon_ms = lands_ms;
	a->sweep_tries = 0;
	a->is_unlisted = 0;
	rc = rc || store_sweep_put(core->store, &sweep, err) ||
			     orphans_load(core, &sweep, &orphans, err) ?
		     -1 :
		     0;
	if (!rc && orphans.any_newer_than_store)
		log_error(LOG_FIELDS({ "account", sweep.account }),
			  "account %s holds resources with our signature that this store never "
			  "created: is it an older copy? Sweeps delete nothing there until an "
			  "operator has checked: lessor sweep, then lessor sweep --looked",
			  sweep.account);
	free(orphans.list);
	if (!rc && core->config.sweep_deletes && core_account_is_verified(core, a))
		rc = hand_all_to_cleanup(core, &sweep, 1, "the sweep", "", &handed, err);
	if (core->config.sweep_ms || sweep.soon_ms)
		sweep_schedule_by(core, a,
				  core->config.sweep_ms ? sweep.begun_ms + core->config.sweep_ms :
							  INT64_MAX,
				  &sweep);
	if (rc)
		return -1;
	return core_reconcile_end(core, a, &sweep, orphans.any_newer_than_store, err);
}

int core_sweep_done(struct core *core, struct core_account *a, struct step *step, struct err *err)
{
	a->is_sweeping = 0;
	if (step->verdict != LESSOR_DONE) {
		sweep_failed(core, a, step->reason, step->wait_ms);
		return 0;
	}
	if (!core_account_is_readable(core, a)) {
		sweep_failed(core, a, "the account is not verified", 0);
		return 0;
	}
	if (list_take(core, a, step, err))
		return -1;
	if (core->draining)
		return 0;
	if (++a->sweep_kind < ARRAY_LEN(kinds)) {
		start_list(core, a);
		return 0;
	}
	return sweep_complete(core, a, err);
}

/* ---- operators' requests -------------------------------------------------------------------- */

static int sweep_request_one(struct core *core, struct engine_request *r, struct core_account *a,
			     struct err *err)
{
	struct sweep sweep;
	int64_t now = core_now(core);
	int64_t handed = 0;
	int rc;

	if (store_sweep_get(core->store, a->account->config.name, &sweep, err))
		return -1;
	switch (r->sweep) {
	case SWEEP_RUN:
		/* At most once per RETRY_MS: a sweep costs many provider calls. */
		if (!a->is_sweeping)
			sweep_schedule(core, a,
				       sweep.begun_ms + RETRY_MS > now ? sweep.begun_ms + RETRY_MS :
									 now);
		return 0;
	case SWEEP_LOOKED:
		rc = core_reconcile_looked(core, a, r, err);
		if (rc)
			return rc;
		sweep.looked_ms = now;
		TEXT_SET(sweep.looked_by, r->caller.owner);
		core_log_later(core,
			       &(struct log_origin){ .level = LOG_LEVEL_NOTICE,
						     .account = sweep.account,
						     .event = "sweep.looked" },
			       "%s has reviewed the orphans of account %s%s%s", r->caller.owner,
			       sweep.account, r->reason[0] ? ": " : "", r->reason);
		return store_sweep_put(core->store, &sweep, err);
	case SWEEP_DELETE:
		break;
	}
	if (!core_account_is_verified(core, a) || now - sweep.deleted_ms < ORPHAN_CONFIRM_MS)
		return 0;
	if (hand_all_to_cleanup(core, &sweep, 0, r->caller.owner, r->reason, &handed, err))
		return -1;
	r->count += handed;
	return 0;
}

int core_request_sweep(struct core *core, struct engine_request *r, struct err *err)
{
	int rc, found = 0;

	if (r->caller.role != TOKEN_ADMIN) {
		request_fail(r, RESULT_FORBIDDEN, "forbidden", "only an admin may request a sweep");
		return 0;
	}
	for (size_t i = 0; i < core->account_count; i++) {
		struct core_account *a = &core->accounts[i];

		if (r->expected_account[0] &&
		    strcmp(r->expected_account, a->account->config.name) != 0)
			continue;
		found = 1;
		rc = sweep_request_one(core, r, a, err);
		if (rc)
			return rc < 0 ? -1 : 0;
	}
	if (!found) {
		request_fail(r, RESULT_INVALID, "invalid_provider",
			     "there is no account of this name; see: lessor providers");
		return 0;
	}
	r->result = RESULT_OK;
	return 0;
}
