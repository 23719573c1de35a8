/* SPDX-License-Identifier: MIT */
/*
 * Who has a place among the connections, and who loses it; the rules are in http/server.h. Each
 * connection belongs to a group, which is an address, the owner of a token, or a user of the
 * Unix socket. All operations take constant time, whatever the number of connections. Loop
 * thread only; included by http/internal.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct http_connection;
struct http_server;

TAILQ_HEAD(connection_list, http_connection);

/* What a connection is doing, as far as its place is concerned. */
enum connection_place {
	PLACE_HALF_READ, /* waits for the client: handshake, head, body, or reading an answer */
	PLACE_IDLE,
	PLACE_BUSY, /* a handler works for it; never evicted */
};

struct client_group;

TAILQ_HEAD(group_list, client_group);
LIST_HEAD(group_bucket, client_group);

/* The groups of a class, by how many of their connections can be evicted. */
struct client_class {
	uint32_t open; /* connections */
	uint32_t groups;
	uint32_t top;	/* the highest level that is not empty; 0: none */
	uint32_t ready; /* the levels up to here are initialised */
	struct group_list *levels;
};

struct admission {
	uint32_t max;
	uint32_t unix_kept;
	uint32_t known_kept;
	uint32_t new_kept;
	uint32_t asked;			    /* early answers that have not made room so far */
	uint64_t asked_at;		    /* ms; or when one last has */
	size_t unread;			    /* bytes of answers that wait to be read */
	struct connection_list unread_list; /* their connections, the longest waiting first */
	struct client_class *classes;	    /* by enum http_client_kind */
	struct group_bucket *buckets;
	uint64_t seed;
};

/* Returns -1 if there is no memory. */
int admission_init(struct admission *admission, uint32_t max_connections);
void admission_fini(struct admission *admission);

/* Is there a place for one more connection, over TCP or the Unix socket? */
int admission_has_place(const struct http_server *server, int is_unix);
/* The same; if not, evicts one. Returns 0 if all are busy. */
int admission_admit(struct http_server *server, int is_unix);
/* Out of descriptors: evicts connections of unknown clients, up to `count`. */
void admission_shed(struct http_server *server, unsigned count);
/* `key`: the address, or the user of the Unix socket. */
void admission_enter(struct http_connection *conn, uint64_t key);
void admission_leave(struct http_connection *conn);
/*
 * The client has shown a valid token of this owner. -1: the owner has more than its share of the
 * places, and none is left.
 */
int admission_trust(struct http_connection *conn, uint64_t owner);
/* Call after the connection's state has changed. */
void admission_update(struct http_connection *conn);
/* Asks the handlers for early answers, so that `count` are under way. */
void admission_ask(struct http_server *server, unsigned count);
/*
 * Known clients have taken the places of new ones: evicts, or asks for early answers. Too much is
 * not read: evicts.
 */
void admission_settle(struct http_server *server);
void admission_tick(struct http_server *server);
