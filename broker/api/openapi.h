/* SPDX-License-Identifier: MIT */
/* openapi.json, as it is in the source tree. Static. */
#pragma once

#include <stddef.h>

const char *openapi_text(size_t *ret_len);
