/* SPDX-License-Identifier: MIT */
/*
 * Requests that were received but not executed yet.
 */
#pragma once

#include "sim/call.h"

struct held {
	SLIST_ENTRY(held) link;
	uint64_t ticket, number;
	struct cloud_request request; /* strings owned */
	struct plan plan;	      /* the faults still to apply */
	char name[256], lease[72];
};

/* Stores the call's request and plan; returns its ticket. */
uint64_t held_put(struct call *call);
struct held *held_take(struct cloud *cloud, uint64_t ticket); /* NULL: no such ticket */
void held_free(struct held *held);
void held_free_all(struct cloud *cloud);
size_t held_count(const struct cloud *cloud);
