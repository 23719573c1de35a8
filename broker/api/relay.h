/* SPDX-License-Identifier: MIT */
/*
 * Forwards requests to the daemon that owns their account, where several daemons share one
 * database. Any daemon answers reads, from the database. A change is forwarded to the owner as a
 * whole, once (forwarded.h): a forwarded request is never forwarded again. While nobody owns the
 * account, or the owner does not answer, the request waits, and then goes, in the order of arrival,
 * to whoever owns the account next, which may be this daemon; after `wait_ms` it is answered 503
 * account_moving.
 *
 * A request may be sent several times, because an owner that does not answer may have carried it
 * out. So it has a name and the epoch that its lease had when it was accepted: the owner applies it
 * only at that epoch, and once. Where the epoch cannot be read the answer is 503 at once. A slug
 * must still stand for the same lease: a new one may have it, and the same epoch. What an
 * operator decides about an account has no epoch, and is sent once.
 *
 * The wait for an owner that hangs is limited: to `wait_ms`, or to what the client waits for a machine
 * or a cleanup and 10 s more, or, once its ownership has expired, to `wait_ms` from then on.
 *
 * Run history has no owner: each daemon writes it. Loop thread.
 */
#pragma once

#include <stdint.h>
#include <string.h>

#include "api/forwarded.h"
#include "util/env.h"
#include "util/err.h"

struct api_request;
struct event_base;
struct http_exchange;
struct relay;

enum relay_place {
	RELAY_UNKNOWN, /* nobody, as far as is known */
	RELAY_SELF,
	RELAY_OTHER,
};

/* Who owns an account. */
struct relay_route {
	enum relay_place place;
	char daemon[FORWARDED_ID_SIZE];
	char address[128]; /* "https://HOST:PORT" */
};

/* Has another daemon, or this one, taken the account from the one that was asked? */
static inline int relay_is_overtaken(const struct relay_route *route, const char *daemon)
{
	return route->place == RELAY_SELF ||
	       (route->place == RELAY_OTHER && strcmp(route->daemon, daemon));
}

struct relay_config {
	char self[FORWARDED_ID_SIZE]; /* this daemon's id, new at each start */
	unsigned char key[FORWARDED_KEY_SIZE];
	/* Called often, on the loop thread; it must not wait. */
	void (*find)(void *arg, const char *account, struct relay_route *ret);
	void *arg;
	/*
	 * Requests wait for an owner of the account: it is to be looked for now. As `find`, in each
	 * round of waiting; NULL: nobody is told.
	 */
	void (*seek)(void *arg, const char *account);
	void *seek_arg;
	/*
	 * The newest commit of this daemon in an account that it owns, and of the owner of another, as
	 * it says in its answers (daemon/peers.h); NULL: nothing is said.
	 */
	int64_t (*newest)(void *arg, const char *account, int64_t *ret_at);
	void (*heard)(void *arg, const char *account, int64_t seq, int64_t at);
	char ca_file[256]; /* of the certificates of other daemons; "": the system's */
	int64_t wait_ms;
};

#define RELAY_WAIT_MS 6000
/* How many connections to other daemons may be open. */
#define RELAY_CONNECTIONS 384

struct relay_counters {
	uint64_t forwarded; /* answered by another daemon */
	uint64_t repeated;  /* sent again: no answer, or the account moved */
	uint64_t moving;    /* answered 503: nobody could serve them in time */
	uint64_t received;  /* from other daemons */
	uint64_t refused;   /* with a false or repeated signature */
};

/* `serve` handles a request here; its body is closed, and must be opened again. */
int relay_new(struct event_base *base, const struct env *env, const struct relay_config *config,
	      void (*serve)(struct api_request *request), struct relay **ret, struct err *err);
/*
 * Is a request that names a daemon as its sender authentic? After its head (`is_whole` 0) the body
 * has not arrived yet. 1: yes, and *caller is the client.
 */
int relay_accepts(struct relay *relay, const struct http_exchange *ex, int is_whole,
		  struct caller *caller);
/* 1: it is answered elsewhere, or later. 0: handle it here. */
int relay_take(struct relay *relay, struct api_request *request);
/*
 * The engine has lost the account, and the request was not carried out, or that is unknown. 1: it
 * waits for the next owner. 0: tell the client.
 */
int relay_again(struct relay *relay, struct api_request *request);
/*
 * For what is not a client's HTTP request: a POST for this caller to the owner of the account,
 * once, without waiting for an owner. 1: it is sent, and `done` is called later, also when the api
 * ends or the owner does not answer within `wait_ms`. 0: the account is this daemon's. -1: nobody
 * owns it now. The body is copied.
 */
struct relay_post {
	const char *account, *target, *body;
	const struct caller *caller;
};
/* `status` 0: no answer; `body` is JSON, as far as it is one. */
typedef void (*relay_post_fn)(void *arg, int status, const char *body);
int relay_post(struct relay *relay, const struct relay_post *post, relay_post_fn done, void *arg);
/* Before the engine's answer to a request: if a daemon has forwarded it, that is told of the commits. */
void relay_tell(const struct relay *relay, const struct api_request *request);
/* Who owns the account, as far as is known? NULL: this daemon. */
void relay_owner(const struct relay *relay, const char *account, struct relay_route *ret);
/* Is it another daemon? */
static inline int relay_is_elsewhere(const struct relay *relay, const char *account)
{
	struct relay_route route;

	relay_owner(relay, account, &route);
	return route.place == RELAY_OTHER;
}
/* How many requests are with other daemons, or wait. */
size_t relay_count(const struct relay *relay);
const struct relay_counters *relay_counters(const struct relay *relay);
/* Answers what is left 503. NULL is allowed. */
void relay_free(struct relay *relay);
