/* SPDX-License-Identifier: MIT */
/*
 * The machine of a lease as ssh needs it. All of it comes from a response, and is checked
 * before any of it becomes a word of a command line or a line of a configuration.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "cli/cli.h"

#define MACHINE_PORTS_MAX 9 /* sshPort and 8 sshFallbackPorts */

struct machine {
	char *id;   /* cbx_ and 12 hex digits: what ssh knows the machine by */
	char *name; /* the slug; the id if it has none */
	char *host; /* an address, or a name */
	char *user;
	char *host_key; /* "ssh-ed25519 BASE64"; NULL: none is known */
	int ports[MACHINE_PORTS_MAX];
	int port_count;
};

/*
 * Copies what ssh needs of a lease that is ready. -1, or an exit code after reporting why there
 * is no such machine, and the next command. machine_fini frees it, also after an error.
 */
int machine_read(const struct cli *cli, const json_t *lease, struct machine *ret);
void machine_fini(struct machine *machine);

/*
 * Connects to the first port that accepts; *ret_port is that port. Waits for one until `until_ms`
 * (when_mono_ms; 0: only one round). Returns the socket, non-blocking; -1 if none accepts or a
 * signal came (interrupt_pending).
 */
int machine_dial(const struct machine *machine, int64_t until_ms, int *ret_port);
/* How long to wait for a machine to accept connections: it may have become ready just now. */
int64_t machine_patience_end(const json_t *lease);
/* Says that no port accepts. Returns the exit code of ssh(1) for that, 255. */
int machine_report_silent(const struct cli *cli, const struct machine *machine);
/* "2222 or 22"; the caller frees. */
char *machine_ports_text(const struct machine *machine);
