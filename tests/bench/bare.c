/* SPDX-License-Identifier: MIT */
/*
 * The baselines for the daemon's HTTP figures, measured in the same run:
 *   bare PORT     a bufferevent that answers each blank line with a fixed 600 bytes
 *   bare -e PORT  libevent's evhttp answering the same bytes, without a store
 * Both use one thread with an event loop; neither parses or checks more than it must.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_LEN 600

static char body[BODY_LEN];
static char answer[BODY_LEN + 256];
static size_t answer_len;

static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);

	(void)arg;
	for (;;) {
		struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);

		if (end.pos < 0)
			return;
		evbuffer_drain(in, (size_t)end.pos + 4);
		bufferevent_write(bev, answer, answer_len);
	}
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)what;
	(void)arg;
	bufferevent_free(bev);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer,
		      int len, void *arg)
{
	struct event_base *base = evconnlistener_get_base(listener);
	struct bufferevent *bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	int one = 1;

	(void)peer;
	(void)len;
	(void)arg;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	bufferevent_setcb(bev, on_read, NULL, on_event, NULL);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static void on_evhttp(struct evhttp_request *request, void *arg)
{
	struct evbuffer *out = evbuffer_new();

	(void)arg;
	evbuffer_add_reference(out, body, sizeof(body), NULL, NULL);
	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
			  "application/json");
	evhttp_send_reply(request, 200, "OK", out);
	evbuffer_free(out);
}

int main(int argc, char **argv)
{
	int use_evhttp = argc == 3 && strcmp(argv[1], "-e") == 0;
	struct event_config *config = event_config_new();
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct event_base *base;

	if (argc != 2 + use_evhttp) {
		fprintf(stderr, "usage: bare [-e] PORT\n");
		return 2;
	}
	memset(body, 'x', sizeof(body));
	answer_len = (size_t)snprintf(answer, sizeof(answer),
				      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
				      "Content-Length: %d\r\n\r\n%.*s", BODY_LEN, BODY_LEN, body);
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	base = event_base_new_with_config(config);
	event_config_free(config);
	address.sin_port = htons((uint16_t)strtoul(argv[argc - 1], NULL, 10));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (use_evhttp) {
		struct evhttp *http = evhttp_new(base);

		evhttp_set_gencb(http, on_evhttp, NULL);
		if (evhttp_bind_socket(http, "127.0.0.1", ntohs(address.sin_port)))
			return 1;
	} else if (!evconnlistener_new_bind(base, on_accept, NULL,
					    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 1024,
					    (struct sockaddr *)&address, sizeof(address))) {
		perror("bare: bind");
		return 1;
	}
	event_base_dispatch(base);
	return 0;
}
