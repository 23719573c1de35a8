/* SPDX-License-Identifier: MIT */
/*
 * A plugin declares its options as data. This code checks the configuration against that data,
 * so plugins parse no text and all errors are worded alike. Pure.
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
	struct option_value *values; /* one per declared option, in the plugin's order */
	size_t count;
};

/* On failure ERR_INVALID, naming key and rule, and *ret is empty. */
int options_check(const struct lessor_provider *table, const struct account_option *settings,
		  size_t setting_count, struct option_values *ret, struct err *err);
void options_fini(struct option_values *options);
const struct option_value *options_find(const struct option_values *options, const char *key);
