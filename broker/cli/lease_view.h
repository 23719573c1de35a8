/* SPDX-License-Identifier: MIT */
/*
 * The lease in a server's answer: reading its fields, whatever the server left
 * out, and showing it to people. Understands servers without our extensions.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* What may still exist of a lease that has ended. */
enum view_left {
	LEFT_NOTHING,
	LEFT_PENDING,	/* the server goes on until it is gone */
	LEFT_ATTENTION,	/* it waits for a person */
	LEFT_KEPT,	/* kept at the client's wish; it costs money */
};

/* "" if there is no such text. `object` may be NULL. */
const char *view_text(const json_t *object, const char *key);
int64_t view_int(const json_t *object, const char *key);	/* 0 if none */
double view_real(const json_t *object, const char *key);

/* The lease of an answer; NULL if it has none with an id. Borrowed. */
json_t *view_lease(const json_t *doc);
int view_is_live(const json_t *lease);		/* provisioning or active */
int view_is_ready(const json_t *lease);		/* active, with a host */
enum view_left view_what_is_left(const json_t *lease);

/* "cbx_... (slug)"; the caller frees. */
char *view_name(const json_t *lease);
/* "server 4711 (name), ssh key ..." of the residue, "" if none is named; the caller frees. */
char *view_residue(const json_t *lease);
/* "1.08 EUR/h", "" if the server named no price; the caller frees. */
char *view_price(const json_t *lease);

/*
 * `ready: HOST PORT USER` and the ssh command; `key_path` may be NULL. -1 if the
 * server sent something there that must not be pasted into a shell.
 */
int view_print_ready(FILE *to, const json_t *lease, const char *key_path);
/* The attempts so far, one line each. */
void view_print_attempts(FILE *to, const json_t *lease);
/* One of provisioningAttempts as text; the caller frees. */
char *view_attempt(const json_t *attempt);
/* What an event of the timeline is, and its sentence; borrowed. */
const char *view_event_type(const json_t *event);
const char *view_event_text(const json_t *event);
/* Every field that people want, one per line. */
void view_print(FILE *to, const json_t *lease);
