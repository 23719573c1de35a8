/* SPDX-License-Identifier: MIT */
/* Lets one of the rows that are written to a database fail, as when memory runs out. */
#pragma once

#include <stdint.h>

/* Beside whoever has it open. */
void fuse_arm(const char *path);
void fuse_end(void);
/* The write after that many others fails, and those that follow do not. */
void fuse_set(int writes);
/* Below 0: one has failed. */
int fuse_left(void);
/* Of every row of every table. */
uint32_t fuse_sum_of_everything(void);
