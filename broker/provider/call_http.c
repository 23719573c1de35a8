/* SPDX-License-Identifier: MIT */
/*
 * A plugin's requests. The last place before the network where a request that
 * makes or destroys something can be stopped, and the only one that sees the
 * credential: a request goes out only to the account's own origin, only within
 * its budget, only as one of the provider's declared actions, and with an effect
 * only for a row of this lease and under a live intent or permit.
 */
#include "provider/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "provider/account_state.h"
#include "provider/actions.h"
#include "provider/evidence.h"
#include "provider/url.h"
#include "util/alloc.h"
#include "util/log.h"

#define BODY_MAX (1u << 20)
#define ANSWER_MAX (1u << 20)
/* Per operation, since all of them are readable until it ends. */
#define ANSWERS_MAX 1024
#define ANSWERS_BYTES_MAX (64u << 20)
#define READ_MS 30000
/* A create may take long at the provider, and cutting it short makes its outcome unknown. */
#define EFFECT_MS 60000

struct ask {
	struct call *call;
	struct lessor_http_request req;
	struct lessor_action action;
	char id[CALL_ID_ROOM];		/* the path's {id}, "" if it has none */
	struct call_effect *effect;	/* NULL for what has no effect */
	char shown[200];		/* the path, for log lines */
	char url[URL_ORIGIN_MAX + URL_PATH_MAX];
};

/* ---- may it be sent? ---- */

static int refuse(struct ask *ask, const char *why)
{
	return call_violation(ask->call, "%s %s (%s): %s", ask->req.method, ask->shown,
			      ask->action.name, why);
}

static int has_id(const struct lessor_action *action)
{
	return strstr(action->path, ACTION_ID_PLACE) != NULL;
}

/* A delete: a permit of this step for this row that no request has used. */
static int check_destroy(struct ask *ask, const struct resource *row)
{
	if (!ask->effect || !ask->effect->permitted)
		return refuse(ask, ask->effect && ask->effect->destroyed ?
			      "its permit was used already" : "without a permit");
	/* What became of it is told already: by now the row may be somebody's to keep. */
	if (row->state != LESSOR_STATE_DELETE_AUTHORIZED)
		return refuse(ask, "its permit is over");
	return has_id(&ask->action) ? 0 : refuse(ask, "a delete that names no id");
}

/* A create: an intent of this step, and no request for it before. */
static int check_make(struct ask *ask, const struct resource *row)
{
	if (!ask->effect || !ask->effect->intended)
		return refuse(ask, "without an intent of this step");
	if (row->state != LESSOR_STATE_INTENDED)
		return refuse(ask, "for a row that is not intended any more");
	return ask->effect->made ? refuse(ask, "a request for this intent was sent already") : 0;
}

/*
 * A change: granted in this step; or of what this lease has made while it is brought up, where
 * several requests may belong to one row.
 */
static int check_change(struct ask *ask, const struct resource *row)
{
	uint32_t granted = ask->effect ? ask->effect->change : 0;

	if (!has_id(&ask->action))
		return refuse(ask, "a change that names no id");
	if (ask->action.effect == LESSOR_PROTECTS) {
		if (granted != LESSOR_CHANGE_PROTECT && granted != LESSOR_CHANGE_UNPROTECT)
			return refuse(ask, "without a permit to change its protection");
		if (ask->effect->protected)
			return refuse(ask, "its permit was used already");
		/* First the label: no older store may take what comes next for its own. */
		if (granted == LESSOR_CHANGE_UNPROTECT &&
		    evidence_outcome(ask->call, ask->effect->changed) != EFFECT_ACCEPTED)
			return refuse(ask, "its labels are not written yet");
		return 0;
	}
	if (granted == LESSOR_CHANGE_LABELS || granted == LESSOR_CHANGE_UNPROTECT)
		return ask->effect->changed ? refuse(ask, "its permit was used already") : 0;
	if (ask->call->step->op == STEP_PROVISION && row->state == LESSOR_STATE_PRESENT)
		return 0;
	return refuse(ask, "without a permit to change it");
}

/* What has an effect belongs to a row of this lease, which it made and whose id it names. */
static int check_effect(struct ask *ask)
{
	struct call *call = ask->call;
	const struct resource *row = ledger_find(&call->step->ledger, ask->req.row);

	if (!row || !row->ours)
		return refuse(ask, "for no row that this lease made");
	if (!action_is_about(&ask->action, row->kind))
		return refuse(ask, "for a row of another kind");
	if (has_id(&ask->action) && strcmp(ask->id, row->id) != 0)
		return refuse(ask, "for a row of another id");
	ask->effect = call_effect_need(call, row->n);
	if (!ask->effect)
		return refuse(ask, "more effects than one step may have");
	switch (ask->action.effect) {
	case LESSOR_DESTROYS:
		return check_destroy(ask, row);
	case LESSOR_MAKES:
		return check_make(ask, row);
	default:
		return check_change(ask, row);
	}
}

/* Is it a request at all, and one that the provider has declared? */
static int check_form(struct ask *ask)
{
	struct call *call = ask->call;
	const char *rule;

	if (!ask->req.method)
		return call_violation(call, "a request without a method");
	rule = ask->req.path ? url_path_broken_rule(ask->req.path) : "is missing";
	if (rule)
		return call_violation(call, "a request whose path %s", rule);
	url_path_describe(ask->req.path, ask->shown, sizeof(ask->shown));
	if (call->opening)
		return call_violation(call, "%s %s inside open", ask->req.method, ask->shown);
	if (call->look)
		return call_violation(call, "%s %s on the call of a lease inside observe",
				      ask->req.method, ask->shown);
	if (!call->account->state->origin[0])
		return call_violation(call, "%s %s by a provider that declares no http_auth",
				      ask->req.method, ask->shown);
	if (action_find(call->account->table, ask->req.method, ask->req.path, &ask->action, ask->id,
			sizeof(ask->id)))
		return call_violation(call, "%s %s is none of its declared actions",
				      ask->req.method, ask->shown);
	if (ask->req.body_len > BODY_MAX || (ask->req.body_len && !ask->req.body))
		return refuse(ask, "a body that cannot be one");
	if (ask->req.flags)
		return refuse(ask, "flags that this host does not know");
	if (call->answer_count >= ANSWERS_MAX || call->answer_bytes >= ANSWERS_BYTES_MAX)
		return call_violation(call,
				      "more than %d requests or %u MiB of answers in one step",
				      ANSWERS_MAX, ANSWERS_BYTES_MAX >> 20);
	return 0;
}

static int ask_check(struct ask *ask)
{
	if (check_form(ask))
		return -1;
	if (!action_is_harmless(&ask->action))
		return check_effect(ask);
	if (strcmp(ask->req.method, "GET") == 0 && ask->req.body_len)
		return refuse(ask, "a GET with a body");
	return 0;
}

/* ---- sending ---- */

static enum budget_class budget_class_of(const struct ask *ask)
{
	const struct step *step = ask->call->step;

	if (step->op == STEP_CLEANUP || ask->action.effect == LESSOR_DESTROYS)
		return BUDGET_DELETE;
	if (step->op == STEP_PROBE || step->op == STEP_RETAIN)
		return BUDGET_LOOKUP;
	if (ask->action.effect == LESSOR_MAKES)
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

/* Its number in the record is the next one; its permit is used up from here on. */
static void effect_begins(struct ask *ask)
{
	struct call_effect *effect = ask->effect;
	size_t number = ask->call->request_count + 1;

	switch (ask->action.effect) {
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

/* Sends it and fills `answer`. */
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
		.fresh = ask->effect != NULL,
		.timeout_ms = ask->effect ? EFFECT_MS : READ_MS,
		.max_answer = ANSWER_MAX,
		.cancel = (const volatile int *)(const void *)&call->step->cancel,
	};
	int64_t left_ms = call->step->deadline_ms - env_wall_ms(account->env);
	int64_t begun_ms = env_mono_ms(account->env);
	int64_t wait_ms;

	if (!ask->effect && left_ms < request.timeout_ms)
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
		effect_begins(ask);
		call->effect_mono_ms = begun_ms;
		env_point(account->env, "http-before-effect");
	}
	account->env->http(account->env->data, &request, http);
	explicit_bzero(authorization, sizeof(authorization));
	if (ask->effect)
		env_point(account->env, "http-after-effect");
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
	evidence_add(call, &ask->action, ask->id, ask->req.path, ret, lands);
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
		evidence_add(call, &ask->action, ask->id, ask->req.path, ret, 1);
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

/* Sends what was checked, if there is still time. */
static void ask(struct ask *ask, struct lessor_http_response *ret)
{
	struct call *call = ask->call;

	call_barrier(call);
	if (!call->begun_ms)
		call->begun_ms = env_wall_ms(call->account->env);
	if (atomic_load(&call->step->cancel))
		answer_none(ret, call, LESSOR_CLASS_TRANSIENT, 0, "cancelled");
	else if (out_of_time(call))
		answer_none(ret, call, LESSOR_CLASS_TRANSIENT, 0, "the step's time is over");
	else if (!ask->effect && ask->req.share_ms > 0)
		ask_shared(ask, ret);
	else
		ask_anew(ask, ret, 0);
}

static struct lessor_http_response response_none(void)
{
	return (struct lessor_http_response){ .body = "", .content_type = "", .request_id = "",
					      .error = "" };
}

static int host_http(struct lessor_call *base, const struct lessor_http_request *request,
		     struct lessor_http_response *response)
{
	struct call *call = call_of(base);
	struct ask asked = { .call = call };
	struct lessor_http_response ret = response_none();

	if (!response || response->size < sizeof(*response))
		return call_violation(call, "http without the response's size");
	ret.size = response->size;
	if (!request || call_copy_in(&asked.req, sizeof(asked.req), request, request->size,
				     sizeof(asked.req))) {
		call_violation(call, "http without the request's size");
		answer_none(&ret, call, LESSOR_CLASS_BUG, 0, "the request has no size");
	} else if (ask_check(&asked)) {
		answer_none(&ret, call, LESSOR_CLASS_BUG, 0,
			    "the request breaks the contract and was not sent");
	} else {
		ask(&asked, &ret);
	}
	memcpy(response, &ret, sizeof(ret));
	return 0;
}

/* ---- the sentinel ---- */

static int sentinel_action(const struct lessor_provider *table, struct lessor_action *ret)
{
	for (size_t i = 0; i < table->action_count; i++) {
		*ret = action_at(table, i);
		if (ret->effect == LESSOR_READS && ret->object_at && has_id(ret) &&
		    action_is_about(ret, LESSOR_KIND_SENTINEL))
			return 0;
	}
	return -1;
}

int call_read_sentinel(struct call *call, struct claim_evidence *evidence)
{
	struct resource row = { .n = -1, .kind = LESSOR_KIND_SENTINEL };
	struct ask asked = { .call = call };
	struct lessor_http_response ret = response_none();
	struct lessor_observed seen;
	char path[URL_PATH_MAX];
	const char *value;
	int is_last;

	/* Without one the account is assumed to be the one we know. */
	if (!call->account->table->probe || call_is_own_io(call))
		return 1;
	account_sentinel(call->account, row.id);
	if (!row.id[0] || sentinel_action(call->account->table, &asked.action) ||
	    action_path(&asked.action, row.id, path, sizeof(path)))
		return 0;
	asked.req = (struct lessor_http_request){ .method = asked.action.method, .path = path };
	memcpy(asked.id, row.id, sizeof(row.id));
	url_path_describe(path, asked.shown, sizeof(asked.shown));
	ask(&asked, &ret);
	/* If it was not sent, an older read of it proves nothing of what was read since. */
	if (evidence_exact(call, &row, &seen, &is_last) != 1 || !is_last)
		return 0;
	evidence->is_sentinel_read = 1;
	evidence->generation = observed_generation(&seen);
	value = observed_label(&seen, LESSOR_LABEL_HOLDER);
	snprintf(evidence->holder, sizeof(evidence->holder), "%s", value ? value : "");
	return 1;
}

void call_http_fill(struct lessor_host *host)
{
	host->http = host_http;
}
