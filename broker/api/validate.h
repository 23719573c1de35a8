/* SPDX-License-Identifier: MIT */
/*
 * Checks of the texts of the API: pure functions of complete strings, 1: well formed. All are
 * ASCII. A text that passes needs no quoting in a label, a file name, YAML or a log line.
 */
#pragma once

#include <stddef.h>

int validate_lease_id(const char *s); /* cbx_ and 12 hex digits */
int validate_attempt(const char *s);  /* cat_ and 32 hex digits */
int validate_slug(const char *s);     /* [a-z0-9]+(-[a-z0-9]+)*, at most 47 */
int validate_account(const char *s);  /* [a-z][a-z0-9_-]{0,30} */
int validate_type(const char *s);     /* [a-z0-9][a-z0-9.-]{0,30}; also classes */
int validate_image(const char *s);    /* [A-Za-z0-9][A-Za-z0-9._-]{0,62} */
/* [A-Za-z0-9][A-Za-z0-9._-]*; of profiles and the like */
int validate_word(const char *s, size_t max);
int validate_os(const char *s);	       /* [a-z0-9]+(:[0-9.]+)?, at most 23 */
int validate_group(const char *s);     /* a pond: as a slug, at most 41 */
int validate_user(const char *s);      /* a login name that is not of a system account */
int validate_work_root(const char *s); /* an absolute path outside of system directories */
int validate_owner(const char *s);     /* [A-Za-z0-9][A-Za-z0-9._@:+-]{0,126} */
int validate_org(const char *s);       /* the same, at most 63 */
int validate_label(const char *s);     /* UTF-8 without control characters, at most 64 bytes */
int validate_key(const char *s);       /* Idempotency-Key: [A-Za-z0-9._~-]{1,127} */
int validate_number(const char *s);    /* 1 to 18 digits */
/* The port: 1 to 65535 in decimal, without a leading zero. Otherwise 0. */
int validate_port(const char *s);
