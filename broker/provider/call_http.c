/* SPDX-License-Identifier: MIT */
/*
 * A plugin's requests. The last place before the network where a request that
 * makes or destroys something can be stopped, and the only one that sees the
 * credential: a request goes out only to the account's own origin, only within
 * its budget, and only if the ledger holds the leave for what it does.
 */
#include "provider/call.h"

#include <stdio.h>
#include <string.h>

#include "provider/account_state.h"
#include "provider/url.h"
#include "util/alloc.h"
#include "util/defect.h"
#include "util/log.h"

#define BODY_MAX (1u << 20)
#define ANSWER_MAX (1u << 20)
/* Per operation, since all of them are readable until it ends. */
#define ANSWERS_MAX 1024
#define ANSWERS_BYTES_MAX (64u << 20)
#define READ_MS 30000
/* A create may take long at the provider, and cutting it short makes its outcome unknown. */
#define EFFECT_MS 60000

enum method { METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_DELETE };

struct ask {
	struct call *call;
	struct lessor_http_request req;
	enum method method;
	struct call_effect *effect;	/* NULL for a GET */
	char shown[200];		/* the path, for log lines */
	char url[URL_ORIGIN_MAX + URL_PATH_MAX];
};

static struct call *call_of(struct lessor_call *base)
{
	return (struct call *)(void *)base;
}

/* ---- may it be sent? ---- */

static int method_parse(const char *text, enum method *ret)
{
	static const char *const names[] = { "GET", "POST", "PUT", "DELETE" };

	for (size_t i = 0; text && i < ARRAY_LEN(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum method)i;
			return 0;
		}
	}
	return -1;
}

/* A delete: leave for this very row, got in this step, for this very id, not used yet. */
static int check_destroy(struct ask *ask, const char *what)
{
	struct call *call = ask->call;
	struct call_effect *effect = call_effect_find(call, ask->req.row);
	size_t len = 0;
	const char *last = url_path_last(ask->req.path, &len);

	if (!effect || !effect->permitted)
		return call_violation(call, "%s %s without a permit%s", what, ask->shown,
				      effect && effect->used ? ": it was used already" : "");
	if (!DEFECT(11) && (len != strlen(effect->id) || memcmp(last, effect->id, len) != 0))
		return call_violation(call, "%s %s with a permit for id %s", what, ask->shown,
				      effect->id);
	ask->effect = effect;
	return 0;
}

/* A create: an intent of this step, and no request for it before. */
static int check_make(struct ask *ask, const char *what)
{
	struct call *call = ask->call;
	struct call_effect *effect = call_effect_find(call, ask->req.row);
	const struct resource *row = ledger_find(&call->step->ledger, ask->req.row);

	if (!effect || !effect->intended)
		return call_violation(call, "%s %s without an intent of this step", what,
				      ask->shown);
	if (!row || row->state != LESSOR_STATE_INTENDED)
		return call_violation(call, "%s %s for a row that is %s", what, ask->shown,
				      row ? resource_state_name(row->state) : "not there");
	if (effect->sent)
		return call_violation(call, "%s %s: a request for this intent was sent already",
				      what,
				      ask->shown);
	ask->effect = effect;
	return 0;
}

static int ask_check(struct ask *ask)
{
	struct call *call = ask->call;
	const char *rule;

	if (method_parse(ask->req.method, &ask->method))
		return call_violation(call, "a request whose method is none of provider.h");
	rule = ask->req.path ? url_path_broken_rule(ask->req.path) : "is missing";
	if (rule)
		return call_violation(call, "a request whose path %s", rule);
	url_path_describe(ask->req.path, ask->shown, sizeof(ask->shown));
	if (call->opening)
		return call_violation(call, "%s %s inside open", ask->req.method, ask->shown);
	if (!call->account->state->origin[0])
		return call_violation(call, "%s %s by a provider that declares no http_auth",
				      ask->req.method, ask->shown);
	if (ask->req.body_len > BODY_MAX || (ask->req.body_len && !ask->req.body))
		return call_violation(call, "%s %s with a body that cannot be one", ask->req.method,
				      ask->shown);
	if (ask->req.flags & ~LESSOR_HTTP_DESTROYS)
		return call_violation(call, "%s %s with flags this host does not know",
				      ask->req.method, ask->shown);
	if (call->answer_count >= ANSWERS_MAX || call->answer_bytes >= ANSWERS_BYTES_MAX)
		return call_violation(call,
				      "more than %d requests or %u MiB of answers in one step",
				      ANSWERS_MAX, ANSWERS_BYTES_MAX >> 20);
	/* a GET may be shared, and sent again by libcurl: it is no way to destroy something */
	if (ask->method == METHOD_GET && ask->req.flags)
		return call_violation(call, "GET %s that destroys", ask->shown);
	if (ask->method == METHOD_DELETE || (ask->req.flags & LESSOR_HTTP_DESTROYS))
		return check_destroy(ask, ask->req.method);
	if (ask->method != METHOD_GET)
		return check_make(ask, ask->req.method);
	if (ask->req.body_len)
		return call_violation(call, "GET %s with a body", ask->shown);
	return 0;
}

/* ---- sending ---- */

static enum budget_class budget_class_of(const struct ask *ask)
{
	const struct step *step = ask->call->step;

	if (step->op == STEP_CLEANUP || ask->method == METHOD_DELETE)
		return BUDGET_DELETE;
	if (step->op == STEP_PROBE)
		return BUDGET_LOOKUP;
	if (ask->method != METHOD_GET)
		return BUDGET_CREATE;
	if (step->op != STEP_PROVISION && step->op != STEP_INSPECT)
		return BUDGET_SWEEP;
	for (size_t i = 0; i < step->ledger.resource_count; i++) {
		uint32_t state = step->ledger.resources[i].state;
		if (state == LESSOR_STATE_INTENDED || state == LESSOR_STATE_UNKNOWN)
			return BUDGET_LOOKUP;
	}
	return BUDGET_POLL;
}

static void answer_none(struct lessor_http_response *ret, struct call *call, uint32_t error_class,
			int64_t wait_ms, const char *error)
{
	ret->outcome = LESSOR_DID_NOT_HAPPEN;
	ret->error_class = error_class;
	ret->wait_ms = wait_ms;
	ret->error = call_dup(call, error);
}

static int out_of_time(void *arg)
{
	const struct call *call = arg;

	return atomic_load(&call->step->cancel) ||
	       env_wall_ms(call->account->env) >= call->step->deadline_ms;
}

/* The answer's body stays readable for the plugin until its operation ends. */
static void answer_hold(struct call *call, struct answer *answer)
{
	call->answers = call_grow(call->answers, call->answer_count, sizeof(*call->answers));
	call->answers[call->answer_count++] = answer;
	call->answer_bytes += answer->http.body_len;
}

static void answer_describe(struct lessor_http_response *ret, const struct answer *answer,
			    int64_t wait_ms, int64_t age_ms)
{
	const struct env_http_answer *http = &answer->http;

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
	ret->error = http->error[0] ? http->error : "no complete answer";
}

static void ask_log(const struct ask *ask, const struct env_http_answer *http, int64_t took_ms)
{
	char status[16], ms[24];

	if (!log_enabled(LOG_LEVEL_DEBUG))
		return;
	snprintf(status, sizeof(status), "%d", http->status);
	snprintf(ms, sizeof(ms), "%lld", (long long)took_ms);
	log_debug(LOG_FIELDS({ "account", ask->call->account->config.name },
			     { "lease", ask->call->step->lease.id }, { "status", status },
			     { "ms", ms }, { "request_id", http->request_id },
			     { "error", http->outcome == ENV_HTTP_ANSWERED ? "" : http->error }),
		  "%s %s", ask->req.method, ask->shown);
}

/* Sends it and fills `answer`; its leave is used up from here on. */
static int64_t ask_send(struct ask *ask, struct answer *answer)
{
	struct call *call = ask->call;
	struct account *account = call->account;
	struct env_http_answer *http = &answer->http;
	char authorization[1100] = "";
	struct env_http_request request = {
		.method = ask->req.method,
		.url = ask->url,
		.body = ask->req.body_len ? ask->req.body : NULL,
		.body_len = ask->req.body_len,
		.fresh = !DEFECT(4) && ask->method != METHOD_GET,	/* 4: a kept connection */
		.timeout_ms = ask->method == METHOD_GET ? READ_MS : EFFECT_MS,
		.max_answer = ANSWER_MAX,
		.cancel = (const volatile int *)(const void *)&call->step->cancel,
	};
	int64_t left_ms = call->step->deadline_ms - env_wall_ms(account->env);
	int64_t begun_ms = env_mono_ms(account->env);
	int64_t wait_ms;

	if (ask->method == METHOD_GET && left_ms < request.timeout_ms)
		request.timeout_ms = left_ms > 0 ? left_ms : 1;
	snprintf(ask->url, sizeof(ask->url), "%s%s", account->state->origin, ask->req.path);
	if (account->config.token) {
		snprintf(authorization, sizeof(authorization), "Bearer %s", account->config.token);
		request.authorization = authorization;
	}
	http->retry_after_ms = -1;
	http->rate_limit = -1;
	http->rate_remaining = -1;
	if (ask->effect) {
		ask->effect->sent = 1;
		ask->effect->doubtful = 1;
		ask->effect->used |= ask->effect->permitted;
		ask->effect->permitted = 0;
		call->effect_mono_ms = begun_ms;
		env_point(account->env, "http-before-effect");
	}
	account->env->http(account->env->data, &request, http);
	if (DEFECT(39))	/* the request as it was, in the log of its failure */
		log_warning(LOG_FIELDS({ "url", ask->url }), "%s failed: %s", ask->req.method,
			    authorization);
	explicit_bzero(authorization, sizeof(authorization));
	if (ask->effect) {
		env_point(account->env, "http-after-effect");
		/* a 4xx says no; everything else that was sent may have worked */
		ask->effect->doubtful = !(http->outcome == ENV_HTTP_NOT_SENT ||
					  (http->outcome == ENV_HTTP_ANSWERED &&
					   http->status >= 400 && http->status < 500));
		ask->effect->sent = http->outcome != ENV_HTTP_NOT_SENT;
	}
	call->step->calls++;
	wait_ms = account_count_answer(account, http);
	ask_log(ask, http, env_mono_ms(account->env) - begun_ms);
	return wait_ms;
}

static void ask_anew(struct ask *ask, struct lessor_http_response *ret, int lands)
{
	struct call *call = ask->call;
	struct share *share = call->account->state->share;
	int64_t wait_ms = account_take_call(call->account, budget_class_of(ask));

	if (wait_ms > 0) {
		if (lands)
			share_land(share, ask->req.path, NULL);
		answer_none(ret, call, LESSOR_CLASS_RATE, wait_ms,
			    "the account's budget of calls is used up for now");
		return;
	}
	struct answer *answer = answer_new(env_mono_ms(call->account->env));
	wait_ms = ask_send(ask, answer);
	answer_hold(call, answer);
	if (lands) {
		/* our own hurry is no answer for those who wait */
		int ours = answer->http.outcome != ENV_HTTP_ANSWERED && out_of_time(call);
		share_land(share, ask->req.path, ours ? NULL : answer);
	}
	answer_describe(ret, answer, wait_ms, 0);
}

static void ask_shared(struct ask *ask, struct lessor_http_response *ret)
{
	struct call *call = ask->call;
	int64_t now = env_mono_ms(call->account->env);
	int64_t oldest = ask->req.share_ms < now ? now - ask->req.share_ms : 0;
	struct answer *answer = NULL;

	/* after an effect of its own a step must not be told the world before it */
	if (oldest < call->effect_mono_ms)
		oldest = call->effect_mono_ms;
	switch (share_ask(call->account->state->share, ask->req.path, oldest, now, out_of_time,
			  call,
			  &answer)) {
	case SHARE_HIT:
		answer_hold(call, answer);
		account_count_shared(call->account);
		now = env_mono_ms(call->account->env);
		answer_describe(ret, answer, answer->http.retry_after_ms > 0 ?
				answer->http.retry_after_ms : 0,
				now > answer->asked_mono_ms ? now - answer->asked_mono_ms : 0);
		return;
	case SHARE_GAVE_UP:
		answer_none(ret, call, LESSOR_CLASS_TRANSIENT, 0,
			    "cancelled while another step was asking the same");
		return;
	case SHARE_LEAD:
		ask_anew(ask, ret, 1);
		return;
	case SHARE_ALONE:
		ask_anew(ask, ret, 0);
		return;
	}
}

static int host_http(struct lessor_call *base, const struct lessor_http_request *request,
		     struct lessor_http_response *response)
{
	struct call *call = call_of(base);
	struct ask ask = { .call = call };
	struct lessor_http_response ret = { .body = "", .content_type = "", .request_id = "",
					    .error = "" };

	if (!response || response->size < sizeof(*response))
		return call_violation(call, "http without the response's size");
	ret.size = response->size;
	if (!request || call_copy_in(&ask.req, sizeof(ask.req), request, request->size,
				     sizeof(ask.req))) {
		call_violation(call, "http without the request's size");
		answer_none(&ret, call, LESSOR_CLASS_BUG, 0, "the request has no size");
	} else if (ask_check(&ask)) {
		answer_none(&ret, call, LESSOR_CLASS_BUG, 0,
			    "the request breaks the contract and was not sent");
	} else if (atomic_load(&call->step->cancel)) {
		answer_none(&ret, call, LESSOR_CLASS_TRANSIENT, 0, "cancelled");
	} else if (out_of_time(call)) {
		answer_none(&ret, call, LESSOR_CLASS_TRANSIENT, 0, "the step's time is over");
	} else if (ask.method == METHOD_GET && ask.req.share_ms > 0) {
		ask_shared(&ask, &ret);
	} else {
		ask_anew(&ask, &ret, 0);
	}
	memcpy(response, &ret, sizeof(ret));
	return 0;
}

void call_http_fill(struct lessor_host *host)
{
	host->http = host_http;
}
