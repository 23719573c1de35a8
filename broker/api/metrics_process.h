/* SPDX-License-Identifier: MIT */
/*
 * The metrics of the process, with the names of Prometheus' own libraries, and of its files. Read
 * from the kernel when asked: a dozen system calls, none of which reads a disk. Loop thread.
 */
#pragma once

#include "util/buf.h"

void metrics_of_process(struct buf *out);
/* Size of a database file with its log, and free space beside it. NULL or "": nothing. */
void metrics_of_store(struct buf *out, const char *path);
