/* SPDX-License-Identifier: MIT */
#include "api/org_policy.h"

#include <string.h>

#include "api/api_error.h"
#include "api/request.h"

/* NULL: it may use all accounts. */
static const struct api_org *org_find(const struct api_config *config, const char *org)
{
	for (int i = 0; i < config->org_count; i++) {
		if (!strcmp(config->orgs[i].name, org))
			return &config->orgs[i];
	}
	return NULL;
}

int org_may_use(const struct api_config *config, const char *org, const char *account)
{
	const struct api_org *found = org_find(config, org);

	if (!found)
		return 1;
	for (int i = 0; i < found->account_count; i++) {
		if (!strcmp(found->accounts[i], account))
			return 1;
	}
	return 0;
}

const char *org_default_account(const struct api *api, const char *org)
{
	const struct api_org *found = org_find(&api->config, org);
	const char *name = api->config.default_account;

	if (!name[0])
		name = api->parts.account_count ? api->parts.accounts[0]->config.name : "";
	return found && found->account_count && !org_may_use(&api->config, org, name) ?
		       found->accounts[0] :
		       name;
}

void org_accounts_write(const struct api_config *config, const char *org, char *out, unsigned size)
{
	const struct api_org *found = org_find(config, org);

	out[0] = '\0';
	for (int i = 0; found && i < found->account_count; i++)
		api_error_add_name(out, size, found->accounts[i]);
}
