/* SPDX-License-Identifier: MIT */
/*
 * What stays open after its request was accepted, such as a socket or a stream of events, ends with
 * the token that opened it: each such thing has a watch. The tokens of all watches are checked
 * every 500 ms, and at once when this daemon removes a token; with the second for which auth_peek
 * trusts what it has loaded, each ends within 2 s, whichever daemon the token was removed on.
 * Loop thread.
 */
#pragma once

#include <sys/queue.h>

#include "store/store.h"

#define TOKEN_WATCH_SIZE 128 /* of an Authorization header that can be watched */

struct api;
struct api_request;

struct token_watch {
	/*
	 * The token has ended; `why` says so, for the client. Called from the event loop or from
	 * token_watch_check; must end the watch, and what it is embedded in.
	 */
	void (*on_end)(struct token_watch *watch, const char *why);
	struct caller caller; /* whose token it is */
	/* token_watch.c's */
	struct api *api;
	char authorization[TOKEN_WATCH_SIZE];
	LIST_ENTRY(token_watch) entry;
};

/*
 * -1: there are too many, in all or of this owner (they share held_max), or there is no memory:
 * 503 was answered, and nothing is watched.
 */
int token_watch_begin(struct token_watch *watch, struct api_request *request,
		      void (*on_end)(struct token_watch *watch, const char *why));
/* Forgets the token. Also for a watch that was not begun, if it is zeroed. */
void token_watch_end(struct token_watch *watch);
/* Before something is done for the client. -1: the token has ended, and so has the watch. */
int token_watch_check(struct token_watch *watch);
/* Checks each, as the timer does. */
void token_watch_check_all(struct api *api);
/* For api.c, when each watch has ended. */
void token_watch_stop(struct api *api);
