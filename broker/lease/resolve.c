/* SPDX-License-Identifier: MIT */
/*
 * What needs a person, in words that say what to do, and what people then ask for.
 * Part of transition.h, and as pure as the rest of it.
 */
#include <stdio.h>
#include <string.h>

#include <lessor/provider.h>

#include "lease/transition.h"
#include "util/defect.h"
#include "util/text.h"

#define LOOK_PAUSE_MS 1000

/* ---- attention -------------------------------------------------------------------------- */

int lease_waits_for_account(const struct lease *l)
{
	return l->attention[0] && (l->attention_class == LESSOR_CLASS_AUTH ||
				   l->attention_class == LESSOR_CLASS_ACCOUNT);
}

static void advice(const struct lease *l, uint32_t error_class, char *out, size_t room)
{
	switch (error_class) {
	case LESSOR_CLASS_NONE:
		snprintf(out, room, "lessor release %s --delete, or --keep-server --until TIME", l->id);
		break;
	case LESSOR_CLASS_AUTH:
	case LESSOR_CLASS_ACCOUNT:
		snprintf(out, room, "it goes on by itself once the account is proven: lessor providers");
		break;
	case LESSOR_CLASS_PROTECTED:
		snprintf(out, room, "unprotect it there, then: lessor resolve %s retry", l->id);
		break;
	case LESSOR_CLASS_OWNERSHIP:
	case LESSOR_CLASS_CONFLICT:
		snprintf(out, room, "look at it there, then: lessor resolve %s retry, or forget", l->id);
		break;
	default:
		snprintf(out, room, "when that is mended: lessor resolve %s retry", l->id);
		break;
	}
}

int lease_attention_set(struct lease *l, uint32_t error_class, const char *reason)
{
	char text[sizeof(l->attention)];
	char what[112];
	int room;

	advice(l, error_class, what, sizeof(what));
	/* The reason may be cut, what to do may not. */
	room = (int)(sizeof(text) - strlen(what) - 3);
	snprintf(text, sizeof(text), "%.*s; %s", room, reason, what);
	l->attention_class = error_class;
	if (strcmp(l->attention, text) == 0)
		return 0;
	TEXT_SET(l->attention, text);
	return 1;
}

void lease_blocked(struct lease *l, const char *why, const struct lease_facts *facts,
		   struct lease_outcome *out)
{
	char reason[128];

	if (l->attention[0] || lease_next(l, facts) == LEASE_OP_NONE)
		return;
	/* More is the operator's business: `lessor providers` tells it to those who may know. */
	snprintf(reason, sizeof(reason), "account %s %s", l->account, why);
	lease_attention_set(l, LESSOR_CLASS_ACCOUNT, reason);
	out->changed = 1;
	lease_note_add(out, "lease.attention", "%s", l->attention);
}

void lease_unblocked(struct lease *l, const struct lease_facts *facts, struct lease_outcome *out)
{
	if (!lease_waits_for_account(l))
		return;
	/* What a step refused stays said until a step did better. */
	if (l->cleanup != CLEANUP_ATTENTION)
		l->attention[0] = '\0';
	if (lease_next(l, facts) != LEASE_OP_NONE && !facts->running)
		l->due_ms = facts->now_ms;
	else if (l->retained)
		l->due_ms = lease_retained_due(l, facts);
	l->tries = 0;
	out->changed = 1;
	lease_note_add(out, "lease.unblocked", "account %s is proven again", l->account);
}

/* ---- keeping ----------------------------------------------------------------------------- */

int64_t lease_cleanup_due(const struct lease_facts *facts)
{
	return facts->now_ms + (facts->unsure ? LOOK_PAUSE_MS : 0);
}

int64_t lease_retained_due(const struct lease *l, const struct lease_facts *facts)
{
	int was_told = l->attention[0] && l->attention_class == LESSOR_CLASS_NONE;

	/*
	 * An unknown create is still looked for, to be recorded; and what a step that runs
	 * will say is not awaited for ever: it may die with its process.
	 */
	if (facts->unsure || facts->running)
		return lease_cleanup_due(facts);
	if (facts->unprotected && facts->can_protect)
		return facts->now_ms;
	if (DEFECT(16))
		return lease_expires_ms(l);
	return was_told ? 0 : l->retain_until_ms;
}

void lease_retain_until(struct lease *l, int64_t until_ms, const char *reason,
			const struct lease_facts *facts, struct lease_outcome *out)
{
	if (!l->retained || l->cleanup != CLEANUP_RETAINED ||
	    (until_ms == l->retain_until_ms && strcmp(reason, l->retain_reason) == 0))
		return;
	l->retain_until_ms = until_ms;
	TEXT_SET(l->retain_reason, reason);
	if (l->attention[0] && l->attention_class == LESSOR_CLASS_NONE)
		l->attention[0] = '\0';
	l->due_ms = lease_retained_due(l, facts);
	l->updated_ms = facts->now_ms;
	out->changed = 1;
	lease_note_add(out, "lease.retain-until", "%s%s%s", until_ms ? "an end was named" :
		       "no end was named", reason[0] ? ": " : "", reason);
}

/* ---- resolve ------------------------------------------------------------------------------ */

void lease_retry(struct lease *l, const struct lease_facts *facts, struct lease_outcome *out)
{
	if (lease_next(l, facts) == LEASE_OP_NONE) {
		out->refusal = "nothing_to_retry";
		return;
	}
	l->due_ms = facts->now_ms;
	l->tries = 0;
	out->changed = 1;
}

void lease_goal_change(struct lease *l, const struct lease_facts *facts, struct lease_outcome *out)
{
	l->epoch++;
	l->tries = l->breaches = 0;
	l->cursor[0] = l->last_error[0] = l->attention[0] = '\0';
	l->updated_ms = facts->now_ms;
	out->changed = out->goal_changed = 1;
}

void lease_forgot(struct lease *l, const struct lease_facts *facts, struct lease_outcome *out)
{
	lease_goal_change(l, facts, out);
	if (!facts->residue && !facts->running) {
		l->cleanup = CLEANUP_DONE;
		l->due_ms = 0;
		lease_note_add(out, "lease.forgotten", "nothing that is left of it is ours any more");
	} else if (l->retained) {
		l->due_ms = lease_retained_due(l, facts);
	} else {
		l->cleanup = CLEANUP_OWED;
		l->due_ms = facts->now_ms;
	}
}

void lease_owes(struct lease *l, const struct lease_facts *facts, struct lease_outcome *out)
{
	lease_goal_change(l, facts, out);
	if (l->retained) {
		l->cleanup = CLEANUP_RETAINED;
		l->due_ms = lease_retained_due(l, facts);
		return;
	}
	if (l->cleanup != CLEANUP_OWED && l->cleanup != CLEANUP_ATTENTION)
		l->cleanup_started_ms = facts->now_ms;
	l->cleanup = CLEANUP_OWED;
	l->due_ms = facts->now_ms;
}

void lease_kept_elsewhere(struct lease *l, const struct lease_facts *facts,
			  struct lease_outcome *out)
{
	lease_goal_change(l, facts, out);
	if (lease_is_live(l)) {
		l->state = LEASE_RELEASED;
		l->ended_ms = facts->now_ms;
		TEXT_SET(l->end_reason, "released");
	}
	l->retained = 1;
	l->cleanup = CLEANUP_RETAINED;
	l->retain_until_ms = 0;
	l->retain_reason[0] = '\0';
	out->retain_rows = 1;
	/* Until its owner says what becomes of it; that it is protected settles nothing. */
	lease_attention_set(l, LESSOR_CLASS_NONE,
			    "it was released without deleting, and this store did not know of it");
	l->due_ms = facts->now_ms + LOOK_PAUSE_MS;
	lease_note_add(out, "lease.attention", "%s", l->attention);
}

void lease_unprotected(struct lease *l, const struct lease_facts *facts, struct lease_outcome *out)
{
	if (!l->retained)
		return;
	l->due_ms = facts->now_ms;
	out->changed = 1;
	lease_note_add(out, "lease.unprotected",
		       "what it keeps has lost its mark or its protection at the provider");
}
