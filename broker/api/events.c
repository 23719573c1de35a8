/* SPDX-License-Identifier: MIT */
#include "api/events.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/lookup.h"
#include "api/query.h"
#include "api/reply.h"
#include "api/token_watch.h"
#include "store/history.h"
#include "util/alloc.h"
#include "util/log.h"

#define LOOK_MS 250	 /* how often the store is asked for new events */
#define ERROR_MS 2000	 /* and after an error */
#define COMMENT_MS 15000 /* after so much silence: proxies close connections without traffic */
#define PAGE_EVENTS 100	 /* read for a stream in its turn; as many are sent at most */
#define TURN_STREAMS 8	 /* served in one turn of the loop */
#define ID_SIZE 64

struct event_stream {
	struct token_watch watch;
	struct api *api;
	TAILQ_ENTRY(event_stream) entry;
	struct http_exchange *ex;
	struct event_place place; /* all up to it was sent, or is not for this caller */
	struct event_place told;  /* of the last id that was sent */
	int64_t sent_ms;	  /* when something was sent last; monotonic clock */
	int is_full;		  /* waits for the client to read */
};

struct event_feed {
	struct api *api;
	struct event *timer; /* pending while there are streams */
	TAILQ_HEAD(event_streams, event_stream) streams;
	struct event_place last; /* up to which may be read */
	uint64_t version;	 /* of the store when `last` was read; 0: not known */
	uint64_t session;	 /* in which it was read */
	int is_unsure;		 /* the store could not be read: it may be another one by now */
	int is_draining;
};

/* ---- places and ids ---------------------------------------------------------------------- */

static int is_before(const struct event_place *a, const struct event_place *b)
{
	return a->commit != b->commit ? a->commit < b->commit : a->n < b->n;
}

static void id_print(char out[ID_SIZE], const struct event_place *place, uint32_t digest)
{
	snprintf(out, ID_SIZE, "%" PRId64 ".%" PRId64 ".%08" PRIx32, place->commit, place->n,
		 digest);
}

/* -1: it is not an id. "0" is the place before the first event. */
static int id_parse(const char *text, struct event_place *place, uint32_t *digest)
{
	char again[ID_SIZE];

	*place = (struct event_place){ 0 };
	*digest = 0;
	if (!strcmp(text, "0"))
		return 0;
	if (sscanf(text, "%" SCNd64 ".%" SCNd64 ".%" SCNx32, &place->commit, &place->n, digest) != 3)
		return -1;
	id_print(again, place, *digest);
	return strcmp(again, text) ? -1 : 0;
}

/* ---- the writing side --------------------------------------------------------------------- */

static void timer_set(const struct event_feed *feed, int64_t ms)
{
	struct timeval in = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(feed->timer, &in);
}

static void stream_free(struct event_stream *stream)
{
	struct event_feed *feed = stream->api->event_feed;

	http_exchange_on_gone(stream->ex, NULL, NULL);
	TAILQ_REMOVE(&feed->streams, stream, entry);
	if (TAILQ_EMPTY(&feed->streams))
		event_del(feed->timer);
	token_watch_end(&stream->watch);
	free(stream);
}

static void stream_end(struct event_stream *stream)
{
	struct http_exchange *ex = stream->ex;

	stream_free(stream);
	http_stream_end(ex);
}

static void stream_send(struct event_stream *stream, const char *text, size_t len)
{
	stream->sent_ms = env_mono_ms(stream->api->parts.env);
	if (http_stream_chunk(stream->ex, text, len) > 0)
		stream->is_full = 1;
}

/* An event that says something about the stream itself. */
static void stream_tell(struct event_stream *stream, const char *name, const char *id,
			const char *message)
{
	auto_buf struct buf out = { 0 };
	struct jsonw w;

	buf_init(&out, 1024);
	if (id)
		buf_addf(&out, "id: %s\n", id);
	buf_addf(&out, "event: %s\ndata: ", name);
	jsonw_init(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_text_if(&w, "message", message);
	jsonw_end_object(&w);
	buf_adds(&out, "\n\n");
	stream_send(stream, buf_str(&out), out.len);
}

static void on_token_end(struct token_watch *watch, const char *why)
{
	struct event_stream *stream =
		(struct event_stream *)(void *)((char *)watch -
						offsetof(struct event_stream, watch));

	stream_tell(stream, "error", NULL, why);
	stream_end(stream);
}

/* ---- the reading side --------------------------------------------------------------------- */

static void streams_end(struct event_feed *feed)
{
	while (!TAILQ_EMPTY(&feed->streams))
		stream_end(TAILQ_FIRST(&feed->streams));
}

/*
 * Reads up to where the store may be read; only if something may have been committed. Streams go on
 * from where they are, which means something in one store only. If it may be another one, they end:
 * the clients come back, and the ids that they bring are compared with what is there.
 */
static int feed_look(struct event_feed *feed, struct err *err)
{
	struct store *reader = feed->api->parts.reader;
	uint64_t version = store_data_version(reader);
	struct event_place before = feed->last;

	if (version && version == feed->version && !feed->is_unsure)
		return 0;
	if (store_event_last(reader, &feed->last, err)) {
		feed->version = 0;
		feed->is_unsure = 1;
		return -1;
	}
	if (feed->is_unsure || store_session(reader) != feed->session ||
	    is_before(&feed->last, &before))
		streams_end(feed);
	feed->is_unsure = 0;
	feed->session = store_session(reader);
	feed->version = version;
	return 0;
}

struct page {
	struct buf *out;
	struct event_place place; /* of the last one read */
	struct event_place told;  /* of the last one that the caller may see */
};

static void page_add(void *arg, const struct store_feed_event *e)
{
	struct page *page = arg;
	char id[ID_SIZE], clean[sizeof(e->event.text)];
	struct jsonw w;

	page->place = e->place;
	if (!e->is_visible)
		return;
	page->told = e->place;
	id_print(id, &e->place, e->digest);
	api_error_scrub(e->event.text, clean, sizeof(clean));
	buf_addf(page->out, "id: %s\nevent: lease\ndata: ", id);
	jsonw_init(&w, page->out);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "leaseID", e->lease);
	jsonw_text(&w, "slug", e->slug);
	jsonw_text(&w, "provider", e->account);
	jsonw_int(&w, "seq", e->event.n);
	jsonw_time(&w, "at", e->event.at_ms);
	jsonw_text(&w, "type", e->event.kind);
	jsonw_text(&w, "message", clean);
	jsonw_end_object(&w);
	buf_adds(page->out, "\n\n");
}

/* Sends the next page, which may be empty. -1: the store could not be read. */
static int stream_go_on(struct event_stream *stream)
{
	struct api *api = stream->api;
	struct store_scope scope = lookup_scope(&stream->watch.caller);
	struct page page = { .out = &api->out, .place = stream->place, .told = stream->told };
	int count;

	buf_clear(&api->out);
	count = store_event_feed(api->parts.reader, &scope, &stream->place, &api->event_feed->last,
				 PAGE_EVENTS, page_add, &page, NULL);
	if (count < 0)
		return -1;
	stream->told = page.told;
	stream->place = count < PAGE_EVENTS ? api->event_feed->last : page.place;
	if (api->out.len)
		stream_send(stream, buf_str(&api->out), api->out.len);
	return 0;
}

static int is_behind(const struct event_stream *stream)
{
	return !stream->is_full && is_before(&stream->place, &stream->api->event_feed->last);
}

/* Serves a few, those first who have waited longest. 1: others wait; 0; -1: no store. */
static int feed_turn(struct event_feed *feed)
{
	struct event_stream *stream, *next, *end = TAILQ_LAST(&feed->streams, event_streams);
	int served = 0;

	for (stream = TAILQ_FIRST(&feed->streams); stream; stream = next) {
		next = stream == end ? NULL : TAILQ_NEXT(stream, entry);
		if (!is_behind(stream))
			continue;
		if (served++ == TURN_STREAMS)
			return 1;
		TAILQ_REMOVE(&feed->streams, stream, entry);
		TAILQ_INSERT_TAIL(&feed->streams, stream, entry);
		if (stream_go_on(stream))
			return -1;
	}
	TAILQ_FOREACH(stream, &feed->streams, entry) {
		if (is_behind(stream))
			return 1;
	}
	return 0;
}

/*
 * A comment; with an id, if there were events that the client may not see: else it would have to be
 * spared those again when it reconnects, and its last event may have been pruned by then.
 */
static void stream_comment(struct event_stream *stream)
{
	struct store_feed_event event;
	char text[ID_SIZE + 32] = ": nothing new\n\n", id[ID_SIZE];

	if (is_before(&stream->told, &stream->place) &&
	    store_event_at(stream->api->parts.reader, &stream->place, &event, NULL) == 0) {
		id_print(id, &stream->place, event.digest);
		snprintf(text, sizeof(text), ": nothing new\nid: %s\n\n", id);
		stream->told = stream->place;
	}
	stream_send(stream, text, strlen(text));
}

static void feed_comment(struct event_feed *feed)
{
	int64_t before_ms = env_mono_ms(feed->api->parts.env) - COMMENT_MS;
	struct event_stream *stream;

	TAILQ_FOREACH(stream, &feed->streams, entry) {
		if (!stream->is_full && stream->sent_ms <= before_ms)
			stream_comment(stream);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct event_feed *feed = arg;
	int rc = feed_look(feed, NULL) ? -1 : feed_turn(feed);

	(void)fd;
	(void)what;
	if (rc < 0) {
		feed->api->store_errors++;
		feed->is_unsure = 1;
	}
	feed_comment(feed);
	if (!TAILQ_EMPTY(&feed->streams))
		timer_set(feed, rc < 0 ? ERROR_MS : rc ? 0 : LOOK_MS);
}

static void on_drain(struct http_exchange *ex, void *arg)
{
	struct event_stream *stream = arg;

	(void)ex;
	stream->is_full = 0;
	timer_set(stream->api->event_feed, 0);
}

static void on_gone(struct http_exchange *ex, void *arg)
{
	(void)ex;
	stream_end(arg);
}

/* ---- the request ------------------------------------------------------------------------- */

static struct event_feed *feed_of(struct api *api)
{
	struct event_feed *feed = api->event_feed;

	if (feed)
		return feed;
	feed = xcalloc(1, sizeof(*feed));
	feed->api = api;
	feed->timer = event_new(api->parts.base, -1, 0, on_timer, feed);
	TAILQ_INIT(&feed->streams);
	if (!feed->timer) {
		free(feed);
		return NULL;
	}
	api->event_feed = feed;
	return feed;
}

/* Where the client left off. 1: it says; 0: it does not; -1: request->error is set. */
static int request_place(struct api_request *request, struct event_place *place, uint32_t *digest)
{
	const char *header = http_head_find(request->head, "last-event-id");
	char text[ID_SIZE] = "";
	int rc = query_text(request, "after", text, sizeof(text));

	/* A browser that reconnects repeats the query, and knows better by then. */
	if (header && *header)
		rc = snprintf(text, sizeof(text), "%s", header) < (int)sizeof(text) ? 1 : -1;
	if (!rc)
		return 0;
	if (rc < 0 || id_parse(text, place, digest))
		return api_error_set(&request->error, 400, "invalid_event_id",
				     "Give after or Last-Event-ID the id of an event, as this "
				     "route has sent it, or 0 for all events.");
	return 1;
}

struct start {
	struct event_place place;
	char id[ID_SIZE]; /* of the place, if the client does not know it */
	int is_reset;
};

/* 0; -1: answered. */
static int start_find(struct api_request *request, const struct event_feed *feed,
		      struct start *start)
{
	struct store *reader = request->api->parts.reader;
	struct store_feed_event event = { .digest = 0 };
	uint32_t digest;
	struct err err;
	int asks = request_place(request, &start->place, &digest), rc = 0;
	int64_t pruned = 0;

	if (asks < 0) {
		reply_request_error(request);
		return -1;
	}
	if (asks > 0 && start->place.n) {
		/* It may be one that others are not sent yet. */
		rc = store_event_at(reader, &start->place, &event, &err);
		start->is_reset = rc > 0 || event.digest != digest;
		/* What came after it may have been pruned with its lease. */
		if (rc == 0 && store_history_event(reader, &pruned, &err))
			rc = -1;
		start->is_reset |= pruned > start->place.n;
	}
	if (rc >= 0 && (!asks || start->is_reset)) {
		start->place = feed->last;
		event.digest = 0;
		rc = store_event_at(reader, &start->place, &event, &err);
		id_print(start->id, &start->place, event.digest);
	}
	if (rc < 0)
		reply_store_error(request, &err);
	return rc < 0 ? -1 : 0;
}

static void stream_begin(struct api_request *request, struct event_stream *stream,
			 const struct start *start)
{
	/* How many ms a client should wait before it connects again. */
	static const char retry[] = "retry: 2000\n\n";

	stream->api = request->api;
	stream->ex = request->ex;
	stream->place = stream->told = start->place;
	http_reply_header(request->ex, "X-Accel-Buffering", "no");
	http_reply_close(request->ex);
	http_exchange_on_gone(request->ex, on_gone, stream);
	reply_stream(request, "text/event-stream", on_drain, stream);
	stream_send(stream, retry, sizeof(retry) - 1);
	if (start->is_reset)
		stream_tell(stream, "reset", start->id,
			    "What came after that event is not known any more. Read again what you "
			    "follow.");
	else
		stream_tell(stream, "hello", start->id[0] ? start->id : NULL, NULL);
}

void events_follow(struct api_request *request)
{
	struct event_feed *feed = feed_of(request->api);
	struct event_stream *stream;
	struct start start = { .is_reset = 0 };
	struct err err;

	if (!feed || feed->is_draining) {
		reply_busy(request);
		return;
	}
	if (feed_look(feed, &err)) {
		reply_store_error(request, &err);
		return;
	}
	if (start_find(request, feed, &start))
		return;
	stream = xcalloc(1, sizeof(*stream));
	if (token_watch_begin(&stream->watch, request, on_token_end)) {
		free(stream);
		return;
	}
	TAILQ_INSERT_TAIL(&feed->streams, stream, entry);
	stream_begin(request, stream, &start);
	if (request->head->method == HTTP_HEAD)
		stream_end(stream);
	else
		timer_set(feed, 0);
}

void events_drain(struct api *api)
{
	struct event_feed *feed = feed_of(api);

	if (!feed)
		return;
	feed->is_draining = 1;
	streams_end(feed);
}

void events_stop(struct api *api)
{
	struct event_feed *feed = api->event_feed;

	if (!feed)
		return;
	events_drain(api);
	event_free(feed->timer);
	free(feed);
	api->event_feed = NULL;
}
