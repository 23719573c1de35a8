/* SPDX-License-Identifier: MIT */
/* lessord: selects the mode. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/accounts.h"
#include "daemon/backup.h"
#include "daemon/daemon.h"
#include "daemon/command_line.h"
#include "daemon/doctor.h"
#include "daemon/migrate.h"
#include "daemon/residue_report.h"
#include "daemon/survey_report.h"
#include "daemon/tokens.h"
#include "util/journal.h"
#include "util/output.h"

static int mode_run(const struct command_line *line)
{
	switch (line->mode) {
	case DO_HELP:
		command_line_help(stdout);
		return EXIT_OK;
	case DO_VERSION:
		puts("lessord " LESSOR_VERSION);
		return EXIT_OK;
	case DO_DUMP:
		return accounts_dump(line);
	case DO_DUMP_CONFIG:
		return accounts_dump_config(line);
	case DO_CHECK:
		return accounts_check(line);
	case DO_OWED:
		return residue_report_print(line);
	case DO_SURVEY:
		return survey_report_print(line);
	case DO_DOCTOR:
		return doctor_command(line);
	case DO_BACKUP:
		return backup_command(line);
	case DO_MIGRATE:
		return migrate_command(line);
	case DO_TOKEN_ADD:
	case DO_TOKEN_LIST:
	case DO_TOKEN_ROTATE:
	case DO_TOKEN_REVOKE:
		return tokens_command(line);
	case DO_RUN:
		break;
	}
	return daemon_run(line);
}

int main(int argc, char **argv)
{
	struct command_line line;
	struct err err = { 0 };
	int code;

	if (command_line_read(argc, argv, &line, &err) < 0) {
		fprintf(stderr, "%slessord: %s; see lessord --help\n", journal_error(), err.text);
		return EXIT_USAGE;
	}
	/* A new token whose reader is gone is reported, and a closed pipe ends nothing half way. */
	signal(SIGPIPE, SIG_IGN);
	code = mode_run(&line);
	if (output_finish() < 0 && (code == EXIT_OK || code == EXIT_OWED)) {
		fprintf(stderr, "lessord: cannot write to standard output\n");
		code = EXIT_RUNTIME;
	}
	return code;
}
