/* SPDX-License-Identifier: MIT */
/*
 * The context of a running step, shared by the files of this plugin.
 */
#pragma once

#include <string.h>

#include <lessor/provider.h>

#include "parse.h"

#define OPT_ENDPOINT "endpoint"
#define OPT_KEYS "keys"
#define OPT_BOOT_TIMEOUT "boot_timeout"
#define OPT_POLL "poll"

/* The next step may follow immediately. (With 0 the host would choose.) */
#define AT_ONCE 1

struct hz {
	struct lessor_call *call;
	const struct lessor_lease *lease;
	int64_t destroyed_row; /* of this step's only destructive request, 0: none was sent ... */
	int64_t destroyed_ms;  /* ... and when; the row as the step began does not tell */
};

static inline int keys_are_shared(struct lessor_call *call)
{
	const char *keys = lessor_option_text(call, OPT_KEYS);

	return keys && keys[0] == 'a';
}

/*
 * The address for clients, "" while there is none. The host accepts plain http only for a
 * loopback endpoint, that is, a simulated cloud, whose machines may be on loopback too; no
 * other response can direct a client to a loopback address.
 */
static inline const char *server_host(struct lessor_call *call, const struct server *s)
{
	const char *endpoint = lessor_option_text(call, OPT_ENDPOINT);

	if (!s->host[0] && endpoint && strncmp(endpoint, "http://", 7) == 0)
		return s->local_host;
	return s->host;
}

/* May exist at the provider: the outcome of its create is not in the ledger. */
static inline int resource_is_unsettled(const struct lessor_resource *r)
{
	return lessor_state_is_unsettled(r->state);
}

/* Nothing remains to be done. */
static inline int resource_is_over(const struct lessor_resource *r)
{
	return lessor_state_is_over(r->state);
}
