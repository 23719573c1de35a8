/* SPDX-License-Identifier: MIT */
/*
 * A server that does exactly what a test says, byte by byte: for each
 * connection, in the order they come, a script is run on its own thread.
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
/* Closes everything, joins everything. */
void raw_stop(struct raw_server *server);
/*
 * After the client has closed its connections: serves all that it began, to their ends. What it
 * sent has been read then, and is counted.
 */
void raw_finish(struct raw_server *server);
uint16_t raw_port(const struct raw_server *server);

/* Reads one whole request (head and Content-Length body), keeps it; 0, or -1 at the end. */
int raw_read(struct raw_peer *peer);
void raw_write(struct raw_peer *peer, const char *text);
void raw_write_len(struct raw_peer *peer, const char *data, size_t len);
/* The other side gets a reset instead of an end. */
void raw_reset(struct raw_peer *peer);
/* Says nothing for so long, -1: for ever; 1, or 0 when the server is being stopped. */
int raw_pause(struct raw_peer *peer, int ms);

/* How many requests of a method have come so far; NULL: of any. */
int raw_count(struct raw_server *server, const char *method);
/* Waits until so many have come. */
void raw_await(struct raw_server *server, const char *method, int count);
int raw_connections(struct raw_server *server);
/* A copy of the n-th request. */
void raw_request(struct raw_server *server, int n, char *ret, size_t room);
