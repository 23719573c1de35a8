/* SPDX-License-Identifier: MIT */
#include "api/run_render.h"

#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"

void run_render_row(struct jsonw *w, const struct run_row *r, const char *command)
{
	jsonw_text(w, "id", r->id);
	jsonw_text(w, "leaseID", r->lease_id);
	jsonw_text(w, "owner", r->owner);
	jsonw_text(w, "org", r->org);
	jsonw_text(w, "provider", r->account);
	jsonw_text(w, "class", r->class_name);
	jsonw_text(w, "serverType", r->server_type);
	jsonw_text(w, "state", run_state_name(r->state));
	jsonw_text_if(w, "slug", r->slug);
	jsonw_text_if(w, "target", r->target);
	jsonw_text_if(w, "windowsMode", r->windows_mode);
	jsonw_text_if(w, "label", r->label);
	jsonw_text_if(w, "phase", r->phase);
	jsonw_text_if(w, "blockedStage", r->blocked_stage);
	jsonw_text_if(w, "retryLikely", r->retry_likely);
	jsonw_raw(w, "command", command);
	jsonw_time(w, "startedAt", r->started_ms);
	jsonw_time(w, "lastEventAt", r->event_ms);
	jsonw_time(w, "endedAt", r->ended_ms);
	if (r->has_exit_code)
		jsonw_int(w, "exitCode", r->exit_code);
	else
		jsonw_null(w, "exitCode");
	jsonw_int(w, "syncMs", r->sync_ms);
	jsonw_int(w, "commandMs", r->command_ms);
	jsonw_int(w, "durationMs", r->ended_ms > r->started_ms ? r->ended_ms - r->started_ms : 0);
	jsonw_int(w, "logBytes", r->log_bytes);
	jsonw_bool(w, "logTruncated", r->log_truncated);
	jsonw_int(w, "eventCount", r->event_count);
}

struct part {
	struct jsonw *w;
	const char *name;    /* name of the member, for render_raw */
	struct buf *samples; /* an array, not closed yet */
	size_t last;	     /* where its last element starts */
	size_t first_len;    /* of its first element */
	int count;
};

static int render_lease_id(void *arg, const char *text, size_t len)
{
	struct part *part = arg;
	char id[24];

	if (len < sizeof(id)) {
		memcpy(id, text, len);
		id[len] = '\0';
		jsonw_text(part->w, NULL, id);
	}
	return 0;
}

static int render_raw(void *arg, const char *text, size_t len)
{
	struct part *part = arg;

	(void)len;
	jsonw_raw(part->w, part->name, text);
	part->count++;
	return 0;
}

static int sample_add(void *arg, const char *text, size_t len)
{
	struct part *part = arg;

	buf_addc(part->samples, part->count ? ',' : '[');
	part->last = part->samples->len;
	buf_add(part->samples, text, len);
	if (!part->count++)
		part->first_len = len;
	return 0;
}

/* The first and the last sample, and all of them. */
static void render_telemetry(struct api_request *request, struct jsonw *w, const struct run_row *r)
{
	struct buf auto_buf samples;
	char first[TELEMETRY_ROOM];
	struct part part = { .samples = &samples };

	buf_init(&samples, STORE_SAMPLES_MAX * (TELEMETRY_ROOM + 1) + 2);
	if (store_run_sample_each(request->api->parts.runs_reader, r->n, sample_add, &part, NULL) ||
	    !part.count || part.first_len >= sizeof(first))
		return;
	memcpy(first, samples.data + 1, part.first_len);
	first[part.first_len] = '\0';
	jsonw_object(w, "telemetry");
	jsonw_raw(w, "start", first);
	jsonw_raw(w, "end", buf_str(&samples) + part.last);
	buf_addc(&samples, ']');
	jsonw_raw(w, "samples", buf_str(&samples));
	jsonw_end_object(w);
}

static int take_command(void *arg, const char *text, size_t len)
{
	*(char **)arg = xstrndup(text, len);
	return 1;
}

void run_render(struct api_request *request, struct jsonw *w, const struct run_row *run)
{
	struct store *reader = request->api->parts.runs_reader;
	struct part part = { .w = w, .name = "results" };
	char *command = NULL;

	store_run_command(reader, run->n, take_command, &command, NULL);
	jsonw_object(w, "run");
	run_render_row(w, run, command ? command : "null");
	free(command);
	jsonw_array(w, "leaseIDs");
	store_run_lease_each(reader, run->n, render_lease_id, &part, NULL);
	jsonw_end_array(w);
	if (run->finished)
		store_run_results(reader, run->n, render_raw, &part, NULL);
	if (!part.count)
		jsonw_null(w, "results");
	render_telemetry(request, w, run);
	jsonw_end_object(w);
}

void run_render_event(struct jsonw *w, const char *run_id, int64_t seq, int64_t at_ms,
		      const char *fields)
{
	size_t len = strlen(fields);

	jsonw_object(w, NULL);
	jsonw_text(w, "runID", run_id);
	jsonw_int(w, "seq", seq);
	jsonw_time(w, "createdAt", at_ms);
	/* The object of the stored members, without its braces. */
	if (len > 2) {
		buf_addc(w->out, ',');
		buf_add(w->out, fields + 1, len - 2);
	}
	jsonw_end_object(w);
}
