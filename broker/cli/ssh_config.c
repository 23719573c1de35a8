/* SPDX-License-Identifier: MIT */
/*
 * lessor ssh-config: leases as blocks for ssh_config(5), for whatever uses the system's ssh.
 * The host key is in the block itself, by a KnownHostsCommand that prints it.
 */
#include "cli/transport.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/lease_view.h"
#include "cli/pages.h"
#include "cli/text.h"
#include "util/alloc.h"
#include "util/buf.h"

#define CONFIG_REFS_MAX 256
#define CONFIG_LINE_MAX 16384

struct config_flags {
	struct transport_flags transport;
	int direct; /* the address instead of a ProxyCommand */
};

/* A word of a command line that ssh gives to a shell after it has replaced its % tokens. */
static void word_write(struct buf *out, const char *word)
{
	auto_free char *quoted = text_shell(word);

	buf_addc(out, ' ');
	for (const char *at = quoted; *at; at++) {
		buf_addc(out, *at);
		if (*at == '%')
			buf_addc(out, '%');
	}
}

/* A file named on this command line is meant from wherever ssh is called, too. */
static void file_option_write(struct buf *out, const char *name, const char *path)
{
	auto_free char *real = path ? realpath(path, NULL) : NULL;

	if (!path)
		return;
	buf_addf(out, " %s", name);
	word_write(out, real ? real : path);
}

/* This program, with the options that say which lessord is meant. */
static char *proxy_command(const struct cli *cli, const char *id)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct buf out;

	self[len > 0 ? len : 0] = '\0';
	buf_init(&out, CONFIG_LINE_MAX);
	word_write(&out, len > 0 ? self : "lessor");
	buf_adds(&out, " ssh --stdio");
	if (cli->flags.url) {
		buf_adds(&out, " --url");
		word_write(&out, cli->flags.url);
	}
	file_option_write(&out, "--token-file", cli->flags.token_file);
	file_option_write(&out, "--ca-file", cli->flags.ca_file);
	file_option_write(&out, "--config", cli->flags.config);
	word_write(&out, id);
	return buf_take(&out);
}

static void host_key_print(const struct machine *machine)
{
	printf("    HostKeyAlias %s\n", machine->id);
	if (machine->host_key) {
		/* An older ssh ignores the line and then trusts no key at all. */
		printf("    IgnoreUnknown KnownHostsCommand\n"
		       "    KnownHostsCommand /usr/bin/env echo %s %s\n"
		       "    StrictHostKeyChecking yes\n",
		       machine->id, machine->host_key);
	} else {
		printf("    StrictHostKeyChecking no\n");
	}
	printf("    UserKnownHostsFile /dev/null\n"
	       "    GlobalKnownHostsFile /dev/null\n"
	       "    CheckHostIP no\n"
	       "    UpdateHostKeys no\n"
	       "    VerifyHostKeyDNS no\n");
}

static void block_print(const struct cli *cli, const struct transport *t, int direct)
{
	const struct machine *machine = &t->machine;
	int has_slug = strcmp(machine->name, machine->id) != 0;

	if (has_slug)
		printf("\nHost %s lessor-%s %s\n", machine->name, machine->name, machine->id);
	else
		printf("\nHost %s\n", machine->id);
	if (direct) {
		printf("    HostName %s\n    Port %d\n    ControlPath none\n", machine->host,
		       t->port);
	} else {
		auto_free char *proxy = proxy_command(cli, machine->id);

		/* Not the address: connections are shared by name, and addresses come back. */
		printf("    HostName %s\n    ProxyCommand%s\n", machine->id, proxy);
	}
	printf("    User %s\n", machine->user);
	host_key_print(machine);
	if (t->identity && !strpbrk(t->identity, "\"\r\n"))
		printf("    IdentityFile \"%s\"\n    IdentitiesOnly yes\n", t->identity);
	printf("    ServerAliveInterval 15\n    ServerAliveCountMax 4\n");
}

static int lease_has_machine(const json_t *kept, const json_t *lease)
{
	(void)kept;
	return view_is_ready(lease);
}

static int leases_named(struct cli *cli, const char **refs, int count, json_t *into)
{
	int code = -1;

	for (int i = 0; i < count && code < 0; i++) {
		json_t *doc = NULL;

		code = cli_lease_fetch(cli, refs[i], &doc);
		if (code < 0)
			json_array_append(into, view_lease(doc));
		json_decref(doc);
	}
	return code;
}

/*
 * Those that are named, or none: a file with half of them would look whole. Of all leases, one
 * that cannot be logged in to is reported and left out.
 */
static int blocks_print(struct cli *cli, const json_t *leases, const struct config_flags *f,
			int are_named)
{
	size_t count = json_array_size(leases), good = 0, i;
	struct transport *all = xcalloc(count + 1, sizeof(*all));
	int code = -1;

	for (i = 0; i < count && code < 0; i++) {
		code = transport_open(cli, json_array_get(leases, i), &f->transport, &all[good]);
		if (code < 0)
			good++;
		else
			transport_close(&all[good]);
		if (!are_named)
			code = -1;
	}
	if (code < 0) {
		printf("# Leases of %s, for ssh_config(5); lessor ssh-config prints them anew.\n",
		       cli->settings.url);
		for (i = 0; i < good; i++)
			block_print(cli, &all[i], f->direct);
		if (!count)
			text_print(stderr, "no lease has a machine; for one: lessor create");
		code = EXIT_OK;
	}
	for (i = 0; i < good; i++)
		transport_close(&all[i]);
	free(all);
	return code;
}

int command_ssh_config(struct cli *cli, int argc, char **argv)
{
	struct config_flags flags = { .direct = 0 };
	const struct argv_option own[] = {
		TRANSPORT_OPTIONS(&flags.transport),
		{ "direct", ARGV_FLAG, .seen = &flags.direct },
		{ 0 },
	};
	const char *refs[CONFIG_REFS_MAX];
	json_t *leases, *doc;
	int count = 0, has_more;
	int code = cli_parse_more(cli, own, argc, argv, refs, 0, CONFIG_REFS_MAX, &count);

	if (code < 0)
		code = transport_flags_check(cli, &flags.transport);
	if (code < 0)
		code = cli_connect(cli);
	if (code >= 0)
		return code;
	leases = json_array();
	doc = json_pack("{s:o}", "leases", leases);
	code = count ? leases_named(cli, refs, count, leases) :
		       pages_fetch(cli, "&state=active", lease_has_machine, leases, SIZE_MAX,
				   &has_more);
	if (code < 0 && cli->json) {
		cli_print_json(doc);
		code = EXIT_OK;
	} else if (code < 0) {
		code = blocks_print(cli, leases, &flags, count > 0);
	}
	json_decref(doc);
	return code;
}
