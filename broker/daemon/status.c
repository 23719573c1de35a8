/* SPDX-License-Identifier: MIT */
/*
 * The status text of the service manager: what an operator who looks at `systemctl status` must
 * know. Accounts change on other threads, so it is compared every second and sent if it differs.
 */
#include "daemon/daemon.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/standing.h"
#include "daemon/notify.h"

static void part_add(char *text, size_t size, const char *part)
{
	size_t len = strlen(text);

	snprintf(text + len, size - len, "; %s", part);
}

static void status_describe(struct daemon *d, char *text, size_t size)
{
	struct account_figures figures;
	struct standing standing;
	char part[400];

	snprintf(text, size, "%s",
		 runs_is_usable(d->runs) ?
			 "serving" :
			 "serving without run history; see: journalctl -u lessord");
	if (env_is_clock_suspect(&d->env))
		part_add(text, size,
			 "the clock is in doubt, nothing ends by time; see: journalctl -u lessord");
	for (size_t i = 0; i < d->accounts.count; i++) {
		const char *name = d->accounts.list[i]->config.name;

		/* Of another daemon's account this one knows what that one tells. */
		standing_told(d->api, d->accounts.list[i], &standing);
		account_describe_figures(name, &standing.figures, part, sizeof(part));
		if (part[0])
			part_add(text, size, part);
		account_figures(d->accounts.list[i], &figures);
		if (figures.overdue) {
			snprintf(part, sizeof(part), "account %s: %" PRId64 " steps do not return",
				 name, figures.overdue);
			part_add(text, size, part);
		}
	}
	if (d->reload_failed)
		part_add(text, size,
			 "the last reload failed, the old configuration is in effect; see: journalctl "
			 "-u lessord");
	if (d->needs_restart[0]) {
		snprintf(part, sizeof(part), "needs a restart: %s", d->needs_restart);
		part_add(text, size, part);
	}
	/* One line: what follows a line break would be another assignment. */
	for (char *p = text; *p; p++) {
		if ((unsigned char)*p < ' ')
			*p = ' ';
	}
}

void daemon_status_send(struct daemon *d, const char *before)
{
	char text[1024], message[1152];

	status_describe(d, text, sizeof(text));
	if (!before[0] && strcmp(text, d->status) == 0)
		return;
	snprintf(d->status, sizeof(d->status), "%s", text);
	snprintf(message, sizeof(message), "%sSTATUS=%s", before, text);
	notify_send(message);
}

static void on_status(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	if (!d->stopping)
		daemon_status_send(d, "");
}

int daemon_status_start(struct daemon *d, struct err *err)
{
	static const struct timeval every = { .tv_sec = 1 };

	d->on_status = event_new(d->base, -1, EV_PERSIST, on_status, d);
	if (!d->on_status || event_add(d->on_status, &every) < 0)
		return err_set(err, ERR_IO, "cannot create a timer");
	return 0;
}
