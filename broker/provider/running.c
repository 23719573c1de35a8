/* SPDX-License-Identifier: MIT */
#include "provider/running.h"

#include <pthread.h>
#include <stdio.h>

#include "util/alloc.h"

/* More than worker threads are ever configured. */
#define RUNNING_MAX 256

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct running_step slots[RUNNING_MAX];
static _Thread_local const struct running_step *here;

struct running_step *running_begin(const struct step *step)
{
	const char *lease = step->lease.id;
	struct running_step *running = NULL;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < ARRAY_LEN(slots) && !running; i++) {
		if (!slots[i].is_used)
			running = &slots[i];
	}
	if (running) {
		running->is_used = 1;
		running->began_ms = env_mono_ms(step->account->env);
		snprintf(running->text, sizeof(running->text), "provider %s (account %s), %s%s%s",
			 step->account->table->name, step->account->config.name,
			 step_op_name(step->op), lease[0] ? " of lease " : "", lease);
	}
	pthread_mutex_unlock(&lock);
	here = running;
	return running;
}

void running_end(struct running_step *running)
{
	here = NULL;
	if (!running)
		return;
	pthread_mutex_lock(&lock);
	running->is_used = 0;
	pthread_mutex_unlock(&lock);
}

const char *running_here(void)
{
	return here ? here->text : "";
}

void running_each(void (*fn)(void *arg, const struct running_step *running), void *arg)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
		if (slots[i].is_used)
			fn(arg, &slots[i]);
	}
	pthread_mutex_unlock(&lock);
}
