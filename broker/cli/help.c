/* SPDX-License-Identifier: MIT */
#include "cli/help.h"

#include <ctype.h>

#include "cli/cli.h"

#ifndef LESSOR_VERSION
#define LESSOR_VERSION "0"
#endif

static const char common_text[] =
	"options of every command:\n"
	"  --url URL          lessord: https://HOST, http://HOST:PORT or unix:/PATH\n"
	"  --token-file FILE  a file with the token\n"
	"  --ca-file FILE     trust the CAs in this file, for https://, not the system's\n"
	"  --context NAME     a server that lessor login has saved\n"
	"  --config FILE      a settings file other than ~/.config/lessor/lessor.conf\n"
	"  --json             print JSON instead of text, also for errors\n"
	"  --help             print help, of the command if one is given\n"
	"  --version          print the version\n";

static const char settings_text[] =
	"settings, each from the first of these places that has it:\n"
	"  file     --context, --config, LESSOR_CONTEXT, lessor context use, lessor.conf\n"
	"  url      --url, LESSOR_URL, CRABBOX_COORDINATOR, `url` in the file\n"
	"  token    --token-file, LESSOR_TOKEN, LESSOR_TOKEN_FILE, CRABBOX_COORDINATOR_TOKEN\n"
	"           (only for the URL in CRABBOX_COORDINATOR), `token_file` in the file\n"
	"  CA       --ca-file, LESSOR_CA_FILE, `ca_file` in the file, CURL_CA_BUNDLE,\n"
	"           SSL_CERT_FILE and SSL_CERT_DIR\n"
	"  account  --account, `account` in the file\n"
	"  class    --class, `class` in the file\n"
	"  ssh      LESSOR_SSH, by default `ssh`\n"
	"One file is read: that of a context, or $XDG_CONFIG_HOME/lessor/lessor.conf, by default in\n"
	"~/.config, with lines of the form `key = value`. With --context, LESSOR_URL and the other\n"
	"variables for url and token are ignored; a context's token is sent to its own URL only.\n"
	"Which key logs in to which lease is noted in $XDG_STATE_HOME/lessor, by default in\n"
	"~/.local/state. There is no --token: every user of this machine can read a command line.\n";

void help_all(FILE *to, const struct command *commands)
{
	const struct command *c;

	fputs("usage: lessor [OPTIONS] COMMAND [OPTIONS]\n\nLeases machines from lessord.\n\n"
	      "commands:\n",
	      to);
	for (c = commands; c->name; c++)
		fprintf(to, "  %-10s %s\n", c->name, c->summary);
	fprintf(to, "\n%s\n%s\nexit codes:\n", common_text, settings_text);
#define X(name, number, text) fprintf(to, "  %3d  %s\n", number, text);
	EXITS(X)
#undef X
}

void help_command(FILE *to, const struct command *command)
{
	fprintf(to, "usage: lessor %s%s%s\n\n%c%s.\n\n", command->name, *command->usage ? " " : "",
		command->usage, toupper((unsigned char)*command->summary), command->summary + 1);
	if (*command->help)
		fprintf(to, "%s\n", command->help);
	fputs(common_text, to);
	fputs("\n`lessor --help` lists the settings and the exit codes.\n", to);
}

const char *help_version_text(void)
{
	return LESSOR_VERSION;
}

void help_version(FILE *to)
{
	fputs("lessor " LESSOR_VERSION "\n", to);
}
