/* SPDX-License-Identifier: MIT */
/* The web page. Its files need no token and hold nothing of the broker: see broker/page. */
#include "page/page.h"

#include <string.h>

#include "api/handlers.h"
#include "api/reply.h"

/*
 * Nothing but our own files, no frame, no form that is sent, no text made into script. A page of
 * another origin gets neither a handle to the window nor the address.
 */
static const struct {
	const char *name;
	const char *value;
} fields[] = {
	{ "Content-Security-Policy",
	  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
	  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
	  "require-trusted-types-for 'script'; trusted-types 'none'" },
	{ "X-Content-Type-Options", "nosniff" },
	{ "Referrer-Policy", "no-referrer" },
	{ "Cross-Origin-Opener-Policy", "same-origin" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
	/* The tag is asked each time, so that a new version of the daemon shows its own page. */
	{ "Cache-Control", "no-cache" },
};

/* Is it one of the tags of If-None-Match? A weak tag matches, too. */
static int tag_matches(const struct http_head *head, const char *tag)
{
	const char *tags = http_head_find(head, "if-none-match");

	return tags && (!strcmp(tags, "*") || strstr(tags, tag));
}

static void file_send(struct api_request *request, const char *name)
{
	const struct page_file *file = page_find(name);
	char tag[PAGE_TAG_SIZE];

	if (!file) {
		reply_not_found(request);
		return;
	}
	page_tag(file, tag);
	http_reply_header(request->ex, "ETag", tag);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		http_reply_header(request->ex, fields[i].name, fields[i].value);
	if (tag_matches(request->head, tag))
		reply_text(request, 304, NULL, NULL, 0);
	else
		reply_text(request, 200, file->type, file->data, (size_t)(file->end - file->data));
}

/* Also of an address that the page itself understands, such as that of a run. */
void page_show(struct api_request *request)
{
	file_send(request, PAGE_INDEX);
}

void page_file_show(struct api_request *request)
{
	file_send(request, request->param);
}
