/* SPDX-License-Identifier: MIT */
#include "store/tables.h"

#include <string.h>

#include "util/bug.h"

const struct store_table tables[TABLES] = {
	{ "meta", .key = "key", .rest = "value@? number#" },
	{ "lease", .is_numbered = 1, .key = "n#",
	  .rest = "id attempt_token owner org account slug class profile requested_type "
		  "type_explicit# types location image architecture os ssh_user ssh_port# "
		  "fallback_ports work_root public_key pond keep# ttl_ms# idle_ms# created_ms# "
		  "provision_deadline_ms# state# cleanup# epoch# retained# ready_ms# ended_ms# "
		  "released_ms# updated_ms# end_reason failure cursor due_ms# tries# "
		  "cleanup_started_ms# last_error attention attention_class# retain_until_ms# "
		  "retain_reason host server_id server_name server_type server_location "
		  "price_hour_micros# currency host_key retention# is_billed# breaches# queue_ms# "
		  "admitted_ms# location_preferred# credit_ms# idle_credit_ms# last_request" },
	{ "beat", .key = "lease#", .rest = "touched_ms#" },
	{ "resource", .is_numbered = 1, .key = "n#",
	  .rest = "lease# account attempt# kind# state# ours# name id action evidence created_ms# "
		  "changed_ms# first_absent_ms# absent_count# seen_ms# authorized_ms# "
		  "deletes_unknown# signed_lease retain_epoch# label_known# protect_by# marked_ms# "
		  "until_ms#" },
	{ "attempt", .key = "lease# number#", .rest = "type location refused# reason started_ms#" },
	{ "event", .is_numbered = 1, .key = "n#", .rest = "lease# at_ms# kind text" },
	{ "idempotency", .key = "owner org key", .rest = "hash lease# created_ms#" },
	{ "canceled", .key = "lease_id token", .rest = "owner org at_ms#" },
	{ "token", .key = "id",
	  .rest = "hash@ owner org role# created_ms# expires_ms# revoked_ms# used_ms# label "
		  "rotated_from changed#" },
	{ "price", .key = "account type location",
	  .rest = "hour_micros# currency available# at_ms# month_micros# unit_ms# minimum_ms#" },
	{ "pause", .key = "account", .rest = "until_ms#" },
	{ "sweep", .key = "account",
	  .rest = "begun_ms# done_ms# objects# unproven# error looked_ms# looked_by deleted_ms# "
		  "soon_ms#" },
	{ "stray", .key = "account kind# id",
	  .rest = "name lease attempt# why# made_ms# first_ms# last_ms# looks#" },
	{ "share", .key = "lease# name", .rest = "org manage#" },
	{ "sharing", .key = "lease#", .rest = "updated_ms# updated_by" },
	{ "telemetry", .key = "lease# at_ms#", .rest = "data" },
	{ "generation", .key = "account", .rest = "current# pending# holder before is_fenced# why" },
	{ "queue_owner", .key = "account owner org", .rest = "turn#" },
	{ "cost", .key = "resource#",
	  .rest = "lease# lease_id slug owner org account type location currency hour_micros# "
		  "month_micros# unit_ms# minimum_ms# from_ms# to_ms#" },
	{ "past_usage", .key = "month_ms# account owner org type", .rest = "leases# runtime_ms#" },
	{ "tally", TABLE_OF_TOTALS, .key = "scope# name org", .rest = "leases# micros#" },
	{ "charge", .key = "lease# month_ms#",
	  .rest = "owner org account currency reserved_micros# settled_micros#" },
	{ "spend", TABLE_OF_TOTALS, .key = "scope# name org month_ms# currency",
	  .rest = "reserved_micros# settled_micros#" },
	{ "daemon", TABLE_OF_DAEMONS, .key = "id",
	  .rest = "address version schema# started_ms# seen_ms#" },
	{ "run", TABLE_OF_RUNS, .is_numbered = 1, .key = "n#",
	  .rest = "id owner org label started_ms# lease slug account target windows_mode class "
		  "server_type phase blocked_stage retry_likely state# finished# event_ms# "
		  "ended_ms# sync_ms# command_ms# has_exit_code# exit_code# log_bytes# "
		  "log_truncated# event_count# event_bytes# bytes# command" },
	{ "run_lease", TABLE_OF_RUNS, .key = "run# lease", .rest = "" },
	{ "run_event", TABLE_OF_RUNS, .key = "run# seq#", .rest = "at_ms# fields" },
	{ "run_sample", TABLE_OF_RUNS, .key = "run# at_ms#", .rest = "data" },
	{ "run_results", TABLE_OF_RUNS, .key = "run#", .rest = "data" },
	{ "run_receipt", TABLE_OF_RUNS, .key = "run#", .rest = "data" },
	{ "run_log", TABLE_OF_RUNS, .key = "run# part#", .rest = "data@" },
};

static const char *column_read(const char *text, struct column *ret)
{
	size_t len = strcspn(text, " #@?");

	BUG_ON(len == 0 || len >= sizeof(ret->name));
	*ret = (struct column){ .type = COLUMN_TEXT_TYPE };
	memcpy(ret->name, text, len);
	text += len;
	for (; *text && *text != ' '; text++) {
		if (*text == '?')
			ret->is_nullable = 1;
		else
			ret->type = *text == '#' ? COLUMN_NUMBER : COLUMN_BLOB;
	}
	return text + strspn(text, " ");
}

size_t table_columns(const struct store_table *table, struct column ret[TABLE_COLUMNS_MAX],
		     size_t *ret_key_count)
{
	size_t count = 0;

	for (const char *text = table->key; *text; count++)
		text = column_read(text, &ret[count]);
	*ret_key_count = count;
	for (const char *text = table->rest; *text; count++) {
		BUG_ON(count == TABLE_COLUMNS_MAX);
		text = column_read(text, &ret[count]);
	}
	return count;
}
