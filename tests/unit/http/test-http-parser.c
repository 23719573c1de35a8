/* SPDX-License-Identifier: MIT */
/*
 * The must-refuse rows of the hostile-input list, one test per byte string, with the row's number
 * in its name. Each is parsed whole, split at every position (or at 200 positions if it is long),
 * and byte by byte: the trace must be the same. Rows that need a server are in
 * test-http-server.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/test.h"
#include "http-trace.h"
#include "util/alloc.h"

struct bytes {
	const char *at;
	size_t len;
};

#define S(literal) { literal, sizeof(literal) - 1 }

#define GET "GET /x HTTP/1.1\r\nHost: localhost\r\n"
#define POST "POST /x HTTP/1.1\r\nHost: localhost\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define LENGTH(value) { "B065", "Content-Length " #value, S(POST "Content-Length: " value \
	"\r\n\r\nabcde"), .status = 400 }
#define METHOD(row, name, want) { row, "method " name, \
	S(name " /x HTTP/1.1\r\nHost: localhost\r\n\r\n"), .status = want }
#define LINE(row, what, line, want) { row, what, S(line "\r\nHost: localhost\r\n\r\n"), \
	.status = want }
#define FIELD(row, what, field, want) { row, what, S(GET field "\r\n\r\n"), .status = want }
#define CODING(row, value, want) { row, "Transfer-Encoding: " value, \
	S(POST "Transfer-Encoding: " value "\r\n\r\n0\r\n\r\n"), .status = want }
#define CHUNK(row, what, body, want) { row, what, S(CHUNKED body), .status = want }

#define TEXT_16 "0123456789abcdef"
#define TEXT_256 TEXT_16 TEXT_16 TEXT_16 TEXT_16 TEXT_16 TEXT_16 TEXT_16 TEXT_16 \
	TEXT_16 TEXT_16 TEXT_16 TEXT_16 TEXT_16 TEXT_16 TEXT_16 TEXT_16
#define TEXT_1K TEXT_256 TEXT_256 TEXT_256 TEXT_256
/* 8176 bytes: with the two other fields and their line ends, 16384 in all. */
#define TEXT_8K TEXT_1K TEXT_1K TEXT_1K TEXT_1K TEXT_1K TEXT_1K TEXT_1K \
	TEXT_256 TEXT_256 TEXT_256 TEXT_16 TEXT_16 TEXT_16 TEXT_16 TEXT_16 TEXT_16 TEXT_16 \
	TEXT_16 TEXT_16 TEXT_16 TEXT_16 TEXT_16 TEXT_16 TEXT_16 TEXT_16

/* head, then fill `times` times, then tail. */
struct row {
	const char *number;
	const char *what;
	struct bytes head, fill;
	size_t times;
	struct bytes tail;
	int status;	   /* status of the refusal; 200: accepted; 0: unfinished */
	unsigned requests; /* requests accepted before that; with 200 the default is 1 */
	size_t at_most;	   /* bytes used before the refusal */
};

static const struct row rows[] = {
	/* 3.2 request line */
	{ "B001", "LF after the line", S("GET /x HTTP/1.1\nHost: localhost\r\n\r\n"),
	  .status = 400 },
	{ "B001", "LF after a field", S(GET "A: b\n\r\n"), .status = 400 },
	{ "B001", "LF after the head", S(GET "\n"), .status = 400 },
	{ "B001", "LF only", S("GET /x HTTP/1.1\nHost: localhost\n\n"), .status = 400 },
	{ "B001", "LF before the line", S("\n" GET "\r\n"), .status = 400 },
	LINE("B002", "CR in target", "GET /x\ry HTTP/1.1", 400),
	LINE("B002", "CR after method", "GET\r /x HTTP/1.1", 400),
	LINE("B002", "CR CR LF", "GET /x HTTP/1.1\r", 400),
	FIELD("B002", "CR in value", "A: b\rc", 400),
	FIELD("B002", "CR in name", "A\rB: c", 400),
	FIELD("B002", "CR CR LF after a field", "A: b\r", 400),
	{ "B003", "one empty line", S("\r\n" GET "\r\n"), .status = 200 },
	{ "B003", "two empty lines", S("\r\n\r\n" GET "\r\n"), .status = 400 },
	{ "B003", "one between requests", S(GET "\r\n\r\n" GET "\r\n"), .status = 200,
	  .requests = 2 },
	{ "B003", "two between requests", S(GET "\r\n\r\n\r\n" GET "\r\n"), .status = 400,
	  .requests = 1 },
	{ "B003", "CR alone", S("\r" GET "\r\n"), .status = 400 },
	LINE("B004", "leading space", " GET /x HTTP/1.1", 400),
	LINE("B004", "leading TAB", "\tGET /x HTTP/1.1", 400),
	LINE("B005", "TAB after method", "GET\t/x HTTP/1.1", 400),
	LINE("B005", "TAB after target", "GET /x\tHTTP/1.1", 400),
	LINE("B006", "two spaces after method", "GET  /x HTTP/1.1", 400),
	LINE("B006", "two spaces after target", "GET /x  HTTP/1.1", 400),
	LINE("B006", "space after version", "GET /x HTTP/1.1 ", 400),
	LINE("B008", "NUL in target", "GET /x\0y HTTP/1.1", 400),
	LINE("B008", "NUL at start", "GET \0/x HTTP/1.1", 400),
	LINE("B008", "escape in target", "GET /x\x1b[2J HTTP/1.1", 400),
	LINE("B008", "DEL in target", "GET /x\x7f HTTP/1.1", 400),
	LINE("B009", "UTF-8 in target", "GET /\xc3\xa9 HTTP/1.1", 400),
	LINE("B009", "0xff in target", "GET /\xff HTTP/1.1", 400),
	LINE("B010", "no slash", "GET x HTTP/1.1", 400),
	LINE("B010", "query only", "GET ?a=b HTTP/1.1", 400),
	LINE("B012", "absolute-form, other host", "GET http://evil/x HTTP/1.1", 400),
	LINE("B013", "absolute-form, same host", "GET http://localhost/x HTTP/1.1", 400),
	LINE("B014", "authority-form", "GET localhost:80 HTTP/1.1", 400),
	LINE("B015", "* with GET", "GET * HTTP/1.1", 400),
	LINE("B015", "* with OPTIONS", "OPTIONS * HTTP/1.1", 400),
	LINE("B016", "fragment", "GET /x#y HTTP/1.1", 400),
	LINE("B017", "quote", "GET /\"x HTTP/1.1", 400),
	LINE("B017", "backslash", "GET /a\\b HTTP/1.1", 400),
	LINE("B017", "brackets", "GET /a[b] HTTP/1.1", 400),
	LINE("B017", "pipe and braces", "GET /a|{b} HTTP/1.1", 400),
	{ "B018", "target of 20 KB", S("GET /"), S("a"), 20000,
	  S(" HTTP/1.1\r\nHost: localhost\r\n\r\n"), .status = 414, .at_most = 8192 },
	{ "B018", "query of 20 KB", S("GET /?"), S("a"), 20000,
	  S(" HTTP/1.1\r\nHost: localhost\r\n\r\n"), .status = 414, .at_most = 8192 },
	{ "B018", "line of 4096", S("GET /"), S("a"), 4082, S(" HTTP/1.1\r\nHost: a\r\n\r\n"),
	  .status = 200 },
	{ "B018", "line of 4097", S("GET /"), S("a"), 4083, S(" HTTP/1.1\r\nHost: a\r\n\r\n"),
	  .status = 414 },
	{ "B019", "200 KB without an end", S("GET /"), S("a"), 200000, S(""), .status = 414,
	  .at_most = 8192 },
	METHOD("B020", "get", 501),
	METHOD("B020", "Get", 501),
	METHOD("B021", "FOO", 501),
	METHOD("B021", "GETT", 501),
	METHOD("B021", "GE", 501),
	METHOD("B021", "PROPFINDPROPFIND", 501),
	{ "B022", "method of 20 KB", S(""), S("A"), 20000, S(" /x HTTP/1.1\r\n\r\n"), .status = 501,
	  .at_most = 64 },
	METHOD("B023", "TRACE", 501),
	METHOD("B024", "CONNECT", 501),
	{ "B024", "CONNECT and a hidden request",
	  S("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n" GET "\r\n"), .status = 501 },
	METHOD("B025", "PROPFIND", 200),
	{ "B025", "PATCH", S("PATCH /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
	  .status = 200 },
	{ "B026", "HTTP/0.9", S("GET /x\r\n"), .status = 400 },
	{ "B026", "HTTP/0.9 with LF", S("GET /x\n"), .status = 400 },
	{ "B027", "HTTP/1.0", S("GET /x HTTP/1.0\r\n\r\n"), .status = 200 },
	{ "B027", "HTTP/1.0 ends the connection", S("GET /x HTTP/1.0\r\n\r\n" GET "\r\n"),
	  .status = 200, .requests = 1 },
	LINE("B028", "HTTP/1.2", "GET /x HTTP/1.2", 505),
	LINE("B028", "HTTP/1.9", "GET /x HTTP/1.9", 505),
	LINE("B029", "HTTP/2.0", "GET /x HTTP/2.0", 505),
	LINE("B029", "HTTP/0.9 on the line", "GET /x HTTP/0.9", 505),
	LINE("B030", "01.1", "GET /x HTTP/01.1", 400),
	LINE("B030", "1.1x", "GET /x HTTP/1.1x", 400),
	LINE("B030", "1.", "GET /x HTTP/1.", 400),
	LINE("B030", "space", "GET /x HTTP/ 1.1", 400),
	LINE("B030", "lower case", "GET /x http/1.1", 400),
	LINE("B030", "1.11", "GET /x HTTP/1.11", 400),
	LINE("B030", "2", "GET /x HTTP/2", 400),
	LINE("B030", "1,1", "GET /x HTTP/1,1", 400),
	LINE("B030", "+1.1", "GET /x HTTP/+1.1", 400),
	LINE("B030", "other protocol", "GET /x ICAP/1.0", 400),
	/* 3.3 header fields */
	FIELD("B032", "space before colon", "A : b", 400),
	FIELD("B032", "TAB before colon", "A\t: b", 400),
	{ "B032", "Host with a space", S("GET /x HTTP/1.1\r\nHost : localhost\r\n\r\n"),
	  .status = 400 },
	FIELD("B033", "empty name", ": v", 400),
	FIELD("B034", "no colon", "abc", 400),
	FIELD("B034", "no colon, space", "abc def", 400),
	{ "B035", "first line starts with space", S("GET /x HTTP/1.1\r\n Host: localhost\r\n\r\n"),
	  .status = 400 },
	{ "B035", "first line starts with TAB", S("GET /x HTTP/1.1\r\n\tHost: localhost\r\n\r\n"),
	  .status = 400 },
	FIELD("B036", "fold with space", "A: b\r\n c", 400),
	FIELD("B036", "fold with TAB", "A: b\r\n\tc", 400),
	FIELD("B036", "fold of nothing", "A: b\r\n ", 400),
	FIELD("B038", "NUL in value", "A: b\0c", 400),
	FIELD("B038", "NUL first in value", "A: \0", 400),
	FIELD("B039", "NUL in name", "A\0B: c", 400),
	FIELD("B040", "0x01 in value", "A: b\x01", 400),
	FIELD("B040", "0x0b in value", "A: b\x0b", 400),
	FIELD("B040", "0x1f in value", "A: b\x1f", 400),
	FIELD("B040", "0x7f in value", "A: b\x7f", 400),
	FIELD("B040", "0x08 first in value", "A: \x08", 400),
	FIELD("B040", "TAB in value", "A: b\tc", 200),
	FIELD("B041", "brackets in name", "X-[]: a", 400),
	FIELD("B041", "TAB in name", "X\tY: a", 400),
	FIELD("B041", "UTF-8 in name", "X-\xc3\xa9: a", 400),
	FIELD("B041", "quote in name", "\"X\": a", 400),
	FIELD("B041", "every token character", "!#$%&'*+-.^_`|~aZ09: a", 200),
	FIELD("B042", "8-bit in value", "A: \x80\xff\xc3\xa9", 200),
	{ "B043", "no Host", S("GET /x HTTP/1.1\r\n\r\n"), .status = 400 },
	{ "B043", "no Host, other field", S("GET /x HTTP/1.1\r\nA: b\r\n\r\n"), .status = 400 },
	FIELD("B043", "two Hosts", "Host: localhost", 400),
	FIELD("B043", "two Hosts, other case", "hOST: other", 400),
	{ "B043", "empty Host", S("GET /x HTTP/1.1\r\nHost:\r\n\r\n"), .status = 400 },
	{ "B043", "blank Host", S("GET /x HTTP/1.1\r\nHost:  \t\r\n\r\n"), .status = 400 },
	{ "B043", "a/b@c", S("GET /x HTTP/1.1\r\nHost: a/b@c\r\n\r\n"), .status = 400 },
	{ "B043", "userinfo", S("GET /x HTTP/1.1\r\nHost: u@localhost\r\n\r\n"), .status = 400 },
	{ "B043", "list", S("GET /x HTTP/1.1\r\nHost: a, b\r\n\r\n"), .status = 400 },
	{ "B043", "empty port", S("GET /x HTTP/1.1\r\nHost: a:\r\n\r\n"), .status = 400 },
	{ "B043", "port 65536", S("GET /x HTTP/1.1\r\nHost: a:65536\r\n\r\n"), .status = 400 },
	{ "B043", "port x", S("GET /x HTTP/1.1\r\nHost: a:8x\r\n\r\n"), .status = 400 },
	{ "B043", "open bracket", S("GET /x HTTP/1.1\r\nHost: [::1\r\n\r\n"), .status = 400 },
	{ "B043", "Host of 1 KB", S("GET /x HTTP/1.1\r\nHost: "), S("a"), 1024, S("\r\n\r\n"),
	  .status = 400 },
	{ "B043", "IPv6 with port", S("GET /x HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"),
	  .status = 200 },
	FIELD("B044", "Content_Length", "Content_Length: 5", 400),
	FIELD("B044", "Transfer_Encoding", "transfer_encoding: chunked", 400),
	FIELD("B044", "another underscore is fine", "x_y: 5", 200),
	{ "B045", "64 fields", S(GET), S("A: b\r\n"), 63, S("\r\n"), .status = 200 },
	{ "B045", "65 fields", S(GET), S("A: b\r\n"), 64, S("\r\n"), .status = 431 },
	{ "B045", "4000 one-byte fields", S(GET), S("a:\r\n"), 4000, S("\r\n"), .status = 431,
	  .at_most = 1024 },
	{ "B046", "field of 20 KB", S(GET "A: "), S("b"), 20000, S("\r\n\r\n"), .status = 431,
	  .at_most = 8192 + 64 },
	{ "B046", "name of 20 KB", S(GET), S("b"), 20000, S(": c\r\n\r\n"), .status = 431,
	  .at_most = 8192 + 64 },
	{ "B046", "20 KB of white space", S(GET "A:"), S(" "), 20000, S("\r\n\r\n"), .status = 431,
	  .at_most = 8192 + 64 },
	{ "B046", "field of 8192", S(GET "A: "), S("b"), 8189, S("\r\n\r\n"), .status = 200 },
	{ "B046", "field of 8193", S(GET "A: "), S("b"), 8190, S("\r\n\r\n"), .status = 431 },
	{ "B047", "fields of 16384 in all", S("GET /x HTTP/1.1\r\nHost: a\r\nA: "), S("b"), 8189,
	  S("\r\nC: " TEXT_8K "\r\n\r\n"), .status = 200 },
	{ "B047", "fields of 16385 in all", S("GET /x HTTP/1.1\r\nHost: a\r\nA: "), S("b"), 8189,
	  S("\r\nC: " TEXT_8K "d\r\n\r\n"), .status = 431 },
	{ "B047", "60 fields of 1 KB", S(GET), S("A: " TEXT_1K "\r\n"), 60, S("\r\n"),
	  .status = 431, .at_most = 16384 + 64 },
	{ "B048", "two Content-Types",
	  S(POST "Content-Type: application/json\r\n"
		 "Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n"),
	  .status = 400 },
	FIELD("B048", "two Authorizations", "Authorization: a\r\nAuthorization: b", 400),
	FIELD("B048", "two Origins", "Origin: a\r\norigin: a", 400),
	FIELD("B049", "method override", "X-HTTP-Method-Override: DELETE", 200),
	FIELD("B050", "forwarded",
	      "X-Forwarded-For: 1.2.3.4\r\nForwarded: for=x\r\nX-Real-IP: "
	      "1",
	      200),
	{ "B051", "100-continue", S(POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab"),
	  .status = 200 },
	{ "B051", "100-Continue in other case",
	  S(POST "Expect: "
		 "100-Continue\r\nContent-Length: 2\r\n"
		 "\r\nab"),
	  .status = 200 },
	{ "B052", "100-continue over the limit",
	  S(POST "Expect: 100-continue\r\n"
		 "Content-Length: 65537\r\n\r\n"),
	  .status = 413 },
	FIELD("B053", "other expectation", "Expect: something", 417),
	FIELD("B053", "two in one", "Expect: 100-continue, x", 417),
	{ "B054", "Connection names a framing field",
	  S(POST "Connection: Content-Length\r\n"
		 "Content-Length: 2\r\n\r\nab"),
	  .status = 200 },
	FIELD("B055", "h2c",
	      "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
	      "HTTP2-Settings: AAMAAABkAAQ",
	      200),
	{ "B056", "1000 ranges", S(GET "Range: bytes=0-0"), S(",1-1"), 1000, S("\r\n\r\n"),
	  .status = 200 },
	FIELD("B057", "Accept-Encoding", "Accept-Encoding: gzip", 200),
	{ "B058", "gzip body", S(POST "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab"),
	  .status = 415 },
	{ "B058", "identity body",
	  S(POST "Content-Encoding: identity\r\nContent-Length: "
		 "2\r\n\r\nab"),
	  .status = 200 },
	{ "B059", "8 KB of cookies", S(GET "Cookie: "), S("a"), 8000, S("\r\n\r\n"), .status = 200 },
	/* 3.4 body framing */
	{ "B060", "CL, TE",
	  S(POST "Content-Length: 5\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n0\r\n\r\n"),
	  .status = 400 },
	{ "B060", "TE, CL",
	  S(POST "Transfer-Encoding: chunked\r\nContent-Length: "
		 "5\r\n\r\n0\r\n\r\n"),
	  .status = 400 },
	{ "B060", "CL 0, TE",
	  S(POST "Content-Length: 0\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n0\r\n\r\n"),
	  .status = 400 },
	{ "B061", "equal", S(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde"),
	  .status = 400 },
	{ "B062", "different", S(POST "Content-Length: 0\r\nContent-Length: 5\r\n\r\nabcde"),
	  .status = 400 },
	{ "B062", "hidden request",
	  S(POST "Content-Length: 0\r\nContent-Length: 44\r\n\r\n"
		 "DELETE /v1/leases/other HTTP/1.1\r\nHost: a\r\n\r\n"),
	  .status = 400 },
	{ "B063", "list", S(POST "Content-Length: 5, 5\r\n\r\nabcde"), .status = 400 },
	{ "B063", "list without space", S(POST "Content-Length: 5,5\r\n\r\nabcde"), .status = 400 },
	LENGTH("-1"),
	LENGTH("-0"),
	LENGTH("+5"),
	LENGTH("0x5"),
	LENGTH("5abc"),
	LENGTH("1e1"),
	LENGTH("5.0"),
	LENGTH(""),
	LENGTH("5 5"),
	LENGTH("05"),
	LENGTH("00"),
	LENGTH("\"5\""),
	LENGTH("\xb2"),
	LENGTH("5;"),
	LENGTH("x"),
	{ "B067", "2^63-1", S(POST "Content-Length: 9223372036854775807\r\n\r\n"), .status = 413 },
	{ "B067", "2^63", S(POST "Content-Length: 9223372036854775808\r\n\r\n"), .status = 413 },
	{ "B067", "2^64-1", S(POST "Content-Length: 18446744073709551615\r\n\r\n"), .status = 413 },
	{ "B067", "2^64", S(POST "Content-Length: 18446744073709551616\r\n\r\n"), .status = 413 },
	{ "B067", "2^64+5", S(POST "Content-Length: 18446744073709551621\r\n\r\nabcde"),
	  .status = 413 },
	{ "B067", "10^40",
	  S(POST "Content-Length: "
		 "10000000000000000000000000000000000000000\r\n\r\n"),
	  .status = 413 },
	{ "B068", "one over", S(POST "Content-Length: 65537\r\n\r\n"), .status = 413 },
	{ "B068", "exactly", S(POST "Content-Length: 65536\r\n\r\n"), S("a"), 65536, S(""),
	  .status = 200 },
	{ "B069", "chunked, one over", S(CHUNKED "10001\r\n"), .status = 413 },
	{ "B069", "chunked, over by the second", S(CHUNKED "8000\r\n"), S("a"), 32768,
	  S("\r\n8001\r\n"), .status = 413 },
	{ "B069", "chunked, exactly", S(CHUNKED "10000\r\n"), S("a"), 65536, S("\r\n0\r\n\r\n"),
	  .status = 200 },
	{ "B070", "POST without length", S(POST "\r\n"), .status = 411 },
	{ "B070", "PUT without length", S("PUT /x HTTP/1.1\r\nHost: a\r\n\r\n"), .status = 411 },
	{ "H10", "PATCH without length", S("PATCH /x HTTP/1.1\r\nHost: a\r\n\r\n"), .status = 200 },
	{ "B070", "POST of nothing", S(POST "Content-Length: 0\r\n\r\n"), .status = 200 },
	FIELD("B071", "GET with body", "Content-Length: 1", 400),
	FIELD("B071", "GET with length 0", "Content-Length: 0", 200),
	{ "B071", "HEAD with body",
	  S("HEAD /x HTTP/1.1\r\nHost: a\r\nContent-Length: "
	    "5\r\n\r\nabcde"),
	  .status = 400 },
	{ "B071", "DELETE with body",
	  S("DELETE /x HTTP/1.1\r\nHost: a\r\nContent-Length: "
	    "2\r\n\r\n{}"),
	  .status = 200 },
	{ "B071", "DELETE without", S("DELETE /x HTTP/1.1\r\nHost: a\r\n\r\n"), .status = 200 },
	{ "B072", "short body", S(POST "Content-Length: 5\r\n\r\nabc"), .status = 0 },
	{ "B074", "a request after the body", S(POST "Content-Length: 2\r\n\r\nab" GET "\r\n"),
	  .status = 200, .requests = 2 },
	{ "B074", "rubbish after the body", S(POST "Content-Length: 2\r\n\r\nab{}\r\n\r\n"),
	  .status = 400, .requests = 1 },
	CODING("B075", "xchunked", 501),
	CODING("B075", "chunked1", 501),
	{ "B075", "xchunked with CL",
	  S(POST "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n"
		 "\r\nabcde"),
	  .status = 400 },
	CODING("B076", "gzip, chunked", 501),
	CODING("B076", "gzip,chunked", 501),
	CODING("B076", "gzip", 501),
	CODING("B076", "identity", 501),
	CODING("B077", "chunked, identity", 400),
	CODING("B077", "chunked, gzip", 400),
	CODING("B078", "chunked, chunked", 400),
	CODING("B078", "chunked,chunked", 400),
	{ "B078", "two fields",
	  S(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: "
		 "chunked\r\n"
		 "\r\n0\r\n\r\n"),
	  .status = 400 },
	{ "B078", "two fields, one other",
	  S(POST "Transfer-Encoding: identity\r\n"
		 "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	  .status = 400 },
	CODING("B080", "\"chunked\"", 400),
	CODING("B080",
	       "\x0b"
	       "chunked",
	       400),
	CODING("B080", "chun ked", 400),
	CODING("B080", "chunked;q=1", 400),
	CODING("B080", "", 400),
	CODING("B080", ",chunked", 400),
	CODING("B080", "chunked,", 400),
	CODING("B080", "chunked\x80", 400),
	CODING("B081", "\tchunked", 200),
	CODING("B081", "chunked\t ", 200),
	CODING("B081", "CHUNKED", 200),
	{ "B081", "no space", S(POST "Transfer-Encoding:chunked\r\n\r\n0\r\n\r\n"), .status = 200 },
	{ "B082", "TE in 1.0",
	  S("POST /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "0\r\n\r\n"),
	  .status = 400 },
	{ "B083", "space before colon", S(POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
	  .status = 400 },
	{ "B083", "space before colon, CL",
	  S(POST "Content-Length: 5\r\nTransfer-Encoding : "
		 "chunked\r\n"
		 "\r\n0\r\n\r\n"),
	  .status = 400 },
	CHUNK("B085", "space after size", "5 \r\nabcde\r\n0\r\n\r\n", 400),
	CHUNK("B085", "TAB after size", "5\t\r\nabcde\r\n0\r\n\r\n", 400),
	CHUNK("B085", "space before size", " 5\r\nabcde\r\n0\r\n\r\n", 400),
	CHUNK("B086", "-5", "-5\r\nabcde\r\n0\r\n\r\n", 400),
	CHUNK("B086", "+5", "+5\r\nabcde\r\n0\r\n\r\n", 400),
	CHUNK("B086", "g", "g\r\nabcde\r\n0\r\n\r\n", 400),
	CHUNK("B086", "5g", "5g\r\nabcde\r\n0\r\n\r\n", 400),
	CHUNK("B086", "0x5", "0x5\r\nabcde\r\n0\r\n\r\n", 400),
	CHUNK("B086", "0x0", "0x0\r\n\r\n", 400),
	CHUNK("B086", "empty size", "\r\nabcde\r\n0\r\n\r\n", 400),
	CHUNK("B086", "NUL", "\0\r\n\r\n", 400),
	CHUNK("B087", "17 digits", "00000000000000005\r\nabcde\r\n0\r\n\r\n", 400),
	CHUNK("B087", "2^63-1", "7fffffffffffffff\r\nabcde\r\n", 400),
	CHUNK("B087", "2^64", "10000000000000000\r\nabcde\r\n", 400),
	CHUNK("B087", "2^32-1", "ffffffff\r\nabcde\r\n", 413),
	CHUNK("B087", "8 digits", "00000005\r\nabcde\r\n0\r\n\r\n", 200),
	CHUNK("B087", "upper and lower case", "A\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n",
	      200),
	CHUNK("B088", "LF after size", "5\nabcde\r\n0\r\n\r\n", 400),
	CHUNK("B088", "LF after data", "5\r\nabcde\n0\r\n\r\n", 400),
	CHUNK("B088", "LF after the last size", "5\r\nabcde\r\n0\n\r\n", 400),
	CHUNK("B088", "LF at the end", "5\r\nabcde\r\n0\r\n\n", 400),
	CHUNK("B088", "CR CR LF after size", "5\r\r\nabcde\r\n0\r\n\r\n", 400),
	CHUNK("B089", "no CRLF after data", "5\r\nabcde0\r\n\r\n", 400),
	CHUNK("B089", "data longer", "5\r\nabcdef\r\n0\r\n\r\n", 400),
	CHUNK("B089", "data shorter", "5\r\nabc\r\n0\r\n\r\n", 400),
	CHUNK("B089", "CR and something", "5\r\nabcde\rx0\r\n\r\n", 400),
	CHUNK("B090", "short extension", "5;a=b\r\nabcde\r\n0\r\n\r\n", 400),
	CHUNK("B090", "extension on the last", "5\r\nabcde\r\n0;a\r\n\r\n", 400),
	{ "B091", "extension of 200 KB", S(CHUNKED "5;"), S("a"), 200000,
	  S("\r\nabcde\r\n0\r\n\r\n"), .status = 400, .at_most = 1024 },
	CHUNK("B091", "extension with LF", "5;\nabcde\r\n0\r\n\r\n", 400),
	{ "B092", "trailer field", S(CHUNKED "0\r\nA: b\r\n\r\n"), .status = 400 },
	{ "B092", "trailer Content-Length", S(CHUNKED "0\r\nContent-Length: 5\r\n\r\n"),
	  .status = 400 },
	{ "B093", "64000 chunks of one byte", S(CHUNKED), S("1\r\na\r\n"), 64000, S("0\r\n\r\n"),
	  .status = 200 },
	{ "B094", "no last chunk", S(CHUNKED "5\r\nabcde\r\n"), .status = 0 },
	{ "B094", "last chunk unfinished", S(CHUNKED "5\r\nabcde\r\n0\r\n"), .status = 0 },
	{ "B095", "TE on GET", S(GET "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), .status = 400 },
	{ "B095", "TE on HEAD",
	  S("HEAD /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n"
	    "0\r\n\r\n"),
	  .status = 400 },
	/* 3.5, as far as the parser is concerned */
	LINE("B100", "dot segments are kept", "GET /v1/../a//b/./c HTTP/1.1", 200),
	LINE("B101", "encoded dots and slashes are kept", "GET /%2e%2e/%2f%5c HTTP/1.1", 200),
	LINE("B102", "%00", "GET /%00 HTTP/1.1", 400),
	LINE("B102", "%0d%0a", "GET /a%0d%0aX:1 HTTP/1.1", 400),
	LINE("B102", "%zz", "GET /%zz HTTP/1.1", 400),
	LINE("B102", "% alone", "GET /% HTTP/1.1", 400),
	LINE("B102", "%2 alone", "GET /%2 HTTP/1.1", 400),
	LINE("B102", "%2 before the query", "GET /%2?a HTTP/1.1", 400),
	LINE("B102", "%7f", "GET /%7f HTTP/1.1", 400),
	LINE("B102", "%00 in the query", "GET /a?b=%00 HTTP/1.1", 400),
	LINE("B103", "overlong", "GET /%c0%ae HTTP/1.1", 400),
	LINE("B103", "overlong of three", "GET /%e0%80%ae HTTP/1.1", 400),
	LINE("B103", "surrogate", "GET /%ed%a0%80 HTTP/1.1", 400),
	LINE("B103", "cut", "GET /%c3 HTTP/1.1", 400),
	LINE("B103", "stray", "GET /%80 HTTP/1.1", 400),
	LINE("B103", "above U+10FFFF", "GET /%f4%90%80%80 HTTP/1.1", 400),
	LINE("B103", "good UTF-8", "GET /%c3%a9%f0%9f%98%80 HTTP/1.1", 200),
	/* 3.11 other protocols */
	{ "B230", "TLS ClientHello", S("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
	  .status = 400, .at_most = 1 },
	{ "B231", "h2 preface", S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), .status = 400 },
	{ "B232", "SSH banner", S("SSH-2.0-OpenSSH_9.2p1\r\n"), .status = 400 },
	{ "B233", "EHLO", S("EHLO example.org\r\n"), .status = 400 },
	{ "B234", "PROXY v1", S("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" GET "\r\n"), .status = 400 },
	{ "B234", "PROXY v2", S("\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c"), .status = 400 },
	{ "B235", "RTSP", S("OPTIONS rtsp://a/b RTSP/1.0\r\nCSeq: 1\r\n\r\n"), .status = 400 },
	{ "B235", "ICY", S("SOURCE /x ICY/1.0\r\n"), .status = 400 },
	{ "B237", "UTF-16", S("G\0E\0T\0 \0/\0"), .status = 400 },
	{ "B237", "UTF-16 with BOM", S("\xff\xfeG\0E\0T\0"), .status = 400 },
	{ "B238", "NULs", S(""), S("\0"), 4096, S(""), .status = 400, .at_most = 1 },
};

static char *row_build(const struct row *r, size_t *ret_len)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_add(&b, r->head.at, r->head.len);
	for (size_t i = 0; i < r->times; i++)
		buf_add(&b, r->fill.at, r->fill.len);
	if (r->tail.at)
		buf_add(&b, r->tail.at, r->tail.len);
	*ret_len = b.len;
	return buf_take(&b);
}

static void check_same(const char *data, size_t len, const char *whole, trace_cut_fn cut, void *arg)
{
	struct trace t;

	trace_run(&t, data, len, cut, arg);
	assert_string_equal(buf_str(&t.text), whole);
	trace_fini(&t);
}

static void check_cuts(const char *data, size_t len, const char *whole)
{
	size_t step = len > 2000 ? len / 200 : 1;
	size_t one = 1;
	uint64_t seed = len;

	for (size_t at = 1; at < len; at += step)
		check_same(data, len, whole, trace_cut_once, &at);
	check_same(data, len, whole, trace_cut_each, &one);
	for (int i = 0; i < 4; i++)
		check_same(data, len, whole, trace_cut_random, &seed);
}

static void test_row(void **state)
{
	const struct row *r = *state;
	struct trace t;
	size_t len;
	char *data = row_build(r, &len);

	trace_run(&t, data, len, NULL, NULL);
	if (r->status == 200) {
		if (t.refusal)
			print_message("refused: %s\n", http_refusal_code(t.refusal));
		assert_int_equal(t.refusal, HTTP_REFUSED_NONE);
		assert_int_equal(t.requests, r->requests ? r->requests : 1);
		assert_false(t.is_started);
	} else if (r->status) {
		assert_int_equal(http_refusal_status(t.refusal), r->status);
		assert_int_equal(t.requests, r->requests);
		if (r->at_most)
			assert_true(t.used <= r->at_most);
	} else {
		assert_int_equal(t.refusal, HTTP_REFUSED_NONE);
		assert_int_equal(t.requests, r->requests);
		assert_true(t.is_started);
	}
	check_cuts(data, len, buf_str(&t.text));
	trace_fini(&t);
	free(data);
}

/* ---- parsed requests ---- */

static void check_reads(const char *request, const char *line)
{
	size_t len = strlen(request);
	auto_free char *want = xasprintf("%s,\"end\":%zu}\n{\"more\":0,\"at\":%zu}\n", line,
		len, len);
	struct trace t;

	trace_run(&t, request, strlen(request), NULL, NULL);
	assert_string_equal(buf_str(&t.text), want);
	check_cuts(request, strlen(request), want);
	trace_fini(&t);
}

static void test_reads_everything(void **state)
{
	(void)state;
	check_reads("POST /a/b?c=d&e?f HTTP/1.1\r\nHOST: Localhost:80\r\nX-Y:  a b\t \r\nx-y:\r\n"
		    "Content-Length: 3\r\n\r\nabc",
		    "{\"method\":\"POST\",\"minor\":1,\"close\":0,\"expect\":0,\"upgrade\":0,"
		    "\"framing\":1,"
		    "\"target\":\"/a/b?c=d&e?f\",\"path\":\"/a/b\",\"query\":\"c=d&e?f\","
		    "\"host\":\"Localhost\",\"headers\":[[\"host\",\"Localhost:80\"],[\"x-y\","
		    "\"a b\"],"
		    "[\"x-y\",\"\"],[\"content-length\",\"3\"]],\"body\":\"abc\"");
}

static void test_reads_chunks(void **state)
{
	(void)state;
	check_reads(CHUNKED "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
		    "{\"method\":\"POST\",\"minor\":1,\"close\":0,\"expect\":0,\"upgrade\":0,"
		    "\"framing\":2,"
		    "\"target\":\"/x\",\"path\":\"/x\",\"query\":null,\"host\":\"localhost\","
		    "\"headers\":[[\"host\",\"localhost\"],[\"transfer-encoding\",\"chunked\"]],"
		    "\"body\":\"abc0123456789\"");
}

static void test_reads_flags(void **state)
{
	(void)state;
	check_reads("GET /? HTTP/1.1\r\nHost: [::1]:1\r\nConnection: keep-alive, Upgrade\r\n"
		    "Upgrade: websocket\r\nconnection: Close\r\n\r\n",
		    "{\"method\":\"GET\",\"minor\":1,\"close\":1,\"expect\":0,\"upgrade\":1,"
		    "\"framing\":0,"
		    "\"target\":\"/?\",\"path\":\"/\",\"query\":\"\",\"host\":\"[::1]\","
		    "\"headers\":"
		    "[[\"host\",\"[::1]:1\"],[\"connection\",\"keep-alive, Upgrade\"],"
		    "[\"upgrade\",\"websocket\"],[\"connection\",\"Close\"]],\"body\":\"\"");
}

static void test_limits_can_be_lowered(void **state)
{
	static const char request[] = "POST /12345 HTTP/1.1\r\nHost: a\r\nContent-Length: "
	"9\r\n\r\n";
	struct http_limits limits;
	struct http_head *head = xcalloc(1, sizeof(*head));
	struct http_parser p;
	struct http_span body;
	size_t used;

	(void)state;
	http_limits_init(&limits);
	limits.line_max = 10;
	http_parser_begin(&p, head, &limits);
	assert_int_equal(http_parser_feed(&p, request, sizeof(request) - 1, &used, &body),
			 HTTP_STEP_REFUSED);
	assert_int_equal(http_parser_refusal(&p), HTTP_REFUSED_TARGET_SIZE);
	http_limits_init(&limits);
	limits.field_count = 1;
	http_parser_begin(&p, head, &limits);
	assert_int_equal(http_parser_feed(&p, request, sizeof(request) - 1, &used, &body),
			 HTTP_STEP_REFUSED);
	assert_int_equal(http_parser_refusal(&p), HTTP_REFUSED_FIELDS_SIZE);
	/* a route may allow more or less than the default */
	http_limits_init(&limits);
	http_parser_begin(&p, head, &limits);
	assert_int_equal(http_parser_feed(&p, request, sizeof(request) - 1, &used, &body),
			 HTTP_STEP_HEAD);
	http_parser_allow_body(&p, 8);
	assert_int_equal(http_parser_feed(&p, "", 0, &used, &body), HTTP_STEP_REFUSED);
	assert_int_equal(http_parser_refusal(&p), HTTP_REFUSED_BODY_SIZE);
	/* a refusal is final */
	assert_int_equal(http_parser_feed(&p, "abc", 3, &used, &body), HTTP_STEP_REFUSED);
	assert_int_equal(used, 0);
	limits.line_max = limits.fields_max = limits.field_max = limits.field_count = UINT32_MAX;
	http_limits_clamp(&limits);
	assert_int_equal(limits.line_max, HTTP_LINE_SIZE);
	assert_int_equal(limits.field_count, HTTP_FIELD_COUNT_MAX);
	assert_int_equal(limits.field_max, HTTP_FIELDS_SIZE);
	free(head);
}

static void test_finds_fields(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-A: 2\r\n"
				      "Authorization: Bearer x\r\nConnection: a,  Close\t,"
				      "b\r\n\r\n";
	struct http_limits limits;
	struct http_head *head = xcalloc(1, sizeof(*head));
	struct http_parser p;
	struct http_span body;
	size_t used;

	(void)state;
	http_limits_init(&limits);
	http_parser_begin(&p, head, &limits);
	assert_int_equal(http_parser_feed(&p, request, sizeof(request) - 1, &used, &body),
			 HTTP_STEP_HEAD);
	assert_string_equal(http_head_find(head, "x-a"), "1");
	assert_null(http_head_find(head, "x-b"));
	assert_string_equal(http_head_known(head, HTTP_FIELD_AUTHORIZATION), "Bearer x");
	assert_null(http_head_known(head, HTTP_FIELD_ORIGIN));
	assert_true(http_head_lists(head, HTTP_FIELD_CONNECTION, "close"));
	assert_true(http_head_lists(head, HTTP_FIELD_CONNECTION, "b"));
	assert_false(http_head_lists(head, HTTP_FIELD_CONNECTION, "clos"));
	assert_false(http_head_lists(head, HTTP_FIELD_UPGRADE, "close"));
	free(head);
}

/* Every byte in every position of a valid request: no crash, and all splits agree. */
static void test_every_byte_everywhere(void **state)
{
	static const char request[] = POST "A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
				      "3\r\nabc\r\n0\r\n\r\n";
	char bad[sizeof(request)];
	size_t one = 1;

	(void)state;
	for (size_t at = 0; at < sizeof(request) - 1; at++) {
		for (int byte = 0; byte < 256; byte++) {
			struct trace t;

			memcpy(bad, request, sizeof(request));
			bad[at] = (char)byte;
			trace_run(&t, bad, sizeof(bad) - 1, NULL, NULL);
			check_same(bad, sizeof(bad) - 1, buf_str(&t.text), trace_cut_each, &one);
			trace_fini(&t);
		}
	}
}

#define CMOCKA_TEST(f) { #f, f, NULL, NULL, NULL }

int main(void)
{
	static const struct CMUnitTest others[] = {
		CMOCKA_TEST(test_reads_everything),
		CMOCKA_TEST(test_reads_chunks),
		CMOCKA_TEST(test_reads_flags),
		CMOCKA_TEST(test_limits_can_be_lowered),
		CMOCKA_TEST(test_finds_fields),
		CMOCKA_TEST(test_every_byte_everywhere),
	};
	static struct CMUnitTest tests[ARRAY_LEN(rows) + ARRAY_LEN(others)];
	static char names[ARRAY_LEN(rows)][96];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(names[i], sizeof(names[i]), "%s %s", rows[i].number, rows[i].what);
		tests[i] = (struct CMUnitTest){
			.name = names[i],
			.test_func = test_row,
			.initial_state = (void *)(uintptr_t)&rows[i],
		};
	}
	memcpy(tests + ARRAY_LEN(rows), others, sizeof(others));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
