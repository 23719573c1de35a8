/* SPDX-License-Identifier: MIT */
#include "cli/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cli/interrupt.h"
#include "cli/lease_view.h"
#include "cli/text.h"
#include "cli/transport.h"
#include "cli/when.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/time.h"

#define DIAL_MS 5000		    /* for one port */
#define PATIENCE_MIN_MS 5000	    /* for a machine that has been ready for long */
#define PATIENCE_NEW_MS (5 * 60000) /* after it became ready: sshd starts last */

/* ---- reading ------------------------------------------------------------------- */

static int lease_is_unusable(const struct cli *cli, const json_t *lease)
{
	auto_free char *name = view_name(lease);
	const char *state = view_text(lease, "state");
	const char *ended = view_text(lease, "endedAt");
	const char *reason = view_text(lease, "endReason");

	if (view_is_ready(lease))
		return -1;
	if (view_is_live(lease)) {
		text_error("%s: lease %s is not ready yet (%s); wait for it: lessor wait %s",
			   cli->command->name, name, state, view_text(lease, "id"));
		return EXIT_REFUSED;
	}
	text_error("%s: lease %s has ended%s%s (%s); for a new machine: lessor create",
		   cli->command->name, name, *ended ? " at " : "", ended, *reason ? reason : state);
	return EXIT_ENDED;
}

static int port_add(struct machine *machine, const char *text)
{
	int port = 0, i;

	if (!*text || strlen(text) > 5 || text[strspn(text, "0123456789")] != '\0')
		return -1;
	for (const char *at = text; *at; at++)
		port = port * 10 + (*at - '0');
	if (port < 1 || port > 65535)
		return -1;
	for (i = 0; i < machine->port_count; i++) {
		if (machine->ports[i] == port)
			return 0;
	}
	if (machine->port_count < MACHINE_PORTS_MAX)
		machine->ports[machine->port_count++] = port;
	return 0;
}

/* The ports in the order in which they are tried. */
static int ports_read(struct machine *machine, const json_t *lease)
{
	const char *first = view_text(lease, "sshPort");
	json_t *one;
	size_t i;

	if (port_add(machine, *first ? first : "22"))
		return -1;
	json_array_foreach(json_object_get(lease, "sshFallbackPorts"), i, one) {
		const char *text = json_string_value(one);

		if (port_add(machine, text ? text : ""))
			return -1;
	}
	return 0;
}

/* A type and Base64, without anything that a line of known_hosts could take for more. */
static int host_key_is_safe(const char *key)
{
	static const char type_chars[] = "abcdefghijklmnopqrstuvwxyz0123456789@.-";
	static const char base64[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789+/=";
	size_t type = strspn(key, type_chars);
	size_t blob = key[type] == ' ' ? strspn(key + type + 1, base64) : 0;

	return type && *key != '@' && *key != '-' && blob && !key[type + 1 + blob] &&
	       strlen(key) < 4096;
}

int machine_read(const struct cli *cli, const json_t *lease, struct machine *ret)
{
	const char *slug = view_text(lease, "slug");
	const char *key = view_text(lease, "sshHostKey");
	int code;

	*ret = (struct machine){ 0 };
	code = lease_is_unusable(cli, lease);
	if (code >= 0)
		return code;
	ret->id = xstrdup(view_text(lease, "id"));
	ret->name = xstrdup(*slug ? slug : ret->id);
	ret->host = xstrdup(view_text(lease, "host"));
	ret->user = xstrdup(view_text(lease, "sshUser"));
	ret->host_key = *key ? xstrdup(key) : NULL;
	if (ports_read(ret, lease) == 0 && view_is_safe(ret->id) && view_is_safe(ret->name) &&
	    view_is_safe(ret->host) && view_is_safe(ret->user) && !strchr(ret->id, ':') &&
	    (!ret->host_key || host_key_is_safe(ret->host_key)))
		return -1;
	text_error("%s: the response describes an invalid machine: lease '%s', host '%s', user "
		   "'%s', port '%s', host key '%s'",
		   cli->command->name, ret->id, ret->host, ret->user, view_text(lease, "sshPort"),
		   key);
	return EXIT_ERROR;
}

void machine_fini(struct machine *machine)
{
	free(machine->id);
	free(machine->name);
	free(machine->host);
	free(machine->user);
	free(machine->host_key);
	*machine = (struct machine){ 0 };
}

/* ---- connecting ------------------------------------------------------------------ */

/* Waits until the connection is made; returns the socket or -1. */
static int dial_finish(int fd, int64_t end)
{
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t size = sizeof(error);

	/* In slices, because a signal just before poll does not end it. */
	for (;;) {
		int64_t left = end - when_mono_ms();

		if (interrupt_pending() || left <= 0)
			break;
		if (poll(&wait, 1, left < 200 ? (int)left : 200) <= 0)
			continue;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && !error)
			return fd;
		break;
	}
	close(fd);
	return -1;
}

static int address_dial(const struct addrinfo *address)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
		return fd;
	if (errno == EINPROGRESS || errno == EINTR)
		return dial_finish(fd, when_mono_ms() + DIAL_MS);
	close(fd);
	return -1;
}

static int port_dial(const char *host, int port)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL, *one;
	char text[8];
	int fd = -1;

	snprintf(text, sizeof(text), "%d", port);
	if (getaddrinfo(host, text, &hints, &found))
		return -1;
	for (one = found; one && fd < 0 && !interrupt_pending(); one = one->ai_next)
		fd = address_dial(one);
	freeaddrinfo(found);
	return fd;
}

int machine_dial(const struct machine *machine, int64_t until_ms, int *ret_port)
{
	for (int polls = 0; !interrupt_pending(); polls++) {
		for (int i = 0; i < machine->port_count && !interrupt_pending(); i++) {
			int fd = port_dial(machine->host, machine->ports[i]);

			if (fd >= 0) {
				*ret_port = machine->ports[i];
				return fd;
			}
		}
		if (when_mono_ms() >= until_ms)
			break;
		when_sleep_poll(polls);
	}
	return -1;
}

int64_t machine_patience_end(const json_t *lease)
{
	int64_t now = when_mono_ms(), patience = PATIENCE_MIN_MS, ready, age;

	if (time_parse(view_text(lease, "readyAt"), &ready) == 0) {
		age = when_wall_ms() - ready;
		if (age > -PATIENCE_NEW_MS && PATIENCE_NEW_MS - age > patience)
			patience = PATIENCE_NEW_MS - (age > 0 ? age : 0);
	}
	return now + patience;
}

char *machine_ports_text(const struct machine *machine)
{
	struct buf out;

	buf_init(&out, 256);
	for (int i = 0; i < machine->port_count; i++)
		buf_addf(&out, "%s%d",
			 !i			      ? "" :
			 i + 1 == machine->port_count ? " or " :
							", ",
			 machine->ports[i]);
	return buf_take(&out);
}

int machine_report_silent(const struct cli *cli, const struct machine *machine)
{
	auto_free char *ports = machine_ports_text(machine);

	text_error("%s: the machine of %s does not accept connections at %s, port %s; see: lessor "
		   "show %s",
		   cli->command->name, machine->name, machine->host, ports, machine->id);
	return TRANSPORT_FAILED;
}
