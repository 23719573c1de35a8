/* SPDX-License-Identifier: MIT */
#pragma once

#include "util/err.h"

struct ssl_ctx_st;

/* A server context from a certificate and its key, both PEM files. Free it with tls_free. */
int tls_load(const char *certificate, const char *key, struct ssl_ctx_st **ret, struct err *err);
void tls_free(struct ssl_ctx_st *ctx); /* may be NULL */
