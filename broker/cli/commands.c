/* SPDX-License-Identifier: MIT */
#include "cli/commands.h"

#include <string.h>

const struct command commands[] = {
	{
		"create",
		"[--class C | --type T] [--ttl D] [--idle D] [--slug S] [--account A]\n"
		"                     [--location L] [--image I] [--ssh-key FILE] [--keep]\n"
		"                     [--wait[=D] | --no-wait]",
		"lease a machine and wait until it is ready",
		"  --class C        a class of server types, tried in order\n"
		"  --type T         exactly this server type\n"
		"  --ttl D          maximum lifetime of the lease (90s, 30m, 2h, 1d, 1h30m)\n"
		"  --idle D         end the lease after this long without a heartbeat\n"
		"  --slug S         a short name for the lease\n"
		"  --account A      the account of lessord in which to create the machine\n"
		"  --location L     where to create the machine\n"
		"  --image I        the operating system image\n"
		"  --ssh-key FILE   the SSH public key that may log in; the default is the first of\n"
		"                   id_ed25519.pub, id_ecdsa.pub and id_rsa.pub in ~/.ssh\n"
		"  --keep           a release without --delete keeps the server\n"
		"  --wait[=D]       wait until the machine is ready (the default), at most D or 15m\n"
		"  --no-wait        return as soon as lessord has accepted the request\n"
		"\n"
		"On Ctrl-C the create is cancelled; if anything may remain, lessor says so. If the\n"
		"response is lost, the same request is repeated, which creates no second machine.\n",
		command_create,
	},
	{
		"list",
		"[--all | --state S | --retained | --attention]",
		"list leases that are live or not fully cleaned up",
		"  --all            all leases, including those that are over\n"
		"  --state S        provisioning, active, released, expired or failed\n"
		"  --retained       leases whose server is kept, with the cost so far\n"
		"  --attention      leases that need operator action, and what to do about each\n",
		command_list,
	},
	{
		"show",
		"REF",
		"show everything about one lease",
		"REF is the id of a lease or, while it is live, its slug.\n",
		command_show,
	},
	{
		"events",
		"REF [--follow]",
		"show the timeline of a lease",
		"  --follow         continue until nothing of the lease remains; with --json, print\n"
		"                   one event per line\n",
		command_events,
	},
	{
		"heartbeat",
		"REF [--idle D]",
		"report that a lease is still in use",
		"  --idle D         from now on, end it after this long without a heartbeat\n",
		command_heartbeat,
	},
	{
		"release",
		"REF [--keep-server [--until T] [--reason TEXT] | --delete]\n"
		"                      [--no-wait]",
		"release a lease and wait until it is cleaned up",
		"  --keep-server    end the lease and keep its server, which keeps costing money\n"
		"                   until a release --delete\n"
		"  --until T        how long to keep it, such as 7d or 2026-08-21T10:00:00Z; after\n"
		"                   that the lease is marked attention, and nothing is deleted\n"
		"  --reason TEXT    why it is kept\n"
		"  --delete         delete the server, even if --keep or --keep-server kept it\n"
		"  --no-wait        do not wait for the cleanup; without this, wait at most 5m\n"
		"\n"
		"Without --keep-server or --delete, the --keep of the create decides.\n",
		command_release,
	},
	{
		"resolve",
		"REF retry | forget | adopt ID [--resource ROW] [--reason TEXT]",
		"resolve a lease in attention",
		"  retry            retry the cleanup now (owners may do this, too)\n"
		"  forget           what remains is not ours: never delete it\n"
		"  adopt ID         the resource of this row is the one with this id at the provider;\n"
		"                   a delete first reads it and checks that it is ours\n"
		"  --resource ROW   only this row; lessor show lists the rows\n"
		"  --reason TEXT    why; recorded in the timeline with your name; required, except\n"
		"                   for retry\n",
		command_resolve,
	},
	{
		"sweep",
		"[--run | --looked | --delete] [--account A] [--reason TEXT]",
		"show or delete orphans: resources of ours that no lease knows (admin)",
		"Without an option: what the last sweep found, and what --delete would delete.\n"
		"  --run            sweep again soon\n"
		"  --looked         confirm that you have checked the resources that the database\n"
		"                   does not know\n"
		"  --delete         delete the orphans that may be deleted, a few at a time\n"
		"  --account A      only in this account\n"
		"  --reason TEXT    why; recorded in the timeline\n",
		command_sweep,
	},
	{
		"account",
		"take-over NAME --looked [--reason TEXT]",
		"end the fencing of an account (admin)",
		"An account is fenced when lessord's database may be older than the account: an older\n"
		"copy was restored, the file was moved, or a second lessord has taken over. In a fenced\n"
		"account nothing is created, deleted or expired. First check lessor sweep, lessor list\n"
		"--retained and lessor list --attention, and make sure that no other lessord uses this\n"
		"account.\n"
		"  --looked         confirm that you have checked, and that this database is the newest\n"
		"  --reason TEXT    why; recorded in lessord's log with your name\n",
		command_account,
	},
	{
		"providers",
		"",
		"list the accounts that can create machines, and the classes",
		"",
		command_providers,
	},
	{
		"usage",
		"[--month YYYY-MM] [--all] [--csv]",
		"show usage and cost, in the currency of each account",
		"  --month YYYY-MM  another month than the current one (UTC)\n"
		"  --all            of all owners (admin)\n"
		"  --csv            one line per machine, as the provider bills it\n"
		"\n"
		"COST is what has been billed, such as started hours, for every machine from its\n"
		"creation until it is proven gone. RESERVED adds what live leases cost until their end.\n",
		command_usage,
	},
	{ "whoami", "", "show the identity that your token has", "", command_whoami },
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
