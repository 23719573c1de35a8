/* SPDX-License-Identifier: MIT */
/*
 * The settings of a cloud, and scenarios: its initial state as one JSON object.
 */
#include <stddef.h>
#include <string.h>

#include "sim/world.h"
#include "util/alloc.h"

void cloud_config_init(struct cloud_config *config)
{
	*config = (struct cloud_config){
		.create_ms = 10000,
		.off_ms = 500,
		.boot_ms = 6000,
		.lag_ms = 500,
		.delete_ms = 4000,
		.ip_delete_ms = 1000,
		.power_ms = 2000,
		.max_servers = 10000,
		.max_dedicated_cores = 10000,
		.max_primary_ips = 20000,
		.max_keys = 50000,
		.rate_on = 1,
		.rate_per_hour = 3600,
		.lease_label = "lessor-lease",
		.requests_kept = 10000,
		.history_kept = 200000,
	};
}

struct option {
	const char *name;
	size_t offset;
};

static const struct option numbers[] = {
#define N(name) { #name, offsetof(struct cloud_config, name) }
	N(create_ms), N(off_ms), N(boot_ms), N(lag_ms), N(delete_ms), N(ip_delete_ms), N(power_ms),
	N(max_servers), N(max_dedicated_cores), N(max_primary_ips), N(max_keys),
	N(rate_per_hour), N(skew_ms), N(signal_pid),
#undef N
};

static const struct option switches[] = {
#define S(name) { #name, offsetof(struct cloud_config, name) }
	S(rate_on),
	S(readonly_401),
	S(image_field),
	S(lock_until_started),
#undef S
};

int cloud_config_set(struct cloud_config *config, const char *name, int64_t value, struct err *err)
{
	int on = value != 0;

	for (size_t i = 0; i < ARRAY_LEN(switches); i++) {
		if (strcmp(switches[i].name, name))
			continue;
		memcpy((char *)config + switches[i].offset, &on, sizeof(on));
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (strcmp(numbers[i].name, name))
			continue;
		if (value < 0 && strcmp(name, "skew_ms"))
			return err_set(err, ERR_INVALID, "%s cannot be negative", name);
		if (!strcmp(name, "rate_per_hour") && value > 1000000)
			return err_set(err, ERR_INVALID, "rate_per_hour must be at most 1000000");
		memcpy((char *)config + numbers[i].offset, &value, sizeof(value));
		return 0;
	}
	return err_set(err, ERR_INVALID, "unknown setting '%s'", name);
}

int config_change(struct cloud *cloud, const json_t *json, struct err *err)
{
	struct cloud_config config = cloud->config;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)json, name, value) {
		int64_t n = json_is_true(value) ? 1 : json_integer_value(value);

		if (!json_is_integer(value) && !json_is_boolean(value))
			return err_set(err, ERR_INVALID, "%s must be a number", name);
		if (cloud_config_set(&config, name, n, err))
			return -1;
	}
	cloud->config = config;
	return 0;
}

/* Members that are not given stay unchanged. Without token and name: all tokens. */
int config_change_token(struct cloud *cloud, const json_t *json, struct err *err)
{
	const char *value = args_str(json, "token", NULL);
	const char *name = args_str(json, "name", NULL);
	size_t found = 0;

	if (!json_is_object(json))
		return err_set(err, ERR_INVALID, "a token must be an object");
	for (size_t i = 0; i < cloud->token_count; i++) {
		struct token *t = cloud->tokens[i];
		int64_t project = args_int(json, "project", t->project);

		if ((value && strcmp(value, t->value)) || (name && strcmp(name, t->name)))
			continue;
		if (project < 0 || project >= PROJECTS_MAX)
			return err_set(err, ERR_INVALID, "project must be 0 to %d",
				       PROJECTS_MAX - 1);
		t->readonly = args_true(json, "readonly", t->readonly);
		t->revoked = args_true(json, "revoked", t->revoked);
		t->project = (int)project;
		found++;
	}
	if (!found && value)
		cloud_add_token(cloud, value, (int)args_int(json, "project", 0),
			args_true(json, "readonly", 0));
	else if (!found && name)
		return err_set(err, ERR_NOT_FOUND, "no such token: '%s'", name);
	return 0;
}

static int each_item(struct cloud *cloud, const json_t *list,
		     int (*fn)(struct cloud *cloud, const json_t *json, struct err *err),
		     struct err *err)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item) {
		if (fn(cloud, item, err))
			return -1;
	}
	return 0;
}

static int add_object(struct cloud *cloud, const json_t *json, struct err *err)
{
	json_t *order = json_copy((json_t *)json);
	int rc;

	json_object_set_new(order, "verb", json_string("create"));
	rc = human_act(cloud, cloud->now_ms, order, err);
	json_decref(order);
	return rc;
}

static int check_members(const json_t *root, struct err *err)
{
	static const char *const known[] = { "comment", "config", "tokens", "catalogue", "objects",
		"faults" };
	const char *key;
	json_t *value;

	if (!json_is_object(root))
		return err_set(err, ERR_INVALID, "a scenario must be an object");
	json_object_foreach((json_t *)root, key, value) {
		size_t i = 0;

		while (i < ARRAY_LEN(known) && strcmp(known[i], key))
			i++;
		if (i == ARRAY_LEN(known))
			return err_set(err, ERR_INVALID, "unknown member '%s' in a scenario", key);
	}
	return 0;
}

int cloud_load(struct cloud *cloud, int64_t now_ms, const char *text, size_t len, struct err *err)
{
	json_error_t error;
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	const json_t *catalogue = json_object_get(root, "catalogue");
	const json_t *faults = json_object_get(root, "faults");
	int rc;

	if (!root)
		return err_set(err, ERR_INVALID, "scenario, line %d: %s", error.line, error.text);
	cloud_advance(cloud, now_ms);
	rc = check_members(root, err);
	rc = rc ? rc : config_change(cloud, json_object_get(root, "config"), err);
	rc = rc ? rc : each_item(cloud, json_object_get(root, "tokens"), config_change_token, err);
	if (!rc && catalogue)
		rc = catalogue_change(&cloud->catalogue, catalogue, err);
	rc = rc ? rc : each_item(cloud, json_object_get(root, "objects"), add_object, err);
	if (!rc && faults)
		rc = rules_add(cloud->rules, cloud->now_ms, faults, err);
	json_decref(root);
	return rc;
}
