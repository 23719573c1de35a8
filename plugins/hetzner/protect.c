/* SPDX-License-Identifier: MIT */
#include "protect.h"

#include <stdio.h>

#include "address.h"
#include "api.h"
#include "key.h"
#include "lookup.h"
#include "parse.h"
#include "server.h"

/* The delete begins with a read of the server, which was just read. */
#define LIFTED_WAIT_MS 1000

/* A row's resource as read; `reply` owns the strings. */
struct read {
	struct reply reply;
	struct server server;
	struct ssh_key key;
	const struct thing *thing;
};

static void read_clear(struct read *read)
{
	reply_clear(&read->reply);
}
#define auto_read __attribute__((cleanup(read_clear))) struct read

/* 1: it exists; 0: it does not; -1: unknown, with the step's verdict. */
static int read_exactly(struct hz *z, const struct lessor_resource *row, struct read *ret,
			int *ret_verdict)
{
	int is_server = row->kind == LESSOR_KIND_SERVER;
	char path[64];
	int rc;

	resource_path(row, path, sizeof(path));
	api_get(z->call, path, 0, &ret->reply);
	if (ret->reply.rule && ret->reply.rule->on_get == GET_GONE)
		return 0;
	if (ret->reply.rule) {
		*ret_verdict = api_retry(z->call, &ret->reply, "reading the retained resource");
		return -1;
	}
	rc = is_server ? parse_server(json_object_get(ret->reply.root, "server"), &ret->server) :
			 parse_key(json_object_get(ret->reply.root, "ssh_key"), row->kind, &ret->key);
	ret->thing = is_server ? &ret->server.thing : &ret->key.thing;
	if (rc || strcmp(ret->thing->id, row->id) != 0) {
		*ret_verdict = api_nonsense(z->call, "reading the retained resource");
		return -1;
	}
	if (is_server)
		address_note(z, &ret->server);
	return 1;
}

void labels_write(struct hz *z, const struct lessor_resource *row,
		  const struct lessor_change *change, struct reply *ret)
{
	char path[64];

	resource_path(row, path, sizeof(path));
	api_put(z->call, path, json_pack("{s:o}", "labels",
					 labels_json(change->labels, change->label_count)),
		row->row, ret);
}

static void protection_write(struct hz *z, const struct lessor_resource *row, int on,
			     struct reply *ret)
{
	char path[96];

	snprintf(path, sizeof(path), "/servers/%s/actions/change_protection", row->id);
	/* The API requires both to be equal. */
	api_post(z->call, path, json_pack("{s:b, s:b}", "delete", on, "rebuild", on), row->row, ret);
}

static int change_refused(struct hz *z, const struct lessor_resource *row)
{
	return lessor_refuse(z->call, LESSOR_CLASS_OWNERSHIP,
			     "lessord permits no change of %s (id %s)", row->name, row->id);
}

static int write_failed(struct hz *z, const struct reply *reply, const char *doing)
{
	return reply->error_class == LESSOR_CLASS_AUTH ? api_refuse(z->call, reply, doing) :
							 api_retry(z->call, reply, doing);
}

/* ---- retention ---------------------------------------------------------------------------- */

static int keep_vanished(struct hz *z, const struct lessor_resource *row)
{
	int verdict;
	int shown = lookup_shows(z, row, &verdict);

	if (shown < 0)
		return verdict;
	if (shown == LOOKUP_CORRECTED)
		return lessor_pending(z->call, AT_ONCE, "");
	if (!shown && lessor_gone(z->call, row->row, "an exact read and listings found nothing") == 0)
		return lessor_pending(z->call, AT_ONCE, "");
	if (shown)
		lessor_still_there(z->call, row->row,
				   "a listing shows it, but an exact read "
				   "does not");
	return lessor_retry(z->call, LESSOR_CLASS_TRANSIENT, 0,
			    "%s cannot be read; it will be checked again", row->name);
}

static int is_labelled(const struct thing *thing, const struct lessor_change *change)
{
	for (size_t i = 0; i < change->label_count; i++) {
		const char *want = change->labels[i].value;
		const char *have = thing_label(thing, LESSOR_LABEL_RETAIN);

		if (strcmp(change->labels[i].key, LESSOR_LABEL_RETAIN) == 0)
			return have && strcmp(have, want) == 0;
	}
	return 1;
}

/* 1: it has its label, according to the last read; otherwise the step's verdict. */
static int keep_label(struct hz *z, const struct lessor_resource *row, struct read *read,
		      int *ret_verdict)
{
	struct lessor_change change = { .size = sizeof(change) };
	struct lessor_observed seen;
	auto_reply reply = { 0 };
	int rc;

	thing_observe(read->thing, &seen);
	rc = lessor_permit_change(z->call, row->row, LESSOR_CHANGE_LABELS, &seen, &change);
	if (rc)
		*ret_verdict = change_refused(z, row);
	if (rc)
		return rc > 0;
	labels_write(z, row, &change, &reply);
	if (reply.rule) {
		*ret_verdict = write_failed(z, &reply, "labelling the retained resource");
		return 0;
	}
	read_clear(read);
	rc = read_exactly(z, row, read, ret_verdict);
	if (rc == 0)
		*ret_verdict = keep_vanished(z, row);
	if (rc <= 0 || is_labelled(read->thing, &change))
		return rc > 0;
	*ret_verdict = lessor_retry(z->call, LESSOR_CLASS_TRANSIENT, 0,
				    "%s does not show its new label yet", row->name);
	return 0;
}

static int keep_protected(struct hz *z, const struct lessor_resource *row, struct read *read)
{
	struct lessor_change change = { .size = sizeof(change) };
	struct lessor_observed seen;
	auto_reply reply = { 0 };
	auto_read after = { .thing = NULL };
	int verdict, rc;

	thing_observe(read->thing, &seen);
	rc = lessor_permit_change(z->call, row->row, LESSOR_CHANGE_PROTECT, &seen, &change);
	if (rc)
		return rc > 0 ? lessor_pending(z->call, AT_ONCE, "") : change_refused(z, row);
	protection_write(z, row, 1, &reply);
	if (reply.rule)
		return write_failed(z, &reply, "protecting the retained resource");
	/* The host records what this read shows. */
	rc = read_exactly(z, row, &after, &verdict);
	if (rc < 0)
		return verdict;
	if (rc == 0 || !after.server.is_protected)
		return lessor_retry(z->call, LESSOR_CLASS_TRANSIENT, 0,
				    "%s does not show its protection yet", row->name);
	return lessor_pending(z->call, AT_ONCE, "");
}

static int keep_resource(struct hz *z, const struct lessor_resource *row)
{
	auto_read read = { .thing = NULL };
	int verdict;

	switch (read_exactly(z, row, &read, &verdict)) {
	case 0:
		return keep_vanished(z, row);
	case 1:
		break;
	default:
		return verdict;
	}
	if (!keep_label(z, row, &read, &verdict))
		return verdict;
	return row->kind == LESSOR_KIND_SERVER ? keep_protected(z, row, &read) :
						 lessor_pending(z->call, AT_ONCE, "");
}

int protection_keep(struct hz *z)
{
	static const uint32_t order[] = { LESSOR_KIND_SERVER, LESSOR_KIND_KEY };

	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
		for (size_t i = 0; i < z->lease->resource_count; i++) {
			const struct lessor_resource *r = lessor_resource_at(z->lease, i);

			if (r->kind == order[k] && r->ours && r->id[0] && !r->protected_ms &&
			    r->state == LESSOR_STATE_RETAINED)
				return keep_resource(z, r);
		}
	}
	return LESSOR_DONE;
}

/* ---- removing the protection ----------------------------------------------------------------------------- */

/* Does the response to a label write show the row's server with its new label? */
static int shows_label(const struct reply *reply, const struct lessor_resource *row,
		       const struct lessor_change *change)
{
	struct server server;

	return parse_server(json_object_get(reply->root, "server"), &server) == 0 &&
	       strcmp(server.thing.id, row->id) == 0 && is_labelled(&server.thing, change);
}

int protection_lift(struct hz *z, const struct lessor_resource *row, const struct server *server)
{
	struct lessor_change change = { .size = sizeof(change) };
	struct lessor_observed seen;
	auto_reply labelled = { 0 }, lifted = { 0 };
	auto_read after = { .thing = NULL };
	int verdict;

	thing_observe(&server->thing, &seen);
	/* The host decides whether this needs an operator; it may also resolve by itself. */
	if (lessor_permit_change(z->call, row->row, LESSOR_CHANGE_UNPROTECT, &seen, &change))
		return change_refused(z, row);
	/* The label first: an older store must not take the next change for its own. */
	labels_write(z, row, &change, &labelled);
	if (!labelled.rule && !shows_label(&labelled, row, &change)) {
		/* An answer about something else: the read shows what was written. */
		read_exactly(z, row, &after, &verdict);
		return api_nonsense(z->call, "labelling the resource to delete");
	}
	if (labelled.rule) {
		/* From this read the host learns whether the label was written after all. */
		read_exactly(z, row, &after, &verdict);
		return write_failed(z, &labelled, "labelling the resource to delete");
	}
	protection_write(z, row, 0, &lifted);
	if (lifted.rule)
		return write_failed(z, &lifted, "removing its protection");
	return read_exactly(z, row, &after, &verdict) < 0 ? verdict :
							    lessor_pending(z->call, LIFTED_WAIT_MS, "");
}
