/* SPDX-License-Identifier: MIT */
#include "loader/elf.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

#define SEGMENTS_MAX 64

#if UINTPTR_MAX == UINT64_MAX
#define NATIVE_CLASS ELFCLASS64
#else
#define NATIVE_CLASS ELFCLASS32
#endif

static int is_inside(uint64_t offset, uint64_t len, uint64_t file_size)
{
	return offset <= file_size && len <= file_size - offset;
}

const char *elf_broken_rule(int fd, uint64_t file_size)
{
	ElfW(Ehdr) head;
	ElfW(Phdr) segment;

	if (pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
		return "it is not a shared object (no ELF header)";
	if (head.e_ident[EI_CLASS] != NATIVE_CLASS || head.e_type != ET_DYN ||
	    head.e_phentsize != sizeof(segment) || head.e_phnum == 0 || head.e_phnum > SEGMENTS_MAX)
		return "it is not a shared object for this machine";
	for (unsigned i = 0; i < head.e_phnum; i++) {
		off_t at = (off_t)(head.e_phoff + i * sizeof(segment));
		if (pread(fd, &segment, sizeof(segment), at) != (ssize_t)sizeof(segment) ||
		    !is_inside(segment.p_offset, segment.p_filesz, file_size))
			return "it is truncated";
	}
	/* Not needed to run it, but usually at the end of the file: shows a truncated copy. */
	if (head.e_shoff &&
	    !is_inside(head.e_shoff, (uint64_t)head.e_shnum * head.e_shentsize, file_size))
		return "it is truncated";
	return NULL;
}
