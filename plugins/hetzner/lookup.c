/* SPDX-License-Identifier: MIT */
#include "lookup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "api.h"

#define PER_PAGE 50
#define PAGES_MAX 200 /* no project has 10,000 objects */
#define QUERY_MAX 512

/* Ids seen so far, to visit each once although listings shift between pages. */
struct seen_ids {
	char (*ids)[ID_ROOM];
	size_t count, room;
	int64_t greatest;
};

static int seen_add(struct lessor_call *call, struct seen_ids *seen, const char *id)
{
	int64_t number = strtoll(id, NULL, 10);

	if (number <= seen->greatest) {
		for (size_t i = 0; i < seen->count; i++) {
			if (strcmp(seen->ids[i], id) == 0)
				return 0;
		}
	} else {
		seen->greatest = number;
	}
	if (seen->count == seen->room) {
		size_t room = seen->room ? seen->room * 2 : PER_PAGE;
		char (*more)[ID_ROOM] = lessor_alloc(call, room * sizeof(*more));

		if (!more)
			return -1;
		if (seen->count)
			memcpy(more, seen->ids, seen->count * sizeof(*more));
		seen->ids = more;
		seen->room = room;
	}
	memcpy(seen->ids[seen->count++], id, ID_ROOM);
	return 1;
}

/* Each of them begins with its thing. */
union item {
	struct thing thing;
	struct server server;
	struct ssh_key key;
	struct address address;
};

static int parse_item(const json_t *json, uint32_t kind, union item *ret)
{
	if (kind == LESSOR_KIND_SERVER)
		return parse_server(json, &ret->server);
	if (kind == LESSOR_KIND_ADDRESS)
		return parse_address(json, &ret->address);
	return parse_key(json, kind, &ret->key);
}

static const char *member_of(uint32_t kind)
{
	return kind == LESSOR_KIND_SERVER ? "servers" :
	       kind == LESSOR_KIND_ADDRESS ? "primary_ips" : "ssh_keys";
}

/* One page. 0: continue; 1: stop; -1: invalid. */
static int visit_page(struct lessor_call *call, uint32_t kind, const struct list_page *page,
		      struct seen_ids *seen, lookup_visit_fn *visit, void *arg)
{
	size_t i;
	json_t *json;

	json_array_foreach(page->items, i, json) {
		union item item;
		int is_new;

		if (parse_item(json, kind, &item))
			return -1;
		is_new = seen_add(call, seen, item.thing.id);
		if (is_new < 0)
			return -1;
		if (is_new && visit(arg, &item.thing))
			return 1;
	}
	return 0;
}

int lookup_pages(struct lessor_call *call, uint32_t kind, const char *query,
		 lookup_visit_fn *visit, void *arg, int *ret_verdict)
{
	const char *member = member_of(kind);
	struct seen_ids seen = { 0 };
	int64_t total = -1;

	for (int64_t number = 1; number <= PAGES_MAX; number++) {
		char path[QUERY_MAX + 80];
		struct list_page page;
		auto_reply reply = { 0 };
		int rc;

		snprintf(path, sizeof(path), "/%s?%s%ssort=id&per_page=%d&page=%" PRId64, member,
			 query, query[0] ? "&" : "", PER_PAGE, number);
		api_get(call, path, 0, &reply);
		if (reply.rule) {
			*ret_verdict = api_retry(call, &reply, "look-up");
			return -1;
		}
		if (parse_page(reply.root, member, number, &page))
			break;
		/* A listing that changed while it was read may have missed something. */
		if (number > 1 && page.total != total)
			break;
		total = page.total;
		rc = visit_page(call, kind, &page, &seen, visit, arg);
		if (rc > 0)
			return 0;
		if (rc < 0)
			break;
		/* A full page with neither total nor next may not be the last. */
		if (!page.next && total < 0 && json_array_size(page.items) >= PER_PAGE)
			continue;
		if (!page.next) {
			if (total >= 0 && (int64_t)seen.count != total)
				break;
			return 0;
		}
	}
	lessor_log(call, LESSOR_LOG_INFO,
		   "GET /%s?%s: the listing is incomplete or "
		   "inconsistent",
		   member, query);
	*ret_verdict = api_nonsense(call, "look-up");
	return -1;
}

/* ---- resources that may have been created ------------------------------------------------------ */

struct found {
	struct thing thing;
	SLIST_ENTRY(found) link;
	int adopted;
};

/* Collects copies of matching resources in the host's scratch memory. */
struct search {
	struct hz *z;
	const char *name;  /* search for this name; or NULL, and ... */
	const char *lease; /* search for the labels of this lease */
	SLIST_HEAD(, found) found;
	int full;
};

static char *dup_text(struct lessor_call *call, const char *text)
{
	size_t len = strlen(text) + 1;
	char *copy = lessor_alloc(call, len);

	return copy ? memcpy(copy, text, len) : NULL;
}

static struct found *found_dup(struct lessor_call *call, const struct thing *thing)
{
	struct found *copy = lessor_alloc(call, sizeof(*copy));

	if (!copy)
		return NULL;
	copy->thing = *thing;
	copy->thing.name = dup_text(call, thing->name);
	if (!copy->thing.name)
		return NULL;
	for (size_t i = 0; i < thing->label_count; i++) {
		copy->thing.labels[i].key = dup_text(call, thing->labels[i].key);
		copy->thing.labels[i].value = dup_text(call, thing->labels[i].value);
		if (!copy->thing.labels[i].key || !copy->thing.labels[i].value)
			return NULL;
	}
	return copy;
}

static int label_is(const struct thing *thing, const char *key, const char *value)
{
	const char *have = thing_label(thing, key);

	return have && strcmp(have, value) == 0;
}

/* Does it have the name of an unsettled row, whatever its labels are? */
static int is_looked_for(const struct lessor_lease *lease, const struct thing *thing)
{
	for (size_t i = 0; i < lease->resource_count; i++) {
		const struct lessor_resource *r = lessor_resource_at(lease, i);

		if (r->kind == thing->kind && resource_is_unsettled(r) &&
		    strcmp(r->name, thing->name) == 0)
			return 1;
	}
	return 0;
}

/* The provider's filter is used but not trusted. */
static int search_matches(const struct search *search, const struct thing *thing)
{
	if (search->name)
		return strcmp(thing->name, search->name) == 0;
	return (label_is(thing, LESSOR_LABEL_INSTANCE, lessor_broker_id(search->z->call)) &&
		label_is(thing, LESSOR_LABEL_LEASE, search->lease)) ||
	       is_looked_for(search->z->lease, thing);
}

static int search_visit(void *arg, const struct thing *thing)
{
	struct search *search = arg;
	struct found *copy, *have;

	if (!search_matches(search, thing))
		return 0;
	SLIST_FOREACH(have, &search->found, link) {
		if (strcmp(have->thing.id, thing->id) == 0)
			return 0;
	}
	copy = found_dup(search->z->call, thing);
	if (!copy) {
		search->full = 1;
		return -1;
	}
	SLIST_INSERT_HEAD(&search->found, copy, link);
	return 0;
}

static int search_run(struct search *search, uint32_t kind, const char *query, int *ret_verdict)
{
	if (lookup_pages(search->z->call, kind, query, search_visit, search, ret_verdict))
		return -1;
	if (search->full) {
		*ret_verdict = lessor_retry(search->z->call, LESSOR_CLASS_BUG, 0,
					    "look-up: out of memory");
		return -1;
	}
	return 0;
}

static int search_by_name(struct search *search, uint32_t kind, const char *name, int *ret_verdict)
{
	char encoded[QUERY_MAX / 2];
	char query[QUERY_MAX];

	api_encode(name, encoded, sizeof(encoded));
	snprintf(query, sizeof(query), "name=%s", encoded);
	search->name = name;
	return search_run(search, kind, query, ret_verdict);
}

/* Account operations have no lease; the host labels their resources "account". */
static void labels_query(struct lessor_call *call, const char *lease, char *ret, size_t room)
{
	char selector[QUERY_MAX / 3], encoded[QUERY_MAX];

	snprintf(selector, sizeof(selector),
		 LESSOR_LABEL_INSTANCE "==%s," LESSOR_LABEL_LEASE "==%s", lessor_broker_id(call),
		 lease[0] ? lease : "account");
	api_encode(selector, encoded, sizeof(encoded));
	snprintf(ret, room, "label_selector=%s", encoded);
}

static int search_by_labels(struct search *search, uint32_t kind, int *ret_verdict)
{
	char query[QUERY_MAX + 32];

	search->name = NULL;
	search->lease = search->z->lease->id[0] ? search->z->lease->id : "account";
	labels_query(search->z->call, search->lease, query, sizeof(query));
	return search_run(search, kind, query, ret_verdict);
}

static int found_adopt(struct hz *z, struct found *found)
{
	struct lessor_observed seen;

	thing_observe(&found->thing, &seen);
	found->adopted = lessor_adopt(z->call, &seen) == 0;
	return found->adopted;
}

/* Is the object with the row's id listed, and is there one of ours that has its name? */
struct shown {
	const char *id;
	int found;
	struct search named;
};

static int shown_visit(void *arg, const struct thing *thing)
{
	struct shown *shown = arg;

	shown->found |= strcmp(thing->id, shown->id) == 0;
	return shown->found || search_visit(&shown->named, thing);
}

/* Adopts what has the row's name, our signature and another id. 1 if there is such a thing. */
static int shown_correct(struct shown *shown)
{
	struct found *f;

	SLIST_FOREACH(f, &shown->named.found, link) {
		if (strcmp(f->thing.id, shown->id) != 0 &&
		    thing_label(&f->thing, LESSOR_LABEL_SIG) && found_adopt(shown->named.z, f))
			return 1;
	}
	return 0;
}

static int shown_by_name(struct hz *z, const struct lessor_resource *row, struct shown *shown,
			 int *ret_verdict)
{
	char query[QUERY_MAX + 32];

	*shown = (struct shown){ .id = row->id, .named = { .z = z, .name = row->name } };
	snprintf(query, sizeof(query), "name=%.63s", row->name);
	if (lookup_pages(z->call, row->kind, query, shown_visit, shown, ret_verdict))
		return -1;
	return !shown->found && shown_correct(shown) ? LOOKUP_CORRECTED : shown->found;
}

int lookup_correct(struct hz *z, const struct lessor_resource *row, int *ret_verdict)
{
	struct shown shown;
	int named = shown_by_name(z, row, &shown, ret_verdict);

	return named == LOOKUP_CORRECTED ? 1 : named < 0 ? -1 : 0;
}

int lookup_shows(struct hz *z, const struct lessor_resource *row, int *ret_verdict)
{
	struct shown shown;
	char query[QUERY_MAX + 32];
	int named = shown_by_name(z, row, &shown, ret_verdict);

	if (named)
		return named;
	labels_query(z->call, row->lease, query, sizeof(query));
	if (lookup_pages(z->call, row->kind, query, shown_visit, &shown, ret_verdict))
		return -1;
	return shown.found;
}

/* Does it have the labels of this row's resource? */
static int claims_row(const struct thing *thing, const struct lessor_resource *r)
{
	const char *attempt = thing_label(thing, LESSOR_LABEL_ATTEMPT);

	return thing_label(thing, LESSOR_LABEL_SIG) && attempt &&
	       strtoul(attempt, NULL, 10) == r->attempt;
}

/* Settles one row after a complete search. */
static void settle_row(struct hz *z, const struct lessor_resource *r, const struct search *search,
		       int *ret_verdict)
{
	const struct found *f;

	SLIST_FOREACH(f, &search->found, link) {
		if (strcmp(f->thing.name, r->name) != 0)
			continue;
		if (f->adopted)
			return;
		/*
		 * Names are unique, so ours cannot exist too. But this may be ours with
		 * its labels removed: an operator must decide.
		 */
		*ret_verdict = lessor_refuse(z->call, LESSOR_CLASS_OWNERSHIP,
					     "%s (id %s) exists but is not provably ours", r->name,
					     f->thing.id);
		return;
	}
	/* A renamed resource was created: that, too, an operator must decide. */
	SLIST_FOREACH(f, &search->found, link) {
		if (f->adopted || !claims_row(&f->thing, r))
			continue;
		*ret_verdict = lessor_refuse(z->call, LESSOR_CLASS_OWNERSHIP,
					     "%s (id %s) has the labels of %s but is not "
					     "provably ours",
					     f->thing.name, f->thing.id, r->name);
		return;
	}
	if (lessor_not_seen(z->call, r->row))
		*ret_verdict = lessor_retry(z->call, LESSOR_CLASS_TRANSIENT, 0,
					    "it is not yet known whether %s was created", r->name);
}

int lookup_unsettled(struct hz *z, uint32_t kind, int *ret_verdict)
{
	struct search search = { .z = z };
	struct found *f;
	int count = 0;

	for (size_t i = 0; i < z->lease->resource_count; i++) {
		const struct lessor_resource *r = lessor_resource_at(z->lease, i);

		if (r->kind != kind || !resource_is_unsettled(r))
			continue;
		if (count++ == 0 && search_by_labels(&search, kind, ret_verdict))
			return 1;
		if (search_by_name(&search, kind, r->name, ret_verdict))
			return 1;
	}
	if (!count)
		return 0;
	SLIST_FOREACH(f, &search.found, link)
		found_adopt(z, f);
	*ret_verdict = lessor_pending(z->call, AT_ONCE, "");
	for (size_t i = 0; i < z->lease->resource_count; i++) {
		const struct lessor_resource *r = lessor_resource_at(z->lease, i);

		/* Settle all rows; the last one that cannot be settled sets the verdict. */
		if (r->kind == kind && resource_is_unsettled(r))
			settle_row(z, r, &search, ret_verdict);
	}
	return 1;
}

enum lookup_named lookup_name(struct hz *z, uint32_t kind, const char *name, int *ret_verdict)
{
	struct search search = { .z = z };
	struct found *found;

	if (search_by_name(&search, kind, name, ret_verdict))
		return NAMED_FAILED;
	if (SLIST_EMPTY(&search.found))
		return NAMED_NONE;
	found = SLIST_FIRST(&search.found);
	if (found_adopt(z, found))
		return NAMED_ADOPTED;
	if (!thing_label(&found->thing, LESSOR_LABEL_SIG))
		return NAMED_FOREIGN;
	/* Signed by us and changed by somebody else: an operator must decide. */
	*ret_verdict = lessor_refuse(z->call, LESSOR_CLASS_OWNERSHIP,
				     "%s (id %s) exists but is not provably ours", name,
				     found->thing.id);
	return NAMED_FAILED;
}
