/* SPDX-License-Identifier: MIT */
/*
 * The clients: their requests, and which responses they may receive (I6, I10, I11,
 * I24). After a crash a client repeats its request. A request during a step (inject.c)
 * is not interrupted by a crash.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

static int is_yes(enum request_result result)
{
	return result == RESULT_OK || result == RESULT_CREATED || result == RESULT_REPLAY;
}

static void ask_once(struct world *w, struct asked *a, const struct engine_request *fresh)
{
	a->request = *fresh;
	driver_ask(&w->d, a);
}

static enum request_result ask(struct world *w, struct asked *a)
{
	struct engine_request fresh = a->request;

	if (w->d.running || w->may_crash) {
		/* Another client, during a step: no crash may interrupt its request. */
		int may = w->may_crash;

		w->may_crash = 0;
		ask_once(w, a, &fresh);
		w->may_crash = may;
	} else {
		if (setjmp(w->crashed)) {
			/* I24: no success response without a commit. */
			if ((strcmp(w->crashed_at, "store-failed") == 0 ||
			     strcmp(w->crashed_at, "before-commit") == 0) &&
			    a->answered && is_yes(a->request.result))
				violate(w, "I24: success was returned, but nothing was committed");
			world_reborn(w);
		}
		w->may_crash = 1;
		ask_once(w, a, &fresh);
		w->may_crash = 0;
	}
	if (!a->answered)
		violate(w, "a request was not answered");
	trace(w, &a->request.result, sizeof(a->request.result));
	return a->request.result;
}

static int code_is(const struct asked *a, const char *code)
{
	return strcmp(a->request.code, code) == 0;
}

int world_lease(struct world *w, size_t lease, struct lease *ret)
{
	return driver_lease(&w->d, w->leases[lease].id, ret);
}

/* ---- create --------------------------------------------------------------------------- */

static void wish(struct lease *l, size_t lease, int64_t ttl_ms, int64_t idle_ms)
{
	char id[24];

	snprintf(id, sizeof(id), "cbx_%012zx", lease + 1);
	/* The same SSH key for each lease: the second lease finds the first one's. */
	driver_wish(l, id, "hetzner", "cx23,cx33,cpx22");
	snprintf(l->attempt_token, sizeof(l->attempt_token), "cat_%032zx", lease + 1);
	snprintf(l->slug, sizeof(l->slug), "lease-%zu", lease);
	strcpy(l->profile, "default");
	strcpy(l->image, "ubuntu-24.04");
	strcpy(l->architecture, "x86");
	strcpy(l->location, "fsn1");
	l->ttl_ms = ttl_ms;
	l->idle_ms = idle_ms;
}

/* The other leases that count against the cap. */
static int counted(struct world *w, size_t lease)
{
	int count = 0;

	for (size_t i = 0; i < w->lease_count; i++) {
		struct lease l;

		count += i != lease && world_lease(w, i, &l) == 0 && lease_counts(&l);
	}
	return count;
}

static void create(struct world *w, size_t lease, int64_t ttl_ms, int64_t idle_ms)
{
	struct asked a = { .request = { .kind = REQUEST_CREATE } };
	struct known *known = &w->leases[lease];
	struct lease l;
	int had, was_pruned, others;

	wish(&a.request.create, lease, ttl_ms, idle_ms);
	if (w->lease_count <= lease)
		w->lease_count = lease + 1;
	TEXT_SET(known->id, a.request.create.id);
	a.request.create.queue_ms = known->queue_ms;
	others = counted(w, lease);
	was_pruned = known->is_pruned;
	had = known->acked && !was_pruned;
	switch (ask(w, &a)) {
	case RESULT_CREATED:
		/* I16: a lease counts from the moment its create is acknowledged, or admitted. */
		if (others >= LEASES_CAP && (world_lease(w, lease, &l) || !lease_is_queued(&l)))
			violate(w, "I16: a lease was granted beyond the limit");
		/* I11: a repeated create is one lease. */
		if (had && !w->restored)
			violate(w, "I11: a repeated create returned a second lease");
		if (known->canceled)
			violate(w, "I11: a cancelled create returned a lease");
		/* fall through */
	case RESULT_REPLAY:
		if (was_pruned)
			pruning_again(w, known);
		known->acked = 1;
		return;
	case RESULT_CONFLICT:
		if (code_is(&a, "create_canceled") && known->cancel_asked)
			return;
		if (code_is(&a, "lease_state_changed") && !world_lease(w, lease, &l) &&
		    !lease_is_live(&l)) {
			known->acked = 1;
			return;
		}
		break;
	case RESULT_UNAVAILABLE:
		/* The permanent refusal may have been a refusal of the token. */
		if (code_is(&a, "provider_blocked") &&
		    (w->outage || w->may_fail || (w->restored && !w->taken_over)))
			return;
		if (code_is(&a, "store_unavailable") && disk_is_full())
			return;
		break;
	case RESULT_LIMIT:
		if (others >= LEASES_CAP)
			return;
		break;
	case RESULT_INVALID:
		if (code_is(&a, "invalid_provider") && w->account_gone)
			return;
		break;
	default:
		break;
	}
	violate(w, "I24: a create was answered with %d %s: %s", a.request.result, a.request.code,
		a.request.message);
}

void world_create(struct world *w, size_t lease, int64_t ttl_ms, int64_t idle_ms)
{
	create(w, lease, ttl_ms, idle_ms);
}

void world_create_waiting(struct world *w, size_t lease, int64_t ttl_ms, int64_t idle_ms)
{
	w->leases[lease].queue_ms = 2 * HOUR;
	create(w, lease, ttl_ms, idle_ms);
}

void world_create_again(struct world *w, size_t lease)
{
	if (w->leases[lease].acked)
		create(w, lease, HOUR, HOUR);
}

/* ---- the rest --------------------------------------------------------------------------- */

void world_release(struct world *w, size_t lease, int delete_machine)
{
	struct asked a = { .request = { .kind = REQUEST_RELEASE, .delete_machine = delete_machine } };
	struct known *known = &w->leases[lease];
	struct lease l;

	TEXT_SET(a.request.ref, known->id);
	known->delete_asked |= delete_machine;
	if (delete_machine)
		known->is_protected = 0;
	switch (ask(w, &a)) {
	case RESULT_OK:
		known->ended = 1;
		if (!delete_machine)
			known->delete_asked = 0;
		/* I6, I3: the retention is stored, or there is nothing left to retain. */
		if (!delete_machine && (world_lease(w, lease, &l) ||
					(!l.retained && l.cleanup != CLEANUP_DONE)))
			violate(w, "I6: a no-delete release was acknowledged but is not stored");
		if (!delete_machine && !world_lease(w, lease, &l))
			promises_kept(w, &l);
		return;
	case RESULT_CONFLICT:
		if (!delete_machine && code_is(&a, "cleanup_in_progress"))
			return;
		break;
	case RESULT_NOT_FOUND:
		if (!known->acked || known->is_pruned || w->restored)
			return;
		break;
	default:
		break;
	}
	violate(w, "I24: a release was answered with %d %s", a.request.result, a.request.code);
}

void world_heartbeat(struct world *w, size_t lease)
{
	struct asked a = { .request = { .kind = REQUEST_HEARTBEAT } };
	struct known *known = &w->leases[lease];
	struct lease l;
	int have = world_lease(w, lease, &l) == 0;
	/* After a start or a disturbance nothing expires before the account is verified. */
	int over = !have || !lease_is_live(&l) ||
		   (driver_wall(&w->d) >= lease_expires_ms(&l) && !w->restarts && !w->disturbed);

	TEXT_SET(a.request.ref, known->id);
	switch (ask(w, &a)) {
	case RESULT_OK:
		/* I10: a heartbeat does not revive a lease. */
		if (over && !w->jumped)
			violate(w, "I10: a heartbeat of an ended lease was accepted");
		known->touched_ms = driver_wall(&w->d);
		return;
	case RESULT_CONFLICT:
		if (over || w->jumped || driver_wall(&w->d) >= lease_expires_ms(&l))
			return;
		break;
	case RESULT_NOT_FOUND:
		if (!known->acked || known->is_pruned || w->restored)
			return;
		break;
	default:
		break;
	}
	violate(w, "I10: a heartbeat was answered with %d %s", a.request.result, a.request.code);
}

void world_cancel(struct world *w, size_t lease)
{
	struct asked a = { .request = { .kind = REQUEST_CANCEL_CREATE } };
	struct known *known = &w->leases[lease];
	struct lease l, wanted = { 0 };
	int had;

	wish(&wanted, lease, 0, 0);
	if (w->lease_count <= lease)
		w->lease_count = lease + 1;
	TEXT_SET(known->id, wanted.id);
	snprintf(a.request.ref, sizeof(a.request.ref), "%s", wanted.id);
	TEXT_SET(a.request.attempt_token, wanted.attempt_token);
	had = world_lease(w, lease, &l) == 0;
	if (ask(w, &a) != RESULT_OK) {
		violate(w, "I24: a cancel was answered with %d %s", a.request.result, a.request.code);
		return;
	}
	known->cancel_asked = 1;
	if (had)
		known->ended = 1;
	else
		known->canceled = 1;
}

void world_take_over(struct world *w)
{
	struct asked a = { .request = { .kind = REQUEST_ACCOUNT } };

	w->taken_over = 1;
	if (w->account_gone)
		return;
	a.request.caller.role = TOKEN_ADMIN;
	TEXT_SET(a.request.expected_account, "hetzner");
	if (ask(w, &a) != RESULT_OK)
		violate(w, "I24: a take-over was answered with %d %s", a.request.result,
			a.request.code);
}

void world_stranger_asks(struct world *w, size_t lease)
{
	static const struct {
		enum request_kind kind;
		int delete_machine;
	} all[] = { { REQUEST_HEARTBEAT, 0 },
		    { REQUEST_EXTEND, 0 },
		    { REQUEST_RELEASE, 0 },
		    { REQUEST_RELEASE, 1 } };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct asked a = { .request = { .kind = all[i].kind,
						.delete_machine = all[i].delete_machine,
						.caller = { .owner = "mallory", .org = "acme" } } };

		TEXT_SET(a.request.ref, w->leases[lease].id);
		/* Another owner does not even learn that the lease exists. */
		if (ask(w, &a) != RESULT_NOT_FOUND)
			violate(w, "I24: another owner's request was answered with %d %s",
				a.request.result, a.request.code);
	}
}
