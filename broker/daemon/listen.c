/* SPDX-License-Identifier: MIT */
/*
 * Listeners: the sockets that the service manager passed, and the configured addresses that
 * are not among them. If sockets were passed, the default address is not opened.
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/notify.h"
#include "daemon/tls.h"
#include "util/alloc.h"
#include "util/log.h"

static int socket_group(const struct config *c, gid_t *ret, struct err *err)
{
	struct group *group;

	*ret = (gid_t)-1;
	if (!c->socket_group[0])
		return 0;
	group = getgrnam(c->socket_group);
	if (!group)
		return err_set(err, ERR_NOT_FOUND,
			       "socket_group: group '%s' does not exist; create it, or name another",
			       c->socket_group);
	*ret = group->gr_gid;
	return 0;
}

/* Atomically: the file never exists without its content. */
static int port_write(const char *path, uint16_t port, struct err *err)
{
	auto_free char *temporary = xasprintf("%s.new", path);
	FILE *f = fopen(temporary, "we");

	if (!f)
		return err_set_errno(err, errno, "cannot write %s", temporary);
	fprintf(f, "%u\n", port);
	if (fclose(f) != 0 || rename(temporary, path) < 0)
		return err_set_errno(err, errno, "cannot write %s", path);
	return 0;
}

static void listener_add(struct daemon *d, struct http_listener *made, const char *how)
{
	int is_tls = http_listener_port(made) && d->tls;

	d->listeners[d->listener_count++] = made;
	log_notice(LOG_FIELDS({ "tls", is_tls ? "yes" : "no" }), "listening on %s%s",
		   http_listener_name(made), how);
}

/* An unsuitable socket is an error rather than ignored: the unit must be corrected. */
static int listen_passed(struct daemon *d, int count, struct err *err)
{
	int most = DAEMON_LISTENERS_MAX - d->config->listen_count - d->config->has_listen_metrics;

	if (count > most)
		return err_set(err, ERR_INVALID,
			       "the service manager passed %d sockets; the maximum"
			       " is %d",
			       count, most);
	for (int fd = NOTIFY_FIRST_FD; fd < NOTIFY_FIRST_FD + count; fd++) {
		struct http_listener *made;
		int domain = 0;
		socklen_t len = sizeof(domain);

		getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
		made = http_listen_fd(d->server, fd, domain == AF_UNIX ? NULL : d->tls,
				      d->config->behind_proxy, err);
		if (!made)
			return err_prefix(err, "socket passed by the service manager: ");
		listener_add(d, made, ", passed by the service manager");
	}
	return 0;
}

/* NULL: it was not. */
static struct http_listener *passed_find(const struct daemon *d, const struct config_listen *l)
{
	char name[128];

	if (l->family == CONFIG_UNIX)
		snprintf(name, sizeof(name), "%s", l->path);
	else
		snprintf(name, sizeof(name), strchr(l->address, ':') ? "[%s]:%u" : "%s:%u",
			 l->address, (unsigned)l->port);
	for (int i = 0; i < d->listener_count; i++) {
		if (strcmp(http_listener_name(d->listeners[i]), name) == 0)
			return d->listeners[i];
	}
	return NULL;
}

static int listen_one(struct daemon *d, const struct config_listen *l, gid_t gid,
		      enum api_purpose purpose, struct err *err)
{
	const struct config *c = d->config;
	struct http_listener *made;

	if (l->family == CONFIG_UNIX)
		made = http_listen_unix(d->server, l->path, gid, err);
	else
		made = http_listen_tcp(d->server, l->address, l->port, d->tls, c->behind_proxy, err);
	if (!made)
		return l->line ? err_prefix(err, "%s:%d: ", c->path, l->line) : -1;
	http_listener_set_purpose(made, purpose);
	listener_add(d, made, purpose == API_FOR_METRICS ? ", for metrics only" : "");
	return 0;
}

static int listen_metrics(struct daemon *d, int passed, gid_t gid, struct err *err)
{
	const struct config_listen *l = &d->config->listen_metrics;
	struct http_listener *made = passed ? passed_find(d, l) : NULL;

	if (!made)
		return listen_one(d, l, gid, API_FOR_METRICS, err);
	http_listener_set_purpose(made, API_FOR_METRICS);
	return 0;
}

static int listen_file(struct daemon *d, int passed, struct err *err)
{
	const struct config *c = d->config;
	gid_t gid;

	if (socket_group(c, &gid, err) < 0)
		return -1;
	for (int i = 0; i < c->listen_count; i++) {
		const struct config_listen *l = &c->listen[i];

		if (!(passed && (l->line == 0 || passed_find(d, l))) &&
		    listen_one(d, l, gid, API_FOR_ALL, err))
			return -1;
	}
	/* Last: the first one is what is advertised, and in the port file. */
	return c->has_listen_metrics ? listen_metrics(d, passed, gid, err) : 0;
}

/* The name of a listener that takes connections to any address of its host. */
static int is_wildcard(const char *name)
{
	return strncmp(name, "0.0.0.0:", 8) == 0 || strncmp(name, "[::]:", 5) == 0;
}

void daemon_advertised(const struct daemon *d, char ret[DAEMON_ADDRESS_SIZE])
{
	const char *address = d->config->advertise;

	for (int i = 0; i < d->listener_count && !address[0]; i++) {
		const char *name = http_listener_name(d->listeners[i]);

		if (http_listener_port(d->listeners[i]) && !is_wildcard(name))
			address = name;
	}
	snprintf(ret, DAEMON_ADDRESS_SIZE, "%s%s",
		 !address[0] ? "" :
		 d->tls	     ? "https://" :
			       "http://",
		 address);
}

static void advertised_report(const struct daemon *d)
{
	char address[DAEMON_ADDRESS_SIZE];

	if (!config_is_postgres(d->config))
		return;
	daemon_advertised(d, address);
	if (address[0])
		log_notice(LOG_FIELDS({ "address", address }), "other daemons reach this one at %s",
			   address);
	else
		log_warning(NULL,
			    "other daemons of this database cannot reach this one: `listen` has no TCP "
			    "address of this host; set advertise = HOST:PORT in [server]");
}

int daemon_listen(struct daemon *d, struct err *err)
{
	const struct config *c = d->config;
	uint16_t first_port = 0;
	char expiry[100];
	int passed = notify_sockets();

	if (c->tls_certificate[0] && tls_load(c->tls_certificate, c->tls_key, &d->tls, err) < 0)
		return -1;
	if (d->tls && tls_expiry(d->tls, expiry, sizeof(expiry)))
		log_warning(LOG_FIELDS({ "file", c->tls_certificate }), "%s", expiry);
	if (listen_passed(d, passed, err) < 0 || listen_file(d, passed, err) < 0)
		return -1;
	for (int i = 0; i < d->listener_count && !first_port; i++)
		first_port = http_listener_port(d->listeners[i]);
	advertised_report(d);
	if (d->command_line->port_file)
		return port_write(d->command_line->port_file, first_port, err);
	return 0;
}
