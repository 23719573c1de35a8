/* SPDX-License-Identifier: MIT */
/*
 * Answers, log lines and steps that wait for the commit. A decision is announced and acted on
 * only once it is durable; a batch that fails announces nothing.
 */
#include "engine/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

struct log_line {
	STAILQ_ENTRY(log_line) link;
	enum log_level level;
	char lease[24], account[32], event[40];
	char text[400];
};

void outbox_init(struct core *core)
{
	STAILQ_INIT(&core->answers);
	STAILQ_INIT(&core->starts);
	STAILQ_INIT(&core->log_lines);
}

void outbox_fini(struct core *core)
{
	struct log_line *line;
	struct step *step;

	while ((step = STAILQ_FIRST(&core->starts)) != NULL) {
		STAILQ_REMOVE_HEAD(&core->starts, queued);
		step_free(step);
	}
	while ((line = STAILQ_FIRST(&core->log_lines)) != NULL) {
		STAILQ_REMOVE_HEAD(&core->log_lines, link);
		free(line);
	}
}

int outbox_is_empty(const struct core *core)
{
	return STAILQ_EMPTY(&core->answers) && STAILQ_EMPTY(&core->starts) &&
	       STAILQ_EMPTY(&core->log_lines);
}

void core_answer(struct core *core, struct engine_request *request)
{
	STAILQ_INSERT_TAIL(&core->answers, request, link);
}

void core_log_later(struct core *core, const struct log_origin *origin, const char *fmt, ...)
{
	struct log_line *line = xcalloc(1, sizeof(*line));
	va_list ap;

	line->level = origin->level;
	TEXT_SET(line->lease, origin->lease);
	TEXT_SET(line->account, origin->account);
	TEXT_SET(line->event, origin->event);
	va_start(ap, fmt);
	vsnprintf(line->text, sizeof(line->text), fmt, ap);
	va_end(ap);
	STAILQ_INSERT_TAIL(&core->log_lines, line, link);
}

static void write_log_lines(struct core *core)
{
	struct log_line *line;

	while ((line = STAILQ_FIRST(&core->log_lines)) != NULL) {
		STAILQ_REMOVE_HEAD(&core->log_lines, link);
		log_write(line->level,
			  LOG_FIELDS({ line->lease[0] ? "lease" : "account",
				       line->lease[0] ? line->lease : line->account },
				     { line->lease[0] ? "account" : NULL, line->account },
				     { line->event[0] ? "event" : NULL, line->event }),
			  "%s", line->text);
		free(line);
	}
}

/* A `done` callback may cause new answers, so the list is emptied first. */
static void send_answers(struct core *core)
{
	struct request_list answers = STAILQ_HEAD_INITIALIZER(answers);
	struct engine_request *request;

	STAILQ_CONCAT(&answers, &core->answers);
	while ((request = STAILQ_FIRST(&answers)) != NULL) {
		STAILQ_REMOVE_HEAD(&answers, link);
		request->done(request);
	}
}

static void start_steps(struct core *core)
{
	struct step_list starts = STAILQ_HEAD_INITIALIZER(starts);
	struct step *step;

	STAILQ_CONCAT(&starts, &core->starts);
	while ((step = STAILQ_FIRST(&starts)) != NULL) {
		STAILQ_REMOVE_HEAD(&starts, queued);
		core->hooks.start(core->hooks.arg, step);
	}
}

void outbox_release(struct core *core)
{
	write_log_lines(core);
	send_answers(core);
	start_steps(core);
}
