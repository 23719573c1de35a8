/* SPDX-License-Identifier: MIT */
/*
 * The heartbeats of a lease while something uses it: `lessor keepalive`, and a command that runs
 * on the machine. They are sent at a third of the lease's idle timeout, from 5 to 60 seconds; the
 * timeout may change meanwhile. The caller waits until beat_left_ms is 0, then calls beat_send.
 * Not thread-safe; times are monotonic milliseconds (when_mono_ms).
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "cli/client.h"

enum beat_result {
	BEAT_ALIVE,   /* the lease continues; `lease` is new */
	BEAT_LATE,    /* no response that decides; the next try is due in some seconds */
	BEAT_ENDED,   /* the lease has ended */
	BEAT_REFUSED, /* the server will not take a heartbeat from us; trying again is useless */
};

struct beat {
	char *id;      /* a slug ends with its lease */
	json_t *lease; /* of the latest good response; owned */
	int64_t due_ms;
	int failures; /* tries since the last good response */
	/* Ends a heartbeat under way early when it returns 1; may be NULL. */
	int (*stop)(void *arg);
	void *stop_arg;
};

/* `lease` is borrowed and must have an id. The first heartbeat is due at once. */
void beat_init(struct beat *beat, const json_t *lease);
void beat_fini(struct beat *beat);

/* How long until the next heartbeat is due; 0: now. */
int64_t beat_left_ms(const struct beat *beat);
/* Sends one, whether or not it is due, in at most 10 s; the caller frees *response. */
enum beat_result beat_send(struct beat *beat, struct client *client,
			   struct client_response *response);

/* The interval for an idle timeout of `idle_s` seconds; 0 or less: none is known. */
int64_t beat_interval_ms(int64_t idle_s);
