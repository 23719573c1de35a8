/* SPDX-License-Identifier: MIT */
/* Reads the files; http/tls.c sets the protocol parameters. */
#include "daemon/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#define EXPIRY_WARNING_DAYS 14

static int tls_fail(SSL_CTX *ctx, struct err *err, const char *what, const char *path)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	SSL_CTX_free(ctx);
	return err_set(err, ERR_INVALID, "%s %s: %s", what, path, reason ? reason : "unusable");
}

/* OpenSSL's own would ask on the terminal. */
static int passphrase_refuse(char *buf, int size, int is_for_writing, void *is_wanted)
{
	(void)buf;
	(void)size;
	(void)is_for_writing;
	*(int *)is_wanted = 1;
	return 0;
}

static int key_use(SSL_CTX *ctx, const char *key, struct err *err)
{
	int is_encrypted = 0, is_usable;

	SSL_CTX_set_default_passwd_cb(ctx, passphrase_refuse);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, &is_encrypted);
	is_usable = SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1 &&
		    SSL_CTX_check_private_key(ctx) == 1;
	SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
	if (!is_encrypted)
		return is_usable ? 0 : tls_fail(ctx, err, "tls_key", key);
	tls_fail(ctx, NULL, "tls_key", key);
	return err_set(err, ERR_INVALID,
		       "tls_key %s is protected by a pass phrase, which lessord never asks for; "
		       "store it without one, readable by lessord alone: openssl pkey -in KEY -out NEW",
		       key);
}

int tls_load(const char *certificate, const char *key, struct ssl_ctx_st **ret, struct err *err)
{
	struct stat st;
	SSL_CTX *ctx;

	if (stat(key, &st) < 0)
		return err_set_errno(err, errno, "tls_key %s", key);
	if (st.st_mode & 0007)
		return err_set(err, ERR_REFUSED,
			       "tls_key %s is accessible to all users; run chmod"
			       " 600 on it, and create a new key if anyone may have read it",
			       key);
	ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx)
		return tls_fail(NULL, err, "TLS", "cannot be set up");
	if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1)
		return tls_fail(ctx, err, "tls_certificate", certificate);
	if (key_use(ctx, key, err) < 0)
		return -1;
	*ret = ctx;
	return 0;
}

int tls_expiry(const struct ssl_ctx_st *ctx, char *out, size_t size)
{
	const X509 *certificate = SSL_CTX_get0_certificate(ctx);
	const ASN1_TIME *end = certificate ? X509_get0_notAfter(certificate) : NULL;
	char date[32];
	int days, seconds;
	struct tm tm;

	out[0] = '\0';
	/* NULL is now */
	if (!end || !ASN1_TIME_to_tm(end, &tm) || !ASN1_TIME_diff(&days, &seconds, NULL, end))
		return 0;
	if (days >= EXPIRY_WARNING_DAYS)
		return 0;
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
	snprintf(out, size, "the TLS certificate %s on %s",
		 days < 0 || seconds < 0 ? "expired" : "expires", date);
	return 1;
}

void tls_free(struct ssl_ctx_st *ctx)
{
	SSL_CTX_free(ctx);
}
