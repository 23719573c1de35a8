/* SPDX-License-Identifier: MIT */
/*
 * Three small state machines in sequence: request line, fields, body (parser_body.c). Each
 * consumes bytes until it needs more, refuses, or hands over. Decisions depend only on the
 * bytes so far, never on where a chunk of input ended, so no machine looks ahead.
 */
#include "http/parser.h"

#include <string.h>
#include <strings.h>

#include "http/parser_states.h"
#include "http/token.h"

/* the first byte of a TLS client, which sends nothing else before it gets an answer */
#define TLS_HANDSHAKE 0x16
/* a longer method cannot be a known one */
#define METHOD_LEN_MAX 32

void http_parser_begin(struct http_parser *p, struct http_head *head,
		       const struct http_limits *limits)
{
	memset(p, 0, sizeof(*p));
	p->limits = limits;
	p->head = head;
	p->body_max = limits->body_max;
	p->state = S_START;
	/* fields and text need no zeroing: they are written before they are read */
	memset(head, 0, offsetof(struct http_head, fields));
	head->text_len = 0;
}

void http_parser_allow_body(struct http_parser *p, uint64_t max)
{
	p->body_max = max;
}

void http_parser_resume(struct http_parser *p, struct http_head *head)
{
	p->head = head;
}

int http_parser_is_started(const struct http_parser *p)
{
	return p->state > S_START_AGAIN;
}

enum http_refusal http_parser_refusal(const struct http_parser *p)
{
	return (enum http_refusal)p->refusal;
}

/* ---- the request line ---- */

static int line_begin(struct http_parser *p, char c)
{
	if (p->state == S_START_LF) {
		if (c != '\n')
			return parser_refuse(p, HTTP_REFUSED_LINE);
		p->state = S_START_AGAIN;
		return HAND_OVER;
	}
	if (c == '\r' && p->state == S_START) {
		p->state = S_START_LF;
		return HAND_OVER;
	}
	if (c == TLS_HANDSHAKE && p->state == S_START)
		return parser_refuse(p, HTTP_REFUSED_TLS);
	if (!token_lower(c))
		return parser_refuse(p, HTTP_REFUSED_LINE);
	p->state = S_METHOD;
	p->method[0] = c;
	p->token_len = 1;
	p->line_len = 1;
	return HAND_OVER;
}

static int method_read(struct http_parser *p, char c)
{
	p->line_len++;
	if (c == ' ') {
		/* a CONNECT has another form of target: refuse it before parsing that */
		if (p->token_len == 7 && !memcmp(p->method, "CONNECT", 7))
			return parser_refuse(p, HTTP_REFUSED_METHOD);
		p->state = S_TARGET_START;
		return HAND_OVER;
	}
	if (!token_lower(c))
		return parser_refuse(p, HTTP_REFUSED_LINE);
	if (p->token_len == METHOD_LEN_MAX)
		return parser_refuse(p, HTTP_REFUSED_METHOD);
	if (p->token_len < sizeof(p->method))
		p->method[p->token_len] = c;
	p->token_len++;
	return HAND_OVER;
}

static int target_start(struct http_parser *p, char c)
{
	if (c != '/')
		return parser_refuse(p, HTTP_REFUSED_TARGET);
	p->state = S_TARGET;
	p->mark = p->head->text_len;
	return HAND_OVER;
}

static char *text_end(struct http_parser *p)
{
	return p->head->text + p->head->text_len;
}

/* Called at the space after the target. */
static int target_end(struct http_parser *p)
{
	struct http_head *head = p->head;
	const char *target = head->text + p->mark;
	size_t len = head->text_len - p->mark;
	const char *question = memchr(target, '?', len);
	size_t path_len = question ? (size_t)(question - target) : len;

	if (memchr(target, '%', len) && token_check_escapes(target, len))
		return parser_refuse(p, HTTP_REFUSED_TARGET);
	head->text[head->text_len++] = '\0';
	head->target = target;
	head->target_len = (uint16_t)len;
	head->path = target;
	head->path_len = (uint16_t)path_len;
	if (question) {
		/* copy the path, so that it and the target both end with a NUL */
		head->query = question + 1;
		head->query_len = (uint16_t)(len - path_len - 1);
		head->path = memcpy(text_end(p), target, path_len);
		head->text_len += (uint32_t)path_len;
		head->text[head->text_len++] = '\0';
	}
	p->state = S_VERSION;
	p->token_len = 0;
	return HAND_OVER;
}

static int target_read(struct http_parser *p, struct parser_cursor *c)
{
	size_t space = p->limits->line_max > p->line_len ? p->limits->line_max - p->line_len : 0;
	const char *stop = (size_t)(c->end - c->at) > space ? c->at + space : c->end;
	const char *at = c->at;
	size_t n;

	while (at < stop && token_is(*at, TOKEN_TARGET))
		at++;
	n = (size_t)(at - c->at);
	memcpy(text_end(p), c->at, n);
	p->head->text_len += (uint32_t)n;
	p->line_len += (uint32_t)n;
	c->at = at;
	if (at == c->end)
		return HAND_OVER;
	if (at == stop)
		return parser_refuse(p, HTTP_REFUSED_TARGET_SIZE);
	c->at++;
	p->line_len++;
	return *at == ' ' ? target_end(p) : parser_refuse(p, HTTP_REFUSED_TARGET);
}

static int version_read(struct http_parser *p, char c)
{
	static const char form[] = "HTTP/d.d\r";
	char want = form[p->token_len];

	if (want == 'd' ? !token_is_digit(c) : c != want)
		return parser_refuse(p, HTTP_REFUSED_LINE);
	if (c != '\r' && ++p->line_len > p->limits->line_max)
		return parser_refuse(p, HTTP_REFUSED_TARGET_SIZE);
	if (want == 'd')
		p->digits[p->token_len == 7] = (uint8_t)(c - '0');
	if (c == '\r')
		p->state = S_LINE_LF;
	p->token_len++;
	return HAND_OVER;
}

static int line_end(struct http_parser *p, char c)
{
	struct http_head *head = p->head;

	if (c != '\n')
		return parser_refuse(p, HTTP_REFUSED_LINE);
	if (p->digits[0] != 1 || p->digits[1] > 1)
		return parser_refuse(p, HTTP_REFUSED_VERSION);
	head->minor = p->digits[1];
	head->method = token_find_method(p->method, strnlen(p->method, sizeof(p->method)));
	if (head->method == HTTP_METHOD_COUNT)
		return parser_refuse(p, HTTP_REFUSED_METHOD);
	p->state = S_FIELD_START;
	return HAND_OVER;
}

static int line_feed(struct http_parser *p, struct parser_cursor *c)
{
	int step = HAND_OVER;

	while (step == HAND_OVER && c->at < c->end && p->state < S_FIELD_START) {
		switch (p->state) {
		case S_START:
		case S_START_LF:
		case S_START_AGAIN:
			step = line_begin(p, *c->at++);
			break;
		case S_METHOD:
			step = method_read(p, *c->at++);
			break;
		case S_TARGET_START:
			/* leaves the "/" to the next state, which stores it */
			step = target_start(p, *c->at);
			break;
		case S_TARGET:
			step = target_read(p, c);
			break;
		case S_VERSION:
			step = version_read(p, *c->at++);
			break;
		default:
			step = line_end(p, *c->at++);
			break;
		}
	}
	return step;
}

/* ---- the fields ---- */

/* How many more bytes this field line may have. */
static size_t field_space(const struct http_parser *p)
{
	uint32_t line = p->limits->field_max - p->line_len;
	uint32_t all = p->limits->fields_max - p->fields_len;

	return line < all ? line : all;
}

static int field_begin(struct http_parser *p, char c)
{
	struct http_head *head = p->head;

	if (c == '\r') {
		p->state = S_HEAD_LF;
		return HAND_OVER;
	}
	if (!token_lower(c))
		return parser_refuse(p, HTTP_REFUSED_FIELD);
	if (head->field_count >= p->limits->field_count)
		return parser_refuse(p, HTTP_REFUSED_FIELDS_SIZE);
	p->line_len = 0;
	p->mark = head->text_len;
	p->state = S_NAME;
	return HAND_OVER;
}

static int name_read(struct http_parser *p, struct parser_cursor *c)
{
	size_t space = field_space(p);
	const char *stop = (size_t)(c->end - c->at) > space ? c->at + space : c->end;
	const char *at = c->at;
	char *out = text_end(p);
	struct http_head *head = p->head;
	struct http_field *f = &head->fields[head->field_count];

	while (at < stop && token_lower(*at))
		*out++ = (char)token_lower(*at++);
	head->text_len += (uint32_t)(at - c->at);
	p->line_len += (uint32_t)(at - c->at);
	p->fields_len += (uint32_t)(at - c->at);
	c->at = at;
	if (at == c->end)
		return HAND_OVER;
	if (at == stop)
		return parser_refuse(p, HTTP_REFUSED_FIELDS_SIZE);
	c->at++;
	p->line_len++;
	p->fields_len++;
	if (*at != ':')
		return parser_refuse(p, HTTP_REFUSED_FIELD);
	f->name = head->text + p->mark;
	f->name_len = (uint16_t)(head->text_len - p->mark);
	head->text[head->text_len++] = '\0';
	p->mark = p->trimmed = head->text_len;
	p->state = S_VALUE_START;
	return HAND_OVER;
}

/* Called at the CR after the value. */
static int value_end(struct http_parser *p)
{
	struct http_head *head = p->head;
	struct http_field *f = &head->fields[head->field_count];

	if (++p->fields_len > p->limits->fields_max)
		return parser_refuse(p, HTTP_REFUSED_FIELDS_SIZE);
	f->value = head->text + p->mark;
	f->value_len = (uint16_t)(p->trimmed - p->mark);
	head->text_len = p->trimmed;
	head->text[head->text_len++] = '\0';
	p->state = S_FIELD_LF;
	return HAND_OVER;
}

static int char_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Stores part of the value, and the position of its last non-blank character. */
static void value_store(struct http_parser *p, const char *piece, size_t len)
{
	size_t trimmed = len;

	memcpy(text_end(p), piece, len);
	while (trimmed && char_is_blank(piece[trimmed - 1]))
		trimmed--;
	if (trimmed)
		p->trimmed = p->head->text_len + (uint32_t)trimmed;
	p->head->text_len += (uint32_t)len;
	p->state = S_VALUE;
}

/* White space before the value counts towards the limit but is not stored. */
static int value_read(struct http_parser *p, struct parser_cursor *c)
{
	size_t space = field_space(p);
	const char *stop = (size_t)(c->end - c->at) > space ? c->at + space : c->end;
	const char *at = c->at;
	const char *from;

	if (p->state == S_VALUE_START) {
		while (at < stop && char_is_blank(*at))
			at++;
	}
	from = at;
	while (at < stop && token_is(*at, TOKEN_VALUE))
		at++;
	if (at > from)
		value_store(p, from, (size_t)(at - from));
	p->line_len += (uint32_t)(at - c->at);
	p->fields_len += (uint32_t)(at - c->at);
	c->at = at;
	if (at == c->end)
		return HAND_OVER;
	if (*at == '\r') {
		c->at++;
		return value_end(p);
	}
	if (at == stop)
		return parser_refuse(p, HTTP_REFUSED_FIELDS_SIZE);
	c->at++;
	return parser_refuse(p, HTTP_REFUSED_FIELD);
}

/* A field is complete: checks that concern this field alone. */
static int field_end(struct http_parser *p, char c)
{
	static const uint8_t single[] = {
#define X(name, text, is_single) is_single,
		HTTP_KNOWN_FIELDS(X)
#undef X
	};
	struct http_head *head = p->head;
	const struct http_field *f = &head->fields[head->field_count];
	int known;

	if (c != '\n')
		return parser_refuse(p, HTTP_REFUSED_FIELD);
	if (++p->fields_len > p->limits->fields_max)
		return parser_refuse(p, HTTP_REFUSED_FIELDS_SIZE);
	head->field_count++;
	p->state = S_FIELD_START;
	known = token_find_field(f->name, f->name_len);
	if (known < 0)
		return known == -1 ? HAND_OVER : parser_refuse(p, HTTP_REFUSED_FIELD);
	if (head->known[known])
		return single[known] ? parser_refuse(p, known == HTTP_FIELD_HOST ?
								HTTP_REFUSED_HOST :
								HTTP_REFUSED_FIELD_TWICE) :
				       HAND_OVER;
	head->known[known] = (uint8_t)head->field_count;
	if (known == HTTP_FIELD_HOST) {
		head->host = f->value;
		head->host_len = (uint16_t)token_check_host(f->value, f->value_len);
		if (!head->host_len)
			return parser_refuse(p, HTTP_REFUSED_HOST);
	} else if (known == HTTP_FIELD_CONTENT_LENGTH) {
		if (token_read_length(f->value, f->value_len, &head->length))
			return parser_refuse(p, HTTP_REFUSED_LENGTH);
	}
	return HAND_OVER;
}

static const struct http_field *field_register(const struct http_head *head, int field)
{
	return head->known[field] ? &head->fields[head->known[field] - 1] : NULL;
}

static enum http_refusal framing_set(struct http_head *head)
{
	const struct http_field *coding = field_register(head, HTTP_FIELD_TRANSFER_ENCODING);
	int has_length = head->known[HTTP_FIELD_CONTENT_LENGTH] != 0;
	enum http_refusal why;

	if (coding && (has_length || head->minor == 0))
		return HTTP_REFUSED_FRAMING;
	if (coding) {
		why = token_check_coding(coding->value, coding->value_len);
		if (why)
			return why;
		head->framing = HTTP_FRAMING_CHUNKED;
	} else if (head->length) {
		head->framing = HTTP_FRAMING_LENGTH;
	}
	switch (head->method) {
	case HTTP_GET:
	case HTTP_HEAD:
		return head->framing ? HTTP_REFUSED_BODY_UNEXPECTED : HTTP_REFUSED_NONE;
	case HTTP_POST:
	case HTTP_PUT:
		return coding || has_length ? HTTP_REFUSED_NONE : HTTP_REFUSED_LENGTH_NEEDED;
	default:
		return HTTP_REFUSED_NONE;
	}
}

/* The head is complete: checks that concern several fields. */
static int head_end(struct http_parser *p, char c)
{
	struct http_head *head = p->head;
	const struct http_field *encoding = field_register(head, HTTP_FIELD_CONTENT_ENCODING);
	const struct http_field *expect = field_register(head, HTTP_FIELD_EXPECT);
	enum http_refusal why;

	if (c != '\n')
		return parser_refuse(p, HTTP_REFUSED_FIELD);
	if (head->minor == 1 && !head->host)
		return parser_refuse(p, HTTP_REFUSED_HOST);
	why = framing_set(head);
	if (why)
		return parser_refuse(p, why);
	if (encoding && strcasecmp(encoding->value, "identity"))
		return parser_refuse(p, HTTP_REFUSED_CONTENT_ENCODING);
	if (expect && strcasecmp(expect->value, "100-continue"))
		return parser_refuse(p, HTTP_REFUSED_EXPECT);
	head->expect_continue = expect && head->minor == 1 && head->framing != HTTP_FRAMING_NONE;
	head->close = head->minor == 0 || http_head_lists(head, HTTP_FIELD_CONNECTION, "close");
	head->upgrade = head->known[HTTP_FIELD_UPGRADE] &&
			http_head_lists(head, HTTP_FIELD_CONNECTION, "upgrade");
	p->state = S_HEAD_DONE;
	return HTTP_STEP_HEAD;
}

static int fields_feed(struct http_parser *p, struct parser_cursor *c)
{
	int step = HAND_OVER;

	while (step == HAND_OVER && c->at < c->end && p->state < S_HEAD_DONE) {
		switch (p->state) {
		case S_FIELD_START:
			/*
			 * the CR that ends the head is consumed; the first byte of a name is
			 * left
			 */
			step = field_begin(p, *c->at);
			if (p->state == S_HEAD_LF)
				c->at++;
			break;
		case S_NAME:
			step = name_read(p, c);
			break;
		case S_VALUE_START:
		case S_VALUE:
			step = value_read(p, c);
			break;
		case S_FIELD_LF:
			step = field_end(p, *c->at++);
			break;
		default:
			step = head_end(p, *c->at++);
			break;
		}
	}
	return step;
}

enum http_step http_parser_feed(struct http_parser *p, const char *data, size_t len,
				size_t *ret_used, struct http_span *ret_body)
{
	struct parser_cursor c = { .at = data, .end = data + len };
	int step = HAND_OVER;

	if (p->state < S_FIELD_START)
		step = line_feed(p, &c);
	if (step == HAND_OVER && p->state >= S_FIELD_START && p->state < S_HEAD_DONE)
		step = fields_feed(p, &c);
	else if (step == HAND_OVER && p->state >= S_HEAD_DONE && p->state < S_REFUSED)
		step = parser_body_feed(p, &c);
	else if (p->state == S_REFUSED)
		step = HTTP_STEP_REFUSED;
	*ret_used = (size_t)(c.at - data);
	if (step == HTTP_STEP_BODY)
		*ret_body = c.body;
	return step == HAND_OVER ? HTTP_STEP_MORE : (enum http_step)step;
}
