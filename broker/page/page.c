/* SPDX-License-Identifier: MIT */
/* The assembler includes the files; CMake defines PAGE_DIR. */
#include "page/page.h"

#include <string.h>

#include "util/hash.h"

#define TAG_BYTES 12

#define HTML "text/html; charset=utf-8"
#define CSS "text/css; charset=utf-8"
#define MODULE "text/javascript; charset=utf-8"
#define SVG "image/svg+xml"

/* X(symbol, name, type); CMakeLists.txt has the names, too. */
#define PAGE_FILES(X)                      \
	X(page_index, PAGE_INDEX, HTML)    \
	X(page_css, "page.css", CSS)       \
	X(page_icon, "icon.svg", SVG)      \
	X(page_main, "main.mjs", MODULE)   \
	X(page_api, "api.mjs", MODULE)     \
	X(page_live, "live.mjs", MODULE)   \
	X(page_dom, "dom.mjs", MODULE)     \
	X(page_views, "views.mjs", MODULE) \
	X(page_lease, "lease.mjs", MODULE) \
	X(page_run, "run.mjs", MODULE)

#define INCLUDE(symbol, name, type)                                       \
	__asm__(".pushsection .rodata\n" #symbol ":\n"                    \
		".incbin \"" PAGE_DIR "/" name "\"\n" #symbol "_end:\n"   \
		".byte 0\n"                                               \
		".popsection\n");                                         \
	extern const char symbol[] __attribute__((visibility("hidden"))); \
	extern const char symbol##_end[] __attribute__((visibility("hidden")));
PAGE_FILES(INCLUDE)

#define ROW(symbol, name, type) { name, type, symbol, symbol##_end },
static const struct page_file files[] = { PAGE_FILES(ROW) };

const struct page_file *page_find(const char *name)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (!strcmp(files[i].name, name))
			return &files[i];
	}
	return NULL;
}

void page_tag(const struct page_file *file, char out[PAGE_TAG_SIZE])
{
	unsigned char digest[HASH_SHA256_LEN];
	size_t len;

	hash_sha256(file->data, (size_t)(file->end - file->data), digest);
	out[0] = '"';
	len = 1 + hash_hex(digest, TAG_BYTES, out + 1);
	out[len] = '"';
	out[len + 1] = '\0';
}
