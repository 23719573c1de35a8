/* SPDX-License-Identifier: MIT */
#include "api/token_watch.h"

#include <string.h>

#include <event2/event.h>

#include "api/reply.h"
#include "api/request.h"
#include "util/hash.h"

#define CHECK_MS 500

int token_watch_check(struct token_watch *watch)
{
	struct auth *auth = watch->api->auth;

	if (auth_peek(auth, watch->authorization, &watch->caller))
		return 0;
	watch->on_end(watch, auth_refusal(auth, watch->authorization));
	return -1;
}

void token_watch_check_all(struct api *api)
{
	struct token_watch *watch, *next;

	for (watch = LIST_FIRST(&api->watches); watch; watch = next) {
		next = LIST_NEXT(watch, entry);
		token_watch_check(watch);
	}
}

/* A silent client must not go on receiving events. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	token_watch_check_all(arg);
}

/* Returns -1 if there is no memory. */
static int timer_start(struct api *api)
{
	static const struct timeval interval = { .tv_usec = CHECK_MS * 1000 };

	if (!api->watch_timer)
		api->watch_timer = event_new(api->parts.base, -1, EV_PERSIST, on_timer, api);
	if (!api->watch_timer)
		return -1;
	return event_pending(api->watch_timer, EV_TIMEOUT, NULL) ?
		       0 :
		       event_add(api->watch_timer, &interval);
}

static int has_too_many(const struct api_request *request)
{
	const struct api_config *config = &request->api->config;
	const struct token_watch *watch;
	int own = 0, all = 0;

	for (watch = LIST_FIRST(&request->api->watches); watch; watch = LIST_NEXT(watch, entry)) {
		all++;
		own += !strcmp(watch->caller.owner, request->caller.owner) &&
		       !strcmp(watch->caller.org, request->caller.org);
	}
	return all >= config->held_max || own >= config->held_owner_max;
}

int token_watch_begin(struct token_watch *watch, struct api_request *request,
		      void (*on_end)(struct token_watch *watch, const char *why))
{
	const char *authorization = http_head_known(request->head, HTTP_FIELD_AUTHORIZATION);
	struct api *api = request->api;

	if (has_too_many(request) || !authorization ||
	    strlen(authorization) >= sizeof(watch->authorization) || timer_start(api)) {
		http_reply_header(request->ex, "Retry-After", "30");
		reply_error(request, 503, "busy",
			    "Too many control sockets and event streams are open; try again in 30 s.");
		return -1;
	}
	memcpy(watch->authorization, authorization, strlen(authorization) + 1);
	watch->caller = request->caller;
	watch->on_end = on_end;
	watch->api = api;
	LIST_INSERT_HEAD(&api->watches, watch, entry);
	return 0;
}

void token_watch_end(struct token_watch *watch)
{
	struct api *api = watch->api;

	if (!api)
		return;
	LIST_REMOVE(watch, entry);
	watch->api = NULL;
	hash_wipe(watch->authorization, sizeof(watch->authorization));
	if (LIST_EMPTY(&api->watches))
		event_del(api->watch_timer);
}

void token_watch_stop(struct api *api)
{
	if (api->watch_timer)
		event_free(api->watch_timer);
	api->watch_timer = NULL;
}
