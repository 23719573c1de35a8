/* SPDX-License-Identifier: MIT */
#include "delete.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "api.h"
#include "lookup.h"
#include "parse.h"
#include "poll_estimate.h"
#include "protect.h"
#include "server.h"

#define YOUNG_MS (15 * 1000)	/* since its last change of state ... */
#define SETTLED_MS (60 * 1000)	/* ... or since its intent */
#define LOCK_MS (5 * 60 * 1000) /* for this long `locked` is attributed to the create */
#define LOCKED_WAIT_MS 3000
#define ABSENCE_WAIT_MS 5000
#define DELETE_GUESS_POLLS 2 /* 4 s by default */
#define DELETE_POLL_MOST_MS (20 * 1000)
#define LINGER_MS \
	(5 * 60 * 1000) /* after this time it is read, and deleted again if it still exists */
#define LINGER_DONE_MS (60 * 1000) /* the same after a delete that is reported as done */

static int is_server(const struct lessor_resource *row)
{
	return row->kind == LESSOR_KIND_SERVER;
}

int delete_absence_counts(struct hz *z, const struct lessor_resource *row)
{
	int64_t now = lessor_now(z->call);

	return now - row->changed_ms >= YOUNG_MS || now - row->created_ms >= SETTLED_MS;
}

/* How long ago its delete was accepted. In the step that sent it, `row` is still older. */
static int64_t since_delete(struct hz *z, const struct lessor_resource *row)
{
	int is_now = z->destroyed_row == row->row;

	return lessor_now(z->call) - (is_now ? z->destroyed_ms : row->changed_ms);
}

static int record_gone(struct hz *z, const struct lessor_resource *row, const char *evidence)
{
	if (lessor_gone(z->call, row->row, evidence))
		return lessor_retry(z->call, LESSOR_CLASS_TRANSIENT, ABSENCE_WAIT_MS,
				    "%s reads as gone; waiting for a second observation",
				    row->name);
	return LESSOR_GONE;
}

/*
 * No delete of ours was accepted, so one kind of read is not enough: a resource that a
 * listing shows exists, even if an exact read does not find it.
 */
static int record_vanished(struct hz *z, const struct lessor_resource *row, const char *evidence)
{
	int verdict;
	int shown = lookup_shows(z, row, &verdict);

	if (shown < 0)
		return verdict;
	if (shown == LOOKUP_CORRECTED)
		return lessor_pending(z->call, AT_ONCE, "");
	if (!shown)
		return record_gone(z, row, evidence);
	lessor_still_there(z->call, row->row, "a listing shows it, but an exact read does not");
	return lessor_retry(z->call, LESSOR_CLASS_PROVIDER, 0,
			    "%s (id %s) is listed but cannot be read", row->name, row->id);
}

/* An exact read: did the API itself report that the resource does not exist? */
static int read_is_absent(const struct reply *reply)
{
	return reply->rule && reply->rule->on_get == GET_GONE;
}

static int read_failed(struct hz *z, const struct reply *reply)
{
	return reply->rule->on_get == GET_REFUSED ?
		       api_refuse(z->call, reply, "reading the resource to delete") :
		       api_retry(z->call, reply, "reading the resource to delete");
}

static void delete_subject(struct hz *z, struct poll_subject *ret)
{
	int64_t poll_ms = lessor_option_int(z->call, OPT_POLL);

	/* Nobody works on the machine any more: later than a boot is soon enough. */
	*ret = (struct poll_subject){
		.what = "delete",
		.grain_ms = poll_ms,
		.guess_ms = DELETE_GUESS_POLLS * poll_ms,
		.longest_ms = DELETE_POLL_MOST_MS,
	};
}

static int64_t delete_wait(struct hz *z, int64_t elapsed_ms)
{
	struct poll_subject subject;

	delete_subject(z, &subject);
	return poll_estimate_wait(z->call, &subject, elapsed_ms);
}

/* When the running delete was last polled: input of the estimate, kept in the cursor. */
static int64_t delete_polled_ms(const struct hz *z)
{
	int64_t polled_ms;

	return sscanf(z->lease->cursor, "delete %" SCNd64, &polled_ms) == 1 ? polled_ms : 0;
}

static void learn_delete(struct hz *z, const struct lessor_resource *row)
{
	struct poll_sample sample = { delete_polled_ms(z), since_delete(z, row) };
	struct poll_subject subject;

	delete_subject(z, &subject);
	poll_estimate_learn(z->call, &subject, sample);
}

static int delete_pending(struct hz *z, const struct lessor_resource *row)
{
	int64_t elapsed_ms = since_delete(z, row);
	char cursor[40];

	snprintf(cursor, sizeof(cursor), "delete %" PRId64, elapsed_ms);
	return lessor_pending(z->call, delete_wait(z, elapsed_ms), cursor);
}

/* ---- a delete that was accepted ------------------------------------------------------ */

enum delete_state { DELETE_RUNS, DELETE_DONE, DELETE_FAILED, DELETE_UNTOLD, DELETE_UNREAD };

static enum delete_state delete_state(struct hz *z, const struct lessor_resource *row,
				      struct reply *reply)
{
	char path[64];
	struct action action;

	if (!row->action[0])
		return DELETE_UNTOLD;
	snprintf(path, sizeof(path), "/actions/%s", row->action);
	api_get(z->call, path, 0, reply);
	/* The actions of a deleted resource disappear with it. */
	if (read_is_absent(reply))
		return DELETE_UNTOLD;
	if (reply->rule)
		return DELETE_UNREAD;
	/* An answer about something else says nothing: only an exact read decides. */
	if (parse_action(json_object_get(reply->root, "action"), &action) ||
	    strcmp(action.id, row->action) != 0 || !action_is(&action, "delete_server", row->id))
		return DELETE_UNTOLD;
	return action.status == ACTION_SUCCESS ? DELETE_DONE :
	       action.status == ACTION_ERROR   ? DELETE_FAILED :
						 DELETE_RUNS;
}

static int delete_again(struct hz *z, const struct lessor_resource *row, const char *reason)
{
	lessor_still_there(z->call, row->row, reason);
	return lessor_retry(z->call, LESSOR_CLASS_TRANSIENT, 0, "%s: %s", row->name, reason);
}

/* The action is finished, or there is none: only the absence of the exact id counts. */
static int prove_absence(struct hz *z, const struct lessor_resource *row, int succeeded)
{
	char path[64], evidence[128];
	auto_reply reply = { 0 };

	resource_path(row, path, sizeof(path));
	api_get(z->call, path, 0, &reply);
	if (read_is_absent(&reply)) {
		if (succeeded)
			snprintf(evidence, sizeof(evidence),
				 "delete action %s succeeded and %.20s is not found", row->action,
				 row->id);
		else
			snprintf(evidence, sizeof(evidence),
				 "delete accepted and %.20s is not found", row->id);
		if (is_server(row) && succeeded)
			learn_delete(z, row);
		return record_gone(z, row, evidence);
	}
	if (reply.rule)
		return read_failed(z, &reply);
	if (since_delete(z, row) > (succeeded || !is_server(row) ? LINGER_DONE_MS : LINGER_MS))
		return delete_again(z, row, "still exists long after its delete was accepted");
	return delete_pending(z, row);
}

static int follow_delete(struct hz *z, const struct lessor_resource *row)
{
	auto_reply reply = { 0 };

	switch (delete_state(z, row, &reply)) {
	case DELETE_DONE:
		return prove_absence(z, row, 1);
	case DELETE_UNTOLD:
		return prove_absence(z, row, 0);
	case DELETE_FAILED:
		return delete_again(z, row, "the provider failed to delete it");
	case DELETE_RUNS:
		/* Some actions never finish although the resource is gone. */
		return since_delete(z, row) > LINGER_MS ? prove_absence(z, row, 0) :
							  delete_pending(z, row);
	case DELETE_UNREAD:
		break;
	}
	return read_failed(z, &reply);
}

/* ---- the delete ----------------------------------------------------------------------- */

/*
 * An answer that is not about this resource, or not whole, is no evidence: it is read again, and
 * deleted again if it still exists.
 */
static int delete_unclear(struct hz *z, const struct lessor_resource *row)
{
	lessor_delete_unknown(z->call, row->row,
			      "the response to its delete does not say that it was accepted");
	return api_nonsense(z->call, "deleting");
}

static int delete_accepted(struct hz *z, const struct lessor_resource *row,
			   const struct reply *reply)
{
	struct action action = { .id = "" };

	/* The response to the delete of a key has no body; that of a server names its action. */
	if (is_server(row) ? parse_action(json_object_get(reply->root, "action"), &action) ||
				     !action_is(&action, "delete_server", row->id) :
			     reply->status != 204)
		return delete_unclear(z, row);
	if (lessor_deleting(z->call, row->row, action.id))
		return lessor_retry(z->call, LESSOR_CLASS_TRANSIENT, 0,
				    "an accepted delete could not be recorded");
	/* Keys are deleted immediately; that is verified by a read. */
	if (!is_server(row))
		return prove_absence(z, row, 0);
	return lessor_pending(z->call, delete_wait(z, 0), "");
}

static int delete_found_nothing(struct hz *z, const struct lessor_resource *row)
{
	char path[64];
	auto_reply reply = { 0 };

	resource_path(row, path, sizeof(path));
	api_get(z->call, path, 0, &reply);
	if (read_is_absent(&reply))
		return record_vanished(z, row,
				       "its delete, an exact read and a listing found nothing");
	if (reply.rule)
		return read_failed(z, &reply);
	return lessor_retry(z->call, LESSOR_CLASS_PROVIDER, 0,
			    "%s can be read but the provider does not find it to delete",
			    row->name);
}

static int send_delete(struct hz *z, const struct lessor_resource *row)
{
	char path[64];
	auto_reply reply = { 0 };

	resource_path(row, path, sizeof(path));
	z->destroyed_row = row->row;
	z->destroyed_ms = lessor_now(z->call);
	api_delete(z->call, path, row->row, &reply);
	if (!reply.rule)
		return delete_accepted(z, row, &reply);
	switch (reply.rule->on_delete) {
	case DELETE_GONE:
		return delete_found_nothing(z, row);
	case DELETE_UNKNOWN:
		lessor_delete_unknown(z->call, row->row, "no usable response to its delete");
		return api_retry(z->call, &reply, "deleting");
	case DELETE_REFUSED:
		if (reply.error_class == LESSOR_CLASS_PROTECTED)
			return lessor_refuse(z->call, LESSOR_CLASS_PROTECTED,
					     "%s (id %s) is protected against deletion at the "
					     "provider",
					     row->name, row->id);
		return api_refuse(z->call, &reply, "deleting");
	case DELETE_RETRY:
		break;
	}
	return api_retry(z->call, &reply, "deleting");
}

/* What was read, as passed to the host. */
struct sighting {
	struct server server;
	struct ssh_key key;
	const struct thing *thing;
};

static int parse_sighting(const struct lessor_resource *row, const json_t *root,
			  struct sighting *ret)
{
	if (is_server(row)) {
		ret->thing = &ret->server.thing;
		return parse_server(json_object_get(root, "server"), &ret->server);
	}
	ret->thing = &ret->key.thing;
	return parse_key(json_object_get(root, "ssh_key"), row->kind, &ret->key);
}

static int delete_verified(struct hz *z, const struct lessor_resource *row,
			   const struct sighting *sighting)
{
	struct lessor_observed seen;

	if (is_server(row))
		address_note(z, &sighting->server);
	/* The host decides whether this protection may be removed. */
	if (is_server(row) && sighting->server.is_protected)
		return protection_lift(z, row, &sighting->server);
	/* During its creation a delete would be refused: save the request. */
	if (is_server(row) && sighting->server.locked &&
	    lessor_now(z->call) - row->created_ms < LOCK_MS) {
		lessor_still_there(z->call, row->row, "it is locked at the provider");
		return lessor_pending(z->call, LOCKED_WAIT_MS, "");
	}
	thing_observe(sighting->thing, &seen);
	if (lessor_permit_delete(z->call, row->row, &seen))
		return lessor_refuse(z->call, LESSOR_CLASS_OWNERSHIP,
				     "lessord permits no delete of %s (id %s)", row->name, row->id);
	return send_delete(z, row);
}

/* An exact read. 1: it is shown; 0: it does not exist; -1 with the step's verdict. */
static int delete_read(struct hz *z, const struct lessor_resource *row, struct reply *reply,
		       struct sighting *ret, int *ret_verdict)
{
	char path[64];

	resource_path(row, path, sizeof(path));
	reply_clear(reply);
	api_get(z->call, path, 0, reply);
	if (read_is_absent(reply))
		return 0;
	if (reply->rule)
		*ret_verdict = read_failed(z, reply);
	else if (parse_sighting(row, reply->root, ret) || strcmp(ret->thing->id, row->id) != 0)
		*ret_verdict = api_nonsense(z->call, "reading the resource to delete");
	else
		return 1;
	return -1;
}

static int delete_present(struct hz *z, const struct lessor_resource *row)
{
	auto_reply reply = { 0 };
	struct sighting sighting;
	int verdict, found, is_other;

	found = delete_read(z, row, &reply, &sighting, &verdict);
	is_other = found > 0 && strcmp(sighting.thing->name, row->name) != 0;
	/* Was its create answered with the id of something else? */
	if (is_other) {
		int corrected = lookup_correct(z, row, &verdict);

		if (corrected)
			return corrected < 0 ? verdict : lessor_pending(z->call, AT_ONCE, "");
		found = delete_read(z, row, &reply, &sighting, &verdict);
	}
	if (found == 0)
		return record_vanished(z, row, "an exact read and a listing found nothing");
	return found < 0 ? verdict : delete_verified(z, row, &sighting);
}

int delete_resource(struct hz *z, const struct lessor_resource *row)
{
	if (resource_is_over(row) || !row->ours)
		return LESSOR_GONE;
	if (row->kind != LESSOR_KIND_SERVER && row->kind != LESSOR_KIND_KEY)
		return lessor_refuse(z->call, LESSOR_CLASS_BUG,
				     "%s is of a kind that this provider never creates", row->name);
	switch (row->state) {
	case LESSOR_STATE_RETAINED:
		return lessor_refuse(z->call, LESSOR_CLASS_OWNERSHIP, "%s is retained", row->name);
	case LESSOR_STATE_DELETING:
		return follow_delete(z, row);
	case LESSOR_STATE_PRESENT:
	case LESSOR_STATE_DELETE_UNKNOWN:
	case LESSOR_STATE_UNPROTECT_UNKNOWN:
		break;
	default:
		return lessor_retry(z->call, LESSOR_CLASS_TRANSIENT, 0,
				    "it is not yet known whether %s was created", row->name);
	}
	if (!row->id[0])
		return lessor_refuse(z->call, LESSOR_CLASS_BUG, "%s is present but has no id",
				     row->name);
	/* At most one destructive request per step. */
	return z->destroyed_row ? lessor_pending(z->call, AT_ONCE, "") : delete_present(z, row);
}
