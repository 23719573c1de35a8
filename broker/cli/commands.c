/* SPDX-License-Identifier: MIT */
#include "cli/commands.h"

#include <string.h>

#include "cli/help.h"

#define NAME_MAX_BYTES 16
#define DISTANCE_MAX 2 /* letters to change, add, drop or swap */

static int command_help(struct cli *cli, int argc, char **argv);

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
		"                     [--wait[=D] | --no-wait] [--wait-for-capacity[=D]]",
		"lease a machine and wait until it is ready",
		"  --class C        a class of server types, tried in order; lessor classes lists them\n"
		"  --type T         exactly this server type\n"
		"  --ttl D          maximum lifetime of the lease (90s, 30m, 2h, 1d, 1h30m); without\n"
		"                   --idle, heartbeats are not needed: the idle timeout is D as well\n"
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
		"  --wait-for-capacity[=D]\n"
		"                   at a limit, wait in a fair queue for capacity, at most D or 1d,\n"
		"                   and show the place in it\n"
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
		"  --wait[=D]       wait at most D for the lease and for it to boot, by default 15m\n"
		"  --wait-for-capacity[=D]\n"
		"                   as for create\n" LOGIN_OPTIONS
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
		"[--all | --state S | --retained | --attention] [--class C]\n"
		"                   [--account A] [--since T] [--owner O]",
		"list leases that are live or not fully cleaned up",
		"  --all            all leases, including those that are over\n"
		"  --state S        provisioning, active, released, expired or failed\n"
		"  --retained       leases whose server is kept, with the cost so far\n"
		"  --attention      leases that need operator action: why, and what to enter next\n"
		"  --class C        only leases of this class\n"
		"  --account A      only leases in this account\n"
		"  --since T        only leases created since then: a duration such as 2d, a date or a\n"
		"                   time\n"
		"  --owner O        only leases of this owner (admin)\n"
		"\n"
		"Price is per hour. Ends tells when a live lease ends, or when it ended.\n",
		command_list,
	},
	{
		"queue",
		"",
		"show your leases that wait for capacity, and their places",
		"Owners take turns in each account; of one owner, who came first is served first.\n"
		"LIMIT is what a lease waits for: the limit of its owner, org or account, the total,\n"
		"or only those before it in the queue.\n",
		command_queue,
	},
	{
		"show",
		"REF",
		"show everything about one lease",
		"REF is the id of a lease, or a slug: of a live lease, else of the one of yours that ended\n"
		"last.\n",
		command_show,
	},
	{
		"events",
		"[REF] [--follow]",
		"show the timeline of a lease, or follow all leases",
		"  --follow         continue until nothing of the lease remains; without REF, show what\n"
		"                   happens to all leases from now on; with --json, print one event per\n"
		"                   line\n",
		command_events,
	},
	{
		"wait",
		"REF [--for ready|gone] [--timeout D]",
		"wait until a machine is ready, or until nothing of it is left",
		"  --for ready      until one can log in (the default)\n"
		"  --for gone       until the lease has ended and nothing of it is left\n"
		"  --timeout D      at most D; the default is 15m\n",
		command_wait,
	},
	{
		"keepalive",
		"REF",
		"send heartbeats until interrupted or until the lease ends",
		"The interval is a third of the idle timeout, from 5s to 60s. Heartbeats do not extend\n"
		"the time to live.\n",
		command_keepalive,
	},
	{
		"heartbeat",
		"REF [--idle D]",
		"report that a lease is still in use",
		"  --idle D         from now on, end it after this long without a heartbeat\n",
		command_heartbeat,
	},
	{
		"extend",
		"REF DURATION",
		"let a lease live longer: DURATION from now on",
		"The lease ends DURATION (90s, 30m, 2h, 1d) after this command at the earliest, with or\n"
		"without heartbeats: both its lifetime and its idle timeout are raised if they are\n"
		"shorter. Nothing is ever shortened. More than the server allows is reduced, which is\n"
		"reported.\n",
		command_extend,
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
		"token",
		"[list [--all] | add --owner O [--org O] [--role R] [--label TEXT]\n"
		"                    [--expires D] | rotate ID [--grace D] [--expires D] | revoke ID]",
		"show, make, replace or revoke the tokens of clients (admin)",
		"  list             the valid tokens, with their last use (the default)\n"
		"  add              make a token and print it; it is never shown again\n"
		"  rotate ID        print a new token in place of this one, which stays valid for a grace\n"
		"  revoke ID        end a token at once, with its open connections\n"
		"  --all            with list: those that ended, too\n"
		"  --owner O        the owner of the token, often an e-mail address\n"
		"  --org O          the organisation; the default is \"default\"\n"
		"  --role R         user (the default), reader or admin\n"
		"  --label TEXT     what the token is for, up to 64 bytes\n"
		"  --expires D      how long it is valid, such as 12h or 90d; without it, for ever, and\n"
		"                   rotate keeps the lifetime that the old one had\n"
		"  --grace D        how long the old one stays valid, by default 24h; 0: it is revoked\n"
		"\n"
		"The last admin token is not revoked; lessord token revoke does that on the server.\n",
		command_token,
	},
	{
		"daemons",
		"",
		"show the lessord on this database, and which of them owns which account (admin)",
		"",
		command_daemons,
	},
	{
		"providers",
		"",
		"list the accounts that can create machines, and the classes",
		"",
		command_providers,
	},
	{
		"classes",
		"[--account A]",
		"list the classes of server types and what they cost",
		"  --account A      the prices in this account of lessord\n",
		command_classes,
	},
	{
		"capacity",
		"",
		"show how much of which limit is used",
		"",
		command_capacity,
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
	{
		"login",
		"[--url URL] [--name NAME] [--token-stdin]",
		"save a server and its token as a context, and use it",
		"The token is asked for on the terminal, without echo. It is tried before anything is\n"
		"saved. Without --url, it is a new token for the context in use, or for --name.\n"
		"  --name NAME      the name of the context; the default is the host of the URL\n"
		"  --token-stdin    read the token from standard input; --token-file FILE reads it\n"
		"                   from a file, and the context gets a copy\n",
		command_login,
	},
	{
		"logout",
		"[NAME]",
		"remove the token of a context from this machine",
		"NAME is the context; the default is the one in use.\n",
		command_logout,
	},
	{
		"context",
		"[list | use NAME | remove NAME | show [NAME]]",
		"list the saved servers, or choose one",
		"  list             the contexts; the one in use is marked (the default)\n"
		"  use NAME         use this one from now on; none: lessor.conf\n"
		"  remove NAME      remove it and its token\n"
		"  show [NAME]      what a command would use, and from where it takes it\n",
		command_context,
	},
	{
		"doctor",
		"",
		"check the settings, the server, the token and the programs needed",
		"Changes nothing, and says what to do about what is wrong. The exit code is 1 if a check\n"
		"failed. lessord doctor does the same on the server.\n",
		command_doctor,
	},
	{ "version", "", "show the versions of lessor and lessord", "", command_version },
	{ "help", "[COMMAND]", "show this help, or that of a command", "", command_help },
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

static int least(int a, int b, int c)
{
	int ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* How many letters differ (optimal string alignment); both are at most NAME_MAX_BYTES long. */
static int distance(const char *a, const char *b)
{
	int d[NAME_MAX_BYTES + 1][NAME_MAX_BYTES + 1];
	size_t la = strlen(a), lb = strlen(b);

	for (size_t i = 0; i <= la; i++) {
		for (size_t k = 0; k <= lb; k++) {
			if (!i || !k) {
				d[i][k] = (int)(i + k);
				continue;
			}
			d[i][k] = least(d[i - 1][k] + 1, d[i][k - 1] + 1,
					d[i - 1][k - 1] + (a[i - 1] != b[k - 1]));
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
				d[i][k] = least(d[i][k], d[i - 2][k - 2] + 1, d[i][k]);
		}
	}
	return d[la][lb];
}

/* The one whose name is most like `name`; NULL if none is much like it. */
static const struct command *nearest_find(const char *name)
{
	const struct command *c, *found = NULL;
	size_t len = strlen(name);
	int best = DISTANCE_MAX + 1;

	if (len > NAME_MAX_BYTES)
		return NULL;
	for (c = commands; c->name; c++) {
		int away = strlen(c->name) > NAME_MAX_BYTES ? best : distance(name, c->name);

		/* "rel" is release, "hb" nothing. */
		if (len >= 3 && !strncmp(c->name, name, len))
			away = 0;
		if (away < best && away < (int)len) {
			best = away;
			found = c;
		}
	}
	return found;
}

int commands_unknown(struct cli *cli, const char *name)
{
	const struct command *nearest = nearest_find(name);

	cli->command = NULL;
	if (nearest)
		return cli_usage_error(cli, "unknown command '%.40s'; did you mean %s?", name,
				       nearest->name);
	return cli_usage_error(cli, "unknown command '%.40s'", name);
}

static int command_help(struct cli *cli, int argc, char **argv)
{
	const struct command *about;
	const char *name;
	int count = 0;
	int code = cli_parse_more(cli, NULL, argc, argv, &name, 0, 1, &count);

	if (code >= 0)
		return code;
	if (!count) {
		help_all(stdout, commands);
		return EXIT_OK;
	}
	about = commands_find(name);
	if (!about)
		return commands_unknown(cli, name);
	help_command(stdout, about);
	return EXIT_OK;
}
