/* SPDX-License-Identifier: MIT */
/*
 * The HTTP side of a load client: many keep-alive connections to a port of this machine, on one
 * thread and one epoll. It reads what lessord, evhttp and hetzner-sim answer and nothing more:
 * a head, and a body of Content-Length bytes.
 *
 * Whatever is not as expected ends the process with a sentence on standard error: a figure that
 * was measured over errors is worth nothing.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct load;

struct load_answer {
	int status;
	const char *body;	/* followed by a NUL; until the callback returns */
	size_t len;
	int64_t took_us;	/* from the first byte sent to the last one received */
};

/* May send the client's next request. */
typedef void (*load_answer_fn)(void *arg, int client, const struct load_answer *answer);

/* Connects all clients before it returns. */
struct load *load_new(int port, int clients, load_answer_fn fn, void *arg);
void load_free(struct load *load);
/*
 * The next request of a client that waits for no answer. `head` ends with an empty line and is
 * copied; `body` (may be NULL) is the caller's and must stay until the answer.
 */
void load_send(struct load *load, int client, const char *head, const char *body, size_t len);
/* Waits for `wait_ms` at most (-1: without end) and calls back for every answer that came. */
void load_run(struct load *load, int wait_ms);

int64_t load_now_us(void);	/* monotonic */
void load_die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
