/* SPDX-License-Identifier: MIT */
#include "daemon/options.h"

#include <getopt.h>
#include <string.h>

enum {
	OPT_CONFIG = 256,
	OPT_CHECK,
	OPT_DUMP_CONFIG,
	OPT_DUMP,
	OPT_OWED,
	OPT_PORT_FILE,
	OPT_STORE,
	OPT_OWNER,
	OPT_ORG,
	OPT_ROLE,
	OPT_EXPIRES,
	OPT_VERSION,
	OPT_HELP,
};

static const struct option run_options[] = {
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "check-config", no_argument, NULL, OPT_CHECK },
	{ "dump-config", no_argument, NULL, OPT_DUMP_CONFIG },
	{ "dump-provider", required_argument, NULL, OPT_DUMP },
	{ "owed", no_argument, NULL, OPT_OWED },
	{ "port-file", required_argument, NULL, OPT_PORT_FILE },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static const struct option token_options[] = {
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "store", required_argument, NULL, OPT_STORE },
	{ "owner", required_argument, NULL, OPT_OWNER },
	{ "org", required_argument, NULL, OPT_ORG },
	{ "role", required_argument, NULL, OPT_ROLE },
	{ "expires", required_argument, NULL, OPT_EXPIRES },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

void options_help(FILE *out)
{
	fputs("lessord: the lease broker's daemon\n"
	      "\n"
	      "  lessord [--config FILE] [--port-file FILE]\n"
	      "      Run. SIGTERM ends it in good order, SIGHUP reads limits, tokens and\n"
	      "      certificates anew. --port-file gets the number of the first TCP port.\n"
	      "  lessord --check-config [--config FILE]\n"
	      "      Read everything, providers and their options too, and say what is wrong.\n"
	      "  lessord --dump-config [--config FILE]\n"
	      "      What is in force, presets too, as a configuration that says the same.\n"
	      "  lessord --dump-provider NAME [--config FILE]\n"
	      "      What a provider says of itself, with its options. NAME may be a path.\n"
	      "  lessord --owed [--config FILE]\n"
	      "      List the leases with something left at a provider, from the database alone,\n"
	      "      whether the daemon runs or not.\n"
	      "  lessord token add --owner OWNER [--org ORG] [--role user|reader|admin]\n"
	      "                    [--expires TIME] [--config FILE | --store FILE]\n"
	      "      Make a token for clients and print it, once. TIME is 90d, 12h, ...; the\n"
	      "      organisation is \"default\" if none is given.\n"
	      "  lessord token list [--config FILE | --store FILE]\n"
	      "  lessord token revoke ID [--config FILE | --store FILE]\n"
	      "      These three work while the daemon runs; it takes notice within a second.\n"
	      "  lessord --version | --help\n"
	      "\n"
	      "Exit codes: 0 well, 1 it could not go on, 2 command line or configuration,\n"
	      "3 provider or its options, 4 database damaged or out of reach, 5 another daemon\n"
	      "has the database, 6 there is no usable token, 7 something is owed.\n"
	      "\n"
	      "The configuration is " LESSOR_CONFIG_FILE " unless said otherwise.\n",
	      out);
}

static int wrong(FILE *complain, const char *what, const char *value)
{
	fprintf(complain, "lessord: %s%s; see lessord --help\n", what, value ? value : "");
	return -1;
}

static int unknown(FILE *complain, const char *option, const struct option *known)
{
	fprintf(complain, "lessord: there is no option %s here; there are", option);
	for (int i = 0; known[i].name; i++)
		fprintf(complain, "%s --%s", i ? "," : "", known[i].name);
	fputs("; see lessord --help\n", complain);
	return -1;
}

/* `argv[0]` is skipped, as by getopt. */
static int read_long(int argc, char **argv, const struct option *known, struct options *o,
		     FILE *complain)
{
	int c;

	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:", known, NULL)) != -1) {
		switch (c) {
		case OPT_CONFIG:
			o->config = optarg;
			break;
		case OPT_CHECK:
			o->what = DO_CHECK;
			break;
		case OPT_DUMP_CONFIG:
			o->what = DO_DUMP_CONFIG;
			break;
		case OPT_DUMP:
			o->what = DO_DUMP;
			o->provider = optarg;
			break;
		case OPT_OWED:
			o->what = DO_OWED;
			break;
		case OPT_PORT_FILE:
			o->port_file = optarg;
			break;
		case OPT_STORE:
			o->store = optarg;
			break;
		case OPT_OWNER:
			o->owner = optarg;
			break;
		case OPT_ORG:
			o->org = optarg;
			break;
		case OPT_ROLE:
			o->role = optarg;
			break;
		case OPT_EXPIRES:
			o->expires = optarg;
			break;
		case OPT_VERSION:
			o->what = DO_VERSION;
			break;
		case OPT_HELP:
			o->what = DO_HELP;
			break;
		case ':':
			return wrong(complain, "a value is missing behind ", argv[optind - 1]);
		default:
			return unknown(complain, argv[optind - 1], known);
		}
	}
	return 0;
}

static int read_token(int argc, char **argv, struct options *o, FILE *complain)
{
	const char *verb = argc > 1 ? argv[1] : "";
	int rest;

	if (strcmp(verb, "add") == 0)
		o->what = DO_TOKEN_ADD;
	else if (strcmp(verb, "list") == 0)
		o->what = DO_TOKEN_LIST;
	else if (strcmp(verb, "revoke") == 0)
		o->what = DO_TOKEN_REVOKE;
	else if (strcmp(verb, "--help") == 0)
		o->what = DO_HELP;
	else
		return wrong(complain, "token needs one of add, list, revoke", NULL);
	if (o->what == DO_TOKEN_REVOKE && argc > 2 && argv[2][0] != '-') {
		o->id = argv[2];
		argc--;
		argv++;
	}
	if (read_long(argc - 1, argv + 1, token_options, o, complain) < 0)
		return -1;
	rest = 1 + optind;
	if (o->what == DO_TOKEN_REVOKE && !o->id && rest < argc)
		o->id = argv[rest++];
	if (rest < argc)
		return wrong(complain, "what is ", argv[rest]);
	if (o->what == DO_TOKEN_ADD && !o->owner)
		return wrong(complain, "token add needs --owner", NULL);
	if (o->what == DO_TOKEN_REVOKE && !o->id)
		return wrong(complain, "token revoke needs the ID that token list shows", NULL);
	if (o->what != DO_TOKEN_ADD && (o->owner || o->org || o->role || o->expires))
		return wrong(complain,
			     "--owner, --org, --role and --expires belong to token"
			     " add",
			     NULL);
	return 0;
}

int options_read(int argc, char **argv, struct options *ret, FILE *complain)
{
	struct options o = { .what = DO_RUN, .config = LESSOR_CONFIG_FILE };

	if (argc > 1 && strcmp(argv[1], "token") == 0) {
		if (read_token(argc - 1, argv + 1, &o, complain) < 0)
			return -1;
	} else {
		if (read_long(argc, argv, run_options, &o, complain) < 0)
			return -1;
		if (optind < argc)
			return wrong(complain, "what is ", argv[optind]);
	}
	*ret = o;
	return 0;
}
