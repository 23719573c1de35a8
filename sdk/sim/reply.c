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
	out_key_raw(out, "details", details ? details : "{}");
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

/* What the API has and the simulator does not, and what neither has. */
static void refuse_unknown(struct call *call, int status, const char *code)
{
	char text[200];

	snprintf(text, sizeof(text), "hetzner-sim does not simulate %.10s %.120s",
		 call->request->method, call->query.path);
	reply_error(call, status, code, text, NULL);
}

void reply_no_method(struct call *call)
{
	refuse_unknown(call, 405, "method_not_allowed");
}

void reply_no_path(struct call *call)
{
	refuse_unknown(call, 404, "not_found");
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

/* `<https://.../v1/servers?name=a&page=2>; rel="next"`: the other parameters stay. */
static void add_link(const struct call *call, const char *rel, int64_t page, struct buf *out)
{
	const char *origin = call->request->origin, *target = call->request->target;
	size_t path = strcspn(target, "?");
	const char *separator = "?";

	if (page < 1)
		return;
	buf_addf(out, "%s<%s%.*s", out->len ? ", " : "",
		 origin ? origin : "https://api.hetzner.cloud", (int)path, target);
	for (const char *at = target + path; *at && *at != '#';) {
		size_t len = strcspn(++at, "&#");

		if (len && strncmp(at, "page=", 5)) {
			buf_addf(out, "%s%.*s", separator, (int)len, at);
			separator = "&";
		}
		at += len;
	}
	buf_addf(out, "%spage=%lld>; rel=\"%s\"", separator, (long long)page, rel);
}

static void add_links(struct call *call, int64_t previous, int64_t next, int64_t last)
{
	struct buf links;

	buf_init(&links, 16384);
	add_link(call, "prev", previous, &links);
	add_link(call, "next", next, &links);
	add_link(call, "last", last, &links);
	cloud_response_add_header(call->response, "Link", buf_str(&links));
	buf_fini(&links);
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
	add_links(call, page->page - 1, next, last);
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

static int by_id(const struct thing *x, const struct thing *y)
{
	return x->id < y->id ? -1 : x->id > y->id;
}

static int by_name(const struct thing *x, const struct thing *y)
{
	return strcmp(x->name, y->name);
}

static int by_time(const struct thing *x, const struct thing *y)
{
	return x->created_ms < y->created_ms ? -1 : x->created_ms > y->created_ms;
}

/* `sort` may be repeated; the first one counts most. An unknown key is not an error. */
static int by_query(const void *a, const void *b, void *arg)
{
	const struct thing *x = *(struct thing *const *)a, *y = *(struct thing *const *)b;
	static const struct {
		const char *key;
		int (*compare)(const struct thing *x, const struct thing *y);
	} keys[] = { { "id", by_id }, { "name", by_name }, { "created", by_time } };
	const struct query *query = arg;

	for (size_t i = 0; i < query->count; i++) {
		for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
			int order = query_sorts(&query->params[i], keys[k].key);
			int differ = order ? keys[k].compare(x, y) : 0;

			if (differ)
				return differ * order;
		}
	}
	return by_id(x, y);
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
	if (count)
		qsort_r(all, count, sizeof(struct thing *), by_query, &call->query);
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
