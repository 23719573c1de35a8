/* SPDX-License-Identifier: MIT */
/*
 * How a frozen account goes on. Its database may have lost commits, so the account itself is asked:
 * the probe reads the sentinel, and a sweep that began after the freeze lists everything. What the
 * provider shows to be kept is retained again; what else is newer than the database is reported as
 * orphans are. If nothing is, a failover ends here; else an operator decides.
 */
#include "engine/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/ownership.h"
#include "util/log.h"
#include "util/text.h"

/* By then each living daemon has read the row, and has told if it had seen more before. */
#define OTHERS_LOOK_MS 5000

void core_reconcile_soon(struct core *core, struct core_account *a)
{
	/* A sweep that is running began before. */
	a->is_reconciled = a->is_reconciling = 0;
	if (!core->config.ownership)
		return;
	account_task_soon(core, a, TASK_PROBE);
	/* If a sweep is running, its end schedules this one. */
	if (!a->is_sweeping)
		sweep_schedule(core, a, core_now(core) + OTHERS_LOOK_MS);
}

void core_freeze(struct core *core, const char *account, const char *why)
{
	struct core_account *a = core_account_find(core, account);

	if (!a || strcmp(a->frozen, why ? why : "") == 0)
		return;
	if (!a->frozen[0])
		core_reconcile_soon(core, a);
	TEXT_SET(a->frozen, why ? why : "");
	a->is_thawed = !a->frozen[0];
	if (a->is_thawed)
		account_task_soon(core, a, TASK_DISPATCH);
	if (a->frozen[0])
		log_error(LOG_FIELDS({ "account", account }),
			  "account %s is frozen: %s; nothing in it is deleted or expires until it is "
			  "reconciled; see: lessor sweep",
			  account, a->frozen);
	else
		log_notice(LOG_FIELDS({ "account", account }), "account %s is no longer frozen",
			   account);
}

/*
 * What was lost with the database may have been the intent of a create that was still under way:
 * presumed_until_ms is when the last of them has ended, and until the provider shows what it made
 * takes some more.
 */
int64_t core_reconcile_lands_ms(const struct core *core, const struct core_account *a)
{
	if (!core->config.ownership || !a->frozen[0] || !a->presumed_until_ms)
		return 0;
	return a->presumed_until_ms - core_store_ahead_ms(core) + core_settle_ms(core, a);
}

void core_reconcile_begin(struct core_account *a)
{
	a->is_reconciling = a->frozen[0] != '\0';
	a->ahead = 0;
}

static void ahead_text(const struct core_account *a, int has_orphans, char *ret, size_t size)
{
	int len = 0;

	ret[0] = '\0';
	if (a->ahead)
		len = snprintf(ret, size, "%" PRId64 " kept by releases that are lost", a->ahead);
	if (has_orphans)
		len += snprintf(ret + len, size - (size_t)len, "%sorphans that it does not know",
				len ? ", " : "");
	if (account_is_fenced(a->account))
		snprintf(ret + len, size - (size_t)len, "%sits sentinel", len ? ", " : "");
}

int core_reconcile_end(struct core *core, struct core_account *a, const struct sweep *sweep,
		       int has_orphans, struct err *err)
{
	const struct engine_ownership *ownership = core->config.ownership;
	int is_early = core_reconcile_lands_ms(core, a) > sweep->begun_ms;
	char ahead[128];

	if (!a->frozen[0] || !ownership || !ownership->reconciled)
		return 0;
	if (!a->is_reconciling) {
		sweep_schedule(core, a, core_now(core) + OTHERS_LOOK_MS);
		return 0;
	}
	ahead_text(a, has_orphans, ahead, sizeof(ahead));
	a->is_reconciled = 1;
	core_log_later(core,
		       &(struct log_origin){ .level = ahead[0] ? LOG_LEVEL_ERROR : LOG_LEVEL_NOTICE,
					     .account = a->account->config.name,
					     .event = "account.reconciled" },
		       "frozen account %s was compared with the database: %s%s",
		       a->account->config.name, ahead[0] ? ahead : "nothing is newer",
		       is_early ? "; once more when creates that were under way must have shown" :
				  "");
	/* An operator may decide by now; by itself nothing does before all can be seen. */
	if (is_early && !ahead[0])
		return 0;
	return ownership->reconciled(ownership->arg, core->store, ahead, err);
}

/*
 * An operator may have seen a freeze before this engine's next commit tells of it. Or not seen it: what
 * was decided about one reason is not decided about another.
 */
static int frozen_look(struct core *core, struct core_account *a, struct err *err)
{
	const struct engine_ownership *ownership = core->config.ownership;
	char why[sizeof(a->frozen)] = "";

	if (!ownership || !ownership->frozen)
		return 0;
	if (ownership->frozen(ownership->arg, core->store, why, sizeof(why), err))
		return -1;
	if (!why[0] || strcmp(why, a->frozen) == 0)
		return 0;
	if (a->frozen[0])
		core_reconcile_soon(core, a);
	core_freeze(core, a->account->config.name, why);
	return 0;
}

int core_reconcile_looked(struct core *core, struct core_account *a, struct engine_request *r,
			  struct err *err)
{
	const struct engine_ownership *ownership = core->config.ownership;
	const char *name = a->account->config.name;

	if (frozen_look(core, a, err))
		return -1;
	if (!a->frozen[0] || !ownership || !ownership->thaw)
		return 0;
	if (!a->is_reconciled) {
		request_fail(r, RESULT_CONFLICT, "not_reconciled",
			     "account %s was not compared with the database yet; try again in a "
			     "minute",
			     name);
		return 1;
	}
	core_log_later(core,
		       &(struct log_origin){ .level = LOG_LEVEL_NOTICE,
					     .account = name,
					     .event = "account.thawed" },
		       "%s has looked at frozen account %s: this store may use it from now on%s%s",
		       r->caller.owner, name, r->reason[0] ? ": " : "", r->reason);
	return ownership->thaw(ownership->arg, core->store, err) ? -1 : 0;
}

static int lease_thaw(void *arg, struct core *core, struct lease_aggregate *a, struct err *err)
{
	static const struct lease_event event = { .kind = LEASE_EVENT_THAWED };

	(void)arg;
	return core_apply(core, a, &event, NULL, err);
}

void core_thaw(struct core *core, struct core_account *a)
{
	struct store_list list = { .state = -1, .cleanup = -1, .open = 1 };

	if (!a->is_thawed)
		return;
	a->is_thawed = 0;
	list.account = a->account->config.name;
	/* A failed write marks the store broken; the commit then fails. */
	core_lease_each(core, list, lease_thaw, NULL, NULL);
}
