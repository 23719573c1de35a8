/* SPDX-License-Identifier: MIT */
#include "schedule/rendezvous.h"

#include <stdint.h>
#include <string.h>

#include "util/hash.h"

/* Each pair of account and daemon has a score, as good as random; the highest one wins. */
static uint64_t pair_score(const char *account, const char *daemon)
{
	unsigned char digests[2][HASH_SHA256_LEN];
	unsigned char digest[HASH_SHA256_LEN];
	uint64_t score = 0;

	/* A digest of each, so that no pair of names reads like another pair. */
	hash_sha256(account, strlen(account), digests[0]);
	hash_sha256(daemon, strlen(daemon), digests[1]);
	hash_sha256(digests, sizeof(digests), digest);
	for (int i = 0; i < 8; i++)
		score = score << 8 | digest[i];
	return score;
}

/* Does `a` come before `b`? */
static int is_before(const char *account, const char *a, const char *b)
{
	uint64_t of_a = pair_score(account, a);
	uint64_t of_b = pair_score(account, b);

	return of_a != of_b ? of_a > of_b : strcmp(a, b) < 0;
}

size_t rendezvous_rank(const char *account, const char *const *daemons, size_t count,
		       const char *self)
{
	size_t rank = 0;

	for (size_t i = 0; i < count; i++)
		rank += strcmp(daemons[i], self) != 0 && is_before(account, daemons[i], self);
	return rank;
}

const char *rendezvous_owner(const char *account, const char *const *daemons, size_t count)
{
	const char *owner = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!owner || is_before(account, daemons[i], owner))
			owner = daemons[i];
	}
	return owner;
}
