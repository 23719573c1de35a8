/* SPDX-License-Identifier: MIT */
#include "cli/commands.h"

#include <string.h>

#define LOGIN_OPTIONS                                                                               \
	"  --identity FILE  the private key; by default the one next to --ssh-key of the create,\n" \
	"                   or what ssh tries by itself\n"                                          \
	"  --accept-new-host-key\n"                                                                 \
	"                   connect even if no host key of the machine is known\n"
#define COMMAND_TEXT                                                                                  \
	"One word after -- is a line for the machine's shell; several are passed on exactly.\n"       \
	"Heartbeats are sent meanwhile. The exit code is that of the command; 255: ssh could not\n"   \
	"connect, or lost the connection. The host key of the lease is checked, and known_hosts is\n" \
	"not used. The ssh is the system's, or LESSOR_SSH.\n"

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
		"run",
		"[OPTIONS of create] [--identity FILE] [REF] -- COMMAND ...",
		"run a command in a machine, by default in a new one",
		"Without REF: creates a lease, waits until the machine is ready, runs the command, and\n"
		"releases the lease, also if the command fails or on Ctrl-C. The options of create say\n"
		"what to create; lessor create --help explains them. With REF: runs the command in the\n"
		"machine of that lease, which is not released.\n"
		"  --class C, --type T, --ttl D, --idle D, --slug S, --account A, --location L,\n"
		"  --image I, --ssh-key FILE\n"
		"                   as for create\n"
		"  --keep           do not release the lease afterwards\n"
		"  --wait[=D]       wait at most D for the lease and for it to boot, by default 15m\n" LOGIN_OPTIONS
		"  --no-tty         no terminal for the command, even if there is one here\n"
		"\n" COMMAND_TEXT,
		command_run,
	},
	{
		"ssh",
		"REF [--identity FILE] [-- COMMAND ...]",
		"log in to the machine of a lease, or run a command there",
		LOGIN_OPTIONS
		"  --no-tty         no terminal for the command, even if there is one here\n"
		"  --stdio          only carry bytes, as a ProxyCommand of ssh\n"
		"\n" COMMAND_TEXT,
		command_ssh,
	},
	{
		"cp",
		"SOURCE... TARGET",
		"copy files to or from the machine of a lease",
		"Either the sources or the target are in the machine, written REF:PATH as for scp.\n"
		"Directories are copied with everything in them. The copying is done by scp.\n" LOGIN_OPTIONS,
		command_cp,
	},
	{
		"ssh-config",
		"[REF ...]",
		"print leases for ssh_config(5), so that ssh, scp, rsync and others find them",
		"Without REF: all live leases that have a machine. `lessor ssh-config\n"
		">~/.ssh/lessor.conf`, and a first line `Include lessor.conf` in ~/.ssh/config, let\n"
		"`ssh SLUG` work. The connection passes through lessor, which sends heartbeats.\n"
		"  --direct         connect to the address, without lessor and without heartbeats\n" LOGIN_OPTIONS,
		command_ssh_config,
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
		"[--month YYYY-MM] [--all]",
		"show usage and cost",
		"  --month YYYY-MM  another month than the current one (UTC)\n"
		"  --all            of all owners (admin)\n",
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
