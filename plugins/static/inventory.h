/* SPDX-License-Identifier: MIT */
/*
 * The inventory: the list of hosts. It is a JSON file, since it is often generated and since
 * its lists keep the words of a command separate:
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
 * Hosts are allocated in the order of the file. "defaults" provides the keys that a host
 * does not set; unknown keys are errors. The keys of a host:
 *
 *   name          [a-z0-9.-]{1,63}; its name in the pool's records. Do not reuse the name for
 *                 another machine while it is leased.
 *   address       the address for clients: a numeric address or a host name.
 *   port          the SSH port, for the probe; default 22.
 *   types         the server types that it satisfies: at least one.
 *   location      one word; default "pool".
 *   architecture  "x86" (default) or "arm".
 *   drain         true: not allocated any more; a lease that has it keeps it.
 *   probe         "none" (default), "tcp" (its port accepts a connection), "ssh" (its port
 *                 also speaks SSH), or a command that succeeds if the host is healthy.
 *   prepare       a command that prepares the host for its holder, whose public key is one
 *                 line on the command's standard input.
 *   reset         a command that removes what a holder left. The host is not allocated again
 *                 until it has succeeded.
 *
 * Commands are lists of words (command.h). Address and port together must be unique.
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

/* Immutable after loading; many threads may read it. On -1 `why` is one line for the operator. */
int inventory_load(const char *path, struct inventory **ret, char *why, size_t room);
void inventory_free(struct inventory *inventory); /* takes NULL */

/* NULL: not in the inventory (any more). */
const struct host *inventory_find(const struct inventory *inventory, const char *name);
int host_has_type(const struct host *host, const char *type);
