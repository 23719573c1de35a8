/* SPDX-License-Identifier: MIT */
#include "http-trace.h"

#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"

#define TEXT_MAX (64u << 20)

/* Bytes as Latin-1, so that every byte string has one spelling. */
static void put_string(struct buf *b, const char *s, size_t len)
{
	static const char hex[] = "0123456789abcdef";

	buf_addc(b, '"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') {
			char code[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

			buf_add(b, code, sizeof(code));
		} else {
			buf_addc(b, (char)c);
		}
	}
	buf_addc(b, '"');
}

static void put_request(struct buf *b, const struct http_head *h, const struct buf *body,
			size_t end)
{
	buf_addf(b, "{\"method\":\"%s\",\"minor\":%d,\"close\":%d,\"expect\":%d,\"upgrade\":%d,"
		    "\"framing\":%d,\"target\":",
		 http_method_name(h->method), h->minor, h->close, h->expect_continue, h->upgrade,
		 (int)h->framing);
	put_string(b, h->target, h->target_len);
	buf_adds(b, ",\"path\":");
	put_string(b, h->path, h->path_len);
	buf_adds(b, ",\"query\":");
	if (h->query)
		put_string(b, h->query, h->query_len);
	else
		buf_adds(b, "null");
	buf_adds(b, ",\"host\":");
	put_string(b, h->host ? h->host : "", h->host_len);
	buf_adds(b, ",\"headers\":[");
	for (unsigned i = 0; i < h->field_count; i++) {
		const struct http_field *f = &h->fields[i];

		buf_adds(b, i ? ",[" : "[");
		put_string(b, f->name, f->name_len);
		buf_addc(b, ',');
		put_string(b, f->value, f->value_len);
		buf_addc(b, ']');
	}
	buf_adds(b, "],\"body\":");
	put_string(b, buf_str(body), body->len);
	buf_addf(b, ",\"end\":%zu}\n", end);
}

struct run {
	struct http_limits limits;
	struct http_parser parser;
	struct http_head *head;
	struct http_head *other;
	struct buf body;
	int is_over;
};

/* Invariants of every head, whatever the input. */
static void check_head(const struct http_head *h)
{
	if (strlen(h->target) != h->target_len || strlen(h->path) != h->path_len ||
	    h->path[0] != '/' || (h->query && strlen(h->query) != h->query_len) ||
	    h->field_count > HTTP_FIELD_COUNT_MAX || h->text_len > sizeof(h->text))
		abort();
	for (unsigned i = 0; i < h->field_count; i++) {
		const struct http_field *f = &h->fields[i];

		if (!f->name_len || strlen(f->name) != f->name_len ||
		    strlen(f->value) != f->value_len)
			abort();
	}
	if (h->minor == 0 && h->framing == HTTP_FRAMING_CHUNKED)
		abort();
}

static void feed(struct trace *t, struct run *r, const char *data, size_t len)
{
	size_t done = 0;

	while (!r->is_over) {
		struct http_span span = { 0 };
		size_t used = 0;
		enum http_step step = http_parser_feed(&r->parser, data + done, len - done, &used,
						       &span);

		if (used > len - done)
			abort();
		done += used;
		t->used += used;
		switch (step) {
		case HTTP_STEP_MORE:
			if (done != len)
				abort();
			return;
		case HTTP_STEP_HEAD:
			check_head(r->head);
			break;
		case HTTP_STEP_BODY:
			buf_add(&r->body, span.at, span.len);
			break;
		case HTTP_STEP_DONE:
			t->requests++;
			put_request(&t->text, r->head, &r->body, t->used);
			buf_clear(&r->body);
			r->is_over = r->head->close;
			http_parser_begin(&r->parser, r->head, &r->limits);
			break;
		case HTTP_STEP_REFUSED:
			t->refusal = http_parser_refusal(&r->parser);
			r->is_over = 1;
			break;
		}
	}
}

static void poison(struct http_head *head)
{
	memset(head, 0xa5, sizeof(*head));
}

/* Between two pieces a head may be packed, and go on in other memory. */
static void head_move(struct run *r)
{
	struct http_head *from = r->head;
	void *packed = xrealloc(NULL, http_head_packed_size(from));

	http_head_pack(from, packed);
	poison(from);
	r->head = r->other;
	r->other = from;
	http_head_unpack(r->head, packed);
	http_parser_resume(&r->parser, r->head);
	free(packed);
}

void trace_run(struct trace *t, const char *data, size_t len, trace_cut_fn cut, void *arg)
{
	struct run r = { 0 };

	*t = (struct trace){ 0 };
	buf_init(&t->text, TEXT_MAX);
	buf_init(&r.body, TEXT_MAX);
	http_limits_init(&r.limits);
	r.head = xcalloc(1, sizeof(*r.head));
	r.other = xcalloc(1, sizeof(*r.other));
	/* memory that is read before it was written must not look valid by chance */
	poison(r.head);
	poison(r.other);
	http_parser_begin(&r.parser, r.head, &r.limits);
	for (size_t at = 0; at < len && !r.is_over;) {
		size_t n = cut ? cut(at, arg) : len;
		char *piece;

		n = n ? n : 1;
		n = n > len - at ? len - at : n;
		piece = xrealloc(NULL, n);
		memcpy(piece, data + at, n);
		feed(t, &r, piece, n);
		free(piece);
		at += n;
		if (!r.is_over)
			head_move(&r);
	}
	t->is_started = !r.is_over && http_parser_is_started(&r.parser);
	if (t->refusal)
		buf_addf(&t->text, "{\"refused\":%d,\"code\":\"%s\",\"at\":%zu}\n",
			 http_refusal_status(t->refusal), http_refusal_code(t->refusal), t->used);
	else
		buf_addf(&t->text, "{\"more\":%d,\"at\":%zu}\n", t->is_started, t->used);
	buf_fini(&r.body);
	free(r.head);
	free(r.other);
}

void trace_fini(struct trace *t)
{
	buf_fini(&t->text);
}

size_t trace_cut_once(size_t at, void *arg)
{
	size_t cut = *(const size_t *)arg;

	return at < cut ? cut - at : SIZE_MAX;
}

size_t trace_cut_each(size_t at, void *arg)
{
	(void)at;
	return *(const size_t *)arg;
}

size_t trace_cut_random(size_t at, void *arg)
{
	uint64_t *seed = arg;

	(void)at;
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return 1 + (size_t)(*seed >> 60);
}
