/* SPDX-License-Identifier: MIT */
#include "api/wish.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/grammar.h"
#include "api/slug.h"
#include "api/sshkey.h"
#include "util/alloc.h"
#include "util/hash.h"

#define PORT_TEXTS_MAX 64

static int wrong(struct input *in, const char *key, const char *allowed)
{
	return input_fail(in, 400, "invalid_field", "%s must be %s", key, allowed);
}

/* ---- who it is ------------------------------------------------------------------------ */

static int read_identity(const struct wish *wish, struct input *in, struct lease *l)
{
	char text[256] = "";
	int named;

	input_text(in, "leaseID", l->id, sizeof(l->id));
	input_text(in, "createAttemptID", l->attempt_token, sizeof(l->attempt_token));
	if (l->attempt_token[0] && wish->put_id)
		return input_fail(in, 400, "create_attempt_not_allowed",
				  "createAttemptID is for POST only");
	if (l->attempt_token[0] && !grammar_is_attempt(l->attempt_token))
		return input_fail(in, 400, "invalid_create_attempt_id",
				  "createAttemptID must be cat_ and 32 lower-case hex digits");
	if (wish->put_id && l->id[0] && strcmp(l->id, wish->put_id))
		return input_fail(in, 400, "lease_id_mismatch",
				  "leaseID must be the id of the path");
	if (wish->put_id)
		snprintf(l->id, sizeof(l->id), "%s", wish->put_id);
	if (!grammar_is_lease_id(l->id) && (l->id[0] || l->attempt_token[0]))
		return input_fail(in, 400, "invalid_lease_id",
				  "leaseID must be cbx_ and 12 lower-case hex digits");

	named = input_text(in, "slug", text, sizeof(text)) && text[0];
	if (!named)
		named = input_text(in, "requestedSlug", text, sizeof(text)) && text[0];
	/* A name like our key objects' would read as another lease. */
	if (named && (slug_normalize(text, l->slug) || !strncmp(l->slug, "cbx-", 4)))
		return input_fail(in, 400, "invalid_slug",
				  "slug must be 1 to %d of [a-z0-9-] and not begin with cbx-",
				  SLUG_MAX);
	return 0;
}

/* The canonical key name says nothing new; any other names something of somebody else's. */
static int read_reserved(const struct wish *wish, struct input *in, const struct lease *l)
{
	static const char prefix[] = "crabbox-cbx-";
	char text[256] = "";
	char host[256] = "";

	input_text(in, "providerKey", text, sizeof(text));
	input_text(in, "hostId", host, sizeof(host));
	if (!host[0])
		input_text(in, "hostID", host, sizeof(host));
	if (in->failed)
		return -1;
	if (!strncmp(text, prefix, sizeof(prefix) - 1)) {
		const char *hex = text + sizeof(prefix) - 1;

		if (strspn(hex, "0123456789abcdef") != 12 || hex[12] ||
		    (l->id[0] && strcmp(hex, l->id + 4)))
			return input_fail(in, 400, "reserved_provider_key",
					  "providerKey names the key of another lease");
		text[0] = '\0';
	}
	if (!text[0] && !host[0])
		return 0;
	if (wish->role != TOKEN_ADMIN)
		return input_fail(in, 403, "admin_required", "%s may not be chosen",
				  text[0] ? "providerKey" : "hostId");
	return input_fail(in, 400, "unsupported_feature", "%s cannot be chosen here",
			  text[0] ? "providerKey" : "hostId");
}

/* ---- which machine ---------------------------------------------------------------------- */

static const struct account *find_account(const struct wish *wish, const char *name)
{
	if (!name[0])
		return wish->account_count ? wish->accounts[0] : NULL;
	for (size_t i = 0; i < wish->account_count; i++) {
		if (!strcmp(wish->accounts[i]->config.name, name))
			return wish->accounts[i];
	}
	return NULL;
}

/* As many of the names as fit into a sentence. */
static void name_add(char *list, size_t room, const char *name)
{
	size_t len = strlen(list);

	if (len + strlen(name) + 3 < room)
		snprintf(list + len, room - len, "%s%s", len ? ", " : "", name);
}

static int read_location(struct input *in, const struct account *account, struct lease *l)
{
	char names[120] = "";

	if (!input_text(in, "location", l->location, sizeof(l->location)) || !l->location[0])
		return in->failed ? -1 : 0;
	for (int i = 0; i < account->config.location_count; i++) {
		if (!strcmp(account->config.locations[i], l->location))
			return 0;
		name_add(names, sizeof(names), account->config.locations[i]);
	}
	l->location[0] = '\0';
	return input_fail(in, 400, "location_not_allowed",
			  "location must be one of those configured here: %s", names);
}

static int read_image(const struct wish *wish, struct input *in, const struct account *account,
		      struct lease *l)
{
	char names[120] = "";

	name_add(names, sizeof(names), account->config.image);
	if (!input_text(in, "image", l->image, sizeof(l->image)) || !l->image[0]) {
		snprintf(l->image, sizeof(l->image), "%s", account->config.image);
		return in->failed ? -1 : 0;
	}
	if (!strcmp(l->image, account->config.image))
		return 0;
	for (int i = 0; i < wish->config->image_count; i++) {
		const struct api_image *image = &wish->config->images[i];

		if (image->account[0] && strcmp(image->account, account->config.name))
			continue;
		if (!strcmp(image->name, l->image))
			return 0;
		if (strcmp(image->name, account->config.image))
			name_add(names, sizeof(names), image->name);
	}
	l->image[0] = '\0';
	return input_fail(in, 400, "image_not_allowed",
			  "image must be one of those configured here: %s", names);
}

static const struct api_class *find_class(const struct wish *wish, const char *name)
{
	for (int i = 0; i < wish->config->class_count; i++) {
		if (!strcmp(wish->config->classes[i].name, name))
			return &wish->config->classes[i];
	}
	return NULL;
}

static void type_add(struct lease *l, const char *type)
{
	for (int i = 0; i < l->type_count; i++) {
		if (!strcmp(l->types[i], type))
			return;
	}
	if (l->type_count < LEASE_TYPES_MAX)
		snprintf(l->types[l->type_count++], sizeof(l->types[0]), "%s", type);
}

/* Contract 3.4: an explicit type alone; else the type that was sent, then the class's. */
static int read_types(const struct wish *wish, struct input *in, struct lease *l)
{
	const struct api_class *class;
	const char *type = l->requested_type;
	int explicit = 0;

	input_text(in, "class", l->class_name, sizeof(l->class_name));
	input_text(in, "serverType", l->requested_type, sizeof(l->requested_type));
	input_bool(in, "serverTypeExplicit", &explicit);
	if (in->failed)
		return -1;
	if (!l->class_name[0])
		snprintf(l->class_name, sizeof(l->class_name), "%s", wish->config->default_class);
	if (!grammar_is_type(l->class_name))
		return wrong(in, "class", "a class of this broker or a server type");
	if (type[0] && !grammar_is_type(type))
		return wrong(in, "serverType", "a server type: [a-z0-9.-], at most 31");
	class = find_class(wish, l->class_name);
	l->type_explicit = explicit && type[0];
	if (l->type_explicit) {
		type_add(l, type);
		return 0;
	}
	if (type[0] && strcmp(type, l->class_name) && !find_class(wish, type))
		type_add(l, type);
	for (int i = 0; class && i < class->type_count; i++)
		type_add(l, class->types[i]);
	if (!class)
		type_add(l, l->class_name);
	return 0;
}

static int read_machine(const struct wish *wish, struct input *in, struct lease *l)
{
	const struct account *account;
	char text[32] = "";
	char names[120] = "";

	input_text(in, "provider", text, sizeof(text));
	account = find_account(wish, text[0] ? text : wish->config->default_account);
	if (!account) {
		for (size_t i = 0; i < wish->account_count; i++)
			name_add(names, sizeof(names), wish->accounts[i]->config.name);
		return input_fail(in, 400, "invalid_provider", "provider must be one of: %s",
				  names);
	}
	snprintf(l->account, sizeof(l->account), "%s", account->config.name);

	text[0] = '\0';
	if (!input_text(in, "target", text, sizeof(text)))
		input_text(in, "targetOS", text, sizeof(text));
	if (text[0] && strcmp(text, "linux"))
		return input_fail(in, 400, "unsupported_target", "target must be linux");
	text[0] = '\0';
	input_text(in, "architecture", text, sizeof(text));
	if (text[0] && strcmp(text, "amd64") && strcmp(text, "x86"))
		return input_fail(in, 400, "unsupported_architecture",
				  "architecture must be amd64");
	snprintf(l->architecture, sizeof(l->architecture), "x86");
	input_text(in, "os", l->os, sizeof(l->os));
	if (l->os[0] && !grammar_is_os(l->os))
		return wrong(in, "os", "like ubuntu:24.04");
	if (read_types(wish, in, l) || read_location(in, account, l))
		return -1;
	return read_image(wish, in, account, l);
}

/* What this broker does not make, so that a machine without it is no surprise. */
static int read_features(struct input *in)
{
	static const char *const features[] = { "desktop", "browser", "code", "tailscale" };
	json_t *object = NULL;

	for (size_t i = 0; i < ARRAY_LEN(features); i++) {
		int wanted = 0;

		input_bool(in, features[i], &wanted);
		if (wanted)
			return input_fail(in, 400, "unsupported_feature",
					  "%s is not offered here", features[i]);
	}
	input_object(in, "capacity", &object);
	if (input_object(in, "imageRequirements", &object))
		return input_fail(in, 400, "unsupported_feature",
				  "imageRequirements are not offered here");
	return in->failed ? -1 : 0;
}

/* ---- how to get in ------------------------------------------------------------------------ */

static int read_ports(struct input *in, struct lease *l)
{
	static const char allowed[] = "1 to 65535, as decimal text";
	char text[16] = "2222";
	json_t *list = NULL;
	json_t *item;
	size_t i;

	input_text(in, "sshPort", text, sizeof(text));
	l->ssh_port = text[0] ? grammar_port(text) : 2222;
	if (!l->ssh_port)
		return wrong(in, "sshPort", allowed);
	input_texts(in, "sshFallbackPorts", PORT_TEXTS_MAX, &list);
	json_array_foreach(list, i, item) {
		int port = grammar_port(json_string_value(item));
		int known = port == l->ssh_port;

		if (!port)
			return wrong(in, "each of sshFallbackPorts", allowed);
		for (int k = 0; k < l->fallback_count; k++)
			known = known || l->fallback_ports[k] == port;
		if (known)
			continue;
		if (l->fallback_count == LEASE_PORTS_MAX)
			return wrong(in, "sshFallbackPorts", "at most 8 different ports");
		l->fallback_ports[l->fallback_count++] = port;
	}
	list = NULL;
	input_texts(in, "exposedPorts", PORT_TEXTS_MAX, &list);
	json_array_foreach(list, i, item) {
		if (!grammar_port(json_string_value(item)))
			return wrong(in, "each of exposedPorts", allowed);
	}
	return in->failed ? -1 : 0;
}

static int read_access(struct input *in, struct lease *l, struct fault *fault)
{
	char key[sizeof(l->public_key)] = "";

	snprintf(l->ssh_user, sizeof(l->ssh_user), "crabbox");
	snprintf(l->work_root, sizeof(l->work_root), "/work/crabbox");
	if (input_text(in, "sshUser", l->ssh_user, sizeof(l->ssh_user)) && !l->ssh_user[0])
		snprintf(l->ssh_user, sizeof(l->ssh_user), "crabbox");
	if (!grammar_is_user(l->ssh_user))
		return wrong(in, "sshUser", "a login name [a-z][a-z0-9_-]* of at most 32 that is "
			     "not one of the system's own");
	if (input_text(in, "workRoot", l->work_root, sizeof(l->work_root)) && !l->work_root[0])
		snprintf(l->work_root, sizeof(l->work_root), "/work/crabbox");
	if (!grammar_is_work_root(l->work_root))
		return wrong(in, "workRoot", "an absolute path of [A-Za-z0-9._-] parts, below no "
			     "system directory");
	if (read_ports(in, l))
		return -1;
	input_text(in, "sshPublicKey", key, sizeof(key));
	if (in->failed)
		return -1;
	if (!key[0])
		return wrong(in, "sshPublicKey", "an OpenSSH public key; it is needed");
	return sshkey_check(key, l->public_key, sizeof(l->public_key), fault);
}

/* ---- how long, and for whom ------------------------------------------------------------- */

/* Seconds to ms: absent and not positive is the preset, too much is cut. Contract 2.2. */
static int64_t read_seconds(struct input *in, const char *key, int64_t preset, int64_t max)
{
	int64_t seconds = 0;

	if (!input_int(in, key, &seconds) || seconds <= 0)
		return preset < max ? preset : max;
	return seconds > max / 1000 ? max : seconds * 1000;
}

static int read_life(const struct wish *wish, struct input *in, struct lease *l)
{
	const struct api_config *config = wish->config;

	l->ttl_ms = read_seconds(in, "ttlSeconds", config->ttl_ms, config->ttl_max_ms);
	l->idle_ms = read_seconds(in, "idleTimeoutSeconds", config->idle_ms, config->idle_max_ms);
	input_bool(in, "keep", &l->keep);
	snprintf(l->profile, sizeof(l->profile), "default");
	if (input_text(in, "profile", l->profile, sizeof(l->profile)) && !l->profile[0])
		snprintf(l->profile, sizeof(l->profile), "default");
	if (!grammar_is_word(l->profile, sizeof(l->profile) - 1))
		return wrong(in, "profile", "at most 47 of [A-Za-z0-9._-]");
	input_text(in, "pond", l->pond, sizeof(l->pond));
	if (l->pond[0] && !grammar_is_group(l->pond))
		return wrong(in, "pond", "at most 41 of [a-z0-9-]");
	return in->failed ? -1 : 0;
}

/*
 * What the client sent, in one order and with one spacing: what is made of it depends on a
 * configuration that may be another one when it asks again.
 */
static void hash_body(const struct input *in, char hash[65])
{
	unsigned char digest[HASH_SHA256_LEN];
	char *text = json_dumps(in->root, JSON_COMPACT | JSON_SORT_KEYS);

	if (!text)
		abort();	/* no memory, as in util/alloc.h */
	hash_sha256(text, strlen(text), digest);
	hash_hex(digest, sizeof(digest), hash);
	free(text);
}

int wish_read(const struct wish *wish, struct input *in, struct lease *ret, char hash[65],
	      struct fault *fault)
{
	hash_body(in, hash);
	if (read_identity(wish, in, ret) || read_reserved(wish, in, ret) || read_features(in) ||
	    read_machine(wish, in, ret) || read_life(wish, in, ret) ||
	    read_access(in, ret, fault))
		return -1;
	return in->failed ? -1 : 0;
}
