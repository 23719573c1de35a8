/* SPDX-License-Identifier: MIT */
/*
 * Writes changes and uses of tokens, which belong to no account and so to no engine: a thread with
 * a connection of its own, opened when it is first needed. Heartbeats and intents wait for it as
 * long as one small commit takes, and uses are written together, some seconds after the first.
 */
#pragma once

#include <sys/queue.h>

#include "api/auth.h"
#include "api/token_change.h"

struct token_desk;

struct token_job {
	struct token_change change; /* unless there are uses */
	const struct auth_use *uses;
	size_t use_count;
	/* results */
	int has_failed; /* nothing was changed ... */
	int is_unsure;	/* ... or it may have been: the answer of the database is missing */
	struct err err;
	/* On the desk's thread, or on the caller's if the desk has ended. The job is the caller's again. */
	void (*done)(struct token_job *job);
	STAILQ_ENTRY(token_job) link; /* the desk's */
};

/* `store`: what store_open_beside takes; copied. NULL: each job fails. */
int token_desk_new(const char *store, const struct env *env, struct token_desk **ret,
		   struct err *err);
/* Loop thread; does not wait. The job is the desk's until `done`. */
void token_desk_submit(struct token_desk *desk, struct token_job *job);
/* Ends the thread when what was submitted is done; what is submitted later fails at once. */
void token_desk_stop(struct token_desk *desk);
void token_desk_free(struct token_desk *desk); /* NULL is allowed */
