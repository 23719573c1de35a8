/* SPDX-License-Identifier: MIT */
/*
 * A server scripted byte by byte: for each connection, in order of arrival, a script runs on a
 * thread of its own.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define RAW_REQUESTS_MAX 64

struct raw_server;

/* One connection. */
struct raw_peer {
	struct raw_server *server;
	int fd;
	int number;	/* 0 for the first connection */
};

struct raw_server *raw_start(void (*serve)(struct raw_peer *peer));
/* Closes all connections and joins all threads. */
void raw_stop(struct raw_server *server);
/*
 * Call after the client has closed its connections: serves every request that has begun to its
 * end. Everything that the client sent has been read and counted then.
 */
void raw_finish(struct raw_server *server);
uint16_t raw_port(const struct raw_server *server);

/*
 * Reads and keeps one whole request (head and Content-Length body). 0, or -1 at the end of
 * input.
 */
int raw_read(struct raw_peer *peer);
void raw_write(struct raw_peer *peer, const char *text);
void raw_write_len(struct raw_peer *peer, const char *data, size_t len);
/* Closes the connection with a reset. */
void raw_reset(struct raw_peer *peer);
/* Sends nothing for `ms`, -1: for ever. Returns 1, or 0 if the server is being stopped. */
int raw_pause(struct raw_peer *peer, int ms);

/* The number of requests received with a method; NULL: with any. */
int raw_count(struct raw_server *server, const char *method);
/* Waits until that many were received. */
void raw_await(struct raw_server *server, const char *method, int count);
int raw_connections(struct raw_server *server);
/* A copy of the n-th request. */
void raw_request(struct raw_server *server, int n, char *ret, size_t room);
