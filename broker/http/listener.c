/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets and accepting connections. Who gets a place is decided in admission.c. While
 * there is none to be had, the listeners of that kind stop accepting; all of them do for a moment
 * after the process ran out of descriptors. Neither case spins, and clients wait in the kernel's
 * backlog meanwhile.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/internal.h"
#include "util/alloc.h"
#include "util/err.h"

#define BACKLOG 4096 /* the kernel reduces it to net.core.somaxconn */
/* then return to the event loop, so that accepting cannot starve open connections */
#define ACCEPTS_AT_ONCE 64
#define EARLY_AT_ONCE 2 /* answers asked for when there is no place */
#define SHED_AT_ONCE 8	/* connections evicted when there is no descriptor */

union listener_address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

static int address_is_loopback(const union listener_address *a)
{
	if (a->any.sa_family == AF_INET)
		return (ntohl(a->in.sin_addr.s_addr) >> 24) == 127;
	if (a->any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
	return 0;
}

static int address_is_wildcard(const union listener_address *a)
{
	return a->any.sa_family == AF_INET ? a->in.sin_addr.s_addr == htonl(INADDR_ANY) :
					     IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
}

/* Formats the address without its port; a `size` of INET6_ADDRSTRLEN is enough. */
static uint16_t address_print(const union listener_address *a, char *text, socklen_t size)
{
	text[0] = '\0';
	if (a->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->in.sin_addr, text, size);
		return ntohs(a->in.sin_port);
	}
	inet_ntop(AF_INET6, &a->in6.sin6_addr, text, size);
	return ntohs(a->in6.sin6_port);
}

static void peer_fill(struct http_peer *peer, int fd, const union listener_address *a)
{
	*peer = (struct http_peer){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
	if (a->any.sa_family == AF_INET || a->any.sa_family == AF_INET6) {
		peer->port = address_print(a, peer->address, sizeof(peer->address));
		peer->is_loopback = address_is_loopback(a);
	} else {
		struct ucred cred;
		socklen_t len = sizeof(cred);

		strcpy(peer->address, "unix");
		peer->is_unix = 1;
		if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len)) {
			peer->uid = cred.uid;
			peer->gid = cred.gid;
			peer->pid = cred.pid;
		}
	}
}

/* An IPv6 client usually has a whole /64. */
static uint64_t peer_key(const struct http_peer *peer, const union listener_address *a)
{
	uint64_t key = peer->uid;

	if (a->any.sa_family == AF_INET)
		key = ntohl(a->in.sin_addr.s_addr);
	else if (a->any.sa_family == AF_INET6)
		memcpy(&key, &a->in6.sin6_addr, sizeof(key));
	return key;
}

static int listener_is_paused(const struct http_listener *l)
{
	unsigned full = l->is_unix ? ACCEPT_PAUSED_UNIX : ACCEPT_PAUSED_TCP;

	return (l->server->accept_paused & (full | ACCEPT_PAUSED_EXHAUSTED)) != 0;
}

void listener_update_all(struct http_server *server)
{
	struct http_listener *l;

	TAILQ_FOREACH(l, &server->listeners, link) {
		if (listener_is_paused(l))
			event_del(l->event);
		else
			event_add(l->event, NULL);
	}
}

void listener_retry(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *server = arg;

	(void)fd;
	(void)what;
	if (server->reserve_fd < 0)
		server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	server->accept_paused &= ~ACCEPT_PAUSED_EXHAUSTED;
	listener_update_all(server);
}

/* No place can be made, because every connection is busy. */
static void listener_full(struct http_listener *l)
{
	struct http_server *server = l->server;

	server->counters.accept_full++;
	server->accept_paused |= l->is_unix ? ACCEPT_PAUSED_UNIX : ACCEPT_PAUSED_TCP;
	listener_update_all(server);
	server_log(server, LOG_ACCEPT_FULL, "every place has a request that is being worked on");
	admission_ask(server, EARLY_AT_ONCE);
}

/*
 * Out of descriptors, or of memory for them, in spite of max_connections. Answers one client
 * with 503, using the reserved descriptor; frees a few, which the rest of the process needs as
 * well; and pauses accepting.
 */
static void listener_exhausted(struct http_listener *l, int errnum)
{
	static const char busy[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
				   "Content-Length: 0\r\nRetry-After: 1\r\n\r\n";
	struct http_server *server = l->server;
	struct timeval pause = {
		.tv_sec = server->config.accept_retry_ms / 1000,
		.tv_usec = (suseconds_t)(server->config.accept_retry_ms % 1000) * 1000,
	};

	if ((errnum == EMFILE || errnum == ENFILE) && server->reserve_fd >= 0) {
		int fd;

		close(server->reserve_fd);
		fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			if (!l->tls)
				(void)!send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL);
			close(fd);
		}
		server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	admission_shed(server, SHED_AT_ONCE);
	server->counters.accept_failed++;
	server->accept_paused |= ACCEPT_PAUSED_EXHAUSTED;
	listener_update_all(server);
	event_add(server->accept_timer, &pause);
	server_log(server, LOG_ACCEPT_FAILED, strerror(errnum));
}

/* An IPv4 client of a socket for both, which a service manager may pass. */
static void address_unmap(union listener_address *a)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	if (a->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		return;
	in.sin_port = a->in6.sin6_port;
	memcpy(&in.sin_addr, &a->in6.sin6_addr.s6_addr[12], sizeof(in.sin_addr));
	a->in = in;
}

static void listener_accept(evutil_socket_t listening, short what, void *arg)
{
	struct http_listener *l = arg;
	struct http_server *server = l->server;

	(void)what;
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		union listener_address a = { .any.sa_family = AF_UNSPEC };
		socklen_t len = sizeof(a);
		struct http_peer peer;
		int fd;

		/* only the first client is known to be waiting; the others cause another event */
		if (i > 0 && !admission_has_place(server, l->is_unix))
			return;
		if (!admission_admit(server, l->is_unix)) {
			listener_full(l);
			return;
		}
		fd = accept4(listening, &a.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			    errno == ENOMEM)
				listener_exhausted(l, errno);
			/* EINTR, ECONNABORTED and network errors: try the next client */
			else if (errno != EAGAIN)
				continue;
			return;
		}
		address_unmap(&a);
		peer_fill(&peer, fd, &a);
		peer.is_tls = l->tls != NULL;
		peer.purpose = l->purpose;
		connection_open(server, fd, &peer, peer_key(&peer, &a), l->tls);
	}
}

void http_listener_set_purpose(struct http_listener *listener, int purpose)
{
	listener->purpose = purpose;
}

/* Takes over `fd` even on failure. `name` is copied. */
static struct http_listener *listener_new(struct http_server *server, int fd,
					  struct ssl_ctx_st *tls, const char *name,
					  struct err *err)
{
	struct http_listener *l = xcalloc(1, sizeof(*l));

	l->server = server;
	l->fd = fd;
	l->name = xstrdup(name);
	l->event = event_new(server->base, fd, EV_READ | EV_PERSIST, listener_accept, l);
	TAILQ_INSERT_TAIL(&server->listeners, l, link);
	if (!l->event || (!listener_is_paused(l) && event_add(l->event, NULL))) {
		listener_close(l);
		err_set(err, ERR_INTERNAL, "cannot watch the listening socket %s", name);
		return NULL;
	}
	if (tls) {
		tls_ref(tls);
		tls_prepare(tls);
		l->tls = tls;
	}
	return l;
}

void listener_close(struct http_listener *l)
{
	struct stat st;

	TAILQ_REMOVE(&l->server->listeners, l, link);
	if (l->event)
		event_free(l->event);
	/* do not remove a socket that another process has bound to the same path since */
	if (l->unlink_path && !lstat(l->unlink_path, &st) && st.st_dev == l->unlink_dev &&
	    st.st_ino == l->unlink_ino)
		unlink(l->unlink_path);
	close(l->fd);
	tls_unref(l->tls);
	free(l->unlink_path);
	free(l->name);
	free(l);
}

/* Refuses plain HTTP on anything but a loopback address. */
static int address_check(const union listener_address *a, const char *text, struct ssl_ctx_st *tls,
			 int plain_behind_proxy, struct err *err)
{
	if (!tls && !plain_behind_proxy && !address_is_loopback(a))
		return err_set(err, ERR_REFUSED,
			       "refusing to listen without TLS on %s, which is not a loopback address",
			       text);
	return 0;
}

static struct http_listener *listen_inet(struct http_server *server, int fd,
					 struct ssl_ctx_st *tls, struct err *err)
{
	char text[INET6_ADDRSTRLEN], host[sizeof(text) + 2], name[sizeof(host) + 8];
	struct http_listener *l;
	union listener_address a;
	socklen_t len = sizeof(a);
	int one = 1, idle = 60, interval = 15, count = 4;
	uint16_t port;

	if (getsockname(fd, &a.any, &len)) {
		err_set_errno(err, errno, "cannot read the address of a listening socket");
		close(fd);
		return NULL;
	}
	/* inherited by accepted sockets; otherwise a TLS answer may wait 40 ms for an ACK */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	/* notices within two minutes that a client has vanished while it waits for its machine */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	port = address_print(&a, text, sizeof(text));
	snprintf(host, sizeof(host), a.any.sa_family == AF_INET6 ? "[%s]" : "%s", text);
	snprintf(name, sizeof(name), "%s:%u", host, port);
	l = listener_new(server, fd, tls, name, err);
	if (!l)
		return NULL;
	l->port = port;
	if (!address_is_wildcard(&a))
		server_add_host(server, host);
	return l;
}

/* What to do about it; as a part of the sentence. */
static const char *bind_hint(int number)
{
	switch (number) {
	case EADDRINUSE:
		return " (another process does; ss -ltnp shows which)";
	case EADDRNOTAVAIL:
		return " (this machine does not have the address; ip address shows those it has)";
	case EACCES:
		return " (for a port below 1024 the unit needs AmbientCapabilities=CAP_NET_BIND_SERVICE)";
	default:
		return "";
	}
}

struct http_listener *http_listen_tcp(struct http_server *server, const char *address,
				      uint16_t port, struct ssl_ctx_st *tls,
				      int plain_behind_proxy, struct err *err)
{
	union listener_address a;
	socklen_t len;
	int one = 1;
	int fd;

	memset(&a, 0, sizeof(a));
	if (inet_pton(AF_INET, address, &a.in.sin_addr) == 1) {
		a.in.sin_family = AF_INET;
		a.in.sin_port = htons(port);
		len = sizeof(a.in);
	} else if (inet_pton(AF_INET6, address, &a.in6.sin6_addr) == 1) {
		a.in6.sin6_family = AF_INET6;
		a.in6.sin6_port = htons(port);
		len = sizeof(a.in6);
	} else {
		err_set(err, ERR_INVALID, "'%s' is not a numeric IP address", address);
		return NULL;
	}
	if (address_check(&a, address, tls, plain_behind_proxy, err))
		return NULL;
	fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		err_set_errno(err, errno, "cannot create a socket for %s", address);
		return NULL;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (a.any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, &a.any, len) || listen(fd, BACKLOG)) {
		err_set_errno(err, errno, "cannot listen on %s port %u%s", address, port,
			      bind_hint(errno));
		close(fd);
		return NULL;
	}
	return listen_inet(server, fd, tls, err);
}

/* Removes the socket of a dead process. Returns 0 if the path is free afterwards. */
static int socket_path_clear(const union listener_address *a, struct err *err)
{
	const char *path = a->un.sun_path;
	struct stat st;
	int fd, rc, errnum;

	if (lstat(path, &st)) {
		if (errno == ENOENT)
			return 0;
		return err_set_errno(err, errno, "cannot stat '%s'", path);
	}
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, ERR_CONFLICT,
			       "'%s' exists and is not a socket; remove it, or "
			       "listen on another path",
			       path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set_errno(err, errno, "cannot create a socket");
	rc = connect(fd, &a->any, sizeof(a->un));
	errnum = errno;
	close(fd);
	/* EAGAIN: the backlog of a live listener is full */
	if (!rc || errnum != ECONNREFUSED)
		return err_set(err, ERR_BUSY,
			       "'%s' is in use by another process; stop it, or listen on "
			       "another path",
			       path);
	if (unlink(path) && errno != ENOENT)
		return err_set_errno(err, errno, "cannot remove the stale socket '%s'", path);
	return 0;
}

/* Does nothing if the group is right already: a hardened service may not call chown. */
static int socket_set_group(const char *path, gid_t gid)
{
	struct stat st;

	if (gid == (gid_t)-1 || (!lstat(path, &st) && st.st_gid == gid))
		return 0;
	return chown(path, (uid_t)-1, gid);
}

/* Sets mode and group before listening, so before any connect() can succeed. */
static int socket_bind(int fd, const union listener_address *a, gid_t gid, struct err *err)
{
	const char *path = a->un.sun_path;

	if (bind(fd, &a->any, sizeof(a->un)))
		return err_set_errno(err, errno, "cannot bind '%s'", path);
	if (chmod(path, 0660) || socket_set_group(path, gid) || listen(fd, BACKLOG)) {
		err_set_errno(err, errno, "cannot listen on '%s'", path);
		unlink(path);
		return -1;
	}
	return 0;
}

struct http_listener *http_listen_unix(struct http_server *server, const char *path, gid_t gid,
				       struct err *err)
{
	union listener_address a;
	struct http_listener *l;
	struct stat st;
	int fd;

	memset(&a, 0, sizeof(a));
	a.un.sun_family = AF_UNIX;
	if (!*path || strlen(path) >= sizeof(a.un.sun_path)) {
		err_set(err, ERR_INVALID, "the path of a Unix socket must have 1 to %zu characters",
			sizeof(a.un.sun_path) - 1);
		return NULL;
	}
	memcpy(a.un.sun_path, path, strlen(path));
	if (socket_path_clear(&a, err))
		return NULL;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		err_set_errno(err, errno, "cannot create a socket for '%s'", path);
		return NULL;
	}
	if (socket_bind(fd, &a, gid, err)) {
		close(fd);
		return NULL;
	}
	l = listener_new(server, fd, NULL, path, err);
	if (!l)
		return NULL;
	l->is_unix = 1;
	if (!lstat(path, &st)) {
		l->unlink_path = xstrdup(path);
		l->unlink_dev = st.st_dev;
		l->unlink_ino = st.st_ino;
	}
	return l;
}

struct http_listener *http_listen_fd(struct http_server *server, int fd, struct ssl_ctx_st *tls,
				     int plain_behind_proxy, struct err *err)
{
	union listener_address a;
	socklen_t len = sizeof(a), int_len = sizeof(int);
	char text[INET6_ADDRSTRLEN];
	struct http_listener *l;
	int accepts = 0;

	memset(&a, 0, sizeof(a));
	if (getsockname(fd, &a.any, &len) ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &int_len) || !accepts) {
		err_set(err, ERR_INVALID, "descriptor %d is not a listening socket", fd);
		return NULL;
	}
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC)) {
		err_set_errno(err, errno, "cannot use descriptor %d", fd);
		return NULL;
	}
	switch (a.any.sa_family) {
	case AF_INET:
	case AF_INET6:
		address_print(&a, text, sizeof(text));
		if (address_check(&a, text, tls, plain_behind_proxy, err))
			return NULL;
		return listen_inet(server, fd, tls, err);
	case AF_UNIX:
		if (tls)
			break;
		l = listener_new(server, fd, NULL, a.un.sun_path[0] ? a.un.sun_path : "unix", err);
		if (l)
			l->is_unix = 1;
		return l;
	default:
		break;
	}
	err_set(err, ERR_INVALID, "descriptor %d has an unsupported address family", fd);
	return NULL;
}

const char *http_listener_name(const struct http_listener *listener)
{
	return listener->name;
}

uint16_t http_listener_port(const struct http_listener *listener)
{
	return listener->port;
}

void http_listener_set_tls(struct http_listener *listener, struct ssl_ctx_st *tls)
{
	tls_ref(tls);
	tls_prepare(tls);
	tls_unref(listener->tls);
	listener->tls = tls;
}
