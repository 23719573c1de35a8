/* SPDX-License-Identifier: MIT */
#include "api/relay.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "api/peer.h"
#include "api/query.h"
#include "api/relay_posts.h"
#include "api/relay_target.h"
#include "api/reply.h"
#include "api/request.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

/* How often waiting requests look for an owner. */
#define TICK_MS 50
/* The pause before a request is sent again to the same owner. */
#define PAUSE_MS 200
/* An attempt that failed counts at most this much of the time that a request may wait. */
#define ATTEMPT_MS 1500
/* How much longer than the client wants to wait the owner may take. */
#define ANSWER_MS 10000
#define CONNECTIONS_QUICK 48L
#define CONNECTIONS_END 80L
#define CONNECTIONS_CREATE (RELAY_CONNECTIONS - CONNECTIONS_QUICK - CONNECTIONS_END)
/* Of these one peer gets so many at most. */
#define PER_PEER(connections) ((connections)*3 / 4)
#define WINDOWS 64

static const long connections[LANE_COUNT] = {
	[LANE_QUICK] = CONNECTIONS_QUICK,
	[LANE_END] = CONNECTIONS_END,
	[LANE_CREATE] = CONNECTIONS_CREATE,
};

struct relayed {
	struct relay *relay;
	struct api_request request;
	struct relay_target target;
	struct peer_call *call;		/* NULL: it waits */
	char daemon[FORWARDED_ID_SIZE]; /* to whom it was sent last; "": to nobody */
	int64_t since_ms;		/* since when it waits, or the call is under way */
	int64_t unowned_ms; /* `call`: since when nobody owns the account; 0: it is owned */
	int64_t left_ms;    /* of the time that it may wait */
	int64_t again_ms;   /* not before; 0: at once */
	TAILQ_ENTRY(relayed) entry;
};

struct relay {
	const struct env *env;
	struct event *timer;
	struct relay_config config;
	struct peer_client *clients[LANE_COUNT];
	struct relay_homes *homes;
	void (*serve)(struct api_request *request);
	struct forwarded_sender sender;
	size_t count;
	TAILQ_HEAD(, relayed) requests; /* in the order of arrival */
	struct relay_posts *posts;
	struct relay_counters counters;
	struct forwarded_window windows[WINDOWS];
};

static int64_t relay_now(const struct relay *relay)
{
	return env_mono_ms(relay->env);
}

/* ---- requests of other daemons --------------------------------------------------------------- */

/* The whole request: its body is the signed one, and it has not been here before. */
static int whole_check(struct relay *relay, const struct http_exchange *ex,
		       const struct forwarded *f)
{
	struct forwarded_window *window = forwarded_window(relay->windows, WINDOWS, f->from);
	unsigned char digest[HASH_SHA256_LEN];
	size_t len;
	const char *body = http_exchange_body(ex, &len);

	hash_sha256(body, len, digest);
	if (!hash_equal(digest, f->body, sizeof(digest)))
		return 0;
	window->used_ms = relay_now(relay);
	return forwarded_take(window, f->sequence) == 0;
}

int relay_accepts(struct relay *relay, const struct http_exchange *ex, int is_whole,
		  struct caller *caller)
{
	struct forwarded f;

	if (forwarded_read(http_exchange_head(ex), relay->config.key, &f) ||
	    strcmp(f.to, relay->config.self) || (is_whole && !whole_check(relay, ex, &f))) {
		relay->counters.refused++;
		return 0;
	}
	relay->counters.received += is_whole != 0;
	*caller = f.caller;
	return 1;
}

/* What the daemon that accepted the request knew, unless its client says it itself. */
static int request_was_forwarded(const struct relay *relay, struct api_request *request)
{
	struct forwarded f;

	if (!forwarded_is(request->head) || forwarded_read(request->head, relay->config.key, &f))
		return 0;
	if (!request->is_conditional)
		request->epoch = f.epoch;
	if (!request->request_id[0] && strcmp(f.request_id, "-"))
		TEXT_SET(request->request_id, f.request_id);
	TEXT_SET(request->account, f.account);
	TEXT_SET(request->lease, f.lease);
	return 1;
}

void relay_tell(const struct relay *relay, const struct api_request *request)
{
	char newest[48];
	int64_t seq, at;

	if (!relay || !relay->config.newest || !request->account[0] || !forwarded_is(request->head))
		return;
	seq = relay->config.newest(relay->config.arg, request->account, &at);
	if (!seq)
		return;
	snprintf(newest, sizeof(newest), "%lld %lld", (long long)seq, (long long)at);
	http_reply_header(request->ex, FORWARDED_NEWEST_FIELD, newest);
}

/* ---- requests to other daemons ---------------------------------------------------------------- */

static void reply_moving(struct api_request *request)
{
	http_reply_header(request->ex, "Retry-After", "1");
	reply_error(request, 503, "account_moving",
		    "Another broker is taking over the account; try again.");
}

/* The clock ticks while there is something to look after. */
static void timer_set(struct relay *relay)
{
	static const struct timeval interval = { .tv_usec = TICK_MS * 1000 };

	if (!relay->count && relay_posts_is_empty(relay->posts))
		event_del(relay->timer);
	else if (!event_pending(relay->timer, EV_TIMEOUT, NULL))
		event_add(relay->timer, &interval);
}

static void relayed_free(struct relayed *r)
{
	struct relay *relay = r->relay;

	TAILQ_REMOVE(&relay->requests, r, entry);
	relay->count--;
	timer_set(relay);
	free(r);
}

/* An operator has decided about an account as it is now: later that may be another decision. */
static int is_for_once(const struct api_request *request)
{
	return request->route->goes == GOES_BY_PATH || request->route->goes == GOES_BY_BODY;
}

static void relayed_give_up(struct relayed *r)
{
	r->relay->counters.moving++;
	if (r->daemon[0] && is_for_once(&r->request))
		reply_error(&r->request, 503, "account_moving",
			    "The owner of the account did not confirm this; look at the account "
			    "before you repeat it.");
	else
		reply_moving(&r->request);
	relayed_free(r);
}

/* It waits from now on; `used_ms` of its time are gone. */
static void relayed_wait(struct relayed *r, int64_t used_ms)
{
	r->call = NULL;
	r->since_ms = relay_now(r->relay);
	r->left_ms -= used_ms;
	relay_target_again(&r->request, r->target.account);
	r->relay->counters.repeated++;
}

/* Did the daemon that was asked refuse to handle it, so that another one should? */
static int is_elsewhere(const struct peer_answer *answer)
{
	const char *body = buf_str(&answer->body);

	return !answer->status || answer->status == 401 ||
	       (answer->status == 503 &&
		(strstr(body, "\"account_moving\"") || strstr(body, "\"shutting_down\"")));
}

static void relay_seek(const struct relay *relay, const char *account)
{
	if (relay->config.seek)
		relay->config.seek(relay->config.seek_arg, account);
}

static void answer_heard(const struct relayed *r, const char *newest)
{
	const struct relay_config *config = &r->relay->config;
	char *end;
	int64_t seq = strtoll(newest, &end, 10);

	if (config->heard && seq > 0 && *end == ' ')
		config->heard(config->arg, r->target.account, seq, strtoll(end, NULL, 10));
}

static void on_answer(const struct peer_answer *answer, void *arg)
{
	struct relayed *r = arg;
	struct api_request *request = &r->request;
	int64_t used_ms = relay_now(r->relay) - r->since_ms;

	if (is_elsewhere(answer)) {
		relayed_wait(r, used_ms < ATTEMPT_MS ? used_ms : ATTEMPT_MS);
		r->again_ms = r->since_ms + PAUSE_MS;
		relay_seek(r->relay, r->target.account);
		if (is_for_once(request))
			relayed_give_up(r);
		return;
	}
	if (answer->fields[PEER_ETAG][0])
		http_reply_header(request->ex, "ETag", answer->fields[PEER_ETAG]);
	if (answer->fields[PEER_RETRY_AFTER][0])
		http_reply_header(request->ex, "Retry-After", answer->fields[PEER_RETRY_AFTER]);
	answer_heard(r, answer->fields[PEER_NEWEST]);
	r->relay->counters.forwarded++;
	reply_text(request, answer->status,
		   answer->fields[PEER_CONTENT_TYPE][0] ? answer->fields[PEER_CONTENT_TYPE] : NULL,
		   buf_str(&answer->body), answer->body.len);
	relayed_free(r);
}

static void relayed_send(struct relayed *r, const struct relay_route *route)
{
	struct relay *relay = r->relay;
	const struct http_head *head = r->request.head;
	struct forwarded f = { .epoch = r->target.epoch, .caller = r->request.caller };
	char fields[FORWARDED_CLIENT_FIELDS][HTTP_LINE_SIZE];
	struct forwarded_lines lines;
	const char *list[3 + FORWARDED_CLIENT_FIELDS] = { lines.forwarded, lines.caller,
							  lines.signature };
	struct peer_request out = { .address = route->address,
				    .target = head->target,
				    .method = head->method,
				    .lines = list,
				    .line_count = 3 };

	out.body = http_exchange_body(r->request.ex, &out.body_len);
	TEXT_SET(f.request_id, r->request.request_id);
	if (r->request.route->goes == GOES_BY_CREATE)
		TEXT_SET(f.account, r->target.account);
	TEXT_SET(f.lease, r->target.lease);
	forwarded_sign(&relay->sender, &f, route->daemon, head,
		       &(struct forwarded_content){ out.target, out.body, out.body_len }, &lines);
	for (int i = 0; i < FORWARDED_CLIENT_FIELDS; i++) {
		const char *value = http_head_find(head, forwarded_client_fields[i]);

		if (!value)
			continue;
		snprintf(fields[i], sizeof(fields[i]), "%s: %s", forwarded_client_fields[i], value);
		list[out.line_count++] = fields[i];
	}
	TEXT_SET(r->daemon, route->daemon);
	r->since_ms = relay_now(relay);
	r->unowned_ms = 0;
	r->call = peer_send(relay->clients[relay_target_lane(r->request.route)], &out, on_answer, r);
}

static void relayed_serve_here(struct relayed *r)
{
	struct relay *relay = r->relay;
	struct api_request request = r->request;

	/* It may have been carried out where it was sent before. */
	if (!request.is_conditional)
		request.epoch = r->target.epoch;
	TEXT_SET(request.lease, r->target.lease);
	TEXT_SET(request.account, r->target.account);
	relayed_free(r);
	relay->serve(&request);
}

static int64_t answer_ms(const struct relayed *r)
{
	const struct api_config *config = &r->request.api->config;
	int64_t wait_ms = relay_target_lane(r->request.route) == LANE_CREATE ?
				  config->create_wait_ms :
				  config->release_wait_ms;

	if (relay_target_lane(r->request.route) == LANE_QUICK)
		return r->left_ms;
	return query_wait_ms(&r->request, wait_ms, NULL) + ANSWER_MS;
}

/* 1: the call goes on. 0: it has ended, and the request waits. -1: so has the request. */
static int relayed_watch(struct relayed *r, const struct relay_route *route, int64_t now)
{
	int is_late = now - r->since_ms >= answer_ms(r);

	if (route->place != RELAY_UNKNOWN)
		r->unowned_ms = 0;
	else if (!r->unowned_ms)
		r->unowned_ms = now;
	else
		is_late = is_late || now - r->unowned_ms >= r->relay->config.wait_ms;
	/* Paused or cut off, and overtaken: it will not answer, or it has nothing to say. */
	if (!is_late && !relay_is_overtaken(route, r->daemon))
		return 1;
	peer_cancel(r->call);
	relayed_wait(r, 0);
	if (!relay_is_overtaken(route, r->daemon) || is_for_once(&r->request)) {
		relayed_give_up(r);
		return -1;
	}
	return 0;
}

static void relayed_tick(struct relayed *r, int64_t now)
{
	struct relay *relay = r->relay;
	struct relay_route route;

	relay->config.find(relay->config.arg, r->target.account, &route);
	if (r->call && relayed_watch(r, &route, now))
		return;
	if (route.place == RELAY_SELF) {
		relayed_serve_here(r);
	} else if (now - r->since_ms >= r->left_ms) {
		relayed_give_up(r);
	} else if (route.place == RELAY_OTHER && now >= r->again_ms) {
		r->left_ms -= now - r->since_ms;
		relayed_send(r, &route);
	} else {
		relay_seek(relay, r->target.account);
	}
}

/* `account` NULL: of all. */
static void relay_tick(struct relay *relay, const char *account)
{
	struct relayed *r, *next;
	int64_t now = relay_now(relay);

	for (r = TAILQ_FIRST(&relay->requests); r; r = next) {
		next = TAILQ_NEXT(r, entry);
		if (!account || !strcmp(account, r->target.account))
			relayed_tick(r, now);
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct relay *relay = arg;

	(void)fd;
	(void)what;
	relay_tick(relay, NULL);
	relay_posts_tick(relay->posts);
	timer_set(relay);
}

static struct relayed *relayed_begin(struct relay *relay, struct api_request *request,
				     const struct relay_target *target)
{
	struct relayed *r = xcalloc(1, sizeof(*r));

	r->relay = relay;
	r->request = *request;
	memset(&r->request.body, 0, sizeof(r->request.body));
	r->target = *target;
	r->since_ms = relay_now(relay);
	r->left_ms = relay->config.wait_ms;
	TAILQ_INSERT_TAIL(&relay->requests, r, entry);
	relay->count++;
	timer_set(relay);
	return r;
}

/* What makes it safe to send it again, wherever it goes. */
static void request_accept(struct api_request *request, const struct relay_target *target)
{
	TEXT_SET(request->account, target->account);
	request->epoch_seen = target->epoch;
	TEXT_SET(request->lease_seen, target->lease);
	if (!request->request_id[0])
		snprintf(request->request_id, sizeof(request->request_id), "fwd-%s",
			 http_exchange_id(request->ex));
}

int relay_take(struct relay *relay, struct api_request *request)
{
	int was_forwarded = request_was_forwarded(relay, request);
	struct relay_target target;
	struct relay_route route;
	struct err err = { 0 };
	int rc = relay_target_find(relay->homes, request, &target, &err);

	if (rc == 0)
		return 0;
	/* Later the lease may have another epoch, and the request must not be applied to that. */
	if (rc < 0) {
		if (was_forwarded)
			reply_moving(request);
		else
			reply_store_error(request, &err);
		return 1;
	}
	request_accept(request, &target);
	relay->config.find(relay->config.arg, target.account, &route);
	if (route.place == RELAY_SELF) {
		/* Those that have waited come first. */
		if (relay->count)
			relay_tick(relay, target.account);
		return 0;
	}
	if (was_forwarded)
		reply_moving(request);
	else if (relay->count >= (size_t)request->api->config.pending_max)
		reply_busy(request);
	else
		relayed_tick(relayed_begin(relay, request, &target), relay_now(relay));
	return 1;
}

int relay_again(struct relay *relay, struct api_request *request)
{
	struct relay_target target = { .epoch = request->epoch_seen };
	int64_t now = relay_now(relay);
	struct relayed *r;

	if (!request->moving_ms)
		request->moving_ms = now;
	/* Its sender does that; and what relay_take did not accept has no epoch. */
	if (forwarded_is(request->head) || !request->account[0] || is_for_once(request) ||
	    relay->count >= (size_t)request->api->config.pending_max ||
	    now - request->moving_ms >= relay->config.wait_ms)
		return 0;
	TEXT_SET(target.account, request->account);
	TEXT_SET(target.lease, request->lease_seen);
	relay_target_again(request, target.account);
	relay->counters.repeated++;
	r = relayed_begin(relay, request, &target);
	r->left_ms -= now - request->moving_ms;
	return 1;
}

/* ---- what is no request of a client by itself ------------------------------------------------ */

void relay_owner(const struct relay *relay, const char *account, struct relay_route *ret)
{
	*ret = (struct relay_route){ .place = RELAY_SELF };
	if (relay)
		relay->config.find(relay->config.arg, account, ret);
}

int relay_post(struct relay *relay, const struct relay_post *post, relay_post_fn done, void *arg)
{
	int rc = relay_posts_send(relay->posts, post, done, arg);

	timer_set(relay);
	return rc;
}

/* ---- its life -------------------------------------------------------------------------------- */

int relay_new(struct event_base *base, const struct env *env, const struct relay_config *config,
	      void (*serve)(struct api_request *request), struct relay **ret, struct err *err)
{
	struct relay *relay = xcalloc(1, sizeof(*relay));

	relay->env = env;
	relay->config = *config;
	relay->serve = serve;
	relay->homes = relay_homes_new();
	TAILQ_INIT(&relay->requests);
	TEXT_SET(relay->sender.self, config->self);
	memcpy(relay->sender.key, config->key, sizeof(relay->sender.key));
	relay->timer = event_new(base, -1, EV_PERSIST, on_tick, relay);
	if (!relay->timer)
		abort();
	for (int i = 0; i < LANE_COUNT; i++) {
		if (!peer_client_new(base, config->ca_file, connections[i],
				     PER_PEER(connections[i]), &relay->clients[i], err))
			continue;
		relay_free(relay);
		return -1;
	}
	relay->posts = relay_posts_new(env, &relay->config, &relay->sender,
				       relay->clients[LANE_QUICK]);
	*ret = relay;
	return 0;
}

size_t relay_count(const struct relay *relay)
{
	return relay->count;
}

const struct relay_counters *relay_counters(const struct relay *relay)
{
	return &relay->counters;
}

void relay_free(struct relay *relay)
{
	struct relayed *r;

	if (!relay)
		return;
	while ((r = TAILQ_FIRST(&relay->requests))) {
		if (r->call)
			peer_cancel(r->call);
		reply_moving(&r->request);
		relayed_free(r);
	}
	relay_posts_free(relay->posts);
	for (int i = 0; i < LANE_COUNT; i++)
		peer_client_free(relay->clients[i]);
	if (relay->timer)
		event_free(relay->timer);
	relay_homes_free(relay->homes);
	hash_wipe(relay->config.key, sizeof(relay->config.key));
	hash_wipe(relay->sender.key, sizeof(relay->sender.key));
	free(relay);
}
