/* SPDX-License-Identifier: MIT */
/* lessor run: runs one command in a machine, by default in a new one that is released after it. */
#include "cli/create.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/identity.h"
#include "cli/interrupt.h"
#include "cli/lease_view.h"
#include "cli/login.h"
#include "cli/probe.h"
#include "cli/readiness.h"
#include "cli/release.h"
#include "cli/text.h"
#include "cli/when.h"
#include "util/alloc.h"

struct run_flags {
	struct create_flags create;
	struct transport_flags transport;
	int no_tty;
};

static int run_options_parse(struct cli *cli, struct run_flags *f, int argc, char **argv,
			     const struct command_line *line, const char **ref)
{
	const struct argv_option more[] = {
		TRANSPORT_OPTIONS(&f->transport),
		{ "no-tty", ARGV_FLAG, .seen = &f->no_tty },
		{ "no-wait", ARGV_REFUSED,
		  .why = "run waits for the machine; use lessor create --no-wait instead" },
		{ 0 },
	};
	const char *words[2];
	int count = 0;
	int code = create_parse(cli, &f->create, more, argc, argv, words, 2, &count);

	if (code >= 0)
		return code;
	*ref = count ? words[0] : NULL;
	if (count > 1 || (count && !line->is_given))
		return login_refuse_words(cli, words[count - 1]);
	if (!line->count || !*line->words[0])
		return cli_usage_error(cli, "missing command; usage: lessor run %s",
				       cli->command->usage);
	if (*ref && create_is_described(&f->create))
		return cli_usage_error(cli,
				       "the lease '%.60s' exists already; the options of create "
				       "are for a new one",
				       *ref);
	return transport_flags_check(cli, &f->transport);
}

/* Waits for the machine and runs the command. Returns the exit code. */
static int command_execute(struct cli *cli, const json_t *lease, const struct run_flags *f,
			   const struct command_line *line, int64_t end_ms,
			   struct progress *progress)
{
	struct transport transport;
	int code = transport_open(cli, lease, &f->transport, &transport);

	if (code < 0)
		code = readiness_await(cli, &transport, lease, end_ms, progress);
	if (code < 0)
		code = login_session(cli, &transport, lease, line, f->no_tty);
	transport_close(&transport);
	return code;
}

static int existing_run(struct cli *cli, const char *ref, const struct run_flags *f,
			const struct command_line *line)
{
	int64_t end_ms = when_mono_ms() + f->create.wait_s * 1000;
	struct progress progress;
	json_t *doc = NULL;
	int code = cli_lease_fetch(cli, ref, &doc);

	progress_init(&progress);
	if (code < 0)
		code = readiness_await_lease(cli, &doc, end_ms, &progress);
	if (code < 0)
		code = command_execute(cli, view_lease(doc), f, line, end_ms, &progress);
	json_decref(doc);
	return code;
}

/* The lease ends with the command, whatever became of that. */
static int lease_finish(struct cli *cli, const json_t *lease, int is_kept, int code)
{
	const char *id = view_text(lease, "id");
	int released;

	if (is_kept) {
		text_print(stderr, "kept: lessor ssh %s; to release it: lessor release %s", id, id);
		return code;
	}
	interrupt_clear();
	released = release_lease(cli, id);
	if (released == EXIT_OK)
		return code;
	text_print(stderr,
		   "%s may still cost money; it ends by itself when it is idle; see: lessor show %s",
		   id, id);
	return code == EXIT_OK ? released : code;
}

static int fresh_run(struct cli *cli, struct run_flags *f, const struct command_line *line)
{
	struct creation creation = { .doc = NULL };
	struct keyfile key = { 0 };
	auto_free char *identity = NULL;
	int is_kept = f->create.keep;
	int code;

	f->create.keep = 0; /* that of create is about a release */
	code = create_lease(cli, &f->create, &creation, &key);
	if (code == EXIT_OK) {
		const json_t *lease = view_lease(creation.doc);
		int64_t end_ms = when_mono_ms() + f->create.wait_s * 1000;

		if (!f->transport.identity && f->create.key)
			f->transport.identity = identity = identity_of_public(key.path);
		code = command_execute(cli, lease, f, line, end_ms, &creation.progress);
		code = lease_finish(cli, lease, is_kept, code);
	} else if (view_is_live(view_lease(creation.doc)) && !interrupt_pending()) {
		/* It took too long, or lessord did not answer any more. */
		code = lease_finish(cli, view_lease(creation.doc), is_kept, code);
	}
	creation_fini(&creation);
	keyfile_fini(&key);
	return code;
}

int command_run(struct cli *cli, int argc, char **argv)
{
	struct run_flags flags = {
		.create = { .wait_s = CREATE_WAIT_S, .queue_s = CREATE_QUEUE_S },
	};
	struct command_line line = login_split(&argc, argv);
	const char *ref = NULL;
	int code = run_options_parse(cli, &flags, argc, argv, &line, &ref);

	if (code < 0)
		code = cli_connect(cli);
	if (code < 0)
		code = probe_program(cli);
	if (code < 0)
		code = ref ? existing_run(cli, ref, &flags, &line) : fresh_run(cli, &flags, &line);
	return code;
}
