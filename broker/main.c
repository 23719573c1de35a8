/* SPDX-License-Identifier: MIT */
/* lessord. What it does is in daemon/; here only which of it. */
#include <stdio.h>
#include <unistd.h>

#include "daemon/accounts.h"
#include "daemon/daemon.h"
#include "daemon/options.h"
#include "daemon/owed.h"
#include "daemon/tokens.h"

int main(int argc, char **argv)
{
	struct options options;

	if (options_read(argc, argv, &options, stderr) < 0)
		return EXIT_USAGE;
	switch (options.what) {
	case DO_HELP:
		options_help(stdout);
		return EXIT_FINE;
	case DO_VERSION:
		puts("lessord " LESSOR_VERSION);
		return EXIT_FINE;
	case DO_DUMP:
		return accounts_dump(&options);
	case DO_DUMP_CONFIG:
		return accounts_dump_config(&options);
	case DO_CHECK:
		return accounts_check(&options);
	case DO_OWED:
		return owed_list(&options);
	case DO_TOKEN_ADD:
	case DO_TOKEN_LIST:
	case DO_TOKEN_REVOKE:
		return tokens_command(&options);
	case DO_RUN:
		break;
	}
	return daemon_run(&options);
}
