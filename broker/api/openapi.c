/* SPDX-License-Identifier: MIT */
/* The assembler includes the file; CMake defines OPENAPI_FILE. */
#include "api/openapi.h"

__asm__(".pushsection .rodata\n"
	"api_openapi:\n"
	".incbin \"" OPENAPI_FILE "\"\n"
	"api_openapi_end:\n"
	".byte 0\n"
	".popsection\n");

extern const char api_openapi[] __attribute__((visibility("hidden")));
extern const char api_openapi_end[] __attribute__((visibility("hidden")));

const char *openapi_text(size_t *ret_len)
{
	*ret_len = (size_t)(api_openapi_end - api_openapi);
	return api_openapi;
}
