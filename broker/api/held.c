/* SPDX-License-Identifier: MIT */
#include "api/held.h"

#include <event2/event.h>
#include <string.h>

#include "api/reply.h"
#include "util/bug.h"
#include "util/hash.h"

/* With the second for which auth_peek trusts what it has loaded: less than 2 s. */
#define TOKEN_CHECK_MS 500

int held_check(struct held *held)
{
	if (auth_peek(held->api->auth, held->authorization, &held->caller))
		return 0;
	held->on_refused(held, auth_refusal(held->api->auth, held->authorization));
	return -1;
}

/* A silent client must not go on receiving events. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct api *api = arg;
	struct held *held, *next;

	(void)fd;
	(void)what;
	for (held = LIST_FIRST(&api->held); held; held = next) {
		next = LIST_NEXT(held, entry);
		held_check(held);
	}
}

/* Returns -1 if there is no memory. */
static int timer_start(struct api *api)
{
	static const struct timeval interval = { .tv_usec = TOKEN_CHECK_MS * 1000 };

	if (!api->held_timer)
		api->held_timer = event_new(api->parts.base, -1, EV_PERSIST, on_timer, api);
	if (!api->held_timer)
		return -1;
	return event_pending(api->held_timer, EV_TIMEOUT, NULL) ?
		       0 :
		       event_add(api->held_timer, &interval);
}

static int has_too_many(const struct api_request *request)
{
	const struct api_config *config = &request->api->config;
	const struct held *held;
	size_t own = 0;

	for (held = LIST_FIRST(&request->api->held); held; held = LIST_NEXT(held, entry))
		own += !strcmp(held->caller.owner, request->caller.owner) &&
		       !strcmp(held->caller.org, request->caller.org);
	return request->api->held_count >= (size_t)config->held_max ||
	       own >= (size_t)config->held_owner_max;
}

int held_begin(struct held *held, struct api_request *request,
	       void (*on_refused)(struct held *held, const char *why))
{
	const char *authorization = http_head_known(request->head, HTTP_FIELD_AUTHORIZATION);
	struct api *api = request->api;

	if (has_too_many(request) || strlen(authorization) >= HELD_AUTHORIZATION_SIZE ||
	    timer_start(api)) {
		http_reply_header(request->ex, "Retry-After", "30");
		reply_error(request, 503, "busy",
			    "Too many control sockets and event streams are open; try again in 30 s.");
		return -1;
	}
	*held = (struct held){ .api = api, .caller = request->caller, .on_refused = on_refused };
	memcpy(held->authorization, authorization, strlen(authorization) + 1);
	LIST_INSERT_HEAD(&api->held, held, entry);
	api->held_count++;
	return 0;
}

void held_end(struct held *held)
{
	LIST_REMOVE(held, entry);
	if (--held->api->held_count == 0)
		event_del(held->api->held_timer);
	hash_wipe(held->authorization, sizeof(held->authorization));
}

void held_stop(struct api *api)
{
	BUG_ON(api->held_count);
	if (api->held_timer)
		event_free(api->held_timer);
	api->held_timer = NULL;
}
