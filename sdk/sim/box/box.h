/* SPDX-License-Identifier: MIT */
/*
 * The inside of a box: what happens in the process that is its number 1. Only
 * boxes.c starts one.
 */
#pragma once

#include <jansson.h>
#include <sys/types.h>

#include "sim/cloud.h"
#include "util/err.h"

/* Whom everything in a box runs as, seen from inside. Outside it is somebody else. */
#define BOX_UID 1000

struct box_order {
	struct cloud_machine machine;
	int drop;		/* we were root: there are groups to leave */
	int trial;		/* only find out whether it can be done */
};

/*
 * Process 1 of the new namespaces. `leash` gives one byte when the user map is
 * written, and its end when the simulator is gone. Reports on standard error.
 */
_Noreturn void box_run(const struct box_order *order, int leash);

/* root.c: makes a new root out of memory and this machine's programs, and goes there. */
int root_enter(struct err *err);
/* A file in the box, with the folders that lead to it. */
int root_write(const char *path, mode_t mode, const void *data, size_t len, struct err *err);
int root_write_text(const char *path, mode_t mode, const char *text, struct err *err);
int root_make_folders(const char *path, struct err *err);	/* all but the last part */

/* born.c: what the user data asks for. */
struct born {
	json_t *doc;		/* an object, maybe empty */
	int has_port;		/* it says on which ports sshd is to listen */
	int has_host_key;
};
int born_read(const struct box_order *order, struct born *ret, struct err *err);
/* Users, keys and files. The commands are run later, in order: born_command. */
int born_apply(const struct box_order *order, struct born *born, struct err *err);
/* The argument vector of a command, ended by NULL; borrowed. NULL: it is none. */
const char **born_command(const json_t *item);
void born_fini(struct born *born);
