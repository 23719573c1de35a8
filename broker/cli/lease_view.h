/* SPDX-License-Identifier: MIT */
/*
 * The lease in a response: reads its fields and prints it. Every field may be missing, since
 * a coordinator other than lessord lacks our extensions.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* What may still exist of a lease that has ended. */
enum view_left {
	LEFT_NOTHING,
	LEFT_PENDING,	/* cleanup continues until it is gone */
	LEFT_ATTENTION, /* it needs operator action */
	LEFT_KEPT,	/* kept at the client's request; it costs money */
};

/* "" if there is no such string. `object` may be NULL. */
const char *view_text(const json_t *object, const char *key);
int64_t view_int(const json_t *object, const char *key);	/* 0 if none */
double view_real(const json_t *object, const char *key);

/* The lease in a response; NULL if there is none with an id. Borrowed. */
json_t *view_lease(const json_t *doc);
int view_is_live(const json_t *lease);		/* provisioning or active */
int view_is_ready(const json_t *lease);		/* active, with a host */
enum view_left view_what_is_left(const json_t *lease);

/* "cbx_... (slug)"; the caller frees. */
char *view_name(const json_t *lease);
/* The residue, such as "server 4711 (name), ssh_key 12"; "" if none; the caller frees. */
char *view_residue(const json_t *lease);
/* Why it needs operator action, without what to do; "" if it does not; the caller frees. */
char *view_attention_reason(const json_t *lease);
/* "1.08 EUR/h"; "" if there is no price; the caller frees. */
char *view_price(const json_t *lease);

/* 1 if `text` is a bare word for a shell and for ssh: no spaces, quotes or leading '-'. */
int view_is_safe(const char *text);
/*
 * Prints `ready: HOST PORT USER` and the ssh command; `key_path` may be NULL. -1, and an
 * error is reported, if one of them is unsafe to paste into a shell.
 */
int view_print_ready(FILE *to, const json_t *lease, const char *key_path);
/* Prints the attempts so far, one per line. */
void view_print_attempts(FILE *to, const json_t *lease);
/* One of provisioningAttempts as text; the caller frees. */
char *view_attempt(const json_t *attempt);
/* The type and the text of a timeline event; borrowed. */
const char *view_event_type(const json_t *event);
const char *view_event_text(const json_t *event);
/* Prints all fields that matter to users, one per line. */
void view_print(FILE *to, const json_t *lease);
