/* SPDX-License-Identifier: MIT */
/*
 * What an account does beside its leases, as a table: how each task begins, and what its
 * end leads to. Due times have a heap of their own. The engine's thread only.
 */
#pragma once

#include <stdint.h>

#include "provider/step.h"
#include "util/err.h"

struct core;
struct core_account;

enum account_task {
	TASK_PROBE,   /* is it the account we know, and is the store the newest? */
	TASK_CATALOG, /* what its machines cost */
	TASK_SWEEP,   /* its inventory is compared with the ledger (sweep.c) */
	TASK_RELOAD,  /* the provider reads its files again */
	TASK_LOOK,    /* a look at all that wait for their servers may begin (observe.c) */
	TASK_COUNT
};

/* A start: all that its provider offers are due, each when it last was. */
void account_tasks_init(struct core *core);
/* Due then, wall clock; 0: not at all. Nothing if the account's provider does not offer it. */
void account_task_at(struct core *core, struct core_account *a, enum account_task task,
		     int64_t due_ms);
/* As soon as there is a turn. */
void account_task_soon(struct core *core, struct core_account *a, enum account_task task);
/* All that are due begin. */
void account_tasks_due(struct core *core, int64_t now_ms);
/* A step of a task is over. -1: what it leads to could not be written. */
int account_task_done(struct core *core, struct core_account *a, struct step *step,
		      struct err *err);
