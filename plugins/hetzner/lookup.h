/* SPDX-License-Identifier: MIT */
/*
 * Looking for what may have been made: by exact name and by labels, over all
 * pages. A listing in which anything is wrong is no listing.
 */
#pragma once

#include "hetzner.h"
#include "parse.h"

/* Called for each thing of a listing, once per id. 0: go on; -1: enough. */
typedef int lookup_visit_fn(void *arg, const struct thing *thing);

/*
 * Visits all servers (LESSOR_KIND_SERVER), primary IPs (_ADDRESS: struct address) or SSH
 * keys (_KEY, _SENTINEL) that `query` selects ("name=x", "" for all). Returns 0 when the
 * listing is complete, or -1 with the step's verdict. What was visited before a -1
 * proves only itself.
 */
int lookup_pages(struct lessor_call *call, uint32_t kind, const char *query,
		 lookup_visit_fn *visit, void *arg, int *ret_verdict);

/*
 * Is the thing of this id in a listing by the row's name or by its lease's labels? 1, 0, or
 * -1 with the step's verdict when they could not be read to their end.
 */
int lookup_shows(struct hz *z, const struct lessor_resource *row, int *ret_verdict);

/*
 * Settles the rows of a kind that are INTENDED or UNKNOWN: adopts everything of
 * ours that is there, and reports what is not. 0 when there was nothing to
 * settle; otherwise 1 with the step's verdict: PENDING when the ledger moved on,
 * RETRY, or REFUSED when somebody else's thing has our name.
 */
int lookup_unsettled(struct hz *z, uint32_t kind, int *ret_verdict);

enum lookup_named { NAMED_NONE, NAMED_ADOPTED, NAMED_FOREIGN, NAMED_FAILED };
/*
 * The thing of exactly this name: adopted if it is ours, foreign if it bears no signature.
 * FAILED: *ret_verdict is set.
 */
enum lookup_named lookup_name(struct hz *z, uint32_t kind, const char *name, int *ret_verdict);
