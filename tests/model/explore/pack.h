/* SPDX-License-Identifier: MIT */
/* Converts an aggregate to bytes and back. Keeps only what affects decisions (README.md). */
#pragma once

#include "world.h"

/* Initialises what all aggregates of the model have in common. */
void pack_init(void);
const struct signer *pack_signer(void);
const char *pack_id(enum thing thing);
const struct labels *pack_labels(enum thing thing);
const char *pack_name(enum thing thing);

/* `into` is empty, or an earlier result, whose memory is reused. */
void pack_open(const struct config *config, const struct world *w, int64_t now_ms,
	       struct lease_aggregate *into);
/* Returns NULL, or what a store cannot represent. */
const char *pack_close(const struct config *config, const struct lease_aggregate *a, int64_t now_ms,
		       struct store *ret);
/* Does it matter, in this state of a row, until when a request may be carried out? */
int until_counts(const struct config *config, uint32_t state);
