/* SPDX-License-Identifier: MIT */
/*
 * A provider whose operations are whatever the test says, on an account whose
 * network is a small cloud in memory and whose ledger is an array.
 *
 * toy.c         the provider, its actions, its account and its steps
 * toy-ledger.c  commits: the engine's answers, in a few lines
 * toy-cloud.c   the cloud, and what goes wrong on the way to it
 * toy-script.c  steps written as one line of text
 */
#pragma once

#include <pthread.h>
#include <string.h>

#include <jansson.h>

#include "unit/test.h"
#include "provider/account.h"
#include "provider/step.h"
#include "util/alloc.h"

#define TOY_SENT_MAX 64
#define TOY_ROWS_MAX 16
#define TOY_OBJECTS_MAX 16
#define TOY_FAULTS_MAX 8
#define TOY_COMMITS 16

#define TOY_INSTANCE "b7k2m9q4"
#define TOY_LEASE "cbx_0123456789ab"
#define TOY_SENTINEL "77"
/* A query of what this lease made, percent-encoded. */
#define TOY_LABELS_OF(lease) \
	"label_selector=lessor-instance%3D%3D" TOY_INSTANCE "%2Clessor-lease%3D%3D" lease
#define TOY_LABELS TOY_LABELS_OF(TOY_LEASE)

/* A request that reached the network. */
struct toy_sent {
	char method[8];
	char url[300];
	char authorization[64];
	char body[128];
	int fresh;
	int64_t timeout_ms;
	int64_t send_by_mono_ms;
};

/* An object in the cloud. */
struct toy_object {
	char collection[12];	/* "servers", "keys", "marks" */
	char id[32];
	json_t *json;
};

/* A fault: what happens to a request instead. */
struct toy_fault {
	char method[8];
	char target[200];	/* path, with or without the query */
	enum env_http_outcome outcome;
	int status;
	const char *body; /* NULL: the cloud responds as usual, and carries out the request */
};

/* The last commit of a kind. */
struct toy_claim {
	int64_t row;
	uint32_t change;
	struct claim_evidence evidence;	/* without `seen`, which is: */
	char id[64], name[64], labels[600];
	char action[32], text[160];
};

struct toy {
	struct env env;
	const struct lessor_provider *table;
	struct account *account;
	int64_t wall_ms, mono_ms;	/* the test moves them */
	int is_account;			/* its steps belong to the account, not to a lease */
	int is_shared;			/* its permits need a read of the sentinel */
	int is_moved;			/* its steps' barriers are refused */

	pthread_mutex_t lock;		/* of what follows */
	struct toy_sent sent[TOY_SENT_MAX];
	int sent_count;
	/* Changes the cloud's answer to a request. */
	void (*network)(struct toy *toy, const struct env_http_request *request,
			struct env_http_response *answer);
	struct toy_object objects[TOY_OBJECTS_MAX];
	int object_count;
	int next_id;
	int page_size;
	struct toy_fault faults[TOY_FAULTS_MAX];
	int fault_count;
	struct resource rows[TOY_ROWS_MAX];
	int row_count;
	int commits[TOY_COMMITS];	/* by kind */
	struct toy_claim last[TOY_COMMITS];
	int deny;			/* kind of commit that is refused, -1: none */
	struct labels set;		/* what a permitted change sets */
	int nothing_to_change;
};

typedef int (*toy_script)(struct lessor_call *call, const struct lessor_lease *lease);
typedef int (*toy_look)(struct lessor_call *call, struct lessor_waiting *waiting, size_t count);

extern const struct lessor_provider toy_table;
/* A provider with I/O of its own. */
extern const struct lessor_provider toy_own_io_table;

void toy_start(struct toy *toy, int64_t rate_per_hour);
void toy_start_as(struct toy *toy, const struct lessor_provider *table, int64_t rate_per_hour);
void toy_stop(struct toy *toy);
/* A copy of toy_table whose actions may be changed until the next copy is made. */
struct lessor_provider toy_table_copy(void);
/* The action with that name in such a copy. */
struct lessor_action *toy_action(const char *name);
/* A copy without that action. */
struct lessor_provider toy_table_without(const char *name);

/* A step of the toy's account for `script`; its ledger is a copy of the toy's rows. */
struct step *toy_step(struct toy *toy, enum step_op op, toy_script script);
/* Runs a step and returns it. */
struct step *toy_run(struct toy *toy, enum step_op op, toy_script script);
/* An observe for as many leases as there are rows; each holds one of them. */
struct step *toy_observe_step(struct toy *toy, toy_look look);
/* Runs it and returns it. */
struct step *toy_observe(struct toy *toy, toy_look look);
/* Runs it and expects a contract violation that says so. */
void toy_violates(struct toy *toy, enum step_op op, toy_script script, const char *text);
/* Runs it and expects that verdict, and no violation. */
void toy_verdict(struct toy *toy, enum step_op op, toy_script script, int verdict);
/* Adds a row as if created earlier. Returns its number. */
int64_t toy_row(struct toy *toy, uint32_t kind, uint32_t state, const char *id);

/* Requests, for scripts. */
int toy_get(struct lessor_call *call, const char *path, int64_t share_ms,
	    struct lessor_http_response *ret);
int toy_send(struct lessor_call *call, const char *method, const char *path, int64_t row,
	     const char *body, struct lessor_http_response *ret);
void toy_see(const char *id, struct lessor_observed *ret);

/* ---- toy-ledger.c ---- */

int toy_commit(void *arg, struct step *step, struct lease_claim *what);

/* ---- toy-cloud.c ---- */

/* An object with the labels of the lease; the lock is not needed while no step runs. */
struct toy_object *toy_put(struct toy *toy, const char *collection, const char *id,
			   const char *name);
void toy_take(struct toy *toy, const char *id);
/* Sets one of its labels; NULL removes it. */
void toy_label(struct toy *toy, const char *id, const char *key, const char *value);
void toy_protect(struct toy *toy, const char *id, int is_protected);
/* The request gets this response and has no effect. */
void toy_answer(struct toy *toy, const char *method, const char *target, int status,
		const char *body);
/* The request has its effect, and the response is lost. */
void toy_lose(struct toy *toy, const char *method, const char *target);
/* The request is not sent. */
void toy_unsent(struct toy *toy, const char *method, const char *target);
void toy_cloud_answer(struct toy *toy, const struct env_http_request *request,
		      struct env_http_response *answer);
void toy_cloud_fini(struct toy *toy);

/* ---- toy-script.c ---- */

/*
 * Runs a step that is written as "verb argument ...; verb ...", and checks what the host
 * says to each: '!' in front of a verb expects a no, '=' expects "nothing to do". What the
 * verbs are: the table in toy-script.c. It ends with RETRY where it does not say otherwise.
 */
struct step *toy_play(struct toy *toy, enum step_op op, const char *script);

struct toy_case {
	const char *what;
	uint32_t state;		/* of row 1, server 42 "toy-1", at the start; 0: there is no row */
	const char *script;
	const char *violation;	/* NULL: none */
	uint32_t after;		/* the row's state at the end; 0: there is no row */
};
/* Each with a new toy, a sentinel and, while row 1 has an id, its server in the cloud. */
void toy_cases(const struct lessor_provider *table, enum step_op op, const struct toy_case *cases,
	       size_t count);
#define TOY_CASES(table, op, cases) toy_cases(table, op, cases, ARRAY_LEN(cases))
/* The start of a case, for tests that check more than its end. */
void toy_start_case(struct toy *toy, const struct lessor_provider *table, uint32_t state);
