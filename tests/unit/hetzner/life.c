/* SPDX-License-Identifier: MIT */
#include "life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dlfcn.h>

#include <cmocka.h>

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
	char line[400];
	size_t len = (size_t)snprintf(line, sizeof(line), "%s %s %d\n", method, path, status);

	life->requests = xrealloc(life->requests, life->requests_len + len + 1);
	memcpy(life->requests + life->requests_len, line, len + 1);
	life->requests_len += len;
}

static int64_t header_int(const struct cloud_response *r, const char *name)
{
	const char *value = cloud_response_header(r, name);

	return value ? strtoll(value, NULL, 10) : -1;
}

/* Does the wire bring the whole answer? */
static int is_lost(const struct cloud_wire *wire)
{
	return wire->ticket || wire->head_cut >= 0 || wire->body_cut >= 0 ||
	       wire->end == CLOUD_END_HANG || wire->end == CLOUD_END_RESET;
}

/* Directly before a delete that exact id was read, and it was there. */
static void check_was_read(const struct life *life, const char *path)
{
	char want[200];
	size_t len = (size_t)snprintf(want, sizeof(want), "GET %s 200\n", path);

	if (life->requests_len < len ||
	    strcmp(life->requests + life->requests_len - len, want) != 0)
		fail_msg("DELETE %s without a read of it directly before", path);
}

static void world_http(void *data, const struct env_http_request *request,
		       struct env_http_answer *answer)
{
	struct life *life = data;
	const char *target = strstr(request->url, "/v1/");
	struct cloud_request ask = {
		.method = request->method,
		.target = target,
		.authorization = request->authorization,
		.body = request->body,
		.body_len = request->body_len,
	};
	struct cloud_response reply;
	const char *text;

	assert_non_null(target);
	if (strcmp(request->method, "DELETE") == 0)
		check_was_read(life, target + 3);
	life->calls++;
	life->deletes += strcmp(request->method, "DELETE") == 0;
	life->now_ms += CALL_MS;
	cloud_response_init(&reply);
	cloud_handle(life->cloud, life->now_ms, &ask, &reply);
	note_request(life, request->method, target + 3, reply.status);
	answer->outcome = ENV_HTTP_ANSWERED;
	answer->retry_after_ms = answer->rate_limit = answer->rate_remaining = -1;
	if (is_lost(&reply.wire)) {
		answer->outcome = ENV_HTTP_LOST;
		snprintf(answer->error, sizeof(answer->error), "the connection was lost");
		if (reply.wire.ticket) {
			struct cloud_response late;

			cloud_response_init(&late);
			life->now_ms += request->timeout_ms;
			cloud_resume(life->cloud, life->now_ms, reply.wire.ticket, &late);
			cloud_response_fini(&late);
		}
	} else if (life->crash_after_effect && strcmp(request->method, "GET") != 0) {
		life->crash_after_effect = 0;
		life->crashed = 1;
	}
	if (answer->outcome == ENV_HTTP_ANSWERED) {
		answer->status = reply.status;
		answer->body = xcalloc(1, reply.body_len + 1);
		if (reply.body_len)
			memcpy(answer->body, reply.body, reply.body_len);
		answer->body_len = reply.body_len;
		text = cloud_response_header(&reply, "Content-Type");
		TEXT_SET(answer->content_type, text ? text : "");
		answer->rate_limit = header_int(&reply, "RateLimit-Limit");
		answer->rate_remaining = header_int(&reply, "RateLimit-Remaining");
		answer->rate_reset_s = header_int(&reply, "RateLimit-Reset");
		if (header_int(&reply, "Retry-After") >= 0)
			answer->retry_after_ms = header_int(&reply, "Retry-After") * 1000;
	}
	cloud_response_fini(&reply);
}

static void ledger_copy(const struct ledger *from, struct ledger *to)
{
	*to = *from;
	to->resources = xcalloc(from->resource_count + 1, sizeof(*to->resources));
	to->attempts = xcalloc(from->attempt_count + 1, sizeof(*to->attempts));
	if (from->resource_count)
		memcpy(to->resources, from->resources,
		       from->resource_count * sizeof(*to->resources));
	if (from->attempt_count)
		memcpy(to->attempts, from->attempts, from->attempt_count * sizeof(*to->attempts));
}

/* The tests write JSON with single quotes. */
static void requote(char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			*text = '"';
	}
}

/* ---- life ---------------------------------------------------------------------------- */

static const struct lessor_provider *plugin(void)
{
	static const struct lessor_provider *table;
	lessor_provider_entry entry;
	void *handle, *symbol;

	if (table)
		return table;
	handle = dlopen(HETZNER_SO, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!handle)
		fail_msg("%s", dlerror());
	symbol = dlsym(handle, LESSOR_PROVIDER_ENTRY);
	assert_non_null(symbol);
	memcpy(&entry, &symbol, sizeof(entry));
	table = entry();
	return table;
}

struct life *life_new(const char *const *options)
{
	struct life *life = xcalloc(1, sizeof(*life));
	struct cloud_config cloud;
	struct account_config config = { .name = "acc", .provider = "hetzner", .max_steps = 4,
					 .location_count = 1 };
	struct err err = { 0 };
	size_t count = 0;

	life->now_ms = 1795590000000;
	life->settle_ms = 60 * 1000;
	life->env = (struct env){ .data = life, .wall_ms = world_now, .mono_ms = world_now,
				  .random = world_random, .http = world_http };
	TEXT_SET(life->signer.instance, "test-broker");
	memset(life->signer.key, 7, sizeof(life->signer.key));
	cloud_config_init(&cloud);
	/* Thousands of short lives: nobody asks for the long memory. */
	cloud.requests_kept = cloud.history_kept = 256;
	life->cloud = cloud_new(&cloud);
	TEXT_SET(config.locations[0], "nbg1");
	TEXT_SET(config.image, "ubuntu-24.04");
	config.token = xstrdup("t");
	while (options && options[count * 2])
		count++;
	config.options = xcalloc(count + 1, sizeof(*config.options));
	config.option_count = count;
	for (size_t i = 0; i < count; i++) {
		config.options[i].key = xstrdup(options[i * 2]);
		config.options[i].value = xstrdup(options[i * 2 + 1]);
	}
	if (account_new(&life->env, plugin(), &config, &life->account, &err))
		fail_msg("%s", err.text);
	return life;
}

void life_free(struct life *life)
{
	assert_int_equal(life->violations, 0);
	account_free(life->account);
	cloud_free(life->cloud);
	ledger_fini(&life->book);
	ledger_fini(&life->mark);
	free(life->requests);
	free(life->prices);
	free(life);
}

static int split(const char *text, char (*ret)[32], int most)
{
	int count = 0;

	while (*text && count < most) {
		size_t len = strcspn(text, ",");

		snprintf(ret[count++], 32, "%.*s", (int)len, text);
		text += len + (text[len] == ',');
	}
	return count;
}

void life_begin(struct life *life, const char *types, const char *locations)
{
	struct lease *l = &life->lease;
	struct lease_outcome out = { 0 };
	int64_t n = l->n + 1;

	ledger_fini(&life->book);
	*l = (struct lease){ .n = n, .ttl_ms = 4 * 3600000, .idle_ms = 4 * 3600000 };
	snprintf(l->id, sizeof(l->id), "cbx_%012llx", (unsigned long long)n);
	snprintf(l->slug, sizeof(l->slug), "violet-prawn-%lld", (long long)n);
	TEXT_SET(l->account, "acc");
	TEXT_SET(l->owner, "alice@example.com");
	TEXT_SET(l->architecture, "x86");
	TEXT_SET(l->image, "ubuntu-24.04");
	TEXT_SET(l->public_key, "ssh-ed25519 "
		 "AAAAC3NzaC1lZDI1NTE5AAAAIJ5vJ6hUJ7Xh0Q0l0m9s8wZ1m3T2f4v5x6y7z8A9B0CD client");
	l->type_count = split(types, l->types, LEASE_TYPES_MAX);
	life->account->config.location_count =
		split(locations, life->account->config.locations, ACCOUNT_LOCATIONS_MAX);
	lease_begin(l, life->now_ms, 60 * 60 * 1000, &out);
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

static void take_results(struct life *life, struct step *step)
{
	life->verdict = step->verdict;
	life->error_class = step->error_class;
	TEXT_SET(life->reason, step->reason);
	life->violations += step->violation;
	free(life->prices);
	life->prices = step->prices;
	life->price_count = step->price_count;
	step->prices = NULL;
	life->listed = step->listed_count;
	if (getenv("LIFE_TRACE"))
		fprintf(stderr, "%lld %s verdict %d class %u wait %lld: %s\n",
			(long long)life->now_ms, step_op_name(step->op), step->verdict,
			step->error_class, (long long)step->wait_ms, step->reason);
}

static struct step *new_step(struct life *life, enum step_op op)
{
	struct step *step = step_new(op, life->account);

	step->deadline_ms = life->now_ms + 90000;
	step->commit = life_commit;
	step->commit_arg = life;
	TEXT_SET(step->instance, life->signer.instance);
	TEXT_SET(step->account_key, "ssh-ed25519 "
		 "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA mark");
	return step;
}

static void facts_of(const struct life *life, struct lease_facts *facts)
{
	*facts = (struct lease_facts){ .now_ms = life->now_ms };
	for (size_t i = 0; i < life->book.resource_count; i++) {
		const struct resource *r = &life->book.resources[i];

		if (!resource_is_residue(r))
			continue;
		facts->residue++;
		facts->unsure += r->state == LESSOR_STATE_INTENDED ||
				 r->state == LESSOR_STATE_UNKNOWN;
		facts->deleting += r->state == LESSOR_STATE_DELETING;
	}
}

static void apply(struct life *life, const struct lease_outcome *out)
{
	for (size_t i = 0; i < life->book.resource_count; i++) {
		struct resource *r = &life->book.resources[i];

		if (out->retain_rows && r->state == LESSOR_STATE_PRESENT && r->ours)
			r->state = LESSOR_STATE_RETAINED;
		if (out->unretain_rows && r->state == LESSOR_STATE_RETAINED)
			r->state = LESSOR_STATE_PRESENT;
	}
}

static void finish(struct life *life, struct step *step, enum lease_op op)
{
	struct lease_verdict v = {
		.op = op, .epoch = step->epoch, .verdict = step->verdict,
		.error_class = step->error_class, .wait_ms = step->wait_ms, .reason = step->reason,
		.cursor = step->cursor, .host = step->host, .server_id = step->server_id,
		.server_name = step->server_name, .server_type = step->server_type,
		.location = step->location,
	};
	struct lease_outcome out = { 0 };
	struct lease_facts facts;

	if (life->crashed) {
		/* Started again: the row is as it was, and due. */
		life->crashed = 0;
		return;
	}
	facts_of(life, &facts);
	lease_step_done(&life->lease, &v, &facts, &out);
	apply(life, &out);
}

int life_step(struct life *life)
{
	static const enum step_op ops[] = {
		[LEASE_OP_PROVISION] = STEP_PROVISION,
		[LEASE_OP_CLEANUP] = STEP_CLEANUP,
		[LEASE_OP_LOOK] = STEP_INSPECT,
	};
	struct lease *l = &life->lease;
	struct lease_outcome out = { 0 };
	struct lease_facts facts;
	struct step *step;
	enum lease_op op;

	if (!l->due_ms)
		return 0;
	if (l->due_ms > life->now_ms)
		life->now_ms = l->due_ms;
	facts_of(life, &facts);
	lease_tick(l, &facts, &out);
	facts_of(life, &facts);
	op = lease_next(l, &facts);
	if (op == LEASE_OP_NONE)
		return 0;
	step = new_step(life, ops[op]);
	step->lease = *l;
	step->epoch = l->epoch;
	step->user_data = xstrdup("#cloud-config\n");
	step->user_data_len = strlen(step->user_data);
	ledger_copy(&life->book, &step->ledger);
	step_run(step);
	if (!life->crashed)
		take_results(life, step);
	finish(life, step, op);
	step_free(step);
	return 1;
}

void life_run(struct life *life, int most)
{
	while (most-- > 0 && life->lease.state != LEASE_ACTIVE && life_step(life))
		;
}

void life_release(struct life *life, int delete_machine)
{
	struct lease_outcome out = { 0 };
	struct lease_facts facts;

	facts_of(life, &facts);
	lease_release(&life->lease, delete_machine, 0, &facts, &out);
	assert_null(out.refusal);
	apply(life, &out);
}

int life_account(struct life *life, enum step_op op, uint32_t kind)
{
	struct step *step = new_step(life, op);

	step->list_kind = kind;
	if (op == STEP_INSPECT) {
		step->lease = life->lease;
		ledger_copy(&life->book, &step->ledger);
	} else {
		ledger_copy(&life->mark, &step->ledger);
	}
	step_run(step);
	take_results(life, step);
	life->crashed = 0;
	step_free(step);
	for (size_t i = 0; i < life->mark.resource_count; i++) {
		if (life->mark.resources[i].state == LESSOR_STATE_PRESENT)
			account_set_sentinel(life->account, life->mark.resources[i].id);
	}
	return life->verdict;
}

/* ---- looking --------------------------------------------------------------------------- */

struct tally {
	enum cloud_kind kind;
	int count;
};

static void tally_object(void *arg, const struct cloud_object *object)
{
	struct tally *tally = arg;

	tally->count += object->kind == tally->kind && object->project == 0;
}

int life_count(struct life *life, enum cloud_kind kind)
{
	struct tally tally = { .kind = kind };

	cloud_advance(life->cloud, life->now_ms);
	cloud_visit_objects(life->cloud, tally_object, &tally);
	return tally.count;
}

const struct resource *life_row(const struct life *life, uint32_t kind)
{
	for (size_t i = 0; i < life->book.resource_count; i++) {
		const struct resource *r = &life->book.resources[i];

		if (r->kind == kind && r->state != LESSOR_STATE_GONE)
			return r;
	}
	return NULL;
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
