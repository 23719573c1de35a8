/* SPDX-License-Identifier: MIT */
/* What a create will get and what that costs, before it is requested. */
#pragma once

#include "cli/cli.h"

/*
 * Prints "small: ccx23, 0.05 EUR/h" on standard error, for the class, the explicit type or, if
 * both are NULL, the server's default class; `account` may be NULL. Nothing if the server does
 * not say: the request itself decides.
 */
void offer_print(struct cli *cli, const char *class_name, const char *type, const char *account);
/* "/v1/classes" for the account, which may be NULL; the caller frees. */
char *offer_path(const char *account);
/* "0.05 EUR/h" of a class or type in GET /v1/classes; "price unknown"; the caller frees. */
char *offer_price(const json_t *offer);
