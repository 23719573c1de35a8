/* SPDX-License-Identifier: MIT */
/*
 * The provider's own fences around what is kept: a label, and for servers the protection
 * against deletion and rebuilding. Whether one may be set or lifted the host decides, by
 * what it reads in the answers itself.
 */
#pragma once

#include "api.h"
#include "hetzner.h"

/* Marks and protects what a no-delete release keeps, a row a step. The step's verdict. */
int protection_keep(struct hz *z);
/* Before a delete: lifts the protection of a server, if it is ours. The step's verdict. */
int protection_lift(struct hz *z, const struct lessor_resource *row, const struct server *server);
/* Replaces all labels by those of the change. */
void labels_write(struct hz *z, const struct lessor_resource *row,
		  const struct lessor_change *change, struct reply *ret);
