/* SPDX-License-Identifier: MIT */
#include "cli/offer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lease_view.h"
#include "cli/text.h"
#include "util/alloc.h"

#define OFFER_TIMEOUT_MS 5000

char *offer_path(const char *account)
{
	auto_free char *name = account ? client_encode(account) : NULL;

	return xasprintf("/v1/classes%s%s", name ? "?provider=" : "", name ? name : "");
}

char *offer_price(const json_t *offer)
{
	char *price = view_price(offer);

	if (*price)
		return price;
	free(price);
	return xstrdup("price unknown");
}

static const json_t *class_find(const json_t *doc, const char *name)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(doc, "classes"), i, one) {
		if (!strcmp(view_text(one, "name"), name))
			return one;
	}
	return NULL;
}

static const json_t *type_find(const json_t *doc, const char *name)
{
	json_t *class, *one;
	size_t i, k;

	json_array_foreach(json_object_get(doc, "classes"), i, class) {
		json_array_foreach(json_object_get(class, "types"), k, one) {
			if (!strcmp(view_text(one, "name"), name))
				return one;
		}
	}
	return NULL;
}

static void class_print(const json_t *doc, const char *name)
{
	const json_t *class = class_find(doc, name);
	const char *type = view_text(class, "type");
	auto_free char *price = offer_price(class);

	/* The server refuses a class that it does not have. */
	if (class)
		text_print(stderr, "%s: %s%s%s", name, type, *type ? ", " : "", price);
}

void offer_print(struct cli *cli, const char *class_name, const char *type, const char *account)
{
	auto_free char *path = offer_path(account);
	const struct client_request request = {
		.method = "GET",
		.path = path,
		.timeout_ms = OFFER_TIMEOUT_MS,
	};
	struct client_response response;

	if (client_call(cli->client, &request, &response)) {
		if (type) {
			auto_free char *price = offer_price(type_find(response.doc, type));

			text_print(stderr, "%s: %s", type, price);
		} else {
			class_print(response.doc,
				    class_name ? class_name : view_text(response.doc, "default"));
		}
	}
	client_response_fini(&response);
}
