/* SPDX-License-Identifier: MIT */
#include "util/pem.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define EXPIRY_WARNING_DAYS 14
#define BEGIN "-----BEGIN "

/* What the blocks of a text are. */
struct pem_blocks {
	int certificates;
	int private_keys;
	int requests;
	int others;
};

static struct pem_blocks blocks_count(const char *text)
{
	struct pem_blocks ret = { 0 };
	const char *at = text;

	while ((at = strstr(at, BEGIN)) != NULL) {
		const char *label = at + strlen(BEGIN);
		size_t len = strcspn(label, "-\r\n");
		int is_request = len >= 19 &&
				 strncmp(label + len - 19, "CERTIFICATE REQUEST", 19) == 0;

		at = label;
		if (is_request)
			ret.requests++;
		else if (len >= 11 && strncmp(label + len - 11, "CERTIFICATE", 11) == 0)
			ret.certificates++;
		else if (len >= 11 && strncmp(label + len - 11, "PRIVATE KEY", 11) == 0)
			ret.private_keys++;
		else
			ret.others++;
	}
	return ret;
}

static int text_is_der(const char *text, size_t len)
{
	return len > 2 && (unsigned char)text[0] == 0x30 && ((unsigned char)text[1] & 0x80);
}

/* The text has no block of the kind that is wanted. */
static int absence_describe(const char *text, size_t len, const char *what, const char *path,
			    const char *wanted, struct err *err)
{
	struct pem_blocks blocks = blocks_count(text);

	if (strspn(text, " \t\r\n") == len)
		return err_set(err, ERR_INVALID, "%s %s is empty", what, path);
	if (text_is_der(text, len))
		return err_set(err, ERR_INVALID,
			       "%s %s is in DER form, not in PEM; convert it: openssl %s -inform der"
			       " -in FILE -out NEW",
			       what, path, strcmp(wanted, "certificate") == 0 ? "x509" : "pkey");
	return err_set(err, ERR_INVALID, "%s %s contains no %s%s", what, path, wanted,
		       blocks.private_keys ? ", only a private key" :
		       blocks.requests	   ? ", only a certificate request" :
		       blocks.certificates ? ", only a certificate" :
		       blocks.others	   ? ", only PEM of another kind" :
					     " in PEM form (-----BEGIN ...)");
}

static const char *openssl_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return reason ? reason : "unusable";
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

int pem_certificates(const char *text, size_t len, const char *what, const char *path,
		     int (*each)(void *arg, struct x509_st *certificate, int place), void *arg,
		     struct err *err)
{
	int wanted = blocks_count(text).certificates, place = 0, result = 0;
	BIO *bio = BIO_new_mem_buf(text, (int)len);

	ERR_clear_error();
	while (bio && place < wanted && result == 0) {
		X509 *certificate = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);

		place++;
		if (!certificate)
			result = err_set(err, ERR_INVALID, "certificate %d in %s %s is damaged: %s",
					 place, what, path, openssl_reason());
		else
			result = each(arg, certificate, place);
		X509_free(certificate);
	}
	BIO_free(bio);
	return place || result ? result :
				 absence_describe(text, len, what, path, "certificate", err);
}

int pem_private_key(const char *text, size_t len, const char *what, const char *path,
		    struct evp_pkey_st **ret, struct err *err)
{
	int is_encrypted = 0;
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	EVP_PKEY *key;

	ERR_clear_error();
	key = bio ? PEM_read_bio_PrivateKey(bio, NULL, passphrase_refuse, &is_encrypted) : NULL;
	BIO_free(bio);
	if (key) {
		*ret = key;
		return 0;
	}
	if (is_encrypted) {
		ERR_clear_error();
		return err_set(err, ERR_INVALID,
			       "%s %s is protected by a pass phrase, which lessord never asks for; "
			       "store it without one, readable by lessord alone: openssl pkey -in KEY"
			       " -out NEW",
			       what, path);
	}
	if (!blocks_count(text).private_keys) {
		ERR_clear_error();
		return absence_describe(text, len, what, path, "private key", err);
	}
	return err_set(err, ERR_INVALID, "the private key in %s %s is damaged: %s", what, path,
		       openssl_reason());
}

static int date_write(const ASN1_TIME *time, const char *text, char *out, size_t size)
{
	char date[32];
	struct tm tm;

	if (!ASN1_TIME_to_tm(time, &tm))
		return 0;
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
	snprintf(out, size, "%s %s", text, date);
	return 1;
}

int pem_expiry(const struct x509_st *certificate, char *out, size_t size)
{
	const ASN1_TIME *start = certificate ? X509_get0_notBefore(certificate) : NULL;
	const ASN1_TIME *end = certificate ? X509_get0_notAfter(certificate) : NULL;
	int days, seconds;

	out[0] = '\0';
	/* NULL is now */
	if (start && ASN1_TIME_diff(&days, &seconds, NULL, start) && (days > 0 || seconds > 0))
		return date_write(start, "is not valid before", out, size);
	if (!end || !ASN1_TIME_diff(&days, &seconds, NULL, end) || days >= EXPIRY_WARNING_DAYS)
		return 0;
	return date_write(end, days < 0 || seconds < 0 ? "expired on" : "expires on", out, size);
}
