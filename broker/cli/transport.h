/* SPDX-License-Identifier: MIT */
/*
 * How the system's own ssh and scp are called for one machine: they know it by the id of its
 * lease and accept only the host key of that lease, so an address that comes back with another
 * machine is no news to them. The user's known_hosts is neither read nor written.
 */
#pragma once

#include "cli/cli.h"
#include "cli/machine.h"
#include "cli/words.h"

#define TRANSPORT_FAILED 255 /* the exit code of ssh(1) if it could not connect */

/* The options that ssh, run, cp and ssh-config have in common. */
struct transport_flags {
	const char *identity; /* NULL: remembered, or ssh's default */
	int accept_any;	      /* connect although no host key is known */
};

#define TRANSPORT_OPTIONS(flags)                                               \
	{ "identity", ARGV_VALUE, .value = &(flags)->identity },               \
	{                                                                      \
		"accept-new-host-key", ARGV_FLAG, .seen = &(flags)->accept_any \
	}

struct transport {
	struct machine machine;
	/* The host that ssh and scp are called with; no block of `ssh-config` is for this name. */
	char *destination;
	int port;	   /* the one that accepts connections; the first until then */
	char *identity;	   /* NULL: ssh chooses */
	int known_fd;	   /* the known_hosts file, in memory; -1 without a host key */
	char *known_hosts; /* its path, while this process lives */
};

/* -1 if the flags are valid, otherwise the exit code after an error. */
int transport_flags_check(const struct cli *cli, const struct transport_flags *flags);
/* The program: LESSOR_SSH, or ssh on PATH. Borrowed. */
const char *transport_program(void);

/*
 * -1, or the exit code after reporting why this lease cannot be logged in to. transport_close
 * frees it, also after an error.
 */
int transport_open(const struct cli *cli, const json_t *lease, const struct transport_flags *flags,
		   struct transport *ret);
void transport_close(struct transport *transport);

/*
 * Waits for a port that accepts connections, and sends heartbeats meanwhile. -1, or the exit
 * code after an error.
 */
int transport_await_port(struct cli *cli, struct transport *transport, const json_t *lease);

/* Appends the options for this machine, which ssh and scp take alike. */
void transport_add(const struct transport *transport, struct words *words);
