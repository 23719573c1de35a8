/* SPDX-License-Identifier: MIT */
/*
 * The daemons on one database and the accounts they own, as GET /v1/daemons and the metrics show
 * them. The caller supplies the source.
 */
#pragma once

#include <stdint.h>

struct daemon_view {
	const char *id;
	const char *address; /* "": it is alone, or did not say */
	const char *version;
	int64_t schema;
	int64_t started_ms, seen_ms; /* wall clock of that daemon */
	int is_self, is_alive;
};

struct owned_view {
	const char *account;
	const char *daemon; /* the id; "": nobody owns it now, or it is not known who */
	const char *address;
	int64_t since_ms;   /* wall clock of the database; 0: it was never owned */
	int64_t epoch;	    /* how often it was claimed */
	const char *frozen; /* why nothing is deleted or concluded there; "": it is not */
	int64_t takeovers;  /* how often this daemon saw it pass to another owner */
	/* how it stands with its provider, as its owner says */
	int is_fenced;
	uint32_t blocked_class; /* 0: it is not blocked */
	const char *why;	/* it is either of them */
	int64_t verified_ms;
};

typedef void (*daemons_fn)(void *arg, const struct daemon_view *view);
typedef void (*daemons_account_fn)(void *arg, const struct owned_view *view);

/* Called on the loop thread; they must not wait. */
struct daemons_source {
	void *arg;
	void (*daemons)(void *arg, daemons_fn fn, void *fn_arg);
	void (*accounts)(void *arg, daemons_account_fn fn, void *fn_arg);
	/*
	 * The database's clock, by which the owners of accounts decide: ms since 1970; 0: it is not
	 * known. NULL: this machine's counts.
	 */
	int64_t (*now_ms)(void *arg);
};

static inline int64_t daemons_now_ms(const struct daemons_source *source)
{
	return source->now_ms ? source->now_ms(source->arg) : 0;
}
