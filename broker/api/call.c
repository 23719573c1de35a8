/* SPDX-License-Identifier: MIT */
#include "api/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/grammar.h"
#include "util/log.h"

static void call_count(struct call *call, int status)
{
	size_t row = call->route ? (size_t)(call->route - route_table) : route_count;

	call->api->answers[row][status / 100 % 6]++;
}

struct jsonw call_begin(struct call *call)
{
	struct jsonw w;

	buf_clear(&call->api->out);
	jsonw_init(&w, &call->api->out);
	return w;
}

void call_answer_text(struct call *call, int status, const char *type, const char *body,
		      size_t len)
{
	call_count(call, status);
	http_reply(call->ex, status, type, body, len);
}

void call_stream(struct call *call, const char *type, http_drain_fn on_drain, void *arg)
{
	call_count(call, 200);
	http_stream_begin(call->ex, 200, type, on_drain, arg);
}

void call_answer(struct call *call, int status)
{
	struct buf *out = &call->api->out;

	if (out->overflow) {
		log_error(NULL, "an answer was larger than %u bytes; 500 was sent instead",
			  API_ANSWER_MAX);
		call_error(call, 500, "answer_too_large", "The answer is too large.");
		return;
	}
	call_answer_text(call, status, "application/json", buf_str(out), out->len);
	/* One long list must not be remembered for ever. */
	if (out->room > (1u << 20))
		buf_fini(out);
}

void call_error(struct call *call, int status, const char *code, const char *message)
{
	call_count(call, status);
	http_reply_error(call->ex, status, code, message);
}

void call_fault(struct call *call)
{
	call_error(call, call->fault.status, call->fault.code, call->fault.message);
}

void call_not_found(struct call *call)
{
	static const char body[] = "{\"error\":\"not_found\"}";

	call_answer_text(call, 404, "application/json", body, sizeof(body) - 1);
}

void call_broken(struct call *call, const struct err *err)
{
	log_error(LOG_FIELDS({ "request", http_exchange_id(call->ex) }, { "error", err->text }),
		  "a read of the store failed; 503 was answered");
	http_reply_header(call->ex, "Retry-After", "1");
	call_error(call, 503, "store_unavailable", "The store cannot be read just now.");
}

int64_t call_now(const struct call *call)
{
	return env_wall_ms(call->api->parts.env);
}

struct store_scope call_scope(const struct call *call)
{
	struct store_scope scope = { .owner = call->caller.owner, .org = call->caller.org };

	if (call->caller.role == TOKEN_ADMIN)
		scope.all = 1;
	else if (call->caller.role == TOKEN_READER)
		scope.owner = NULL;
	return scope;
}

struct engine_request *call_request(struct call *call, enum request_kind kind)
{
	struct api *api = call->api;
	struct engine_request *request = queue_request(api->queue, call, kind,
						       (size_t)api->config.pending_max);

	if (!request) {
		http_reply_header(call->ex, "Retry-After", "1");
		call_error(call, 503, "busy", "Too many requests are waiting.");
	}
	return request;
}

struct run_request *call_run_request(struct call *call, enum run_op op)
{
	struct api *api = call->api;
	struct run_request *request = run_queue_request(api->run_queue, call, op,
							(size_t)api->config.pending_max);

	if (!request) {
		http_reply_header(call->ex, "Retry-After", "1");
		call_error(call, 503, "busy", "Too many requests are waiting.");
	}
	return request;
}

struct account *call_account(const struct api *api, const char *name)
{
	for (size_t i = 0; i < api->parts.account_count; i++) {
		if (!strcmp(api->parts.accounts[i]->config.name, name))
			return api->parts.accounts[i];
	}
	return NULL;
}

int call_is_unsure(const struct api *api, const struct lease *l)
{
	const struct account *account = call_account(api, l->account);

	return !account || account_is_fenced(account) || !account_is_verified(account, INT64_MAX);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return (c | 32) - 'a' + 10;
}

/* The parser has checked that every "%" has two hex digits and hides no control character. */
static int decode(const char *text, size_t len, char *out, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (n + 1 >= room)
			return -1;
		if (text[i] == '%' && i + 2 < len) {
			out[n++] = (char)(hex_value(text[i + 1]) << 4 | hex_value(text[i + 2]));
			i += 2;
		} else {
			out[n++] = text[i] == '+' ? ' ' : text[i];
		}
	}
	out[n] = '\0';
	return 0;
}

int call_query(struct call *call, const char *key, char *out, size_t room)
{
	const char *at = call->head->query;
	size_t key_len = strlen(key);

	while (at && *at) {
		size_t len = strcspn(at, "&");

		if (len > key_len + 1 && !memcmp(at, key, key_len) && at[key_len] == '=') {
			if (decode(at + key_len + 1, len - key_len - 1, out, room) == 0)
				return 1;
			return fault_set(&call->fault, 400, "invalid_query",
					 "the query value of %s is too long", key);
		}
		at += len;
		at += *at == '&';
	}
	return 0;
}

int call_query_int(struct call *call, const char *key, int64_t low, int64_t high, int64_t *ret)
{
	char text[24];
	int rc = call_query(call, key, text, sizeof(text));
	int64_t value;

	if (rc <= 0)
		return rc;
	if (!grammar_is_number(text))
		return fault_set(&call->fault, 400, "invalid_query",
				 "the query value of %s must be a whole number", key);
	value = strtoll(text, NULL, 10);
	*ret = value < low ? low : value > high ? high : value;
	return 1;
}

int64_t call_wait_ms(const struct call *call, int64_t preset, int *ret_asked)
{
	const char *at = http_head_find(call->head, "prefer");
	int64_t wait = preset;
	int asked = 0;

	while (at && *at) {
		at += strspn(at, " \t,;");
		if (!strncasecmp(at, "wait=", 5) && at[5] >= '0' && at[5] <= '9') {
			wait = strtoll(at + 5, NULL, 10);
			wait = wait > 86400 ? 86400000 : wait * 1000;
			asked = 1;
		} else if (!strncasecmp(at, "respond-async", 13)) {
			wait = 0;
		}
		at += strcspn(at, ",;");
	}
	if (ret_asked)
		*ret_asked = asked;
	return wait < call->api->config.wait_max_ms ? wait : call->api->config.wait_max_ms;
}
