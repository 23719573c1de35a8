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

#define RECORD_LABELS_MAX 16
#define RECORD_FILE_ROOM 96
#define RECORD_ID_ROOM 24

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
struct record {
	json_t *root;
	char file[RECORD_FILE_ROOM];
	const char *host;	/* "" for an account's mark */
	const char *address;
	const char *id;
	const char *name;
	const char *type;
	const char *location;
	const json_t *reset;	/* the command as the inventory had it when the host was taken */
	struct lessor_label labels[RECORD_LABELS_MAX];
	size_t label_count;
	int64_t created_ms;
	int port;
	int failures;		/* of the reset */
	uint32_t kind;		/* LESSOR_KIND_ */
	enum stage stage;
};

/* Takes over `root`; 0, or -1 and root released if it is no record. */
int record_read(json_t *root, const char *file, struct record *ret);
void record_fini(struct record *record);

/* Only in memory; book_change writes it. -1: no memory. */
int record_set_stage(struct record *record, enum stage stage);
int record_set_failures(struct record *record, int failures);

/* NULL if it has no such label. */
const char *record_label(const struct record *record, const char *key);
struct lessor_observed record_observed(const struct record *record);

/* What a new one says; any of host to reset is left out of an account's mark. */
struct record_new {
	const struct lessor_intent *intent;
	uint32_t kind;
	int64_t now_ms;
	const char *host, *address, *type, *location;
	int port;
	json_t *reset;		/* taken over */
};
/* A new object, with an id that was never used before; NULL: no memory or no randomness. */
json_t *record_make(const struct record_new *from);
