/* SPDX-License-Identifier: MIT */
/*
 * Actions of a person at the cloud's console, outside of leases.
 */
#include <string.h>

#include "sim/world.h"
#include "util/alloc.h"

static const char default_key[] = "ssh-ed25519 "
	"AAAAC3NzaC1lZDI1NTE5AAAAIB0m6T2Hq5z1vYp3cXkW8eJrN4uGfSd7aLoQbVtExMy9 human";

static int read_kind(const json_t *order, enum cloud_kind *ret, struct err *err)
{
	const char *name = args_str(order, "kind", "server");

	for (int k = 0; k < CLOUD_KIND_COUNT; k++) {
		if (!strcmp(cloud_kind_name((enum cloud_kind)k), name)) {
			*ret = (enum cloud_kind)k;
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "unknown kind '%s'", name);
}

/* Creates a server that is running immediately. */
static void make_server(struct cloud *cloud, int project, const json_t *order,
	const struct server_order *what)
{
	json_t *timing = json_pack("{s:i,s:i,s:i,s:i}", "create_ms", 0, "off_ms", 0, "boot_ms", 0,
		"lag_ms", 0);
	struct plan plan = { .items = { { FAULT_TIMING, timing } }, .count = 1 };
	struct server *s = server_new(cloud, project, args_str(order, "name", "human"), what,
		&plan, "human", 0);

	thing_protect(cloud, &s->base, args_true(order, "protected", 0), "human", 0);
	plan_fini(&plan);
}

static int create_server(struct cloud *cloud, int project, const json_t *order, struct err *err)
{
	json_t *type = json_object_get(order, "server_type");
	json_t *location = json_object_get(order, "location");
	json_t *cx23 = json_string("cx23"), *debian = json_string("debian-12");
	struct server_order what = { .ipv4 = 1, .ipv6 = 1, .start = 1 };

	what.type = catalogue_find_type(type ? type : cx23);
	what.location = location ? catalogue_find_location(location) : catalogue_location(1);
	what.image = what.type ? catalogue_find_image(&cloud->catalogue, debian, what.type->arch) :
				 NULL;
	what.labels = json_object_get(order, "labels");
	json_decref(cx23);
	json_decref(debian);
	if (!what.type || !what.location || !what.image)
		return err_set(err, ERR_INVALID, "no such server type, location or image");
	make_server(cloud, project, order, &what);
	return 0;
}

static int create_object(struct cloud *cloud, enum cloud_kind kind, const json_t *order,
			 struct err *err)
{
	const char *public_key = args_str(order, "public_key", default_key);
	const char *name = args_str(order, "name", "human");
	int project = (int)args_int(order, "project", 0) & (PROJECTS_MAX - 1);
	struct labels labels;
	char fingerprint[48];

	if (labels_read(json_object_get(order, "labels"), &labels, err))
		return -1;
	labels_fini(&labels);
	if (kind != CLOUD_IP && world_find_name(cloud, kind, project, name))
		return err_set(err, ERR_CONFLICT, "the name '%s' is taken", name);
	switch (kind) {
	case CLOUD_SERVER:
		return create_server(cloud, project, order, err);
	case CLOUD_KEY:
		if (key_fingerprint(public_key, fingerprint))
			return err_set(err, ERR_INVALID, "not a valid public key");
		if (key_find_fingerprint(cloud, project, fingerprint))
			return err_set(err, ERR_CONFLICT, "the key already exists");
		key_new(cloud, project, name, public_key, json_object_get(order, "labels"),
			"human", 0);
		return 0;
	default:
		ip_new(cloud, project, 0, catalogue_location(1), 0, 0, "human", 0);
		return 0;
	}
}

static void delete_object(struct cloud *cloud, struct thing *thing)
{
	if (thing->kind == CLOUD_SERVER)
		server_destroy(cloud, cloud->now_ms, (struct server *)thing, "human", 0);
	else
		world_delete(cloud, cloud->now_ms, thing, "human", 0);
}

/* Deletes it and creates another object with the same name. */
static int recreate_object(struct cloud *cloud, struct thing *thing, const json_t *order,
			   struct err *err)
{
	json_t *again = json_copy((json_t *)order);
	enum cloud_kind kind = thing->kind;
	int rc;

	json_object_set_new(again, "name", json_string(thing->name));
	json_object_set_new(again, "project", json_integer(thing->project));
	delete_object(cloud, thing);
	rc = create_object(cloud, kind, again, err);
	json_decref(again);
	return rc;
}

static int relabel_object(struct cloud *cloud, struct thing *thing, const json_t *order,
			  struct err *err)
{
	struct labels labels;

	if (labels_read(json_object_get(order, "labels"), &labels, err))
		return -1;
	thing_relabel(cloud, thing, &labels, "human", 0);
	return 0;
}

/* Like a person, first disable auto_delete, which excludes protection. */
static void protect_object(struct cloud *cloud, struct thing *thing, int on)
{
	if (on && thing->kind == CLOUD_IP)
		ip_set_auto_delete(cloud, (struct ip *)thing, 0, "human", 0);
	thing_protect(cloud, thing, on, "human", 0);
}

static int power_server(struct cloud *cloud, struct thing *thing, const char *status,
			struct err *err)
{
	if (thing->kind != CLOUD_SERVER)
		return err_set(err, ERR_INVALID, "only servers can be powered on and off");
	server_set_phase(cloud, (struct server *)thing, cloud->now_ms, status);
	return 0;
}

static int act_on(struct cloud *cloud, struct thing *thing, const char *verb, const json_t *order,
	struct err *err)
{
	if (!strcmp(verb, "recreate"))
		return recreate_object(cloud, thing, order, err);
	if (!strcmp(verb, "relabel"))
		return relabel_object(cloud, thing, order, err);
	if (!strcmp(verb, "poweroff") || !strcmp(verb, "poweron"))
		return power_server(cloud, thing, strcmp(verb, "poweron") ? "off" : "running", err);
	if (!strcmp(verb, "delete"))
		delete_object(cloud, thing);
	else if (!strcmp(verb, "rename"))
		thing_rename(cloud, thing, args_str(order, "to", "renamed"), "human", 0);
	else if (!strcmp(verb, "protect") || !strcmp(verb, "unprotect"))
		protect_object(cloud, thing, !strcmp(verb, "protect"));
	else
		return err_set(err, ERR_INVALID, "unknown verb '%s'", verb);
	return 0;
}

int human_act(struct cloud *cloud, int64_t now_ms, const json_t *order, struct err *err)
{
	const char *verb = args_str(order, "verb", "");
	const char *name = args_str(order, "name", NULL);
	int project = (int)args_int(order, "project", 0) & (PROJECTS_MAX - 1);
	enum cloud_kind kind = CLOUD_SERVER;
	struct thing *thing;

	cloud_advance(cloud, now_ms);
	if (read_kind(order, &kind, err))
		return -1;
	if (!strcmp(verb, "create"))
		return create_object(cloud, kind, order, err);
	thing = name ? world_find_name(cloud, kind, project, name)
		: world_find(cloud, kind, project, args_int(order, "id", -1));
	if (!thing)
		return err_set(err, ERR_NOT_FOUND, "no such object");
	return act_on(cloud, thing, verb, order, err);
}
