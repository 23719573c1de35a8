/* SPDX-License-Identifier: MIT */
/* One batch: what has queued up is applied in one transaction and committed. */
#pragma once

#include "engine/inbox.h"
#include "engine/life.h"
#include "engine/store_watch.h"

struct batch {
	const struct env *env;
	struct inbox *inbox; /* gets back what could not be applied */
	struct store_watch *watch;
	struct engine_life *life;
	struct inbox_work work;
	unsigned hurry;
	int may_wait; /* it holds only claims: its transaction may stay open for those that follow */
	int is_stopping;
	/* results */
	int is_open;	  /* the transaction was left open */
	int is_postponed; /* the store cannot be written now: nothing was applied */
};

/* Of the work, refuses and frees what belongs to lives that are over. */
void batch_sort(struct batch *batch);
/* Applies the rest. -1: the store is broken. */
int batch_run(struct batch *batch, struct err *err);
/* The life is over, or there is none: answers and frees what is left of the work. */
void batch_refuse(struct batch *batch);
