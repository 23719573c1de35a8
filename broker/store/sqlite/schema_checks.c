/* SPDX-License-Identifier: MIT */
/* What must hold in the leases' file: each counts what is wrong. */
#include "store/sqlite/internal.h"

/* SQL is laid out by hand. */
/* clang-format off */
const struct schema_check schema_lease_checks[SCHEMA_LEASE_CHECKS] = {
	{ "usage totals",
	  "WITH live AS (SELECT * FROM lease WHERE state <= 1"
	  " AND NOT (queue_ms > 0 AND admitted_ms = 0)"
	  " OR is_billed AND cleanup BETWEEN 1 AND 3),"
	  " want(scope, name, org, leases, micros) AS ("
	  "SELECT 0, '', '', count(*), total(price_hour_micros) FROM live"
	  " UNION ALL SELECT 1, owner, org, count(*), sum(price_hour_micros) FROM live"
	  " GROUP BY owner, org"
	  " UNION ALL SELECT 2, '', org, count(*), sum(price_hour_micros) FROM live GROUP BY org"
	  " UNION ALL SELECT 3, account, '', count(*), sum(price_hour_micros) FROM live"
	  " GROUP BY account)"
	  " SELECT (SELECT count(*) FROM want LEFT JOIN tally USING(scope, name, org)"
	  " WHERE want.leases <> ifnull(tally.leases, 0) OR want.micros <> ifnull(tally.micros, 0))"
	  " + (SELECT count(*) FROM tally LEFT JOIN want USING(scope, name, org)"
	  " WHERE tally.leases <> ifnull(want.leases, 0))" },
	{ "monthly totals",
	  "WITH want(scope, name, org, month_ms, currency, reserved, settled) AS ("
	  "SELECT 0, '', '', month_ms, currency, sum(reserved_micros), sum(settled_micros)"
	  " FROM charge GROUP BY month_ms, currency"
	  " UNION ALL SELECT 1, owner, org, month_ms, currency, sum(reserved_micros),"
	  " sum(settled_micros) FROM charge GROUP BY owner, org, month_ms, currency"
	  " UNION ALL SELECT 2, '', org, month_ms, currency, sum(reserved_micros),"
	  " sum(settled_micros) FROM charge GROUP BY org, month_ms, currency"
	  " UNION ALL SELECT 3, account, '', month_ms, currency, sum(reserved_micros),"
	  " sum(settled_micros) FROM charge GROUP BY account, month_ms, currency)"
	  " SELECT (SELECT count(*) FROM want LEFT JOIN spend USING(scope, name, org, month_ms, currency)"
	  " WHERE reserved <> ifnull(reserved_micros, 0) OR settled <> ifnull(settled_micros, 0))"
	  " + (SELECT count(*) FROM spend LEFT JOIN want USING(scope, name, org, month_ms, currency)"
	  " WHERE reserved_micros <> ifnull(reserved, 0) OR settled_micros <> ifnull(settled, 0))" },
	{ "charges without a lease",
	  "SELECT count(*) FROM charge WHERE lease NOT IN (SELECT n FROM lease)" },
	{ "reservations of leases that are over",
	  "SELECT count(*) FROM charge JOIN lease ON lease.n = charge.lease"
	  " WHERE charge.reserved_micros <> 0 AND NOT (lease.state <= 1"
	  " AND NOT (lease.queue_ms > 0 AND lease.admitted_ms = 0)"
	  " OR lease.is_billed AND lease.cleanup BETWEEN 1 AND 3)" },
	{ "resources without a lease",
	  "SELECT count(*) FROM resource WHERE lease <> 0 AND lease NOT IN (SELECT n FROM lease)" },
	{ "attempts without a lease",
	  "SELECT count(*) FROM attempt WHERE lease NOT IN (SELECT n FROM lease)" },
	{ "costs without a resource",
	  "SELECT count(*) FROM cost WHERE resource NOT IN (SELECT n FROM resource)" },
	{ "heartbeats without a lease",
	  "SELECT count(*) FROM beat WHERE lease NOT IN (SELECT n FROM lease)" },
	{ "shares without a lease",
	  "SELECT count(*) FROM share WHERE lease NOT IN (SELECT n FROM lease)" },
	{ "telemetry without a lease",
	  "SELECT count(*) FROM telemetry WHERE lease NOT IN (SELECT n FROM lease)" },
	{ "idempotency keys without a lease",
	  "SELECT count(*) FROM idempotency WHERE lease NOT IN (SELECT n FROM lease)" },
};
