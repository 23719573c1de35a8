/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "util/err.h"

struct ssl_ctx_st;

/* A server context from a certificate and its key, both PEM files. Free it with tls_free. */
int tls_load(const char *certificate, const char *key, struct ssl_ctx_st **ret, struct err *err);
/*
 * 1 if the certificate has expired, will within 14 days, or is not valid yet; `out` then says so
 * with its date, in UTC.
 */
int tls_expiry(const struct ssl_ctx_st *ctx, char *out, size_t size);
void tls_free(struct ssl_ctx_st *ctx); /* may be NULL */
