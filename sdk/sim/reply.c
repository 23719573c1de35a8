/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "sim/call.h"
#include "sim/out.h"
#include "util/alloc.h"

const char *call_who(const struct call *call)
{
	return call->token ? call->token->name : "";
}

int call_has(const struct call *call, enum fault_kind kind)
{
	return plan_find(&call->plan, kind) != NULL;
}

struct thing *call_need(struct call *call, enum cloud_kind kind, const char *what)
{
	struct thing *thing = world_find(call->cloud, kind, call->project, call->id);

	if (thing && thing_is_shown(thing, call->now_ms))
		return thing;
	reply_not_found(call, what);
	return NULL;
}

void reply_error(struct call *call, int status, const char *code, const char *message,
	const char *details)
{
	struct buf *out = &call->out;

	call->response->status = status;
	buf_clear(out);
	out_begin(out, '{');
	out_key_begin(out, "error", '{');
	out_key_str(out, "code", code);
	out_key_str(out, "message", message);
	out_key_raw(out, "details", details ? details : "null");
	out_end(out, '}');
	out_end(out, '}');
}

void reply_field(struct call *call, const char *field, const char *message)
{
	struct buf details;
	char text[160];

	buf_init(&details, 4096);
	out_begin(&details, '{');
	out_key_begin(&details, "fields", '[');
	out_begin(&details, '{');
	out_key_str(&details, "name", field);
	out_key_begin(&details, "messages", '[');
	out_str(&details, message);
	buf_adds(&details, "]}]}");
	snprintf(text, sizeof(text), "invalid input in field '%s'", field);
	reply_error(call, 422, "invalid_input", text, buf_str(&details));
	buf_fini(&details);
}

void reply_text(struct call *call, const char *message)
{
	reply_error(call, 422, "invalid_input", message, NULL);
}

void reply_not_found(struct call *call, const char *what)
{
	char text[96];

	snprintf(text, sizeof(text), "%s with ID '%lld' not found", what, (long long)call->id);
	reply_error(call, 404, "not_found", text, NULL);
}

void reply_no_method(struct call *call)
{
	reply_error(call, 405, "method_not_allowed", "method not allowed", NULL);
}

void reply_no_path(struct call *call)
{
	reply_error(call, 404, "not_found", "no such resource", NULL);
}

/* Fault: the listing shifts between two pages, so that an object appears twice or never. */
static int64_t page_drift(const struct call *call, int64_t page)
{
	const char *as = args_str(plan_find(&call->plan, FAULT_PAGES), "as", "");

	if (page < 2)
		return 0;
	return !strcmp(as, "duplicate") ? -1 : !strcmp(as, "shrink") ? 1 : 0;
}

int page_begin(struct call *call, size_t total, struct page *ret)
{
	int64_t from;

	ret->page = query_get_int(&call->query, "page", 1);
	ret->per_page = query_get_int(&call->query, "per_page", 25);
	ret->total = total;
	if (ret->page < 1 || ret->page > 1000000) {
		reply_field(call, "page", "Must be greater than or equal to 1.");
		return -1;
	}
	if (ret->per_page < 1) {
		reply_field(call, "per_page", "Must be greater than or equal to 1.");
		return -1;
	}
	if (ret->per_page > 50)
		ret->per_page = 50;
	from = (ret->page - 1) * ret->per_page + page_drift(call, ret->page);
	ret->from = from < (int64_t)total ? (size_t)from : total;
	ret->until = ret->from + (size_t)ret->per_page < total
		? ret->from + (size_t)ret->per_page : total;
	return 0;
}

static void write_page(struct buf *out, const char *key, int64_t page)
{
	out_key(out, key);
	if (page > 0)
		out_int(out, page);
	else
		out_null(out);
}

void page_end(struct call *call, const struct page *page)
{
	const char *as = args_str(plan_find(&call->plan, FAULT_PAGES), "as", "");
	int64_t last = ((int64_t)page->total + page->per_page - 1) / page->per_page;
	int64_t next, total = (int64_t)page->total;
	struct buf *out = &call->out;
	int nothing = !strcmp(as, "null");

	if (last < 1)
		last = 1;
	if (!strcmp(as, "endless")) {
		last = 10000;
		total = last * page->per_page;
	}
	next = page->page < last ? page->page + 1 : 0;
	if (!strcmp(as, "loop"))
		next = page->page;
	out_key_begin(out, "meta", '{');
	out_key_begin(out, "pagination", '{');
	out_key_int(out, "page", page->page);
	out_key_int(out, "per_page", page->per_page);
	write_page(out, "previous_page", nothing ? 0 : page->page - 1);
	write_page(out, "next_page", nothing ? 0 : next);
	write_page(out, "last_page", nothing ? 0 : last);
	out_key(out, "total_entries");
	if (nothing)
		out_null(out);
	else
		out_int(out, total);
	out_end(out, '}');
	out_end(out, '}');
}

struct filter {
	const char *name, *fingerprint, *ip;
	struct selector *selector;	/* NULL: all */
	int status;			/* there is a filter by status */
};

static int filter_passes(const struct call *call, const struct filter *f, const struct thing *thing)
{
	if (thing->project != call->project || !thing_is_listed(thing, call->now_ms))
		return 0;
	if (f->name && strcmp(f->name, thing->name))
		return 0;
	if (f->selector && !selector_matches(f->selector, &thing->labels))
		return 0;
	if (f->fingerprint && thing->kind == CLOUD_KEY
	    && strcmp(f->fingerprint, ((const struct key *)thing)->fingerprint))
		return 0;
	if (f->ip && thing->kind == CLOUD_IP && strcmp(f->ip, ((const struct ip *)thing)->address))
		return 0;
	return !f->status || thing->kind != CLOUD_SERVER || query_has(&call->query, "status",
		server_status((const struct server *)thing, call->now_ms));
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct thing *const *)a)->name, (*(struct thing *const *)b)->name);
}

static int by_time(const void *a, const void *b)
{
	const struct thing *x = *(struct thing *const *)a, *y = *(struct thing *const *)b;

	if (x->created_ms != y->created_ms)
		return x->created_ms < y->created_ms ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* They are sorted by id already. An unknown sort key is not an error. */
static void sort_things(const struct call *call, struct thing **all, size_t count)
{
	const char *sort = query_get(&call->query, "sort");
	size_t word = sort ? strcspn(sort, ":") : 0;

	if (!sort || !count)
		return;
	if (word == 4 && !strncmp(sort, "name", 4))
		qsort(all, count, sizeof(*all), by_name);
	if (word == 7 && !strncmp(sort, "created", 7))
		qsort(all, count, sizeof(*all), by_time);
	if (strcmp(sort + word, ":desc"))
		return;
	for (size_t i = 0; i < count / 2; i++) {
		struct thing *other = all[count - 1 - i];

		all[count - 1 - i] = all[i];
		all[i] = other;
	}
}

void reply_list(struct call *call, enum cloud_kind kind, const char *member, call_write_fn *write)
{
	const struct shelf *shelf = &call->cloud->shelves[kind];
	const char *selector = query_get(&call->query, "label_selector");
	auto_free struct thing **all = xcalloc(shelf->count, sizeof(*all));
	struct filter f = {
		.name = query_get(&call->query, "name"),
		.fingerprint = query_get(&call->query, "fingerprint"),
		.ip = query_get(&call->query, "ip"),
		.status = query_get(&call->query, "status") != NULL,
	};
	struct page page;
	struct err err;
	size_t count = 0;

	if (selector) {
		f.selector = selector_parse(selector, &err);
		if (!f.selector) {
			reply_text(call, err.text);
			return;
		}
	}
	if (call_has(call, FAULT_SELECTOR_IGNORED)) {
		selector_free(f.selector);
		f = (struct filter){ 0 };
	}
	for (size_t i = 0; i < shelf->count; i++) {
		if (filter_passes(call, &f, shelf->all[i]))
			all[count++] = shelf->all[i];
	}
	selector_free(f.selector);
	sort_things(call, all, count);
	if (page_begin(call, count, &page))
		return;
	out_begin(&call->out, '{');
	out_key_begin(&call->out, member, '[');
	for (size_t i = page.from; i < page.until; i++)
		write(call, all[i]);
	out_end(&call->out, ']');
	page_end(call, &page);
	out_end(&call->out, '}');
}
