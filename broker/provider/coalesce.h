/* SPDX-License-Identifier: MIT */
/*
 * Request coalescing: one GET serves several steps of an account. While a request is in
 * flight, others for the same path wait for its response instead of sending their own.
 *
 * Bounded in entries and bytes. Has its own lock, never held across a request.
 */
#pragma once

#include <stdint.h>

#include "provider/http_response.h"

struct coalesce;

struct coalesce *coalesce_new(void);
void coalesce_free(struct coalesce *coalesce); /* when nobody waits any more */

enum coalesce_result {
	COALESCE_HIT,	  /* *ret is a fresh enough response; the caller unrefs it */
	COALESCE_LEAD,	  /* send the request, then call coalesce_finish: others may wait for it */
	COALESCE_ALONE,	  /* send the request, do not call coalesce_finish */
	COALESCE_GAVE_UP, /* cancelled, or past the deadline, while waiting */
};

/*
 * A response counts as fresh if its request was started at `oldest_mono_ms` or later. Waits
 * for a request in flight until it ends or `give_up(arg)`, called every 50 ms, returns 1.
 */
enum coalesce_result coalesce_get(struct coalesce *coalesce, const char *path,
				  int64_t oldest_mono_ms, int64_t now_mono_ms,
				  int (*give_up)(void *arg), void *arg,
				  struct http_response **ret);
/*
 * Ends the leader's request. `response` (borrowed) is NULL if there is none; the waiters then
 * send requests of their own. Waiters receive any response; only a 200 is kept.
 */
void coalesce_finish(struct coalesce *coalesce, const char *path, struct http_response *response);
