/* SPDX-License-Identifier: MIT */
#include "cli/relay.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define RELAY_BUFFER 65536

/* One direction. */
struct relay_flow {
	int from, to;
	int is_ended;  /* `from` has ended */
	int is_closed; /* and `to` knows */
	size_t begin, end;
	char data[RELAY_BUFFER];
};

static int is_later(ssize_t result)
{
	return result < 0 && (errno == EAGAIN || errno == EINTR);
}

/* -1 if the connection is broken. */
static int flow_read(struct relay_flow *flow)
{
	ssize_t len = read(flow->from, flow->data, sizeof(flow->data));

	if (is_later(len))
		return 0;
	if (len < 0)
		return -1;
	flow->begin = 0;
	flow->end = (size_t)len;
	flow->is_ended = len == 0;
	return 0;
}

static int flow_write(struct relay_flow *flow)
{
	ssize_t len = write(flow->to, flow->data + flow->begin, flow->end - flow->begin);

	if (is_later(len))
		return 0;
	if (len < 0)
		return -1;
	flow->begin += (size_t)len;
	return 0;
}

static int flow_is_empty(const struct relay_flow *flow)
{
	return flow->begin == flow->end;
}

static void flow_close(struct relay_flow *flow, int socket_fd)
{
	if (!flow->is_ended || flow->is_closed || !flow_is_empty(flow))
		return;
	if (flow->to == socket_fd)
		shutdown(socket_fd, SHUT_WR);
	else
		close(flow->to);
	flow->is_closed = 1;
}

static int flow_step(struct relay_flow *flow, const struct pollfd *in, const struct pollfd *out)
{
	if (in->revents && flow_is_empty(flow) && !flow->is_ended && flow_read(flow))
		return -1;
	if ((out->revents || in->revents) && !flow_is_empty(flow) && flow_write(flow))
		return -1;
	return 0;
}

/* poll ignores a negative descriptor; both events of a socket are asked for apart. */
static void flow_wait(const struct relay_flow *flow, struct pollfd *in, struct pollfd *out)
{
	*in = (struct pollfd){
		.fd = flow_is_empty(flow) && !flow->is_ended ? flow->from : -1,
		.events = POLLIN,
	};
	*out = (struct pollfd){
		.fd = flow_is_empty(flow) ? -1 : flow->to,
		.events = POLLOUT,
	};
}

int relay_run(int fd)
{
	static struct relay_flow up, down;
	struct pollfd wait[4];
	int code = 1;

	signal(SIGPIPE, SIG_IGN);
	up = (struct relay_flow){ .from = STDIN_FILENO, .to = fd };
	down = (struct relay_flow){ .from = fd, .to = STDOUT_FILENO };
	for (;;) {
		flow_close(&up, fd);
		flow_close(&down, fd);
		/* What the machine does not send any more, nobody can use. */
		if (down.is_closed) {
			code = 0;
			break;
		}
		flow_wait(&up, &wait[0], &wait[1]);
		flow_wait(&down, &wait[2], &wait[3]);
		if (poll(wait, 4, -1) < 0 && errno != EINTR)
			break;
		if (flow_step(&up, &wait[0], &wait[1]) || flow_step(&down, &wait[2], &wait[3]))
			break;
	}
	close(fd);
	return code;
}
