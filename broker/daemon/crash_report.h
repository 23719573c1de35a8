/* SPDX-License-Identifier: MIT */
/*
 * What is said before the process dies of something that was not planned: of a crash, which
 * operation of which provider the thread was in; of an exit() in a plugin, the same, and never
 * with status 0, so that the service manager starts lessord again. Both are also recorded in a
 * file beside the store or in the state directory, FILES-crash, which the next start reads and
 * removes (engine/crashes.c).
 */
#pragma once

#include <stddef.h>

#include "engine/engine.h"

/* Can the record be written? `files` is config's store_files. -1 with a sentence for the operator. */
int crash_report_check(const char *files, struct err *err);
/* From now on. Main thread, once. */
void crash_report_begin(const char *files);
/* lessord ends by itself now. */
void crash_report_end(void);
/* What earlier processes recorded, in order; the caller frees the array. */
size_t crash_report_read(struct engine_crash **ret);
/* It is counted in the store: removes the file. */
void crash_report_counted(void);
