/* SPDX-License-Identifier: MIT */
#include "cli/secret.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "util/alloc.h"

#define LINE_MAX_BYTES 4096

/* Up to the end of input, or of the line; -1 with errno. */
static ssize_t input_read(char *to, size_t max, int one_line)
{
	size_t len = 0;

	while (len < max) {
		struct pollfd fd = { .fd = STDIN_FILENO, .events = POLLIN };
		ssize_t n;

		/* In slices, because a signal just before a read does not end it. */
		if (interrupt_pending())
			return -1;
		if (poll(&fd, 1, 200) <= 0)
			continue;
		n = read(STDIN_FILENO, to + len, max - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		len += (size_t)n;
		if (n == 0 || (one_line && memchr(to, '\n', len)))
			break;
	}
	return (ssize_t)len;
}

static int input_take(size_t max, int one_line, char **ret, struct err *err)
{
	char *text = xcalloc(1, max + 2);
	ssize_t len = input_read(text, max + 1, one_line);

	if (len >= 0 && (size_t)len <= max && strlen(text) == (size_t)len) {
		*ret = text;
		return 0;
	}
	secret_free(text);
	if (len < 0 && interrupt_pending())
		return err_set(err, ERR_BUSY, "interrupted");
	if (len < 0)
		return err_set_errno(err, errno, "cannot read standard input");
	return err_set(err, ERR_INVALID, "standard input is not a token: %s",
		       (size_t)len > max ? "it is too long" : "it contains a NUL byte");
}

int secret_ask(const char *prompt, char **ret, struct err *err)
{
	struct termios before, quiet;
	int result;

	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return err_set(err, ERR_REFUSED,
			       "standard input is not a terminal; use --token-stdin or "
			       "--token-file FILE");
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	quiet.c_lflag |= ICANON | ISIG;
	/* Before it is asked for, or the first letters would be shown. */
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	fprintf(stderr, "%s", prompt);
	fflush(stderr);
	result = input_take(LINE_MAX_BYTES, 1, ret, err);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	fputs("\n", stderr);
	return result;
}

int secret_read(size_t max, char **ret, struct err *err)
{
	return input_take(max, 0, ret, err);
}

void secret_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}
