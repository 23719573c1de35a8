/* SPDX-License-Identifier: MIT */
#include "api/catalogue.h"

int catalogue_is_known(const struct api *api, const struct account *account)
{
	int64_t at_ms;

	return store_prices_age(api->parts.reader, account->config.name, &at_ms, NULL) == 0 &&
	       at_ms > 0;
}

int catalogue_has(const struct api *api, const struct account *account, const char *type)
{
	struct store_price price;

	return store_price_get(api->parts.reader, account->config.name, type, "", &price, NULL) ==
	       0;
}

int catalogue_has_anywhere(const struct api *api, const char *type)
{
	for (size_t i = 0; i < api->parts.account_count; i++) {
		if (catalogue_has(api, api->parts.accounts[i], type))
			return 1;
	}
	return 0;
}

int catalogue_price(const struct api *api, const struct account *account, const char *type,
		    struct store_price *ret)
{
	struct store_price price;
	int found = 0;

	for (int i = 0; i < account->config.location_count; i++) {
		if (store_price_get(api->parts.reader, account->config.name, type,
				    account->config.locations[i], &price, NULL))
			continue;
		if (!found || price.available)
			*ret = price;
		found = 1;
		if (price.available)
			break;
	}
	return found ? 0 : -1;
}
