/* SPDX-License-Identifier: MIT */
/*
 * Provider responses of arbitrary bytes: for the parsers, and for a whole lifecycle with the
 * built plugin in the real host (tests/unit/hetzner/life.h). There one response is replaced,
 * or only a part of it, so that the rest stays well formed. The request may or may not have
 * had its effect.
 *
 *	byte 0	number of the request, counted from the start of the life
 *	byte 1	bits 0-2 the replacement, bit 3 the request has no effect,
 *		bit 4 the life ends as kept, bit 5 one key for the account,
 *		bit 6 what was kept is deleted in the end
 *	byte 2	where a piece goes (in 16ths of the body), or the status (index)
 *	rest	the body, or the piece
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "../../unit/hetzner/life.h"
#include "error.h"
#include "parse.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

#define STEPS_MOST 60
#define READS 64

enum instead { WHOLE, PIECE_OVER, PIECE_IN, STATUS, LOST, BROKEN, NOT_SENT, PIECE_OFF };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The result of the last exact read of a resource. */
struct reading {
	char path[80];
	int status;
	char code[64];
};

struct plot {
	const uint8_t *data;
	size_t size;
	int request;
	struct reading reads[READS];
	size_t read_count;
	int done;
};

static struct plot plot;
static void (*real_http)(void *data, const struct env_http_request *request,
			 struct env_http_response *answer);

#define PROMISE(what) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #what); \
			abort(); \
		} \
	} while (0)

/* ---- the parsers -------------------------------------------------------------------------- */

static int id_is_good(const char *id)
{
	size_t digits = strspn(id, "0123456789");

	return digits && !id[digits] && id[0] != '0' && digits < 20 &&
	       (digits < 19 || strcmp(id, "9223372036854775807") <= 0);
}

static void check_thing(const struct thing *thing)
{
	struct lessor_observed seen;

	PROMISE(id_is_good(thing->id));
	PROMISE(thing->name && thing->name[0]);
	PROMISE(thing->label_count <= THING_LABELS_MAX);
	thing_observe(thing, &seen);
	PROMISE(strcmp(seen.id, thing->id) == 0);
}

static void parse_member(const json_t *json)
{
	struct server server;
	struct ssh_key key;
	struct action action;
	struct list_page page;
	char id[ID_ROOM];

	if (parse_id(json, id) == 0)
		PROMISE(id_is_good(id));
	if (parse_server(json, &server) == 0) {
		check_thing(&server.thing);
		PROMISE(server.status && server.type && server.location);
		PROMISE(!server.host[0] || host_is_usable(server.host));
		PROMISE(!server.local_host[0] || host_is_local(server.local_host));
	}
	if (parse_key(json, LESSOR_KIND_KEY, &key) == 0) {
		check_thing(&key.thing);
		PROMISE(key.fingerprint != NULL);
	}
	if (parse_action(json, &action) == 0) {
		PROMISE(id_is_good(action.id));
		action_is_of(&action, "1");
	}
	if (parse_page(json, "servers", 1, &page) == 0)
		PROMISE(json_is_array(page.items) && (page.next == 0 || page.next == 2));
	if (json_is_string(json)) {
		int64_t micros = parse_micros(json_string_value(json));

		PROMISE(micros >= -1);
		parse_time_ms(json_string_value(json));
	}
}

static void parse_bytes(const uint8_t *data, size_t size)
{
	json_t *root = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	const char *key;
	json_t *value;

	if (!root)
		return;
	parse_member(root);
	json_object_foreach(root, key, value) {
		size_t i;
		json_t *item;

		parse_member(value);
		json_array_foreach(value, i, item)
			parse_member(item);
	}
	json_decref(root);
}

/* Only the API's own 404 means that a resource is absent, whatever the error code. */
static void judge_status(int status, const char *code)
{
	const struct rule *rule = error_rule(status, code);
	int is_404 = status == 404 && strcmp(code, "not_found") == 0;

	PROMISE(rule != NULL);
	PROMISE(rule->on_get != GET_GONE || is_404);
	PROMISE(rule->on_delete != DELETE_GONE || is_404);
	/* Only a 4xx can be a definite refusal. */
	if (status < 400 || status >= 500)
		PROMISE(rule->on_create == CREATE_UNKNOWN && rule->on_delete == DELETE_UNKNOWN);
}

/* ---- the life ------------------------------------------------------------------------------- */

static const int statuses[] = { 200, 201, 204, 206, 301, 400, 401, 403, 404, 404, 405, 408, 409, 410,
				412, 418, 422, 423, 425, 429, 500, 502, 503, 504, 599, 202, 203, 499 };

static void body_set(struct env_http_response *answer, const char *before, size_t before_len,
		     const char *after, size_t after_len)
{
	size_t piece = plot.size - 3;
	char *body = xcalloc(1, before_len + piece + after_len + 1);

	if (before_len)
		memcpy(body, before, before_len);
	memcpy(body + before_len, plot.data + 3, piece);
	if (after_len)
		memcpy(body + before_len + piece, after, after_len);
	free(answer->body);
	answer->body = body;
	answer->body_len = before_len + piece + after_len;
}

static void answer_spoil(struct env_http_response *answer)
{
	size_t piece = plot.size - 3;
	size_t len = answer->body_len;
	size_t at = plot.data[2] < 0xf0 ? len * plot.data[2] / 0xf0 : len - (plot.data[2] & 15) % (len + 1);
	char *old = answer->body;

	answer->body = NULL;
	switch ((enum instead)(plot.data[1] & 7)) {
	case WHOLE:
		body_set(answer, NULL, 0, NULL, 0);
		break;
	case PIECE_OVER:
		body_set(answer, old, at, old + (at + piece < len ? at + piece : len),
			 at + piece < len ? len - at - piece : 0);
		break;
	case PIECE_IN:
		body_set(answer, old, at, old + at, len - at);
		break;
	case PIECE_OFF:
		body_set(answer, old, at, NULL, 0);
		break;
	case STATUS:
		answer->status = statuses[plot.data[2] % (sizeof(statuses) / sizeof(statuses[0]))];
		body_set(answer, NULL, 0, NULL, 0);
		break;
	case LOST:
		answer->outcome = ENV_HTTP_LOST;
		break;
	case BROKEN:
		answer->outcome = ENV_HTTP_BROKEN;
		break;
	case NOT_SENT:
		break;
	}
	free(old);
}

static void note_reading(const struct env_http_request *request, const struct env_http_response *answer)
{
	const char *path = strstr(request->url, "/v1/") + 3;
	struct reading *r = NULL;
	json_t *root;
	const char *code = NULL;

	if (strcmp(request->method, "GET") != 0)
		return;
	for (size_t i = 0; i < plot.read_count; i++) {
		if (strcmp(plot.reads[i].path, path) == 0)
			r = &plot.reads[i];
	}
	if (!r)
		r = &plot.reads[plot.read_count < READS ? plot.read_count++ : READS - 1];
	snprintf(r->path, sizeof(r->path), "%s", path);
	root = answer->body ? json_loadb(answer->body, answer->body_len, 0, NULL) : NULL;
	json_unpack(root, "{s:{s:s}}", "error", "code", &code);
	r->status = answer->outcome == ENV_HTTP_ANSWERED ? answer->status : 0;
	snprintf(r->code, sizeof(r->code), "%s", code ? code : "");
	json_decref(root);
}

static void spoiled_http(void *data, const struct env_http_request *request,
			 struct env_http_response *answer)
{
	int is_it = plot.request++ == plot.data[0] % 64;
	int effect = !(plot.data[1] & 8) && (plot.data[1] & 7) != NOT_SENT;

	if (is_it && !effect) {
		*answer = (struct env_http_response){ .outcome = ENV_HTTP_NOT_SENT,
			.retry_after_ms = -1, .rate_limit = -1, .rate_remaining = -1 };
		if ((plot.data[1] & 7) != NOT_SENT) {
			answer->outcome = ENV_HTTP_ANSWERED;
			answer->status = 200;
			answer->body = xcalloc(1, 1);
		}
	} else {
		real_http(data, request, answer);
	}
	if (is_it) {
		plot.done = 1;
		answer_spoil(answer);
	}
	note_reading(request, answer);
}

/* A resource is GONE only if it was read as absent or never existed. */
static void rows_hold(const struct life *life, const struct ledger *before)
{
	for (size_t i = 0; i < life->book.resource_count; i++) {
		const struct resource *r = &life->book.resources[i];
		const struct resource *was = ledger_find(before, r->n);
		char path[80];
		int read = 0;

		PROMISE(!r->id[0] || id_is_good(r->id));
		PROMISE(r->state != LESSOR_STATE_PRESENT || r->id[0]);
		if (r->state != LESSOR_STATE_GONE || !r->id[0] ||
		    (was && was->state == LESSOR_STATE_GONE))
			continue;
		snprintf(path, sizeof(path), "/%s/%s",
			 r->kind == LESSOR_KIND_SERVER ? "servers" : "ssh_keys", r->id);
		for (size_t j = 0; j < plot.read_count; j++)
			read |= strcmp(plot.reads[j].path, path) == 0 &&
				plot.reads[j].status == 404 &&
				strcmp(plot.reads[j].code, "not_found") == 0;
		PROMISE(read);
	}
}

static void steps(struct life *life, int most, int until_active)
{
	struct ledger before = { 0 };
	int more = 1;

	while (most-- > 0 && more && !(until_active && life->lease.state == LEASE_ACTIVE)) {
		ledger_fini(&before);
		before = (struct ledger){ .resource_count = life->book.resource_count };
		before.resources = xcalloc(before.resource_count + 1, sizeof(*before.resources));
		if (before.resource_count)
			memcpy(before.resources, life->book.resources,
			       before.resource_count * sizeof(*before.resources));
		more = life_step(life);
		rows_hold(life, &before);
	}
	ledger_fini(&before);
}

struct theirs {
	int count, protected;
};

static void count_theirs(void *arg, const struct cloud_object *object)
{
	struct theirs *theirs = arg;

	if (strcmp(object->name, "theirs") != 0)
		return;
	theirs->count++;
	theirs->protected += object->is_protected;
}

/* A stranger's protected server and key: both must be unchanged at the end. */
static void strangers_come(struct life *life)
{
	char target[80];

	PROMISE(life_meddle(life, "POST", "/v1/servers",
			    "{'name':'theirs','server_type':'cx23','image':'ubuntu-24.04',"
			    "'location':'nbg1'}") == 201);
	PROMISE(life_meddle(life, "POST", "/v1/ssh_keys",
			    "{'name':'theirs','public_key':'ssh-ed25519 "
			    "AAAAC3NzaC1lZDI1NTE5AAAAIB0m6T2Hq5z1vYp3cXkW8eJrN4uGfSd7aLoQbVtExMy9 c'}") ==
		201);
	life->now_ms += 60000;
	snprintf(target, sizeof(target), "/v1/servers/%" PRId64 "/actions/change_protection",
		 life_find(life, CLOUD_SERVER, "theirs"));
	PROMISE(life_meddle(life, "POST", target, "{'delete':true,'rebuild':true}") == 201);
}

static void release(struct life *life, int delete_machine)
{
	/* Refused while a delete may be in progress. */
	life_try_release(life, delete_machine);
	steps(life, STEPS_MOST, 0);
}

static void live(void)
{
	static const char *const account_keys[] = { "keys", "account", NULL };
	int kept = plot.data[1] >> 4 & 1;
	struct life *life = life_open(plot.data[1] & 32 ? account_keys : NULL);
	struct theirs theirs = { 0 };
	int deletes;

	strangers_come(life);
	real_http = life->env.http;
	life->env.http = spoiled_http;
	life_account(life, STEP_PROBE, 0);
	life_account(life, STEP_CATALOG, 0);
	life_begin(life, "cx23,cx33", "nbg1");
	steps(life, STEPS_MOST, 1);
	deletes = life->deletes;
	kept &= lease_is_live(&life->lease);
	if (lease_is_live(&life->lease))
		release(life, !kept);
	else
		steps(life, STEPS_MOST, 0);
	PROMISE(!kept || !life->lease.retained || life->deletes == deletes);
	if (plot.data[1] & 64)
		release(life, 1);
	life_account(life, STEP_PROBE, 0);
	cloud_visit_objects(life->cloud, count_theirs, &theirs);
	PROMISE(theirs.count >= 2 && theirs.protected == 1);
	life_free(life);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char code[64];

	log_setup(2, LOG_HUMAN, -1);
	if (size < 3)
		return 0;
	parse_bytes(data + 3, size - 3);
	snprintf(code, sizeof(code), "%.*s", (int)(size - 3 < 60 ? size - 3 : 60), (const char *)data + 3);
	judge_status(data[0] * 4 + data[2], code);
	plot = (struct plot){ .data = data, .size = size };
	live();
	return 0;
}
