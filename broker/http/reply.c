/* SPDX-License-Identifier: MIT */
/*
 * Composes answers. An answer goes to the connection's output if its exchange is the first of
 * the queue, otherwise to a buffer of its own until then. Nothing is written to a socket here:
 * connection_turn() does that once for all answers of a turn.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "http/internal.h"
#include "http/token.h"
#include "util/alloc.h"

#define STATUSES(X) \
	X(200, "OK") X(201, "Created") X(202, "Accepted") X(204, "No Content") \
	X(206, "Partial Content") X(301, "Moved Permanently") X(302, "Found") \
	X(303, "See Other") X(304, "Not Modified") X(307, "Temporary Redirect") \
	X(308, "Permanent Redirect") X(400, "Bad Request") X(401, "Unauthorized") \
	X(402, "Payment Required") X(403, "Forbidden") X(404, "Not Found") \
	X(405, "Method Not Allowed") X(406, "Not Acceptable") X(408, "Request Timeout") \
	X(409, "Conflict") X(410, "Gone") X(411, "Length Required") \
	X(412, "Precondition Failed") X(413, "Content Too Large") X(414, "URI Too Long") \
	X(415, "Unsupported Media Type") X(417, "Expectation Failed") \
	X(421, "Misdirected Request") X(422, "Unprocessable Content") X(423, "Locked") \
	X(424, "Failed Dependency") X(425, "Too Early") X(426, "Upgrade Required") \
	X(428, "Precondition Required") X(429, "Too Many Requests") \
	X(431, "Request Header Fields Too Large") X(500, "Internal Server Error") \
	X(501, "Not Implemented") X(502, "Bad Gateway") X(503, "Service Unavailable") \
	X(504, "Gateway Timeout") X(505, "HTTP Version Not Supported") \
	X(507, "Insufficient Storage")

#define STATUS_MIN 200
#define STATUS_MAX 599

static const char *const reasons[STATUS_MAX - STATUS_MIN + 1] = {
#define X(status, text) [status - STATUS_MIN] = text,
	STATUSES(X)
#undef X
};

/* Status line, Date, Content-Length, Connection and other parts of bounded length. */
#define HEAD_SIZE 256

static char *text_append(char *to, const char *text, size_t len)
{
	memcpy(to, text, len);
	return to + len;
}

#define PUT(to, literal) text_append(to, literal, sizeof(literal) - 1)

static char *number_append(char *to, size_t value)
{
	char digits[24];
	char *p = digits + sizeof(digits);

	do {
		*--p = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	return text_append(to, p, (size_t)(digits + sizeof(digits) - p));
}

static struct evbuffer *reply_output(struct http_exchange *ex)
{
	if (exchange_is_first(ex))
		return ex->conn->output;
	if (!ex->held) {
		ex->held = evbuffer_new();
		if (!ex->held)
			ex->conn->is_broken = 1;
	}
	return ex->held;
}

enum body_mode { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_UNTIL_CLOSE };

struct answer {
	int status;
	const char *type;	/* or NULL */
	enum body_mode mode;
	const char *body;
	size_t len;
};

static char *head_append(char *to, struct http_exchange *ex, const struct answer *a)
{
	const char *reason = reasons[a->status - STATUS_MIN];
	struct http_server *server = ex->server;

	to = PUT(to, "HTTP/1.1 ");
	to = number_append(to, (size_t)a->status);
	*to++ = ' ';
	if (reason)
		to = text_append(to, reason, strlen(reason));
	to = PUT(to, "\r\n");
	to = text_append(to, server_date_line(server), DATE_LINE_LEN);
	if (a->type) {
		to = PUT(to, "Content-Type: ");
		to = text_append(to, a->type, strlen(a->type));
		to = PUT(to, "\r\n");
	}
	if (a->mode == BODY_LENGTH) {
		to = PUT(to, "Content-Length: ");
		to = number_append(to, a->len);
		to = PUT(to, "\r\n");
	} else if (a->mode == BODY_CHUNKED) {
		to = PUT(to, "Transfer-Encoding: chunked\r\n");
	}
	if (ex->close)
		to = PUT(to, "Connection: close\r\n");
	to = text_append(to, server->answer_fields, server->answer_fields_len);
	to = text_append(to, buf_str(&ex->fields), ex->fields.len);
	return PUT(to, "\r\n");
}

/* Head and body go into one contiguous buffer, so that one write sends them. */
static void answer_compose(struct http_exchange *ex, const struct answer *a)
{
	size_t body_len = a->mode == BODY_LENGTH && !ex->no_content ? a->len : 0;
	size_t size = HEAD_SIZE + (a->type ? strlen(a->type) : 0) + ex->server->answer_fields_len +
		      ex->fields.len + body_len;
	struct evbuffer *out = reply_output(ex);
	struct evbuffer_iovec vec;
	char *end;

	ex->is_answered = 1;
	ex->server->counters.answers[a->status / 100]++;
	if (!out || evbuffer_reserve_space(out, (ev_ssize_t)size, &vec, 1) < 1) {
		ex->conn->is_broken = 1;
		return;
	}
	end = head_append(vec.iov_base, ex, a);
	if (body_len)
		end = text_append(end, a->body, body_len);
	vec.iov_len = (size_t)(end - (char *)vec.iov_base);
	ex->server->counters.bytes_out += vec.iov_len;
	if (evbuffer_commit_space(out, &vec, 1))
		ex->conn->is_broken = 1;
}

static int status_is_bodiless(int status)
{
	return status == 204 || status == 304;
}

/* Applies the server's own rules to an answer before it is composed. */
static void answer_prepare(struct http_exchange *ex, int *status)
{
	struct http_connection *conn = ex->conn;

	if (*status < STATUS_MIN || *status > STATUS_MAX)
		*status = 500;
	ex->no_content = ex->head->method == HTTP_HEAD || status_is_bodiless(*status);
	/* the last answer on a draining connection announces the close */
	if (ex->server->is_draining && !TAILQ_NEXT(ex, link) && !conn->reading)
		ex->close = 1;
}

void http_reply(struct http_exchange *ex, int status, const char *content_type,
		const char *body, size_t len)
{
	struct answer a = { .type = content_type, .mode = BODY_LENGTH, .body = body, .len = len };

	if (ex->conn && !ex->is_answered) {
		answer_prepare(ex, &status);
		a.status = status;
		if (status_is_bodiless(status))
			a.mode = BODY_NONE;
		answer_compose(ex, &a);
	} else {
		/* a second answer is a bug in the handler: leave the first one unfinished */
		ex->close = 1;
	}
	exchange_end(ex);
}

static void json_append_string(struct buf *b, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20)
			buf_addf(b, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			buf_addf(b, "\\%c", c);
		else
			buf_addc(b, (char)c);
	}
}

void http_reply_error(struct http_exchange *ex, int status, const char *code, const char *message)
{
	auto_buf struct buf body;

	buf_init(&body, 4096);
	buf_adds(&body, "{\"error\":\"");
	json_append_string(&body, code);
	buf_adds(&body, "\",\"message\":\"");
	json_append_string(&body, message);
	buf_adds(&body, "\"}");
	http_reply(ex, status, "application/json", body.data, body.len);
}

void reply_refusal(struct http_exchange *ex, enum http_refusal why)
{
	ex->server->counters.refusals[why]++;
	http_reply_error(ex, http_refusal_status(why), http_refusal_code(why),
			 http_refusal_message(why));
}

void http_reply_close(struct http_exchange *ex)
{
	ex->close = 1;
}

static int field_is_reserved(const char *name)
{
	static const char *const ours[] = { "connection", "content-length", "content-type",
					    "date", "transfer-encoding" };

	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		if (!strcasecmp(name, ours[i]))
			return 1;
	}
	return 0;
}

int http_reply_header(struct http_exchange *ex, const char *name, const char *value)
{
	size_t name_len = strlen(name), value_len = strlen(value);

	if (!name_len || field_is_reserved(name))
		return -1;
	for (size_t i = 0; i < name_len; i++) {
		if (!token_lower(name[i]))
			return -1;
	}
	for (size_t i = 0; i < value_len; i++) {
		if (!token_is(value[i], TOKEN_VALUE))
			return -1;
	}
	if (name_len + value_len + 4 > ex->fields.max - ex->fields.len)
		return -1;
	buf_add(&ex->fields, name, name_len);
	buf_adds(&ex->fields, ": ");
	buf_add(&ex->fields, value, value_len);
	buf_adds(&ex->fields, "\r\n");
	return 0;
}

void http_stream_begin(struct http_exchange *ex, int status, const char *content_type,
		       http_drain_fn on_drain, void *arg)
{
	struct answer a = { .type = content_type, .mode = BODY_CHUNKED };

	if (ex->is_answered || ex->is_streaming)
		return;
	ex->is_streaming = 1;
	ex->on_drain = on_drain;
	ex->drain_arg = arg;
	if (!ex->conn)
		return;
	answer_prepare(ex, &status);
	a.status = status;
	if (status_is_bodiless(status)) {
		a.mode = BODY_NONE;
	} else if (ex->head->minor == 0) {
		a.mode = BODY_UNTIL_CLOSE;
		ex->close = 1;
	}
	ex->is_chunked = a.mode == BODY_CHUNKED;
	answer_compose(ex, &a);
	connection_wake(ex->conn);
}

int http_stream_chunk(struct http_exchange *ex, const char *data, size_t len)
{
	struct evbuffer *out;
	size_t unsent;

	if (!ex->conn || ex->conn->is_broken)
		return -1;
	if (!ex->is_streaming || ex->no_content || !len)
		return 0;
	out = reply_output(ex);
	if (!out)
		return -1;
	if (ex->is_chunked)
		evbuffer_add_printf(out, "%zx\r\n", len);
	if (evbuffer_add(out, data, len))
		ex->conn->is_broken = 1;
	if (ex->is_chunked)
		evbuffer_add(out, "\r\n", 2);
	ex->server->counters.bytes_out += len;
	connection_wake(ex->conn);
	unsent = evbuffer_get_length(out);
	if (unsent <= ex->server->config.stream_max)
		return 0;
	ex->drain_owed = 1;
	return 1;
}

void http_stream_end(struct http_exchange *ex)
{
	if (ex->conn && ex->is_streaming && ex->is_chunked && !ex->no_content) {
		struct evbuffer *out = reply_output(ex);

		if (out)
			evbuffer_add(out, "0\r\n\r\n", 5);
	}
	/* an end without a beginning is a bug in the handler: send no false success */
	if (!ex->is_streaming)
		ex->close = 1;
	exchange_end(ex);
}

void http_drop(struct http_exchange *ex)
{
	ex->close = 1;
	exchange_end(ex);
}
