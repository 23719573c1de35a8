/* SPDX-License-Identifier: MIT */
/* The table of keys with their types and ranges. Private to this room. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "util/err.h"

enum section_kind {
	SECTION_SERVER,
	SECTION_STORE,
	SECTION_SWEEP,
	SECTION_RUNS,
	SECTION_HISTORY,
	SECTION_LIMITS,
	SECTION_CLASS,
	SECTION_ACCOUNT
};

enum key_type {
	KEY_INT,      /* int64_t */
	KEY_DURATION, /* int64_t, ms */
	KEY_MONEY,    /* int64_t, millionths */
	KEY_BOOL,     /* int */
	KEY_PATH,     /* char[] */
	KEY_NAME,     /* char[] */
	KEY_IMAGE,    /* char[] */
	KEY_OTHER,    /* uses `set` and `show` */
};

#define KEYS_MAX 128

struct key {
	enum section_kind section;
	const char *name;
	enum key_type type;
	int is_list;	  /* may be repeated, to add items */
	size_t offset;	  /* in struct config, or in the section's own struct */
	size_t size;	  /* bytes of the member, the limit of a text */
	int64_t min, max; /* of numbers and durations */
	int (*set)(void *section, const char *value, struct err *err);
	/* KEY_OTHER: as key_show. NULL: the key cannot be set. */
	int (*show)(const void *section, int i, char *out, size_t size);
};

const struct key *key_find(enum section_kind section, const char *name, size_t *ret_index);
/* `base` is the struct config, config_class or config_account of the section. */
int key_set(const struct key *key, void *base, const char *value, struct err *err);
/*
 * Writes the i-th item of the value, as in the file; a value that is not a list has one item.
 * Returns 1, or 0 if there is no such item.
 */
int key_show(const struct key *key, const void *base, int i, char *out, size_t size);
const struct key *key_at(size_t index); /* NULL after the last */
/* Writes the keys of the section: "a, b, c". */
void key_names(enum section_kind section, char *out, size_t size);

/* check.c */
void config_defaults(struct config *config);
/* The checks that need the whole file; also fills in the remaining defaults. */
int config_check(struct config *config, enum config_how how, struct err *err);

/* credential.c */
/*
 * From `file`, or from systemd's credential if that is not "". `files` is config's store_files,
 * `what` is "token" or "password". The caller wipes and frees *ret.
 */
int credential_read(const char *file, const char *credential, const char *files, const char *what,
		    char **ret, struct err *err);

/* store_section.c */
void store_section_defaults(struct config *config);
/* Decides between a file and PostgreSQL, reads the password, and fills in what follows from it. */
int store_section_check(struct config *config, enum config_how how, struct err *err);
