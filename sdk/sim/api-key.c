/* SPDX-License-Identifier: MIT */
/*
 * /ssh_keys.
 */
#include <string.h>

#include "sim/call.h"
#include "sim/out.h"
#include "util/alloc.h"

static void write_one(struct call *call, const struct thing *thing)
{
	key_write(call->cloud, (const struct key *)thing, &call->out);
}

static void reply_key(struct call *call, int status, const struct key *key)
{
	call->response->status = status;
	out_begin(&call->out, '{');
	out_key(&call->out, "ssh_key");
	key_write(call->cloud, key, &call->out);
	out_end(&call->out, '}');
}

void key_list(struct call *call)
{
	reply_list(call, CLOUD_KEY, "ssh_keys", write_one);
}

void key_get(struct call *call)
{
	struct thing *thing = call_need(call, CLOUD_KEY, "SSH key");

	if (thing)
		reply_key(call, 200, (struct key *)thing);
}

/* Faults: another client creates the same name or key first, if it is still free. */
static void key_intrude(struct call *call, const char *name, const char *public_key,
			const char *fingerprint)
{
	static const char other[] = "ssh-ed25519 "
		"AAAAC3NzaC1lZDI1NTE5AAAAIPb3mGqJ8k6Wq0e0pV2dB1uWcYx4zS7tKfHn9LrJ5aQE stranger";
	char stranger[64];

	if (call_has(call, FAULT_NAME_TAKEN) &&
	    !world_find_name(call->cloud, CLOUD_KEY, call->project, name))
		key_new(call->cloud, call->project, name, other, NULL, "human", 0);
	if (call_has(call, FAULT_KEY_TAKEN) &&
	    !key_find_fingerprint(call->cloud, call->project, fingerprint)) {
		snprintf(stranger, sizeof(stranger), "laptop-%llu",
			(unsigned long long)call->number);
		key_new(call->cloud, call->project, stranger, public_key, NULL, "human", 0);
	}
}

void key_create(struct call *call)
{
	const char *name = json_string_value(json_object_get(call->body, "name"));
	const char *public_key = json_string_value(json_object_get(call->body, "public_key"));
	json_t *labels = json_object_get(call->body, "labels");
	struct labels checked;
	char fingerprint[48];
	struct key *key;
	struct err err;

	if (name_complaint(CLOUD_KEY, name)) {
		reply_field(call, "name", name_complaint(CLOUD_KEY, name));
		return;
	}
	if (!public_key || key_fingerprint(public_key, fingerprint)) {
		reply_field(call, "public_key", "invalid SSH public key");
		return;
	}
	if (labels_read(labels, &checked, &err)) {
		reply_field(call, "labels", err.text);
		return;
	}
	labels_fini(&checked);
	key_intrude(call, name, public_key, fingerprint);
	if (world_find_name(call->cloud, CLOUD_KEY, call->project, name)) {
		reply_name_taken(call, CLOUD_KEY);
		return;
	}
	if (key_find_fingerprint(call->cloud, call->project, fingerprint)) {
		reply_error(call, 409, "uniqueness_error",
			"SSH key with the same fingerprint already exists",
			"{\"fields\":[{\"name\":\"public_key\"}]}");
		return;
	}
	if ((int64_t)world_count(call->cloud, CLOUD_KEY, call->project)
	    >= call->cloud->config.max_keys) {
		reply_error(call, 403, "resource_limit_exceeded", "SSH key limit exceeded",
			"{\"limits\":[{\"name\":\"ssh_key_limit\"}]}");
		return;
	}
	call->effect = 1;
	key = key_new(call->cloud, call->project, name, public_key,
		call_has(call, FAULT_LABELS_LOST) ? NULL : labels, call_who(call), call->number);
	thing_hide(&key->base, call->now_ms, &call->plan);
	reply_key(call, 201, key);
}

void key_update(struct call *call)
{
	struct thing *thing = call_need(call, CLOUD_KEY, "SSH key");

	if (thing && !thing_update(call, thing))
		reply_key(call, 200, (struct key *)thing);
}

void key_delete(struct call *call)
{
	struct thing *thing = call_need(call, CLOUD_KEY, "SSH key");

	if (!thing)
		return;
	call->effect = 1;
	call->response->status = 204;
	if (call_has(call, FAULT_DELETE_IGNORED))
		return;
	world_delete(call->cloud, call->now_ms, thing, call_who(call), call->number);
}
