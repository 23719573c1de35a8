/* SPDX-License-Identifier: MIT */
/*
 * The HTTP side of a load client: many keep-alive connections to a local port, with one thread
 * and one epoll. It reads only the form of response that lessord, evhttp and hetzner-sim send:
 * a head, and a body of Content-Length bytes.
 *
 * Anything unexpected ends the process with a message on standard error: figures measured with
 * errors are worthless.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct load;

struct load_answer {
	int status;
	const char *body; /* NUL-terminated; valid until the callback returns */
	size_t len;
	int64_t took_us;	/* from the first byte sent to the last one received */
};

/* May send the client's next request. */
typedef void (*load_answer_fn)(void *arg, int client, const struct load_answer *answer);

/* Connects all clients before it returns. */
struct load *load_new(int port, int clients, load_answer_fn fn, void *arg);
void load_free(struct load *load);
/*
 * Sends the next request of a client that has none pending. `head` ends with an empty line and
 * is copied; `body` (may be NULL) is the caller's and must stay valid until the response.
 */
void load_send(struct load *load, int client, const char *head, const char *body, size_t len);
/* Waits at most `wait_ms` (-1: forever) and calls back for every response that arrived. */
void load_run(struct load *load, int wait_ms);

int64_t load_now_us(void);	/* monotonic */
void load_die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
