/* SPDX-License-Identifier: MIT */
#include "candidate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SOLDOUT_MS (5 * 60 * 1000)
#define TYPE_CACHE_MS (2 * 60 * 60 * 1000)
/*
 * A refusal as invalid that does not name a field may have nothing to do with the
 * type; after this many the remaining candidates are skipped.
 */
#define INVALID_MOST 4
#define KEY_ROOM 128

int attempts_init(struct hz *z, struct attempts *ret)
{
	const struct lessor_lease *lease = z->lease;
	size_t room = lease->attempt_count + lease->type_count * lease->location_count + 1;

	*ret = (struct attempts){ .count = lease->attempt_count };
	ret->list = lessor_alloc(z->call, room * sizeof(*ret->list));
	if (!ret->list)
		return -1;
	for (size_t i = 0; i < lease->attempt_count; i++)
		ret->list[i] = *lessor_attempt_at(lease, i);
	return 0;
}

void attempts_add(struct hz *z, struct attempts *attempts, const struct candidate *candidate)
{
	char *reason = lessor_alloc(z->call, sizeof(candidate->reason));

	if (reason)
		memcpy(reason, candidate->reason, sizeof(candidate->reason));
	attempts->list[attempts->count] = (struct lessor_attempt){
		.type = candidate->type,
		.location = candidate->location,
		.reason = reason ? reason : "",
		.number = (uint32_t)attempts->count + 1,
		.refused = candidate->refused,
	};
	attempts->count++;
}

/* ---- cached for the account -------------------------------------------- */

void soldout_mark(struct lessor_call *call, const char *type, const char *location)
{
	char key[KEY_ROOM], until[24];

	snprintf(key, sizeof(key), "soldout/%s/%s", type, location);
	snprintf(until, sizeof(until), "%" PRId64, lessor_now(call) + SOLDOUT_MS);
	lessor_cache_put(call, key, until, SOLDOUT_MS);
}

/* Until when not to try it, ms; 0: try it. */
static int64_t soldout_until(struct lessor_call *call, const char *type, const char *location)
{
	char key[KEY_ROOM];
	const char *until;

	snprintf(key, sizeof(key), "soldout/%s/%s", type, location);
	until = lessor_cache_get(call, key);
	return until ? strtoll(until, NULL, 10) : 0;
}

void type_cache_put(struct lessor_call *call, const char *type, const char *text)
{
	char key[KEY_ROOM];

	snprintf(key, sizeof(key), "type/%s", type);
	lessor_cache_put(call, key, text, TYPE_CACHE_MS);
}

void type_cache_complete(struct lessor_call *call)
{
	/* Shorter than for the types: a type that is missing from the cache is then unknown. */
	lessor_cache_put(call, "catalogue", "complete", TYPE_CACHE_MS / 2);
}

/* The reason why the catalogue rules it out, or NULL. The text is "x86 nbg1 fsn1 ". */
static const char *type_cache_objection(struct hz *z, const char *type, const char *location)
{
	const struct lessor_lease *lease = z->lease;
	char key[KEY_ROOM], word[64];
	const char *text;
	size_t len;

	snprintf(key, sizeof(key), "type/%s", type);
	text = lessor_cache_get(z->call, key);
	if (!text)
		return lessor_cache_get(z->call, "catalogue") ?
			       "the provider has no such server type" :
			       NULL;
	len = strcspn(text, " ");
	if (lease->architecture[0] &&
	    (strlen(lease->architecture) != len || strncmp(text, lease->architecture, len) != 0))
		return "the server type has another architecture";
	snprintf(word, sizeof(word), " %.60s ", location);
	return strstr(text + len, word) ? NULL : "the server type is not offered in this location";
}

/* ---- the order --------------------------------------------------------------------- */

static int was_tried(const struct attempts *attempts, const char *type, const char *location)
{
	for (size_t i = 0; i < attempts->count; i++) {
		const struct lessor_attempt *a = &attempts->list[i];

		if (strcmp(a->type, type) != 0)
			continue;
		/* A limit applies to the project; another location does not help. */
		if (strcmp(a->location, location) == 0 || a->refused == LESSOR_CLASS_QUOTA)
			return 1;
	}
	return 0;
}

static int is_hopeless(const struct attempts *attempts)
{
	int invalid = 0;

	for (size_t i = 0; i < attempts->count; i++)
		invalid += attempts->list[i].refused == LESSOR_CLASS_INVALID &&
			   strcmp(attempts->list[i].reason, REASON_UNSPECIFIED) == 0;
	return invalid >= INVALID_MOST;
}

static void candidate_check(struct hz *z, struct candidate *candidate)
{
	int64_t until = soldout_until(z->call, candidate->type, candidate->location);
	const char *against;

	if (!until)
		until = soldout_until(z->call, "*", candidate->location);
	if (until) {
		time_t seconds = (time_t)(until / 1000);
		char clock[16] = "later";
		struct tm tm;

		if (gmtime_r(&seconds, &tm))
			strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
		candidate->refused = LESSOR_CLASS_CAPACITY;
		snprintf(candidate->reason, sizeof(candidate->reason),
			 "recently sold out; not retried before %s UTC", clock);
		return;
	}
	against = type_cache_objection(z, candidate->type, candidate->location);
	if (against) {
		candidate->refused = LESSOR_CLASS_INVALID;
		snprintf(candidate->reason, sizeof(candidate->reason), "%s", against);
	}
}

int candidate_next(struct hz *z, const struct attempts *attempts, struct candidate *ret)
{
	const struct lessor_lease *lease = z->lease;

	if (is_hopeless(attempts))
		return -1;
	for (size_t t = 0; t < lease->type_count; t++) {
		for (size_t l = 0; l < lease->location_count; l++) {
			if (was_tried(attempts, lease->types[t], lease->locations[l]))
				continue;
			*ret = (struct candidate){ .type = lease->types[t],
						   .location = lease->locations[l] };
			candidate_check(z, ret);
			return 0;
		}
	}
	return -1;
}

const struct lessor_attempt *attempts_most_telling(const struct attempts *attempts)
{
	/* First what may work later, then what an operator must change. */
	static const uint32_t order[] = {
		LESSOR_CLASS_CAPACITY, LESSOR_CLASS_QUOTA,    LESSOR_CLASS_TIMEOUT,
		LESSOR_CLASS_FAILED,   LESSOR_CLASS_CONFLICT,
	};

	for (size_t o = 0; o < sizeof(order) / sizeof(order[0]); o++) {
		for (size_t i = attempts->count; i-- > 0;) {
			if (attempts->list[i].refused == order[o])
				return &attempts->list[i];
		}
	}
	return attempts->count ? &attempts->list[attempts->count - 1] : NULL;
}
