/* SPDX-License-Identifier: MIT */
/*
 * The files of the web page, compiled in (README.md). Static, and the same for everybody: they hold
 * nothing of the broker. The names are those of the source tree.
 */
#pragma once

#include <stddef.h>

#define PAGE_INDEX "index.html"
#define PAGE_TAG_SIZE 32

struct page_file {
	const char *name;
	const char *type; /* the Content-Type */
	const char *data;
	const char *end;
};

/* NULL: there is no such file. */
const struct page_file *page_find(const char *name);
/* Its ETag, with quotes: of its bytes. */
void page_tag(const struct page_file *file, char out[PAGE_TAG_SIZE]);
