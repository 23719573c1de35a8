/* SPDX-License-Identifier: MIT */
/*
 * A plugin's options are data: this checks what the configuration says against
 * that data, so that no plugin parses text and every wrong line is answered in
 * the same words. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <lessor/provider.h>

#include "provider/account.h"
#include "util/err.h"

struct option_value {
	char key[33];
	char *text;	/* owned */
	int64_t number;	/* INT, BOOL, DURATION (ms); the index of a CHOICE */
	uint32_t type;
};

struct option_values {
	struct option_value *values;	/* one for each declared option, in the plugin's order */
	size_t count;
};

/* ERR_INVALID naming key and rule; *ret is empty then. */
int options_check(const struct lessor_provider *table, const struct account_option *given,
		  size_t given_count, struct option_values *ret, struct err *err);
void options_fini(struct option_values *options);
const struct option_value *options_find(const struct option_values *options, const char *key);
