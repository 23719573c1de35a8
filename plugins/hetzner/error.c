/* SPDX-License-Identifier: MIT */
#include "error.h"

#include <string.h>

#include <lessor/provider.h>

#define CLASS(name) LESSOR_CLASS_##name

static const struct rule rules[] = {
	/* status, code, class, create, delete, get, wait */
	{ 0, "json_error", CLASS(BUG), CREATE_REFUSED, DELETE_REFUSED, GET_REFUSED, 0 },
	{ 401, "unauthorized", CLASS(AUTH), CREATE_REFUSED, DELETE_REFUSED, GET_RETRY, 0 },
	{ 401, "token_readonly", CLASS(AUTH), CREATE_REFUSED, DELETE_REFUSED, GET_RETRY, 0 },
	{ 403, "token_readonly", CLASS(AUTH), CREATE_REFUSED, DELETE_REFUSED, GET_RETRY, 0 },
	{ 403, "forbidden", CLASS(AUTH), CREATE_REFUSED, DELETE_REFUSED, GET_RETRY, 60000 },
	{ 403, "maintenance", CLASS(TRANSIENT), CREATE_WAIT, DELETE_RETRY, GET_RETRY, 60000 },
	{ 0, "resource_limit_exceeded", CLASS(QUOTA), CREATE_NEXT, DELETE_RETRY, GET_RETRY, 0 },
	{ 404, "not_found", CLASS(INVALID), CREATE_REFUSED, DELETE_GONE, GET_GONE, 0 },
	{ 405, "method_not_allowed", CLASS(BUG), CREATE_REFUSED, DELETE_REFUSED, GET_REFUSED, 0 },
	{ 409, "uniqueness_error", CLASS(CONFLICT), CREATE_TAKEN, DELETE_RETRY, GET_RETRY, 0 },
	{ 409, "conflict", CLASS(TRANSIENT), CREATE_UNKNOWN, DELETE_RETRY, GET_RETRY, 2000 },
	{ 410, "deprecated_api_endpoint", CLASS(BUG), CREATE_REFUSED, DELETE_REFUSED, GET_REFUSED,
	  0 },
	{ 0, "resource_unavailable", CLASS(CAPACITY), CREATE_NEXT, DELETE_RETRY, GET_RETRY, 0 },
	{ 0, "placement_error", CLASS(CAPACITY), CREATE_NEXT, DELETE_RETRY, GET_RETRY, 0 },
	{ 0, "invalid_input", CLASS(INVALID), CREATE_FIELDS, DELETE_REFUSED, GET_REFUSED, 0 },
	{ 0, "invalid_server_type", CLASS(INVALID), CREATE_NEXT, DELETE_REFUSED, GET_REFUSED, 0 },
	{ 422, "service_error", CLASS(TRANSIENT), CREATE_UNKNOWN, DELETE_RETRY, GET_RETRY, 2000 },
	{ 0, "unsupported_error", CLASS(INVALID), CREATE_NEXT, DELETE_REFUSED, GET_REFUSED, 0 },
	{ 0, "must_be_unassigned", CLASS(TRANSIENT), CREATE_REFUSED, DELETE_RETRY, GET_RETRY, 2000 },
	{ 423, "locked", CLASS(TRANSIENT), CREATE_WAIT, DELETE_RETRY, GET_RETRY, 3000 },
	{ 423, "protected", CLASS(PROTECTED), CREATE_REFUSED, DELETE_REFUSED, GET_RETRY, 0 },
	{ 423, "resource_locked", CLASS(PROTECTED), CREATE_REFUSED, DELETE_REFUSED, GET_RETRY, 0 },
	{ 429, "rate_limit_exceeded", CLASS(RATE), CREATE_WAIT, DELETE_RETRY, GET_RETRY, 0 },

	/* Other codes: the status decides. */
	{ 401, NULL, CLASS(AUTH), CREATE_REFUSED, DELETE_REFUSED, GET_RETRY, 0 },
	{ 403, NULL, CLASS(AUTH), CREATE_REFUSED, DELETE_REFUSED, GET_RETRY, 60000 },
	/* Does not say what is missing: no evidence that the resource is gone. */
	{ 404, NULL, CLASS(PROVIDER), CREATE_REFUSED, DELETE_UNKNOWN, GET_RETRY, 0 },
	{ 408, NULL, CLASS(TRANSIENT), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY, 0 },
	{ 409, NULL, CLASS(TRANSIENT), CREATE_UNKNOWN, DELETE_RETRY, GET_RETRY, 2000 },
	{ 412, NULL, CLASS(CAPACITY), CREATE_NEXT, DELETE_RETRY, GET_RETRY, 0 },
	{ 421, NULL, CLASS(TRANSIENT), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY, 0 },
	{ 423, NULL, CLASS(TRANSIENT), CREATE_WAIT, DELETE_RETRY, GET_RETRY, 3000 },
	{ 425, NULL, CLASS(TRANSIENT), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY, 0 },
	{ 429, NULL, CLASS(RATE), CREATE_WAIT, DELETE_RETRY, GET_RETRY, 0 },
	{ 499, NULL, CLASS(TRANSIENT), CREATE_UNKNOWN, DELETE_UNKNOWN, GET_RETRY, 0 },
	{ 0, NULL, CLASS(INVALID), CREATE_REFUSED, DELETE_RETRY, GET_RETRY, 0 },
};

/*
 * Every 5xx, with or without a code: server_error, bad_gateway, unavailable,
 * robot_unavailable, timeout, or a gateway's page; and a lost response.
 */
static const struct rule broken = {
	.error_class = CLASS(TRANSIENT),
	.on_create = CREATE_UNKNOWN,
	.on_delete = DELETE_UNKNOWN,
	.on_get = GET_RETRY,
};

/* A response that the API never sends: a redirect, a 206, a page instead of JSON. */
static const struct rule nonsense = {
	.error_class = CLASS(PROVIDER),
	.on_create = CREATE_UNKNOWN,
	.on_delete = DELETE_UNKNOWN,
	.on_get = GET_RETRY,
};

static const struct rule not_sent = {
	.error_class = CLASS(TRANSIENT),
	.on_create = CREATE_WAIT,
	.on_delete = DELETE_RETRY,
	.on_get = GET_RETRY,
};

/* These statuses also occur for requests that were or are being executed, whatever the code. */
static int settles_nothing(int status)
{
	return status == 408 || status == 409 || status == 421 || status == 425 || status == 499;
}

static int rule_fits(const struct rule *rule, int status, const char *code)
{
	if (rule->status ? rule->status != status : rule->code && settles_nothing(status))
		return 0;
	return !rule->code || strcmp(rule->code, code) == 0;
}

const struct rule *error_rule(int status, const char *code)
{
	if (status >= 500 && status < 600)
		return &broken;
	if (status < 400 || status >= 600)
		return &nonsense;
	/*
	 * A 4xx without a code comes from a gateway, not from the API. Only statuses that a
	 * gateway can decide on its own count.
	 */
	if (!code[0] && status != 401 && status != 429)
		return &nonsense;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rule_fits(&rules[i], status, code))
			return &rules[i];
	}
	return &nonsense;
}

const struct rule *error_rule_not_sent(void)
{
	return &not_sent;
}

const struct rule *error_rule_lost(void)
{
	return &broken;
}
