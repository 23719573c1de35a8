/* SPDX-License-Identifier: MIT */
/*
 * Unmaking: the one place of this plugin that sends a DELETE. Rollback and
 * cleanup both come here. Each delete is of one exact id that was read in the
 * same step, and which the host has permitted after seeing what was read.
 */
#pragma once

#include "hetzner.h"

/*
 * Brings one resource nearer to nothing. LESSOR_GONE when it is (or nothing is
 * to be done about it); otherwise the step's verdict.
 */
int delete_resource(struct hz *z, const struct lessor_resource *row);

/*
 * Does it prove anything that an exact read finds nothing, although we have not
 * deleted it? What was made just now may not be readable yet.
 */
int delete_absence_counts(struct hz *z, const struct lessor_resource *row);
