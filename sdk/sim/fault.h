/* SPDX-License-Identifier: MIT */
/*
 * Faults as data. A rule says which requests it applies to, how often, and what goes wrong.
 * All kinds are in one list, from which help and parser are generated.
 *
 * There are four sorts. ANSWER: another response instead of the real one; the request is
 * not executed, unless the fault has "effect": true. WIRE: transport of the response to the
 * client. LIFE: behaviour of the objects. BODY: errors in an otherwise valid response.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/op.h"
#include "util/buf.h"
#include "util/err.h"

#define FAULT_KINDS(X)                                                                              \
	X(ERROR, "error", ANSWER, "status, code, message, details, headers: any error")             \
	X(SOLD_OUT, "sold_out", ANSWER, "412 resource_unavailable, error during placement")         \
	X(LOCATION_DISABLED, "location_disabled", ANSWER, "412, server location disabled")          \
	X(LIMIT, "limit", ANSWER, "403 resource_limit_exceeded; limit: server_limit, ...")          \
	X(PLACEMENT, "placement", ANSWER, "422 placement_error")                                    \
	X(INVALID_INPUT, "invalid_input", ANSWER, "422; field, message")                            \
	X(UNIQUENESS, "uniqueness", ANSWER, "409 uniqueness_error, whether or not the name exists") \
	X(CONFLICT, "conflict", ANSWER, "409 conflict")                                             \
	X(LOCKED, "locked", ANSWER, "423 locked; for a limited time with for_ms in the rule")       \
	X(PROTECTED, "protected", ANSWER, "423 protected")                                          \
	X(UNAUTHORIZED, "unauthorized", ANSWER, "401 unauthorized")                                 \
	X(TOKEN_READONLY, "token_readonly", ANSWER, "401 token_readonly")                           \
	X(FORBIDDEN, "forbidden", ANSWER, "403 forbidden")                                          \
	X(MAINTENANCE, "maintenance", ANSWER, "403 maintenance")                                    \
	X(NOT_FOUND, "not_found", ANSWER, "404 not_found")                                          \
	X(DEPRECATED, "deprecated", ANSWER, "410 deprecated_api_endpoint")                          \
	X(RATE_LIMITED, "rate_limited", ANSWER,                                                     \
	  "429; headers: sane none past far negative text twice; retry_after")                      \
	X(SERVER_ERROR, "server_error", ANSWER, "500 server_error")                                 \
	X(UNAVAILABLE, "unavailable", ANSWER, "503 unavailable; retry_after")                       \
	X(BAD_GATEWAY, "bad_gateway", ANSWER, "502 with an HTML page")                              \
	X(GATEWAY_TIMEOUT, "gateway_timeout", ANSWER,                                               \
	  "504 with an HTML page; json: true: JSON with code timeout")                              \
	X(REDIRECT, "redirect", ANSWER, "status (307); to: same, other, file, http or a URL")       \
	X(STATUS, "status", ANSWER, "status: any, without a body")                                  \
	X(CLOSE, "close", WIRE, "not executed, connection closed; reset: true")                     \
	X(LOST, "lost", WIRE, "executed, connection closed before the first byte; reset: true")     \
	X(STALE, "stale", WIRE, "like lost, but only on a reused connection; effect: false")        \
	X(HANG, "hang", WIRE, "executed, never answered; effect: false")                            \
	X(SLOW, "slow", WIRE, "ms: delay before execution and response")                            \
	X(HOLD, "hold", WIRE, "executed only on POST /_sim/release")                                \
	X(DELAY, "delay", WIRE, "ms: executed immediately, response delayed")                       \
	X(CUT, "cut", WIRE, "bytes (half): truncated body, then closed; reset, hang: true")         \
	X(CUT_HEADERS, "cut_headers", WIRE,                                                         \
	  "bytes (20): truncated head, then closed; reset, hang: true")                             \
	X(LONG_LENGTH, "long_length", WIRE, "extra (100): Content-Length too large; hang: true")    \
	X(CHUNKED, "chunked", WIRE, "chunked body; bytes: truncated there")                         \
	X(DRIP, "drip", WIRE, "bytes (1) every ms (1000)")                                          \
	X(BIG, "big", WIRE, "bytes (2 MiB): spaces after the JSON body")                            \
	X(GZIP, "gzip", WIRE, "mib (64): size when decompressed; far smaller on the wire")          \
	X(INTERIM, "interim", WIRE, "count (-1: endless): 103 responses before the real one")       \
	X(BIG_HEADERS, "big_headers", WIRE, "bytes (100 KiB) of extra headers")                     \
	X(STRAY, "stray", WIRE, "the response is sent twice, the second one unsolicited")           \
	X(CLOSE_AFTER, "close_after", WIRE, "connection closed after the response without notice")  \
	X(SIGNAL, "signal", WIRE, "pid, signal (9); at: before, after (the effect), answered")      \
	X(TIMING, "timing", LIFE, "create_ms, off_ms, boot_ms, lag_ms of this server")              \
	X(CREATE_ERROR, "create_error", LIFE, "create_server fails; code, message, error: null")    \
	X(START_ERROR, "start_error", LIFE,                                                         \
	  "start_server fails, server stays off; code, message, error: null")                       \
	X(STUCK, "stuck", LIFE, "initializing forever; locked: true: cannot be deleted either")     \
	X(CREATE_LOCK, "create_lock", LIFE,                                                         \
	  "ms: the lock after a create lasts that long; else until start_server ends")              \
	X(ENDLESS, "endless", LIFE, "the action never finishes, the server behaves normally")       \
	X(HIDDEN, "hidden", LIFE,                                                                   \
	  "ms; where: get, list, both: invisible for that long after creation")                     \
	X(IPV4_LATE, "ipv4_late", LIFE,                                                             \
	  "ms: ipv4 is null for that long; missing: true: absent instead")                          \
	X(IP_KEPT, "ip_kept", LIFE, "primary IPs are created without auto_delete")                  \
	X(LABELS_LOST, "labels_lost", LIFE, "labels are not stored, on create or update")           \
	X(NAME_TAKEN, "name_taken", LIFE,                                                           \
	  "another client creates an object of that name just before")                              \
	X(KEY_TAKEN, "key_taken", LIFE, "another client uploads the same key just before")          \
	X(ACTION_UNKNOWN, "action_unknown", LIFE, "the actions of this request cannot be found")    \
	X(PROGRESS_ODD, "progress_odd", LIFE, "progress goes backwards, and is 100 while running")  \
	X(OTHER_PROJECT, "other_project", LIFE, "project (1): the token opens that project")        \
	X(DELETE_ERROR, "delete_error", LIFE,                                                       \
	  "delete_server fails, server remains; code, message, error")                              \
	X(DELETE_LAG, "delete_lag", LIFE,                                                           \
	  "ms: delay after the action succeeds; status: of the server")                             \
	X(DELETE_IGNORED, "delete_ignored", LIFE, "reported as done, nothing is deleted")           \
	X(PROTECT_ERROR, "protect_error", LIFE,                                                     \
	  "change_protection fails, nothing changes; code, message, error")                         \
	X(PROTECT_IGNORED, "protect_ignored", LIFE, "reported as done, protection is unchanged")    \
	X(GHOST, "ghost", LIFE, "ms: lists still show it for that long after it is gone")           \
	X(REAPPEAR, "reappear", LIFE, "gap_ms: 404 for that long, then it is back, running")        \
	X(PATCH, "patch", BODY,                                                                     \
	  "set, raw: {pointer: value}, remove: [pointer]; * matches any element")                   \
	X(ID, "id", BODY,                                                                           \
	  "as: string huge float exp zero negative null missing; value; of: member")                \
	X(SHAPE, "shape", BODY,                                                                     \
	  "as: empty html text array object null error duplicate utf8 nul surrogate deep "          \
	  "truncated")                                                                              \
	X(DETAILS, "details", BODY, "of an error; as: null missing empty")                          \
	X(EXTRA, "extra", BODY, "unknown members in every object")                                  \
	X(ODD_STATUS, "odd_status", BODY, "value (quarantine): status of the objects")              \
	X(NO_ACTION, "no_action", BODY, "action and next_actions are missing")                      \
	X(LABELS, "labels", BODY, "as: null, missing, or an object to show instead")                \
	X(NAME, "name", BODY, "as: upper dot, or value")                                            \
	X(IP, "ip", BODY, "value: ip of every ipv4; also null and missing")                         \
	X(PAGES, "pages", BODY, "as: loop endless null duplicate shrink")                           \
	X(SELECTOR_IGNORED, "selector_ignored", BODY,                                               \
	  "lists ignore filters and show the whole project")

enum fault_kind {
#define X(kind, name, sort, help) FAULT_##kind,
	FAULT_KINDS(X)
#undef X
	FAULT_KIND_COUNT
};

enum fault_sort { FAULT_IS_ANSWER, FAULT_IS_WIRE, FAULT_IS_LIFE, FAULT_IS_BODY };

const char *fault_name(enum fault_kind kind);
const char *fault_help(enum fault_kind kind);
enum fault_sort fault_sort(enum fault_kind kind);

/* The faults that apply to one request. */
enum { PLAN_MAX = 16 };
struct plan {
	struct plan_item {
		enum fault_kind kind;
		json_t *args; /* owned reference */
	} items[PLAN_MAX];
	size_t count;
};
void plan_fini(struct plan *plan);
/* The arguments of a fault, or NULL. */
const json_t *plan_find(const struct plan *plan, enum fault_kind kind);
/* The first ANSWER fault, or NULL. */
const struct plan_item *plan_find_answer(const struct plan *plan);
int64_t args_int(const json_t *args, const char *key, int64_t otherwise);
int args_true(const json_t *args, const char *key, int otherwise);
const char *args_str(const json_t *args, const char *key, const char *otherwise);

/* What rules are matched against. Strings are "" if unknown. */
struct fault_subject {
	enum op op;
	const char *method, *path;
	const char *server_type, *location, *name, *lease, *token;
	int reused;
	int64_t now_ms;
};

struct rules;
struct rules *rules_new(void);
void rules_free(struct rules *rules);
/* Adds a rule, a list of rules, or {"faults": [...]}; on error none of them. */
int rules_add(struct rules *rules, int64_t now_ms, const json_t *json, struct err *err);
void rules_remove(struct rules *rules, int64_t id);	/* 0: all */
/* Every matching rule counts the request; `draw` returns a random number below 1. */
void rules_match(struct rules *rules, const struct fault_subject *subject,
	double (*draw)(void *), void *arg, struct plan *ret);
/* The number of finite rules that are not exhausted. */
size_t rules_pending(const struct rules *rules);
void rules_write(const struct rules *rules, struct buf *out);
