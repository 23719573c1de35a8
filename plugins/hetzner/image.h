/* SPDX-License-Identifier: MIT */
/*
 * The lease's image: whether the provider has it. Refusals do not say so, except in words.
 */
#pragma once

#include "hetzner.h"

enum image_state {
	IMAGE_UNKNOWN, /* it could not be read */
	IMAGE_OFFERED,
	IMAGE_OTHER_ARCHITECTURE, /* it exists, but not for servers of this architecture */
	IMAGE_MISSING,		  /* retired, or it never existed */
};

/* One request; the response is shared for a minute. Architecture "": any. */
enum image_state image_look(struct hz *z, const char *architecture);
