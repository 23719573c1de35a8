/* SPDX-License-Identifier: MIT */
#include "driver/pg_proxy_control.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/test.h"

/* One line, without its end. */
static void line_read(struct pg_proxy *p, char *line, size_t size)
{
	size_t len = 0;

	while (len < size - 1) {
		char byte;

		if (read(p->from, &byte, 1) != 1)
			fail_msg("pg-proxy has ended");
		if (byte == '\n')
			break;
		line[len++] = byte;
	}
	line[len] = '\0';
}

void pg_proxy_start(struct pg_proxy *proxy, const char *target)
{
	int in[2], out[2];
	char line[64];

	memset(proxy, 0, sizeof(*proxy));
	/* Other children must not hold its input open. */
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	proxy->pid = fork();
	assert_true(proxy->pid >= 0);
	if (!proxy->pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl(PG_PROXY, "pg-proxy", target, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	proxy->to = in[1];
	proxy->from = out[0];
	line_read(proxy, line, sizeof(line));
	assert_int_equal(sscanf(line, "port %d", &proxy->port), 1);
}

void pg_proxy_ask(struct pg_proxy *proxy, const char *command)
{
	char line[256];
	int len = snprintf(line, sizeof(line), "%s\n", command);

	assert_int_equal(write(proxy->to, line, (size_t)len), len);
}

void pg_proxy_answer(struct pg_proxy *proxy)
{
	char line[512];

	line_read(proxy, line, sizeof(line));
	if (strncmp(line, "ok", 2) != 0)
		fail_msg("pg-proxy: %s", line);
	snprintf(proxy->answer, sizeof(proxy->answer), "%s", line + 2);
}

void pg_proxy_tell(struct pg_proxy *proxy, const char *fmt, ...)
{
	char command[240];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	pg_proxy_ask(proxy, command);
	pg_proxy_answer(proxy);
}

void pg_proxy_stop(struct pg_proxy *proxy)
{
	if (!proxy->pid)
		return;
	/* The end of its input would do, but a child that was left behind may hold it open. */
	kill(proxy->pid, SIGKILL);
	close(proxy->to);
	waitpid(proxy->pid, NULL, 0);
	close(proxy->from);
	memset(proxy, 0, sizeof(*proxy));
}
