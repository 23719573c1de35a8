/* SPDX-License-Identifier: MIT */
/* The money of the current month, for answers: the engine decides by the same totals. Loop thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "engine/limits.h"

struct api;
struct err;
struct lease;
struct store_spend;

#define MONTH_TEXT_SIZE 24

/* "2026-12" */
const char *month_text(int64_t month_ms, char out[MONTH_TEXT_SIZE]);
/* What the current month has. 0, -1. */
int month_read(struct api *api, const char *owner, const char *org, const char *account,
	       struct store_spend *ret, struct err *err);
/*
 * The first limit of leases, of hourly prices or of the month's money that one more lease of this
 * price would exceed, if it ran for `ttl_ms`. 1: there is one; 0: none, or it cannot be read.
 */
struct month_lease {
	const char *owner, *org, *account;
	int64_t price_hour_micros, ttl_ms;
};
int month_limit_find(struct api *api, const struct month_lease *l, struct limit_hit *ret);
