/* SPDX-License-Identifier: MIT */
#include "api/condition.h"

#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/validate.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/hash.h"

#define NAME_BYTES 16

/* A create has its own use of the key, and no lease that it could match. */
static int is_change(const struct route *route)
{
	return route->method != HTTP_GET && strstr(route->path, "{lease}") &&
	       route->members != &body_create;
}

/* "*" matches each lease that there is. A weak tag never matches, and we make none. */
static int epoch_read(struct api_request *request, const char *tag)
{
	char digits[20];
	size_t len = strlen(tag);

	if (!strcmp(tag, "*"))
		return 0;
	if (len < 3 || len - 2 >= sizeof(digits) || tag[0] != '"' || tag[len - 1] != '"')
		return -1;
	memcpy(digits, tag + 1, len - 2);
	digits[len - 2] = '\0';
	if (!validate_number(digits))
		return -1;
	request->epoch = strtoll(digits, NULL, 10);
	request->is_conditional = 1;
	return request->epoch > 0 ? 0 : -1;
}

/*
 * The name is of the key and of all that is asked for, so a key that is used for something else by
 * mistake does not hide that. A NUL behind each part keeps them apart.
 */
static void request_name(struct api_request *request, const char *key)
{
	const struct http_head *head = request->head;
	unsigned char digest[HASH_SHA256_LEN];
	size_t len;
	const char *body = http_exchange_body(request->ex, &len);
	const char *const parts[] = {
		request->caller.owner,		request->caller.org, key,
		http_method_name(head->method), head->path,	     head->query ? head->query : ""
	};
	struct buf text;

	buf_init(&text, HTTP_LINE_SIZE + len + 1024);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		buf_add(&text, parts[i], strlen(parts[i]) + 1);
	buf_add(&text, body, len);
	hash_sha256(text.data, text.len, digest);
	buf_fini(&text);
	memcpy(request->request_id, "key-", 4);
	hash_hex(digest, NAME_BYTES, request->request_id + 4);
}

int condition_read(struct api_request *request)
{
	const char *tag = http_head_known(request->head, HTTP_FIELD_IF_MATCH);
	const char *key = http_head_known(request->head, HTTP_FIELD_IDEMPOTENCY_KEY);

	if ((!tag && !key) || !is_change(request->route))
		return 0;
	if (tag && epoch_read(request, tag))
		return api_error_set(&request->error, 400, "invalid_if_match",
				     "If-Match must be *, or one ETag of the lease in its quotes.");
	if (key && !validate_key(key))
		return api_error_set(&request->error, 400, "invalid_idempotency_key",
				     "Idempotency-Key must be 1 to 127 of [A-Za-z0-9._~-].");
	if (key)
		request_name(request, key);
	return 0;
}
