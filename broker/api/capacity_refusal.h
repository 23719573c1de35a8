/* SPDX-License-Identifier: MIT */
/*
 * The 429 of a create, or an extension, that meets a limit: which limit, how much of it is used, which of the
 * caller's own leases count and until when, and what to do. Leases of others are never named.
 * Loop thread.
 */
#pragma once

#include "api/request.h"

/* The whole body, in bytes; fewer leases are named where it would be longer. */
#define CAPACITY_REFUSAL_MAX 599

/* `engine_request` has RESULT_LIMIT; `account` is the one that was asked for. */
void capacity_refuse(struct api_request *request, const struct engine_request *engine_request,
		     const char *account);
/* The same of an extension, whose lease is in the answer. */
void capacity_refuse_extension(struct api_request *request,
			       const struct engine_request *engine_request);
/* The lease waited in the queue until its time was over (LEASE_END_QUEUE). */
void capacity_refuse_waited(struct api_request *request, const struct lease *l);
