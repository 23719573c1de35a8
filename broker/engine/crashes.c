/* SPDX-License-Identifier: MIT */
/*
 * Operations that crashed the daemon. The process that crashes names the operation in a file
 * (daemon/crash_report.c), and the next start counts it here. What has crashed three times is not
 * run again until an operator says so: otherwise one lease would end the daemon at each start,
 * and with it the service of all others. Counting in the crash itself rather than before each
 * step costs no commit, and does not blame a plugin for a kill -9 or a lack of memory.
 *
 * A count ends with the first return of the operation, and with another version of the plugin.
 */
#include "engine/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crash_counts.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

#define CRASHES_MOST 3
/* How soon a lease that is held is due again, in case something else changes. */
#define HELD_MS (60 * 60 * 1000)

struct crash_count {
	struct engine_crash crash;
	int count;
};

static int is_same(const struct engine_crash *a, const struct engine_crash *b)
{
	return strcmp(a->account, b->account) == 0 && strcmp(a->op, b->op) == 0 &&
	       strcmp(a->lease, b->lease) == 0;
}

static struct crash_count *count_find(const struct core *core, const struct engine_crash *crash)
{
	for (size_t i = 0; i < core->crash_count; i++) {
		if (is_same(&core->crashes[i].crash, crash))
			return &core->crashes[i];
	}
	return NULL;
}

static struct crash_count *count_add(struct core *core, const struct engine_crash *crash)
{
	core->crashes = xgrow(core->crashes, core->crash_count, sizeof(*core->crashes));
	core->crashes[core->crash_count] = (struct crash_count){ .crash = *crash };
	return &core->crashes[core->crash_count++];
}

static int count_put(struct core *core, struct crash_count *c, int count, struct err *err)
{
	struct store_crash row = { .count = count };

	TEXT_SET(row.account, c->crash.account);
	TEXT_SET(row.op, c->crash.op);
	TEXT_SET(row.lease, c->crash.lease);
	TEXT_SET(row.version, c->crash.version);
	c->count = count;
	return store_crash_put(core->store, &row, err);
}

static void count_drop(struct core *core, struct crash_count *c)
{
	/* A failed write marks the store broken; the commit then fails. */
	count_put(core, c, 0, NULL);
	*c = core->crashes[--core->crash_count];
}

static struct engine_crash crash_of(const struct step *step)
{
	struct engine_crash crash = { .account = "" };

	TEXT_SET(crash.account, step->account->config.name);
	TEXT_SET(crash.op, step_op_name(step->op));
	TEXT_SET(crash.lease, step->lease.id);
	return crash;
}

/* ---- what is held ---------------------------------------------------------------------- */

static void reason_of(const struct core_account *a, const struct engine_crash *crash, char text[160])
{
	snprintf(text, 160, "%s of provider %s crashed lessord %d times and is not run again",
		 crash->op, a->account->table->name, CRASHES_MOST);
}

static int lease_tell(struct core *core, const struct core_account *a,
		      const struct engine_crash *crash, int is_over, struct err *err)
{
	struct lease_event event = { .kind = LEASE_EVENT_STUCK };
	struct lease_aggregate *lease;
	char reason[160];
	int rc = core_lease_by_id(core, crash->lease, &lease, err);

	if (rc)
		return rc < 0 ? -1 : 0;
	reason_of(a, crash, reason);
	event.u.stuck.reason = reason;
	event.u.stuck.is_over = is_over;
	return core_apply(core, lease, &event, NULL, err);
}

/* Nothing of the account can be relied on while its inventory or its sentinel cannot be read. */
static void account_hold(struct core *core, struct core_account *a, const struct engine_crash *crash)
{
	char reason[160];

	reason_of(a, crash, reason);
	a->is_held = a->was_blocked = 1;
	account_probed(a->account, 0, LESSOR_CLASS_ACCOUNT, reason);
	log_error(LOG_FIELDS({ "account", a->account->config.name }),
		  "account %s is blocked: %s; install a provider that does not, or to try it once "
		  "more reload lessord",
		  a->account->config.name, reason);
	core_account_blocked(core, a);
}

int core_crash_is_held(const struct core *core, const struct step *step)
{
	const struct engine_crash crash = crash_of(step);
	const struct crash_count *c = core->crash_count ? count_find(core, &crash) : NULL;

	return c && c->count >= CRASHES_MOST;
}

void core_crash_postpone(struct core *core, const struct lease *l)
{
	int64_t due = core_now(core) + HELD_MS, deadline = lease_deadline_ms(l);

	heap_set(core->due, l->n, deadline && deadline < due ? deadline : due);
}

/* ---- the start ------------------------------------------------------------------------- */

static void row_read(void *arg, const struct store_crash *row)
{
	struct core *core = arg;
	struct engine_crash crash = { .account = "" };
	struct crash_count *c;

	if (core_only_account(core) && !core_account_find(core, row->account))
		return;
	TEXT_SET(crash.account, row->account);
	TEXT_SET(crash.op, row->op);
	TEXT_SET(crash.lease, row->lease);
	TEXT_SET(crash.version, row->version);
	c = count_add(core, &crash);
	c->count = row->count;
}

/* The counts of another version of the plugin say nothing about this one. */
static int versions_check(struct core *core, struct err *err)
{
	for (size_t i = core->crash_count; i-- > 0;) {
		struct crash_count *c = &core->crashes[i];
		struct core_account *a = core_account_find(core, c->crash.account);

		if (!a || strcmp(c->crash.version, a->account->table->version) == 0)
			continue;
		if (c->crash.lease[0] && lease_tell(core, a, &c->crash, 1, err))
			return -1;
		count_drop(core, c);
	}
	return 0;
}

int core_crashes_init(struct core *core, struct err *err)
{
	int rc = crash_counts_write(&core->config, err) ||
		 store_crash_each(core->store, row_read, core, err) || versions_check(core, err);

	for (size_t i = 0; i < core->crash_count && !rc; i++) {
		struct crash_count *c = &core->crashes[i];
		struct core_account *a = core_account_find(core, c->crash.account);

		if (!a || c->count < CRASHES_MOST)
			continue;
		if (!c->crash.lease[0])
			account_hold(core, a, &c->crash);
		else
			rc = lease_tell(core, a, &c->crash, 0, err);
	}
	/* They are copied; the caller's array need not outlive this. */
	core->config.crashes = NULL;
	core->config.crash_count = 0;
	return rc ? -1 : 0;
}

/* ---- the end --------------------------------------------------------------------------- */

void core_crash_over(struct core *core, const struct step *step)
{
	const struct engine_crash crash = crash_of(step);
	struct crash_count *c = core->crash_count ? count_find(core, &crash) : NULL;

	if (c)
		count_drop(core, c);
}

int core_crash_retry(struct core *core, const char *account, const char *lease, struct err *err)
{
	struct core_account *a = core_account_find(core, account);

	for (size_t i = 0; i < core->crash_count && a; i++) {
		struct crash_count *c = &core->crashes[i];

		if (c->count < CRASHES_MOST || strcmp(c->crash.account, account) != 0 ||
		    strcmp(c->crash.lease, lease) != 0)
			continue;
		/* One more crash holds it again. */
		if (count_put(core, c, CRASHES_MOST - 1, err) ||
		    (lease[0] && lease_tell(core, a, &c->crash, 1, err)))
			return -1;
	}
	if (!a || lease[0] || !a->is_held)
		return 0;
	a->is_held = 0;
	account_tasks_init(core);
	/* With a probe, that unblocks it. */
	if (!a->account->table->probe &&
	    account_verify(a->account, account_token_number(a->account))) {
		a->was_blocked = 0;
		core_account_unblocked(core, a, 0);
	}
	return 0;
}
