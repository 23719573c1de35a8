/* SPDX-License-Identifier: MIT */
#include "cli/transport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/heartbeat.h"
#include "cli/identity.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "cli/when.h"
#include "util/alloc.h"

const char *transport_program(void)
{
	const char *program = getenv("LESSOR_SSH");

	return program && *program ? program : "ssh";
}

int transport_flags_check(const struct cli *cli, const struct transport_flags *flags)
{
	if (!flags->identity || access(flags->identity, R_OK) == 0)
		return -1;
	return cli_usage_error(cli, "--identity: cannot read '%.200s'", flags->identity);
}

/* One line of known_hosts, in a file that no disk holds and that ends with this process. */
static int known_hosts_make(struct transport *t)
{
	auto_free char *line = xasprintf("%s %s\n", t->machine.id, t->machine.host_key);
	size_t len = strlen(line);

	t->known_fd = memfd_create("lessor-known_hosts", MFD_CLOEXEC);
	if (t->known_fd < 0 || write(t->known_fd, line, len) != (ssize_t)len)
		return -1;
	t->known_hosts = xasprintf("/proc/%ld/fd/%d", (long)getpid(), t->known_fd);
	return 0;
}

static int host_key_require(const struct cli *cli, const struct transport *t, int accept_any)
{
	if (t->machine.host_key || accept_any)
		return -1;
	text_error("%s: no host key is known for lease %s, so nobody can tell whether the machine "
		   "that answers at %s is the one leased; to connect all the same: "
		   "--accept-new-host-key",
		   cli->command->name, t->machine.id, t->machine.host);
	return EXIT_REFUSED;
}

int transport_open(const struct cli *cli, const json_t *lease, const struct transport_flags *flags,
		   struct transport *ret)
{
	int code;

	*ret = (struct transport){ .known_fd = -1 };
	code = machine_read(cli, lease, &ret->machine);
	if (code < 0)
		code = host_key_require(cli, ret, flags->accept_any);
	if (code >= 0)
		return code;
	ret->port = ret->machine.ports[0];
	ret->destination = xasprintf("%s.lease", ret->machine.id);
	ret->identity = flags->identity ? xstrdup(flags->identity) :
					  identity_recall(ret->machine.id);
	if (ret->machine.host_key && known_hosts_make(ret)) {
		text_error("%s: cannot create a file in memory: %m", cli->command->name);
		return EXIT_ERROR;
	}
	return -1;
}

void transport_close(struct transport *transport)
{
	machine_fini(&transport->machine);
	free(transport->destination);
	free(transport->identity);
	free(transport->known_hosts);
	if (transport->known_fd >= 0)
		close(transport->known_fd);
	*transport = (struct transport){ .known_fd = -1 };
}

int transport_await_port(struct cli *cli, struct transport *transport, const json_t *lease)
{
	int64_t end_ms = machine_patience_end(lease);
	struct heartbeat heartbeat;
	struct progress progress;
	int fd, has_ended;

	progress_init(&progress);
	heartbeat_init(&heartbeat, cli, lease);
	fd = machine_dial(&transport->machine, 0, &transport->port);
	for (int polls = 0; fd < 0 && !interrupt_pending() && !heartbeat.has_ended; polls++) {
		progress_show(&progress, "waiting until the machine of %s accepts connections",
			      transport->machine.name);
		if (heartbeat_left_ms(&heartbeat) == 0)
			heartbeat_run(&heartbeat);
		if (when_mono_ms() >= end_ms)
			break;
		when_sleep_poll(polls);
		fd = machine_dial(&transport->machine, 0, &transport->port);
	}
	progress_clear(&progress);
	has_ended = heartbeat.has_ended;
	heartbeat_fini(&heartbeat);
	if (fd >= 0) {
		close(fd);
		return -1;
	}
	if (interrupt_pending())
		return 128 + interrupt_pending();
	return has_ended ? EXIT_ENDED : machine_report_silent(cli, &transport->machine);
}

void transport_add(const struct transport *transport, struct words *words)
{
	const struct machine *machine = &transport->machine;

	words_option(words, "HostName=%s", machine->host);
	words_option(words, "Port=%d", transport->port);
	words_option(words, "User=%s", machine->user);
	words_option(words, "HostKeyAlias=%s", machine->id);
	words_option(words, "StrictHostKeyChecking=%s", machine->host_key ? "yes" : "no");
	words_option(words, "UserKnownHostsFile=%s",
		     machine->host_key ? transport->known_hosts : "/dev/null");
	words_option(words, "GlobalKnownHostsFile=/dev/null");
	words_option(words, "CheckHostIP=no");
	words_option(words, "UpdateHostKeys=no");
	words_option(words, "VerifyHostKeyDNS=no");
	/* A shared connection may lead to a machine that had this address before. */
	words_option(words, "ControlMaster=no");
	words_option(words, "ControlPath=none");
	words_option(words, "ServerAliveInterval=15");
	words_option(words, "ServerAliveCountMax=4");
	if (transport->identity) {
		words_add(words, "-i");
		words_add(words, transport->identity);
		words_option(words, "IdentitiesOnly=yes");
	}
}
