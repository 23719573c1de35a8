/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/*
 * NULL, or why this file cannot be a whole shared object of this machine. The
 * dynamic linker maps what the headers promise and does not compare that with
 * the file's size: half a plugin, as a broken copy leaves it, is a SIGBUS.
 */
const char *elf_broken_rule(int fd, uint64_t file_size);
