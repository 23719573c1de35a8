/* SPDX-License-Identifier: MIT */
#include "cli/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/child.h"
#include "cli/interrupt.h"
#include "cli/text.h"
#include "cli/transport.h"
#include "cli/when.h"
#include "util/alloc.h"

#define PROBE_MS 30000

struct probe_output {
	char text[4096]; /* the newest part */
	size_t len;
};

static void output_add(struct probe_output *out, const char *data, size_t len)
{
	size_t most = sizeof(out->text) - 1;

	if (len > most) {
		data += len - most;
		len = most;
	}
	if (out->len + len > most) {
		size_t drop = out->len + len - most;

		memmove(out->text, out->text + drop, out->len - drop);
		out->len -= drop;
	}
	memcpy(out->text + out->len, data, len);
	out->len += len;
	out->text[out->len] = '\0';
}

/* Reads to the end; a program that takes too long, or a signal to us, ends with SIGTERM. */
static void output_read(int fd, pid_t pid, struct probe_output *out)
{
	int64_t end = when_mono_ms() + PROBE_MS;
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	char part[1024];
	int told = 0;

	for (;;) {
		ssize_t len = 0;

		if (!told && (interrupt_pending() || when_mono_ms() > end)) {
			kill(pid, SIGTERM);
			told = 1;
		}
		if (told && when_mono_ms() > end + PROBE_MS) {
			kill(pid, SIGKILL);
			break;
		}
		/* In slices, because a signal just before poll does not end it. */
		if (poll(&wait, 1, 200) > 0)
			len = read(fd, part, sizeof(part));
		else
			continue;
		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			break;
		output_add(out, part, (size_t)len);
	}
}

static void last_line_copy(struct probe_output *out, char *to, size_t size)
{
	char *line, *rest = NULL;

	*to = '\0';
	for (line = strtok_r(out->text, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest))
		snprintf(to, size, "%s", line);
}

static void output_collect(char *const *argv, struct probe_output *out, struct probe_result *ret)
{
	int ends[2], status = 0;
	struct child child = { .argv = argv };
	auto_close int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	auto_close int from = -1;
	int failed;

	*ret = (struct probe_result){ .code = TRANSPORT_FAILED };
	if (nothing < 0 || pipe2(ends, O_CLOEXEC))
		return;
	from = ends[0];
	child.stdin_fd = child.stdout_fd = nothing;
	child.stderr_fd = ends[1];
	failed = child_start(&child);
	close(ends[1]);
	if (failed) {
		ret->is_missing = 1;
		ret->code = 127;
		return;
	}
	output_read(from, child.pid, out);
	while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR)
		;
	ret->code = child_exit_code(status);
}

static void probe_run(char *const *argv, struct probe_result *ret)
{
	struct probe_output out = { .len = 0 };

	output_collect(argv, &out, ret);
	last_line_copy(&out, ret->text, sizeof(ret->text));
}

/* OpenSSH has one exit code for all of these; its messages are not translated. */
static enum probe failure_classify(const char *text)
{
	if (strstr(text, "Host key verification failed") ||
	    strstr(text, "HOST IDENTIFICATION HAS CHANGED"))
		return PROBE_WRONG_KEY;
	return strstr(text, "Permission denied") ? PROBE_DENIED : PROBE_SILENT;
}

enum probe probe_login(const struct transport *transport, const char *command,
		       struct probe_result *ret)
{
	struct probe_output out = { .len = 0 };
	struct words words = { 0 };
	enum probe probe;

	words_add(&words, transport_program());
	transport_add(transport, &words);
	/* Only a person can type a passphrase. */
	words_option(&words, "BatchMode=%s", isatty(STDIN_FILENO) ? "no" : "yes");
	words_option(&words, "PreferredAuthentications=publickey");
	words_option(&words, "ConnectTimeout=10");
	words_option(&words, "ClearAllForwardings=yes");
	words_option(&words, "PermitLocalCommand=no");
	words_option(&words, "LogLevel=ERROR");
	words_add(&words, "-n");
	words_add(&words, "-T");
	words_add(&words, transport->destination);
	words_add(&words, command);
	output_collect(words.list, &out, ret);
	if (ret->code == TRANSPORT_FAILED || ret->code > 128)
		probe = failure_classify(out.text);
	else
		probe = ret->code ? PROBE_NOT_READY : PROBE_OK;
	last_line_copy(&out, ret->text, sizeof(ret->text));
	words_fini(&words);
	return probe;
}

int probe_program(const struct cli *cli)
{
	/* Prints what its configuration says about a host, and connects to none. */
	char *argv[] = { (char *)transport_program(), (char *)"-G", (char *)"lease", NULL };
	struct probe_result result;

	probe_run(argv, &result);
	if (result.is_missing)
		text_error("%s: cannot run '%s'; install the OpenSSH client, or set LESSOR_SSH to "
			   "the path of its ssh",
			   cli->command->name, argv[0]);
	else if (interrupt_pending())
		return 128 + interrupt_pending();
	else if (result.code)
		text_error("%s: %s does not accept its own configuration: %s", cli->command->name,
			   argv[0], result.text);
	else
		return -1;
	return EXIT_ERROR;
}

void probe_explain(const struct cli *cli, const struct transport *transport)
{
	const char *name = cli->command->name, *ref = transport->machine.name;
	struct probe_result result;

	switch (probe_login(transport, "exit 0", &result)) {
	case PROBE_OK:
	case PROBE_NOT_READY:
		text_error("%s: the command exited with 255, it was killed by a signal, or the "
			   "connection was lost; a new one works",
			   name);
		break;
	case PROBE_WRONG_KEY:
		text_error("%s: the machine at %s port %d is not the one leased: it has another "
			   "host key than lease %s; nothing was sent to it. See: lessor show %s",
			   name, transport->machine.host, transport->port, transport->machine.id,
			   ref);
		break;
	case PROBE_DENIED:
		text_error("%s: the machine of %s does not accept your key; name the one that it "
			   "was created with: --identity FILE",
			   name, ref);
		break;
	case PROBE_SILENT:
		text_error("%s: cannot connect to the machine of %s%s%s; see: lessor show %s", name,
			   ref, *result.text ? ": " : "", result.text, ref);
		break;
	}
}
