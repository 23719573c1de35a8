/* SPDX-License-Identifier: MIT */
#include "lease/lease.h"

#include <string.h>

#include <lessor/provider.h>

#include "lease/times.h"
#include "util/text.h"

static const char *const state_names[] = {
#define X(name, text) [name] = text,
	LEASE_STATES(X)
#undef X
};

static const char *const cleanup_names[] = {
#define X(name, text) [name] = text,
	LEASE_CLEANUPS(X)
#undef X
};

static const char *const retention_names[] = {
#define X(name, text) [name] = text,
	LEASE_RETENTIONS(X)
#undef X
};

/* clang-format off */
static const char *const end_texts[] = {
#define X(name, text) [name] = text,
	LEASE_END_REASONS(X)
#undef X
#define X(name, text) [LEASE_END_CLASS_##name] = text,
	LEASE_ERROR_CLASSES(X)
#undef X
};

#define LESSOR_CLASS_UNKNOWN (LESSOR_CLASS_BUG + 1)
#define X(name, text) \
	_Static_assert(LESSOR_CLASS_##name == LEASE_END_CLASS_##name - LEASE_END_CLASS_NONE, \
		       "LEASE_ERROR_CLASSES has the order of LESSOR_CLASS_");
LEASE_ERROR_CLASSES(X)
#undef X
/* clang-format on */

const char *lease_state_name(enum lease_state state)
{
	return state < LEASE_STATE_COUNT ? state_names[state] : "unknown";
}

const char *lease_cleanup_name(enum lease_cleanup cleanup)
{
	return cleanup < LEASE_CLEANUP_COUNT ? cleanup_names[cleanup] : "unknown";
}

const char *lease_retention_name(enum lease_retention retention)
{
	return retention < LEASE_RETENTION_COUNT ? retention_names[retention] : "";
}

int lease_state_parse(const char *text)
{
	for (int i = 0; i < LEASE_STATE_COUNT; i++) {
		if (strcmp(state_names[i], text) == 0)
			return i;
	}
	return -1;
}

enum lease_end_reason lease_end_of_class(uint32_t error_class)
{
	return error_class <= LESSOR_CLASS_BUG ?
		       (enum lease_end_reason)(LEASE_END_CLASS_NONE + error_class) :
		       LEASE_END_CLASS_UNKNOWN;
}

const char *error_class_name(uint32_t error_class)
{
	return end_texts[lease_end_of_class(error_class)];
}

const char *lease_end_text(const struct lease *l)
{
	return l->end_reason < LEASE_END_REASON_COUNT ? end_texts[l->end_reason] :
							l->end_reason_other;
}

void lease_end_parse(struct lease *l, const char *text)
{
	l->end_reason_other[0] = '\0';
	for (int i = 0; i < LEASE_END_REASON_COUNT; i++) {
		if (strcmp(end_texts[i], text) == 0) {
			l->end_reason = (enum lease_end_reason)i;
			return;
		}
	}
	l->end_reason = LEASE_END_OTHER;
	TEXT_SET(l->end_reason_other, text);
}

int lease_is_live(const struct lease *l)
{
	return l->state == LEASE_PROVISIONING || l->state == LEASE_ACTIVE;
}

int lease_counts(const struct lease *l)
{
	return (lease_is_live(l) && !lease_is_queued(l)) ||
	       (l->is_billed && l->cleanup != CLEANUP_DONE && l->cleanup != CLEANUP_NONE);
}

enum lease_state lease_shown_state(const struct lease *l)
{
	return l->released_ms ? LEASE_RELEASED : l->state;
}

/* Values read from a file may overflow. */
static int64_t time_add(int64_t at_ms, int64_t by_ms)
{
	int64_t sum;

	return __builtin_add_overflow(at_ms, by_ms, &sum) ? INT64_MAX : sum;
}

int64_t lease_ttl_end_ms(const struct lease *l)
{
	/* A damaged row may hold anything. */
	int64_t credit_ms = l->credit_ms < LEASE_CREDIT_MOST_MS ? l->credit_ms :
								  LEASE_CREDIT_MOST_MS;

	return time_add(time_add(lease_begun_ms(l), l->ttl_ms), credit_ms);
}

int64_t lease_expires_ms(const struct lease *l)
{
	int is_queued = lease_is_queued(l);
	int64_t end = is_queued ? time_add(time_add(l->created_ms, l->queue_ms), l->credit_ms) :
				  lease_ttl_end_ms(l);
	int64_t idle = time_add(time_add(l->touched_ms, l->idle_ms), l->idle_credit_ms);

	if ((l->state == LEASE_PROVISIONING && !is_queued) || !l->idle_ms)
		return end;
	return end < idle ? end : idle;
}

int64_t lease_expires_at(const struct lease *l, int64_t now_ms)
{
	struct lease shown = { .state = l->state,
			       .ttl_ms = l->ttl_ms,
			       .idle_ms = l->idle_ms,
			       .queue_ms = l->queue_ms,
			       .credit_ms = l->credit_ms,
			       .idle_credit_ms = l->idle_credit_ms };

	shown.created_ms = time_past(l->created_ms, now_ms);
	shown.admitted_ms = l->admitted_ms ? time_past(l->admitted_ms, now_ms) : 0;
	shown.touched_ms = time_past(l->touched_ms, now_ms);
	return lease_expires_ms(&shown);
}

int64_t lease_deadline_ms(const struct lease *l)
{
	int64_t expires = lease_expires_ms(l);

	if (!lease_is_live(l))
		return 0;
	if (l->state == LEASE_PROVISIONING && !lease_is_queued(l) &&
	    l->provision_deadline_ms < expires)
		return l->provision_deadline_ms;
	return expires;
}

int lease_is_late(const struct lease *l, int64_t now_ms)
{
	int is_booting = l->state == LEASE_PROVISIONING && !lease_is_queued(l);
	int64_t deadline = is_booting ? lease_deadline_ms(l) : 0;

	return deadline > 0 && now_ms >= deadline;
}

static int64_t time_earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t lease_due_ms(const struct lease *l, int64_t now_ms)
{
	int64_t deadline = lease_deadline_ms(l);

	if (l->cleanup != CLEANUP_DONE && (!l->retained || l->due_ms) && lease_is_ahead(l, now_ms))
		return now_ms;
	/* Done; or retained, with nothing due before the end of the retention: as stored. */
	if (l->cleanup == CLEANUP_DONE || (l->retained && (!l->due_ms ||
							   l->due_ms == l->retain_until_ms)))
		return l->due_ms;
	if (!lease_is_live(l))
		return time_earlier(l->due_ms ? l->due_ms : INT64_MAX,
				    time_add(now_ms, LEASE_WAIT_MOST_MS));
	return l->due_ms ? time_earlier(l->due_ms, deadline) : deadline;
}

int lease_step_is_due(const struct lease *l, int64_t now_ms)
{
	int is_owed = !lease_is_live(l) && !l->retained && l->cleanup != CLEANUP_DONE;

	if (l->due_ms && l->due_ms <= now_ms)
		return 1;
	/* No rule sets such a time: the stored one is damaged. */
	return is_owed && (!l->due_ms || l->due_ms > time_add(now_ms, LEASE_WAIT_MOST_MS));
}
