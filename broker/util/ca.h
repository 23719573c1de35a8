/* SPDX-License-Identifier: MIT */
/*
 * Which certificate authorities (CAs) a TLS client trusts, chosen in the order that curl(1)
 * documents: a setting of ours, CURL_CA_BUNDLE, SSL_CERT_FILE and SSL_CERT_DIR, and otherwise
 * the system's. libcurl itself reads none of the variables. What is chosen replaces the
 * system's CAs, except that SSL_CERT_DIR alone adds to them.
 *
 * Immutable once created; the count of references is atomic.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <sys/types.h>

#include "util/err.h"

struct ca {
	atomic_int refs;
	char *from; /* the setting or variable, for messages: "ca_file" */
	char *file; /* NULL: none */
	char *dir;  /* of hashed names, as OpenSSL's; NULL: none */
	/*
	 * The file's content. NULL if it is a system's bundle, which libcurl parses once if it
	 * reads the file itself and for each connection if not.
	 */
	char *pem;
	size_t pem_len;
	char warning[160]; /* "": no certificate in it has expired or is about to */
};

/*
 * Reads and checks a file of PEM certificates. `forbidden`: mode bits that it must not have;
 * if there are any, it must also belong to root or to this user. *ret has one reference.
 */
int ca_load(const char *file, const char *from, mode_t forbidden, struct ca **ret, struct err *err);
/* What the environment names; *ret is NULL if nothing. An empty variable is not set. */
int ca_from_environment(struct ca **ret, struct err *err);
struct ca *ca_ref(struct ca *ca); /* accepts NULL */
void ca_unref(struct ca *ca);	  /* accepts NULL */

/* The peer's answer to the handshake was none of TLS: `detail` is the library's text. */
int ca_peer_is_plain(const char *detail);

/*
 * Writes why the TLS handshake with `host` failed, without a full stop: `verify_result` is
 * OpenSSL's (CURLINFO_SSL_VERIFYRESULT), `detail` the library's text, `is_peer` whether it was
 * the peer's certificate that was refused. `ca` is NULL for the system's.
 */
void ca_describe_failure(const struct ca *ca, const char *host, int is_peer, long verify_result,
			 const char *detail, char *out, size_t size);
/* Is a failed handshake one that another set of CAs would mend? */
int ca_is_unknown_signer(int is_peer, long verify_result);
