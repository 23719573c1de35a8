/* SPDX-License-Identifier: MIT */
#include "cli/commands.h"

#include <string.h>

const struct command commands[] = {
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

const struct command *commands_find(const char *name)
{
	const struct command *c;

	for (c = commands; c->name; c++) {
		if (!strcmp(c->name, name))
			return c;
	}
	return NULL;
}
