/* SPDX-License-Identifier: MIT */
#include "provider/evidence.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "provider/actions.h"
#include "util/alloc.h"

#define VALUE_MAX 1024

size_t evidence_add(struct operation *op, const struct lessor_action *action, const char *id,
		    const char *target, const struct lessor_http_response *response,
		    int is_coalesced)
{
	struct operation_request *r;

	op->requests = xgrow(op->requests, op->request_count, sizeof(*op->requests));
	r = &op->requests[op->request_count++];
	*r = (struct operation_request){
		.action = *action,
		.target = operation_dup(op, target),
		.outcome = response->outcome,
		.status = (int)response->status,
		.is_coalesced = is_coalesced,
		.body = response->body,
		.body_len = response->body_len,
	};
	snprintf(r->id, sizeof(r->id), "%s", id);
	return op->request_count;
}

void evidence_fini(struct operation *op)
{
	for (size_t i = 0; i < op->request_count; i++) {
		json_decref(op->requests[i].by_id);
		json_decref(op->requests[i].root);
	}
	free(op->requests);
}

/* ---- reading a response ---------------------------------------------------------------- */

static int request_succeeded(const struct operation_request *r)
{
	return r->outcome == LESSOR_HAPPENED && r->status >= 200 && r->status < 300;
}

static const json_t *request_root(struct operation_request *r)
{
	if (!r->is_parsed) {
		r->is_parsed = 1;
		if (r->body && r->body_len)
			r->root = json_loadb(r->body, r->body_len, JSON_REJECT_DUPLICATES, NULL);
	}
	return r->root;
}

/* Resolves a JSON pointer. No escapes: no known member name needs one. */
static const json_t *pointer_get(const json_t *json, const char *pointer)
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

/* The value at a place of the response. */
static const json_t *request_value(struct operation_request *r, const char *pointer)
{
	return pointer_get(request_root(r), pointer);
}

/* An id as text; "" if the value is not an id. */
static void id_copy(const json_t *json, char ret[OPERATION_ID_SIZE])
{
	ret[0] = '\0';
	if (json_is_integer(json))
		snprintf(ret, OPERATION_ID_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
	else if (json_is_string(json) && json_string_length(json) < OPERATION_ID_SIZE)
		snprintf(ret, OPERATION_ID_SIZE, "%s", json_string_value(json));
}

static int object_has_id(const struct lessor_action *action, const json_t *object, const char *id)
{
	char have[OPERATION_ID_SIZE];

	id_copy(pointer_get(object, action->id_at), have);
	return have[0] && strcmp(have, id) == 0;
}

static int object_has_name(const struct lessor_action *action, const json_t *object,
			   const char *name)
{
	const char *have = json_string_value(pointer_get(object, action->name_at));

	return have && strcmp(have, name) == 0;
}

static const char *object_text(struct operation *op, const json_t *object, const char *pointer)
{
	const char *text = json_string_value(pointer_get(object, pointer));

	return operation_dup(op, text ? text : "");
}

/* Copies all that the host checks of an object into the operation's memory. */
static void object_describe(struct operation *op, const struct lessor_action *action,
			    const json_t *object, uint32_t kind, struct lessor_observed *ret)
{
	const json_t *labels = pointer_get(object, action->labels_at);
	const json_t *is_protected = pointer_get(object, action->protected_at);
	struct lessor_label *list = operation_alloc(op, (json_object_size(labels) + 1) *
						    sizeof(*list));
	char id[OPERATION_ID_SIZE];
	const char *key;
	json_t *value;

	id_copy(pointer_get(object, action->id_at), id);
	*ret = (struct lessor_observed){
		.size = sizeof(*ret),
		.kind = kind,
		.id = operation_dup(op, id),
		.name = object_text(op, object, action->name_at),
		.labels = list,
		.protection = json_is_true(is_protected) ? LESSOR_PROTECTION_ON :
			      json_is_false(is_protected) ? LESSOR_PROTECTION_OFF :
							    LESSOR_PROTECTION_UNKNOWN,
	};
	json_object_foreach((json_t *)labels, key, value) {
		list[ret->label_count].key = operation_dup(op, key);
		list[ret->label_count++].value = operation_dup(op, json_is_string(value) ?
							       json_string_value(value) : "");
	}
}

/* ---- exact reads ---------------------------------------------------------------------- */

static size_t row_last_effect(struct operation *op, const struct resource *row)
{
	const struct operation_effect *effect = operation_effect_find(op, row->n);

	return effect ? effect->last : 0;
}

static int request_reads_row(const struct operation_request *r, const struct resource *row)
{
	return r->action.effect == LESSOR_READS && r->action.object_at &&
	       action_is_about(&r->action, row->kind) && row->id[0] &&
	       strcmp(r->id, row->id) == 0 && !r->is_coalesced;
}

int evidence_exact(struct operation *op, const struct resource *row, struct lessor_observed *ret,
		   int *ret_is_last)
{
	size_t since = row_last_effect(op, row);

	*ret_is_last = 0;
	for (size_t i = op->request_count; i > since; i--) {
		struct operation_request *r = &op->requests[i - 1];
		const json_t *object;

		if (!request_reads_row(r, row))
			continue;
		*ret_is_last = i == op->request_count;
		if (r->outcome == LESSOR_HAPPENED && (r->status == 404 || r->status == 410))
			return 0;
		object = request_succeeded(r) ? request_value(r, r->action.object_at) : NULL;
		if (!object || !object_has_id(&r->action, object, row->id))
			return -1;
		object_describe(op, &r->action, object, row->kind, ret);
		return 1;
	}
	return -1;
}

/* ---- listings -------------------------------------------------------------------------- */

static int hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/*
 * The piece of a target that begins at `p`: its path, or "key=value"; pieces with the key
 * `skipped` are left out.
 */
static const char *target_piece(const char *p, const char *skipped, size_t *ret_len)
{
	size_t len = skipped ? strlen(skipped) : 0;

	for (;;) {
		p += *p == '?' || *p == '&';
		*ret_len = strcspn(p, "?&");
		if (!len || strncmp(p, skipped, len) != 0 || p[len] != '=')
			return p;
		p += *ret_len;
	}
}

/* Are two targets equal, apart from the value of that key? */
static int target_is(const char *a, const char *b, const char *but)
{
	size_t a_len, b_len;

	while (*a || *b) {
		a = target_piece(a, but, &a_len);
		b = target_piece(b, but, &b_len);
		if (a_len != b_len || memcmp(a, b, a_len) != 0)
			return 0;
		a += a_len;
		b += b_len;
	}
	return 1;
}

/* The start of a query key's value; NULL: the key is absent. */
static const char *query_find(const char *query, const char *key)
{
	size_t len = strlen(key);

	while (query && *query) {
		if (strncmp(++query, key, len) == 0 && query[len] == '=')
			return query + len + 1;
		query = strchr(query, '&');
	}
	return NULL;
}

/*
 * Decodes the value of a key of the target's query. Returns 1; 0 if the key is absent; -1 if
 * the value is too long or the key occurs twice, since only the provider knows which one
 * counts.
 */
static int query_value(const char *target, const char *key, char ret[VALUE_MAX])
{
	const char *p = query_find(strchr(target, '?'), key);
	size_t len = 0;

	ret[0] = '\0';
	if (!p)
		return 0;
	if (query_find(strchr(p, '&'), key))
		return -1;
	for (; *p && *p != '&' && len < VALUE_MAX - 1; p++) {
		int high = *p == '%' ? hex_value(p[1]) : -1;
		int low = high >= 0 ? hex_value(p[2]) : -1;

		ret[len++] = low >= 0 ? (char)(high << 4 | low) : *p == '+' ? ' ' : *p;
		if (low >= 0)
			p += 2;
	}
	ret[len] = '\0';
	return *p && *p != '&' ? -1 : 1;
}

/* Returns 0 if the value is not a page number. */
static long request_page(const struct operation_request *r)
{
	char value[VALUE_MAX], *end;
	int found = r->action.page ? query_value(r->target, r->action.page, value) : 0;
	long page;

	if (found <= 0)
		return found == 0;
	page = strtol(value, &end, 10);
	return *end == '\0' && page > 0 ? page : 0;
}

enum filter { BY_NAME, BY_LABELS };

/*
 * The lease in the labels of the row's resource: for a resource that was handed over, the
 * lease that created it.
 */
static const char *row_lease(const struct operation *op, const struct resource *row)
{
	return row->signed_lease[0] ? row->signed_lease :
	       op->step->lease.n ? op->step->lease.id : "account";
}

/*
 * Would the listing, as filtered, include the row's resource? A resource whose name or labels
 * were changed appears in only one of the two listings, so each is checked by itself.
 */
static int request_selects(const struct operation *op, const struct operation_request *r,
			   const struct resource *row, enum filter by)
{
	const char *key = by == BY_NAME ? r->action.by_name : r->action.by_labels;
	const char *other = by == BY_NAME ? r->action.by_labels : r->action.by_name;
	char value[VALUE_MAX];

	if (r->action.effect != LESSOR_LISTS || !action_is_about(&r->action, row->kind) ||
	    r->is_coalesced || (other && query_value(r->target, other, value) != 0))
		return 0;
	if (!key)
		return 1;
	if (query_value(r->target, key, value) != 1)
		return 0;
	if (by == BY_NAME)
		return strcmp(value, row->name) == 0;
	return strstr(value, op->step->instance) && strstr(value, row_lease(op, row));
}

enum search_result { SHOWN_NOT, SHOWN, SHOWN_NO_LIST };

static int label_is(const json_t *labels, const char *key, const char *value)
{
	const char *have = json_string_value(json_object_get(labels, key));

	return have && strcmp(have, value) == 0;
}

/* Do the labels identify it as the row's resource, whatever its name? */
static int labels_match(const struct operation *op, const json_t *labels,
			const struct resource *row)
{
	char attempt[16];

	snprintf(attempt, sizeof(attempt), "%u", row->attempt);
	return label_is(labels, LESSOR_LABEL_INSTANCE, op->step->instance) &&
	       label_is(labels, LESSOR_LABEL_LEASE, row_lease(op, row)) &&
	       label_is(labels, LESSOR_LABEL_ATTEMPT, attempt) &&
	       label_is(labels, LESSOR_LABEL_KIND, resource_kind_name(row->kind)) &&
	       json_object_get(labels, LESSOR_LABEL_SIG);
}

/*
 * Could the item be the row's resource? While the id is unknown, any item with its name or its
 * labels could be; with `is_signed`, only one that also bears a signature.
 */
static int item_may_be(const struct operation *op, const struct operation_request *r,
		       const json_t *item, const struct resource *row, int is_signed)
{
	const json_t *labels = pointer_get(item, r->action.labels_at);

	if (row->id[0])
		return object_has_id(&r->action, item, row->id);
	return (object_has_name(&r->action, item, row->name) &&
		(!is_signed || json_object_get(labels, LESSOR_LABEL_SIG))) ||
	       labels_match(op, labels, row);
}

static enum search_result page_search(const struct operation *op, struct operation_request *r,
				      const struct resource *row, int is_signed)
{
	const json_t *list = request_succeeded(r) ? request_value(r, r->action.object_at) : NULL;
	json_t *item;
	size_t i;

	if (!json_is_array(list))
		return SHOWN_NO_LIST;
	json_array_foreach((json_t *)list, i, item) {
		if (item_may_be(op, r, item, row, is_signed))
			return SHOWN;
	}
	return SHOWN_NOT;
}

static int page_is_last(struct operation_request *r)
{
	const json_t *next = request_value(r, r->action.next_at);

	return !next || json_is_null(next) || json_is_false(next) ||
	       (json_is_integer(next) && json_integer_value(next) == 0) ||
	       (json_is_string(next) && json_string_length(next) == 0);
}

/*
 * Searches the pages from the first one requested after `since` to the last. All must have
 * been requested with the same query as the first, since pages of another size leave gaps.
 * Returns the same as evidence_unlisted.
 */
static int listing_search(struct operation *op, const struct resource *row, enum filter by,
			  size_t since, int is_signed)
{
	const char *first = "";
	int complete = 0;
	long want = 1;

	for (size_t i = since; i < op->request_count; i++) {
		struct operation_request *r = &op->requests[i];
		long page = request_page(r);
		enum search_result shown;

		if (!request_selects(op, r, row, by))
			continue;
		shown = page_search(op, r, row, is_signed);
		if (shown == SHOWN)
			return -1;
		if (page == 1) {
			want = 1;
			first = r->target;
		}
		if (shown == SHOWN_NO_LIST || page < 1 || page != want ||
		    !target_is(first, r->target, r->action.page)) {
			want = 0; /* no page continues this listing */
			continue;
		}
		complete |= page_is_last(r);
		want++;
	}
	return complete;
}

int evidence_unlisted(struct operation *op, const struct resource *row)
{
	size_t since = row_last_effect(op, row);
	int by_name = listing_search(op, row, BY_NAME, since, 0);
	int by_labels = listing_search(op, row, BY_LABELS, since, 0);

	return by_name < 0 || by_labels < 0 ? -1 : by_name && by_labels;
}

int evidence_unlisted_name(struct operation *op, const struct resource *row, size_t since)
{
	return listing_search(op, row, BY_NAME, since, 1);
}

/* Indexes the objects of a response by id; of two with the same id the first counts. */
static const json_t *request_objects(struct operation_request *r)
{
	const json_t *object = request_value(r, r->action.object_at);
	char id[OPERATION_ID_SIZE];
	json_t *item;
	size_t i;

	if (r->by_id)
		return r->by_id;
	r->by_id = json_object();
	if (json_is_object(object)) {
		id_copy(pointer_get(object, r->action.id_at), id);
		json_object_set(r->by_id, id, (json_t *)object);
	}
	json_array_foreach((json_t *)object, i, item) {
		id_copy(pointer_get(item, r->action.id_at), id);
		if (!json_object_get(r->by_id, id))
			json_object_set(r->by_id, id, item);
	}
	return r->by_id;
}

int evidence_shown(struct operation *op, uint32_t kind, const char *id, struct lessor_observed *ret)
{
	/* A lease that is observed together with others uses the observer's record. */
	struct operation *record = op->observer ? op->observer : op;

	for (size_t i = record->request_count; id[0] && i > 0; i--) {
		struct operation_request *r = &record->requests[i - 1];
		const json_t *object = request_succeeded(r) && action_is_about(&r->action, kind) ?
				       json_object_get(request_objects(r), id) : NULL;

		if (!object)
			continue;
		object_describe(op, &r->action, object, kind, ret);
		return 1;
	}
	return 0;
}

/* ---- effects ---------------------------------------------------------------------------- */

int evidence_made(struct operation *op, const struct operation_effect *effect, const char *id)
{
	struct operation_request *r = effect->made ? &op->requests[effect->made - 1] : NULL;
	const json_t *object = r && request_succeeded(r) ?
			       request_value(r, r->action.object_at) : NULL;

	return object && object_has_id(&r->action, object, id);
}

/* A 4xx is a refusal, except for those that a proxy may send after forwarding the request. */
static int status_is_refusal(int status)
{
	return status >= 400 && status < 500 && status != 408 && status != 421 && status != 425 &&
	       status != 499;
}

enum effect_outcome evidence_outcome(const struct operation *op, size_t request)
{
	const struct operation_request *r = request ? &op->requests[request - 1] : NULL;

	if (!r || r->outcome == LESSOR_DID_NOT_HAPPEN)
		return EFFECT_NOT_SENT;
	if (request_succeeded(r))
		return EFFECT_ACCEPTED;
	return r->outcome == LESSOR_HAPPENED && status_is_refusal(r->status) ? EFFECT_REFUSED :
									 EFFECT_UNKNOWN;
}

int evidence_action(struct operation *op, const struct resource *row, int *ret_failed)
{
	int found = 0;

	*ret_failed = 0;
	for (size_t i = 0; i < op->request_count && row->action[0]; i++) {
		struct operation_request *r = &op->requests[i];
		const char *status;

		if (r->action.effect != LESSOR_READS || !r->action.status_at || r->is_coalesced ||
		    strcmp(r->id, row->action) != 0 || !request_succeeded(r))
			continue;
		status = json_string_value(request_value(r, r->action.status_at));
		if (!status)
			continue;
		found = 1;
		*ret_failed = r->action.failed && strcmp(status, r->action.failed) == 0;
	}
	return found;
}

int evidence_has_actions(const struct operation *op)
{
	const struct lessor_provider *table = op->account->table;

	for (size_t i = 0; i < table->action_count; i++) {
		struct lessor_action action = action_at(table, i);

		if (action.effect == LESSOR_READS && action.status_at)
			return 1;
	}
	return 0;
}
