/* SPDX-License-Identifier: MIT */
/*
 * The life of a request: identify the client, plan faults, execute it, build the response,
 * record it.
 */
#include "sim/cloud.h"

#include <string.h>

#include "sim/call.h"
#include "sim/held.h"
#include "util/alloc.h"

/* One token of the bucket, in units that refill at `rate_per_hour` per millisecond. */
#define BUCKET_UNIT 3600000LL

static struct bucket *bucket_fill(struct call *call)
{
	struct bucket *b = &call->cloud->buckets[call->project];
	int64_t rate = call->cloud->config.rate_per_hour;
	int64_t full = rate * BUCKET_UNIT;
	int64_t passed = call->now_ms - b->at_ms;

	if (b->at_ms < 0 || passed > 2 * BUCKET_UNIT)
		b->level = full;
	else
		b->level += passed * rate;
	if (b->level > full)
		b->level = full;
	b->at_ms = call->now_ms;
	return b;
}

/* Takes a token for this request; 0: none left. */
static int bucket_take(struct call *call)
{
	struct bucket *b = bucket_fill(call);

	if (b->level >= BUCKET_UNIT) {
		b->level -= BUCKET_UNIT;
		return 1;
	}
	return !call->cloud->config.rate_on;
}

static void add_number(struct call *call, const char *name, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	cloud_response_add_header(call->response, name, text);
}

/* Reset is the time when the bucket will be full, not when the next request is allowed. */
static void add_rate_headers(struct call *call)
{
	const struct cloud_config *config = &call->cloud->config;
	const struct bucket *b = bucket_fill(call);
	int64_t missing = config->rate_per_hour * BUCKET_UNIT - b->level;
	int64_t wait_ms = config->rate_per_hour ? missing / config->rate_per_hour : BUCKET_UNIT;

	add_number(call, "RateLimit-Limit", config->rate_per_hour);
	add_number(call, "RateLimit-Remaining", b->level / BUCKET_UNIT);
	add_number(call, "RateLimit-Reset",
		(call->now_ms + config->skew_ms + wait_ms + 999) / 1000);
	call->rate_said = 1;
}

static void refuse_rate(struct call *call)
{
	char text[96];

	snprintf(text, sizeof(text), "limit of %lld requests per hour reached",
		(long long)call->cloud->config.rate_per_hour);
	reply_error(call, 429, "rate_limit_exceeded", text, "null");
	call->gateway = 1;
	cloud_response_add_header(call->response, "Content-Type", "application/json");
	add_rate_headers(call);
}

static void find_token(struct call *call)
{
	const char *header = call->request->authorization;

	if (header && !strncasecmp(header, "Bearer ", 7))
		call->token = world_token(call->cloud, header + 7);
	call->project = call->token ? call->token->project : 0;
}

/* Fault: the token opens another project. */
static void move_project(struct call *call)
{
	const json_t *other = plan_find(&call->plan, FAULT_OTHER_PROJECT);

	if (other)
		call->project = (int)(args_int(other, "project", 1) & (PROJECTS_MAX - 1));
}

static double draw_number(void *arg)
{
	return (double)(world_random(arg) % 1000000) / 1000000;
}

static void make_plan(struct call *call)
{
	struct fault_subject subject = {
		.op = call->op,
		.method = call->request->method,
		.path = call->query.path,
		.server_type = call->type ? call->type->name : "",
		.location = call->location ? call->location->name : "",
		.name = call->name,
		.lease = call->lease,
		.token = call_who(call),
		.reused = call->request->reused,
		.now_ms = call->now_ms,
	};

	rules_match(call->cloud->rules, &subject, draw_number, call->cloud, &call->plan);
	move_project(call);
}

/* Whether the execution of the request is delayed. */
static int is_held(struct call *call, struct cloud_wire *wire)
{
	const json_t *slow = plan_find(&call->plan, FAULT_SLOW);
	const json_t *hold = plan_find(&call->plan, FAULT_HOLD);
	const json_t *kill = plan_find(&call->plan, FAULT_SIGNAL);
	int signalled = kill && !strcmp(args_str(kill, "at", "before"), "before");

	if (!slow && !hold && !signalled)
		return 0;
	if (signalled) {
		wire->signal_pid = args_int(kill, "pid", call->cloud->config.signal_pid);
		wire->signal_number = (int)args_int(kill, "signal", 9);
	}
	wire->hold_ms = hold ? -1 : slow ? args_int(slow, "ms", 1000) : 0;
	wire->ticket = held_put(call);
	return 1;
}

static void refuse_write(struct call *call)
{
	if (call->cloud->config.readonly_401)
		reply_error(call, 401, "token_readonly", "token is only allowed to read", NULL);
	else
		reply_error(call, 403, "forbidden", "insufficient permissions", NULL);
}

static void authorize_call(struct call *call)
{
	if (!call->token)
		reply_error(call, 401, "unauthorized", "unable to authenticate", NULL);
	else if (call->token->readonly && strcmp(call->request->method, "GET"))
		refuse_write(call);
	else if (call->request->body_len && !call->body && strcmp(call->request->method, "GET"))
		reply_error(call, 422, "json_error", "syntax error", "{}");
	else
		call->handler(call);
}

/* The connection is closed or goes silent before the request is executed. */
static int is_cut_off(const struct call *call)
{
	const json_t *hang = plan_find(&call->plan, FAULT_HANG);
	const json_t *stale = plan_find(&call->plan, FAULT_STALE);

	return call_has(call, FAULT_CLOSE) || (hang && !args_true(hang, "effect", 1))
		|| (stale && !args_true(stale, "effect", 1));
}

static void add_headers(struct call *call)
{
	char id[40];

	if (call->gateway)
		return;
	if (call->out.len)
		cloud_response_add_header(call->response, "Content-Type", "application/json");
	snprintf(id, sizeof(id), "%016llx%016llx", (unsigned long long)world_random(call->cloud),
		 (unsigned long long)(call->number * 0x9e3779b97f4a7c15ULL));
	cloud_response_add_header(call->response, "X-Correlation-Id", id);
	if (!call->rate_said)
		add_rate_headers(call);
}

static void execute_call(struct call *call, int allowed)
{
	const struct plan_item *answer = plan_find_answer(&call->plan);
	int effect = !answer || args_true(answer->args, "effect", 0);

	if (!is_cut_off(call)) {
		if (effect && !allowed)
			refuse_rate(call);
		else if (effect)
			authorize_call(call);
		if (answer && (allowed || !effect))
			answer_fault(call, answer);
	}
	add_headers(call);
	lie_about(call);
	answer_wire(call);
	call->response->body_len = call->out.len;
	call->response->body = buf_take(&call->out);
}

static void record_call(struct call *call)
{
	struct counts_request record = {
		.number = call->number,
		.at_ms = call->now_ms,
		.method = call->request->method,
		.target = call->request->target,
		.token = call_who(call),
		.lease = call->lease,
		.body = call->request->body,
		.op = call->op,
		.status = call->response->status,
		.reused = call->request->reused,
		.effect = call->effect,
	};

	counts_request(call->cloud->counts, &record);
}

void cloud_handle(struct cloud *cloud, int64_t now_ms, const struct cloud_request *request,
	struct cloud_response *ret_response)
{
	struct call call = { .cloud = cloud, .request = request, .response = ret_response };
	int allowed;

	cloud_advance(cloud, now_ms);
	call.now_ms = cloud->now_ms;
	if (!strncmp(request->target, "/_sim", 5)) {
		admin_handle(cloud, cloud->now_ms, request, ret_response);
		return;
	}
	call.number = ++cloud->requests;
	call_parse(&call);
	find_token(&call);
	call_study(&call);
	counts_call(cloud->counts, call.op, call.lease, call.name);
	make_plan(&call);
	allowed = bucket_take(&call);
	if (!allowed || !is_held(&call, &ret_response->wire)) {
		execute_call(&call, allowed);
		record_call(&call);
	}
	call_clear(&call);
}

int cloud_resume(struct cloud *cloud, int64_t now_ms, uint64_t ticket,
	struct cloud_response *ret_response)
{
	struct held *held = held_take(cloud, ticket);
	struct call call = { .cloud = cloud, .response = ret_response };

	cloud_advance(cloud, now_ms);
	if (!held)
		return -1;
	call.now_ms = cloud->now_ms;
	call.request = &held->request;
	call.number = held->number;
	call_parse(&call);
	find_token(&call);
	memcpy(call.name, held->name, sizeof(call.name));
	memcpy(call.lease, held->lease, sizeof(call.lease));
	call.plan = held->plan;
	held->plan = (struct plan){ 0 };
	move_project(&call);
	execute_call(&call, 1);
	record_call(&call);
	call_clear(&call);
	held_free(held);
	return 0;
}
