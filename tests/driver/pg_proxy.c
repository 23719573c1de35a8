/* SPDX-License-Identifier: MIT */
/*
 * pg-proxy TARGET [PORT]
 *
 * A TCP proxy in front of a PostgreSQL server, for tests of what a lost, late or cut connection
 * does. TARGET is HOST:PORT, or the path of the server's Unix socket. Prints "port N" once it
 * listens on 127.0.0.1. Then each line of standard input is a command, and each gets one line of
 * answer, "ok ..." or "error ...". Ends with its input.
 *
 *   hold DIR WHO    keeps what is sent from now on. DIR: c2s (client to server), s2c, or sync
 *                   (client to server, from the next Sync message on)
 *   pass DIR WHO    sends what was kept, and passes again
 *   delay DIR WHO MS   sends everything MS later; 0: at once
 *   cut WHO         closes the client's side; what was kept from the client is still there
 *   kill WHO        closes the server's side without what was kept, then the client's
 *   deliver WHO     after cut: sends what was kept, then the end of the stream, and waits until the
 *                   server has closed; answers with the SQLSTATEs of its errors
 *   target TARGET   where new connections go from now on
 *   refuse          new connections are refused
 *   accept          and accepted again
 *   await sync WHO  until a kept Sync is there
 *   await kept DIR WHO  until something is kept
 *   await ready WHO until the server has finished everything that it was sent a Sync for
 *   await open N    until N connections have been made, since the start
 *   list            ids of the connections that are not closed
 *
 * WHO is a connection's number, counted from 1; `all`: those that exist; `new`: those that are made
 * from now on (hold, pass and delay). An `await` that is not met within 20 s is an error.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS 256
#define AWAIT_MS 20000
#define CHUNK 65536
#define SSL_REQUEST 80877103
#define GSS_REQUEST 80877104

enum holding { PASS, HOLD, HOLD_SYNC };

/* What flows in one direction, and the messages in it. */
struct flow {
	unsigned char *data; /* kept */
	size_t len, size;
	enum holding holding;
	int delay_ms;
	int64_t due_ms; /* when what is kept may go on; with delay_ms */
	int kept_syncs; /* in `data` */
	/* The message that is being read. */
	unsigned char head[5];
	size_t head_len, body_left;
	int is_started;		 /* the first message of a client has no type */
	unsigned char text[512]; /* the begin of the body */
	size_t text_len;
};

struct connection {
	int client, server; /* -1: closed */
	struct flow c2s, s2c;
	int syncs, readies; /* sent to the server; received from it */
	char states[256];   /* SQLSTATEs of the server's errors */
	int is_cut;
};

static struct connection *connections[CONNECTIONS];
static int count, listener = -1, port;
static struct flow new_c2s, new_s2c;
static char target[108];

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void die(const char *what)
{
	fprintf(stderr, "pg-proxy: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- sockets -------------------------------------------------------------------------------- */

static void listen_again(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				  .sin_port = htons((uint16_t)port) };
	socklen_t len = sizeof(at);
	int one = 1;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 64) ||
	    getsockname(listener, (struct sockaddr *)&at, &len))
		die("cannot listen");
	port = ntohs(at.sin_port);
}

static int dial_unix(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", target);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int dial(void)
{
	char host[256];
	const char *colon = strrchr(target, ':');
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	int fd, one = 1;

	if (target[0] == '/')
		return dial_unix();
	snprintf(host, sizeof(host), "%.*s", colon ? (int)(colon - target) : 0, target);
	if (!colon || getaddrinfo(host, colon + 1, &hints, &found))
		return -1;
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen)) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void close_side(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void connection_accept(void)
{
	struct connection *c;
	int one = 1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c = count < CONNECTIONS ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		close(fd);
		return;
	}
	c->client = fd;
	c->server = dial();
	c->c2s = new_c2s;
	c->s2c = new_s2c;
	c->s2c.is_started = 1;
	connections[count++] = c;
	if (c->server < 0)
		close_side(&c->client);
}

/* ---- messages ------------------------------------------------------------------------------- */

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The SQLSTATE is the field 'C'. */
static void note_error(struct connection *c, const struct flow *f)
{
	size_t at = 0, used = strlen(c->states);

	while (at < f->text_len && f->text[at] && f->text[at] != 'C')
		at += strnlen((const char *)f->text + at, f->text_len - at) + 1;
	if (at + 6 <= f->text_len && f->text[at] == 'C')
		snprintf(c->states + used, sizeof(c->states) - used, " %.5s", f->text + at + 1);
}

/*
 * Reads a byte of the flow's messages; 1: a message ends here, its type is in head[0].
 */
static int message_byte(struct flow *f, unsigned char byte)
{
	size_t skip = f->is_started ? 0 : 1; /* no type */

	if (f->head_len < 5 - skip) {
		if (!f->head_len)
			f->text_len = 0;
		f->head[skip + f->head_len++] = byte;
		if (f->head_len < 5 - skip)
			return 0;
		f->body_left = be32(f->head + 1) - 4;
	} else {
		if (f->text_len < sizeof(f->text))
			f->text[f->text_len++] = byte;
		f->body_left--;
	}
	if (f->body_left)
		return 0;
	f->head_len = 0;
	if (skip)
		f->head[0] = 0;
	return 1;
}

/* ---- flows ---------------------------------------------------------------------------------- */

static void flow_keep(struct flow *f, const unsigned char *data, size_t len)
{
	if (f->len + len > f->size) {
		f->size = (f->len + len) * 2;
		f->data = realloc(f->data, f->size);
		if (!f->data)
			die("no memory");
	}
	memcpy(f->data + f->len, data, len);
	f->len += len;
}

static int send_all(int fd, const unsigned char *data, size_t len)
{
	while (len) {
		ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);

		if (sent <= 0)
			return -1;
		data += sent;
		len -= (size_t)sent;
	}
	return 0;
}

static void flow_release(struct connection *c, struct flow *f)
{
	int *to = f == &c->c2s ? &c->server : &c->client;

	if (f == &c->c2s)
		c->syncs += f->kept_syncs;
	f->kept_syncs = 0;
	if (f->len && *to >= 0 && send_all(*to, f->data, f->len) && f == &c->s2c)
		close_side(to);
	f->len = 0;
}

/* Encryption is refused in the server's name, so that its messages can be read. */
static int is_encryption_request(struct connection *c, const struct flow *f)
{
	uint32_t code = f->text_len == 4 ? be32(f->text) : 0;

	if (code != SSL_REQUEST && code != GSS_REQUEST)
		return 0;
	send_all(c->client, (const unsigned char *)"N", 1);
	return 1;
}

/* From the client; each message is passed or kept as a whole once it is complete. */
static void client_bytes(struct connection *c, const unsigned char *data, size_t len)
{
	struct flow *f = &c->c2s;
	size_t begin = 0;

	for (size_t i = 0; i < len; i++) {
		int is_first = !f->is_started, is_sync;

		if (!message_byte(f, data[i]))
			continue;
		if (is_first && is_encryption_request(c, f)) {
			begin = i + 1;
			continue;
		}
		f->is_started = 1;
		is_sync = !is_first && f->head[0] == 'S';
		if (is_sync && f->holding == HOLD_SYNC && i + 1 - begin >= 5) {
			/* What came before it goes on; a Sync is five bytes. */
			if (i + 1 - begin > 5)
				flow_keep(f, data + begin, i + 1 - begin - 5);
			flow_release(c, f);
			begin = i + 1 - 5;
			f->holding = HOLD;
		}
		f->kept_syncs += is_sync;
	}
	if (len > begin)
		flow_keep(f, data + begin, len - begin);
}

static void server_bytes(struct connection *c, const unsigned char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!message_byte(&c->s2c, data[i]))
			continue;
		if (c->s2c.head[0] == 'Z')
			c->readies++;
		else if (c->s2c.head[0] == 'E')
			note_error(c, &c->s2c);
	}
	if (!c->is_cut)
		flow_keep(&c->s2c, data, len);
}

static void flow_go_on(struct connection *c, struct flow *f)
{
	if (f->holding != HOLD && (!f->delay_ms || now_ms() >= f->due_ms))
		flow_release(c, f);
}

/* Something can be read from the side. */
static void side_read(struct connection *c, int is_client)
{
	unsigned char data[CHUNK];
	struct flow *f = is_client ? &c->c2s : &c->s2c;
	ssize_t len = recv(is_client ? c->client : c->server, data, sizeof(data), 0);

	if (len <= 0) {
		/* The end passes as what was sent before it does. */
		if (is_client) {
			close_side(&c->client);
			if (f->holding == PASS)
				close_side(&c->server);
		} else {
			close_side(&c->server);
			if (f->holding == PASS)
				close_side(&c->client);
		}
		return;
	}
	if (!f->len)
		f->due_ms = now_ms() + f->delay_ms;
	if (is_client)
		client_bytes(c, data, (size_t)len);
	else
		server_bytes(c, data, (size_t)len);
	flow_go_on(c, f);
}

/* Waits for at most `wait_ms`, and moves what can be moved. -1: the input has a line, or its end. */
static int turn(int wait_ms, int with_input)
{
	struct pollfd fds[2 + 2 * CONNECTIONS];
	struct connection *who[2 + 2 * CONNECTIONS];
	int n = 0, has_input;

	fds[n++] = (struct pollfd){ .fd = with_input ? 0 : -1, .events = POLLIN };
	fds[n++] = (struct pollfd){ .fd = listener, .events = POLLIN };
	for (int i = 0; i < count; i++) {
		struct connection *c = connections[i];

		who[n] = who[n + 1] = c;
		fds[n++] = (struct pollfd){ .fd = c->client, .events = POLLIN };
		fds[n++] = (struct pollfd){ .fd = c->server, .events = POLLIN };
		if ((c->c2s.len && c->c2s.delay_ms) || (c->s2c.len && c->s2c.delay_ms))
			wait_ms = 1;
	}
	if (poll(fds, (nfds_t)n, wait_ms) < 0)
		die("poll");
	has_input = fds[0].revents != 0;
	for (int i = 2; i < n; i++)
		if (fds[i].revents && fds[i].fd >= 0 &&
		    fds[i].fd == (i % 2 ? who[i]->server : who[i]->client))
			side_read(who[i], i % 2 == 0);
	for (int i = 0; i < count; i++) {
		flow_go_on(connections[i], &connections[i]->c2s);
		flow_go_on(connections[i], &connections[i]->s2c);
	}
	if (fds[1].revents)
		connection_accept();
	return has_input ? -1 : 0;
}

/* ---- commands ------------------------------------------------------------------------------- */

/* Calls fn for each connection that `who` names; how many there were. */
static int each(const char *who, void (*fn)(struct connection *c, void *arg), void *arg)
{
	int n = atoi(who), done = 0;

	for (int i = 0; i < count; i++)
		if (strcmp(who, "all") == 0 || n == i + 1) {
			fn(connections[i], arg);
			done++;
		}
	return done;
}

struct setting {
	const char *dir;
	enum holding holding;
	int delay_ms; /* -1: as it is */
};

static void flow_set(struct flow *f, const struct setting *to)
{
	if (to->delay_ms >= 0)
		f->delay_ms = to->delay_ms;
	else
		f->holding = to->holding;
}

static void set(struct connection *c, void *arg)
{
	const struct setting *to = arg;
	struct flow *f = strcmp(to->dir, "s2c") == 0 ? &c->s2c : &c->c2s;

	flow_set(f, to);
	flow_go_on(c, f);
	if (f->holding != PASS)
		return;
	/* An end that was kept, too. */
	if (f == &c->c2s && c->client < 0 && !c->is_cut)
		close_side(&c->server);
	if (f == &c->s2c && c->server < 0)
		close_side(&c->client);
}

static void cut(struct connection *c, void *arg)
{
	struct linger at_once = { .l_onoff = 1 };

	(void)arg;
	c->is_cut = 1;
	if (c->c2s.holding == PASS)
		c->c2s.holding = HOLD;
	if (c->client >= 0)
		setsockopt(c->client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close_side(&c->client);
}

static void kill_connection(struct connection *c, void *arg)
{
	(void)arg;
	close_side(&c->server);
	close_side(&c->client);
}

static void deliver(struct connection *c, void *arg)
{
	char *answer = arg;
	size_t used = strlen(answer);
	int64_t end = now_ms() + AWAIT_MS;

	if (c->server < 0)
		return;
	flow_release(c, &c->c2s);
	shutdown(c->server, SHUT_WR);
	while (c->server >= 0 && now_ms() < end)
		turn(100, 0);
	snprintf(answer + used, 512 - used, "%s%s", c->states, c->server >= 0 ? " timeout" : "");
}

/* What an `await` waits for: how many of the connections are as it says. */
struct condition {
	const char *what, *dir;
	int met;
};

static void check(struct connection *c, void *arg)
{
	struct condition *condition = arg;
	const struct flow *f = strcmp(condition->dir, "s2c") == 0 ? &c->s2c : &c->c2s;

	if (strcmp(condition->what, "sync") == 0)
		condition->met += c->c2s.kept_syncs > 0 && c->c2s.holding == HOLD;
	else if (strcmp(condition->what, "kept") == 0)
		condition->met += f->len > 0 && f->holding == HOLD;
	else /* the server is ready once without being asked */
		condition->met += c->readies > c->syncs;
}

static int await(const char *what, const char *dir, const char *who)
{
	int64_t end = now_ms() + AWAIT_MS;

	for (;;) {
		struct condition condition = { what, dir, 0 };

		each(who, check, &condition);
		if (condition.met || (strcmp(what, "open") == 0 && count >= atoi(who)))
			return 0;
		if (now_ms() >= end)
			return -1;
		turn(20, 0);
	}
}

static int change(const char *verb, const char *dir, const char *who, const char *ms)
{
	struct setting to = { dir, PASS, -1 };

	if (strcmp(verb, "hold") == 0)
		to.holding = strcmp(dir, "sync") == 0 ? HOLD_SYNC : HOLD;
	else if (strcmp(verb, "delay") == 0)
		to.delay_ms = atoi(ms);
	else if (strcmp(verb, "pass") != 0)
		return -1;
	if (strcmp(who, "new") == 0) {
		flow_set(strcmp(dir, "s2c") == 0 ? &new_s2c : &new_c2s, &to);
		return 0;
	}
	return each(who, set, &to) ? 0 : -1;
}

static void list(char *answer, size_t size)
{
	for (int i = 0; i < count; i++) {
		size_t used = strlen(answer);

		if (connections[i]->client >= 0 || connections[i]->server >= 0)
			snprintf(answer + used, size - used, " %d", i + 1);
	}
}

/* Does what the words say; -1: an error. */
static int command(char *word[4], char *answer, size_t size)
{
	if (strcmp(word[0], "cut") == 0)
		return each(word[1], cut, NULL) ? 0 : -1;
	if (strcmp(word[0], "kill") == 0)
		return each(word[1], kill_connection, NULL) ? 0 : -1;
	if (strcmp(word[0], "deliver") == 0)
		return each(word[1], deliver, answer) && !strstr(answer, "timeout") ? 0 : -1;
	if (strcmp(word[0], "target") == 0)
		return snprintf(target, sizeof(target), "%s", word[1]), 0;
	if (strcmp(word[0], "refuse") == 0)
		return close_side(&listener), 0;
	if (strcmp(word[0], "accept") == 0)
		return listener < 0 ? (listen_again(), 0) : 0;
	if (strcmp(word[0], "list") == 0)
		return list(answer, size), 0;
	if (strcmp(word[0], "await") == 0)
		return word[3][0] ? await(word[1], word[2], word[3]) : await(word[1], "", word[2]);
	return change(word[0], word[1], word[2], word[3]);
}

static void line_run(char *line)
{
	static char none[] = "";
	char answer[512] = "", *rest = line, *word[4] = { none, none, none, none };

	for (int i = 0; i < 4; i++) {
		char *found = strtok_r(i ? NULL : line, " \n", &rest);

		word[i] = found ? found : none;
	}
	if (command(word, answer, sizeof(answer)))
		printf("error %s%s\n", word[0], answer);
	else
		printf("ok%s\n", answer);
	fflush(stdout);
}

/* Runs the complete lines of the input; -1: it has ended. */
static int input_read(void)
{
	static char text[4096];
	static size_t len;
	ssize_t got = read(0, text + len, sizeof(text) - 1 - len);
	char *end;

	if (got <= 0)
		return -1;
	len += (size_t)got;
	text[len] = '\0';
	while ((end = strchr(text, '\n')) != NULL) {
		char line[sizeof(text)];

		*end = '\0';
		snprintf(line, sizeof(line), "%s", text);
		len -= (size_t)(end + 1 - text);
		memmove(text, end + 1, len + 1);
		line_run(line);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: pg-proxy TARGET [PORT]\n");
		return 2;
	}
	snprintf(target, sizeof(target), "%s", argv[1]);
	port = argc > 2 ? atoi(argv[2]) : 0;
	listen_again();
	printf("port %d\n", port);
	fflush(stdout);
	for (;;)
		if (turn(-1, 1) && input_read())
			return 0;
}
