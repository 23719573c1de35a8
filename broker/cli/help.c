/* SPDX-License-Identifier: MIT */
#include "cli/help.h"

#include <string.h>

#include "cli/cli.h"

#ifndef LESSOR_VERSION
#define LESSOR_VERSION "0"
#endif

static const struct command commands[] = {
	{
		"create",
		"[--class C | --type T] [--ttl D] [--idle D] [--slug S] [--account A]\n"
		"                     [--location L] [--image I] [--ssh-key FILE] [--keep]\n"
		"                     [--wait[=D] | --no-wait]",
		"lease a machine and wait until it is there",
		"  --class C        a list of server types, tried in its order\n"
		"  --type T         this server type and no other\n"
		"  --ttl D          how long the lease lives at most (90s, 30m, 2h, 1d, 1h30m)\n"
		"  --idle D         how long it lives without a heartbeat\n"
		"  --slug S         a short name for it\n"
		"  --account A      which of the server's accounts makes it\n"
		"  --location L     where\n"
		"  --image I        the operating system's image\n"
		"  --ssh-key FILE   the public key that may log in; without it the first of\n"
		"                   id_ed25519.pub, id_ecdsa.pub and id_rsa.pub in ~/.ssh\n"
		"  --keep           a plain release of the lease keeps its server\n"
		"  --wait[=D]       wait for the machine, 15m at most; this is what happens anyway\n"
		"  --no-wait        return when the server has taken the request\n"
		"\n"
		"Ctrl-C takes the create back, and says so if something may be left. A lost answer\n"
		"is asked for again under the same name and makes no second machine.\n",
		command_create,
	},
	{
		"list", "[--all | --state S | --retained | --attention]",
		"leases that live, or that something is left of",
		"  --all            those that have ended too\n"
		"  --state S        provisioning, active, released, expired or failed\n"
		"  --retained       those whose server is kept, with what it has cost so far\n"
		"  --attention      those that need a person, and what to do about each\n",
		command_list,
	},
	{
		"show", "REF", "everything about one lease",
		"REF is a lease's id or, while it lives, its slug.\n",
		command_show,
	},
	{
		"events", "REF [--follow]", "what happened to a lease",
		"  --follow         go on until nothing of the lease is left; with --json one\n"
		"                   event a line\n",
		command_events,
	},
	{
		"heartbeat", "REF [--idle D]", "say that a lease is still in use",
		"  --idle D         from now on it lives that long without a heartbeat\n",
		command_heartbeat,
	},
	{
		"release", "REF [--keep-server [--until T] [--reason TEXT] | --delete]\n"
		"                      [--no-wait]",
		"give a lease back and wait until it is cleaned up",
		"  --keep-server    end the lease and leave its server running; it goes on costing\n"
		"                   money until a release --delete\n"
		"  --until T        till when it is to be kept, 7d or 2026-08-21T10:00:00Z: then the\n"
		"                   lease asks for a person, and nothing is deleted\n"
		"  --reason TEXT    why it is kept\n"
		"  --delete         delete the server, of a lease made with --keep or kept before\n"
		"  --no-wait        do not wait for the cleanup (else 5m at most)\n"
		"\n"
		"Without either the lease's own --keep decides.\n",
		command_release,
	},
	{
		"resolve", "REF retry | forget | adopt ID [--resource ROW] [--reason TEXT]",
		"decide about a lease that cannot go on by itself",
		"  retry            try what is owed again now (also for the lease's owner)\n"
		"  forget           what is left of it is not ours: it is never deleted by us\n"
		"  adopt ID         the provider's ID is what the row means; before a delete it is\n"
		"                   read, and must prove to be ours\n"
		"  --resource ROW   only this row; lessor show names the rows\n"
		"  --reason TEXT    why; it stays in the timeline with your name\n",
		command_resolve,
	},
	{
		"sweep", "[--run | --looked | --delete] [--account A] [--reason TEXT]",
		"what is ours at the providers and in no ledger (admin)",
		"Without a flag: what the last sweep saw, and what would be deleted.\n"
		"  --run            look again soon\n"
		"  --looked         somebody has looked at what the store does not know\n"
		"  --delete         delete what may be, a few at a time\n"
		"  --account A      only there\n"
		"  --reason TEXT    why; it stays in the timeline\n",
		command_sweep,
	},
	{
		"account", "take-over NAME --looked [--reason TEXT]",
		"end the fencing of an account (admin)",
		"An account is fenced when the server's database may be older than the account: an older\n"
		"copy was restored, the file was moved, or a second lessord has taken over. Until then\n"
		"nothing is created, deleted or expired there. Look first at lessor sweep, lessor list\n"
		"--retained and lessor list --attention, and make sure that no other lessord runs with\n"
		"this account.\n"
		"  --looked         you have looked; this database is the newest one\n"
		"  --reason TEXT    why; it stays in the server's log with your name\n",
		command_account,
	},
	{ "providers", "", "the accounts that can make machines", "", command_providers },
	{
		"usage", "[--month YYYY-MM] [--all]", "what was used and what it costs",
		"  --month YYYY-MM  another month than this one (UTC)\n"
		"  --all            of everybody, for an admin\n",
		command_usage,
	},
	{ "whoami", "", "who the server takes us for", "", command_whoami },
	{ 0 },
};

static const char common_text[] =
	"flags of every command:\n"
	"  --url URL          the server: https://HOST, http://HOST:PORT or unix:/PATH\n"
	"  --token-file FILE  where the token is\n"
	"  --config FILE      other settings than ~/.config/lessor/lessor.conf\n"
	"  --json             the server's JSON instead of text\n"
	"  --help             of the command, if there is one\n"
	"  --version\n";

static const char settings_text[] =
	"settings, each from the first place that has it:\n"
	"  url      --url, LESSOR_URL, CRABBOX_COORDINATOR, `url` in the file\n"
	"  token    --token-file, LESSOR_TOKEN, LESSOR_TOKEN_FILE, CRABBOX_COORDINATOR_TOKEN\n"
	"           (for that coordinator's URL only), `token_file` in the file\n"
	"  account  --account, `account` in the file\n"
	"  class    --class, `class` in the file\n"
	"The file is $XDG_CONFIG_HOME/lessor/lessor.conf, or that below ~/.config, with lines\n"
	"`key = value`. There is no --token: every user of a machine can read a command line.\n";

const struct command *help_find(const char *name)
{
	const struct command *c;

	for (c = commands; c->name; c++) {
		if (!strcmp(c->name, name))
			return c;
	}
	return NULL;
}

void help_all(FILE *to)
{
	const struct command *c;

	fputs("usage: lessor [FLAGS] COMMAND [FLAGS]\n\nLeases machines from a lessord.\n\n"
	      "commands:\n", to);
	for (c = commands; c->name; c++)
		fprintf(to, "  %-10s %s\n", c->name, c->summary);
	fprintf(to, "\n%s\n%s\nexit codes:\n", common_text, settings_text);
#define X(name, number, text) fprintf(to, "  %3d  %s\n", number, text);
	EXITS(X)
#undef X
}

void help_command(FILE *to, const struct command *command)
{
	if (!command) {
		help_all(to);
		return;
	}
	fprintf(to, "usage: lessor %s%s%s\n\n%s.\n\n", command->name, *command->usage ? " " : "",
		command->usage, command->summary);
	if (*command->help)
		fprintf(to, "%s\n", command->help);
	fputs(common_text, to);
	fputs("\n`lessor --help` lists the settings and the exit codes.\n", to);
}

void help_version(FILE *to)
{
	fputs("lessor " LESSOR_VERSION "\n", to);
}
