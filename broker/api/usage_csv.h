/* SPDX-License-Identifier: MIT */
/* The bills of a usage report as CSV (RFC 4180), one line each. Pure. */
#pragma once

#include <stdint.h>

#include "lease/cost.h"
#include "util/buf.h"

/* The line with the names of the columns. */
void usage_csv_head(struct buf *out);
/*
 * What the resource costs in the month that contains `month_ms`, as seen at `now_ms`. Nothing if
 * it costs nothing in that month. Amounts are exact; a price that is not known is empty.
 */
void usage_csv_line(struct buf *out, const struct cost *cost, int64_t month_ms, int64_t now_ms);
