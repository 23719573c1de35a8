/* SPDX-License-Identifier: MIT */
#include "sim/count.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/catalogue.h"
#include "sim/out.h"
#include "sim/table.h"
#include "util/alloc.h"

#define BODY_KEPT_MAX (64 * 1024)
#define HOUR_MS (3600 * 1000)

struct record {
	enum cloud_kind kind;
	int64_t id;
	char *name, *lease;
	char type[16], location[8];
	int64_t from_ms, until_ms;	/* until 0: it exists */
	int64_t hour, month;		/* price; 0 and 0: free */
};

struct tally {
	char *lease;
	uint64_t ops[OP_COUNT];
};

struct counts {
	struct record *records;
	size_t record_count, record_room;
	size_t *by_id[CLOUD_KIND_COUNT]; /* indexes of records, ordered by id */
	size_t by_id_count[CLOUD_KIND_COUNT];
	struct tally *tallies; /* one per lease; the first is for no lease */
	size_t tally_count;
	struct table leases;			/* lease -> tally */
	struct table names;			/* object name -> tally of its lease, or its own */
	uint64_t total[OP_COUNT];
	struct cloud_event *events;		/* a ring; strings owned */
	size_t events_kept;
	uint64_t event_seq;
	struct counts_request *requests;	/* a ring; strings owned */
	size_t requests_kept;
	uint64_t request_seq;
};

static size_t tally_new(struct counts *c, const char *lease)
{
	if (!(c->tally_count & (c->tally_count - 1)))
		c->tallies = xrealloc(c->tallies,
			(c->tally_count ? c->tally_count * 2 : 1) * sizeof(*c->tallies));
	c->tallies[c->tally_count] = (struct tally){ .lease = xstrdup(lease) };
	return c->tally_count++;
}

struct counts *counts_new(size_t history_kept, size_t requests_kept)
{
	struct counts *c = xcalloc(1, sizeof(*c));

	c->events_kept = history_kept ? history_kept : 1;
	c->requests_kept = requests_kept ? requests_kept : 1;
	tally_new(c, "");
	return c;
}

static void event_fini(struct cloud_event *e)
{
	free((char *)e->name);
	free((char *)e->lease);
	free((char *)e->who);
	free((char *)e->text);
}

static void request_fini(struct counts_request *r)
{
	free((char *)r->method);
	free((char *)r->target);
	free((char *)r->token);
	free((char *)r->lease);
	free((char *)r->body);
}

void counts_free(struct counts *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->record_count; i++) {
		free(c->records[i].name);
		free(c->records[i].lease);
	}
	free(c->records);
	for (size_t i = 0; i < CLOUD_KIND_COUNT; i++)
		free(c->by_id[i]);
	for (size_t i = 0; i < c->tally_count; i++)
		free(c->tallies[i].lease);
	free(c->tallies);
	table_fini(&c->leases);
	table_fini(&c->names);
	for (size_t i = 0; c->events && i < c->events_kept; i++)
		event_fini(&c->events[i]);
	free(c->events);
	for (size_t i = 0; c->requests && i < c->requests_kept; i++)
		request_fini(&c->requests[i]);
	free(c->requests);
	free(c);
}

/* Moves the calls counted under an object's name to the lease that it is created for. */
static void settle_name(struct counts *c, const char *name, const char *lease)
{
	size_t tally, *own;

	if (!*lease)
		return;
	own = table_find(&c->leases, lease);
	tally = own ? *own : tally_new(c, lease);
	table_put(&c->leases, lease, tally);
	own = table_put(&c->names, name, tally);
	if (*own == tally)
		return;
	if (!*c->tallies[*own].lease) {
		for (size_t i = 0; i < OP_COUNT; i++) {
			c->tallies[tally].ops[i] += c->tallies[*own].ops[i];
			c->tallies[*own].ops[i] = 0;
		}
	}
	*own = tally;
}

size_t counts_open(struct counts *c, enum cloud_kind kind, int64_t id, const char *name,
	const char *lease, int64_t at_ms)
{
	size_t n = c->by_id_count[kind];

	if (c->record_count == c->record_room) {
		c->record_room = c->record_room ? c->record_room * 2 : 64;
		c->records = xrealloc(c->records, c->record_room * sizeof(*c->records));
	}
	c->records[c->record_count] = (struct record){ .kind = kind, .id = id,
		.name = xstrdup(name), .lease = xstrdup(lease), .from_ms = at_ms };
	if (!(n & (n - 1)))
		c->by_id[kind] = xrealloc(c->by_id[kind], (n ? n * 2 : 1) * sizeof(size_t));
	c->by_id[kind][n] = c->record_count;
	c->by_id_count[kind]++;
	settle_name(c, name, lease);
	return c->record_count++;
}

void counts_price(struct counts *c, size_t record, const char *type, const char *location,
	int64_t hour, int64_t month)
{
	struct record *r = &c->records[record];

	snprintf(r->type, sizeof(r->type), "%s", type);
	snprintf(r->location, sizeof(r->location), "%s", location);
	r->hour = hour;
	r->month = month;
}

void counts_close(struct counts *c, size_t record, int64_t at_ms)
{
	c->records[record].until_ms = at_ms;
}

void counts_reopen(struct counts *c, size_t record)
{
	c->records[record].until_ms = 0;
}

const char *counts_lease_of(const struct counts *c, enum cloud_kind kind, int64_t id)
{
	size_t low = 0, high = c->by_id_count[kind];

	while (low < high) {
		size_t mid = (low + high) / 2;
		const struct record *r = &c->records[c->by_id[kind][mid]];

		if (r->id == id)
			return r->lease;
		if (r->id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return "";
}

const char *counts_lease_named(const struct counts *c, const char *name)
{
	const size_t *tally = table_find(&c->names, name);

	return tally ? c->tallies[*tally].lease : "";
}

void counts_event(struct counts *c, struct cloud_event *event)
{
	struct cloud_event *kept;

	if (!c->events)
		c->events = xcalloc(c->events_kept, sizeof(*c->events));
	kept = &c->events[c->event_seq % c->events_kept];
	event->seq = ++c->event_seq;
	event_fini(kept);
	*kept = *event;
	kept->name = xstrdup(event->name);
	kept->lease = xstrdup(event->lease);
	kept->who = xstrdup(event->who);
	kept->text = xstrdup(event->text);
}

uint64_t counts_event_count(const struct counts *c)
{
	return c->event_seq;
}

void counts_visit(const struct counts *c, uint64_t after, cloud_event_fn *fn, void *arg)
{
	uint64_t first = c->event_seq > c->events_kept ? c->event_seq - c->events_kept : 0;

	for (uint64_t i = after > first ? after : first; i < c->event_seq; i++)
		fn(arg, &c->events[i % c->events_kept]);
}

void counts_call(struct counts *c, enum op op, const char *lease, const char *name)
{
	size_t tally = 0, *found;

	c->total[op]++;
	if (*lease) {
		found = table_find(&c->leases, lease);
		tally = found ? *found : tally_new(c, lease);
		table_put(&c->leases, lease, tally);
	} else if (*name) {
		found = table_find(&c->names, name);
		tally = found ? *found : tally_new(c, "");
		table_put(&c->names, name, tally);
	}
	c->tallies[tally].ops[op]++;
}

uint64_t counts_calls(const struct counts *c, enum op op, const char *lease)
{
	const uint64_t *ops = c->total;
	uint64_t n = 0;

	if (lease) {
		const size_t *tally = table_find(&c->leases, lease);

		if (!tally)
			return 0;
		ops = c->tallies[*tally].ops;
	}
	for (size_t i = 0; i < OP_COUNT; i++)
		n += op == OP_COUNT || op == (enum op)i ? ops[i] : 0;
	return n;
}

void counts_request(struct counts *c, const struct counts_request *request)
{
	struct counts_request *kept;

	if (!c->requests)
		c->requests = xcalloc(c->requests_kept, sizeof(*c->requests));
	kept = &c->requests[c->request_seq++ % c->requests_kept];
	request_fini(kept);
	*kept = *request;
	kept->method = xstrdup(request->method);
	kept->target = xstrdup(request->target);
	kept->token = xstrdup(request->token);
	kept->lease = xstrdup(request->lease);
	kept->body = request->body ? xstrndup(request->body, strnlen(request->body, BODY_KEPT_MAX))
		: NULL;
}

static void write_ops(const uint64_t *ops, struct buf *out)
{
	uint64_t sum = 0;

	out_begin(out, '{');
	for (size_t i = 0; i < OP_COUNT; i++) {
		if (ops[i])
			out_key_int(out, op_name((enum op)i), (int64_t)ops[i]);
		sum += ops[i];
	}
	out_key_int(out, "all", (int64_t)sum);
	out_end(out, '}');
}

void counts_write_calls(const struct counts *c, struct buf *out)
{
	uint64_t nobody[OP_COUNT] = { 0 };

	for (size_t i = 0; i < c->tally_count; i++) {
		for (size_t j = 0; j < OP_COUNT; j++)
			nobody[j] += *c->tallies[i].lease ? 0 : c->tallies[i].ops[j];
	}
	out_begin(out, '{');
	out_key(out, "total");
	write_ops(c->total, out);
	out_key(out, "no_lease");
	write_ops(nobody, out);
	out_key_begin(out, "leases", '{');
	for (size_t i = 0; i < c->tally_count; i++) {
		if (!*c->tallies[i].lease)
			continue;
		out_key(out, c->tallies[i].lease);
		write_ops(c->tallies[i].ops, out);
	}
	out_end(out, '}');
	out_end(out, '}');
}

/* When the calendar month after that of `ms` begins. */
static int64_t next_month(int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	tm = (struct tm){ .tm_year = tm.tm_year, .tm_mon = tm.tm_mon + 1, .tm_mday = 1 };
	return (int64_t)timegm(&tm) * 1000;
}

/*
 * Each hour that has begun is billed, in the month in which it began; the monthly price limits
 * what one object costs in one calendar month.
 */
static int64_t record_cost(const struct record *r, int64_t now_ms, int64_t *ret_hours)
{
	int64_t end = r->until_ms ? r->until_ms : now_ms, sum = 0, hours = 0;
	int64_t at = r->from_ms;

	do {
		int64_t month_end = next_month(at), in_month = 0;

		do {
			at += HOUR_MS;
			in_month++;
		} while (at < end && at < month_end);
		hours += in_month;
		sum += in_month * r->hour < r->month ? in_month * r->hour : r->month;
	} while (at < end);
	*ret_hours = hours;
	return sum;
}

static void write_euro(struct buf *out, const char *key, int64_t micro)
{
	char text[40];

	snprintf(text, sizeof(text), "%lld.%06lld", (long long)(micro / 1000000),
		(long long)(micro % 1000000));
	out_key_str(out, key, text);
}

void counts_write_bill(const struct counts *c, int64_t now_ms, struct buf *out)
{
	int64_t net = 0, gross = 0, hours, cost;

	out_begin(out, '{');
	out_key_str(out, "currency", "EUR");
	out_key_str(out, "vat_rate", CATALOGUE_VAT_TEXT);
	out_key_begin(out, "lines", '[');
	for (size_t i = 0; i < c->record_count; i++) {
		const struct record *r = &c->records[i];

		if (!r->hour)
			continue;
		cost = record_cost(r, now_ms, &hours);
		net += cost;
		gross += catalogue_gross(cost);
		out_begin(out, '{');
		out_key_str(out, "kind", cloud_kind_name(r->kind));
		out_key_int(out, "id", r->id);
		out_key_str(out, "name", r->name);
		out_key_str(out, "lease", r->lease);
		out_key_str(out, "type", r->type);
		out_key_str(out, "location", r->location);
		out_key_int(out, "from_ms", r->from_ms);
		out_key_int(out, "until_ms", r->until_ms);
		out_key_bool(out, "running_up", !r->until_ms);
		out_key_int(out, "hours", hours);
		write_euro(out, "net", cost);
		write_euro(out, "gross", catalogue_gross(cost));
		out_end(out, '}');
	}
	out_end(out, ']');
	write_euro(out, "net", net);
	write_euro(out, "gross", gross);
	out_end(out, '}');
}

static void write_event(void *arg, const struct cloud_event *e)
{
	struct buf *out = arg;

	out_begin(out, '{');
	out_key_int(out, "seq", (int64_t)e->seq);
	out_key_int(out, "at_ms", e->at_ms);
	out_key_str(out, "what", e->what);
	out_key_str(out, "kind", cloud_kind_name(e->kind));
	out_key_int(out, "id", e->id);
	out_key_str(out, "name", e->name);
	out_key_str(out, "lease", e->lease);
	out_key_str(out, "who", e->who);
	out_key_int(out, "request", (int64_t)e->request);
	out_key_str(out, "text", e->text);
	out_end(out, '}');
}

void counts_write_history(const struct counts *c, uint64_t after, struct buf *out)
{
	out_begin(out, '{');
	out_key_int(out, "count", (int64_t)c->event_seq);
	out_key_int(out, "forgotten", (int64_t)(c->event_seq > c->events_kept
		? c->event_seq - c->events_kept : 0));
	out_key_begin(out, "events", '[');
	counts_visit(c, after, write_event, out);
	out_end(out, ']');
	out_end(out, '}');
}

static void write_request(const struct counts_request *r, struct buf *out)
{
	json_t *body = r->body && *r->body ? json_loads(r->body, JSON_DECODE_ANY, NULL) : NULL;

	out_begin(out, '{');
	out_key_int(out, "number", (int64_t)r->number);
	out_key_int(out, "at_ms", r->at_ms);
	out_key_str(out, "method", r->method);
	out_key_str(out, "path", r->target);
	out_key_str(out, "op", op_name(r->op));
	out_key_str(out, "token", r->token);
	out_key_str(out, "lease", r->lease);
	out_key_int(out, "status", r->status);
	out_key_bool(out, "reused", r->reused);
	out_key_bool(out, "effect", r->effect);
	out_key(out, "body");
	/* JSON is shown unchanged, anything else as a string. */
	if (body)
		out_raw(out, r->body);
	else
		out_str(out, r->body && *r->body ? r->body : NULL);
	out_end(out, '}');
	json_decref(body);
}

void counts_write_requests(const struct counts *c, int lines, struct buf *out)
{
	uint64_t first = c->request_seq > c->requests_kept ? c->request_seq - c->requests_kept : 0;

	if (!lines) {
		out_begin(out, '{');
		out_key_int(out, "count", (int64_t)c->request_seq);
		out_key_begin(out, "requests", '[');
	}
	for (uint64_t i = first; i < c->request_seq; i++) {
		const struct counts_request *r = &c->requests[i % c->requests_kept];

		if (lines) {
			struct buf line;

			buf_init(&line, 4 * BODY_KEPT_MAX);
			write_request(r, &line);
			buf_adds(out, buf_str(&line));
			buf_addc(out, '\n');
			buf_fini(&line);
		} else {
			write_request(r, out);
		}
	}
	if (!lines) {
		out_end(out, ']');
		out_end(out, '}');
	}
}
