/* SPDX-License-Identifier: MIT */
#include "api/unsure.h"

#include <stdint.h>

#include "api/lookup.h"
#include "api/relay.h"

int lease_is_unsure(const struct api *api, const struct lease *l)
{
	const struct account *account = lookup_account(api, l->account);

	/* Its owner has looked at it, and has recorded what holds; this daemon does not look. */
	if (relay_is_elsewhere(api->relay, l->account))
		return 0;
	return !account || account_is_fenced(account) || !account_is_verified(account, INT64_MAX);
}
