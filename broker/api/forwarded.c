/* SPDX-License-Identifier: MIT */
#include "api/forwarded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/validate.h"
#include "util/bug.h"
#include "util/text.h"

/* In lower case, as the parser has them. */
#define CALLER_FIELD "lessor-caller"
#define SIGNATURE_FIELD "lessor-signature"

const char *const forwarded_client_fields[FORWARDED_CLIENT_FIELDS] = {
	"content-type",
	"idempotency-key",
	"if-match",
	"prefer",
};

/* ---- the signature ------------------------------------------------------------------------ */

struct signed_parts {
	const char *method, *target;
	const struct http_head *head; /* NULL: of a body of JSON */
	const char *forwarded, *caller;
};

static const char *parts_field(const struct signed_parts *parts, const char *name)
{
	const char *value;

	if (!parts->head)
		return strcmp(name, "content-type") ? "" : FORWARDED_JSON;
	value = http_head_find(parts->head, name);
	return value ? value : "";
}

/* No part contains a line feed, so no two requests have the same text. */
static void parts_sign(const struct signed_parts *parts,
		       const unsigned char key[FORWARDED_KEY_SIZE],
		       char out[HASH_HEX_ROOM(HASH_SHA256_LEN)])
{
	unsigned char digest[HASH_SHA256_LEN];
	struct buf text;

	buf_init(&text, HTTP_LINE_SIZE + HTTP_FIELDS_SIZE + 1024);
	buf_addf(&text, "%s\n%s\n", parts->method, parts->target);
	for (int i = 0; i < FORWARDED_CLIENT_FIELDS; i++)
		buf_addf(&text, "%s\n", parts_field(parts, forwarded_client_fields[i]));
	buf_addf(&text, "%s\n%s\n", parts->forwarded, parts->caller);
	BUG_ON(text.overflow);
	hash_hmac_sha256(key, FORWARDED_KEY_SIZE, text.data, text.len, digest);
	buf_fini(&text);
	hash_hex(digest, sizeof(digest), out);
}

void forwarded_write(const struct forwarded *f, const unsigned char key[FORWARDED_KEY_SIZE],
		     const struct http_head *head, const char *target,
		     struct forwarded_lines *lines)
{
	char body[HASH_HEX_ROOM(HASH_SHA256_LEN)], signature[HASH_HEX_ROOM(HASH_SHA256_LEN)];
	struct signed_parts parts = {
		.method = head ? http_method_name(head->method) : "POST",
		.target = target,
		.head = head,
	};

	hash_hex(f->body, sizeof(f->body), body);
	snprintf(lines->forwarded, sizeof(lines->forwarded),
		 FORWARDED_FIELD ": %s; %s; %lld; %s; %lld; %s%s%s%s%s", f->from, f->to,
		 (long long)f->sequence, f->request_id, (long long)f->epoch, body,
		 f->account[0] || f->lease[0] ? "; " : "", f->account, f->lease[0] ? "; " : "",
		 f->lease);
	snprintf(lines->caller, sizeof(lines->caller), CALLER_FIELD ": %s; %s; %s",
		 token_role_name(f->caller.role), f->caller.org, f->caller.owner);
	parts.forwarded = lines->forwarded + sizeof(FORWARDED_FIELD ": ") - 1;
	parts.caller = lines->caller + sizeof(CALLER_FIELD ": ") - 1;
	parts_sign(&parts, key, signature);
	snprintf(lines->signature, sizeof(lines->signature), SIGNATURE_FIELD ": %s", signature);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Moves the next part of a line to `out`; the last one ends at the end. -1: it has no room. */
static int part_next(const char **line, char *out, size_t size)
{
	size_t len = strcspn(*line, ";");

	if (!*line[0] || len >= size)
		return -1;
	memcpy(out, *line, len);
	out[len] = '\0';
	*line += len;
	if (!strncmp(*line, "; ", 2))
		*line += 2;
	return 0;
}

static int part_number(const char **line, int64_t *ret)
{
	char text[20];

	if (part_next(line, text, sizeof(text)) || !validate_number(text))
		return -1;
	*ret = strtoll(text, NULL, 10);
	return 0;
}

/* The signature has been verified: what is wrong here is another version's. */
static int lines_parse(const char *forwarded, const char *caller, struct forwarded *ret)
{
	char body[HASH_HEX_ROOM(HASH_SHA256_LEN)], role[8];

	memset(ret, 0, sizeof(*ret));
	if (part_next(&forwarded, ret->from, sizeof(ret->from)) ||
	    part_next(&forwarded, ret->to, sizeof(ret->to)) ||
	    part_number(&forwarded, &ret->sequence) ||
	    part_next(&forwarded, ret->request_id, sizeof(ret->request_id)) ||
	    part_number(&forwarded, &ret->epoch) || part_next(&forwarded, body, sizeof(body)) ||
	    strlen(body) != sizeof(body) - 1 ||
	    hash_hex_parse(body, ret->body, sizeof(ret->body)) ||
	    (forwarded[0] && part_next(&forwarded, ret->account, sizeof(ret->account))) ||
	    (forwarded[0] && part_next(&forwarded, ret->lease, sizeof(ret->lease))) ||
	    part_next(&caller, role, sizeof(role)) ||
	    part_next(&caller, ret->caller.org, sizeof(ret->caller.org)) ||
	    part_next(&caller, ret->caller.owner, sizeof(ret->caller.owner)))
		return -1;
	if (token_role_parse(role) < 0)
		return -1;
	ret->caller.role = (enum token_role)token_role_parse(role);
	return 0;
}

void forwarded_sign(struct forwarded_sender *sender, struct forwarded *f, const char *to,
		    const struct http_head *head, const struct forwarded_content *content,
		    struct forwarded_lines *lines)
{
	TEXT_SET(f->from, sender->self);
	TEXT_SET(f->to, to);
	f->sequence = ++sender->sequence;
	hash_sha256(content->body_len ? content->body : "", content->body_len, f->body);
	forwarded_write(f, sender->key, head, content->target, lines);
}

int forwarded_is(const struct http_head *head)
{
	return http_head_find(head, FORWARDED_FIELD) != NULL;
}

int forwarded_read(const struct http_head *head, const unsigned char key[FORWARDED_KEY_SIZE],
		   struct forwarded *ret)
{
	const char *signature = http_head_find(head, SIGNATURE_FIELD);
	char wanted[HASH_HEX_ROOM(HASH_SHA256_LEN)];
	struct signed_parts parts = {
		.method = http_method_name(head->method),
		.target = head->target,
		.head = head,
		.forwarded = http_head_find(head, FORWARDED_FIELD),
		.caller = http_head_find(head, CALLER_FIELD),
	};

	if (!signature || !parts.forwarded || !parts.caller ||
	    strlen(signature) != sizeof(wanted) - 1)
		return -1;
	parts_sign(&parts, key, wanted);
	if (!hash_equal(wanted, signature, sizeof(wanted) - 1))
		return -1;
	return lines_parse(parts.forwarded, parts.caller, ret);
}

/* ---- each number once -------------------------------------------------------------------- */

struct forwarded_window *forwarded_window(struct forwarded_window *windows, size_t count,
					  const char *from)
{
	struct forwarded_window *oldest = windows;

	for (size_t i = 0; i < count; i++) {
		if (!strcmp(windows[i].from, from))
			return &windows[i];
		if (windows[i].used_ms < oldest->used_ms)
			oldest = &windows[i];
	}
	memset(oldest, 0, sizeof(*oldest));
	TEXT_SET(oldest->from, from);
	return oldest;
}

int forwarded_take(struct forwarded_window *window, int64_t sequence)
{
	uint64_t *word, bit;

	if (sequence < 1 || sequence <= window->newest - FORWARDED_WINDOW)
		return -1;
	word = &window->taken[sequence % FORWARDED_WINDOW / 64];
	bit = UINT64_C(1) << sequence % 64;
	if (sequence <= window->newest) {
		if (*word & bit)
			return -1;
		*word |= bit;
		return 0;
	}
	/* The numbers between were not seen yet; their bits may be of earlier ones. */
	if (sequence - window->newest >= FORWARDED_WINDOW)
		memset(window->taken, 0, sizeof(window->taken));
	else
		for (int64_t n = window->newest + 1; n < sequence; n++)
			window->taken[n % FORWARDED_WINDOW / 64] &= ~(UINT64_C(1) << n % 64);
	window->newest = sequence;
	*word |= bit;
	return 0;
}
