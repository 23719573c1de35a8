/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/events: the events of all leases that the caller may see, as they happen, in the format of
 * server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 *
 * Each has an id. A client that was disconnected sends the last one that it got, as Last-Event-ID or
 * `after`, and gets all that came after it: none is missed and none comes twice, whatever was
 * killed meanwhile, and whichever daemon of a database it asks then. An id is a place in the order of
 * the store (struct event_place) with a digest of the event that is there. If another event is there,
 * or none, the store is an older one that was restored, or the event was pruned: then what came after it
 * cannot be told, and the client gets `event: reset` and has to read anew what it follows.
 *
 * The streams are written by one timer. It reads the store only if something may have been committed,
 * a page at a time, for a few streams in a turn of the loop, each in its turn. A stream whose client
 * does not read gets nothing more until it does; the HTTP server disconnects it in the end. Loop
 * thread.
 */
#pragma once

#include "api/request.h"

/* Ends all streams, and takes no more of them: their clients ask another daemon, or the next one. */
void events_drain(struct api *api);
/* The same, and frees what they need. */
void events_stop(struct api *api);
