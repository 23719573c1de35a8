/* SPDX-License-Identifier: MIT */
/*
 * TLS in front of a connection. One certificate; TLS 1.2 or later.
 */
#pragma once

#include <event2/bufferevent.h>

#include "util/err.h"

struct ssl_ctx_st;

/* Both are PEM files; the first may be a chain. NULL with `err`. */
struct ssl_ctx_st *tls_open(const char *cert, const char *key, struct err *err);
void tls_close(struct ssl_ctx_st *ctx); /* takes NULL */

/* Takes ownership of the descriptor, except on error (NULL). */
struct bufferevent *tls_accept(struct event_base *base, struct ssl_ctx_st *ctx, int fd);
/* Announces the end, without which clients must assume that data was cut off. */
void tls_say_end(struct bufferevent *bev);
