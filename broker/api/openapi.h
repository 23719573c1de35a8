/* SPDX-License-Identifier: MIT */
/* The text of openapi.json, as in the source tree. Static. */
#pragma once

#include <stddef.h>

const char *openapi_text(size_t *ret_len);
