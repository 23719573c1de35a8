/* SPDX-License-Identifier: MIT */
/*
 * What the responses of this step prove. A plugin's report is accepted only if the record of
 * its requests agrees: the host reads the same bytes again, at the places that the provider's
 * actions declare. An identity matches only as an equal JSON value at its declared place,
 * never as bytes that occur somewhere.
 */
#pragma once

#include "provider/operation.h"

/* Records a request and its outcome. Returns its number, counted from 1. */
size_t evidence_add(struct operation *op, const struct lessor_action *action, const char *id,
		    const char *target, const struct lessor_http_response *response,
		    int is_coalesced);
void evidence_fini(struct operation *op);

/*
 * Checks the exact, uncoalesced read of the row's resource after its last effect. 1: the
 * resource was present, and *ret describes it (valid as long as the operation); 0: it was
 * absent; -1: there is no such read. *ret_is_last: that read was the last request of this
 * step.
 */
int evidence_exact(struct operation *op, const struct resource *row, struct lessor_observed *ret,
		   int *ret_is_last);
/*
 * Was the row's resource absent from the listings by name and by its lease's labels, all
 * pages, after its last effect? 1: yes; 0: the listings are incomplete; -1: one of them shows
 * it.
 */
int evidence_unlisted(struct operation *op, const struct resource *row);
/* The same by name alone; an unrelated resource with that name does not count. */
int evidence_unlisted_name(struct operation *op, const struct resource *row, size_t since);
/*
 * Does any response of this step, coalesced or not, show the object with this id? 1 and *ret,
 * or 0.
 */
int evidence_shown(struct operation *op, uint32_t kind, const char *id,
		   struct lessor_observed *ret);
/* Does the response to the row's create show this id? */
int evidence_made(struct operation *op, const struct operation_effect *effect, const char *id);
/* The outcome of the request with this number; number 0: none was sent. */
enum effect_outcome evidence_outcome(const struct operation *op, size_t request);
/*
 * Was the provider action of the row's delete read in this step? Returns 1 or 0. *ret_failed:
 * the action reports that nothing was, or will be, deleted.
 */
int evidence_action(struct operation *op, const struct resource *row, int *ret_failed);
/* Does the provider report deletes as actions that can be read? */
int evidence_has_actions(const struct operation *op);
