/* SPDX-License-Identifier: MIT */
/*
 * Protection of retained resources at the provider: a label, and for servers protection
 * against deletion and rebuilding. The host decides whether it may be set or removed, from
 * the responses that it reads itself.
 */
#pragma once

#include "api.h"
#include "hetzner.h"

/* Labels and protects what a no-delete release keeps, one row per step. Returns a verdict. */
int protection_keep(struct hz *z);
/* Before a delete: removes a server's protection if it is ours. Returns a verdict. */
int protection_lift(struct hz *z, const struct lessor_resource *row, const struct server *server);
/* Replaces all labels with those of `change`. */
void labels_write(struct hz *z, const struct lessor_resource *row,
		  const struct lessor_change *change, struct reply *ret);
