/* SPDX-License-Identifier: MIT */
#include "daemon/command_line.h"

#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "daemon/file_owner.h"
#include "store/store.h"
#include "util/alloc.h"
#include "util/argv.h"
#include "util/journal.h"

void command_line_help(FILE *out)
{
	fputs("lessord, a lease broker for machines\n"
	      "\n"
	      "  lessord [--config FILE] [--port-file FILE]\n"
	      "      Run. SIGTERM stops it gracefully; SIGHUP reloads limits, log settings\n"
	      "      and certificates. --port-file: write the first TCP port to FILE when ready.\n"
	      "  lessord --check-config [--config FILE]\n"
	      "      Check the configuration, including the providers and their options.\n"
	      "  lessord --dump-config [--config FILE]\n"
	      "      Print the effective configuration, including defaults.\n"
	      "  lessord --dump-provider NAME [--config FILE]\n"
	      "      Describe a provider and its options. NAME may be a path.\n"
	      "  lessord --owed [--config FILE]\n"
	      "      List the leases with resources left at a provider, according to the\n"
	      "      database. lessord may be running.\n"
	      "  lessord check [--config FILE]\n"
	      "      Examine the database: one line for each finding, and what to do about it.\n"
	      "      lessord may be running.\n"
	      "  lessord doctor [--json] [--backups DIR] [--config FILE]\n"
	      "      Examine the installation: configuration, database, disk, clock, and each\n"
	      "      provider by one read call; say what to do. lessord may be running.\n"
	      "  lessord backup FILE [--config FILE | --store FILE]\n"
	      "      Copy the database to FILE and the run history to a file beside it, check\n"
	      "      the copies, then replace earlier ones. lessord may be running.\n"
	      "  lessord migrate --from sqlite:PATH [--to postgresql://URL | --config FILE]\n"
	      "      Move a database file and its run history to an empty PostgreSQL database,\n"
	      "      that of the configuration without --to. No lessord may be running.\n"
	      "  lessord token add --owner OWNER [--org ORG] [--role user|reader|admin]\n"
	      "                    [--expires DURATION] [--label TEXT]\n"
	      "                    [--config FILE | --store FILE]\n"
	      "      Create a client token and print it; it is never shown again. DURATION is\n"
	      "      for example 90d or 12h. The default organisation is \"default\".\n"
	      "  lessord token list [--config FILE | --store FILE]\n"
	      "  lessord token rotate ID [--grace DURATION] [--expires DURATION]\n"
	      "                    [--config FILE | --store FILE]\n"
	      "      Print a new token in place of this one, which stays valid for the grace, by\n"
	      "      default 24h; 0: it is revoked at once.\n"
	      "  lessord token revoke ID [--config FILE | --store FILE]\n"
	      "      The token commands work while lessord is running and take effect within a\n"
	      "      second.\n"
	      "  lessord --version | --help\n"
	      "\n"
	      "Exit codes: 0 success, 1 runtime failure or a failed check (doctor), 2 invalid\n"
	      "command line or configuration, 3 invalid provider or provider options, 4 database\n"
	      "damaged or not accessible, 5 database in use by another lessord, 6 no usable token,\n"
	      "7 resources are left (--owed), 8 no database (--owed, check, backup, migrate,\n"
	      "token list, token rotate, token revoke).\n"
	      "\n"
	      "The default configuration file is " LESSOR_CONFIG_FILE ".\n",
	      out);
}

/* For what has no operands. `mode` is where the options leave theirs. */
static int options_read(const struct argv_option *options, const int *mode, int argc, char **argv,
			struct command_line *c, struct err *err)
{
	const struct argv_syntax syntax = { .options = options, .abbreviations = 1 };

	if (argv_parse(&syntax, argc, argv, NULL, NULL, err) < 0)
		return -1;
	c->mode = (enum command_line_mode) * mode;
	return 0;
}

static int run_read(int argc, char **argv, struct command_line *c, struct err *err)
{
	int mode = (int)c->mode;
	const struct argv_option options[] = {
		{ "config", ARGV_VALUE, .value = &c->config },
		{ "check-config", ARGV_FLAG, .seen = &mode, .mark = DO_CHECK },
		{ "dump-config", ARGV_FLAG, .seen = &mode, .mark = DO_DUMP_CONFIG },
		{ "dump-provider", ARGV_VALUE, .seen = &mode, .mark = DO_DUMP,
		  .value = &c->provider },
		{ "owed", ARGV_FLAG, .seen = &mode, .mark = DO_OWED },
		{ "port-file", ARGV_VALUE, .value = &c->port_file },
		{ "version", ARGV_FLAG, .seen = &mode, .mark = DO_VERSION },
		{ "help", ARGV_FLAG, .seen = &mode, .mark = DO_HELP },
		{ 0 },
	};

	return options_read(options, &mode, argc, argv, c, err);
}

static int token_mode(const char *verb)
{
	static const struct {
		const char *verb;
		int mode;
	} modes[] = {
		{ "add", DO_TOKEN_ADD },       { "list", DO_TOKEN_LIST },
		{ "rotate", DO_TOKEN_ROTATE }, { "revoke", DO_TOKEN_REVOKE },
		{ "--help", DO_HELP },	       { "-h", DO_HELP },
	};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (strcmp(verb, modes[i].verb) == 0)
			return modes[i].mode;
	}
	return -1;
}

static int token_check(int verb, const struct command_line *c, struct err *err)
{
	if (verb == DO_TOKEN_ADD && !c->owner)
		return err_set(err, ERR_INVALID, "token add needs --owner NAME");
	if ((verb == DO_TOKEN_REVOKE || verb == DO_TOKEN_ROTATE) && !c->id)
		return err_set(err, ERR_INVALID, "token %s needs an ID; see lessord token list",
			       verb == DO_TOKEN_REVOKE ? "revoke" : "rotate");
	if (verb != DO_TOKEN_ADD && (c->owner || c->org || c->role || c->label))
		return err_set(err, ERR_INVALID,
			       "--owner, --org, --role and --label need token"
			       " add");
	if (verb != DO_TOKEN_ADD && verb != DO_TOKEN_ROTATE && c->expires)
		return err_set(err, ERR_INVALID, "--expires needs token add or token rotate");
	if (verb != DO_TOKEN_ROTATE && c->grace)
		return err_set(err, ERR_INVALID, "--grace needs token rotate");
	return 0;
}

/* `argv` begins after "token", with the verb. */
static int token_read(int argc, char **argv, struct command_line *c, struct err *err)
{
	int verb = token_mode(argc ? argv[0] : "");
	int mode = verb;
	const struct argv_option options[] = {
		{ "config", ARGV_VALUE, .value = &c->config },
		{ "store", ARGV_VALUE, .value = &c->store },
		{ "owner", ARGV_VALUE, .value = &c->owner },
		{ "org", ARGV_VALUE, .value = &c->org },
		{ "role", ARGV_VALUE, .value = &c->role },
		{ "expires", ARGV_VALUE, .value = &c->expires },
		{ "label", ARGV_VALUE, .value = &c->label },
		{ "grace", ARGV_VALUE, .value = &c->grace },
		{ "help", ARGV_FLAG, .seen = &mode, .mark = DO_HELP },
		{ 0 },
	};
	const struct argv_syntax syntax = {
		.options = options,
		.abbreviations = 1,
		.words_max = verb == DO_TOKEN_REVOKE || verb == DO_TOKEN_ROTATE,
	};

	if (verb < 0)
		return err_set(err, ERR_INVALID, "token needs one of add, list, rotate, revoke");
	if (argv_parse(&syntax, argc - 1, argv + 1, &c->id, NULL, err) < 0)
		return -1;
	c->mode = (enum command_line_mode)mode;
	if (mode == DO_HELP)
		return 0;
	return token_check(verb, c, err);
}

/* `argv` begins after "check". */
static int survey_read(int argc, char **argv, struct command_line *c, struct err *err)
{
	int mode = DO_SURVEY;
	const struct argv_option options[] = {
		{ "config", ARGV_VALUE, .value = &c->config },
		{ "help", ARGV_FLAG, .seen = &mode, .mark = DO_HELP },
		{ 0 },
	};

	return options_read(options, &mode, argc, argv, c, err);
}

/* `argv` begins after "doctor". */
static int doctor_read(int argc, char **argv, struct command_line *c, struct err *err)
{
	int mode = DO_DOCTOR;
	const struct argv_option options[] = {
		{ "config", ARGV_VALUE, .value = &c->config },
		{ "backups", ARGV_VALUE, .value = &c->backups },
		{ "json", ARGV_FLAG, .seen = &c->is_json, .mark = 1 },
		{ "help", ARGV_FLAG, .seen = &mode, .mark = DO_HELP },
		{ 0 },
	};

	return options_read(options, &mode, argc, argv, c, err);
}

/* `argv` begins after "backup". */
static int backup_read(int argc, char **argv, struct command_line *c, struct err *err)
{
	int mode = DO_BACKUP, words = 0;
	const struct argv_option options[] = {
		{ "config", ARGV_VALUE, .value = &c->config },
		{ "store", ARGV_VALUE, .value = &c->store },
		{ "help", ARGV_FLAG, .seen = &mode, .mark = DO_HELP },
		{ 0 },
	};
	const struct argv_syntax syntax = {
		.options = options,
		.abbreviations = 1,
		.words_max = 1,
	};

	if (argv_parse(&syntax, argc, argv, &c->target, &words, err) < 0)
		return -1;
	c->mode = (enum command_line_mode)mode;
	if (mode == DO_BACKUP && (!words || !c->target[0]))
		return err_set(err, ERR_INVALID, "backup needs a FILE to write");
	return 0;
}

/* `argv` begins after "migrate". */
static int migrate_read(int argc, char **argv, struct command_line *c, struct err *err)
{
	int mode = DO_MIGRATE;
	const struct argv_option options[] = {
		{ "from", ARGV_VALUE, .value = &c->from },
		{ "to", ARGV_VALUE, .value = &c->to },
		{ "config", ARGV_VALUE, .value = &c->config },
		{ "help", ARGV_FLAG, .seen = &mode, .mark = DO_HELP },
		{ 0 },
	};

	if (options_read(options, &mode, argc, argv, c, err) < 0)
		return -1;
	if (mode == DO_MIGRATE && !c->from)
		return err_set(err, ERR_INVALID, "migrate needs --from sqlite:PATH");
	return 0;
}

int command_line_read(int argc, char **argv, struct command_line *ret, struct err *err)
{
	struct command_line c = { .mode = DO_RUN, .config = LESSOR_CONFIG_FILE };
	const char *command = argc > 1 ? argv[1] : "";
	int failed;

	if (strcmp(command, "token") == 0)
		failed = token_read(argc - 2, argv + 2, &c, err);
	else if (strcmp(command, "check") == 0)
		failed = survey_read(argc - 2, argv + 2, &c, err);
	else if (strcmp(command, "doctor") == 0)
		failed = doctor_read(argc - 2, argv + 2, &c, err);
	else if (strcmp(command, "backup") == 0)
		failed = backup_read(argc - 2, argv + 2, &c, err);
	else if (strcmp(command, "migrate") == 0)
		failed = migrate_read(argc - 2, argv + 2, &c, err);
	else
		failed = run_read(argc - (argc > 0), argv + (argc > 0), &c, err);
	if (failed)
		return -1;
	*ret = c;
	return 0;
}

int command_line_fail(const struct err *err, int code)
{
	fprintf(stderr, "%slessord: %s\n", journal_error(), err->text);
	return code;
}

int command_line_store(const struct command_line *line, struct command_store *ret)
{
	struct config *config = NULL;
	struct err err = { 0 };

	*ret = (struct command_store){ 0 };
	if (line->store) {
		if (line->store[0] != '/') {
			err_set(&err, ERR_INVALID,
				"--store needs an absolute path; for a PostgreSQL database use --config");
			return command_line_fail(&err, EXIT_USAGE);
		}
		ret->target = xstrdup(line->store);
		ret->name = xstrdup(line->store);
		ret->files = xstrdup(line->store);
		return EXIT_OK;
	}
	if (config_load(line->config, CONFIG_FOR_STORE, &config, &err) < 0)
		return command_line_fail(&err, EXIT_USAGE);
	ret->target = xstrdup(config->store_target);
	ret->name = xstrdup(config->store_name);
	ret->files = xstrdup(config->store_files);
	ret->is_postgres = config_is_postgres(config);
	config_free(config);
	return command_line_name_check(ret->target);
}

int command_line_name_check(const char *target)
{
	struct err err = { 0 };

	if (store_name_check(target, &err) == 0 || err.kind != ERR_INVALID)
		return EXIT_OK;
	return command_line_fail(&err, EXIT_USAGE);
}

void command_store_fini(struct command_store *store)
{
	if (store->target)
		explicit_bzero(store->target, strlen(store->target));
	free(store->target);
	free(store->name);
	free(store->files);
	*store = (struct command_store){ 0 };
}

int command_store_become(const struct command_store *store, struct err *err)
{
	/* With PostgreSQL a command writes no file, so it does not need the directory. */
	if (store->is_postgres && file_owner_is_same(store->files, store->files) == 0)
		return 0;
	return file_owner_become(store->files, err);
}

int command_line_no_store(const char *name)
{
	if (store_name_is_shared(name)) {
		fprintf(stderr,
			"lessord: no store here: there are no tables in %s yet; check [store] in the "
			"configuration, or create the first token: lessord token add --owner NAME\n",
			name);
		return EXIT_NO_STORE;
	}
	fprintf(stderr,
		"lessord: no store here: %s does not exist; check `store` in the configuration, or "
		"create the first token: lessord token add --owner NAME\n",
		name);
	return EXIT_NO_STORE;
}
