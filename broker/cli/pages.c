/* SPDX-License-Identifier: MIT */
#include "cli/pages.h"

#include <stdlib.h>

#include "cli/lease_view.h"
#include "util/alloc.h"

#define PAGE 500 /* lessord's maximum */

/* *before becomes the start of the next page, NULL at the end. */
static int page_fetch(struct cli *cli, const char *query, pages_keep_fn keep, json_t *into,
		      char **before)
{
	auto_free char *from = *before ? client_encode(*before) : NULL;
	auto_free char *path = xasprintf("/v1/leases?limit=%d%s%s%s", PAGE, query,
					 from ? "&before=" : "", from ? from : "");
	struct client_response response;
	const char *next;
	json_t *one;
	size_t i;
	int code = cli_get(cli, path, &response);

	if (code >= 0)
		return code;
	json_array_foreach(json_object_get(response.doc, "leases"), i, one) {
		if (!keep || keep(into, one))
			json_array_append(into, one);
	}
	next = view_text(response.doc, "nextBefore");
	free(*before);
	*before = *next ? xstrdup(next) : NULL;
	client_response_fini(&response);
	return -1;
}

int pages_fetch(struct cli *cli, const char *query, pages_keep_fn keep, json_t *into, size_t most,
		int *ret_more)
{
	auto_free char *before = NULL;
	int code;

	do {
		code = page_fetch(cli, query, keep, into, &before);
		if (code >= 0)
			return code;
	} while (before && json_array_size(into) < most);
	*ret_more = before != NULL;
	return -1;
}
