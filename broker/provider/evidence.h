/* SPDX-License-Identifier: MIT */
/*
 * What the responses of this step show. A plugin's report is believed only where the
 * record of its requests agrees; whatever it read, the host reads again in
 * the same bytes, at the places that the provider's actions declare. Identity is a
 * JSON value that is equal, at its place, and never bytes that occur somewhere.
 */
#pragma once

#include "provider/operation.h"

/* Records a request and its outcome. Returns its number, from 1. */
size_t evidence_add(struct operation *op, const struct lessor_action *action, const char *id,
		    const char *target, const struct lessor_http_response *response,
		    int is_coalesced);
void evidence_fini(struct operation *op);

/*
 * The row's resource by its exact, unshared read after its last effect: 1 it was shown
 * (*ret, which lives as long as the operation), 0 it was not there, -1 it was not read so.
 * *ret_is_last: that read was the last request of this step.
 */
int evidence_exact(struct operation *op, const struct resource *row, struct lessor_observed *ret,
		   int *ret_is_last);
/*
 * Was the row's resource in none of the listings by its name and by its lease's labels,
 * all pages, after its last effect? 1 so; 0 they were not complete; -1 one shows it.
 */
int evidence_unlisted(struct operation *op, const struct resource *row);
/* The same by its name alone; a stranger's thing of that name does not count as it. */
int evidence_unlisted_name(struct operation *op, const struct resource *row, size_t since);
/* Any response of this step, shared or not, that shows the object of this id: 1, *ret; 0 none. */
int evidence_shown(struct operation *op, uint32_t kind, const char *id,
		   struct lessor_observed *ret);
/* Does the response to the row's create show this id? */
int evidence_made(struct operation *op, const struct operation_effect *effect, const char *id);
/* What became of the request of this number; 0: none was sent. */
enum effect_outcome evidence_outcome(const struct operation *op, size_t request);
/*
 * The action that a delete of the row left: 1 it was read in this step, 0 not.
 * *ret_failed: it says that nothing was and will be deleted.
 */
int evidence_action(struct operation *op, const struct resource *row, int *ret_failed);
/* Has the provider actions of deletes that can be read? */
int evidence_has_actions(const struct operation *op);
