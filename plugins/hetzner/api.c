/* SPDX-License-Identifier: MIT */
#include "api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_SHOWN 160

void reply_clear(struct reply *reply)
{
	json_decref(reply->root);
	*reply = (struct reply){ 0 };
}

static int64_t delay_max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void reply_classify(struct lessor_call *call, const char *method, const char *path,
			   const struct lessor_http_response *response, struct reply *ret)
{
	const json_t *error = json_object_get(ret->root, "error");
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *message = json_string_value(json_object_get(error, "message"));

	if (response->outcome == LESSOR_HAPPENED) {
		if (response->status >= 200 && response->status < 300)
			return;
		ret->rule = error_rule(response->status, code ? code : "");
	} else {
		ret->rule = response->outcome == LESSOR_DID_NOT_HAPPEN ? error_rule_not_sent() :
								       error_rule_lost();
	}
	ret->message = message ? message : "";
	ret->error_class = response->outcome == LESSOR_DID_NOT_HAPPEN && response->error_class ?
			   response->error_class : ret->rule->error_class;
	ret->wait_ms = delay_max(ret->rule->wait_ms, response->wait_ms);
	/* "Not found" is an ordinary result, not logged as a failure. */
	if (ret->rule->on_get == GET_GONE && strcmp(method, "POST") != 0)
		return;
	if (response->outcome == LESSOR_HAPPENED)
		lessor_log(call, LESSOR_LOG_INFO, "%s %s: status %d, code '%.40s', '%.*s', "
			   "correlation id '%s'", method, path, (int)response->status,
			   code ? code : "", MESSAGE_SHOWN, ret->message, response->request_id);
	else
		lessor_log(call, LESSOR_LOG_INFO, "%s %s: no response: %s", method, path,
			   response->error);
}

static void request_send(struct lessor_call *call, const struct lessor_http_request *request,
			 struct reply *ret)
{
	struct lessor_http_response response = { .size = sizeof(response) };

	*ret = (struct reply){ 0 };
	if (lessor_http(call, request, &response)) {
		/* No outcome: the host refused the request. */
		response.outcome = LESSOR_DID_NOT_HAPPEN;
		response.error_class = LESSOR_CLASS_BUG;
		response.error = "the host refused the request";
	}
	ret->outcome = response.outcome;
	ret->status = (int)response.status;
	ret->age_ms = response.age_ms;
	if (response.outcome == LESSOR_HAPPENED && response.body_len) {
		ret->root = json_loadb(response.body, response.body_len, JSON_REJECT_DUPLICATES,
				       NULL);
		if (ret->root && !json_is_object(ret->root)) {
			json_decref(ret->root);
			ret->root = NULL;
		}
	}
	reply_classify(call, request->method, request->path, &response, ret);
}

void api_get(struct lessor_call *call, const char *path, int64_t share_ms, struct reply *ret)
{
	struct lessor_http_request request = {
		.size = sizeof(request),
		.method = "GET",
		.path = path,
		.share_ms = share_ms,
	};

	request_send(call, &request, ret);
}

static void send_body(struct lessor_call *call, const char *method, const char *path, json_t *body,
		      int64_t row, struct reply *ret)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct lessor_http_request request = {
		.size = sizeof(request),
		.method = method,
		.path = path,
		.body = text,
		.row = row,
	};

	json_decref(body);
	if (!text) {
		*ret = (struct reply){
			.rule = error_rule_not_sent(),
			.outcome = LESSOR_DID_NOT_HAPPEN,
			.message = "",
			.error_class = LESSOR_CLASS_BUG,
		};
		lessor_log(call, LESSOR_LOG_ERROR, "%s %s: the body is not valid JSON", method,
			   path);
		return;
	}
	request.body_len = strlen(text);
	request_send(call, &request, ret);
	free(text);
}

void api_post(struct lessor_call *call, const char *path, json_t *body, int64_t row,
	      struct reply *ret)
{
	send_body(call, "POST", path, body, row, ret);
}

void api_put(struct lessor_call *call, const char *path, json_t *body, int64_t row,
	     struct reply *ret)
{
	send_body(call, "PUT", path, body, row, ret);
}

void api_delete(struct lessor_call *call, const char *path, int64_t row, struct reply *ret)
{
	struct lessor_http_request request = {
		.size = sizeof(request),
		.method = "DELETE",
		.path = path,
		.row = row,
	};

	request_send(call, &request, ret);
}

/* Never shows the provider's message, only its status. */
static int verdict_fail(struct lessor_call *call, const struct reply *reply, int verdict,
			const char *doing)
{
	uint32_t error_class = reply->error_class;

	if (reply->outcome == LESSOR_HAPPENED && error_class == LESSOR_CLASS_AUTH)
		return call->host->fail(call, verdict, error_class, reply->wait_ms,
					"%s: the provider rejected the credential (status %d)",
					doing, reply->status);
	if (reply->outcome == LESSOR_HAPPENED)
		return call->host->fail(call, verdict, error_class, reply->wait_ms,
					"%s: the provider returned status %d", doing,
					reply->status);
	return call->host->fail(call, verdict, error_class, reply->wait_ms, "%s: %s", doing,
				reply->outcome == LESSOR_DID_NOT_HAPPEN ?
					"the request was not sent" :
					"the response was lost or invalid");
}

int api_retry(struct lessor_call *call, const struct reply *reply, const char *doing)
{
	return verdict_fail(call, reply, LESSOR_RETRY, doing);
}

int api_refuse(struct lessor_call *call, const struct reply *reply, const char *doing)
{
	return verdict_fail(call, reply, LESSOR_REFUSED, doing);
}

int api_nonsense(struct lessor_call *call, const char *doing)
{
	return lessor_retry(call, LESSOR_CLASS_PROVIDER, 0, "%s: the response was invalid", doing);
}

void api_encode(const char *text, char *ret, size_t room)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t len = 0;

	for (; *text && len + 4 <= room; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '-' || c == '.' || c == '_' || c == '~') {
			ret[len++] = (char)c;
		} else {
			ret[len++] = '%';
			ret[len++] = hex[c >> 4];
			ret[len++] = hex[c & 15];
		}
	}
	ret[len] = '\0';
}

void resource_path(const struct lessor_resource *row, char *ret, size_t room)
{
	const char *kind = row->kind == LESSOR_KIND_SERVER ? "servers" : "ssh_keys";

	snprintf(ret, room, "/%s/%s", kind, row->id);
}
