/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/*
 * Returns NULL, or the reason why this file is not a complete shared object for this
 * machine. The dynamic linker maps what the headers describe without comparing it to
 * the file size, so a truncated plugin would cause a SIGBUS.
 */
const char *elf_broken_rule(int fd, uint64_t file_size);
