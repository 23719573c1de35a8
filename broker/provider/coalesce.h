/* SPDX-License-Identifier: MIT */
/*
 * Coalesced GETs: responses that several steps of one account may use. While a
 * request is in flight, others for the same path wait for its response instead of
 * sending their own.
 *
 * Bounded in entries and bytes. Its own lock, never held across a request.
 */
#pragma once

#include <stdint.h>

#include "provider/http_response.h"

struct coalesce;

struct coalesce *coalesce_new(void);
void coalesce_free(struct coalesce *coalesce);	/* nobody waits any more */

enum coalesce_result {
	COALESCE_HIT,	/* *ret is a response new enough; the caller unrefs it */
	COALESCE_LEAD,	/* send, then coalesce_finish: others are waiting for it */
	COALESCE_ALONE,	/* send, without coalesce_finish */
	COALESCE_GAVE_UP,	/* cancelled, or past the deadline, while waiting */
};

/*
 * `oldest_mono_ms`: a response to an earlier request is not new enough. Waits for a
 * request in flight, at most until `give_up(arg)`, called every 50 ms, returns 1.
 */
enum coalesce_result coalesce_get(struct coalesce *coalesce, const char *path,
				  int64_t oldest_mono_ms, int64_t now_mono_ms,
				  int (*give_up)(void *arg), void *arg,
				  struct http_response **ret);
/*
 * The leader's response (borrowed), or NULL if there is none: then the waiters send
 * for themselves. Waiters get any response; only a 200 is kept.
 */
void coalesce_finish(struct coalesce *coalesce, const char *path, struct http_response *response);
