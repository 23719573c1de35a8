/* SPDX-License-Identifier: MIT */
/*
 * What happens while a person waits, on standard error: on a terminal one line
 * that is written over, elsewhere nothing but the lines that stay.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "cli/client.h"

struct progress {
	int is_tty;
	int shown;		/* a line is on the terminal that the next one replaces */
	int64_t start_ms;
	size_t attempts;	/* how many were told */
	int64_t event;		/* the last one that was told */
	int no_events;		/* the server has none to give */
	int is_late;		/* it was said that the server does not answer */
};

void progress_init(struct progress *progress);
/* The line that is written over; the seconds since the start are added. */
void progress_show(struct progress *progress, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A line that stays. */
void progress_note(struct progress *progress, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void progress_clear(struct progress *progress);
/* Notes the attempts and events that are new. */
void progress_follow(struct progress *progress, struct client *client, const json_t *lease);
/* Notes, once, that the server does not answer just now. */
void progress_late(struct progress *progress, const struct client_answer *answer);
