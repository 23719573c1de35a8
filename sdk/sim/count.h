/* SPDX-License-Identifier: MIT */
/*
 * The memory of the cloud: every object that ever was, with what it cost; what
 * happened to whom; who asked for what, how often, for which lease; and the
 * last requests as they came.
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

/* An object is born; returns the index of its record. Prices in millionths of a euro. */
size_t counts_open(struct counts *c, enum cloud_kind kind, int64_t id, const char *name,
	const char *lease, int64_t at_ms);
void counts_price(struct counts *c, size_t record, const char *type, const char *location,
	int64_t hour, int64_t month);
void counts_close(struct counts *c, size_t record, int64_t at_ms);
void counts_reopen(struct counts *c, size_t record);	/* it was not gone after all */
/* The lease an object was made for, also when it is gone. "" if none; borrowed. */
const char *counts_lease_of(const struct counts *c, enum cloud_kind kind, int64_t id);

/* The lease that objects of this name were made for. "" if none is known. */
const char *counts_lease_named(const struct counts *c, const char *name);

void counts_event(struct counts *c, struct cloud_event *event);	/* fills in seq */
uint64_t counts_event_count(const struct counts *c);
void counts_visit(const struct counts *c, uint64_t after, cloud_event_fn *fn, void *arg);

/*
 * Counts a request. Without a lease but with an object's name the request waits to be counted until
 * an object of that name is made for a lease.
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
