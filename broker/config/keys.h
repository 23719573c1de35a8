/* SPDX-License-Identifier: MIT */
/* The table of keys with their types and ranges. Private to this room. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "config/value.h"
#include "util/err.h"

enum section_kind {
	SECTION_SERVER,
	SECTION_STORE,
	SECTION_SWEEP,
	SECTION_RUNS,
	SECTION_LIMITS,
	SECTION_CLASS,
	SECTION_ACCOUNT,
	SECTION_NAMED, /* [limits owner NAME] and its like: struct limits_named */
	SECTION_ORG
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
/* `base` is the struct of the section; of those that exist once, the struct config. */
int key_set(const struct key *key, void *base, const char *value, struct err *err);
/*
 * Writes the i-th item of the value, as in the file; a value that is not a list has one item.
 * Returns 1, or 0 if there is no such item.
 */
int key_show(const struct key *key, const void *base, int i, char *out, size_t size);
const struct key *key_at(size_t index); /* NULL after the last */
/* Of [limits owner NAME] and its like, the word between; "" for a scope that has no names. */
const char *named_word(enum limit_scope scope);
/* Writes the keys of the section: "a, b, c". */
void key_names(enum section_kind section, char *out, size_t size);

/* key_rows.c */
/* For functions like key->set: appends the names of a list to rows of `size` bytes, none of them twice. */
int names_add(const char *value, char *rows, size_t size, int *count, int max, value_text_fn copy,
	      struct err *err);
/* For functions like key->show: one row of an array of strings, or the only string. */
int row_show(const char *rows, size_t row_size, int count, int i, char *out, size_t size);
int word_show(const char *word, int i, char *out, size_t size);

/* account_keys.c: key->set and key->show */
int locations_set(void *section, const char *value, struct err *err);
int images_set(void *section, const char *value, struct err *err);
int allowed_types_set(void *section, const char *value, struct err *err);
int org_accounts_set(void *section, const char *value, struct err *err);
int server_reason_set(void *section, const char *value, struct err *err);
int account_reason_set(void *section, const char *value, struct err *err);
int client_location_set(void *section, const char *value, struct err *err);
int client_image_set(void *section, const char *value, struct err *err);
int max_steps_set(void *section, const char *value, struct err *err);
int locations_show(const void *section, int i, char *out, size_t size);
int images_show(const void *section, int i, char *out, size_t size);
int allowed_types_show(const void *section, int i, char *out, size_t size);
int org_accounts_show(const void *section, int i, char *out, size_t size);
int server_reason_show(const void *section, int i, char *out, size_t size);
int account_reason_show(const void *section, int i, char *out, size_t size);
int client_location_show(const void *section, int i, char *out, size_t size);
int client_image_show(const void *section, int i, char *out, size_t size);
int max_steps_show(const void *section, int i, char *out, size_t size);

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
