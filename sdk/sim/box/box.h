/* SPDX-License-Identifier: MIT */
/*
 * The inside of a box: the code of its process 1, which boxes.c starts.
 */
#pragma once

#include <jansson.h>
#include <sys/types.h>

#include "sim/cloud.h"
#include "util/err.h"

/* The user inside a box, mapped to another user outside. */
#define BOX_UID 1000

struct box_order {
	struct cloud_machine machine;
	int drop;  /* started as root: drop groups */
	int trial; /* only test whether it works */
};

/*
 * Process 1 of the new namespaces. `leash` delivers one byte when the user map is written,
 * and EOF when the simulator is gone. Reports errors on standard error.
 */
_Noreturn void box_run(const struct box_order *order, int leash);

/* root.c: creates a root file system of memory and this machine's programs, and enters it. */
int root_enter(struct err *err);
/* Writes a file in the box, creating its parent directories. */
int root_write(const char *path, mode_t mode, const void *data, size_t len, struct err *err);
int root_write_text(const char *path, mode_t mode, const char *text, struct err *err);
int root_make_folders(const char *path, struct err *err); /* all but the last component */

/* cloud_init.c: the user data. */
struct cloud_init {
	json_t *doc;  /* an object, possibly empty */
	int has_port; /* it sets the ports of sshd */
	int has_host_key;
};
int cloud_init_read(const struct box_order *order, struct cloud_init *ret, struct err *err);
/* Applies users, keys and files. Commands are run later, in order, with cloud_init_command. */
int cloud_init_apply(const struct box_order *order, struct cloud_init *init, struct err *err);
/* The NULL-terminated arguments of a command, borrowed; NULL: not a command. */
const char **cloud_init_command(const json_t *item);
void cloud_init_fini(struct cloud_init *init);
