/* SPDX-License-Identifier: MIT */
/*
 * A provider whose operations are whatever the test says, on an account whose
 * network is a function of the test and whose ledger is an array.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "provider/account.h"
#include "provider/step.h"
#include "util/alloc.h"

#define TOY_SENT_MAX 64
#define TOY_ROWS_MAX 16

/* One request that reached the network. */
struct toy_sent {
	char method[8];
	char url[300];
	char authorization[64];
	char body[128];
	int fresh;
	int64_t timeout_ms;
};

struct toy {
	struct env env;
	struct account *account;
	int64_t wall_ms, mono_ms;	/* the test moves them */

	pthread_mutex_t lock;		/* of what follows */
	struct toy_sent sent[TOY_SENT_MAX];
	int sent_count;
	/* Answers a request; the default is 200 with "{}". */
	void (*network)(struct toy *toy, const struct env_http_request *request,
			struct env_http_answer *answer);
	struct resource rows[TOY_ROWS_MAX];
	int row_count;
	int commits[16];		/* by kind */
	int deny;			/* kind of commit that is answered no, -1: none */
};

typedef int (*toy_script)(struct lessor_call *call, const struct lessor_lease *lease);

extern const struct lessor_provider toy_table;

void toy_start(struct toy *toy, int64_t rate_per_hour);
void toy_stop(struct toy *toy);
/* A step of the toy's account for `script`; its ledger is a copy of the toy's rows. */
struct step *toy_step(struct toy *toy, enum step_op op, toy_script script);
/* Runs one and hands it back. */
struct step *toy_run(struct toy *toy, enum step_op op, toy_script script);
/* A row as if made earlier. Returns its number. */
int64_t toy_row(struct toy *toy, uint32_t kind, uint32_t state, const char *id);

/* Requests, for scripts. */
int toy_get(struct lessor_call *call, const char *path, int64_t share_ms,
	    struct lessor_http_response *ret);
int toy_send(struct lessor_call *call, const char *method, const char *path, int64_t row,
	     struct lessor_http_response *ret);
void toy_see(const char *id, struct lessor_observed *ret);
