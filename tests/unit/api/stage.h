/* SPDX-License-Identifier: MIT */
/*
 * The API on a stage: real routes, a real store, the engine's real core under a virtual
 * clock with a toy provider (tests/unit/engine/world.h), and exchanges that are plain
 * structs instead of connections. One stage at a time.
 */
#pragma once

#include "table.h"

#include <jansson.h>

#include "../engine/world.h"
#include "api/api.h"
#include "api/auth.h"
#include "http/exchange.h"
#include "runs/history.h"

#define LEASE "cbx_0123456789ab"
#define TOKEN_A "cat_0123456789abcdef0123456789abcdef"
#define MINE ",\"leaseID\":\"" LEASE "\",\"createAttemptID\":\"" TOKEN_A "\",\"slug\":\"my-box\""

struct stage {
	struct world world;
	struct event_base *base;
	struct store *reader;
	struct store *runs, *runs_reader;
	struct history *history;
	int runs_are_broken; /* 1: run history is unavailable */
	struct account *accounts[1];
	struct api_config config;
	struct api *api;
	int upload_hold; /* 1: a request whose body does not end stays open */
	int hold;	 /* 1: the engine keeps requests in `held` */
	struct engine_request *held;
	char alice[TOKEN_TEXT_SIZE], bob[TOKEN_TEXT_SIZE], reader_token[TOKEN_TEXT_SIZE];
	char admin[TOKEN_TEXT_SIZE], stranger[TOKEN_TEXT_SIZE];
	/* the answer to the last request */
	int status; /* 0: no answer so far */
	char headers[1024];
	char *body;
	size_t body_len;
	json_t *json;	/* NULL if the body is not JSON */
	int trusted;	/* calls of http_exchange_trust, and heads whose rule says so */
	uint64_t owner; /* of the last */
	/* the last WebSocket; its last message is in `json` */
	struct http_socket *socket; /* NULL: closed */
	int messages;		    /* sent since the last stage_message or stage_drain */
	int is_full;		    /* what http_socket_send returns */
	int accept_fails;	    /* 1: the client disconnects during the handshake */
	uint16_t closed;	    /* the code of its close; 0: it was not closed */
};

extern struct stage stage;
/* For the next stage_setup: as if other daemons used the database; NULL: none. */
extern const struct relay_config *stage_relay;

int stage_setup(void **state);
int stage_teardown(void **state);

/* Sends the bytes of one request and lets everything that is due happen. */
int stage_send(const char *bytes, size_t len);
/* The clients of the requests that stayed open disconnect. */
void stage_uploads_drop(void);
/*
 * `token` NULL: none. `body` NULL: no body, no Content-Type. `fields`: more header lines,
 * each with CRLF, or "". Returns the status.
 */
int stage_ask(const char *method, const char *target, const char *token, const char *fields,
	      const char *body);
#define GET(target, token) stage_ask("GET", target, token, "", NULL)
#define POST(target, token, body) stage_ask("POST", target, token, "", body)
/* The text at "a.b.c" of the last answer; "" if there is none. */
const char *stage_text(const char *path);
json_t *stage_at(const char *path);
int stage_count(const char *path);	/* elements of the array there */
void stage_expect(int status, const char *error);
/* A body for a create with `more` appended, which begins with a comma. Static. */
const char *stage_create(const char *more);
/* The client sends a message; has read everything; disconnects. */
void stage_message(const char *text);
void stage_drain(void);
void stage_hang_up(void);
/* Creates alice's lease with `more` and waits until it is active. */
void stage_active(const char *more);
