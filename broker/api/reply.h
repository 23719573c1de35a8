/* SPDX-License-Identifier: MIT */
/* Answers to requests. Every function except the first two ends its request. Loop thread. */
#pragma once

#include "api/request.h"

#define REPLY_MAX (8u << 20) /* bytes of one answer */

/* Counts an answer that the HTTP room sends. `route` NULL: no such route. Ends nothing. */
void reply_count(struct api *api, const struct route *route, int status);
/* Starts an answer in api->out, which is emptied. */
struct jsonw reply_begin(struct api_request *request);
/* The epoch of the lease that the answer shows, as its ETag. */
void reply_epoch(struct api_request *request, int64_t epoch);
/* Sends api->out as JSON. */
void reply_json(struct api_request *request, int status);
void reply_text(struct api_request *request, int status, const char *type, const char *body,
		size_t len);
/* Sends the head of an answer that is then streamed (http/exchange.h). */
void reply_stream(struct api_request *request, const char *type, http_drain_fn on_drain, void *arg);
/* Sends request->error. */
void reply_request_error(struct api_request *request);
void reply_error(struct api_request *request, int status, const char *code, const char *message);
/* 503: too many requests wait. */
void reply_busy(struct api_request *request);
/* The same 404 for what does not exist and for what the caller may not see. */
void reply_not_found(struct api_request *request);
/* The store could not be read: counts it, logs the first of a series, and answers 503. */
void reply_store_error(struct api_request *request, const struct err *err);
