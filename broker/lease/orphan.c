/* SPDX-License-Identifier: MIT */
#include "lease/orphan.h"

#include <stdlib.h>
#include <string.h>

#include "util/text.h"

#define LIMIT_LEAST 3
#define LIMIT_SHARE 10

static const struct {
	const char *name;
	int is_newer_than_store;
} whys[] = {
#define X(name, text, lost) [name] = { text, lost },
	ORPHAN_WHYS(X)
#undef X
};

const char *orphan_why_name(enum orphan_why why)
{
	return why < ORPHAN_WHY_COUNT ? whys[why].name : "unknown";
}

int orphan_is_newer_than_store(enum orphan_why why)
{
	return why < ORPHAN_WHY_COUNT && whys[why].is_newer_than_store;
}

int orphan_read(const struct signer *signer, const char *account,
		const struct lessor_observed *seen, struct orphan *ret)
{
	const char *lease = observed_label(seen, LESSOR_LABEL_LEASE);
	const char *attempt = observed_label(seen, LESSOR_LABEL_ATTEMPT);
	struct resource r = { .kind = seen->kind };
	struct lease l = { .n = 0 };

	if (!seen->id || !seen->id[0] || strlen(seen->id) >= sizeof(r.id) || !seen->name ||
	    strlen(seen->name) >= sizeof(r.name) || !lease || strlen(lease) >= sizeof(ret->lease) ||
	    !attempt)
		return 0;
	/* The signature covers the name: a signature for one name proves no other. */
	TEXT_SET(l.id, lease);
	TEXT_SET(r.id, seen->id);
	TEXT_SET(r.name, seen->name);
	r.attempt = (uint32_t)strtoul(attempt, NULL, 10);
	if (ledger_verify(signer, account, &l, &r, seen, NULL))
		return 0;
	*ret = (struct orphan){
		.kind = seen->kind,
		.attempt = r.attempt,
		.made_ms = seen->created_ms,
	};
	TEXT_SET(ret->account, account);
	TEXT_SET(ret->id, seen->id);
	TEXT_SET(ret->name, seen->name);
	TEXT_SET(ret->lease, lease);
	return 1;
}

int orphan_classify(const struct orphan *s, const struct lease *l, const struct ledger *ledger)
{
	int was_meant = 0;

	if (!l || strcmp(l->account, s->account) != 0)
		return ORPHAN_UNKNOWN;
	for (size_t i = 0; i < ledger->resource_count; i++) {
		const struct resource *r = &ledger->resources[i];

		if (r->kind != s->kind)
			continue;
		/* A disowned row still claims its resource. */
		if ((r->state == LESSOR_STATE_DISOWNED || !lessor_state_is_over(r->state)) &&
		    strcmp(r->id[0] ? r->id : r->name, r->id[0] ? s->id : s->name) == 0)
			return -1;
		was_meant |= strcmp(r->name, s->name) == 0;
	}
	if (l->retained)
		return ORPHAN_RETAINED;
	/*
	 * An intent is recorded before each create and rows are never removed: no row means
	 * lost history.
	 */
	if (!was_meant)
		return ORPHAN_NEWER_THAN_STORE;
	return lease_is_live(l) ? ORPHAN_ALIVE : ORPHAN_ENDED;
}

const char *orphan_holds(const struct orphan *s, const struct sweep *sweep,
			 int any_newer_than_store, int64_t grace_ms, int64_t now_ms)
{
	int64_t made = s->made_ms > 0 && s->made_ms < s->first_ms ? s->made_ms : s->first_ms;

	switch (s->why) {
	case ORPHAN_UNKNOWN:
		return "its lease is unknown to this store; delete it at the provider";
	case ORPHAN_ADDRESS:
		return "an address carries no signature; delete it at the provider";
	case ORPHAN_RETAINED:
		return "its lease is retained";
	case ORPHAN_ALIVE:
		return "its lease is live";
	default:
		break;
	}
	if (any_newer_than_store)
		return "the store may be older than the account; inspect it, then: lessor sweep --looked";
	if (!sweep->done_ms || s->last_ms < sweep->done_ms - ORPHAN_CONFIRM_MS)
		return "the last complete sweep did not see it";
	if (s->sightings < 2 || s->last_ms - s->first_ms < ORPHAN_CONFIRM_MS)
		return "it has not been seen twice, 15 minutes apart";
	if (now_ms - made < grace_ms)
		return "it is younger than the grace period";
	return NULL;
}

int64_t orphan_limit(int64_t objects)
{
	int64_t share = objects / LIMIT_SHARE;

	return share > LIMIT_LEAST ? share : LIMIT_LEAST;
}
