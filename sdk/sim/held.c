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
	held->request.body = r->body ? xstrndup(r->body, r->body_len) : NULL;
	memcpy(held->name, call->name, sizeof(held->name));
	memcpy(held->lease, call->lease, sizeof(held->lease));
	held->plan = call->plan;
	call->plan = (struct plan){ 0 };
	held->next = call->cloud->held;
	call->cloud->held = held;
	return held->ticket;
}

struct held *held_take(struct cloud *cloud, uint64_t ticket)
{
	for (struct held **at = &cloud->held; *at; at = &(*at)->next) {
		struct held *held = *at;

		if (held->ticket != ticket)
			continue;
		*at = held->next;
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
	free((char *)held->request.body);
	plan_fini(&held->plan);
	free(held);
}

void held_free_all(struct cloud *cloud)
{
	while (cloud->held) {
		struct held *next = cloud->held->next;

		held_free(cloud->held);
		cloud->held = next;
	}
}

size_t held_count(const struct cloud *cloud)
{
	size_t n = 0;

	for (const struct held *held = cloud->held; held; held = held->next)
		n++;
	return n;
}
