/* SPDX-License-Identifier: MIT */
/*
 * The small grammars of the API's texts: pure functions over complete strings,
 * 1 = well formed. All are ASCII; what they let through can stand in a label, a
 * file name, a line of YAML or a log line without quoting.
 */
#pragma once

#include <stddef.h>

int validate_lease_id(const char *s);	      /* cbx_ and 12 hex digits */
int validate_attempt(const char *s);	      /* cat_ and 32 hex digits */
int validate_slug(const char *s);	      /* [a-z0-9]+(-[a-z0-9]+)*, at most 47 */
int validate_account(const char *s);	      /* [a-z][a-z0-9_-]{0,30} */
int validate_type(const char *s);	      /* [a-z0-9][a-z0-9.-]{0,30}; also classes */
int validate_image(const char *s);	      /* [A-Za-z0-9][A-Za-z0-9._-]{0,62} */
int validate_word(const char *s, size_t max); /* [A-Za-z0-9][A-Za-z0-9._-]*; profiles, ... */
int validate_os(const char *s);		      /* [a-z0-9]+(:[0-9.]+)?, at most 23 */
int validate_group(const char *s);	      /* a pond: as a slug, at most 41 */
int validate_user(const char *s);	      /* a login name that no system account has */
int validate_work_root(const char *s);	      /* an absolute path below no system directory */
int validate_owner(const char *s);	      /* [A-Za-z0-9][A-Za-z0-9._@:+-]{0,126} */
int validate_org(const char *s);	      /* the same, at most 63 */
int validate_key(const char *s);	      /* Idempotency-Key: [A-Za-z0-9._~-]{1,127} */
int validate_number(const char *s);	      /* 1 to 18 digits */
/* 1 to 65535 in decimal without a leading zero, else 0. */
int validate_port(const char *s);
