/* SPDX-License-Identifier: MIT */
/* Whom the HTTP client trusts: TLS with a certificate made for the test. */
#include "provider/http_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static SSL_CTX *server_ctx;
static char ca_file[64];
static int listener;
static int port;
static pthread_t thread;
static atomic_int stopping, connections, requests;

/* Self-signed, for 127.0.0.1 only. */
static void certificate_make(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
						    "IP:127.0.0.1");

	assert_non_null(key);
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				   (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_set_pubkey(cert, key);
	X509_add_ext(cert, names, -1);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);

	server_ctx = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(server_ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(server_ctx, key), 1);
	strcpy(ca_file, "/tmp/lessor-test-ca-XXXXXX");
	FILE *out = fdopen(mkstemp(ca_file), "w");
	assert_int_equal(PEM_write_X509(out, cert), 1);
	fclose(out);
	X509_EXTENSION_free(names);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void serve(int fd)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
	SSL *ssl = SSL_new(server_ctx);
	char text[4096];

	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1) {
		while (!atomic_load(&stopping)) {
			struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
			if (!SSL_pending(ssl) && poll(&poll_fd, 1, 20) <= 0)
				continue;
			int got = SSL_read(ssl, text, sizeof(text) - 1);
			if (got <= 0)
				break;
			text[got] = '\0';
			atomic_fetch_add(&requests, 1);
			SSL_write(ssl, ok, sizeof(ok) - 1);
		}
	}
	SSL_free(ssl);
	close(fd);
}

static void *serve_one(void *arg)
{
	serve((int)(intptr_t)arg);
	return NULL;
}

static void *serve_all(void *arg)
{
	pthread_t peers[16];
	int count = 0;

	(void)arg;
	while (!atomic_load(&stopping)) {
		struct pollfd poll_fd = { .fd = listener, .events = POLLIN };
		if (poll(&poll_fd, 1, 20) <= 0)
			continue;
		int fd = accept(listener, NULL, NULL);
		if (count == 16)
			abort();
		atomic_fetch_add(&connections, 1);
		pthread_create(&peers[count++], NULL, serve_one, (void *)(intptr_t)fd);
	}
	while (count > 0)
		pthread_join(peers[--count], NULL);
	return NULL;
}

static int setup(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	certificate_make();
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 16))
		return -1;
	getsockname(listener, (struct sockaddr *)&address, &len);
	port = ntohs(address.sin_port);
	return pthread_create(&thread, NULL, serve_all, NULL);
}

static int teardown(void **state)
{
	(void)state;
	atomic_store(&stopping, 1);
	pthread_join(thread, NULL);
	close(listener);
	unlink(ca_file);
	SSL_CTX_free(server_ctx);
	return 0;
}

static enum env_http_outcome ask(struct env *env, const char *host, const char *method)
{
	char url[100];
	struct env_http_response answer;
	struct env_http_request request = {
		.method = method, .url = url, .authorization = "Bearer s3cret", .timeout_ms = 5000,
	};

	snprintf(url, sizeof(url), "https://%s:%d/x", host, port);
	env->http(env->data, &request, &answer);
	if (answer.outcome != ENV_HTTP_ANSWERED)
		print_message("%s: %s\n", host, answer.error);
	env_http_response_fini(&answer);
	return answer.outcome;
}

/* A server with an untrusted certificate receives no request, let alone the token. */
static void test_unknown_signer(void **state)
{
	struct http_client *client;
	struct env env;
	(void)state;

	env_system(&env);
	assert_int_equal(http_client_new(NULL, &env, &client, NULL), 0);
	assert_int_equal(ask(&env, "127.0.0.1", "GET"), ENV_HTTP_NOT_SENT);
	assert_int_equal(ask(&env, "127.0.0.1", "POST"), ENV_HTTP_NOT_SENT);
	assert_int_equal(atomic_load(&connections), 2);
	assert_int_equal(atomic_load(&requests), 0);
	http_client_free(client);
}

static void test_known_signer(void **state)
{
	struct http_client_config config = { 0 };
	struct http_client *client;
	struct env env;
	(void)state;

	assert_int_equal(ca_load(ca_file, "ca_file", 0, &config.ca, NULL), 0);
	atomic_store(&connections, 0);
	env_system(&env);
	assert_int_equal(http_client_new(&config, &env, &client, NULL), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask(&env, "127.0.0.1", "GET"), ENV_HTTP_ANSWERED);
	assert_int_equal(atomic_load(&connections), 1);
	assert_int_equal(ask(&env, "127.0.0.1", "POST"), ENV_HTTP_ANSWERED);
	assert_int_equal(ask(&env, "127.0.0.1", "DELETE"), ENV_HTTP_ANSWERED);
	assert_int_equal(atomic_load(&connections), 3);
	assert_int_equal(ask(&env, "127.0.0.1", "GET"), ENV_HTTP_ANSWERED);
	assert_int_equal(atomic_load(&connections), 3);
	assert_int_equal(atomic_load(&requests), 6);
	/* the certificate is for an address, not for this name */
	assert_int_equal(ask(&env, "localhost", "POST"), ENV_HTTP_NOT_SENT);
	assert_int_equal(atomic_load(&requests), 6);
	http_client_free(client);
	ca_unref(config.ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown_signer),
		cmocka_unit_test(test_known_signer),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
