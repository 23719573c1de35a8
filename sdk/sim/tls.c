/* SPDX-License-Identifier: MIT */
#include "sim/tls.h"

#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

/* A simulator has no terminal to ask for a pass phrase on. */
static int refuse_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static int load_files(SSL_CTX *ctx, const char *cert, const char *key, struct err *err)
{
	const char *file = cert;

	SSL_CTX_set_default_passwd_cb(ctx, refuse_passphrase);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) == 1) {
		file = key;
		if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1)
			return 0;
	}
	return err_set(err, ERR_INVALID, "%s '%s': %s",
		       file == cert ? "cannot use the certificate" : "cannot use the key", file,
		       ERR_reason_error_string(ERR_peek_last_error()));
}

struct ssl_ctx_st *tls_open(const char *cert, const char *key, struct err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx) {
		err_set(err, ERR_INVALID, "TLS is not available");
		return NULL;
	}
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	if (!load_files(ctx, cert, key, err))
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

void tls_close(struct ssl_ctx_st *ctx)
{
	SSL_CTX_free(ctx);
}

struct bufferevent *tls_accept(struct event_base *base, struct ssl_ctx_st *ctx, int fd)
{
	SSL *ssl = SSL_new(ctx);
	struct bufferevent *bev = NULL;

	if (ssl)
		bev = bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
						     BEV_OPT_CLOSE_ON_FREE);
	if (!bev) {
		SSL_free(ssl);
		return NULL;
	}
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

void tls_say_end(struct bufferevent *bev)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);

	if (ssl)
		(void)SSL_shutdown(ssl);
	ERR_clear_error();
}
