/* SPDX-License-Identifier: MIT */
/*
 * The history of the cloud: all objects that ever existed and their costs; events; requests
 * per operation and lease; and the most recent requests.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sim/cloud.h"
#include "sim/op.h"
#include "util/buf.h"

struct counts;

struct counts *counts_new(size_t history_kept, size_t requests_kept);
void counts_free(struct counts *counts);

/* Adds a record for a new object and returns its index. */
size_t counts_open(struct counts *c, enum cloud_kind kind, int64_t id, const char *name,
		   const char *lease, int64_t at_ms);
void counts_price(struct counts *c, size_t record, const char *type, const char *location,
		  int64_t hour, int64_t month);
void counts_close(struct counts *c, size_t record, int64_t at_ms);
void counts_reopen(struct counts *c, size_t record); /* it is not gone after all */
/* The lease of an object, even a deleted one. "" if none; borrowed. */
const char *counts_lease_of(const struct counts *c, enum cloud_kind kind, int64_t id);

/* The lease of objects with this name. "" if unknown. */
const char *counts_lease_named(const struct counts *c, const char *name);

void counts_event(struct counts *c, struct cloud_event *event); /* sets seq */
uint64_t counts_event_count(const struct counts *c);
void counts_visit(const struct counts *c, uint64_t after, cloud_event_fn *fn, void *arg);

/*
 * Counts a request. A request with an object's name but no lease is assigned to a lease once an
 * object with that name is created for one.
 */
void counts_call(struct counts *c, enum op op, const char *lease, const char *name);
uint64_t counts_calls(const struct counts *c, enum op op, const char *lease);

struct counts_request {
	uint64_t number;
	int64_t at_ms;
	const char *method, *target, *token, *lease, *body;
	enum op op;
	int status, reused, effect;
};
void counts_request(struct counts *c, const struct counts_request *request);

void counts_write_calls(const struct counts *c, struct buf *out);
void counts_write_bill(const struct counts *c, int64_t now_ms, struct buf *out);
void counts_write_history(const struct counts *c, uint64_t after, struct buf *out);
void counts_write_requests(const struct counts *c, int lines, struct buf *out);
