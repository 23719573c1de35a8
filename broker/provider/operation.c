/* SPDX-License-Identifier: MIT */
#include "provider/operation.h"

#include <pthread.h>

#include "provider/account_state.h"
#include "provider/running.h"

/* One lock for all providers that declare LESSOR_SERIAL or no known value. */
static pthread_mutex_t serial = PTHREAD_MUTEX_INITIALIZER;

static int operation_dispatch(struct operation *op)
{
	struct step *step = op->step;
	const struct lessor_provider *table = op->account->table;
	void *instance = op->account->instance;

	switch (step->op) {
	case STEP_PROVISION:
		return table->provision(instance, &op->base, operation_lease(op));
	case STEP_CLEANUP:
		return table->cleanup(instance, &op->base, operation_lease(op));
	case STEP_INSPECT:
		return table->inspect(instance, &op->base, operation_lease(op));
	case STEP_PROBE:
		/* a provider without a probe counts as healthy */
		return table->probe ? table->probe(instance, &op->base, operation_lease(op)) :
				      LESSOR_DONE;
	case STEP_CATALOG:
		return table->catalog ? table->catalog(instance, &op->base) : LESSOR_DONE;
	case STEP_LIST:
		return table->list(instance, &op->base, step->list_kind);
	case STEP_RELOAD:
		return table->reload ? table->reload(instance, &op->base) : LESSOR_DONE;
	case STEP_RETAIN:
		return table->retain ? table->retain(instance, &op->base, operation_lease(op)) :
				       LESSOR_DONE;
	case STEP_OBSERVE:
		return table->observe ? table->observe(instance, &op->base, op->waiting,
						       step->waiting_count) : LESSOR_DONE;
	}
	return 0;
}

static int operation_run(struct operation *op)
{
	uint32_t concurrency = op->account->table->concurrency;
	pthread_mutex_t *lock = NULL;
	struct running_step *running;
	int verdict;

	/* an unset or unknown value means serial, the safe choice */
	if (concurrency == LESSOR_PER_INSTANCE)
		lock = &op->account->state->serial;
	else if (concurrency != LESSOR_PARALLEL)
		lock = &serial;
	if (lock)
		pthread_mutex_lock(lock);
	running = running_begin(op->step);
	verdict = operation_dispatch(op);
	running_end(running);
	if (lock)
		pthread_mutex_unlock(lock);
	return verdict;
}

void step_run(struct step *step)
{
	struct operation op;

	operation_init(&op, step);
	step->token_number = account_token_copy(step->account, &op.token);
	for (size_t i = 0; i < step->waiting_count; i++)
		step->waiting[i]->token_number = step->token_number;
	if (step->op == STEP_OBSERVE)
		operation_observe_begin(&op);
	operation_conclude(&op, operation_run(&op));
	if (step->op == STEP_OBSERVE)
		operation_observe_end(&op);
	account_token_free(op.token);
	operation_fini(&op);
}
