/* SPDX-License-Identifier: MIT */
/*
 * What the files of this plugin share about a running step.
 */
#pragma once

#include <string.h>

#include <lessor/provider.h>

#include "parse.h"

#define OPT_ENDPOINT "endpoint"
#define OPT_KEYS "keys"
#define OPT_BOOT_TIMEOUT "boot_timeout"
#define OPT_POLL "poll"

/* The next step may follow at once. (0 would leave the choice to the host.) */
#define AT_ONCE 1

struct hz {
	struct lessor_call *call;
	const struct lessor_lease *lease;
	int destroyed;		/* this step has sent its one destructive request */
};

static inline int keys_are_shared(struct lessor_call *call)
{
	const char *keys = lessor_option_text(call, OPT_KEYS);

	return keys && keys[0] == 'a';
}

/*
 * Where clients are sent: "" while there is no such place. The host takes plain http
 * for a loopback endpoint alone, and the machines of a cloud on this machine may be
 * here as well; nobody else's answer ever sends a client to itself.
 */
static inline const char *server_host(struct lessor_call *call, const struct server *s)
{
	const char *endpoint = lessor_option_text(call, OPT_ENDPOINT);

	if (!s->host[0] && endpoint && strncmp(endpoint, "http://", 7) == 0)
		return s->local_host;
	return s->host;
}

/* May be at the provider, and nobody knows: the create's answer is not in the ledger. */
static inline int resource_is_unsettled(const struct lessor_resource *r)
{
	return lessor_state_is_unsettled(r->state);
}

/* Nothing more is to be done about it. */
static inline int resource_is_over(const struct lessor_resource *r)
{
	return lessor_state_is_over(r->state);
}
