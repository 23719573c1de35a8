/* SPDX-License-Identifier: MIT */
/*
 * A record says who has a host. It is a small JSON object in a file of its own; the file
 * is the truth, this is what was read of it.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include <lessor/provider.h>

#define ALLOCATION_LABELS_MAX 16
#define ALLOCATION_FILE_ROOM 96
#define ALLOCATION_ID_ROOM 24

/* How far a host has come. It only goes forward. */
enum stage {
	STAGE_TAKEN,	/* nobody has touched it for this lease */
	STAGE_USED,	/* its holder's key or more may be on it: a reset is owed */
	STAGE_READY,	/* given to its holder */
};

/*
 * Strings point into `root`, which the record owns. One that cannot be read has no root
 * and all its texts are ""; its file name still says which host it is of.
 */
struct allocation {
	json_t *root;
	char file[ALLOCATION_FILE_ROOM];
	const char *host;	/* "" for an account's mark */
	const char *address;
	const char *id;
	const char *name;
	const char *type;
	const char *location;
	const json_t *reset;	/* the command as the inventory had it when the host was taken */
	struct lessor_label labels[ALLOCATION_LABELS_MAX];
	size_t label_count;
	int64_t created_ms;
	int port;
	int failures;		/* of the reset */
	uint32_t kind;		/* LESSOR_KIND_ */
	enum stage stage;
};

/* Takes over `root`; 0, or -1 and root released if it is no record. */
int allocation_read(json_t *root, const char *file, struct allocation *ret);
void allocation_fini(struct allocation *allocation);

/* Only in memory; book_change writes it. -1: no memory. */
int allocation_set_stage(struct allocation *allocation, enum stage stage);
int allocation_set_failures(struct allocation *allocation, int failures);

/* NULL if it has no such label. */
const char *allocation_label(const struct allocation *allocation, const char *key);
struct lessor_observed allocation_observed(const struct allocation *allocation);

/* What a new one says; any of host to reset is left out of an account's mark. */
struct allocation_new {
	const struct lessor_intent *intent;
	uint32_t kind;
	int64_t now_ms;
	const char *host, *address, *type, *location;
	int port;
	json_t *reset;		/* taken over */
};
/* A new object, with an id that was never used before; NULL: no memory or no randomness. */
json_t *allocation_make(const struct allocation_new *from);
