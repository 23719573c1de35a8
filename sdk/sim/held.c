/* SPDX-License-Identifier: MIT */
#include "sim/held.h"

#include <string.h>

#include "util/alloc.h"

uint64_t held_put(struct call *call)
{
	const struct cloud_request *r = call->request;
	struct held *held = xcalloc(1, sizeof(*held));

	held->ticket = ++call->cloud->tickets;
	held->number = call->number;
	held->request = *r;
	held->request.method = xstrdup(r->method);
	held->request.target = xstrdup(r->target);
	held->request.authorization = r->authorization ? xstrdup(r->authorization) : NULL;
	held->request.origin = r->origin ? xstrdup(r->origin) : NULL;
	held->request.body = r->body ? xstrndup(r->body, r->body_len) : NULL;
	memcpy(held->name, call->name, sizeof(held->name));
	memcpy(held->lease, call->lease, sizeof(held->lease));
	held->plan = call->plan;
	call->plan = (struct plan){ 0 };
	SLIST_INSERT_HEAD(&call->cloud->held, held, link);
	return held->ticket;
}

struct held *held_take(struct cloud *cloud, uint64_t ticket)
{
	struct held *held;

	SLIST_FOREACH(held, &cloud->held, link) {
		if (held->ticket != ticket)
			continue;
		SLIST_REMOVE(&cloud->held, held, held, link);
		return held;
	}
	return NULL;
}

void held_free(struct held *held)
{
	if (!held)
		return;
	free((char *)held->request.method);
	free((char *)held->request.target);
	free((char *)held->request.authorization);
	free((char *)held->request.origin);
	free((char *)held->request.body);
	plan_fini(&held->plan);
	free(held);
}

void held_free_all(struct cloud *cloud)
{
	while (!SLIST_EMPTY(&cloud->held)) {
		struct held *held = SLIST_FIRST(&cloud->held);

		SLIST_REMOVE_HEAD(&cloud->held, link);
		held_free(held);
	}
}

size_t held_count(const struct cloud *cloud)
{
	const struct held *held;
	size_t n = 0;

	SLIST_FOREACH(held, &cloud->held, link)
		n++;
	return n;
}
