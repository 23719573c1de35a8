/* SPDX-License-Identifier: MIT */
/*
 * The keys as data: what a section knows, of which type, within which bounds.
 * Inside the room only.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "util/err.h"

enum section_kind {
	SECTION_SERVER, SECTION_SWEEP, SECTION_RUNS, SECTION_LIMITS, SECTION_CLASS,
	SECTION_ACCOUNT
};

enum key_type {
	KEY_INT,	/* int64_t */
	KEY_DURATION,	/* int64_t, ms */
	KEY_MONEY,	/* int64_t, millionths */
	KEY_BOOL,	/* int */
	KEY_PATH,	/* a text */
	KEY_NAME,	/* a text */
	KEY_IMAGE,	/* a text */
	KEY_OTHER,	/* has a function of its own */
};

struct key {
	enum section_kind section;
	const char *name;
	enum key_type type;
	int is_list;		/* may be said again; grows */
	size_t offset;		/* into struct config, or the section's own struct */
	size_t size;		/* bytes of the member: what a text must fit */
	int64_t min, max;	/* of numbers */
	int (*set)(void *section, const char *value, struct err *err);
	/* KEY_OTHER: as key_show. NULL: there is nothing to show, it cannot be set. */
	int (*show)(const void *section, int i, char *out, size_t size);
};

const struct key *key_find(enum section_kind section, const char *name, size_t *ret_index);
/* `base` is the struct config, config_class or config_account the section fills. */
int key_set(const struct key *key, void *base, const char *value, struct err *err);
/*
 * The i-th item of the value, as the file would have it; one that is no list has one. 0 when
 * there is none, and so none of a key that has no value.
 */
int key_show(const struct key *key, const void *base, int i, char *out, size_t size);
const struct key *key_at(size_t index);	/* all of them in turn; NULL at the end */
/* "a, b, c": every key of the section. */
void key_names(enum section_kind section, char *out, size_t size);

/* check.c */
void config_defaults(struct config *config);
/* What only the whole file can tell; fills in the rest. */
int config_check(struct config *config, enum config_how how, struct err *err);

/* credential.c */
int credential_read(const char *file, const char *credential, char **ret, struct err *err);
