/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/* How the provider bills one type in one location, as known when the resource was created. */
struct cost_terms {
	int64_t hour_micros;  /* 0: free, or unknown while `currency` is "" */
	int64_t month_micros; /* the most that a calendar month costs; 0: no such limit */
	int64_t unit_ms;      /* each unit is billed as a whole once it begins; 0: not known yet */
	int64_t minimum_ms;   /* the least time that is billed; 0: one unit */
	char currency[4];     /* ISO 4217; "": the price is unknown */
};
