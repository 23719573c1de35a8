/* SPDX-License-Identifier: MIT */
/* Runs pg-proxy (pg_proxy.c, which lists its commands) for a test in C. */
#pragma once

struct pg_proxy {
	int to, from; /* its standard input and output */
	int pid;
	int port;
	char answer[512]; /* to the last command, without "ok" */
};

/* `target`: HOST:PORT, or the path of a Unix socket. Fails the test if it does not start. */
void pg_proxy_start(struct pg_proxy *proxy, const char *target);
/* Gives a command and waits for its answer, which must be "ok"; p->answer is the rest of it. */
void pg_proxy_tell(struct pg_proxy *proxy, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Gives a command, and does not wait: pg_proxy_answer does. For what another thread must cause. */
void pg_proxy_ask(struct pg_proxy *proxy, const char *command);
void pg_proxy_answer(struct pg_proxy *proxy);
void pg_proxy_stop(struct pg_proxy *proxy);
