/* SPDX-License-Identifier: MIT */
/* The toy's cloud: collections of objects, listings with filters and pages, and faults. */
#include "toy.h"

#include <stdio.h>
#include <stdlib.h>

#define BASE "https://api.toy.example/v1/"

/* A parsed request. */
struct asked {
	const char *method;
	const char *target; /* after the base's last slash */
	char collection[12];
	char id[32];
	char action[16];	/* the part after the id */
	const char *query;	/* "" if there is none */
	json_t *body;		/* borrowed; NULL: none, or no JSON */
};

/* ---- objects ------------------------------------------------------------------------ */

static uint32_t kind_of(const char *collection)
{
	return strcmp(collection, "servers") == 0 ? LESSOR_KIND_SERVER :
	       strcmp(collection, "keys") == 0	  ? LESSOR_KIND_KEY :
						    LESSOR_KIND_SENTINEL;
}

/* The ids of servers are numbers. */
static json_t *id_json(const char *id)
{
	char *end;
	long number = strtol(id, &end, 10);

	return *end ? json_string(id) : json_integer(number);
}

struct toy_object *toy_put(struct toy *toy, const char *collection, const char *id,
			   const char *name)
{
	struct toy_object *object = &toy->objects[toy->object_count++];
	const char *kind = resource_kind_name(kind_of(collection));

	assert_true(toy->object_count <= TOY_OBJECTS_MAX);
	snprintf(object->collection, sizeof(object->collection), "%s", collection);
	snprintf(object->id, sizeof(object->id), "%s", id);
	object->json = json_pack("{s:o, s:s, s:{s:s, s:s, s:s, s:s, s:s, s:s}, s:{s:b}}",
				 "id", id_json(id), "name", name, "labels",
				 LESSOR_LABEL_INSTANCE, TOY_INSTANCE, LESSOR_LABEL_LEASE, TOY_LEASE,
				 LESSOR_LABEL_ATTEMPT, "1", LESSOR_LABEL_KIND, kind,
				 LESSOR_LABEL_SIG, "signed", "team", "blue", "protection", "delete", 0);
	assert_non_null(object->json);
	return object;
}

static struct toy_object *object_find(struct toy *toy, const char *id)
{
	for (int i = 0; i < toy->object_count; i++) {
		if (strcmp(toy->objects[i].id, id) == 0)
			return &toy->objects[i];
	}
	return NULL;
}

static void object_drop(struct toy *toy, struct toy_object *object)
{
	json_decref(object->json);
	*object = toy->objects[--toy->object_count];
}

void toy_take(struct toy *toy, const char *id)
{
	struct toy_object *object = object_find(toy, id);

	assert_non_null(object);
	object_drop(toy, object);
}

void toy_label(struct toy *toy, const char *id, const char *key, const char *value)
{
	struct toy_object *object = object_find(toy, id);
	json_t *labels;

	assert_non_null(object);
	labels = json_object_get(object->json, "labels");
	if (value)
		json_object_set_new(labels, key, json_string(value));
	else
		json_object_del(labels, key);
}

void toy_protect(struct toy *toy, const char *id, int is_protected)
{
	struct toy_object *object = object_find(toy, id);

	assert_non_null(object);
	json_object_set_new(json_object_get(object->json, "protection"), "delete",
			    json_boolean(is_protected));
}

void toy_cloud_fini(struct toy *toy)
{
	while (toy->object_count > 0)
		object_drop(toy, &toy->objects[0]);
}

/* ---- faults -------------------------------------------------------------------------- */

static struct toy_fault *fault_add(struct toy *toy, const char *method, const char *target)
{
	struct toy_fault *fault = &toy->faults[toy->fault_count++];

	assert_true(toy->fault_count <= TOY_FAULTS_MAX);
	*fault = (struct toy_fault){ .outcome = ENV_HTTP_ANSWERED };
	snprintf(fault->method, sizeof(fault->method), "%s", method);
	snprintf(fault->target, sizeof(fault->target), "%s", target);
	return fault;
}

void toy_answer(struct toy *toy, const char *method, const char *target, int status,
		const char *body)
{
	struct toy_fault *fault = fault_add(toy, method, target);

	fault->status = status;
	fault->body = body ? body : "{}";
}

void toy_lose(struct toy *toy, const char *method, const char *target)
{
	fault_add(toy, method, target)->outcome = ENV_HTTP_LOST;
}

void toy_unsent(struct toy *toy, const char *method, const char *target)
{
	fault_add(toy, method, target)->outcome = ENV_HTTP_NOT_SENT;
}

static const struct toy_fault *fault_of(const struct toy *toy, const struct asked *asked)
{
	for (int i = 0; i < toy->fault_count; i++) {
		const struct toy_fault *fault = &toy->faults[i];
		const char *target = fault->target + 1;
		size_t len = strlen(target);

		if (strcmp(fault->method, asked->method) == 0 &&
		    strncmp(target, asked->target, len) == 0 &&
		    strchr(strchr(target, '?') ? "&" : "?", asked->target[len]))
			return fault;
	}
	return NULL;
}

/* ---- answers ------------------------------------------------------------------------- */

static void answer_json(struct env_http_response *answer, int status, json_t *json)
{
	free(answer->body);
	answer->status = status;
	answer->body = json_dumps(json, JSON_COMPACT);
	answer->body_len = strlen(answer->body);
	json_decref(json);
}

static void answer_none(struct env_http_response *answer)
{
	answer_json(answer, 404, json_pack("{s:{s:s}}", "error", "code", "not_found"));
}

static void answer_object(struct env_http_response *answer, int status,
			  const struct toy_object *object)
{
	char member[12];

	snprintf(member, sizeof(member), "%.*s", (int)strlen(object->collection) - 1,
		 object->collection);
	answer_json(answer, status, json_pack("{s:O}", member, object->json));
}

static void answer_action(struct env_http_response *answer, int status, int id, const char *state)
{
	answer_json(answer, status,
		    json_pack("{s:{s:i, s:s}}", "action", "id", id, "status", state));
}

static void query_value(const char *query, const char *key, char *ret, size_t room)
{
	size_t key_len = strlen(key), len = 0;
	const char *p = query;

	while (*p && !(strncmp(p, key, key_len) == 0 && p[key_len] == '=')) {
		p += strcspn(p, "&");
		p += *p == '&';
	}
	for (p += *p ? key_len + 1 : 0; *p && *p != '&' && len + 1 < room; p++) {
		unsigned value;

		if (*p == '%' && sscanf(p + 1, "%2x", &value) == 1) {
			ret[len++] = (char)value;
			p += 2;
		} else {
			ret[len++] = *p;
		}
	}
	ret[len] = '\0';
}

/* "key==value,key==value" */
static int labels_match(const struct toy_object *object, const char *selector)
{
	const json_t *labels = json_object_get(object->json, "labels");

	while (*selector) {
		size_t key = strcspn(selector, "=");
		size_t value = strcspn(selector + key + 2, ",");
		char name[64];
		const char *have;

		snprintf(name, sizeof(name), "%.*s", (int)key, selector);
		have = json_string_value(json_object_get(labels, name));
		selector += key + 2;
		if (!have || strlen(have) != value || strncmp(have, selector, value) != 0)
			return 0;
		selector += value + (selector[value] == ',');
	}
	return 1;
}

static int is_selected(const struct toy_object *object, const struct asked *asked)
{
	char name[100], selector[300];

	query_value(asked->query, "name", name, sizeof(name));
	query_value(asked->query, "label_selector", selector, sizeof(selector));
	return strcmp(object->collection, asked->collection) == 0 &&
	       (!name[0] || strcmp(json_string_value(json_object_get(object->json, "name")),
				   name) == 0) &&
	       labels_match(object, selector);
}

static void answer_list(struct toy *toy, const struct asked *asked, struct env_http_response *answer)
{
	json_t *list = json_array();
	char text[16];
	int page, first, found = 0;

	query_value(asked->query, "page", text, sizeof(text));
	page = text[0] ? (int)strtol(text, NULL, 10) : 1;
	query_value(asked->query, "per_page", text, sizeof(text));
	int size = text[0] ? (int)strtol(text, NULL, 10) : toy->page_size;
	first = (page > 1 ? page - 1 : 0) * size;
	for (int i = 0; i < toy->object_count; i++) {
		if (!is_selected(&toy->objects[i], asked))
			continue;
		if (found >= first && found < first + size)
			json_array_append(list, toy->objects[i].json);
		found++;
	}
	answer_json(answer, 200, json_pack("{s:o, s:{s:{s:o}}}", asked->collection, list, "meta",
					   "pagination", "next_page", found > first + size ?
					   json_integer(page + 1) : json_null()));
}

/* The object gets the name of the newest intent of its kind. */
static void answer_create(struct toy *toy, const struct asked *asked,
			  struct env_http_response *answer)
{
	char id[32], name[64] = "nameless";

	for (int i = 0; i < toy->row_count; i++) {
		if (toy->rows[i].state == LESSOR_STATE_INTENDED &&
		    toy->rows[i].kind == kind_of(asked->collection))
			snprintf(name, sizeof(name), "%s", toy->rows[i].name);
	}
	snprintf(id, sizeof(id), strcmp(asked->collection, "keys") == 0 ? "k-%d" : "%d",
		 toy->next_id++);
	answer_object(answer, 201, toy_put(toy, asked->collection, id, name));
}

static void answer_change(const struct asked *asked, struct toy_object *object,
			  struct env_http_response *answer)
{
	json_t *labels = json_object_get(asked->body, "labels");
	json_t *is_protected = json_object_get(asked->body, "delete");

	if (labels)
		json_object_set(object->json, "labels", labels);
	if (is_protected)
		json_object_set(json_object_get(object->json, "protection"), "delete", is_protected);
	answer_object(answer, 200, object);
}

static int is_delete(const struct asked *asked)
{
	return strcmp(asked->method, "DELETE") == 0 || strcmp(asked->action, "destroy") == 0 ||
	       strcmp(asked->action, "terminate") == 0;
}

static void cloud_do(struct toy *toy, const struct asked *asked, struct env_http_response *answer)
{
	struct toy_object *object = object_find(toy, asked->id);

	if (!asked->id[0]) {
		if (strcmp(asked->method, "POST") == 0)
			answer_create(toy, asked, answer);
		else
			answer_list(toy, asked, answer);
	} else if (strcmp(asked->collection, "actions") == 0) {
		answer_action(answer, 200, (int)strtol(asked->id, NULL, 10), "success");
	} else if (!object || strcmp(object->collection, asked->collection) != 0) {
		answer_none(answer);
	} else if (is_delete(asked)) {
		object_drop(toy, object);
		answer_action(answer, 200, 7, "running");
	} else if (strcmp(asked->method, "GET") == 0) {
		answer_object(answer, 200, object);
	} else {
		answer_change(asked, object, answer);
	}
}

static void asked_parse(struct asked *asked, const struct env_http_request *request)
{
	*asked = (struct asked){ .method = request->method };
	if (strncmp(request->url, BASE, strlen(BASE)) != 0)
		fail_msg("a request to %s", request->url);
	asked->target = request->url + strlen(BASE);
	sscanf(asked->target, "%11[^/?]/%31[^/?]", asked->collection, asked->id);
	asked->query = strchr(asked->target, '?') ? strchr(asked->target, '?') + 1 : "";
	snprintf(asked->action, sizeof(asked->action), "%s", strrchr(request->url, '/') + 1);
	if (request->body_len)
		asked->body = json_loadb(request->body, request->body_len, 0, NULL);
}

void toy_cloud_answer(struct toy *toy, const struct env_http_request *request,
		      struct env_http_response *answer)
{
	const struct toy_fault *fault;
	struct asked asked;

	asked_parse(&asked, request);
	fault = fault_of(toy, &asked);
	answer->outcome = fault ? fault->outcome : ENV_HTTP_ANSWERED;
	if (fault && fault->body) {
		answer->status = fault->status;
		answer->body = xstrdup(fault->body);
		answer->body_len = strlen(fault->body);
	} else if (answer->outcome != ENV_HTTP_NOT_SENT) {
		cloud_do(toy, &asked, answer);
	}
	if (answer->outcome != ENV_HTTP_ANSWERED)
		snprintf(answer->error, sizeof(answer->error), "cut");
	json_decref(asked.body);
}
