/* SPDX-License-Identifier: MIT */
#include "cases.h"

#include <string.h>

const char *const ops[] = {
	"k.create", "k.get", "k.find", "k.list", "k.delete", "s.create", "s.get", "s.find", "s.list",
	"s.delete", "a.get", "a.list", "t.types", "ip.list", "s.update", "s.act", "k.update",
};
const size_t op_count = sizeof(ops) / sizeof(ops[0]);

/* sdk/sim/README.md says what each does. */
const struct fault faults[] = {
	{ "sold_out", "\"kind\":\"sold_out\"", 1, NULL, 1 },
	{ "location_disabled", "\"kind\":\"location_disabled\"", 0, NULL, 1 },
	{ "limit", "\"kind\":\"limit\"", 0, NULL, 1 },
	{ "placement", "\"kind\":\"placement\"", 0, NULL, 1 },
	{ "invalid_input", "\"kind\":\"invalid_input\"", 0, NULL, 1 },
	{ "invalid_unsaid",
	  "\"kind\":\"error\",\"status\":422,\"code\":\"invalid_input\",\"details\":{}", 0, NULL,
	  1 },
	{ "uniqueness", "\"kind\":\"uniqueness\"", 0, NULL, 0 },
	{ "conflict", "\"kind\":\"conflict\"", 0, NULL, 0 },
	{ "locked", "\"kind\":\"locked\"", 1, NULL, 0 },
	{ "protected", "\"kind\":\"protected\"", 0, NULL, 1 },
	{ "unauthorized", "\"kind\":\"unauthorized\"", 1, NULL, 1 },
	{ "token_readonly", "\"kind\":\"token_readonly\"", 0, NULL, 1 },
	{ "forbidden", "\"kind\":\"forbidden\"", 0, NULL, 1 },
	{ "maintenance", "\"kind\":\"maintenance\"", 0, NULL, 0 },
	{ "not_found", "\"kind\":\"not_found\"", 0, NULL, 1 },
	{ "deprecated", "\"kind\":\"deprecated\"", 0, NULL, 1 },
	{ "rate_limited", "\"kind\":\"rate_limited\"", 1, NULL, 1 },
	{ "server_error", "\"kind\":\"server_error\"", 0, NULL, 0 },
	{ "server_error_effect", "\"kind\":\"server_error\",\"effect\":true", 1, NULL, 0 },
	{ "unavailable", "\"kind\":\"unavailable\"", 0, NULL, 0 },
	{ "unavailable_effect", "\"kind\":\"unavailable\",\"effect\":true", 0, NULL, 0 },
	{ "bad_gateway", "\"kind\":\"bad_gateway\"", 0, NULL, 0 },
	{ "bad_gateway_effect", "\"kind\":\"bad_gateway\",\"effect\":true", 0, NULL, 0 },
	{ "gateway_timeout", "\"kind\":\"gateway_timeout\"", 0, NULL, 0 },
	{ "gateway_timeout_effect", "\"kind\":\"gateway_timeout\",\"effect\":true", 0, NULL, 0 },
	{ "redirect", "\"kind\":\"redirect\"", 0, NULL, 0 },
	{ "status_408", "\"kind\":\"status\",\"status\":408", 0, NULL, 0 },
	{ "status_299", "\"kind\":\"status\",\"status\":299", 0, NULL, 0 },
	{ "close", "\"kind\":\"close\"", 1, NULL, 0 },
	{ "lost", "\"kind\":\"lost\"", 1, NULL, 0 },
	{ "hang", "\"kind\":\"hang\"", 1, NULL, 0 },
	{ "hang_no_effect", "\"kind\":\"hang\",\"effect\":false", 0, NULL, 0 },
	{ "slow_late", "\"kind\":\"slow\",\"ms\":90000", 1, NULL, 0 },
	{ "slow", "\"kind\":\"slow\",\"ms\":5000", 0, NULL, 0 },
	{ "cut", "\"kind\":\"cut\"", 1, NULL, 0 },
	{ "cut_headers", "\"kind\":\"cut_headers\"", 0, NULL, 0 },
	{ "big", "\"kind\":\"big\"", 0, NULL, 0 },
	{ "drip", "\"kind\":\"drip\"", 0, NULL, 0 },
	{ "html", "\"kind\":\"shape\",\"as\":\"html\"", 0, NULL, 0 },
	{ "empty", "\"kind\":\"shape\",\"as\":\"empty\"", 0, NULL, 0 },
	{ "array", "\"kind\":\"shape\",\"as\":\"array\"", 0, NULL, 0 },
	{ "null", "\"kind\":\"shape\",\"as\":\"null\"", 0, NULL, 0 },
	{ "truncated", "\"kind\":\"shape\",\"as\":\"truncated\"", 0, NULL, 0 },
	{ "deep", "\"kind\":\"shape\",\"as\":\"deep\"", 0, NULL, 0 },
	{ "id_string", "\"kind\":\"id\",\"as\":\"string\"", 1, NULL, 0 },
	{ "id_huge", "\"kind\":\"id\",\"as\":\"huge\"", 0, NULL, 0 },
	{ "id_zero", "\"kind\":\"id\",\"as\":\"zero\"", 0, NULL, 0 },
	{ "id_missing", "\"kind\":\"id\",\"as\":\"missing\"", 0, NULL, 0 },
	{ "extra", "\"kind\":\"extra\"", 0, NULL, 0 },
	{ "odd_status", "\"kind\":\"odd_status\"", 0, "s.create s.get s.find s.list", 0 },
	{ "no_action", "\"kind\":\"no_action\"", 0, "s.create s.delete", 0 },
	{ "labels_null", "\"kind\":\"labels\",\"as\":\"null\"", 0, NULL, 0 },
	{ "labels_missing", "\"kind\":\"labels\",\"as\":\"missing\"", 1, NULL, 0 },
	{ "name_upper", "\"kind\":\"name\",\"as\":\"upper\"", 0, NULL, 1 },
	{ "pages_loop", "\"kind\":\"pages\",\"as\":\"loop\"", 0,
	  "k.find k.list s.find s.list a.list t.types ip.list", 0 },
	{ "pages_null", "\"kind\":\"pages\",\"as\":\"null\"", 0,
	  "k.find k.list s.find s.list a.list t.types ip.list", 0 },
	{ "selector_ignored", "\"kind\":\"selector_ignored\"", 0, "k.find k.list s.find s.list", 0 },
	{ "create_error", "\"kind\":\"create_error\"", 1, "s.create", 2 },
	{ "create_error_null", "\"kind\":\"create_error\",\"error\":null", 0, "s.create", 2 },
	{ "start_error", "\"kind\":\"start_error\"", 0, "s.create", 2 },
	{ "stuck", "\"kind\":\"stuck\"", 0, "s.create", 2 },
	{ "create_lock", "\"kind\":\"create_lock\"", 0, "s.create", 0 },
	{ "endless", "\"kind\":\"endless\"", 0, "s.create s.delete", 0 },
	{ "hidden", "\"kind\":\"hidden\",\"ms\":8000,\"where\":\"both\"", 1, "k.create s.create",
	  0 },
	{ "ipv4_late", "\"kind\":\"ipv4_late\",\"ms\":20000", 0, "s.create", 0 },
	{ "labels_lost", "\"kind\":\"labels_lost\"", 0, "k.create s.create", 1 },
	{ "name_taken", "\"kind\":\"name_taken\"", 0, "k.create s.create", 1 },
	{ "key_taken", "\"kind\":\"key_taken\"", 0, "k.create", 1 },
	{ "action_unknown", "\"kind\":\"action_unknown\"", 0, "s.create s.delete", 0 },
	{ "delete_error", "\"kind\":\"delete_error\"", 1, "s.delete", 0 },
	{ "delete_lag", "\"kind\":\"delete_lag\",\"ms\":30000", 0, "s.delete", 0 },
	{ "delete_ignored", "\"kind\":\"delete_ignored\"", 1, "k.delete s.delete", 0 },
	{ "ghost", "\"kind\":\"ghost\",\"ms\":30000", 1, "s.delete", 0 },
	{ "reappear", "\"kind\":\"reappear\",\"gap_ms\":20000", 0, "s.delete", 0 },
	{ "ip_bad", "\"kind\":\"ip\",\"value\":\"127.0.0.1\"", 0, "s.create s.get s.find s.list",
	  0 },
	{ "ip_kept", "\"kind\":\"ip_kept\"", 0, "s.create", 0 },
	{ "rate_past", "\"kind\":\"rate_limited\",\"headers\":\"past\"", 0, NULL, 1 },
	{ "rate_far", "\"kind\":\"rate_limited\",\"headers\":\"far\"", 0, NULL, 1 },
	{ "rate_none", "\"kind\":\"rate_limited\",\"headers\":\"none\"", 0, NULL, 0 },
	{ "rate_zero", "\"kind\":\"rate_limited\",\"headers\":\"none\",\"retry_after\":0", 0, NULL,
	  0 },
	/* One 429 that names two seconds, and that nothing is left. */
	{ "rate_once", "\"kind\":\"rate_limited\",\"retry_after\":2", 0, NULL, 0 },
	{ "rate_text", "\"kind\":\"rate_limited\",\"headers\":\"text\"", 0, NULL, 0 },
	{ "stale", "\"kind\":\"stale\"", 0, NULL, 0 },
	{ "pages_endless", "\"kind\":\"pages\",\"as\":\"endless\"", 0,
	  "k.find k.list s.find s.list a.list t.types ip.list", 0 },
	{ "id_exp", "\"kind\":\"id\",\"as\":\"exp\"", 0, NULL, 0 },
	{ "id_float", "\"kind\":\"id\",\"as\":\"float\"", 0, NULL, 0 },
	{ "utf8", "\"kind\":\"shape\",\"as\":\"utf8\"", 0, NULL, 0 },
	{ "duplicate", "\"kind\":\"shape\",\"as\":\"duplicate\"", 0, NULL, 0 },
	{ "progress_odd", "\"kind\":\"progress_odd\"", 0, "s.create s.delete", 0 },
	{ "protect_error", "\"kind\":\"protect_error\"", 1, "s.act", 0 },
	{ "protect_ignored", "\"kind\":\"protect_ignored\"", 1, "s.act", 0 },
};
const size_t fault_count = sizeof(faults) / sizeof(faults[0]);

_Static_assert(sizeof(faults) / sizeof(faults[0]) <= FAULTS_MAX, "the matrix is too small");
_Static_assert(sizeof(ops) / sizeof(ops[0]) <= OPS_MAX, "the matrix is too small");

int rule_may_fail(const char *json)
{
	for (size_t i = 0; i < fault_count; i++) {
		if (strstr(json, faults[i].json) &&
		    (faults[i].may_fail == 1 || (faults[i].may_fail && strstr(json, "probability"))))
			return 1;
	}
	return 0;
}

const char *cell_excuse(size_t op, size_t fault)
{
	if (faults[fault].where && !strstr(faults[fault].where, ops[op]))
		return "the fault has no effect there";
	/* That this cannot occur is what prevents a lost response from causing two servers. */
	if (strcmp(faults[fault].name, "stale") == 0 &&
	    (strstr(ops[op], ".create") || strstr(ops[op], ".delete") || strstr(ops[op], ".update") ||
	     strstr(ops[op], ".act")))
		return "a request with an effect never uses a kept connection";
	return NULL;
}
