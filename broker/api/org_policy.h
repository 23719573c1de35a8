/* SPDX-License-Identifier: MIT */
/* In which accounts the leases of an organisation are created. */
#pragma once

struct api;
struct api_config;

/* Every account is for an organisation that the configuration does not name. */
int org_may_use(const struct api_config *config, const char *org, const char *account);
/* The account of a create that names none; "": there is no account at all. Borrowed. */
const char *org_default_account(const struct api *api, const char *org);
/* Writes the names of its accounts: "a, b". `size` > 0. */
void org_accounts_write(const struct api_config *config, const char *org, char *out, unsigned size);
