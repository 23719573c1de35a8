/* SPDX-License-Identifier: MIT */
/* How a program's standard output ended. */
#pragma once

/*
 * Flushes standard output. 0, also if the reader of a pipe has read what it wanted and left, as
 * head(1) does; -1 if output was lost, as on a full disk.
 */
int output_finish(void);
