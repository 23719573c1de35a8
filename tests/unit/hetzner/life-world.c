/* SPDX-License-Identifier: MIT */
/* The environment of a life: clock, simulated cloud, faults, and queries for the tests. */
#include "life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/test.h"
#include "driver/wire.h"
#include "util/alloc.h"
#include "util/text.h"

#define CALL_MS 40

/* ---- the world --------------------------------------------------------------------- */

static int64_t world_now(void *data)
{
	return ((struct life *)data)->now_ms;
}

static void world_random(void *data, void *out, size_t len)
{
	(void)data;
	memset(out, 0x5a, len);
}

static void note_request(struct life *life, const char *method, const char *path, int status)
{
	char line[1000];
	size_t len = (size_t)snprintf(line, sizeof(line), "%s %s %d\n", method, path, status);

	life->requests = xrealloc(life->requests, life->requests_len + len + 1);
	memcpy(life->requests + life->requests_len, line, len + 1);
	life->requests_len += len;
}

/* Is the response lost or incomplete? */
static int is_lost(const struct cloud_wire *wire)
{
	return wire->ticket || wire->head_cut >= 0 || wire->body_cut >= 0 ||
	       wire->end == CLOUD_END_HANG || wire->end == CLOUD_END_RESET;
}

/* The request directly before a delete must be a read that found the same id. */
static void check_was_read(const struct life *life, const char *path)
{
	char want[200];
	size_t len = (size_t)snprintf(want, sizeof(want), "GET %s 200\n", path);

	if (life->requests_len < len ||
	    strcmp(life->requests + life->requests_len - len, want) != 0)
		fail_msg("DELETE %s without a read directly before it", path);
}

/* A delayed effect happens after the client has stopped waiting. */
static void happen_late(struct life *life, uint64_t ticket, int64_t after_ms)
{
	struct cloud_response late;

	cloud_response_init(&late);
	life->now_ms += after_ms;
	cloud_resume(life->cloud, life->now_ms, ticket, &late);
	cloud_response_fini(&late);
}

static void world_http(void *data, const struct env_http_request *request,
		       struct env_http_response *answer)
{
	struct life *life = data;
	struct cloud_request ask = wire_request(request);
	const char *target = ask.target;
	int is_effect = strcmp(request->method, "GET") != 0;
	struct cloud_response reply;

	assert_non_null(target);
	wire_init(answer);
	if (life->crashed) { /* a crashed process sends nothing */
		answer->outcome = ENV_HTTP_NOT_SENT;
		return;
	}
	if (strcmp(request->method, "DELETE") == 0)
		check_was_read(life, target + 3);
	life->calls++;
	life->deletes += strcmp(request->method, "DELETE") == 0;
	life->now_ms += CALL_MS;
	cloud_response_init(&reply);
	cloud_handle(life->cloud, life->now_ms, &ask, &reply);
	note_request(life, request->method, target + 3, reply.status);
	if (is_lost(&reply.wire)) {
		answer->outcome = ENV_HTTP_LOST;
		snprintf(answer->error, sizeof(answer->error), "the connection was lost");
		if (reply.wire.ticket)
			happen_late(life, reply.wire.ticket, request->timeout_ms);
	} else {
		wire_answered(&reply, answer);
		answer->rate_reset_s = wire_header(&reply, "RateLimit-Reset");
		life->crashed = is_effect && life->crash_after_effect == 1;
		life->crash_after_effect -= is_effect && life->crash_after_effect > 0;
	}
	cloud_response_fini(&reply);
}

void life_world(struct life *life)
{
	struct cloud_config cloud;

	life->now_ms = 1795590000000;
	life->env = (struct env){ .data = life, .wall_ms = world_now, .mono_ms = world_now,
				  .random = world_random, .http = world_http };
	cloud_config_init(&cloud);
	/* Thousands of short lives need no long history. */
	cloud.requests_kept = cloud.history_kept = 256;
	life->cloud = cloud_new(&cloud);
}

/* ---- faults ------------------------------------------------------------------------------ */

/* The tests write JSON with single quotes. */
static void requote(char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			*text = '"';
	}
}

void life_fault(struct life *life, const char *json)
{
	char text[4096];
	struct err err = { 0 };

	snprintf(text, sizeof(text), "{'faults':[%s]}", json);
	requote(text);
	if (cloud_load(life->cloud, life->now_ms, text, strlen(text), &err))
		fail_msg("%s: %s", json, err.text);
}

void life_config(struct life *life, const char *name, int64_t value)
{
	char text[200];
	struct err err = { 0 };

	snprintf(text, sizeof(text), "{\"config\":{\"%s\":%lld}}", name, (long long)value);
	if (cloud_load(life->cloud, life->now_ms, text, strlen(text), &err))
		fail_msg("%s: %s", name, err.text);
}

void life_reset_calls(struct life *life)
{
	life->calls = life->deletes = 0;
	life->requests_len = 0;
	if (life->requests)
		life->requests[0] = '\0';
}

/* ---- queries --------------------------------------------------------------------------- */

struct life *life_active(const char *types)
{
	struct life *life = life_new(NULL);

	life_begin(life, types, "nbg1");
	life_run(life, 60);
	life_expect_active(life);
	life->now_ms += 60000;
	life_reset_calls(life);
	return life;
}

void life_expect_active(struct life *life)
{
	if (life->lease.state != LEASE_ACTIVE)
		fail_msg("state %s, %s %s\n%s", lease_state_name(life->lease.state),
			 life->lease.failure, life->lease.last_error, life->requests);
}

void life_expect_clean(struct life *life, int keys)
{
	if (life->lease.cleanup != CLEANUP_DONE)
		fail_msg("cleanup %s: %s %s\n%s", lease_cleanup_name(life->lease.cleanup),
			 life->lease.last_error, life->lease.attention, life->requests);
	assert_int_equal(life_count(life, CLOUD_SERVER), 0);
	assert_int_equal(life_count(life, CLOUD_KEY), keys);
}

struct tally {
	enum cloud_kind kind;
	int64_t but;
	int count;
};

static void tally_object(void *arg, const struct cloud_object *object)
{
	struct tally *tally = arg;

	tally->count += object->kind == tally->kind && object->project == 0 &&
			object->id != tally->but;
}

int life_count(struct life *life, enum cloud_kind kind)
{
	const struct resource *mark = life_mark(life);
	struct tally tally = { .kind = kind };

	if (kind == CLOUD_KEY && mark)
		tally.but = strtoll(mark->id, NULL, 10);
	cloud_advance(life->cloud, life->now_ms);
	cloud_visit_objects(life->cloud, tally_object, &tally);
	return tally.count;
}

struct named {
	enum cloud_kind kind;
	const char *name;
	int64_t id;
};

static void find_named(void *arg, const struct cloud_object *object)
{
	struct named *named = arg;

	if (object->kind == named->kind && strcmp(object->name, named->name) == 0)
		named->id = object->id;
}

int64_t life_find(struct life *life, enum cloud_kind kind, const char *name)
{
	struct named named = { .kind = kind, .name = name };

	cloud_advance(life->cloud, life->now_ms);
	cloud_visit_objects(life->cloud, find_named, &named);
	return named.id;
}

static enum cloud_kind kind_of(const struct resource *row)
{
	return row->kind == LESSOR_KIND_SERVER ? CLOUD_SERVER :
	       row->kind == LESSOR_KIND_ADDRESS ? CLOUD_IP : CLOUD_KEY;
}

int life_object(struct life *life, const struct resource *row, struct cloud_object *ret)
{
	cloud_advance(life->cloud, life->now_ms);
	return cloud_object_find(life->cloud, kind_of(row), strtoll(row->id, NULL, 10), ret);
}

const char *life_label(struct life *life, const struct resource *row, const char *key)
{
	return cloud_object_label(life->cloud, kind_of(row), strtoll(row->id, NULL, 10), key);
}

static const struct resource *row_of(const struct ledger *ledger, uint32_t kind)
{
	for (size_t i = 0; i < ledger->resource_count; i++) {
		const struct resource *r = &ledger->resources[i];

		if (r->kind == kind && !lessor_state_is_over(r->state))
			return r;
	}
	return NULL;
}

const struct resource *life_row(const struct life *life, uint32_t kind)
{
	return row_of(&life->book, kind);
}

const struct resource *life_mark(const struct life *life)
{
	const struct resource *mark = row_of(&life->mark, LESSOR_KIND_SENTINEL);

	return mark && mark->id[0] ? mark : NULL;
}

int life_count_requests(const struct life *life, const char *prefix)
{
	size_t len = strlen(prefix);
	int count = 0;

	for (const char *line = life->requests; line && *line;) {
		count += strncmp(line, prefix, len) == 0;
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return count;
}

int life_meddle(struct life *life, const char *method, const char *target, const char *body)
{
	char text[1000];
	struct cloud_request ask = { .method = method, .target = target,
				     .authorization = "Bearer human", .body = body ? text : NULL,
				     .body_len = body ? strlen(body) : 0 };
	struct cloud_response reply;
	int status;

	snprintf(text, sizeof(text), "%s", body ? body : "");
	requote(text);
	cloud_response_init(&reply);
	cloud_handle(life->cloud, life->now_ms, &ask, &reply);
	status = reply.status;
	cloud_response_fini(&reply);
	return status;
}

void life_readonly(struct life *life, int on)
{
	char text[200];
	struct err err = { 0 };

	/* Once the list exists, it must contain all valid tokens. */
	snprintf(text, sizeof(text), "{'tokens':[{'token':'t','readonly':%s},{'token':'human'}]}",
		 on ? "true" : "false");
	requote(text);
	if (cloud_load(life->cloud, life->now_ms, text, strlen(text), &err))
		fail_msg("%s", err.text);
}
