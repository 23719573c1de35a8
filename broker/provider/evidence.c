/* SPDX-License-Identifier: MIT */
#include "provider/evidence.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "provider/actions.h"
#include "util/alloc.h"

#define PAGES_MAX 1000
#define VALUE_MAX 1024

size_t evidence_add(struct call *call, const struct lessor_action *action, const char *id,
		    const char *target, const struct lessor_http_response *response, int is_shared)
{
	struct call_request *r;

	call->requests = call_grow(call->requests, call->request_count, sizeof(*call->requests));
	r = &call->requests[call->request_count++];
	*r = (struct call_request){
		.action = *action,
		.target = call_dup(call, target),
		.outcome = response->outcome,
		.status = (int)response->status,
		.is_shared = is_shared,
		.body = response->body,
		.body_len = response->body_len,
	};
	snprintf(r->id, sizeof(r->id), "%s", id);
	return call->request_count;
}

void evidence_fini(struct call *call)
{
	for (size_t i = 0; i < call->request_count; i++)
		json_decref(call->requests[i].root);
	free(call->requests);
}

/* ---- reading an answer ---------------------------------------------------------------- */

static int is_success(const struct call_request *r)
{
	return r->outcome == LESSOR_HAPPENED && r->status >= 200 && r->status < 300;
}

static const json_t *root_of(struct call_request *r)
{
	if (!r->is_parsed) {
		r->is_parsed = 1;
		if (r->body && r->body_len)
			r->root = json_loadb(r->body, r->body_len, JSON_REJECT_DUPLICATES, NULL);
	}
	return r->root;
}

/* A JSON pointer without escapes, which no member that we know has. */
static const json_t *at(const json_t *json, const char *pointer)
{
	char word[128];

	while (json && pointer && *pointer == '/') {
		size_t len = strcspn(++pointer, "/");

		if (len >= sizeof(word))
			return NULL;
		memcpy(word, pointer, len);
		word[len] = '\0';
		json = json_is_array(json) ? json_array_get(json, strtoul(word, NULL, 10)) :
					     json_object_get(json, word);
		pointer += len;
	}
	return pointer && *pointer == '\0' ? json : NULL;
}

/* An id as text; "" if it is none. */
static void id_text(const json_t *json, char ret[CALL_ID_ROOM])
{
	ret[0] = '\0';
	if (json_is_integer(json))
		snprintf(ret, CALL_ID_ROOM, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
	else if (json_is_string(json) && json_string_length(json) < CALL_ID_ROOM)
		snprintf(ret, CALL_ID_ROOM, "%s", json_string_value(json));
}

static int id_is(const struct lessor_action *action, const json_t *object, const char *id)
{
	char have[CALL_ID_ROOM];

	id_text(at(object, action->id_at), have);
	return have[0] && strcmp(have, id) == 0;
}

static int name_is(const struct lessor_action *action, const json_t *object, const char *name)
{
	const char *have = json_string_value(at(object, action->name_at));

	return have && strcmp(have, name) == 0;
}

static const char *text_at(struct call *call, const json_t *object, const char *pointer)
{
	const char *text = json_string_value(at(object, pointer));

	return call_dup(call, text ? text : "");
}

/* Everything that the host judges of an object, in the call's own memory. */
static void observe(struct call *call, const struct lessor_action *action, const json_t *object,
		    uint32_t kind, struct lessor_observed *ret)
{
	const json_t *labels = at(object, action->labels_at);
	const json_t *is_protected = at(object, action->protected_at);
	struct lessor_label *list = call_alloc(call, (json_object_size(labels) + 1) * sizeof(*list));
	char id[CALL_ID_ROOM];
	const char *key;
	json_t *value;

	id_text(at(object, action->id_at), id);
	*ret = (struct lessor_observed){
		.size = sizeof(*ret),
		.kind = kind,
		.id = call_dup(call, id),
		.name = text_at(call, object, action->name_at),
		.labels = list,
		.protection = json_is_true(is_protected) ? LESSOR_PROTECTION_ON :
			      json_is_false(is_protected) ? LESSOR_PROTECTION_OFF :
							    LESSOR_PROTECTION_UNKNOWN,
	};
	json_object_foreach((json_t *)labels, key, value) {
		list[ret->label_count].key = call_dup(call, key);
		list[ret->label_count++].value = call_dup(call, json_is_string(value) ?
							  json_string_value(value) : "");
	}
}

/* ---- exact reads ---------------------------------------------------------------------- */

static size_t last_effect(struct call *call, const struct resource *row)
{
	const struct call_effect *effect = call_effect_find(call, row->n);

	return effect ? effect->last : 0;
}

static int reads_exactly(const struct call_request *r, const struct resource *row)
{
	return r->action.effect == LESSOR_READS && r->action.object_at &&
	       action_is_about(&r->action, row->kind) && row->id[0] && strcmp(r->id, row->id) == 0 &&
	       !r->is_shared;
}

int evidence_exact(struct call *call, const struct resource *row, struct lessor_observed *ret,
		   int *ret_is_last)
{
	size_t since = last_effect(call, row);

	*ret_is_last = 0;
	for (size_t i = call->request_count; i > since; i--) {
		struct call_request *r = &call->requests[i - 1];
		const json_t *object;

		if (!reads_exactly(r, row))
			continue;
		*ret_is_last = i == call->request_count;
		if (r->outcome == LESSOR_HAPPENED && (r->status == 404 || r->status == 410))
			return 0;
		object = is_success(r) ? at(root_of(r), r->action.object_at) : NULL;
		if (!object || !id_is(&r->action, object, row->id))
			return -1;
		observe(call, &r->action, object, row->kind, ret);
		return 1;
	}
	return -1;
}

/* ---- listings -------------------------------------------------------------------------- */

static int hex_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The value of a key of the target's query, decoded. -1: it has none, or it is too long. */
static int query_value(const char *target, const char *key, char ret[VALUE_MAX])
{
	const char *p = strchr(target, '?');
	size_t key_len = strlen(key), len = 0;

	while (p && *p) {
		if (strncmp(++p, key, key_len) == 0 && p[key_len] == '=')
			break;
		p = strchr(p, '&');
	}
	if (!p || !*p)
		return -1;
	for (p += key_len + 1; *p && *p != '&' && len < VALUE_MAX - 1; p++) {
		int high = *p == '%' ? hex_of(p[1]) : -1;
		int low = high >= 0 ? hex_of(p[2]) : -1;

		ret[len++] = low >= 0 ? (char)(high << 4 | low) : *p == '+' ? ' ' : *p;
		if (low >= 0)
			p += 2;
	}
	ret[len] = '\0';
	return *p && *p != '&' ? -1 : 0;
}

static long page_of(const struct call_request *r)
{
	char value[VALUE_MAX];

	if (!r->action.page || query_value(r->target, r->action.page, value))
		return 1;
	return strtol(value, NULL, 10);
}

enum filter { BY_NAME, BY_LABELS };

/* Does the listing select what the row's resource would be among? */
static int selects(const struct call *call, const struct call_request *r,
		   const struct resource *row, enum filter by)
{
	const char *lease = call->step->lease.n ? call->step->lease.id : "account";
	char value[VALUE_MAX];

	if (r->action.effect != LESSOR_LISTS || !action_is_about(&r->action, row->kind) ||
	    r->is_shared)
		return 0;
	if (by == BY_NAME)
		return !r->action.by_name ||
		       (query_value(r->target, r->action.by_name, value) == 0 &&
			strcmp(value, row->name) == 0);
	/* What another lease handed over bears that lease's labels. */
	if (row->signed_lease[0])
		lease = row->signed_lease;
	return !r->action.by_labels ||
	       (query_value(r->target, r->action.by_labels, value) == 0 &&
		strstr(value, call->step->instance) && strstr(value, lease));
}

enum shown { SHOWN_NOT, SHOWN, SHOWN_NO_LIST };

/*
 * Is the row's resource on this page? While its id is not known, whatever has its name may be
 * it; `is_signed`: only what bears a signature, too.
 */
static enum shown on_page(struct call_request *r, const struct resource *row, int is_signed)
{
	const json_t *list = is_success(r) ? at(root_of(r), r->action.object_at) : NULL;
	json_t *item;
	size_t i;

	if (!json_is_array(list))
		return SHOWN_NO_LIST;
	json_array_foreach((json_t *)list, i, item) {
		if (row->id[0] ? id_is(&r->action, item, row->id) :
		    name_is(&r->action, item, row->name) &&
		    (!is_signed || json_object_get(at(item, r->action.labels_at), LESSOR_LABEL_SIG)))
			return SHOWN;
	}
	return SHOWN_NOT;
}

static int is_last_page(struct call_request *r)
{
	const json_t *next = at(root_of(r), r->action.next_at);

	return !next || json_is_null(next) || json_is_false(next) ||
	       (json_is_integer(next) && json_integer_value(next) == 0) ||
	       (json_is_string(next) && json_string_length(next) == 0);
}

/* From the first page that was asked for after `since` to the last one. As evidence_unlisted. */
static int walk(struct call *call, const struct resource *row, enum filter by, size_t since,
		int is_signed)
{
	int complete = 0;
	long want = 1;

	for (size_t i = since; i < call->request_count; i++) {
		struct call_request *r = &call->requests[i];
		enum shown shown;

		if (!selects(call, r, row, by))
			continue;
		shown = on_page(r, row, is_signed);
		if (shown == SHOWN)
			return -1;
		if (page_of(r) == 1)
			want = 1;
		if (shown == SHOWN_NO_LIST || page_of(r) != want) {
			want = 0;	/* nothing continues it */
			continue;
		}
		complete |= is_last_page(r);
		want++;
	}
	return complete;
}

int evidence_unlisted(struct call *call, const struct resource *row)
{
	size_t since = last_effect(call, row);
	int by_name = walk(call, row, BY_NAME, since, 0);
	int by_labels = walk(call, row, BY_LABELS, since, 0);

	return by_name < 0 || by_labels < 0 ? -1 : by_name && by_labels;
}

int evidence_unlisted_name(struct call *call, const struct resource *row, size_t since)
{
	return walk(call, row, BY_NAME, since, 1);
}

int evidence_shown(struct call *call, uint32_t kind, const char *id, struct lessor_observed *ret)
{
	for (size_t i = call->request_count; i > 0; i--) {
		struct call_request *r = &call->requests[i - 1];
		const json_t *object = is_success(r) && action_is_about(&r->action, kind) ?
				       at(root_of(r), r->action.object_at) : NULL;
		json_t *item;
		size_t k;

		if (json_is_object(object) && id_is(&r->action, object, id)) {
			observe(call, &r->action, object, kind, ret);
			return 1;
		}
		json_array_foreach((json_t *)object, k, item) {
			if (!id_is(&r->action, item, id))
				continue;
			observe(call, &r->action, item, kind, ret);
			return 1;
		}
	}
	return 0;
}

/* ---- effects ---------------------------------------------------------------------------- */

int evidence_made(struct call *call, const struct call_effect *effect, const char *id)
{
	struct call_request *r = effect->made ? &call->requests[effect->made - 1] : NULL;
	const json_t *object = r && is_success(r) ? at(root_of(r), r->action.object_at) : NULL;

	return object && id_is(&r->action, object, id);
}

/* A 4xx says no, but for those that something on the way may say of what it has passed on. */
static int is_refusal(int status)
{
	return status >= 400 && status < 500 && status != 408 && status != 421 && status != 425 &&
	       status != 499;
}

enum effect_outcome evidence_outcome(const struct call *call, size_t request)
{
	const struct call_request *r = request ? &call->requests[request - 1] : NULL;

	if (!r || r->outcome == LESSOR_DID_NOT_HAPPEN)
		return EFFECT_NOT_SENT;
	if (is_success(r))
		return EFFECT_ACCEPTED;
	return r->outcome == LESSOR_HAPPENED && is_refusal(r->status) ? EFFECT_REFUSED :
									 EFFECT_UNKNOWN;
}

int evidence_action(struct call *call, const struct resource *row, int *ret_failed)
{
	int found = 0;

	*ret_failed = 0;
	for (size_t i = 0; i < call->request_count && row->action[0]; i++) {
		struct call_request *r = &call->requests[i];
		const char *status;

		if (r->action.effect != LESSOR_READS || !r->action.status_at || r->is_shared ||
		    strcmp(r->id, row->action) != 0 || !is_success(r))
			continue;
		status = json_string_value(at(root_of(r), r->action.status_at));
		if (!status)
			continue;
		found = 1;
		*ret_failed = r->action.failed && strcmp(status, r->action.failed) == 0;
	}
	return found;
}

int evidence_has_actions(const struct call *call)
{
	const struct lessor_provider *table = call->account->table;

	for (size_t i = 0; i < table->action_count; i++) {
		struct lessor_action action = action_at(table, i);

		if (action.effect == LESSOR_READS && action.status_at)
			return 1;
	}
	return 0;
}
