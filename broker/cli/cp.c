/* SPDX-License-Identifier: MIT */
/* lessor cp: copies files between this machine and that of a lease, with the system's scp. */
#include "cli/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lease_view.h"
#include "cli/probe.h"
#include "util/alloc.h"

/* The colon after the REF of "REF:path"; NULL for a path of this machine. As scp decides. */
static const char *remote_colon(const char *word)
{
	const char *colon = strchr(word, ':');
	const char *slash = strchr(word, '/');

	return colon && colon != word && (!slash || colon < slash) ? colon : NULL;
}

/* The one REF of all words, in *ref; owned. -1, or the exit code after an error. */
static int ref_find(const struct cli *cli, const char **words, int count, char **ref)
{
	int remotes = 0;

	for (int i = 0; i < count; i++) {
		const char *colon = remote_colon(words[i]);
		auto_free char *one = colon ? xstrndup(words[i], (size_t)(colon - words[i])) : NULL;

		if (!one)
			continue;
		remotes++;
		if (*ref && strcmp(*ref, one) != 0)
			return cli_usage_error(cli,
					       "'%.60s' and '%.60s' are two leases; copy to this "
					       "machine first, and from here to the other",
					       *ref, one);
		free(*ref);
		*ref = take(one);
	}
	if (!remotes)
		return cli_usage_error(cli,
				       "one side must be REF:PATH, such as build:/etc/hosts or "
				       "build: for the home directory");
	if (remotes == count)
		return cli_usage_error(cli,
				       "both sides are in the machine; copy there: lessor ssh "
				       "%.60s -- cp ...",
				       *ref);
	if (remotes != 1 && remote_colon(words[count - 1]))
		return cli_usage_error(cli, "the sources must all be on the same side");
	if (remotes != count - 1 && !remote_colon(words[count - 1]))
		return cli_usage_error(cli, "the sources must all be on the same side");
	return -1;
}

static void words_fill(struct words *words, const struct transport *t, const char **paths, int count)
{
	words_add(words, "scp");
	if (strcmp(transport_program(), "ssh") != 0) {
		words_add(words, "-S");
		words_add(words, transport_program());
	}
	words_add(words, "-r");
	transport_add(t, words);
	words_add(words, "--");
	for (int i = 0; i < count; i++) {
		const char *colon = remote_colon(paths[i]);
		auto_free char *word = colon ? xasprintf("%s%s", t->destination, colon) : NULL;

		words_add(words, word ? word : paths[i]);
	}
}

static int copy_run(struct cli *cli, const struct transport *t, const json_t *lease,
		    const char **paths, int count)
{
	struct session_result result;
	struct words words = { 0 };
	struct child child = { .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1 };

	words_fill(&words, t, paths, count);
	child.argv = words.list;
	session_run(cli, lease, &child, 0, &result);
	words_fini(&words);
	return login_exit(cli, t, &result);
}

/* Who is used to scp writes -r; it is the default here, and no option. */
static void recursive_drop(int *argc, char **argv)
{
	int kept = 0, is_word = 0;

	for (int i = 0; i < *argc; i++) {
		is_word = is_word || !strcmp(argv[i], "--");
		if (is_word || strcmp(argv[i], "-r") != 0)
			argv[kept++] = argv[i];
	}
	*argc = kept;
}

int command_cp(struct cli *cli, int argc, char **argv)
{
	struct transport_flags flags = { .identity = NULL };
	const struct argv_option own[] = {
		TRANSPORT_OPTIONS(&flags),
		{ 0 },
	};
	struct transport transport = { .known_fd = -1 };
	/* as many as a shell expands */
	auto_free const char **words = xcalloc((size_t)argc + 1, sizeof(*words));
	auto_free char *ref = NULL;
	json_t *doc = NULL;
	int count = 0, code;

	recursive_drop(&argc, argv);
	code = cli_parse_more(cli, own, argc, argv, words, 2, argc + 1, &count);
	if (code < 0)
		code = ref_find(cli, words, count, &ref);
	if (code < 0)
		code = transport_flags_check(cli, &flags);
	if (code < 0)
		code = cli_connect(cli);
	if (code < 0)
		code = probe_program(cli);
	if (code < 0)
		code = cli_lease_fetch(cli, ref, &doc);
	if (code < 0)
		code = transport_open(cli, view_lease(doc), &flags, &transport);
	if (code < 0)
		code = transport_await_port(cli, &transport, view_lease(doc));
	if (code < 0)
		code = copy_run(cli, &transport, view_lease(doc), words, count);
	transport_close(&transport);
	json_decref(doc);
	return code;
}
