/* SPDX-License-Identifier: MIT */
/*
 * The strict HTTP/1.1 request parser: a pure state machine over bytes. It does
 * no I/O, reads no clock, allocates nothing, keeps no global state, and knows
 * nothing of libevent. Any thread may run it on its own objects.
 *
 * How the bytes are cut makes no difference: feeding a request whole, byte by
 * byte or in any other pieces gives the same steps, the same head, the same
 * body and the same refusal (tested at every split position, and fuzzed).
 *
 * It accepts less than RFC 9112 allows and never more. The choices:
 *
 *   line ends         CRLF only. A bare LF or CR is refused everywhere. One CRLF before
 *                     the request line is skipped, a second one is refused.
 *   method            upper-case, of the list below; any other token is 501. CONNECT
 *                     and TRACE are 501, always.
 *   target            origin-form only ("/..."); absolute-form, authority-form and "*"
 *                     are 400. Only RFC 3986 characters; a "%" must be followed by two
 *                     hex digits, must not hide a control character, and what is
 *                     decoded must be valid UTF-8. Nothing is decoded or normalised.
 *   version           HTTP/1.1. HTTP/1.0 is answered and closed, without chunked coding
 *                     and without 100-continue. Any other digit.digit is 505.
 *   fields            a token, ":", a value; no fold, no space before the colon, no
 *                     control character but TAB. 0x80-0xFF is opaque: never log it raw.
 *                     Unknown names are fine. A second Host, Content-Length,
 *                     Transfer-Encoding, Content-Type, Content-Encoding, Authorization,
 *                     Expect, Origin or Idempotency-Key is refused, and so is a name
 *                     that becomes one we know when "_" is read as "-".
 *   Host              needed in 1.1; one, not empty, a name or address and at most a port.
 *   Content-Length    digits without a leading zero; one value.
 *   Transfer-Encoding exactly "chunked", not with Content-Length, not in 1.0. OWS (also
 *                     TAB) around it is allowed. Another coding is 501.
 *   chunks            size of 1 to 8 hex digits and nothing else: extensions and trailer
 *                     fields are refused.
 *   body              GET and HEAD may carry "Content-Length: 0" and nothing more. POST,
 *                     PUT and PATCH must say how long they are (411). DELETE, OPTIONS and
 *                     PROPFIND may have a body.
 *   Content-Encoding  anything but identity is 415.
 *   Expect            "100-continue" or 417.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Upper bounds of the limits below: what the buffers are built for. */
#define HTTP_LINE_SIZE 4096
#define HTTP_FIELDS_SIZE 16384
#define HTTP_FIELD_COUNT_MAX 64

/* PROPFIND is here so that a route table can answer 405 to it; FOO is 501. */
#define HTTP_METHODS(X) \
	X(GET) X(HEAD) X(POST) X(PUT) X(PATCH) X(DELETE) X(OPTIONS) X(PROPFIND)

enum http_method {
#define X(name) HTTP_##name,
	HTTP_METHODS(X)
#undef X
	HTTP_METHOD_COUNT
};

/* Fields that the server, or nearly every route, asks for: found without a search. */
#define HTTP_KNOWN_FIELDS(X) \
	X(HOST, "host", 1) \
	X(CONTENT_LENGTH, "content-length", 1) \
	X(TRANSFER_ENCODING, "transfer-encoding", 1) \
	X(CONTENT_TYPE, "content-type", 1) \
	X(CONTENT_ENCODING, "content-encoding", 1) \
	X(AUTHORIZATION, "authorization", 1) \
	X(EXPECT, "expect", 1) \
	X(ORIGIN, "origin", 1) \
	X(IDEMPOTENCY_KEY, "idempotency-key", 1) \
	X(CONNECTION, "connection", 0) \
	X(UPGRADE, "upgrade", 0) \
	X(USER_AGENT, "user-agent", 0)

enum http_known_field {
#define X(name, text, single) HTTP_FIELD_##name,
	HTTP_KNOWN_FIELDS(X)
#undef X
	HTTP_FIELD_KNOWN_COUNT
};

/*
 * Why a request was refused: name, status, the error's machine name, the error's
 * message. All text is fixed; no byte of the input is ever part of an answer.
 * Every refusal ends the connection. The last group is raised by the server.
 */
#define HTTP_REFUSALS(X) \
	X(NONE, 0, "", "") \
	X(LINE, 400, "bad_request_line", "The request line is not well formed.") \
	X(TARGET, 400, "bad_target", "The request target is not a well-formed path.") \
	X(TARGET_SIZE, 414, "uri_too_long", "The request line is too long.") \
	X(METHOD, 501, "method_not_implemented", "The method is not implemented.") \
	X(VERSION, 505, "version_not_supported", "Only HTTP/1.1 is spoken here.") \
	X(FIELD, 400, "bad_header", "A header field is not well formed.") \
	X(FIELD_TWICE, 400, "duplicate_header", "A header field may be given only once.") \
	X(FIELDS_SIZE, 431, "headers_too_large", "The header fields are too many or too large.") \
	X(HOST, 400, "bad_host", "Exactly one well-formed Host field is needed.") \
	X(LENGTH, 400, "bad_content_length", "Content-Length is not a plain number.") \
	X(LENGTH_NEEDED, 411, "length_required", "Content-Length is needed.") \
	X(FRAMING, 400, "ambiguous_framing", "The length of the body is ambiguous.") \
	X(CODING, 400, "bad_transfer_encoding", "Transfer-Encoding is not well formed.") \
	X(CODING_UNKNOWN, 501, "transfer_encoding_not_implemented", \
	  "Only the chunked transfer coding is implemented.") \
	X(BODY_UNEXPECTED, 400, "unexpected_body", "This method takes no body.") \
	X(BODY_SIZE, 413, "body_too_large", "The body is too large.") \
	X(CHUNK, 400, "bad_chunk", "The chunked body is not well formed.") \
	X(CONTENT_ENCODING, 415, "unsupported_content_encoding", "The body must not be encoded.") \
	X(EXPECT, 417, "expectation_failed", "Only 100-continue can be expected.") \
	X(HEAD_TIMEOUT, 408, "request_timeout", "The request head took too long.") \
	X(BODY_TIMEOUT, 408, "request_timeout", "The request body took too long.") \
	X(HOST_FOREIGN, 421, "misdirected_request", "This host name is not served here.")

enum http_refusal {
#define X(name, status, code, text) HTTP_REFUSED_##name,
	HTTP_REFUSALS(X)
#undef X
	HTTP_REFUSAL_COUNT
};

/*
 * Sizes in bytes, checked as the bytes arrive, so that nothing beyond a limit is
 * ever stored. http_limits_init() fills in the defaults, shown here; a value may
 * be lowered, and is cut to its upper bound where it has one.
 */
struct http_limits {
	uint32_t line_max;	/* 4096: the request line without its CRLF; more is 414 */
	uint32_t field_max;	/* 8192: one field line without its CRLF; more is 431 */
	uint32_t fields_max;	/* 16384: all field lines with their CRLFs; more is 431 */
	uint32_t field_count;	/* 64: fields; one more is 431 */
	uint64_t body_max;	/* 65536: the body, decoded, unless http_parser_allow_body */
};

enum http_framing {
	HTTP_FRAMING_NONE,	/* no body */
	HTTP_FRAMING_LENGTH,	/* `length` bytes, at least one */
	HTTP_FRAMING_CHUNKED,
};

/* All pointers are NUL-terminated; the lengths do not count the NUL. */
struct http_field {
	const char *name;	/* in lower case */
	const char *value;	/* without the white space around it; may be "" */
	uint16_t name_len;
	uint16_t value_len;	/* a value holds no NUL, so this is strlen(value) */
};

/*
 * One request head. The memory is the caller's (about 26 KB, of which a usual
 * request touches 3 KB; it need not be zeroed), and it is filled by a parser: the
 * fields are to be read once HTTP_STEP_HEAD was returned, and hold until the
 * caller reuses the memory. It must not be copied or moved: it points into itself.
 */
struct http_head {
	enum http_method method;
	int minor;		/* HTTP/1.x: 0 or 1 */
	int close;		/* the client said "Connection: close", or speaks 1.0 */
	int expect_continue;	/* "Expect: 100-continue", with a body, in 1.1 */
	int upgrade;		/* "Connection: upgrade" and an Upgrade field */
	enum http_framing framing;
	uint64_t length;	/* with HTTP_FRAMING_LENGTH; capped at UINT64_MAX */
	const char *target;	/* as sent: path, or path?query */
	const char *path;	/* as sent, undecoded; begins with "/" */
	const char *query;	/* after the "?", undecoded; NULL when there is no "?" */
	uint16_t target_len, path_len, query_len;
	uint16_t host_len;	/* of the host without its port */
	const char *host;	/* as sent, not terminated; NULL when absent (1.0 only) */
	unsigned field_count;
	uint8_t known[HTTP_FIELD_KNOWN_COUNT];	/* 1 + index of the first one; 0: absent */
	struct http_field fields[HTTP_FIELD_COUNT_MAX];
	/* private */
	uint32_t text_len;
	char text[2 * (HTTP_LINE_SIZE + 1) + HTTP_FIELDS_SIZE];
};

enum http_step {
	HTTP_STEP_MORE,		/* everything was used; more bytes are needed */
	HTTP_STEP_HEAD,		/* the head is complete; decide about the body, then go on */
	HTTP_STEP_BODY,		/* some bytes of the body are in *ret_body; go on */
	HTTP_STEP_DONE,		/* the request is complete; http_parser_begin() starts the next */
	HTTP_STEP_REFUSED,	/* see http_parser_refusal(); every later call says so again */
};

struct http_span {
	const char *at;		/* into the bytes that were fed */
	size_t len;
};

/* Private but for its size; the caller owns the memory. */
struct http_parser {
	const struct http_limits *limits;
	struct http_head *head;
	uint64_t body_max;
	uint64_t left;		/* of the body or of the chunk */
	uint64_t taken;		/* of the body, over all chunks */
	uint32_t line_len;	/* bytes of this line so far */
	uint32_t fields_len;	/* bytes of all field lines so far */
	uint32_t mark;		/* where the token being read begins in head->text */
	uint32_t trimmed;	/* where the value ends without trailing white space */
	uint8_t state;
	uint8_t refusal;
	uint8_t token_len;	/* method, version or chunk size: characters so far */
	uint8_t digits[2];	/* of the version */
	char method[12];
};

void http_limits_init(struct http_limits *limits);
/* Cuts what is above its upper bound. */
void http_limits_clamp(struct http_limits *limits);

/*
 * Starts a request. `head` and `limits` are borrowed until the request is done;
 * `head` is filled as bytes are fed.
 */
void http_parser_begin(struct http_parser *p, struct http_head *head,
		       const struct http_limits *limits);

/*
 * Takes bytes and returns the next step. *ret_used is how many were taken; after
 * any step but MORE (and REFUSED) call again with the rest, even when the rest is
 * empty. *ret_body is set with HTTP_STEP_BODY only.
 */
enum http_step http_parser_feed(struct http_parser *p, const char *data, size_t len,
				size_t *ret_used, struct http_span *ret_body);

/* After HTTP_STEP_HEAD and before the next call: the most this request may send. */
void http_parser_allow_body(struct http_parser *p, uint64_t max);

/* Has a byte of the request arrived (a skipped CRLF is none)? */
int http_parser_is_started(const struct http_parser *p);

enum http_refusal http_parser_refusal(const struct http_parser *p);

/* The fixed words of a refusal. Borrowed, static. */
int http_refusal_status(enum http_refusal refusal);
const char *http_refusal_code(enum http_refusal refusal);
const char *http_refusal_message(enum http_refusal refusal);

const char *http_method_name(enum http_method method);	/* "GET"; static */

/*
 * The first field of that name (given in lower case), or NULL. Borrowed from the
 * head. http_head_known() is the same for a known field, without a search.
 */
const char *http_head_find(const struct http_head *head, const char *name);
const char *http_head_known(const struct http_head *head, enum http_known_field field);

/* Does the comma-separated list of that known field hold `token` (lower case)? */
int http_head_lists(const struct http_head *head, enum http_known_field field, const char *token);
