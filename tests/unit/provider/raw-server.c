/* SPDX-License-Identifier: MIT */
#include "raw-server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PEERS_MAX 64
#define REQUEST_MAX 8192
#define PATIENCE_S 60

struct raw_server {
	int fd;
	uint16_t port;
	void (*serve)(struct raw_peer *peer);
	pthread_t thread;
	int stop_fd;			/* an eventfd: readable once the server is stopping */
	int is_finished;		/* all threads have ended */
	_Atomic uint16_t last_port;	/* of the connection after which no more are accepted */
	atomic_int connections;
	pthread_t peer_threads[PEERS_MAX];
	struct raw_peer peers[PEERS_MAX];

	pthread_mutex_t lock;	/* of the requests */
	pthread_cond_t one_more;
	char requests[RAW_REQUESTS_MAX][REQUEST_MAX];
	int request_count;
};

static void *peer_main(void *arg)
{
	struct raw_peer *peer = arg;

	peer->server->serve(peer);
	if (peer->fd >= 0)
		close(peer->fd);
	return NULL;
}

static void *accept_main(void *arg)
{
	struct raw_server *server = arg;

	for (;;) {
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		int fd = accept4(server->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);
		int n = atomic_load(&server->connections);
		if (fd < 0)
			abort();
		if (from.sin_port == atomic_load(&server->last_port)) {
			close(fd);
			return NULL;
		}
		if (n == PEERS_MAX)
			abort();
		server->peers[n] = (struct raw_peer){ .server = server, .fd = fd, .number = n };
		/*
		 * counted before it is served, so that a client that got a response finds it
		 * counted
		 */
		atomic_store(&server->connections, n + 1);
		pthread_create(&server->peer_threads[n], NULL, peer_main, &server->peers[n]);
	}
}

struct raw_server *raw_start(void (*serve)(struct raw_peer *peer))
{
	struct raw_server *server = calloc(1, sizeof(*server));
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server->serve = serve;
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->one_more, NULL);
	server->stop_fd = eventfd(0, EFD_CLOEXEC);
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(server->fd, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(server->fd, 64) || getsockname(server->fd, (struct sockaddr *)&address, &len))
		abort();
	server->port = ntohs(address.sin_port);
	pthread_create(&server->thread, NULL, accept_main, server);
	return server;
}

/* Connections are accepted in order, so ours is the last one. */
static void accept_end(struct raw_server *server)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(server->port) };
	struct sockaddr_in from = { .sin_family = AF_INET };
	socklen_t len = sizeof(from);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = from.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) ||
	    getsockname(fd, (struct sockaddr *)&from, &len))
		abort();
	atomic_store(&server->last_port, from.sin_port);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		abort();
	pthread_join(server->thread, NULL);
	close(fd);
}

void raw_finish(struct raw_server *server)
{
	if (server->is_finished)
		return;
	accept_end(server);
	for (int i = 0; i < atomic_load(&server->connections); i++)
		pthread_join(server->peer_threads[i], NULL);
	server->is_finished = 1;
}

void raw_stop(struct raw_server *server)
{
	eventfd_write(server->stop_fd, 1);
	raw_finish(server);
	close(server->fd);
	close(server->stop_fd);
	pthread_cond_destroy(&server->one_more);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

uint16_t raw_port(const struct raw_server *server)
{
	return server->port;
}

/* Waits for bytes; 0 if the server is being stopped. */
static int peer_wait(struct raw_peer *peer)
{
	struct pollfd fds[] = { { .fd = peer->server->stop_fd, .events = POLLIN },
				{ .fd = peer->fd, .events = POLLIN } };

	return poll(fds, 2, -1) > 0 && !fds[0].revents;
}

int raw_read(struct raw_peer *peer)
{
	char text[REQUEST_MAX] = "";
	size_t len = 0, need = 0;

	while (peer_wait(peer)) {
		ssize_t got = recv(peer->fd, text + len, sizeof(text) - 1 - len, 0);
		if (got <= 0)
			return -1;
		len += (size_t)got;
		text[len] = '\0';
		char *end = strstr(text, "\r\n\r\n");
		if (!end)
			continue;
		char *field = strcasestr(text, "\r\nContent-Length:");
		need = (size_t)(end + 4 - text) + (field ? strtoul(field + 17, NULL, 10) : 0);
		if (len < need)
			continue;
		pthread_mutex_lock(&peer->server->lock);
		if (peer->server->request_count == RAW_REQUESTS_MAX)
			abort();
		memcpy(peer->server->requests[peer->server->request_count++], text, len + 1);
		pthread_cond_broadcast(&peer->server->one_more);
		pthread_mutex_unlock(&peer->server->lock);
		return 0;
	}
	return -1;
}

void raw_write_len(struct raw_peer *peer, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t put = send(peer->fd, data, len, MSG_NOSIGNAL);
		if (put <= 0)
			return;
		data += put;
		len -= (size_t)put;
	}
}

void raw_write(struct raw_peer *peer, const char *text)
{
	raw_write_len(peer, text, strlen(text));
}

void raw_reset(struct raw_peer *peer)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(peer->fd);
	peer->fd = -1;
}

int raw_pause(struct raw_peer *peer, int ms)
{
	struct pollfd stop = { .fd = peer->server->stop_fd, .events = POLLIN };

	return poll(&stop, 1, ms) == 0;
}

static int count_locked(const struct raw_server *server, const char *method)
{
	int count = 0;

	for (int i = 0; i < server->request_count; i++)
		count += !method || strncmp(server->requests[i], method, strlen(method)) == 0;
	return count;
}

int raw_count(struct raw_server *server, const char *method)
{
	int count;

	pthread_mutex_lock(&server->lock);
	count = count_locked(server, method);
	pthread_mutex_unlock(&server->lock);
	return count;
}

void raw_await(struct raw_server *server, const char *method, int count)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&server->lock);
	while (count_locked(server, method) < count) {
		if (pthread_cond_timedwait(&server->one_more, &server->lock, &until))
			abort();
	}
	pthread_mutex_unlock(&server->lock);
}

int raw_connections(struct raw_server *server)
{
	return atomic_load(&server->connections);
}

void raw_request(struct raw_server *server, int n, char *ret, size_t room)
{
	pthread_mutex_lock(&server->lock);
	snprintf(ret, room, "%s", n < server->request_count ? server->requests[n] : "");
	pthread_mutex_unlock(&server->lock);
}
