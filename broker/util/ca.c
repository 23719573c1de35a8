/* SPDX-License-Identifier: MIT */
#include "util/ca.h"

#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/alloc.h"
#include "util/file.h"
#include "util/pem.h"

/* A private CA has a few certificates; a system's bundle has more than a hundred. */
#define PEM_KEPT_MAX (64u << 10)

static int certificate_check(void *arg, struct x509_st *certificate, int place)
{
	struct ca *ca = arg;
	char expiry[60];

	if (!ca->warning[0] && pem_expiry(certificate, expiry, sizeof(expiry)))
		snprintf(ca->warning, sizeof(ca->warning), "certificate %d in it %s", place, expiry);
	return 0;
}

static int owner_check(const struct stat *st, const char *file, const char *from, mode_t forbidden,
		       struct err *err)
{
	if (forbidden && ((st->st_uid != 0 && st->st_uid != geteuid()) || (st->st_mode & forbidden)))
		return err_set(err, ERR_REFUSED,
			       "%s %s is writable by other users, who could add a CA of their own;"
			       " it must belong to root or to the user of lessord, with mode 0644 or"
			       " less",
			       from, file);
	return 0;
}

int ca_load(const char *file, const char *from, mode_t forbidden, struct ca **ret, struct err *err)
{
	struct stat st;
	auto_file_text struct file_text text = { 0 };
	auto_close int fd = file_open(file, from, 0, &st, err);
	struct ca *ca;

	if (fd < 0 || owner_check(&st, file, from, forbidden, err) < 0 ||
	    file_read(fd, file, from, FILE_NULS, PEM_FILE_MAX, &text, err) < 0)
		return -1;
	ca = xcalloc(1, sizeof(*ca));
	atomic_init(&ca->refs, 1);
	ca->from = xstrdup(from);
	ca->file = xstrdup(file);
	if (pem_certificates(text.text, text.len, from, file, certificate_check, ca, err) < 0) {
		ca_unref(ca);
		return -1;
	}
	/* also if a byte order mark was skipped, which libcurl would not skip */
	if (text.len <= PEM_KEPT_MAX || (size_t)st.st_size != text.len) {
		ca->pem_len = text.len;
		ca->pem = take(text.text);
	}
	*ret = ca;
	return 0;
}

static const char *env_get(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

int ca_from_environment(struct ca **ret, struct err *err)
{
	const char *bundle = env_get("CURL_CA_BUNDLE");
	const char *file = bundle ? bundle : env_get("SSL_CERT_FILE");
	const char *dir = bundle ? NULL : env_get("SSL_CERT_DIR");
	struct ca *ca = NULL;

	if (file && ca_load(file, bundle ? "CURL_CA_BUNDLE" : "SSL_CERT_FILE", 0, &ca, err) < 0)
		return -1;
	if (!ca && dir) {
		ca = xcalloc(1, sizeof(*ca));
		atomic_init(&ca->refs, 1);
		ca->from = xstrdup("SSL_CERT_DIR");
	}
	if (dir)
		ca->dir = xstrdup(dir);
	*ret = ca;
	return 0;
}

struct ca *ca_ref(struct ca *ca)
{
	if (ca)
		atomic_fetch_add_explicit(&ca->refs, 1, memory_order_relaxed);
	return ca;
}

void ca_unref(struct ca *ca)
{
	if (!ca || atomic_fetch_sub_explicit(&ca->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(ca->from);
	free(ca->file);
	free(ca->dir);
	free(ca->pem);
	free(ca);
}

/* Where CAs were looked for: "ca_file /etc/x.pem". */
static void place_describe(const struct ca *ca, char *out, size_t size)
{
	if (!ca)
		snprintf(out, size, "the system's certificate store");
	else if (ca->file)
		snprintf(out, size, "%s %.100s", ca->from, ca->file);
	else
		snprintf(out, size, "%s %.100s or the system's certificate store", ca->from,
			 ca->dir);
}

int ca_is_unknown_signer(int is_peer, long verify_result)
{
	switch (verify_result) {
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		return is_peer;
	default:
		return 0;
	}
}

static void certificate_describe(const struct ca *ca, const char *host, long verify_result,
				 char *out, size_t size)
{
	char place[160];

	place_describe(ca, place, sizeof(place));
	if (verify_result != X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT &&
	    ca_is_unknown_signer(1, verify_result)) {
		snprintf(out, size, "the certificate of %.80s is not signed by a CA in %s", host,
			 place);
		return;
	}
	switch (verify_result) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		snprintf(out, size,
			 "the certificate of %.80s, or of a CA above it, has expired; it must be"
			 " renewed, unless this machine's clock is wrong",
			 host);
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		snprintf(out, size,
			 "the certificate of %.80s, or of a CA above it, is not valid yet; check"
			 " this machine's clock",
			 host);
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		snprintf(out, size, "the certificate of %.80s is self-signed and not in %s", host,
			 place);
		break;
	case X509_V_OK:
	case X509_V_ERR_UNSPECIFIED: /* libcurl compares the names itself, before it asks */
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		snprintf(out, size,
			 "the certificate of %.80s is for other names; the URL must use one of"
			 " them",
			 host);
		break;
	default:
		snprintf(out, size, "the certificate of %.80s is not acceptable: %.80s", host,
			 X509_verify_cert_error_string(verify_result));
		break;
	}
}

/* The TLS libraries have no code for it: the response to the handshake is no TLS record. */
int ca_peer_is_plain(const char *detail)
{
	return strstr(detail, "wrong version number") || strstr(detail, "unexpected TLS packet") ||
	       strstr(detail, "packet length too long") || strstr(detail, "record layer failure") ||
	       strstr(detail, "http request");
}

void ca_describe_failure(const struct ca *ca, const char *host, int is_peer, long verify_result,
			 const char *detail, char *out, size_t size)
{
	if (is_peer)
		certificate_describe(ca, host, verify_result, out, size);
	else if (ca_peer_is_plain(detail))
		snprintf(out, size, "cannot connect to %.80s: it speaks plain http there", host);
	else
		snprintf(out, size, "no TLS connection to %.80s: %.120s", host, detail);
}
