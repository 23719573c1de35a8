/* SPDX-License-Identifier: MIT */
/*
 * Deletion: the only place in this plugin that sends a DELETE, used by rollback and
 * cleanup. Each delete names one exact id that was read in the same step and that the
 * host permitted after seeing what was read.
 */
#pragma once

#include "hetzner.h"

/*
 * Takes one resource a step towards removal. Returns LESSOR_GONE if it is gone or
 * nothing remains to be done; otherwise the step's verdict.
 */
int delete_resource(struct hz *z, const struct lessor_resource *row);

/*
 * Whether an exact read that finds nothing means anything although we have not deleted
 * the resource: a new resource may not be readable yet.
 */
int delete_absence_counts(struct hz *z, const struct lessor_resource *row);
