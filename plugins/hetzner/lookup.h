/* SPDX-License-Identifier: MIT */
/*
 * Look-ups of resources that may have been created: by exact name and by labels, over all
 * pages. A listing with any error in it counts as failed.
 */
#pragma once

#include "hetzner.h"
#include "parse.h"

/* Called for each resource of a listing, once per id. 0: continue; -1: stop. */
typedef int lookup_visit_fn(void *arg, const struct thing *thing);

/*
 * Visits all servers (LESSOR_KIND_SERVER), primary IPs (_ADDRESS: struct address) or SSH
 * keys (_KEY, _SENTINEL) that `query` selects ("name=x", "" for all). Returns 0 if the
 * listing is complete, or -1 with the step's verdict. After -1, the visited resources exist
 * but nothing is known about others.
 */
int lookup_pages(struct lessor_call *call, uint32_t kind, const char *query, lookup_visit_fn *visit,
		 void *arg, int *ret_verdict);

/*
 * Is the resource with this id in a listing by the row's name or by its lease's labels? 1, 0,
 * or -1 with the step's verdict if they could not be read completely; LOOKUP_CORRECTED: as
 * lookup_correct.
 */
#define LOOKUP_CORRECTED 2
int lookup_shows(struct hz *z, const struct lessor_resource *row, int *ret_verdict);

/*
 * The row's id reads as absent or as something else. If a resource of ours with the row's name has
 * another id, its create was answered with a wrong one: has the ledger take over the right one.
 * 1: it has; 0: there is no such resource; -1 with the step's verdict.
 */
int lookup_correct(struct hz *z, const struct lessor_resource *row, int *ret_verdict);

/*
 * Settles the rows of a kind that are INTENDED or UNKNOWN: adopts everything of ours that
 * exists and reports what does not. 0 if there was nothing to settle; otherwise 1 with the
 * step's verdict: PENDING if the ledger was updated, RETRY, or REFUSED if a resource that is
 * not provably ours has our name.
 */
int lookup_unsettled(struct hz *z, uint32_t kind, int *ret_verdict);

enum lookup_named { NAMED_NONE, NAMED_ADOPTED, NAMED_FOREIGN, NAMED_FAILED };
/*
 * The resource with exactly this name: adopted if it is ours, foreign if it has no
 * signature. FAILED: *ret_verdict is set.
 */
enum lookup_named lookup_name(struct hz *z, uint32_t kind, const char *name, int *ret_verdict);
