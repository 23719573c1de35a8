/* SPDX-License-Identifier: MIT */
/*
 * Certificates in PEM files: what a file that is not one of them is instead, in a sentence, and
 * when a certificate ends. `what` is the setting that names the file, for messages: "ca_file".
 */
#pragma once

#include <stddef.h>

#include "util/err.h"

struct x509_st;
struct evp_pkey_st;

#define PEM_FILE_MAX (4u << 20) /* bytes; a system's bundle has about 200 KiB */

/*
 * Calls `each` with every certificate in the text, which is borrowed, in order; there must be
 * one at least. `place` counts from 1. Ends with -1 if `each` returns it.
 */
int pem_certificates(const char *text, size_t len, const char *what, const char *path,
		     int (*each)(void *arg, struct x509_st *certificate, int place), void *arg,
		     struct err *err);
/* The private key; one with a pass phrase is an error. The caller frees it with EVP_PKEY_free. */
int pem_private_key(const char *text, size_t len, const char *what, const char *path,
		    struct evp_pkey_st **ret, struct err *err);
/*
 * 1 if the certificate has expired, will within 14 days, or is not valid yet; `out` is then
 * "expired on DATE", "expires on DATE" or "is not valid before DATE", in UTC. Otherwise 0 and "".
 */
int pem_expiry(const struct x509_st *certificate, char *out, size_t size);
