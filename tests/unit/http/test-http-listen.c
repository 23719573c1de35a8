/* SPDX-License-Identifier: MIT */
/* Listeners: Unix sockets and their files, inherited descriptors, addresses, TLS. */
#include <errno.h>
#include <netinet/in.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "http-fixture.h"
#include "util/alloc.h"

/* ---- Unix ---- */

struct dir {
	char path[64];
	char socket[96];
};

static void dir_make(struct dir *d)
{
	strcpy(d->path, "/tmp/lessor-http-XXXXXX");
	assert_non_null(mkdtemp(d->path));
	snprintf(d->socket, sizeof(d->socket), "%s/s", d->path);
}

static void dir_remove(struct dir *d)
{
	unlink(d->socket);
	rmdir(d->path);
}

static int unix_socket(const char *path, int listening)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (listening) {
		assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
		assert_int_equal(listen(fd, 5), 0);
	} else if (connect(fd, (struct sockaddr *)&un, sizeof(un))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void handle_peer(struct harness *harness, struct http_exchange *ex)
{
	const struct http_peer *peer = http_exchange_peer(ex);
	char text[96];

	(void)harness;
	snprintf(text, sizeof(text), "%s uid=%d pid=%d tls=%d", peer->address, (int)peer->uid,
		 (int)peer->pid, peer->is_tls);
	http_reply(ex, 200, NULL, text, strlen(text));
}

static void test_unix_socket(void **state)
{
	struct dir d;
	struct stat st;
	struct http_listener *l;
	char want[64];

	(void)state;
	dir_make(&d);
	h.handler = handle_peer;
	harness_start_unbound(&h);
	l = http_listen_unix(h.server, d.socket, (gid_t)-1, NULL);
	assert_non_null(l);
	assert_string_equal(http_listener_name(l), d.socket);
	assert_int_equal(http_listener_port(l), 0);
	assert_int_equal(stat(d.socket, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	client_open_fd(&h, &c, unix_socket(d.socket, 0));
	/* Any Host is accepted: there is no DNS to rebind. */
	SEND(&c, "GET /a HTTP/1.1\r\nHost: whatever.example\r\n\r\n");
	snprintf(want, sizeof(want), "unix uid=%d pid=%d tls=0", (int)getuid(), (int)getpid());
	WAIT(&h, strstr(client_text(&c), want));
	client_close(&c);
	harness_stop(&h);
	assert_int_equal(lstat(d.socket, &st), -1);
	dir_remove(&d);
}

static void test_unix_stale_and_foreign(void **state)
{
	struct dir d;
	struct err err;
	struct stat st;
	int fd;
	FILE *file;

	(void)state;
	dir_make(&d);
	fixture_again();
	harness_start_unbound(&h);
	/* Another process listens there. */
	fd = unix_socket(d.socket, 1);
	assert_null(http_listen_unix(h.server, d.socket, (gid_t)-1, &err));
	assert_int_equal(err.kind, ERR_BUSY);
	/* It no longer listens. */
	close(fd);
	assert_non_null(http_listen_unix(h.server, d.socket, (gid_t)-1, &err));
	/* Our own listener accepts: a second listen fails. */
	assert_null(http_listen_unix(h.server, d.socket, (gid_t)-1, &err));
	assert_int_equal(err.kind, ERR_BUSY);
	/* Another process has taken the path: our stop does not remove it. */
	unlink(d.socket);
	fd = unix_socket(d.socket, 1);
	assert_int_equal(lstat(d.socket, &st), 0);
	close(fd);
	unlink(d.socket);
	/* Not a socket: we do not remove it. */
	file = fopen(d.socket, "w");
	fclose(file);
	fixture_again();
	harness_start_unbound(&h);
	assert_null(http_listen_unix(h.server, d.socket, (gid_t)-1, &err));
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_int_equal(lstat(d.socket, &st), 0);
	assert_null(http_listen_unix(h.server, "/nonexistent/lessor/s", (gid_t)-1, &err));
	assert_null(http_listen_unix(h.server, "", (gid_t)-1, &err));
	assert_null(http_listen_unix(h.server,
				     "/tmp/01234567890123456789012345678901234567890123456789"
				     "01234567890123456789012345678901234567890123456789012345",
				     (gid_t)-1, &err));
	assert_int_equal(err.kind, ERR_INVALID);
	dir_remove(&d);
}

/* ---- addresses and descriptors ---- */

static void test_addresses(void **state)
{
	struct err err;
	struct http_listener *l;

	(void)state;
	harness_start_unbound(&h);
	/* No plain HTTP beyond loopback, unless explicitly allowed. */
	assert_null(http_listen_tcp(h.server, "0.0.0.0", 0, NULL, 0, &err));
	assert_int_equal(err.kind, ERR_REFUSED);
	assert_null(http_listen_tcp(h.server, "::", 0, NULL, 0, &err));
	assert_int_equal(err.kind, ERR_REFUSED);
	assert_non_null(http_listen_tcp(h.server, "0.0.0.0", 0, NULL, 1, &err));
	assert_null(http_listen_tcp(h.server, "localhost", 0, NULL, 0, &err));
	assert_int_equal(err.kind, ERR_INVALID);
	l = http_listen_tcp(h.server, "127.0.0.1", 0, NULL, 0, &err);
	assert_non_null(l);
	/* In use. */
	assert_null(http_listen_tcp(h.server, "127.0.0.1", http_listener_port(l), NULL, 0, &err));
	assert_int_equal(err.native, EADDRINUSE);
	assert_non_null(http_listen_tcp(h.server, "127.0.0.2", 0, NULL, 0, &err));
	l = http_listen_tcp(h.server, "::1", 0, NULL, 0, &err);
	if (l)
		assert_int_equal(strncmp(http_listener_name(l), "[::1]:", 6), 0);
}

static void test_inherited_descriptor(void **state)
{
	struct dir d;
	struct err err;
	struct stat st;
	int fd;

	(void)state;
	dir_make(&d);
	h.handler = handle_peer;
	harness_start_unbound(&h);
	assert_null(http_listen_fd(h.server, 0, NULL, 0, &err));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_null(http_listen_fd(h.server, fd, NULL, 0, &err));
	assert_int_equal(listen(fd, 5), 0);
	/* listen() binds it to every address: the rule for plain TCP applies. */
	assert_null(http_listen_fd(h.server, fd, NULL, 0, &err));
	assert_int_equal(err.kind, ERR_REFUSED);
	close(fd);
	assert_non_null(http_listen_fd(h.server, unix_socket(d.socket, 1), NULL, 0, &err));
	client_open_fd(&h, &c, unix_socket(d.socket, 0));
	SEND(&c, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
	WAIT(&h, strstr(client_text(&c), "unix uid="));
	client_close(&c);
	harness_stop(&h);
	/* The process that created the socket file removes it. */
	assert_int_equal(lstat(d.socket, &st), 0);
	dir_remove(&d);
}

/* An IPv4 client of a socket for both protocols has its IPv4 address, and counts by it. */
static void test_h2_ipv4_over_an_ipv6_socket(void **state)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	socklen_t len = sizeof(in6);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int off = 0;
	struct err err;

	(void)state;
	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
	    bind(fd, (struct sockaddr *)&in6, sizeof(in6)) || listen(fd, 5)) {
		close(fd);
		skip();
	}
	h.handler = handle_peer;
	h.config.any_host = 1;
	harness_start_unbound(&h);
	getsockname(fd, (struct sockaddr *)&in6, &len);
	h.port = ntohs(in6.sin6_port);
	assert_non_null(http_listen_fd(h.server, fd, NULL, 1, &err));
	client_open(&h, &c);
	SEND(&c, "GET /a HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, strstr(client_text(&c), "127.0.0.1 uid="));
	assert_null(strstr(client_text(&c), "::ffff"));
}

/* ---- TLS ---- */

static SSL_CTX *server_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);

	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1,
				   -1, 0);
	X509_set_issuer_name(cert, name);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}

static void tls_read(struct bufferevent *bev, void *arg)
{
	struct client *client = arg;
	struct evbuffer *input = bufferevent_get_input(bev);
	size_t len = evbuffer_get_length(input);

	buf_add(&client->in, evbuffer_pullup(input, -1), len);
	evbuffer_drain(input, len);
}

static void tls_event(struct bufferevent *bev, short what, void *arg)
{
	struct client *client = arg;

	(void)bev;
	if (what & BEV_EVENT_CONNECTED)
		client->is_connected = 1;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		client->is_eof = 1;
}

/* `alpn` in the wire form, or NULL; `version`: the highest spoken, 0 for any. */
static void tls_open(struct harness *harness, struct client *client, const char *alpn, int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl;
	int fd;

	client_open(harness, client);
	fd = dup(client->fd);
	client_close(client);
	if (version) {
		SSL_CTX_set_security_level(ctx, 0);
		SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
		SSL_CTX_set_max_proto_version(ctx, version);
	}
	ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	if (alpn)
		SSL_set_alpn_protos(ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
	*client = (struct client){ .h = harness, .fd = -1 };
	buf_init(&client->in, 64 << 20);
	client->bev = bufferevent_openssl_socket_new(harness->base, fd, ssl,
						     BUFFEREVENT_SSL_CONNECTING,
						     BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(client->bev, tls_read, NULL, tls_event, client);
	bufferevent_enable(client->bev, EV_READ | EV_WRITE);
}

static void tls_harness(struct harness *harness, SSL_CTX *ctx)
{
	struct http_listener *l;
	struct err err;

	harness_start_unbound(harness);
	l = http_listen_tcp(harness->server, "127.0.0.1", 0, ctx, 0, &err);
	assert_non_null(l);
	harness->port = http_listener_port(l);
}

static void test_tls(void **state)
{
	SSL_CTX *ctx = server_context();
	char *body = malloc(50000);
	char head[] = "POST /c HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000\r\n\r\n";

	(void)state;
	memset(body, 'z', 50000);
	tls_harness(&h, ctx);
	SSL_CTX_free(ctx); /* the listener holds its own reference */
	tls_open(&h, &c, "\x02h2\x08http/1.1", 0);
	SEND(&c, "GET /a HTTP/1.1\r\n" GET_FIELDS "GET /b HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, strstr(client_text(&c), "GET /b "));
	client_send(&c, head, sizeof(head) - 1);
	client_send(&c, body, 50000);
	WAIT(&h, c.in.len > 50000 && client_count(&c, "HTTP/1.1 200 OK") == 3);
	SEND(&c, "nonsense\r\n");
	WAIT(&h, c.is_eof);
	assert_non_null(strstr(client_text(&c), "HTTP/1.1 400 "));
	assert_int_equal(harness_counters(&h)->connections_tls, 1);
	client_close(&c);
	/* The client closes. */
	tls_open(&h, &c, NULL, 0);
	SEND(&c, "GET /a HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, strstr(client_text(&c), "GET /a "));
	client_close(&c);
	/* The server closes, as requested. */
	tls_open(&h, &c, NULL, 0);
	SEND(&c, "GET /d HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
	WAIT(&h, c.is_eof);
	assert_non_null(strstr(client_text(&c), "GET /d "));
	client_close(&c);
	WAIT(&h, harness_counters(&h)->connections_open == 0);
	free(body);
}

static void test_tls_big_answer_and_gone(void **state)
{
	SSL_CTX *ctx = server_context();
	char *big = malloc(3 << 20);

	(void)state;
	memset(big, 'q', 3 << 20);
	h.handler = harness_keep;
	tls_harness(&h, ctx);
	SSL_CTX_free(ctx);
	tls_open(&h, &c, NULL, 0);
	SEND(&c, "GET /a HTTP/1.1\r\n" GET_FIELDS "GET /b HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, h.kept_count == 2);
	http_reply(h.kept[1], 200, NULL, "second", 6);
	http_reply(h.kept[0], 200, NULL, big, 3 << 20);
	WAIT(&h, c.in.len > (3 << 20) && strstr(client_text(&c) + (3 << 20), "second"));
	SEND(&c, "GET /c HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, h.kept_count == 3);
	client_close(&c);
	WAIT(&h, h.gone == 1);
	http_reply(h.kept[2], 200, NULL, "late", 4);
	free(big);
}

static void test_h1_tls_late_answer(void **state)
{
	SSL_CTX *ctx = server_context();
	uint64_t since;

	(void)state;
	h.config.head_ms = h.config.body_ms = h.config.handshake_ms = 400;
	h.config.idle_ms = 300;
	h.handler = harness_keep;
	tls_harness(&h, ctx);
	SSL_CTX_free(ctx);
	tls_open(&h, &c, NULL, 0);
	SEND(&c, "POST /a HTTP/1.1\r\nContent-Length: 4\r\n" GET_FIELDS "body");
	WAIT(&h, h.kept_count == 1);
	since = harness_ms();
	WAIT(&h, harness_ms() - since > 800);
	assert_false(c.is_eof);
	harness_echo(&h, h.kept[0]);
	WAIT(&h, c.is_eof);
	assert_non_null(strstr(client_text(&c), "POST /a body"));
	assert_int_equal(harness_counters(&h)->closed_idle, 1);
}

static void test_b155_b239_tls_refusals(void **state)
{
	SSL_CTX *ctx = server_context();

	(void)state;
	/* Even if the caller's context allows it. */
	SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
	SSL_CTX_set_security_level(ctx, 0);
	h.config.handshake_ms = 100;
	tls_harness(&h, ctx);
	SSL_CTX_free(ctx);
	tls_open(&h, &c, NULL, TLS1_1_VERSION);
	WAIT(&h, c.is_eof);
	assert_false(c.is_connected);
	client_close(&c);
	tls_open(&h, &c, NULL, TLS1_2_VERSION);
	WAIT(&h, c.is_connected);
	client_close(&c);
	/* A client that offers only HTTP/2. */
	tls_open(&h, &c, "\x02h2", 0);
	WAIT(&h, c.is_eof);
	assert_false(c.is_connected);
	client_close(&c);
	/* Plain HTTP on this port. */
	client_open(&h, &c);
	SEND(&c, "GET / HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, c.is_eof);
	client_close(&c);
	WAIT(&h, harness_counters(&h)->connections_tls_failed == 3);
	/* A client that sends nothing. */
	client_open(&h, &c);
	WAIT(&h, c.is_eof);
	assert_int_equal(harness_counters(&h)->closed_silent, 1);
	client_close(&c);
	assert_int_equal(h.requests, 0);
}

static void test_tls_new_certificate(void **state)
{
	SSL_CTX *old = server_context(), *new = server_context();
	struct http_listener *l;

	(void)state;
	harness_start_unbound(&h);
	l = http_listen_tcp(h.server, "127.0.0.1", 0, old, 0, NULL);
	SSL_CTX_free(old);
	h.port = http_listener_port(l);
	tls_open(&h, &c, NULL, 0);
	WAIT(&h, c.is_connected);
	http_listener_set_tls(l, new);
	SSL_CTX_free(new);
	SEND(&c, "GET /old HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, strstr(client_text(&c), "GET /old "));
	client_close(&c);
	tls_open(&h, &c, NULL, 0);
	SEND(&c, "GET /new HTTP/1.1\r\n" GET_FIELDS);
	WAIT(&h, strstr(client_text(&c), "GET /new "));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_unix_socket),
		TEST(test_unix_stale_and_foreign),
		TEST(test_addresses),
		TEST(test_inherited_descriptor),
		TEST(test_h2_ipv4_over_an_ipv6_socket),
		TEST(test_tls),
		TEST(test_tls_big_answer_and_gone),
		TEST(test_h1_tls_late_answer),
		TEST(test_b155_b239_tls_refusals),
		TEST(test_tls_new_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
