/* SPDX-License-Identifier: MIT */
#include "allocation.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* Raised by changes that older plugins would misread, not by additions. */
#define FORMAT 1

static const char *const stages[] = {
	[STAGE_TAKEN] = "taken", [STAGE_USED] = "used", [STAGE_READY] = "ready",
};

static const char *text_of(const json_t *root, const char *key)
{
	const char *text = json_string_value(json_object_get(root, key));

	return text ? text : "";
}

static int labels_read(const json_t *root, struct allocation *ret)
{
	json_t *labels = json_object_get(root, "labels"), *value;
	const char *key;

	if (json_object_size(labels) > ALLOCATION_LABELS_MAX)
		return -1;
	json_object_foreach(labels, key, value) {
		if (!json_is_string(value))
			return -1;
		ret->labels[ret->label_count++] =
			(struct lessor_label){ key, json_string_value(value) };
	}
	return 0;
}

static int stage_read(const json_t *root, enum stage *ret)
{
	const char *text = text_of(root, "stage");

	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		if (strcmp(text, stages[i]) == 0) {
			*ret = (enum stage)i;
			return 0;
		}
	}
	return -1;
}

int allocation_read(json_t *root, const char *file, struct allocation *ret)
{
	struct allocation r = { .root = root, .kind = LESSOR_KIND_SERVER };

	snprintf(r.file, sizeof(r.file), "%s", file);
	r.host = text_of(root, "host");
	r.address = text_of(root, "address");
	r.id = text_of(root, "id");
	r.name = text_of(root, "name");
	r.type = text_of(root, "type");
	r.location = text_of(root, "location");
	r.reset = json_object_get(root, "reset");
	r.created_ms = json_integer_value(json_object_get(root, "created_ms"));
	r.port = (int)json_integer_value(json_object_get(root, "port"));
	r.failures = (int)json_integer_value(json_object_get(root, "failures"));
	if (strcmp(text_of(root, "kind"), "mark") == 0)
		r.kind = LESSOR_KIND_SENTINEL;
	if (json_integer_value(json_object_get(root, "format")) != FORMAT || !r.id[0] ||
	    !r.name[0] || labels_read(root, &r) || stage_read(root, &r.stage) ||
	    (r.kind == LESSOR_KIND_SERVER && (!r.host[0] || !r.address[0]))) {
		json_decref(root);
		return -1;
	}
	*ret = r;
	return 0;
}

void allocation_fini(struct allocation *allocation)
{
	json_decref(allocation->root);
	allocation->root = NULL;
}

int allocation_set_stage(struct allocation *allocation, enum stage stage)
{
	allocation->stage = stage;
	return json_object_set_new(allocation->root, "stage", json_string(stages[stage]));
}

int allocation_set_failures(struct allocation *allocation, int failures)
{
	allocation->failures = failures;
	return json_object_set_new(allocation->root, "failures", json_integer(failures));
}

const char *allocation_label(const struct allocation *allocation, const char *key)
{
	for (size_t i = 0; i < allocation->label_count; i++) {
		if (strcmp(allocation->labels[i].key, key) == 0)
			return allocation->labels[i].value;
	}
	return NULL;
}

struct lessor_observed allocation_observed(const struct allocation *allocation)
{
	return (struct lessor_observed){
		.size = sizeof(struct lessor_observed),
		.kind = allocation->kind,
		.id = allocation->id,
		.name = allocation->name,
		.labels = allocation->labels,
		.label_count = allocation->label_count,
		.created_ms = allocation->created_ms,
		.status = stages[allocation->stage],
		.type = allocation->type,
		.address = allocation->address,
	};
}

/* Decimal, since clients expect a number, and small enough for a double. */
static int id_make(char ret[ALLOCATION_ID_ROOM])
{
	const uint64_t half = UINT64_C(1) << 52;
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		return -1;
	snprintf(ret, ALLOCATION_ID_ROOM, "%" PRIu64, half | (number & (half - 1)));
	return 0;
}

static json_t *labels_make(const struct lessor_intent *intent)
{
	json_t *labels = json_object();

	for (size_t i = 0; labels && i < intent->label_count; i++)
		json_object_set_new(labels, intent->labels[i].key,
				    json_string(intent->labels[i].value));
	return labels;
}

json_t *allocation_make(const struct allocation_new *from)
{
	char id[ALLOCATION_ID_ROOM];
	json_t *root;

	if (id_make(id) || from->intent->label_count > ALLOCATION_LABELS_MAX) {
		json_decref(from->reset);
		return NULL;
	}
	/* "s*" and "o*" omit NULL values. */
	root = json_pack("{s:i, s:s, s:s, s:s, s:o, s:s, s:I, s:i, s:s*, s:s*, s:s*, s:s*, s:i, s:o*}",
			 "format", FORMAT, "kind",
			 from->kind == LESSOR_KIND_SENTINEL ? "mark" : "server", "id", id, "name",
			 from->intent->name, "labels", labels_make(from->intent), "stage",
			 stages[STAGE_TAKEN], "created_ms", (json_int_t)from->now_ms, "failures", 0,
			 "host", from->host, "address", from->address, "type", from->type,
			 "location", from->location, "port", from->port, "reset", from->reset);
	if (root && json_object_size(json_object_get(root, "labels")) == from->intent->label_count)
		return root;
	json_decref(root);
	return NULL;
}
