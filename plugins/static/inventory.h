/* SPDX-License-Identifier: MIT */
/*
 * The inventory: which hosts there are. A JSON file, since a program often writes it and
 * since its lists keep the words of a command apart:
 *
 *   {
 *     "defaults": { "types": ["small"], "location": "rack1", "probe": "ssh",
 *                   "reset": ["/usr/bin/ssh", "root@{address}", "/usr/local/sbin/wipe"] },
 *     "hosts": [
 *       { "name": "a1", "address": "192.0.2.11" },
 *       { "name": "a2", "address": "192.0.2.12", "types": ["large"], "drain": true }
 *     ]
 *   }
 *
 * Hosts are given out in the file's order. What a host does not say, "defaults" says; a key
 * that is not known is an error. A host's keys:
 *
 *   name          [a-z0-9.-]{1,63}; what the pool's records call it. Never give a name to
 *                 another machine while it is leased.
 *   address       what clients connect to: a numeric address, or a host name.
 *   port          of SSH, for the probe; 22.
 *   types         the server types that it is good for: at least one.
 *   location      one word; "pool".
 *   architecture  "x86" (the preset) or "arm".
 *   drain         true: it is not given out any more; a lease that has it keeps it.
 *   probe         "none" (the preset), "tcp" (its port accepts a connection), "ssh" (and
 *                 speaks SSH), or a command that succeeds if the host is well.
 *   prepare       a command that makes it ready for its holder, whose public key is a line on
 *                 the command's standard input.
 *   reset         a command that takes away what a holder left. A host goes to no other
 *                 holder before it has succeeded.
 *
 * Commands are lists of words (command.h). The same address and port may stand there once.
 */
#pragma once

#include <stddef.h>

#include "command.h"

#define HOST_NAME_ROOM 64
#define ADDRESS_ROOM 64
#define WORD_ROOM 32
#define HOST_TYPES_MAX 16
#define HOSTS_MAX 5000
#define INVENTORY_BYTES_MAX (4 << 20)

enum probe_kind { PROBE_NONE, PROBE_TCP, PROBE_SSH, PROBE_COMMAND };

struct host {
	char name[HOST_NAME_ROOM];
	char address[ADDRESS_ROOM];
	char location[WORD_ROOM];
	char architecture[WORD_ROOM];
	char types[HOST_TYPES_MAX][WORD_ROOM];
	int type_count;
	int port;
	int drain;
	enum probe_kind probe;
	struct command probe_command, prepare, reset;
};

struct inventory {
	struct host *hosts;
	size_t count;
};

/* Read once and never changed; many threads may read it. On -1 `why` is one line for people. */
int inventory_load(const char *path, struct inventory **ret, char *why, size_t room);
void inventory_free(struct inventory *inventory);	/* NULL is fine */

/* NULL: not there (any more). */
const struct host *inventory_find(const struct inventory *inventory, const char *name);
int host_has_type(const struct host *host, const char *type);
