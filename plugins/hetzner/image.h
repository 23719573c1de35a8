/* SPDX-License-Identifier: MIT */
/*
 * Images: whether the provider has one. Refusals of an order say so only in words. And the note
 * on the account's own image.
 */
#pragma once

#include "hetzner.h"

enum image_state {
	IMAGE_UNKNOWN, /* it could not be read */
	IMAGE_OFFERED,
	IMAGE_OTHER_ARCHITECTURE, /* it exists, but not for servers of this architecture */
	IMAGE_MISSING,		  /* retired, or it never existed */
};

#define IMAGE_DATE_ROOM 12

/*
 * One request; the response is shared for a minute. Architecture "": any. `ret_until`: the date
 * on which it retires, as in "2026-12-01"; "": none is announced.
 */
enum image_state image_look(struct lessor_call *call, const char *image, const char *architecture,
			    char ret_until[IMAGE_DATE_ROOM]);

/* For the catalogue, which is not told the account's image: remembers it. */
void image_remember(struct hz *z);
/* At the end of the catalogue: reads the account's image, and reports the note on it. */
void image_note(struct lessor_call *call);
