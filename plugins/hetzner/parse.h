/* SPDX-License-Identifier: MIT */
/*
 * From Hetzner's JSON to structures, strictly: what we rely on must be there and
 * of its type, or the answer is contradictory. What we do not know is ignored.
 * Pure. Texts are borrowed from the JSON and live as long as it does.
 *
 * Functions return 0, or -1 when the JSON is not what it must be.
 */
#pragma once

#include <stdint.h>

#include <jansson.h>
#include <lessor/provider.h>

#define ID_ROOM 24		/* a positive 64-bit number in decimal */
#define THING_LABELS_MAX 12	/* only the broker's own, "lessor-...", are kept */

/* What servers and keys have in common. */
struct thing {
	uint32_t kind;
	char id[ID_ROOM];
	const char *name;
	struct lessor_label labels[THING_LABELS_MAX];
	size_t label_count;
	int64_t created_ms;	/* 0 if not told, or not understood */
};

/* `thing` comes first here, too. */
struct server {
	struct thing thing;
	const char *status;
	const char *host;	/* a usable IPv4 address, "" while there is none */
	const char *local_host;	/* instead, on this machine: 127.1.0.0 and above; "" */
	char address_id[ID_ROOM];	/* of the object that it is, "" if not told */
	const char *type;	/* "" if not told */
	const char *location;
	int locked;
	int is_protected;
};

/* `thing` comes first: what visits keys as things may see the whole key. */
struct ssh_key {
	struct thing thing;
	const char *fingerprint;
};

/* A "primary IP": made by itself with a server, without labels, and billed on its own. */
struct address {
	struct thing thing;
	int is_used;
	int is_v6;	/* costs nothing */
};

enum action_status { ACTION_RUNNING, ACTION_SUCCESS, ACTION_ERROR };

struct action {
	char id[ID_ROOM];
	const char *command;
	enum action_status status;
	int has_resource;	/* it names resources ... */
	const json_t *resources;
};

struct list_page {
	const json_t *items;	/* an array */
	int64_t next;		/* 0: this was the last */
	int64_t total;		/* -1: not told */
};

int parse_id(const json_t *json, char ret[ID_ROOM]);
int parse_server(const json_t *json, struct server *ret);
/* `kind`: LESSOR_KIND_KEY or LESSOR_KIND_SENTINEL; both are SSH keys. */
int parse_key(const json_t *json, uint32_t kind, struct ssh_key *ret);
int parse_address(const json_t *json, struct address *ret);
int parse_action(const json_t *json, struct action *ret);
/* `member` is the name of the array; `page` the number that was asked for. */
int parse_page(const json_t *root, const char *member, int64_t page, struct list_page *ret);
/* RFC 3339; 0 if it is none. */
int64_t parse_time_ms(const char *text);
/* "0.0072000000000000" is 7200. -1 if it is no price. */
int64_t parse_micros(const char *text);

const char *thing_label(const struct thing *thing, const char *key);	/* NULL: none */
/* Borrows everything from `thing`. */
void thing_observe(const struct thing *thing, struct lessor_observed *ret);
/* Does the action name exactly this one server? Also 1 when it names nothing. */
int action_is_of(const struct action *action, const char *server_id);
/* May a client be sent there? */
int host_is_usable(const char *ipv4);
/* May it be, when the cloud is a simulated one on this machine? Never 127.0.x.y. */
int host_is_local(const char *ipv4);
