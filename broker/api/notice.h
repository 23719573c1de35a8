/* SPDX-License-Identifier: MIT */
/*
 * Notices: what the server changed in a request, one sentence each. They are derived from what
 * the request asked for and the lease as it is, so a repeated request gets them again and
 * nothing is stored. Pure; any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lease/ledger.h"
#include "lease/lease.h"
#include "util/jsonw.h"

#define NOTICES_MAX 8

/* What a request asked for, before defaults and limits; "" and 0: nothing. */
struct notice_request {
	char slug_raw[64]; /* as the client wrote it; its beginning, if it is longer */
	char slug[48];	   /* normalized */
	int64_t ttl_seconds, idle_seconds;
	int64_t ttl_max_ms, idle_max_ms; /* what the server allows now */
	char location[32];
	char image[64];
};

struct notice {
	const char *code; /* static */
	char message[200];
};

struct notices {
	struct notice list[NOTICES_MAX];
	size_t count;
};

/* Did the lease get another slug because the requested one was taken? */
int notice_slug_is_taken(const struct notice_request *asked, const struct lease *l);
/*
 * Appends what differs. `attempts` may be NULL. `slug_holder`: the id of the lease that has the
 * requested slug, if the caller may see it; else NULL or "".
 */
void notice_compare(const struct notice_request *asked, const struct lease *l,
		    const struct attempt *attempts, size_t attempt_count, const char *slug_holder,
		    struct notices *out);
/* `code` must outlive the notices. Without room nothing is added. */
void notice_add(struct notices *notices, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The member "notices", if there are any. */
void notice_render(struct jsonw *w, const struct notices *notices);
