/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "api.h"
#include "candidate.h"
#include "image.h"
#include "key.h"
#include "lookup.h"
#include "readiness.h"

#define USER_DATA_MAX 32768

/* ---- attempts ---------------------------------------------------------------------- */

static int nothing_left(struct hz *z, const struct attempts *attempts)
{
	const struct lessor_attempt *a = attempts_most_telling(attempts);

	if (!a)
		return lessor_refuse(z->call, LESSOR_CLASS_INVALID,
				     "no server type or no location is configured; set types in [class] "
				     "and locations in [account]");
	if (attempts->count == 1)
		return lessor_refuse(z->call, a->refused, "%s in %s: %s", a->type, a->location,
				     a->reason);
	return lessor_refuse(z->call, a->refused, "no machine after %zu attempts; %s in %s: %s",
			     attempts->count, a->type, a->location, a->reason);
}

int server_next_attempt(struct hz *z)
{
	struct attempts attempts;
	struct candidate candidate;

	if (attempts_init(z, &attempts))
		return lessor_retry(z->call, LESSOR_CLASS_BUG, 0, "too many attempts");
	/* Candidates known to fail are recorded and skipped without a request. */
	while (candidate_next(z, &attempts, &candidate) == 0) {
		uint32_t number = (uint32_t)attempts.count + 1;

		if (lessor_attempt_open(z->call, number, candidate.type, candidate.location))
			return lessor_retry(z->call, LESSOR_CLASS_TRANSIENT, 0,
					    "no attempt may be started now");
		if (!candidate.refused)
			return lessor_pending(z->call, AT_ONCE, "");
		if (lessor_attempt_refused(z->call, number, candidate.refused, candidate.reason))
			return lessor_retry(z->call, LESSOR_CLASS_TRANSIENT, 0,
					    "an attempt could not be closed");
		attempts_add(z, &attempts, &candidate);
	}
	return nothing_left(z, &attempts);
}

/* Closes the attempt; the next step tries the next candidate, if any. */
static int attempt_is_refused(struct hz *z, const struct lessor_attempt *attempt,
			      uint32_t error_class, const char *reason)
{
	if (lessor_attempt_refused(z->call, attempt->number, error_class, reason))
		return lessor_retry(z->call, LESSOR_CLASS_TRANSIENT, 0,
				    "an attempt could not be closed");
	return lessor_pending(z->call, AT_ONCE, "");
}

/* ---- responses ---------------------------------------------------------- */

/* The sentence about an image that cannot be ordered; another type does not help. */
static void image_complain(struct hz *z, enum image_state state, char *ret, size_t room)
{
	const struct lessor_lease *lease = z->lease;

	if (state == IMAGE_OTHER_ARCHITECTURE)
		snprintf(ret, room,
			 "the provider has no image '%.64s' for %.10s servers; choose "
			 "another image",
			 lease->image, lease->architecture);
	else
		snprintf(ret, room, "the provider %s image '%.64s'; choose another image",
			 state == IMAGE_MISSING ? "has no" : "does not accept the", lease->image);
}

/*
 * invalid_input: if the type or location is not offered, the next candidate is tried;
 * other fields are the same for all. Often no field is named: then the image is read, and
 * if that is not the reason, a few others are tried.
 */
static int fields_lead_on(struct hz *z, const struct reply *reply, char *ret_reason, size_t room)
{
	const json_t *error = json_object_get(reply->root, "error");
	const json_t *fields = json_object_get(json_object_get(error, "details"), "fields");
	char until[IMAGE_DATE_ROOM];
	enum image_state state;
	size_t i;
	json_t *field;

	json_array_foreach(fields, i, field) {
		const char *name = json_string_value(json_object_get(field, "name"));

		if (!name)
			continue;
		snprintf(ret_reason, room, "the provider does not offer this type here");
		if (strcmp(name, "server_type") == 0 || strcmp(name, "location") == 0)
			return 1;
		if (strcmp(name, "image") == 0)
			image_complain(z, IMAGE_UNKNOWN, ret_reason, room);
		else
			snprintf(ret_reason, room, "the request is invalid");
		return 0;
	}
	state = image_look(z->call, z->lease->image, z->lease->architecture, until);
	if (state == IMAGE_MISSING || state == IMAGE_OTHER_ARCHITECTURE) {
		image_complain(z, state, ret_reason, room);
		return 0;
	}
	snprintf(ret_reason, room, REASON_UNSPECIFIED);
	return 1;
}

/* A limit that applies to every type ends the attempts. */
static int limit_leads_on(const struct reply *reply)
{
	const json_t *error = json_object_get(reply->root, "error");
	const json_t *limits = json_object_get(json_object_get(error, "details"), "limits");
	size_t i;
	json_t *limit;

	json_array_foreach(limits, i, limit) {
		const char *name = json_string_value(json_object_get(limit, "name"));

		if (name && strcmp(name, "dedicated_core_limit") != 0)
			return 0;
	}
	return 1;
}

static void remember_sold_out(struct hz *z, const struct lessor_attempt *attempt,
			      const struct reply *reply)
{
	/* The text is only a hint that affects what is tried in the next minutes. */
	int whole_location = strcmp(reply->message, "server location disabled") == 0;

	soldout_mark(z->call, whole_location ? "*" : attempt->type, attempt->location);
}

/* A definite, permanent refusal. */
static int refused_for_good(struct hz *z, const struct lessor_attempt *attempt,
			    const struct reply *reply)
{
	char field_reason[160];
	const char *reason = "refused by the provider";
	uint32_t error_class = reply->error_class;
	int leads_on = reply->rule->on_create == CREATE_NEXT;

	if (error_class == LESSOR_CLASS_CAPACITY) {
		remember_sold_out(z, attempt, reply);
		reason = "sold out";
	} else if (error_class == LESSOR_CLASS_QUOTA) {
		leads_on = limit_leads_on(reply);
		reason = leads_on ? "a limit of the account has been reached" :
				    "the server limit of the account has been reached";
	} else if (reply->rule->on_create == CREATE_FIELDS) {
		leads_on = fields_lead_on(z, reply, field_reason, sizeof(field_reason));
		reason = field_reason;
	} else if (leads_on) {
		reason = "the provider does not offer this type here";
	}
	if (error_class == LESSOR_CLASS_AUTH)
		return api_refuse(z->call, reply, "creating the server");
	if (leads_on)
		return attempt_is_refused(z, attempt, error_class, reason);
	lessor_attempt_refused(z->call, attempt->number, error_class, reason);
	return lessor_refuse(z->call, error_class, "%s in %s: %s", attempt->type,
			     attempt->location, reason);
}

/*
 * Our name is taken, perhaps by our own lost request. Until its owner is known the row
 * stays open; otherwise an existing server would be in no ledger.
 */
static int name_is_taken(struct hz *z, const struct lessor_attempt *attempt,
			 const struct lessor_intent *intent)
{
	int verdict;

	lessor_unknown(z->call, intent->row, "the name is taken");
	switch (lookup_name(z, LESSOR_KIND_SERVER, intent->name, &verdict)) {
	case NAMED_ADOPTED:
		return lessor_pending(z->call, AT_ONCE, "");
	case NAMED_FOREIGN:
		lessor_not_created(z->call, intent->row,
				   "the name belongs to a server that is "
				   "not ours");
		return attempt_is_refused(z, attempt, LESSOR_CLASS_CONFLICT,
					  "the name belongs to a server that is not ours");
	case NAMED_NONE:
		return lessor_retry(z->call, LESSOR_CLASS_CONFLICT, 0,
				    "the provider reports the server's name as taken but shows "
				    "no such server");
	case NAMED_FAILED:
		break;
	}
	return verdict;
}

void server_join_actions(const json_t *answer, char ret[ACTIONS_ROOM])
{
	const json_t *nexts = json_object_get(answer, "next_actions");
	struct action create, next;
	size_t i;
	json_t *item;
	int has_next = 0;

	json_array_foreach(nexts, i, item) {
		if (parse_action(item, &next) == 0 && strcmp(next.command, "start_server") == 0) {
			has_next = 1;
			break;
		}
	}
	ret[0] = '\0';
	if (parse_action(json_object_get(answer, "action"), &create) == 0)
		snprintf(ret, ACTIONS_ROOM, "%s", create.id);
	if (!has_next)
		return;
	/* If both do not fit, keep the start, which determines readiness. */
	if (ret[0] && strlen(ret) + 1 + strlen(next.id) < ACTIONS_ROOM) {
		strcat(ret, ",");
		strcat(ret, next.id);
	} else {
		snprintf(ret, ACTIONS_ROOM, "%s", next.id);
	}
}

static int server_made(struct hz *z, const struct lessor_attempt *attempt,
		       const struct lessor_intent *intent, const struct reply *reply)
{
	char actions[ACTIONS_ROOM];
	struct server server;
	struct action create;

	/* The id is believed if the action, too, is about it; else it is looked up by name. */
	if (parse_server(json_object_get(reply->root, "server"), &server) ||
	    !thing_is_as_intended(&server.thing, intent) ||
	    parse_action(json_object_get(reply->root, "action"), &create) ||
	    !action_is(&create, "create_server", server.thing.id)) {
		lessor_unknown(z->call, intent->row,
			       "the response does not show the requested server");
		return api_nonsense(z->call, "creating the server");
	}
	server_join_actions(reply->root, actions);
	if (lessor_created(z->call, intent->row, server.thing.id, actions))
		return lessor_retry(z->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the new server could not be recorded");
	address_note(z, &server);
	return lessor_pending(z->call, readiness_wait(z->call, attempt, 0), "");
}

/* ---- the create request --------------------------------------------------------------------- */

static json_t *server_order(const struct lessor_lease *lease, const struct lessor_attempt *attempt,
			    const struct lessor_intent *intent, const char *key_id)
{
	/* Always with a key: without one Hetzner mails a root password to the owner. */
	return json_pack("{s:s, s:s, s:s, s:s, s:[I], s:b, s:s%, s:o, s:{s:b, s:b}}",
			 "name", intent->name, "server_type", attempt->type,
			 "image", lease->image, "location", attempt->location,
			 "ssh_keys", (json_int_t)strtoll(key_id, NULL, 10),
			 "start_after_create", 1,
			 "user_data", lease->user_data, lease->user_data_len,
			 "labels", labels_json(intent->labels, intent->label_count),
			 "public_net", "enable_ipv4", 1, "enable_ipv6", 0);
}

int server_create(struct hz *z, const struct lessor_attempt *attempt, const char *key_id)
{
	struct lessor_intent intent = { .size = sizeof(intent) };
	auto_reply reply = { 0 };

	if (z->lease->user_data_len > USER_DATA_MAX)
		return lessor_refuse(z->call, LESSOR_CLASS_INVALID,
				     "the cloud-init user data has %zu bytes, the provider "
				     "accepts at most %d",
				     z->lease->user_data_len, USER_DATA_MAX);
	if (!z->lease->user_data_len && keys_are_shared(z->call))
		return lessor_refuse(z->call, LESSOR_CLASS_BUG,
				     "there is no cloud-init user data, so nobody could log in");
	if (lessor_intend(z->call, LESSOR_KIND_SERVER, attempt->number, &intent))
		return lessor_retry(z->call, LESSOR_CLASS_TRANSIENT, 0,
				    "no server may be created now");
	api_post(z->call, "/servers", server_order(z->lease, attempt, &intent, key_id), intent.row,
		 &reply);
	if (!reply.rule)
		return server_made(z, attempt, &intent, &reply);
	switch (reply.rule->on_create) {
	case CREATE_UNKNOWN:
		lessor_unknown(z->call, intent.row, "creating the server: no usable response");
		return api_retry(z->call, &reply, "creating the server");
	case CREATE_TAKEN:
		return name_is_taken(z, attempt, &intent);
	case CREATE_WAIT:
		lessor_not_created(z->call, intent.row, "not now");
		return api_retry(z->call, &reply, "creating the server");
	case CREATE_REFUSED:
	case CREATE_NEXT:
	case CREATE_FIELDS:
		break;
	}
	lessor_not_created(z->call, intent.row, "refused by the provider");
	return refused_for_good(z, attempt, &reply);
}
