/* SPDX-License-Identifier: MIT */
/* The life of an exchange: pool, body, ownership, disconnection. Answers: reply.c. */
#include "http/exchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/internal.h"
#include "util/alloc.h"

/* exchanges beyond this number are freed instead of pooled */
#define POOL_MAX 256
#define BODY_KEPT_MAX 16384
#define BODY_SIZE_FIRST 256
#define FIELDS_MAX 4096

/* A head is large, mostly unused, and need not be zeroed. */
static struct http_head *head_acquire(struct http_server *server)
{
	if (server->head_count)
		return server->heads[--server->head_count];
	return xrealloc(NULL, sizeof(struct http_head));
}

static void head_release(struct http_server *server, struct http_head *head)
{
	if (server->head_count < HEADS_SPARE_MAX)
		server->heads[server->head_count++] = head;
	else
		free(head);
}

struct http_exchange *exchange_acquire(struct http_connection *conn)
{
	struct http_server *server = conn->server;
	struct http_exchange *ex = TAILQ_FIRST(&server->pool);

	if (ex) {
		TAILQ_REMOVE(&server->pool, ex, link);
		server->pool_len--;
	} else {
		ex = xcalloc(1, sizeof(*ex));
		buf_init(&ex->fields, FIELDS_MAX);
		ex->server = server;
	}
	if (!ex->head)
		ex->head = head_acquire(server);
	server->exchanges_live++;
	ex->conn = conn;
	ex->state = EXCHANGE_READING;
	ex->serial = server->next_serial++;
	ex->peer = conn->peer;
	return ex;
}

void exchange_free(struct http_exchange *ex)
{
	free(ex->body);
	free(ex->head);
	buf_fini(&ex->fields);
	free(ex);
}

void exchange_pack(struct http_exchange *ex)
{
	ex->packed = malloc(http_head_packed_size(ex->head));
	if (!ex->packed)
		return;
	http_head_pack(ex->head, ex->packed);
	head_release(ex->server, ex->head);
	ex->head = NULL;
}

void exchange_unpack(struct http_exchange *ex)
{
	if (!ex->packed)
		return;
	ex->head = head_acquire(ex->server);
	http_head_unpack(ex->head, ex->packed);
	free(ex->packed);
	ex->packed = NULL;
}

void exchange_release(struct http_exchange *ex)
{
	struct http_server *server = ex->server;

	if (ex->held)
		evbuffer_free(ex->held);
	ex->held = NULL;
	ex->conn = NULL;
	ex->close = ex->is_gone = ex->is_answered = ex->is_streaming = ex->is_chunked = 0;
	ex->no_content = ex->drain_owed = ex->is_detached = 0;
	ex->on_gone = NULL;
	ex->on_drain = NULL;
	ex->id[0] = '\0';
	free(ex->packed);
	ex->packed = NULL;
	if (ex->sink)
		ex->sink->drop(ex->sink);
	ex->sink = NULL;
	ex->body_len = 0;
	if (ex->body_size > BODY_KEPT_MAX) {
		free(ex->body);
		ex->body = NULL;
		ex->body_size = 0;
	}
	buf_clear(&ex->fields);
	server->exchanges_live--;
	if (server->is_dead || server->pool_len >= POOL_MAX) {
		exchange_free(ex);
		server_release(server);
		return;
	}
	/* reuse the most recently used exchange first: it is still in the CPU's cache */
	TAILQ_INSERT_HEAD(&server->pool, ex, link);
	server->pool_len++;
}

/*
 * The buffer grows with the bytes that arrive, never with the announced length. Returns -1 if
 * there is no memory: the size is chosen by the client, so the allocation is checked.
 */
int exchange_add_body(struct http_exchange *ex, const char *data, size_t len)
{
	size_t need = ex->body_len + len + 1;

	if (ex->sink) {
		ex->sink->add(ex->sink, data, len);
		return 0;
	}
	if (need > ex->body_size) {
		size_t size = ex->body_size ? ex->body_size : BODY_SIZE_FIRST;
		char *grown;

		while (size < need)
			size *= 2;
		grown = realloc(ex->body, size);
		if (!grown)
			return -1;
		ex->body = grown;
		ex->body_size = size;
	}
	memcpy(ex->body + ex->body_len, data, len);
	ex->body_len += len;
	return 0;
}

int exchange_is_first(const struct http_exchange *ex)
{
	return ex->conn && TAILQ_FIRST(&ex->conn->queue) == ex;
}

void exchange_end(struct http_exchange *ex)
{
	struct http_connection *conn = ex->conn;

	ex->server->counters.requests_open--;
	ex->state = EXCHANGE_ENDED;
	if (!conn) {
		if (ex->is_detached)
			TAILQ_REMOVE(&ex->server->detached, ex, link);
		ex->is_detached = 0;
		exchange_release(ex);
		return;
	}
	if (exchange_is_first(ex))
		connection_advance(conn);
	connection_wake(conn);
}

void exchange_notify_gone(struct http_exchange *ex)
{
	http_gone_fn on_gone = ex->on_gone;

	if (ex->is_gone)
		return;
	ex->is_gone = 1;
	ex->on_gone = NULL;
	ex->server->counters.gone++;
	if (on_gone)
		on_gone(ex, ex->gone_arg);
}

/* Calls no handler: exchanges whose handler must be notified go to the server's list. */
void exchange_detach(struct http_exchange *ex)
{
	ex->conn = NULL;
	if (ex->state != EXCHANGE_OPEN) {
		exchange_release(ex);
		return;
	}
	if (ex->held)
		evbuffer_free(ex->held);
	ex->held = NULL;
	if (!ex->is_gone) {
		ex->is_detached = 1;
		TAILQ_INSERT_TAIL(&ex->server->detached, ex, link);
	}
}

void exchange_notify_detached(struct http_server *server)
{
	struct http_exchange *ex;

	while ((ex = TAILQ_FIRST(&server->detached)) != NULL) {
		TAILQ_REMOVE(&server->detached, ex, link);
		ex->is_detached = 0;
		exchange_notify_gone(ex);
	}
}

const struct http_head *http_exchange_head(const struct http_exchange *ex)
{
	return ex->head;
}

const char *http_exchange_body(const struct http_exchange *ex, size_t *ret_len)
{
	*ret_len = ex->body_len;
	if (!ex->body_len)
		return "";
	/* exchange_add_body always leaves space for the NUL */
	ex->body[ex->body_len] = '\0';
	return ex->body;
}

struct http_sink *http_exchange_sink(struct http_exchange *ex)
{
	struct http_sink *sink = ex->sink;

	ex->sink = NULL;
	return sink;
}

const struct http_peer *http_exchange_peer(const struct http_exchange *ex)
{
	return &ex->peer;
}

const char *http_exchange_id(struct http_exchange *ex)
{
	if (!ex->id[0])
		snprintf(ex->id, sizeof(ex->id), "%08" PRIx32 "-%016" PRIx64, ex->server->boot,
			 ex->serial);
	return ex->id;
}

int http_exchange_is_gone(const struct http_exchange *ex)
{
	return ex->is_gone;
}

int http_exchange_trust(struct http_exchange *ex, uint64_t owner)
{
	return ex->conn ? admission_trust(ex->conn, owner) : 0;
}

void http_exchange_on_gone(struct http_exchange *ex, http_gone_fn on_gone, void *arg)
{
	ex->on_gone = on_gone;
	ex->gone_arg = arg;
}
