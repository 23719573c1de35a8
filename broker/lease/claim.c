/* SPDX-License-Identifier: MIT */
#include "lease/claim.h"

#include "util/alloc.h"

const char *lease_claim_name(enum lease_claim_kind kind)
{
	static const char *const names[] = {
		[CLAIM_ATTEMPT] = "attempt",
		[CLAIM_ATTEMPT_REFUSED] = "attempt_refused",
		[CLAIM_INTEND] = "intend",
		[CLAIM_CREATED] = "created",
		[CLAIM_NOT_CREATED] = "not_created",
		[CLAIM_UNKNOWN] = "unknown",
		[CLAIM_REPORT_ABSENT] = "not_seen",
		[CLAIM_ADOPT] = "adopt",
		[CLAIM_REUSE] = "reuse",
		[CLAIM_PERMIT] = "permit_delete",
		[CLAIM_DELETING] = "deleting",
		[CLAIM_DELETE_UNKNOWN] = "delete_unknown",
		[CLAIM_REPORT_PRESENT] = "still_there",
		[CLAIM_GONE] = "gone",
		[CLAIM_CHANGE] = "permit_change",
		[CLAIM_CHANGED] = "changed",
	};

	return (size_t)kind < ARRAY_LEN(names) ? names[kind] : "unknown";
}
