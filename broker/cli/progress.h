/* SPDX-License-Identifier: MIT */
/*
 * Progress on standard error: on a terminal one line that is overwritten, elsewhere only the
 * lines that stay.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "cli/client.h"

struct progress {
	int is_tty;
	int shown;	  /* there is a line on the terminal to overwrite */
	int64_t start_ms; /* when_mono_ms */
	size_t attempts;  /* how many have been printed */
	int64_t event;	  /* sequence number of the last one printed */
	int no_events;	  /* the other side has no events */
	int is_late;	  /* a missing response has been reported */
};

void progress_init(struct progress *progress);
/* Overwrites the line; the seconds since the start are put before the text. */
void progress_show(struct progress *progress, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Prints a line that stays. */
void progress_note(struct progress *progress, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void progress_clear(struct progress *progress);
/* Prints new attempts and events. */
void progress_follow(struct progress *progress, struct client *client, const json_t *lease);
/* Reports a missing response, once until the next good one. */
void progress_late(struct progress *progress, const struct client_response *response);
