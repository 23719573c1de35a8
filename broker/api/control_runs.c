/* SPDX-License-Identifier: MIT */
#include "api/control.h"

#include <string.h>

#include "api/lookup.h"
#include "api/run_render.h"
#include "http/websocket.h"

#define MESSAGE_OUT_MAX 30000 /* the client reads up to 32 KiB */
#define EVENTS_DEFAULT 100

/* ---- messages ---------------------------------------------------------------------------- */

static void socket_send(struct control *c)
{
	struct buf *out = &c->api->out;

	if (http_socket_send(c->socket, buf_str(out), out->len) > 0)
		c->is_full = 1;
}

struct jsonw control_begin(struct control *c, const char *type)
{
	struct jsonw w;

	buf_clear(&c->api->out);
	jsonw_init(&w, &c->api->out);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "type", type);
	return w;
}

void control_send(struct control *c, struct jsonw *w)
{
	jsonw_end_object(w);
	socket_send(c);
}

void control_error(struct control *c, const char *code, const char *message)
{
	struct jsonw w = control_begin(c, "error");

	jsonw_text(&w, "code", code);
	jsonw_text(&w, "message", message);
	control_send(c, &w);
}

/* ---- following runs --------------------------------------------------------------------- */

static void follow_drop(struct control *c, struct follow *f)
{
	c->follow_count--;
	*f = c->follows[c->follow_count];
}

/* As many events as fit into one message. */
struct event_page {
	struct jsonw w;
	const struct follow *follow;
	int64_t seq; /* of the last event that fits */
	int count;
	int is_too_large; /* a single event does not fit */
};

static int page_add(void *arg, int64_t seq, int64_t at_ms, const char *fields)
{
	struct event_page *page = arg;
	struct buf *out = page->w.out;
	size_t before = out->len;
	int comma = page->w.comma;

	run_render_event(&page->w, page->follow->run_id, seq, at_ms, fields);
	if (out->len > MESSAGE_OUT_MAX) {
		out->len = before;
		out->data[before] = '\0';
		page->w.comma = comma;
		page->is_too_large = !page->count;
		return 1;
	}
	page->seq = seq;
	page->count++;
	return 0;
}

/* Sends the next events of a run. 1: there may be more; 0: no more; -1: no longer followed. */
static int follow_send(struct control *c, struct follow *f)
{
	struct event_page page = { .follow = f, .seq = f->seq };

	page.w = control_begin(c, "run_events");
	jsonw_text(&page.w, "runID", f->run_id);
	jsonw_array(&page.w, "events");
	if (store_run_event_each(c->api->parts.runs_reader, f->n, f->seq, f->limit, page_add, &page,
				 NULL) ||
	    page.is_too_large) {
		follow_drop(c, f);
		/* The client falls back to GET. */
		control_error(c, "event_too_large",
			      "An event is too large for this socket: use GET /v1/runs/{run}/events.");
		return -1;
	}
	jsonw_end_array(&page.w);
	if (!page.count)
		return 0;
	jsonw_int(&page.w, "nextSeq", page.seq);
	f->seq = page.seq;
	control_send(c, &page.w);
	return 1;
}

static void follow_continue(struct control *c, struct follow *f)
{
	while (!c->is_full && follow_send(c, f) > 0)
		;
}

struct subscribe_body {
	char run_id[RUN_ID_SIZE];
	int64_t after, limit;
};

/* clang-format off */
static const struct body_field subscribe_fields[] = {
	{ .name = "runID", .type = FIELD_TEXT, FIELD_AT(subscribe_body, run_id) },
	{ .name = "after", .type = FIELD_INT, FIELD_TO(subscribe_body, after) },
	{ .name = "limit", .type = FIELD_INT, FIELD_TO(subscribe_body, limit) },
};
/* clang-format on */

static const struct body_table body_subscribe = BODY_TABLE(NULL, NULL, subscribe_fields);

void control_subscribe(struct control *c, struct json_body *in)
{
	struct store_scope scope = lookup_scope(&c->watch.caller);
	struct follow *f = NULL;
	struct subscribe_body body = { .limit = EVENTS_DEFAULT };
	struct run_row run;

	if (json_body_read(in, in->root, &body_subscribe, &body)) {
		control_error(c, in->error->code, in->error->message);
		return;
	}
	if (!lookup_has_runs(c->api)) {
		control_error(c, "store_unavailable", LOOKUP_NO_RUNS);
		return;
	}
	if (!lookup_is_run_id(body.run_id) ||
	    store_run_find(c->api->parts.runs_reader, body.run_id, &scope, RUN_READ, &run, NULL)) {
		control_error(c, "not_found", "No such run.");
		return;
	}
	/* A run that is followed already continues where the client says. */
	for (int i = 0; i < c->follow_count && !f; i++) {
		if (c->follows[i].n == run.n)
			f = &c->follows[i];
	}
	if (!f && c->follow_count == CONTROL_FOLLOWS_MAX) {
		control_error(c, "too_many_runs",
			      "This socket follows as many runs as it may; open another one.");
		return;
	}
	if (!f)
		f = &c->follows[c->follow_count++];
	memcpy(f->run_id, run.id, sizeof(f->run_id));
	f->n = run.n;
	f->seq = body.after > 0 ? body.after : 0;
	f->limit = body.limit < 1 || body.limit > EVENTS_DEFAULT ? EVENTS_DEFAULT : (int)body.limit;
	follow_continue(c, f);
}

void control_drained(struct control *c)
{
	c->is_full = 0;
	/* Backwards, because following one may end. */
	for (int i = c->follow_count - 1; i >= 0 && !c->is_full; i--)
		follow_continue(c, &c->follows[i]);
}

void control_run_changed(struct api *api, const char *run_id)
{
	struct control *c;

	for (c = LIST_FIRST(&api->controls); c; c = LIST_NEXT(c, entry)) {
		for (int i = 0; i < c->follow_count; i++) {
			if (!strcmp(c->follows[i].run_id, run_id)) {
				follow_continue(c, &c->follows[i]);
				break;
			}
		}
	}
}
