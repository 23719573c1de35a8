/* SPDX-License-Identifier: MIT */
/*
 * Strict conversion of Hetzner's JSON to structures: required members must exist and have
 * the right type, or the response is contradictory. Unknown members are ignored. Pure.
 * Strings are borrowed from the JSON and valid as long as it is.
 *
 * Functions return 0, or -1 if the JSON is invalid.
 */
#pragma once

#include <stdint.h>

#include <jansson.h>
#include <lessor/provider.h>

#define ID_ROOM 24	    /* a positive 64-bit number in decimal */
#define THING_LABELS_MAX 12 /* only the broker's own labels, "lessor-...", are stored */

/* What servers and keys have in common. */
struct thing {
	uint32_t kind;
	char id[ID_ROOM];
	const char *name;
	struct lessor_label labels[THING_LABELS_MAX];
	size_t label_count;
	int64_t created_ms; /* 0 if unknown */
};

/* Must begin with `thing`. */
struct server {
	struct thing thing;
	const char *status;
	const char *host;	  /* a usable IPv4 address, or "" */
	const char *local_host;	  /* instead, a loopback address of 127.1.0.0 or above, or "" */
	char address_id[ID_ROOM]; /* the id of the primary IP, "" if unknown */
	const char *type;	  /* "" if unknown */
	const char *location;
	int locked;
	int is_protected;
};

/* Must begin with `thing`: visitors of things may access the whole key. */
struct ssh_key {
	struct thing thing;
	const char *fingerprint;
};

/* A primary IP: created implicitly with a server, without labels, and billed separately. */
struct address {
	struct thing thing;
	int is_used;
	int is_v6; /* free of charge */
};

enum action_status { ACTION_RUNNING, ACTION_SUCCESS, ACTION_ERROR };

struct action {
	char id[ID_ROOM];
	const char *command;
	enum action_status status;
	int has_resource; /* it lists resources ... */
	const json_t *resources;
};

struct list_page {
	const json_t *items; /* an array */
	int64_t next;	     /* 0: this is the last page */
	int64_t total;	     /* -1: unknown */
};

int parse_id(const json_t *json, char ret[ID_ROOM]);
int parse_server(const json_t *json, struct server *ret);
/* `kind`: LESSOR_KIND_KEY or LESSOR_KIND_SENTINEL; both are SSH keys. */
int parse_key(const json_t *json, uint32_t kind, struct ssh_key *ret);
int parse_address(const json_t *json, struct address *ret);
int parse_action(const json_t *json, struct action *ret);
/* `member` is the name of the array, `page` the requested page number. */
int parse_page(const json_t *root, const char *member, int64_t page, struct list_page *ret);
/* RFC 3339; 0 if invalid. */
int64_t parse_time_ms(const char *text);
/* "0.0072000000000000" is 7200; -1 if invalid. */
int64_t parse_micros(const char *text);

const char *thing_label(const struct thing *thing, const char *key); /* NULL: none */
/* *ret borrows everything from `thing`. */
void thing_observe(const struct thing *thing, struct lessor_observed *ret);
/* Does the action refer to exactly this server? Also 1 if it lists no resources. */
int action_is_of(const struct action *action, const char *server_id);
/* Is it this command for exactly this server, which it names? */
int action_is(const struct action *action, const char *command, const char *server_id);
/* May clients connect to this address? */
int host_is_usable(const char *ipv4);
/* The same for a simulated cloud on this machine. Never 127.0.x.y. */
int host_is_local(const char *ipv4);
