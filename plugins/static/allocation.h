/* SPDX-License-Identifier: MIT */
/*
 * An allocation: which lease has a host. It is stored as a record, a small JSON object in
 * a file of its own. The file is authoritative; this structure is what was read from it.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include <lessor/provider.h>

#define ALLOCATION_LABELS_MAX 16
#define ALLOCATION_FILE_ROOM 96
#define ALLOCATION_ID_ROOM 24

/* The progress of a host. It only advances. */
enum stage {
	STAGE_TAKEN, /* not touched for this lease yet */
	STAGE_USED,  /* may contain its holder's key or data: needs a reset */
	STAGE_READY, /* handed to its holder */
};

/*
 * Strings point into `root`, which the structure owns. An unreadable record has no root and
 * all its strings are ""; its file name still identifies its host.
 */
struct allocation {
	json_t *root;
	char file[ALLOCATION_FILE_ROOM];
	const char *host; /* "" for an account's sentinel */
	const char *address;
	const char *id;
	const char *name;
	const char *type;
	const char *location;
	const json_t *reset; /* the command from the inventory at the time of allocation */
	struct lessor_label labels[ALLOCATION_LABELS_MAX];
	size_t label_count;
	int64_t created_ms;
	int port;
	int failures;  /* of resets */
	uint32_t kind; /* LESSOR_KIND_ */
	enum stage stage;
};

/* Takes ownership of `root`. 0; or -1, with root released, if it is not a valid record. */
int allocation_read(json_t *root, const char *file, struct allocation *ret);
void allocation_fini(struct allocation *allocation);

/* Changes memory only; registry_change writes it. -1: no memory. */
int allocation_set_stage(struct allocation *allocation, enum stage stage);
int allocation_set_failures(struct allocation *allocation, int failures);

/* NULL if it has no such label. */
const char *allocation_label(const struct allocation *allocation, const char *key);
struct lessor_observed allocation_observed(const struct allocation *allocation);

/* The content of a new record; a sentinel has none of the members from `host` to `reset`. */
struct allocation_new {
	const struct lessor_intent *intent;
	uint32_t kind;
	int64_t now_ms;
	const char *host, *address, *type, *location;
	int port;
	json_t *reset; /* ownership is taken */
};
/* A new JSON object with a unique id; NULL: no memory or no randomness. */
json_t *allocation_make(const struct allocation_new *from);
