/* SPDX-License-Identifier: MIT */
#include "daemon/survey_report.h"

#include "config/config.h"
#include "daemon/crash_report.h"
#include "store/store.h"
#include "store/survey.h"
#include "util/ca.h"

/* Besides one for each account: readers, run history, tokens, and who else is there. */
#define CONNECTIONS 6

struct totals {
	int notes, wrong;
};

static void finding_print(void *arg, const struct store_finding *finding)
{
	static const char *const grades[] = {
		[STORE_GOOD] = "ok",
		[STORE_NOTE] = "note",
		[STORE_WRONG] = "wrong",
	};
	struct totals *totals = arg;

	totals->notes += finding->grade == STORE_NOTE;
	totals->wrong += finding->grade == STORE_WRONG;
	printf("%-6s %s: %s\n", grades[finding->grade], finding->topic, finding->text);
}

/* Of the other daemons: as the user of lessord, who must be able to read it. */
static void peers_print(const char *file, struct totals *totals)
{
	struct ca *ca = NULL;
	struct err err = { 0 };

	if (!file[0])
		return;
	if (ca_load(file, "peer_ca_file", 0002, &ca, &err) < 0)
		store_find(finding_print, totals, "peers", STORE_WRONG, "%s", err.text);
	else
		store_find(finding_print, totals, "peers", ca->warning[0] ? STORE_NOTE : STORE_GOOD,
			   "peer_ca_file %s %s", file,
			   ca->warning[0] ? ca->warning : "can be used");
	ca_unref(ca);
}

static void state_dir_print(const struct command_store *store, struct totals *totals)
{
	struct err err = { 0 };

	if (!store->is_postgres)
		return;
	if (crash_report_check(store->files, &err) < 0)
		store_find(finding_print, totals, "state_dir", STORE_WRONG, "%s", err.text);
	else
		store_find(finding_print, totals, "state_dir", STORE_GOOD, "it can be written");
}

static int survey_print(const struct config *config, const struct command_store *store)
{
	const struct store_needs needs = {
		.require_sync = config->postgres.require_sync,
		.connections = config->account_count + CONNECTIONS,
	};
	struct totals totals = { 0 };
	struct err err = { 0 };
	int rc;

	if (!store->is_postgres && store_is_missing(store->name))
		return command_line_no_store(store->name);
	if (command_store_become(store, &err))
		return command_line_fail(&err, EXIT_STORE);
	rc = store_survey(store->target, &needs, finding_print, &totals, &err);
	if (rc < 0)
		return command_line_fail(&err, EXIT_STORE);
	if (rc)
		return command_line_no_store(store->name);
	state_dir_print(store, &totals);
	peers_print(config->peer_ca_file, &totals);
	printf("%s: %s\n", store->name,
	       totals.wrong ? "not usable until what is wrong is corrected" :
	       totals.notes ? "usable; read the notes" :
			      "usable");
	return totals.wrong ? EXIT_STORE : EXIT_OK;
}

int survey_report_print(const struct command_line *line)
{
	struct command_store store;
	struct config *config = NULL;
	struct err err = { 0 };
	int code = command_line_store(line, &store);

	/* Read twice, so that every command finds its database in the same way. */
	if (code == EXIT_OK && config_load(line->config, CONFIG_WITHOUT_TOKENS, &config, &err) < 0)
		code = command_line_fail(&err, EXIT_USAGE);
	if (code == EXIT_OK)
		code = survey_print(config, &store);
	config_free(config);
	command_store_fini(&store);
	return code;
}
