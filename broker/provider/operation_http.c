/* SPDX-License-Identifier: MIT */
/*
 * A plugin's requests. This is the last place where a request that creates or destroys
 * something can be stopped, and the only one that sees the credential. A request goes only to
 * the account's own origin, within its budget, and as one of the provider's declared actions;
 * one with an effect must belong to a row of this lease and be covered by a live intent or
 * permit.
 */
#include "provider/operation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "provider/account_state.h"
#include "provider/actions.h"
#include "provider/evidence.h"
#include "provider/url.h"
#include "util/alloc.h"

#define BODY_MAX (1u << 20)
/* Per operation: its responses stay readable until it ends. */
#define RESPONSES_MAX 1024
#define RESPONSES_BYTES_MAX (64u << 20)
#define READ_MS 30000
/* A create may take long at the provider, and cutting it short leaves its outcome unknown. */
#define EFFECT_MS 60000

struct outgoing_request {
	struct operation *op;
	struct lessor_http_request http;
	struct lessor_action action;
	char id[OPERATION_ID_SIZE];	/* the path's {id}, "" if it has none */
	struct operation_effect *effect; /* NULL: the request has no effect */
	char shown[200];		 /* the path as logged */
	char url[URL_ORIGIN_MAX + URL_PATH_MAX];
	char shared[URL_PATH_MAX + 16]; /* what steps share: the path as read with this token */
};

/* ---- checks before sending ---- */

static int outgoing_refuse(struct outgoing_request *out, const char *why)
{
	return operation_violation(out->op, "%s %s (%s): %s", out->http.method, out->shown,
				   out->action.name, why);
}

/* A delete needs an unused permit of this step for this row. */
static int outgoing_check_delete(struct outgoing_request *out, const struct resource *row)
{
	if (!out->effect || !out->effect->permitted)
		return outgoing_refuse(out, out->effect && out->effect->destroyed ?
						    "its permit was already used" :
						    "without a permit");
	/* Its outcome was reported already, so the row may be retained by now. */
	if (row->state != LESSOR_STATE_DELETE_AUTHORIZED)
		return outgoing_refuse(out, "its permit has ended");
	return action_has_id(&out->action) ? 0 : outgoing_refuse(out, "a delete that names no id");
}

/* A create needs an intent of this step for which no request was sent. */
static int outgoing_check_create(struct outgoing_request *out, const struct resource *row)
{
	if (!out->effect || !out->effect->intended)
		return outgoing_refuse(out, "without an intent of this step");
	if (row->state != LESSOR_STATE_INTENDED)
		return outgoing_refuse(out, "for a row that is no longer intended");
	if (out->effect->made)
		return outgoing_refuse(out, "a request for this intent was already sent");
	return 0;
}

/*
 * A change needs a permit of this step, or must be of a resource that this lease created and
 * that is still being brought up; then several requests may belong to one row.
 */
static int outgoing_check_change(struct outgoing_request *out, const struct resource *row)
{
	uint32_t granted = out->effect ? out->effect->change : 0;

	if (!action_has_id(&out->action))
		return outgoing_refuse(out, "a change that names no id");
	if (out->action.effect == LESSOR_PROTECTS) {
		if (granted != LESSOR_CHANGE_PROTECT && granted != LESSOR_CHANGE_UNPROTECT)
			return outgoing_refuse(out,
					       "without a permit for a change of its protection");
		if (out->effect->protected)
			return outgoing_refuse(out, "its permit was already used");
		/*
		 * The label comes first, so that an older store cannot mistake what follows
		 * for its own.
		 */
		if (granted == LESSOR_CHANGE_UNPROTECT &&
		    evidence_outcome(out->op, out->effect->changed) != EFFECT_ACCEPTED)
			return outgoing_refuse(out, "its labels have not been written yet");
		return 0;
	}
	if (granted == LESSOR_CHANGE_LABELS || granted == LESSOR_CHANGE_UNPROTECT) {
		if (out->effect->changed)
			return outgoing_refuse(out, "its permit was already used");
		return 0;
	}
	if (out->op->step->op == STEP_PROVISION && row->state == LESSOR_STATE_PRESENT)
		return 0;
	return outgoing_refuse(out, "without a permit for a change");
}

/* A request with an effect must belong to a row that this lease created, and name that row's id. */
static int outgoing_check_effect(struct outgoing_request *out)
{
	struct operation *op = out->op;
	const struct resource *row = ledger_find(&op->step->ledger, out->http.row);

	if (!row || !row->ours)
		return outgoing_refuse(out, "for no row that this lease created");
	if (!action_is_about(&out->action, row->kind))
		return outgoing_refuse(out, "for a row of another kind");
	if (action_has_id(&out->action) && strcmp(out->id, row->id) != 0)
		return outgoing_refuse(out, "for a row of another id");
	out->effect = operation_effect_get(op, row->n);
	if (!out->effect)
		return outgoing_refuse(out, "too many effects in one step");
	switch (out->action.effect) {
	case LESSOR_DESTROYS:
		return outgoing_check_delete(out, row);
	case LESSOR_MAKES:
		return outgoing_check_create(out, row);
	default:
		return outgoing_check_change(out, row);
	}
}

/* Is it a well-formed request that the provider has declared? */
static int outgoing_check_form(struct outgoing_request *out)
{
	struct operation *op = out->op;
	const char *rule;

	if (!out->http.method)
		return operation_violation(op, "a request without a method");
	rule = out->http.path ? url_path_broken_rule(out->http.path) : "is missing";
	if (rule)
		return operation_violation(op, "a request whose path %s", rule);
	url_path_describe(out->http.path, out->shown, sizeof(out->shown));
	if (op->opening)
		return operation_violation(op, "%s %s inside open", out->http.method, out->shown);
	if (op->observer)
		return operation_violation(op,
					   "%s %s through the call object of a single lease in observe",
					   out->http.method, out->shown);
	if (!op->account->state->origin[0])
		return operation_violation(op, "%s %s by a provider that declares no http_auth",
					   out->http.method, out->shown);
	if (action_find(op->account->table, out->http.method, out->http.path, &out->action, out->id,
			sizeof(out->id)))
		return operation_violation(op, "%s %s is none of its declared actions",
					   out->http.method, out->shown);
	if (out->http.body_len > BODY_MAX || (out->http.body_len && !out->http.body))
		return outgoing_refuse(out, "an invalid body");
	if (out->http.flags)
		return outgoing_refuse(out, "unknown flags");
	if (op->response_count >= RESPONSES_MAX || op->response_bytes >= RESPONSES_BYTES_MAX)
		return operation_violation(op,
					   "more than %d requests or %u MiB of responses in one step",
					   RESPONSES_MAX, RESPONSES_BYTES_MAX >> 20);
	return 0;
}

static int outgoing_check(struct outgoing_request *out)
{
	if (outgoing_check_form(out))
		return -1;
	if (!action_is_harmless(&out->action))
		return outgoing_check_effect(out);
	if (strcmp(out->http.method, "GET") == 0 && out->http.body_len)
		return outgoing_refuse(out, "a GET with a body");
	return 0;
}

/* ---- sending ---- */

static enum budget_class outgoing_budget_class(const struct outgoing_request *out)
{
	const struct step *step = out->op->step;

	if (step->op == STEP_CLEANUP || out->action.effect == LESSOR_DESTROYS)
		return BUDGET_DELETE;
	/* The last look decides whether a delete follows, which takes more calls. */
	if (step->op == STEP_PROVISION && lease_is_late(&step->lease, step_now(step)))
		return BUDGET_DELETE;
	if (step->op == STEP_PROBE || step->op == STEP_RETAIN)
		return BUDGET_LOOKUP;
	if (out->action.effect == LESSOR_MAKES)
		return BUDGET_CREATE;
	if (step->op != STEP_PROVISION && step->op != STEP_INSPECT && step->op != STEP_OBSERVE)
		return BUDGET_SWEEP;
	for (size_t i = 0; i < step->ledger.resource_count; i++) {
		uint32_t state = step->ledger.resources[i].state;
		if (state == LESSOR_STATE_INTENDED || state == LESSOR_STATE_UNKNOWN)
			return BUDGET_LOOKUP;
	}
	return BUDGET_POLL;
}

static void response_set_not_sent(struct lessor_http_response *ret, struct operation *op,
				  uint32_t error_class, int64_t wait_ms, const char *error)
{
	ret->outcome = LESSOR_DID_NOT_HAPPEN;
	ret->error_class = error_class;
	ret->wait_ms = wait_ms;
	ret->error = operation_dup(op, error);
}

static int operation_is_out_of_time(void *arg)
{
	const struct operation *op = arg;

	return atomic_load(&op->step->cancel) || step_now(op->step) >= op->step->deadline_ms;
}

/* Keeps the response's body readable for the plugin until the operation ends. */
static void response_hold(struct operation *op, struct http_response *response)
{
	op->responses = xgrow(op->responses, op->response_count, sizeof(*op->responses));
	op->responses[op->response_count++] = response;
	op->response_bytes += response->http.body_len;
}

static void response_describe(struct lessor_http_response *ret, const struct http_response *response,
			      int64_t wait_ms, int64_t age_ms)
{
	const struct env_http_response *http = &response->http;

	ret->request_id = http->request_id;
	ret->wait_ms = wait_ms;
	ret->age_ms = age_ms;
	switch (http->outcome) {
	case ENV_HTTP_ANSWERED:
		ret->outcome = LESSOR_HAPPENED;
		ret->status = http->status;
		ret->body = http->body ? http->body : "";
		ret->body_len = http->body ? http->body_len : 0;
		ret->content_type = http->content_type;
		return;
	case ENV_HTTP_NOT_SENT:
		ret->outcome = LESSOR_DID_NOT_HAPPEN;
		ret->error_class = LESSOR_CLASS_TRANSIENT;
		break;
	case ENV_HTTP_BROKEN:
		ret->outcome = LESSOR_CONTRADICTORY;
		ret->error_class = LESSOR_CLASS_PROVIDER;
		break;
	case ENV_HTTP_LOST:
	default:
		ret->outcome = LESSOR_UNKNOWN;
		ret->error_class = LESSOR_CLASS_TRANSIENT;
		break;
	}
	ret->error = http->error[0] ? http->error : "no complete response";
}

static void outgoing_log(const struct outgoing_request *out, const struct env_http_response *http,
			 int64_t took_ms)
{
	char status[16], ms[24];

	if (!log_enabled(LOG_LEVEL_DEBUG))
		return;
	snprintf(status, sizeof(status), "%d", http->status);
	snprintf(ms, sizeof(ms), "%lld", (long long)took_ms);
	log_debug(LOG_FIELDS({ "account", out->op->account->config.name },
			     { "lease", out->op->step->lease.id }, { "status", status },
			     { "ms", ms }, { "request_id", http->request_id },
			     { "error", http->outcome == ENV_HTTP_ANSWERED ? "" : http->error }),
		  "%s %s", out->http.method, out->shown);
}

/* Assigns the next number of the record to the request, which uses up its permit. */
static void effect_begin(struct outgoing_request *out)
{
	struct operation_effect *effect = out->effect;
	size_t number = out->op->request_count + 1;

	switch (out->action.effect) {
	case LESSOR_DESTROYS:
		effect->destroyed = number;
		effect->permitted = 0;
		break;
	case LESSOR_MAKES:
		effect->made = number;
		break;
	case LESSOR_PROTECTS:
		effect->protected = number;
		break;
	default:
		effect->changed = number;
		break;
	}
	effect->last = number;
}

static size_t outgoing_max_response(const struct outgoing_request *out)
{
	size_t max = out->http.max_response;

	if (!max)
		max = out->action.effect == LESSOR_LISTS ? LESSOR_LIST_MAX : LESSOR_RESPONSE_MAX;
	return max < LESSOR_LIST_MAX ? max : LESSOR_LIST_MAX;
}

/*
 * How long the request may take. One with an effect ends with its intent or permit, and not with
 * the step: cutting it short leaves its outcome unknown.
 */
static int64_t outgoing_left_ms(const struct outgoing_request *out)
{
	const struct env *env = out->op->account->env;

	if (!out->effect)
		return out->op->step->deadline_ms - step_now(out->op->step);
	return out->effect->send_by_mono_ms ? out->effect->send_by_mono_ms - env_mono_ms(env) :
					      EFFECT_MS;
}

/* Sends the request and fills `response`. Returns how many ms to wait before the next one. */
static int64_t outgoing_send(struct outgoing_request *out, struct http_response *response)
{
	struct operation *op = out->op;
	struct account *account = op->account;
	struct env_http_response *http = &response->http;
	char authorization[1100] = "";
	struct ca *ca = account_ca(account);
	struct env_http_request request = {
		.method = out->http.method,
		.url = out->url,
		.body = out->http.body_len ? out->http.body : NULL,
		.body_len = out->http.body_len,
		.fresh = out->effect != NULL,
		.timeout_ms = out->effect ? EFFECT_MS : READ_MS,
		.send_by_mono_ms = out->effect ? out->effect->send_by_mono_ms : 0,
		.max_response = outgoing_max_response(out),
		.cancel = &op->step->cancel,
		.ca = ca,
	};
	int64_t left_ms = outgoing_left_ms(out);
	int64_t begun_ms = env_mono_ms(account->env);
	int64_t wait_ms;

	if (left_ms < request.timeout_ms)
		request.timeout_ms = left_ms > 0 ? left_ms : 1;
	snprintf(out->url, sizeof(out->url), "%s%s", account->state->origin, out->http.path);
	if (op->token) {
		snprintf(authorization, sizeof(authorization), "Bearer %s", op->token);
		request.authorization = authorization;
	}
	http->retry_after_ms = -1;
	http->rate_limit = -1;
	http->rate_remaining = -1;
	if (out->effect) {
		effect_begin(out);
		op->effect_mono_ms = begun_ms;
		env_point(account->env, "http-before-effect");
	}
	account->env->http(account->env->data, &request, http);
	explicit_bzero(authorization, sizeof(authorization));
	ca_unref(ca);
	if (out->effect)
		env_point(account->env, "http-after-effect");
	op->step->calls++;
	wait_ms = account_count_response(account, http);
	account_count_call(account, step_op_name(op->step->op), http,
			   env_mono_ms(account->env) - begun_ms);
	outgoing_log(out, http, env_mono_ms(account->env) - begun_ms);
	return wait_ms;
}

/* `leads`: other steps wait for the same response. */
static void outgoing_send_own(struct outgoing_request *out, struct lessor_http_response *ret,
			      int leads)
{
	struct operation *op = out->op;
	struct coalesce *coalesce = op->account->state->coalesce;
	int64_t wait_ms = account_reserve_request(op->account, outgoing_budget_class(out));

	if (wait_ms > 0) {
		if (leads)
			coalesce_finish(coalesce, out->shared, NULL);
		response_set_not_sent(ret, op, LESSOR_CLASS_RATE, wait_ms,
				      "the account's request budget is used up for now");
		return;
	}
	struct http_response *response = http_response_new(env_mono_ms(op->account->env));
	wait_ms = outgoing_send(out, response);
	response_hold(op, response);
	if (leads) {
		/* our own timeout is no result for the steps that wait */
		int ours = response->http.outcome != ENV_HTTP_ANSWERED &&
			   operation_is_out_of_time(op);
		coalesce_finish(coalesce, out->shared, ours ? NULL : response);
	}
	response_describe(ret, response, wait_ms, 0);
	evidence_add(op, &out->action, out->id, out->http.path, ret, leads);
}

static void outgoing_send_coalesced(struct outgoing_request *out, struct lessor_http_response *ret)
{
	struct operation *op = out->op;
	int64_t now = env_mono_ms(op->account->env);
	int64_t oldest = out->http.share_ms < now ? now - out->http.share_ms : 0;
	struct http_response *response = NULL;

	snprintf(out->shared, sizeof(out->shared), "%d %s", op->step->token_number, out->http.path);
	/* after an effect of its own, a step must not see an older response */
	if (oldest < op->effect_mono_ms)
		oldest = op->effect_mono_ms;
	switch (coalesce_get(op->account->state->coalesce, out->shared, oldest, now,
			     operation_is_out_of_time, op, &response)) {
	case COALESCE_HIT:
		response_hold(op, response);
		account_count_coalesced(op->account);
		now = env_mono_ms(op->account->env);
		response_describe(ret, response,
				  response->http.retry_after_ms > 0 ?
					  response->http.retry_after_ms :
					  0,
				  now > response->requested_mono_ms ?
					  now - response->requested_mono_ms :
					  0);
		evidence_add(op, &out->action, out->id, out->http.path, ret, 1);
		return;
	case COALESCE_GAVE_UP:
		response_set_not_sent(ret, op, LESSOR_CLASS_TRANSIENT, 0,
				      "cancelled while waiting for another step's response");
		return;
	case COALESCE_LEAD:
		outgoing_send_own(out, ret, 1);
		return;
	case COALESCE_ALONE:
		outgoing_send_own(out, ret, 0);
		return;
	}
}

/* Sends the checked request if there is still time. */
static void outgoing_run(struct outgoing_request *out, struct lessor_http_response *ret)
{
	struct operation *op = out->op;

	int is_moved = operation_barrier(op) != 0;

	if (!op->begun_ms)
		op->begun_ms = step_now(op->step);
	if (is_moved)
		response_set_not_sent(ret, op, LESSOR_CLASS_TRANSIENT, 0,
				      "the account has moved to another lessord");
	else if (atomic_load(&op->step->cancel))
		response_set_not_sent(ret, op, LESSOR_CLASS_TRANSIENT, 0, "cancelled");
	else if (operation_is_out_of_time(op))
		response_set_not_sent(ret, op, LESSOR_CLASS_TRANSIENT, 0,
				      "the step's deadline has passed");
	else if (out->effect && outgoing_left_ms(out) <= 0)
		response_set_not_sent(ret, op, LESSOR_CLASS_TRANSIENT, 0,
				      "the time of its intent or permit is over");
	else if (!out->effect && out->http.share_ms > 0)
		outgoing_send_coalesced(out, ret);
	else
		outgoing_send_own(out, ret, 0);
}

static struct lessor_http_response response_empty(void)
{
	return (struct lessor_http_response){ .body = "", .content_type = "", .request_id = "",
					      .error = "" };
}

static int host_http(struct lessor_call *base, const struct lessor_http_request *request,
		     struct lessor_http_response *response)
{
	struct operation *op = operation_of(base);
	struct outgoing_request out = { .op = op };
	struct lessor_http_response ret = response_empty();

	if (!response || response->size < sizeof(*response))
		return operation_violation(op, "http without the response's size");
	ret.size = response->size;
	if (!request || plugin_copy_in(&out.http, sizeof(out.http), request, request->size,
				       sizeof(out.http))) {
		operation_violation(op, "http without the request's size");
		response_set_not_sent(&ret, op, LESSOR_CLASS_BUG, 0, "the request has no size");
	} else if (outgoing_check(&out)) {
		response_set_not_sent(&ret, op, LESSOR_CLASS_BUG, 0,
				      "the request violates the plugin contract and was not sent");
	} else {
		outgoing_run(&out, &ret);
	}
	memcpy(response, &ret, sizeof(ret));
	return 0;
}

void operation_get(struct operation *op, const struct lessor_action *action, const char *id,
		   const char *path)
{
	struct outgoing_request out = { .op = op, .action = *action };
	struct lessor_http_response ret = response_empty();

	out.http = (struct lessor_http_request){ .method = action->method, .path = path };
	snprintf(out.id, sizeof(out.id), "%s", id);
	url_path_describe(path, out.shown, sizeof(out.shown));
	outgoing_run(&out, &ret);
}

void operation_http_fill(struct lessor_host *host)
{
	host->http = host_http;
}
