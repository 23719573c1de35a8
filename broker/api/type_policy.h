/* SPDX-License-Identifier: MIT */
/*
 * Which classes and types a create may ask for. A class must be one of this server's, or a type
 * that an account offers. A type must be in a class, or allowed by the account; admins may ask
 * for any. Loop thread.
 */
#pragma once

#include "api/request.h"

/*
 * Checks a lease as create_request_read left it. A type that a client only suggests beside a
 * class, and that it may not have, is taken out of the candidates. -1: `error` is filled in.
 */
int type_policy_check(const struct api *api, const struct caller *caller, struct lease *l,
		      struct api_error *error);
