/* SPDX-License-Identifier: MIT */
/*
 * How a daemon forwards a client's request to the owner of the account, and how the owner verifies
 * it. Besides those fields of the client that matter, the request has
 *
 *	Lessor-Forwarded: FROM; TO; SEQUENCE; REQUEST; EPOCH; SHA-256 of the body; ACCOUNT; LEASE
 *	Lessor-Caller: ROLE; ORG; OWNER
 *	Lessor-Signature: HMAC-SHA-256 of all of it, with a key from the database
 *
 * FROM and TO are ids of daemons, which are new at each start, so that a copy of the request is of
 * no use elsewhere or later; SEQUENCE counts the requests of FROM, and TO takes each number once.
 * REQUEST names what the client asked for, and stays the same when it is sent again; EPOCH is that
 * of the lease when it was accepted. ACCOUNT is that of a create, which may name none and mean the
 * default of FROM; otherwise it is empty or missing. LEASE is the id of the lease that has EPOCH, if
 * the request names it by a slug; otherwise it is missing. The client's token is not passed on. Pure.
 */
#pragma once

#include <stdint.h>

#include "http/parser.h"
#include "lease/lease.h"
#include "store/store.h"
#include "util/buf.h"
#include "util/hash.h"

#define FORWARDED_ID_SIZE 33
#define FORWARDED_KEY_SIZE 32
#define FORWARDED_FIELD "lessor-forwarded"
#define FORWARDED_JSON "application/json"
/*
 * In the answer: NUMBER AT, the newest commit of the owner (struct shard, seq), and at which change its
 * row says that the database has failed over, or -1. A database that shows less later has lost some.
 */
#define FORWARDED_NEWEST_FIELD "lessor-newest"

struct forwarded {
	char from[FORWARDED_ID_SIZE], to[FORWARDED_ID_SIZE];
	int64_t sequence; /* from 1 on */
	char request_id[LEASE_REQUEST_ROOM];
	int64_t epoch; /* 0: any */
	struct caller caller;
	unsigned char body[HASH_SHA256_LEN];
	char account[32]; /* "": not said */
	char lease[24];	  /* the same */
};

/* The fields of a request that a handler reads: each is passed on and signed. */
#define FORWARDED_CLIENT_FIELDS 4
extern const char *const forwarded_client_fields[FORWARDED_CLIENT_FIELDS];

/*
 * The three lines, each as "Name: value" with a NUL, into `lines`. `head` is the client's; NULL: there
 * is none, and it is a POST of JSON without any other field.
 */
struct forwarded_lines {
	char forwarded[352], caller[256], signature[112];
};
void forwarded_write(const struct forwarded *f, const unsigned char key[FORWARDED_KEY_SIZE],
		     const struct http_head *head, const char *target,
		     struct forwarded_lines *lines);
/* Who sends: its id, and the number of its last request. */
struct forwarded_sender {
	char self[FORWARDED_ID_SIZE];
	unsigned char key[FORWARDED_KEY_SIZE];
	int64_t sequence;
};
struct forwarded_content {
	const char *target, *body;
	size_t body_len;
};
/* Completes `f`, with a new number, and writes the lines. */
void forwarded_sign(struct forwarded_sender *sender, struct forwarded *f, const char *to,
		    const struct http_head *head, const struct forwarded_content *content,
		    struct forwarded_lines *lines);
/* Does the request have such a line? */
int forwarded_is(const struct http_head *head);
/* Reads and verifies the three lines. -1: no daemon sent this request as it is. */
int forwarded_read(const struct http_head *head, const unsigned char key[FORWARDED_KEY_SIZE],
		   struct forwarded *ret);

/* Which numbers of one daemon have been taken: the newest ones, one bit each. */
#define FORWARDED_WINDOW 4096
struct forwarded_window {
	char from[FORWARDED_ID_SIZE];
	int64_t newest, used_ms;
	uint64_t taken[FORWARDED_WINDOW / 64];
};
/* Of `count`, the one of this daemon; a new one takes the place of that which was silent longest. */
struct forwarded_window *forwarded_window(struct forwarded_window *windows, size_t count,
					  const char *from);
/* -1: the number was taken before, or is older than all that are remembered. */
int forwarded_take(struct forwarded_window *window, int64_t sequence);
