/* SPDX-License-Identifier: MIT */
/* Reads the files; http/tls.c sets the protocol parameters. */
#include "daemon/tls.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdio.h>

#include "util/alloc.h"
#include "util/file.h"
#include "util/pem.h"

static int tls_fail(struct err *err, const char *what, const char *path)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return err_set(err, ERR_INVALID, "%s %s: %s", what, path, reason ? reason : "unusable");
}

/* The first is the server's own, the others lead from it to its CA. */
static int certificate_use(void *arg, struct x509_st *certificate, int place)
{
	SSL_CTX *ctx = arg;

	int is_taken = place == 1 ? SSL_CTX_use_certificate(ctx, certificate) :
				    SSL_CTX_add1_chain_cert(ctx, certificate);

	return is_taken == 1 ? 0 : -1;
}

static int certificates_load(SSL_CTX *ctx, const char *path, struct err *err)
{
	auto_file_text struct file_text file = { 0 };
	struct err none = { 0 };

	if (file_load(path, "tls_certificate", FILE_NULS, PEM_FILE_MAX, &file, err) < 0)
		return -1;
	if (pem_certificates(file.text, file.len, "tls_certificate", path, certificate_use, ctx,
			     &none) == 0)
		return 0;
	if (none.kind == ERR_NONE) /* OpenSSL does not accept it for a server */
		return tls_fail(err, "tls_certificate", path);
	if (err)
		*err = none;
	return -1;
}

static int key_load(SSL_CTX *ctx, const char *path, const char *certificate, struct err *err)
{
	struct stat st;
	auto_file_text struct file_text file = { 0 };
	auto_close int fd = file_open(path, "tls_key", 0, &st, err);
	EVP_PKEY *key = NULL;
	int is_usable;

	if (fd < 0)
		return -1;
	if (st.st_mode & 0007)
		return err_set(err, ERR_REFUSED,
			       "tls_key %s is accessible to all users; run chmod"
			       " 600 on it, and create a new key if anyone may have read it",
			       path);
	if (file_read(fd, path, "tls_key", FILE_NULS, PEM_FILE_MAX, &file, err) < 0 ||
	    pem_private_key(file.text, file.len, "tls_key", path, &key, err) < 0)
		return -1;
	is_usable = SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
	EVP_PKEY_free(key);
	if (is_usable)
		return 0;
	ERR_clear_error();
	return err_set(err, ERR_INVALID, "tls_key %s is not the key of tls_certificate %s", path,
		       certificate);
}

int tls_load(const char *certificate, const char *key, struct ssl_ctx_st **ret, struct err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx)
		return tls_fail(err, "TLS", "cannot be set up");
	if (certificates_load(ctx, certificate, err) < 0 ||
	    key_load(ctx, key, certificate, err) < 0) {
		SSL_CTX_free(ctx);
		return -1;
	}
	*ret = ctx;
	return 0;
}

int tls_expiry(const struct ssl_ctx_st *ctx, char *out, size_t size)
{
	char expiry[60];

	out[0] = '\0';
	if (!pem_expiry(SSL_CTX_get0_certificate(ctx), expiry, sizeof(expiry)))
		return 0;
	snprintf(out, size, "the TLS certificate %s", expiry);
	return 1;
}

void tls_free(struct ssl_ctx_st *ctx)
{
	SSL_CTX_free(ctx);
}
