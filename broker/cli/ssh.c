/* SPDX-License-Identifier: MIT */
/* lessor ssh: logs in to the machine of a lease, or runs a command there. */
#include "cli/login.h"

#include <unistd.h>

#include "cli/interrupt.h"
#include "cli/lease_view.h"
#include "cli/probe.h"
#include "cli/relay.h"
#include "cli/session.h"

struct ssh_flags {
	struct transport_flags transport;
	int no_tty, stdio;
};

/* In the child process of a session. */
static int relay_start(void *arg)
{
	const int *fd = arg;

	return relay_run(*fd);
}

/* What a ProxyCommand does: ssh itself checks the host key. */
static int stdio_run(struct cli *cli, const json_t *lease)
{
	struct session_result result;
	struct machine machine;
	int port, fd, code = machine_read(cli, lease, &machine);

	if (code < 0) {
		fd = machine_dial(&machine, machine_patience_end(lease), &port);
		if (fd >= 0) {
			struct child child = {
				.run = relay_start,
				.arg = &fd,
				.stdin_fd = -1,
				.stdout_fd = -1,
				.stderr_fd = -1,
			};

			/* ssh, which calls this, may have put the terminal into raw mode. */
			session_run(cli, lease, &child, 1, &result);
			close(fd);
			code = result.signal ? 128 + result.signal : result.code;
		} else if (interrupt_pending()) {
			code = 128 + interrupt_pending();
		} else {
			code = machine_report_silent(cli, &machine);
		}
	}
	machine_fini(&machine);
	return code;
}

static int login_run(struct cli *cli, const json_t *lease, const struct ssh_flags *flags,
		     const struct command_line *line)
{
	struct transport transport;
	int code = transport_open(cli, lease, &flags->transport, &transport);

	if (code < 0)
		code = transport_await_port(cli, &transport, lease);
	if (code < 0)
		code = login_session(cli, &transport, lease, line, flags->no_tty);
	transport_close(&transport);
	return code;
}

int command_ssh(struct cli *cli, int argc, char **argv)
{
	struct ssh_flags flags = { .no_tty = 0 };
	const struct argv_option own[] = {
		TRANSPORT_OPTIONS(&flags.transport),
		{ "no-tty", ARGV_FLAG, .seen = &flags.no_tty },
		{ "stdio", ARGV_FLAG, .seen = &flags.stdio },
		{ 0 },
	};
	struct command_line line = login_split(&argc, argv);
	const char *words[2];
	json_t *doc = NULL;
	int count = 0;
	int code = cli_parse_more(cli, own, argc, argv, words, 1, 2, &count);

	if (code < 0 && count > 1)
		code = login_refuse_words(cli, words[1]);
	if (code < 0 && flags.stdio && line.is_given)
		code = cli_usage_error(cli, "--stdio carries bytes for ssh, and takes no command");
	if (code < 0)
		code = transport_flags_check(cli, &flags.transport);
	if (code < 0)
		code = cli_connect(cli);
	if (code < 0 && !flags.stdio)
		code = probe_program(cli);
	if (code < 0)
		code = cli_lease_fetch(cli, words[0], &doc);
	if (code < 0)
		code = flags.stdio ? stdio_run(cli, view_lease(doc)) :
				     login_run(cli, view_lease(doc), &flags, &line);
	json_decref(doc);
	return code;
}
