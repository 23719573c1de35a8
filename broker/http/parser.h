/* SPDX-License-Identifier: MIT */
/*
 * The strict HTTP/1.1 request parser: a pure state machine over bytes. It does no I/O, reads
 * no clock, allocates nothing, has no global state, and does not use libevent. Any thread may
 * run it on its own objects.
 *
 * Input may be split anywhere: feeding a request whole, byte by byte or in any other pieces
 * gives the same steps, head, body and refusal (tested at every split position, and fuzzed).
 *
 * It accepts less than RFC 9112 allows and never more:
 *
 * line ends         CRLF only; a bare LF or CR is refused everywhere. One CRLF before the
 *                   request line is skipped, a second one is refused.
 * method            upper case, from the list below; any other token is 501. CONNECT and
 *                   TRACE are always 501.
 * target            origin-form only ("/..."); absolute-form, authority-form and "*" are
 *                   400. RFC 3986 characters only. A "%" must be followed by two hex
 *                   digits and must not encode a control character; the decoded text must
 *                   be valid UTF-8. Nothing is decoded or normalised.
 * version           HTTP/1.1. HTTP/1.0 is answered and closed, without chunked coding and
 *                   without 100-continue. Any other digit.digit is 505.
 * fields            a token, ":", a value; no folding, no space before the colon, no
 *                   control character but TAB. 0x80-0xFF is opaque: never log it raw.
 *                   Unknown names are accepted. A second Host, Content-Length,
 *                   Transfer-Encoding, Content-Type, Content-Encoding, Authorization,
 *                   Expect, Origin or Idempotency-Key is refused, and so is a name that
 *                   matches a known one when "_" is read as "-".
 * Host              required in 1.1; exactly one, not empty: a name or address, optionally
 *                   with a port.
 * Content-Length    digits without a leading zero; one value.
 * Transfer-Encoding exactly "chunked"; not with Content-Length, not in 1.0. OWS (also TAB)
 *                   around it is allowed. Another coding is 501.
 * chunks            a size of 1 to 8 hex digits and nothing else: extensions and trailer
 *                   fields are refused.
 * body              GET and HEAD may have "Content-Length: 0" and nothing more. POST and
 *                   PUT must state the length (411). The others may have a body; without a
 *                   length they have none, so a route table can answer them with 405.
 * Content-Encoding  anything but identity is 415.
 * Expect            "100-continue", or 417.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Upper bounds of the limits below; they determine the size of the buffers. */
#define HTTP_LINE_SIZE 4096
#define HTTP_FIELDS_SIZE 16384
#define HTTP_FIELD_COUNT_MAX 64

/*
 * PATCH and PROPFIND are listed so that a route table answers them with 405; unknown methods
 * are 501.
 */
#define HTTP_METHODS(X) \
	X(GET) X(HEAD) X(POST) X(PUT) X(PATCH) X(DELETE) X(OPTIONS) X(PROPFIND)

enum http_method {
#define X(name) HTTP_##name,
	HTTP_METHODS(X)
#undef X
	HTTP_METHOD_COUNT
};

/* Fields that the server or nearly every route uses, found without a search. */
#define HTTP_KNOWN_FIELDS(X)                         \
	X(HOST, "host", 1)                           \
	X(CONTENT_LENGTH, "content-length", 1)       \
	X(TRANSFER_ENCODING, "transfer-encoding", 1) \
	X(CONTENT_TYPE, "content-type", 1)           \
	X(CONTENT_ENCODING, "content-encoding", 1)   \
	X(AUTHORIZATION, "authorization", 1)         \
	X(EXPECT, "expect", 1)                       \
	X(ORIGIN, "origin", 1)                       \
	X(IDEMPOTENCY_KEY, "idempotency-key", 1)     \
	X(IF_MATCH, "if-match", 1)                   \
	X(CONNECTION, "connection", 0)               \
	X(UPGRADE, "upgrade", 0)                     \
	X(USER_AGENT, "user-agent", 0)

enum http_known_field {
#define X(name, text, single) HTTP_FIELD_##name,
	HTTP_KNOWN_FIELDS(X)
#undef X
	HTTP_FIELD_KNOWN_COUNT
};

/*
 * Why a request was refused: name, status, error code, error message. All text is fixed: no
 * byte of the input appears in an answer. Every refusal closes the connection. The server
 * raises the last group.
 */
#define HTTP_REFUSALS(X)                                                                        \
	X(NONE, 0, "", "")                                                                      \
	X(LINE, 400, "bad_request_line", "The request line is malformed.")                      \
	X(TARGET, 400, "bad_target", "The request target is not a valid path.")                 \
	X(TARGET_SIZE, 414, "uri_too_long", "The request line is too long.")                    \
	X(METHOD, 501, "method_not_implemented", "The method is not implemented.")              \
	X(VERSION, 505, "version_not_supported", "Only HTTP/1.1 and HTTP/1.0 are supported.")   \
	X(FIELD, 400, "bad_header", "A header field is malformed.")                             \
	X(FIELD_TWICE, 400, "duplicate_header",                                                 \
	  "A header field that may occur only once is repeated.")                               \
	X(FIELDS_SIZE, 431, "headers_too_large",                                                \
	  "There are too many header fields, or they are too large.")                           \
	X(HOST, 400, "bad_host", "Exactly one valid Host header field is required.")            \
	X(LENGTH, 400, "bad_content_length", "Content-Length is not a valid number.")           \
	X(LENGTH_NEEDED, 411, "length_required", "Content-Length is required.")                 \
	X(FRAMING, 400, "ambiguous_framing", "The length of the body is ambiguous.")            \
	X(CODING, 400, "bad_transfer_encoding", "Transfer-Encoding is malformed.")              \
	X(CODING_UNKNOWN, 501, "transfer_encoding_not_implemented",                             \
	  "Only the chunked transfer coding is supported.")                                     \
	X(BODY_UNEXPECTED, 400, "unexpected_body", "This method does not allow a body.")        \
	X(BODY_SIZE, 413, "body_too_large", "The body is too large.")                           \
	X(CHUNK, 400, "bad_chunk", "The chunked body is malformed.")                            \
	X(CONTENT_ENCODING, 415, "unsupported_content_encoding",                                \
	  "Content-Encoding is not supported.")                                                 \
	X(EXPECT, 417, "expectation_failed", "The only supported expectation is 100-continue.") \
	X(TLS, 400, "plain_http", "This port speaks plain HTTP; use an http:// URL.")           \
	X(HEAD_TIMEOUT, 408, "request_timeout", "The request header did not arrive in time.")   \
	X(BODY_TIMEOUT, 408, "request_timeout", "The request body did not arrive in time.")     \
	X(HOST_FOREIGN, 421, "misdirected_request",                                             \
	  "This server does not serve the requested host name.")

enum http_refusal {
#define X(name, status, code, text) HTTP_REFUSED_##name,
	HTTP_REFUSALS(X)
#undef X
	HTTP_REFUSAL_COUNT
};

/*
 * Sizes in bytes, checked as the bytes arrive, so that nothing beyond a limit is stored.
 * http_limits_init() sets the defaults, shown here. Values may be lowered; those above their
 * upper bound are reduced to it.
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

/* All strings are NUL-terminated; lengths exclude the NUL. */
struct http_field {
	const char *name;	/* in lower case */
	const char *value;	/* without surrounding white space; may be "" */
	uint16_t name_len;
	uint16_t value_len;	/* a value holds no NUL, so this is strlen(value) */
};

/*
 * A request head. The caller owns the memory (about 26 KB, of which a typical request touches
 * 3 KB; it need not be zeroed) and the parser fills it. Its members are valid from
 * HTTP_STEP_HEAD until the caller reuses the memory. Do not copy or move it: it contains
 * pointers into itself; see http_head_pack().
 */
struct http_head {
	enum http_method method;
	int minor;		/* HTTP/1.x: 0 or 1 */
	int close;		/* the client sent "Connection: close", or uses 1.0 */
	int expect_continue;	/* "Expect: 100-continue", with a body, in 1.1 */
	int upgrade;		/* "Connection: upgrade" and an Upgrade field */
	enum http_framing framing;
	uint64_t length;	/* with HTTP_FRAMING_LENGTH; capped at UINT64_MAX */
	const char *target;	/* as sent: path, or path?query */
	const char *path;	/* as sent, undecoded; begins with "/" */
	const char *query;	/* after the "?", undecoded; NULL without a "?" */
	uint16_t target_len, path_len, query_len;
	uint16_t host_len;	/* length of the host without its port */
	const char *host;	/* as sent, not terminated; NULL when absent (1.0 only) */
	unsigned field_count;
	uint8_t known[HTTP_FIELD_KNOWN_COUNT];	/* 1 + index of the first one; 0: absent */
	struct http_field fields[HTTP_FIELD_COUNT_MAX];
	/* private */
	uint32_t text_len;
	char text[2 * (HTTP_LINE_SIZE + 1) + HTTP_FIELDS_SIZE];
};

enum http_step {
	HTTP_STEP_MORE,	   /* all input was used; more bytes are needed */
	HTTP_STEP_HEAD,	   /* the head is complete; set the body's limit, then continue */
	HTTP_STEP_BODY,	   /* part of the body is in *ret_body; continue */
	HTTP_STEP_DONE,	   /* the request is complete; http_parser_begin() starts the next */
	HTTP_STEP_REFUSED, /* see http_parser_refusal(); every later call returns this again */
};

struct http_span {
	const char *at; /* points into the bytes that were fed */
	size_t len;
};

/* Opaque except for its size; the caller owns the memory. */
struct http_parser {
	const struct http_limits *limits;
	struct http_head *head;
	uint64_t body_max;
	uint64_t left;		/* bytes left of the body or chunk */
	uint64_t received;	/* bytes of the body so far, all chunks */
	uint32_t line_len;	/* bytes of this line so far */
	uint32_t fields_len;	/* bytes of all field lines so far */
	uint32_t mark;		/* start of the current token in head->text */
	uint32_t trimmed;	/* end of the value without trailing white space */
	uint8_t state;
	uint8_t refusal;
	uint8_t token_len; /* characters so far of method, version or chunk size */
	uint8_t digits[2]; /* digits of the version */
	char method[12];
};

void http_limits_init(struct http_limits *limits);
/* Reduces values above their upper bound to it. */
void http_limits_clamp(struct http_limits *limits);

/*
 * Starts a request. `head` and `limits` are borrowed until the request is done; `head` is
 * filled as bytes are fed.
 */
void http_parser_begin(struct http_parser *p, struct http_head *head,
		       const struct http_limits *limits);

/*
 * Feeds bytes and returns the next step. *ret_used is how many were used; after any step but
 * MORE (and REFUSED) call again with the rest, even if it is empty. *ret_body is set with
 * HTTP_STEP_BODY only.
 */
enum http_step http_parser_feed(struct http_parser *p, const char *data, size_t len,
				size_t *ret_used, struct http_span *ret_body);

/* Sets the maximum body size of this request. Call after HTTP_STEP_HEAD, before the next feed. */
void http_parser_allow_body(struct http_parser *p, uint64_t max);

/*
 * Packing: a head that is kept while its request arrives needs only as much memory as has
 * arrived. `packed` has http_head_packed_size() bytes, aligned like a pointer; it may be copied
 * but is of no use otherwise. http_head_unpack() fills another head from it, with which
 * http_parser_resume() continues; the first head may be reused meanwhile.
 */
size_t http_head_packed_size(const struct http_head *head);
void http_head_pack(const struct http_head *head, void *packed);
void http_head_unpack(struct http_head *head, const void *packed);
void http_parser_resume(struct http_parser *p, struct http_head *head);

/* Has any byte of the request arrived? (A skipped CRLF does not count.) */
int http_parser_is_started(const struct http_parser *p);

enum http_refusal http_parser_refusal(const struct http_parser *p);

/* Status, code and message of a refusal. The texts are static. */
int http_refusal_status(enum http_refusal refusal);
const char *http_refusal_code(enum http_refusal refusal);
const char *http_refusal_message(enum http_refusal refusal);

const char *http_method_name(enum http_method method);	/* "GET"; static */

/*
 * Returns the first field with that name (in lower case), or NULL; borrowed from the head.
 * http_head_known() does the same for a known field without a search.
 */
const char *http_head_find(const struct http_head *head, const char *name);
const char *http_head_known(const struct http_head *head, enum http_known_field field);

/* Does the comma-separated list of that known field contain `token` (lower case)? */
int http_head_lists(const struct http_head *head, enum http_known_field field, const char *token);
