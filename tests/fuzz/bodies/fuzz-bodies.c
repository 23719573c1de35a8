/* SPDX-License-Identifier: MIT */
/*
 * Request bodies of arbitrary bytes. With each route's table: accepted, or rejected with a
 * message. As a create: rejected with a message, or every string is well formed and the
 * machine's cloud-init fits the provider's limit. As a heartbeat and a release, through the real
 * routes: a response that is not a 5xx.
 */
#include "../../unit/api/stage.h"

#include "api/validate.h"
#include "api/create_request.h"
#include "api/route.h"
#include "bootstrap/bootstrap.h"
#include "util/log.h"

#define BODY_MAX 60000
#define NOBODYS "cbx_ffffffffffff"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROMISE(what) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #what); \
			abort(); \
		} \
	} while (0)

static struct account hetzner = { .config = { .name = "hetzner", .provider = "hetzner",
	.locations = { "fsn1", "nbg1" }, .location_count = 2, .image = "ubuntu-24.04" } };
static struct account *accounts[] = { &hetzner };

/* ---- a create -------------------------------------------------------------------------- */

static int is_plain(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
			return 0;
	}
	return 1;
}

static void lease_is_well(const struct lease *l, const char *hash)
{
	PROMISE(!l->id[0] || validate_lease_id(l->id));
	PROMISE(!l->attempt_token[0] || validate_attempt(l->attempt_token));
	PROMISE(!l->slug[0] || validate_slug(l->slug));
	PROMISE(strcmp(l->account, "hetzner") == 0);
	PROMISE(validate_type(l->class_name) || !l->class_name[0]);
	PROMISE(!l->requested_type[0] || validate_type(l->requested_type));
	PROMISE(l->type_count >= 1 && l->type_count <= LEASE_TYPES_MAX);
	for (int i = 0; i < l->type_count; i++)
		PROMISE(validate_type(l->types[i]));
	PROMISE(!l->image[0] || validate_image(l->image));
	PROMISE(!l->pond[0] || validate_group(l->pond));
	PROMISE(!l->os[0] || validate_os(l->os));
	PROMISE(validate_word(l->profile, sizeof(l->profile) - 1));
	PROMISE(validate_user(l->ssh_user));
	PROMISE(validate_work_root(l->work_root));
	PROMISE(l->ssh_port >= 1 && l->ssh_port <= 65535);
	PROMISE(l->fallback_count >= 0 && l->fallback_count <= LEASE_PORTS_MAX);
	for (int i = 0; i < l->fallback_count; i++)
		PROMISE(l->fallback_ports[i] >= 1 && l->fallback_ports[i] <= 65535);
	PROMISE(is_plain(l->public_key) && strncmp(l->public_key, "ssh-", 4) == 0);
	PROMISE(l->ttl_ms > 0 && l->ttl_ms <= 86400000 && l->idle_ms > 0);
	PROMISE(strlen(hash) == 64);
	/* A body cannot set fields that the server decides. */
	PROMISE(!l->owner[0] && !l->org[0] && !l->epoch && !l->retained && !l->host[0] &&
		!l->server_id[0] && !l->state && !l->cleanup && !l->due_ms && !l->cursor[0]);
}

static void as_create(const char *body, size_t len, enum token_role role)
{
	struct api_config config;
	struct create_request create = { &config, accounts, 1, role, NULL, NULL, "", "acme" };
	struct lease lease = { 0 };
	struct api_error error = { 0 };
	struct err err = { 0 };
	struct json_body in;
	struct buf user_data;
	char hash[65] = "";
	int rc;

	api_config_init(&config);
	rc = json_body_open(&in, body, len, 0, &error);
	if (!rc)
		rc = create_request_read(&create, &in, &lease, hash, &error);
	json_body_close(&in);
	if (rc) {
		PROMISE(error.status >= 400 && error.status < 500 && error.message[0]);
		PROMISE(is_plain(error.message));
		return;
	}
	lease_is_well(&lease, hash);
	buf_init(&user_data, 1 << 20);
	PROMISE(bootstrap_user_data(&lease, NULL, &user_data, &err) == 0);
	PROMISE(user_data.len > 0 && user_data.len <= BOOTSTRAP_MAX);
	buf_fini(&user_data);
}

/* ---- any body ---------------------------------------------------------------------------- */

static void as_each_body(const char *text, size_t len)
{
	static max_align_t target[512]; /* the largest structure is create_body, 5 KB */
	struct api_error error = { 0 };
	struct json_body in;

	if (json_body_open(&in, text, len, 0, &error)) {
		json_body_close(&in);
		return;
	}
	for (size_t i = 0; i < route_count; i++) {
		const struct body_table *table = route_table[i].members;

		if (!table)
			continue;
		memset(target, 0, sizeof(target));
		in.failed = 0;
		error = (struct api_error){ 0 };
		if (json_body_read(&in, in.root, table, target))
			PROMISE(error.status == 400 && error.code[0] && is_plain(error.message));
		else
			PROMISE(!error.status);
	}
	json_body_close(&in);
}

/* ---- through the routes ------------------------------------------------------------------ */

static void ask(const char *method, const char *what, const char *body, size_t len)
{
	const char *message;
	struct buf text;
	int status;

	buf_init(&text, BODY_MAX + 1000);
	buf_addf(&text, "%s /v1/leases/" NOBODYS "%s HTTP/1.1\r\nHost: localhost\r\n"
		 "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
		 "Content-Length: %zu\r\n\r\n", method, what, stage.alice, len);
	buf_add(&text, body, len);
	/* Time passes between requests, so that the token's rate limit does not reject them. */
	stage.world.d.now_ms += 10000;
	status = stage_send(text.data, text.len);
	buf_fini(&text);
	/* The lease does not exist: a valid body gets 404, an invalid one 400 and a message. */
	PROMISE(status == 400 || status == 404);
	PROMISE(stage.json && json_is_string(json_object_get(stage.json, "error")));
	message = json_string_value(json_object_get(stage.json, "message"));
	PROMISE(message ? is_plain(message) : status == 404);
}

static void prepare(void)
{
	static int is_ready;

	if (is_ready)
		return;
	is_ready = 1;
	PROMISE(stage_setup(NULL) == 0);
	log_setup(2, LOG_HUMAN, -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *body = (const char *)data;

	if (size > BODY_MAX)
		return 0;
	prepare();
	as_each_body(body, size);
	as_create(body, size, TOKEN_USER);
	as_create(body, size, TOKEN_ADMIN);
	ask("POST", "/heartbeat", body, size);
	ask("POST", "/release", body, size);
	return 0;
}
