/* SPDX-License-Identifier: MIT */
/* lessor create: the options, the request and the result. */
#include "cli/create.h"

#include <stdio.h>
#include <string.h>

#include "cli/ends.h"
#include "cli/identity.h"
#include "cli/interrupt.h"
#include "cli/lease_view.h"
#include "cli/notice.h"
#include "cli/offer.h"
#include "cli/text.h"
#include "cli/when.h"
#include "util/alloc.h"

static int duration_read(const struct cli *cli, const char *name, const char *text, int64_t *ret)
{
	struct err err = { 0 };

	if (!text || when_parse_seconds(text, ret, &err) == 0)
		return -1;
	return cli_usage_error(cli, "--%s: %s", name, err.text);
}

/* Adds the options of another table, which replace those with the same name. */
static void options_add(struct argv_option *own, size_t room, const struct argv_option *more)
{
	for (; more && more->name; more++) {
		size_t at = 0;

		while (own[at].name && strcmp(own[at].name, more->name) != 0)
			at++;
		if (at + 1 < room)
			own[at] = *more;
	}
}

int create_parse(struct cli *cli, struct create_flags *f, const struct argv_option *more, int argc,
		 char **argv, const char **words, int most, int *ret_count)
{
	struct argv_option own[CREATE_OPTIONS_MAX] = {
		{ "class", ARGV_VALUE, .value = &f->class_name },
		{ "type", ARGV_VALUE, .value = &f->type },
		{ "ttl", ARGV_VALUE, .value = &f->ttl },
		{ "idle", ARGV_VALUE, .value = &f->idle },
		{ "slug", ARGV_VALUE, .value = &f->slug },
		{ "account", ARGV_VALUE, .value = &f->account },
		{ "location", ARGV_VALUE, .value = &f->location },
		{ "image", ARGV_VALUE, .value = &f->image },
		{ "ssh-key", ARGV_VALUE, .value = &f->key },
		{ "keep", ARGV_FLAG, .seen = &f->keep },
		{ "wait", ARGV_OPTIONAL, .seen = &f->wait, .value = &f->wait_text },
		{ "wait-for-capacity", ARGV_OPTIONAL, .seen = &f->queue, .value = &f->queue_text },
		{ "no-wait", ARGV_FLAG, .seen = &f->no_wait },
		{ 0 },
	};
	int code;

	options_add(own, ARRAY_LEN(own), more);
	code = cli_parse_more(cli, own, argc, argv, words, 0, most, ret_count);
	if (code < 0)
		code = duration_read(cli, "ttl", f->ttl, &f->ttl_s);
	if (code < 0)
		code = duration_read(cli, "idle", f->idle, &f->idle_s);
	if (code < 0)
		code = duration_read(cli, "wait", f->wait_text, &f->wait_s);
	if (code < 0)
		code = duration_read(cli, "wait-for-capacity", f->queue_text, &f->queue_s);
	if (code >= 0)
		return code;
	if (f->class_name && f->type)
		return cli_usage_error(cli, "--class and --type are mutually exclusive");
	if (f->wait && f->no_wait)
		return cli_usage_error(cli, "--wait and --no-wait are mutually exclusive");
	return -1;
}

static void text_set(json_t *body, const char *key, const char *value)
{
	if (value)
		json_object_set_new(body, key, json_string(value));
}

static json_t *body_make(const struct create_flags *f, const struct settings *settings,
			 const char *key_line)
{
	json_t *body = json_object();

	text_set(body, "target", "linux");
	text_set(body, "provider", f->account ? f->account : settings->account);
	if (f->type) {
		text_set(body, "serverType", f->type);
		json_object_set_new(body, "serverTypeExplicit", json_true());
	} else {
		text_set(body, "class", f->class_name ? f->class_name : settings->class_name);
	}
	text_set(body, "slug", f->slug);
	/* Not preferences: a create that cannot have them fails. */
	text_set(body, "location", f->location);
	if (f->location)
		json_object_set_new(body, "locationExplicit", json_true());
	text_set(body, "image", f->image);
	if (f->image)
		json_object_set_new(body, "imageExplicit", json_true());
	text_set(body, "sshPublicKey", key_line);
	if (f->ttl_s)
		json_object_set_new(body, "ttlSeconds", json_integer(f->ttl_s));
	/* "For an hour" means an hour, not until the first half hour without a heartbeat. */
	if (f->idle_s || f->ttl_s)
		json_object_set_new(body, "idleTimeoutSeconds",
				    json_integer(f->idle_s ? f->idle_s : f->ttl_s));
	if (f->queue)
		json_object_set_new(body, "waitForCapacity", json_integer(f->queue_s));
	json_object_set_new(body, "keep", json_boolean(f->keep));
	return body;
}

static int result_print(struct cli *cli, const struct creation *creation, const char *key_path)
{
	const json_t *lease = view_lease(creation->doc);
	const json_t *queue = json_object_get(lease, "queue");
	auto_free char *price = view_price(lease);

	if (view_is_ready(lease))
		notice_print_fallback(lease, creation->body);
	if (cli->json)
		return EXIT_OK;
	if (!view_is_ready(lease)) {
		if (queue)
			text_print(stdout, "waiting for capacity, place %lld of %lld: %s",
				   (long long)view_int(queue, "place"),
				   (long long)view_int(queue, "of"), view_text(lease, "id"));
		else
			text_print(stdout, "%s: %s", view_text(lease, "state"),
				   view_text(lease, "id"));
		text_print(stderr, "see: lessor show %s", view_text(lease, "id"));
		return EXIT_OK;
	}
	if (view_print_ready(stdout, lease, key_path))
		return EXIT_ERROR;
	text_print(stderr, "to log in: lessor ssh %s",
		   *view_text(lease, "slug") ? view_text(lease, "slug") : view_text(lease, "id"));
	text_print(stderr, "%s in %s, %s", view_text(lease, "serverType"),
		   view_text(lease, "region"), *price ? price : "price unknown");
	ends_print(stderr, lease);
	text_print(stderr,
		   "to keep it longer: lessor extend %s 1h; to release it: lessor release %s",
		   view_text(lease, "id"), view_text(lease, "id"));
	return EXIT_OK;
}

int create_is_described(const struct create_flags *f)
{
	return f->class_name || f->type || f->ttl || f->idle || f->slug || f->account ||
	       f->location || f->image || f->key || f->keep;
}

int create_lease(struct cli *cli, const struct create_flags *f, struct creation *creation,
		 struct keyfile *key)
{
	struct err err = { 0 };
	int code;

	if (keyfile_load(f->key, key, &err)) {
		text_error("%s: %s", cli->command->name, err.text);
		return EXIT_USAGE;
	}
	if (!cli->json)
		offer_print(cli, f->class_name ? f->class_name : cli->settings.class_name, f->type,
			    f->account ? f->account : cli->settings.account);
	if (interrupt_pending()) /* nothing has been requested */
		return 128 + interrupt_pending();
	creation_init(creation, body_make(f, &cli->settings, key->line),
		      f->no_wait ? 0 : f->wait_s * 1000);
	code = creation_run(creation, cli);
	if (f->key && creation->doc)
		identity_remember(view_text(view_lease(creation->doc), "id"), key->path);
	return code;
}

int command_create(struct cli *cli, int argc, char **argv)
{
	struct create_flags flags = { .wait_s = CREATE_WAIT_S, .queue_s = CREATE_QUEUE_S };
	struct creation creation = { .doc = NULL };
	struct keyfile key = { 0 };
	int count;
	int code = create_parse(cli, &flags, NULL, argc, argv, NULL, 0, &count);

	if (code < 0)
		code = cli_connect(cli);
	if (code >= 0)
		return code;
	code = create_lease(cli, &flags, &creation, &key);
	if (cli->json && creation.doc)
		cli_print_json(creation.doc);
	if (code == EXIT_OK)
		code = result_print(cli, &creation, flags.key ? key.path : NULL);
	creation_fini(&creation);
	keyfile_fini(&key);
	return code;
}
