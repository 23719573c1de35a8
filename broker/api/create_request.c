/* SPDX-License-Identifier: MIT */
#include "api/create_request.h"
#include "api/contract_classes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/slug.h"
#include "api/sshkey.h"
#include "api/org_policy.h"
#include "api/validate.h"
#include "util/alloc.h"
#include "util/hash.h"
#include "util/text.h"

#define PORT_TEXTS_MAX 64

/* ---- the body ---------------------------------------------------------------------------- */

struct create_body {
	char id[24];
	char attempt_token[48];
	char slug[256];
	char provider_key[256];
	char host[256];
	json_t *image_requirements, *capacity;
	int desktop, browser, code, tailscale;
	char account[32];
	int target, architecture;
	char os[24];
	char class_name[32];
	char server_type[32];
	int type_explicit;
	char location[32];
	char image[64];
	int location_explicit, image_explicit;
	int64_t ttl_seconds, idle_seconds, wait_seconds;
	int keep;
	char profile[48];
	char pond[48];
	char ssh_user[33];
	char work_root[128];
	char ssh_port[16];
	json_t *fallback_ports, *exposed_ports;
	char public_key[2048];
};

/* A slug like the name of a key object would look like another lease. */
static int is_slug(const char *text)
{
	char slug[48];

	return slug_normalize(text, slug) == 0 && strncmp(slug, "cbx-", 4) != 0;
}

static int is_profile(const char *text)
{
	return validate_word(text, sizeof(((struct lease *)NULL)->profile) - 1);
}

/* Whether there is such a class is decided later, with a list of those that there are. */
static int is_class(const char *text)
{
	return validate_word(text, sizeof(((struct lease *)NULL)->class_name) - 1);
}

static int is_port(const char *text)
{
	return validate_port(text) != 0;
}

#define PORT "a port from 1 to 65535, as decimal text"
#define NOT_OFFERED "false: it is not supported"

static const char *const targets[] = { "linux", NULL };
static const char *const architectures[] = { "amd64", "x86", NULL };

/* clang-format off */
static const struct body_field create_fields[] = {
	{ .name = "leaseID", .type = FIELD_TEXT, .flags = FIELD_EMPTY, FIELD_AT(create_body, id),
	  .expected = "cbx_ and 12 lower-case hex digits", .code = "invalid_lease_id",
	  .pattern = "^cbx_[0-9a-f]{12}$", .check = validate_lease_id },
	{ .name = "createAttemptID", .type = FIELD_TEXT, .flags = FIELD_EMPTY,
	  FIELD_AT(create_body, attempt_token), .expected = "cat_ and 32 lower-case hex digits",
	  .code = "invalid_create_attempt_id", .pattern = "^cat_[0-9a-f]{32}$",
	  .check = validate_attempt },
	{ .name = "slug", .type = FIELD_TEXT, .flags = FIELD_EMPTY, FIELD_AT(create_body, slug),
	  .expected = "1 to 41 of [a-z0-9-], and must not begin with cbx-", .code = "invalid_slug",
	  .check = is_slug },
	{ .name = "requestedSlug", .type = FIELD_TEXT, .flags = FIELD_EMPTY | FIELD_FALLBACK,
	  FIELD_AT(create_body, slug),
	  .expected = "1 to 41 of [a-z0-9-], and must not begin with cbx-", .code = "invalid_slug",
	  .check = is_slug },
	{ .name = "providerKey", .type = FIELD_TEXT, .flags = FIELD_EMPTY,
	  FIELD_AT(create_body, provider_key),
	  .expected = "empty, or the name of this lease's own key" },
	{ .name = "hostId", .type = FIELD_TEXT, .flags = FIELD_EMPTY, FIELD_AT(create_body, host),
	  .expected = "empty" },
	{ .name = "hostID", .type = FIELD_TEXT, .flags = FIELD_EMPTY | FIELD_FALLBACK,
	  FIELD_AT(create_body, host), .expected = "empty" },
	{ .name = "desktop", .type = FIELD_BOOL, .flags = FIELD_ONLY_FALSE,
	  FIELD_TO(create_body, desktop), .expected = NOT_OFFERED, .code = "unsupported_feature" },
	{ .name = "browser", .type = FIELD_BOOL, .flags = FIELD_ONLY_FALSE,
	  FIELD_TO(create_body, browser), .expected = NOT_OFFERED, .code = "unsupported_feature" },
	{ .name = "code", .type = FIELD_BOOL, .flags = FIELD_ONLY_FALSE,
	  FIELD_TO(create_body, code), .expected = NOT_OFFERED, .code = "unsupported_feature" },
	{ .name = "tailscale", .type = FIELD_BOOL, .flags = FIELD_ONLY_FALSE,
	  FIELD_TO(create_body, tailscale), .expected = NOT_OFFERED,
	  .code = "unsupported_feature" },
	{ .name = "capacity", .type = FIELD_OBJECT, FIELD_TO(create_body, capacity) },
	{ .name = "imageRequirements", .type = FIELD_OBJECT,
	  FIELD_TO(create_body, image_requirements), .expected = "absent: it is not supported" },
	{ .name = "provider", .type = FIELD_TEXT, .flags = FIELD_EMPTY,
	  FIELD_AT(create_body, account), .expected = "the name of a configured account" },
	{ .name = "target", .type = FIELD_CHOICE, .flags = FIELD_EMPTY,
	  FIELD_TO(create_body, target), .expected = "linux", .code = "unsupported_target",
	  .choices = targets },
	{ .name = "targetOS", .type = FIELD_CHOICE, .flags = FIELD_EMPTY | FIELD_FALLBACK,
	  FIELD_TO(create_body, target), .expected = "linux", .code = "unsupported_target",
	  .choices = targets },
	{ .name = "architecture", .type = FIELD_CHOICE, .flags = FIELD_EMPTY,
	  FIELD_TO(create_body, architecture), .expected = "amd64",
	  .code = "unsupported_architecture", .choices = architectures },
	{ .name = "os", .type = FIELD_TEXT, .flags = FIELD_EMPTY, FIELD_AT(create_body, os),
	  .expected = "a system, as in ubuntu:24.04", .check = validate_os },
	{ .name = "class", .type = FIELD_TEXT, .flags = FIELD_EMPTY,
	  FIELD_AT(create_body, class_name), .expected = "a class of this broker or a server type",
	  .check = is_class },
	{ .name = "serverType", .type = FIELD_TEXT, .flags = FIELD_EMPTY,
	  FIELD_AT(create_body, server_type),
	  .expected = "a server type: at most 31 of [a-z0-9.-]", .check = validate_type },
	{ .name = "serverTypeExplicit", .type = FIELD_BOOL, FIELD_TO(create_body, type_explicit) },
	{ .name = "location", .type = FIELD_TEXT, .flags = FIELD_EMPTY,
	  FIELD_AT(create_body, location), .expected = "a location of the account" },
	{ .name = "image", .type = FIELD_TEXT, .flags = FIELD_EMPTY, FIELD_AT(create_body, image),
	  .expected = "an image of the account" },
	{ .name = "locationExplicit", .type = FIELD_BOOL,
	  FIELD_TO(create_body, location_explicit) },
	{ .name = "imageExplicit", .type = FIELD_BOOL, FIELD_TO(create_body, image_explicit) },
	{ .name = "ttlSeconds", .type = FIELD_INT, FIELD_TO(create_body, ttl_seconds) },
	{ .name = "idleTimeoutSeconds", .type = FIELD_INT, FIELD_TO(create_body, idle_seconds) },
	{ .name = "waitForCapacity", .type = FIELD_INT, FIELD_TO(create_body, wait_seconds),
	  .low = 0, .high = 86400, .expected = "seconds from 0 to 86400: how long to wait for capacity" },
	{ .name = "keep", .type = FIELD_BOOL, FIELD_TO(create_body, keep) },
	{ .name = "profile", .type = FIELD_TEXT, .flags = FIELD_EMPTY,
	  FIELD_AT(create_body, profile), .expected = "at most 47 of [A-Za-z0-9._-]",
	  .check = is_profile },
	{ .name = "pond", .type = FIELD_TEXT, .flags = FIELD_EMPTY, FIELD_AT(create_body, pond),
	  .expected = "at most 41 of [a-z0-9-]", .check = validate_group },
	{ .name = "sshUser", .type = FIELD_TEXT, .flags = FIELD_EMPTY,
	  FIELD_AT(create_body, ssh_user),
	  .expected = "a login name [a-z][a-z0-9_-]* of at most 32 that the system does not use itself",
	  .check = validate_user },
	{ .name = "workRoot", .type = FIELD_TEXT, .flags = FIELD_EMPTY,
	  FIELD_AT(create_body, work_root),
	  .expected = "an absolute path of [A-Za-z0-9._-] parts that is not in a system directory",
	  .check = validate_work_root },
	{ .name = "sshPort", .type = FIELD_TEXT, .flags = FIELD_EMPTY,
	  FIELD_AT(create_body, ssh_port), .expected = PORT, .check = is_port },
	{ .name = "sshFallbackPorts", .type = FIELD_STRINGS, .flags = FIELD_NULL,
	  .at = offsetof(struct create_body, fallback_ports), .size = PORT_TEXTS_MAX,
	  .expected = PORT, .check = is_port },
	{ .name = "exposedPorts", .type = FIELD_STRINGS, .flags = FIELD_NULL,
	  .at = offsetof(struct create_body, exposed_ports), .size = PORT_TEXTS_MAX,
	  .expected = PORT, .check = is_port },
	{ .name = "sshPublicKey", .type = FIELD_TEXT, .flags = FIELD_EMPTY | FIELD_REQUIRED,
	  FIELD_AT(create_body, public_key), .expected = "an OpenSSH public key" },
};
/* clang-format on */

const struct body_table body_create = BODY_TABLE("Create", NULL, create_fields);

/* ---- which lease it is ------------------------------------------------------------------- */

/* The path of a PUT names the lease, and a PUT has no attempt. */
static int check_put(const struct create_request *create, struct json_body *in)
{
	const char *id = json_string_value(json_object_get(in->root, "leaseID"));
	const char *attempt = json_string_value(json_object_get(in->root, "createAttemptID"));

	if (create->put_id && attempt && attempt[0])
		return json_body_fail(in, 400, "create_attempt_not_allowed",
				      "createAttemptID is for POST only");
	if (create->put_id && id && id[0] && strcmp(id, create->put_id))
		return json_body_fail(in, 400, "lease_id_mismatch",
				      "leaseID must be the id of the path");
	return 0;
}

static int read_identity(const struct create_request *create, struct json_body *in,
			 const struct create_body *body, struct lease *l)
{
	snprintf(l->id, sizeof(l->id), "%s", create->put_id ? create->put_id : body->id);
	TEXT_SET(l->attempt_token, body->attempt_token);
	if (l->attempt_token[0] && !l->id[0])
		return json_body_fail(in, 400, "invalid_lease_id",
				      "leaseID is required beside createAttemptID");
	if (body->slug[0])
		slug_normalize(body->slug, l->slug);
	return 0;
}

/* The client always sends the lease's own key name; any other belongs to somebody else. */
static int read_reserved(const struct create_request *create, struct json_body *in,
			 const struct create_body *body, const struct lease *l)
{
	static const char prefix[] = "crabbox-cbx-";
	const char *key = body->provider_key;

	if (!strncmp(key, prefix, sizeof(prefix) - 1)) {
		const char *hex = key + sizeof(prefix) - 1;

		if (strspn(hex, "0123456789abcdef") != 12 || hex[12] ||
		    (l->id[0] && strcmp(hex, l->id + 4)))
			return json_body_fail(in, 400, "reserved_provider_key",
					      "providerKey names the key of another lease");
		key = "";
	}
	if (!key[0] && !body->host[0])
		return 0;
	if (create->role != TOKEN_ADMIN)
		return json_body_fail(in, 403, "admin_required", "only an admin may choose %s",
				      key[0] ? "providerKey" : "hostId");
	return json_body_fail(in, 400, "unsupported_feature", "choosing %s is not supported",
			      key[0] ? "providerKey" : "hostId");
}

/* ---- which machine ---------------------------------------------------------------------- */

static const struct account *find_account(const struct create_request *create, const char *name)
{
	if (!name[0])
		return create->account_count ? create->accounts[0] : NULL;
	for (size_t i = 0; i < create->account_count; i++) {
		if (!strcmp(create->accounts[i]->config.name, name))
			return create->accounts[i];
	}
	return NULL;
}

static int client_choice(int is_explicit, int configured)
{
	return is_explicit ? CLIENT_REQUIRE : configured;
}

/* Contract 3.4: existing clients always send a location, so it need not be what the user wants. */
static int read_location(const struct create_request *create, struct json_body *in,
			 const struct create_body *body, const struct account *account,
			 struct lease *l)
{
	int choice = client_choice(body->location_explicit, account->config.client_location);
	char names[120] = "";

	if (choice == CLIENT_IGNORE && create->asked)
		create->asked->location[0] = '\0';
	if (choice == CLIENT_IGNORE || !body->location[0])
		return 0;
	for (int i = 0; i < account->config.location_count; i++) {
		if (!strcmp(account->config.locations[i], body->location)) {
			TEXT_SET(l->location, body->location);
			l->location_preferred = choice == CLIENT_PREFER;
			return 0;
		}
		api_error_add_name(names, sizeof(names), account->config.locations[i]);
	}
	if (choice == CLIENT_PREFER && validate_type(body->location))
		return 0;
	return json_body_fail(in, 400, "location_not_allowed", "location must be one of: %s", names);
}

/* May clients choose this image in this account? If not, `names` lists some they may. */
static int image_is_allowed(const struct create_request *create, const struct account *account,
			    const char *name, char *names, size_t size)
{
	if (!strcmp(name, account->config.image))
		return 1;
	api_error_add_name(names, size, account->config.image);
	for (int i = 0; i < create->config->image_count; i++) {
		const struct api_image *image = &create->config->images[i];

		if (image->account[0] && strcmp(image->account, account->config.name))
			continue;
		if (!strcmp(image->name, name))
			return 1;
		if (strcmp(image->name, account->config.image))
			api_error_add_name(names, size, image->name);
	}
	return 0;
}

static int read_image(const struct create_request *create, struct json_body *in,
		      const struct create_body *body, const struct account *account,
		      struct lease *l)
{
	int choice = client_choice(body->image_explicit, account->config.client_image);
	const char *image = body->image;
	char names[120] = "";

	if (choice == CLIENT_IGNORE && create->asked)
		create->asked->image[0] = '\0';
	if (choice == CLIENT_IGNORE || !image[0])
		image = account->config.image;
	if (!image_is_allowed(create, account, image, names, sizeof(names))) {
		if (choice == CLIENT_REQUIRE || !validate_image(image))
			return json_body_fail(in, 400, "image_not_allowed",
					      "image must be one of: %s", names);
		image = account->config.image;
	}
	snprintf(l->image, sizeof(l->image), "%s", image);
	return 0;
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

/* Contract 3.4: an explicit type alone; otherwise the requested type, then those of the class. */
static void read_types(const struct create_request *create, const struct create_body *body,
		       struct lease *l)
{
	const struct api_class *class;
	const char *type = body->server_type;

	snprintf(l->class_name, sizeof(l->class_name), "%s",
		 body->class_name[0] ? body->class_name : create->config->default_class);
	TEXT_SET(l->requested_type, type);
	class = api_class_find(create->config, l->class_name);
	l->type_explicit = body->type_explicit && type[0];
	if (l->type_explicit) {
		type_add(l, type);
		return;
	}
	if (type[0] && strcmp(type, l->class_name) && !api_class_find(create->config, type))
		type_add(l, type);
	for (int i = 0; class && i < class->type_count; i++)
		type_add(l, class->types[i]);
	if (!class)
		type_add(l, l->class_name);
}

static int read_machine(const struct create_request *create, struct json_body *in,
			const struct create_body *body, struct lease *l)
{
	const char *name = body->account[0]   ? body->account :
			   create->account[0] ? create->account :
						create->config->default_account;
	const struct account *account = find_account(create, name);
	struct api_error error;
	char names[200];

	if (!account) {
		api_error_no_account(&error, 400, "invalid_provider", name, create->accounts,
				     create->account_count);
		return json_body_fail(in, error.status, error.code, "%s", error.message);
	}
	if (!org_may_use(create->config, create->org, account->config.name)) {
		org_accounts_write(create->config, create->org, names, sizeof(names));
		return json_body_fail(in, 400, "provider_not_allowed",
				      "account '%s' is not for your organisation; accounts: %s",
				      account->config.name, names);
	}
	snprintf(l->account, sizeof(l->account), "%s", account->config.name);
	snprintf(l->architecture, sizeof(l->architecture), "x86");
	TEXT_SET(l->os, body->os);
	read_types(create, body, l);
	if (read_location(create, in, body, account, l))
		return -1;
	return read_image(create, in, body, account, l);
}

/* ---- access ------------------------------------------------------------------------ */

static int read_ports(struct json_body *in, const struct create_body *body, struct lease *l)
{
	json_t *item;
	size_t i;

	l->ssh_port = validate_port(body->ssh_port);
	json_array_foreach(body->fallback_ports, i, item) {
		int port = validate_port(json_string_value(item));
		int known = port == l->ssh_port;

		for (int k = 0; k < l->fallback_count; k++)
			known = known || l->fallback_ports[k] == port;
		if (known)
			continue;
		if (l->fallback_count == LEASE_PORTS_MAX)
			return json_body_fail(in, 400, "invalid_field",
					      "sshFallbackPorts must be at most 8 different ports");
		l->fallback_ports[l->fallback_count++] = port;
	}
	return 0;
}

static int read_access(struct json_body *in, const struct create_body *body, struct lease *l,
		       struct api_error *error)
{
	TEXT_SET(l->ssh_user, body->ssh_user);
	TEXT_SET(l->work_root, body->work_root);
	if (read_ports(in, body, l))
		return -1;
	return sshkey_check(body->public_key, l->public_key, sizeof(l->public_key), error);
}

/* ---- duration and purpose ------------------------------------------------------------- */

/* Seconds to ms: 0 and less is the default, more than `max` is reduced. Contract 2.2. */
static int64_t life_ms(int64_t seconds, int64_t default_ms, int64_t max)
{
	if (seconds <= 0)
		return default_ms < max ? default_ms : max;
	return seconds > max / 1000 ? max : seconds * 1000;
}

static void read_life(const struct create_request *create, const struct create_body *body,
		      struct lease *l)
{
	const struct api_config *config = create->config;

	l->ttl_ms = life_ms(body->ttl_seconds, config->ttl_ms, config->ttl_max_ms);
	l->idle_ms = life_ms(body->idle_seconds, config->idle_ms, config->idle_max_ms);
	l->queue_ms = body->wait_seconds * 1000;
	l->keep = body->keep;
	TEXT_SET(l->profile, body->profile);
	TEXT_SET(l->pond, body->pond);
}

/* What the answer is compared with. */
static void keep_asked(const struct create_request *create, const struct create_body *body,
		       const struct lease *l)
{
	struct notice_request *asked = create->asked;

	if (!asked)
		return;
	TEXT_SET(asked->slug_raw, body->slug);
	TEXT_SET(asked->slug, l->slug);
	TEXT_SET(asked->location, body->location);
	TEXT_SET(asked->image, body->image);
	asked->ttl_seconds = body->ttl_seconds;
	asked->idle_seconds = body->idle_seconds;
	asked->ttl_max_ms = create->config->ttl_max_ms;
	asked->idle_max_ms = create->config->idle_max_ms;
}

/*
 * Of what the client sent, in canonical order and spacing, and not of what became of it: that
 * depends on the configuration, which may change before the request is repeated.
 */
static void hash_body(const struct json_body *in, char hash[65])
{
	unsigned char digest[HASH_SHA256_LEN];
	char *text = json_dumps(in->root, JSON_COMPACT | JSON_SORT_KEYS);

	if (!text)
		abort(); /* no memory, as in util/alloc.h */
	hash_sha256(text, strlen(text), digest);
	hash_hex(digest, sizeof(digest), hash);
	free(text);
}

int create_request_read(const struct create_request *create, struct json_body *in,
			struct lease *ret, char hash[65], struct api_error *error)
{
	struct create_body body = { .profile = "default",
				    .ssh_user = "crabbox",
				    .work_root = "/work/crabbox",
				    .ssh_port = "2222" };

	hash_body(in, hash);
	if (check_put(create, in) || json_body_read(in, in->root, &body_create, &body) ||
	    read_identity(create, in, &body, ret) || read_reserved(create, in, &body, ret))
		return -1;
	keep_asked(create, &body, ret);
	if (body.image_requirements)
		return json_body_fail(in, 400, "unsupported_feature",
				      "imageRequirements are not supported");
	if (read_machine(create, in, &body, ret))
		return -1;
	read_life(create, &body, ret);
	return read_access(in, &body, ret, error);
}
