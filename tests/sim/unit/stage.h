/* SPDX-License-Identifier: MIT */
/*
 * A cloud under test, with a clock controlled by the test.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "sim/cloud.h"

#define KEY_A "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA a"
#define KEY_B "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB b"

struct stage {
	struct cloud *cloud;
	int64_t now_ms;
	const char *token;	      /* sent with the next requests; NULL: none */
	int reused;		      /* the next requests use a reused connection */
	struct cloud_response answer; /* to the last request */
	json_t *json;		      /* its body; NULL: not JSON */
};

/* For cmocka's setup and teardown; *state is the stage. */
int stage_open(void **state);
int stage_close(void **state);

/* Sends a request; returns the status. Targets omit "/v1", except those under /_sim. */
int ask(struct stage *s, const char *method, const char *target, const char *body);
int resume(struct stage *s); /* executes the held request; returns the status */
void pass(struct stage *s, int64_t ms);

/* Sends a request and expects this status. */
void want(struct stage *s, int status, const char *method, const char *target, const char *body);
/* Adds a fault rule, written with ' instead of ". */
void fault(struct stage *s, const char *rule);

/* From the last response, by a path like "server.status" or "servers.0.id". */
const json_t *member(const struct stage *s, const char *path);
const char *text(const struct stage *s, const char *path); /* "" if not a string */
int64_t number(const struct stage *s, const char *path);   /* -1 if not an integer */
const char *error_code(const struct stage *s);

/* Creates a server in nbg1 and returns its id; the response remains available. */
int64_t make_server(struct stage *s, const char *name);
size_t count_of(struct stage *s, enum cloud_kind kind); /* in the real state */
int happened(struct stage *s, const char *what);	/* how often */
