/* SPDX-License-Identifier: MIT */
/* An aggregate as a store of bytes, and back: only what decides is kept (README.md). */
#pragma once

#include "world.h"

/* What every aggregate of the model has in common. */
void pack_init(void);
const struct signer *pack_signer(void);
const char *pack_id(enum thing thing);
const struct labels *pack_labels(enum thing thing);
const char *pack_name(enum thing thing);

/* `into` is empty, or what was unpacked before; it is used again. */
void pack_open(const struct world *w, int64_t now_ms, struct lease_aggregate *into);
/* NULL, or what of it cannot be told in a store. */
const char *pack_close(const struct config *config, const struct lease_aggregate *a, int64_t now_ms,
		       struct store *ret);
