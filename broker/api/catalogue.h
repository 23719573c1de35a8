/* SPDX-License-Identifier: MIT */
/*
 * What the accounts offer: types and their prices, as last read from the providers. From the
 * reading connection of the store; loop thread.
 */
#pragma once

#include "api/request.h"

/* Has the account's catalogue been read? Never for a provider that has none. */
int catalogue_is_known(const struct api *api, const struct account *account);
/* Does the account offer the type, in any location? */
int catalogue_has(const struct api *api, const struct account *account, const char *type);
int catalogue_has_anywhere(const struct api *api, const char *type);
/*
 * The price of the type in the first of the account's locations where it is available now, or
 * else where it is offered at all. 0 found, -1 none.
 */
int catalogue_price(const struct api *api, const struct account *account, const char *type,
		    struct store_price *ret);
