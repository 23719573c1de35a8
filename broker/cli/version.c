/* SPDX-License-Identifier: MIT */
/* lessor version: of this program and, if it can be reached, of lessord. */
#include "cli/cli.h"

#include <string.h>

#include "cli/help.h"
#include "cli/lease_view.h"
#include "cli/text.h"

#define TIMEOUT_MS 5000

/* Asks lessord, which tells only who has a token; no failure of it fails the command. */
static void server_ask(struct cli *cli, json_t *doc)
{
	const struct client_request request = {
		.method = "GET",
		.path = "/v1/whoami",
		.timeout_ms = TIMEOUT_MS,
	};
	struct client_response response;
	const char *version;

	json_object_set_new(doc, "url", json_string(cli->settings.url));
	if (client_call(cli->client, &request, &response)) {
		version = view_text(response.doc, "version");
		if (*version)
			json_object_set_new(doc, "server", json_string(version));
		else
			json_object_set_new(doc, "problem", json_string("the server does not say"));
	} else {
		json_object_set_new(doc, "problem", json_string(response.error));
	}
	client_response_fini(&response);
}

int command_version(struct cli *cli, int argc, char **argv)
{
	struct err err = { 0 };
	json_t *doc;
	int code = cli_parse(cli, NULL, argc, argv, NULL, 0);

	if (code >= 0)
		return code;
	doc = json_pack("{s:s, s:n}", "client", help_version_text(), "server");
	if (settings_load(&cli->flags, &cli->settings, &err) == 0)
		cli->client = client_open(&cli->settings, &err);
	if (cli->client)
		server_ask(cli, doc);
	else
		json_object_set_new(doc, "problem", json_string(err.text));
	if (cli->json) {
		cli_print_json(doc);
	} else {
		text_print(stdout, "lessor %s", view_text(doc, "client"));
		if (*view_text(doc, "server"))
			text_print(stdout, "lessord %s at %s", view_text(doc, "server"),
				   view_text(doc, "url"));
		else if (cli->client)
			text_print(stderr, "lessord: %s", view_text(doc, "problem"));
	}
	json_decref(doc);
	return EXIT_OK;
}
