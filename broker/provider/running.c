/* SPDX-License-Identifier: MIT */
#include "provider/running.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "util/alloc.h"

/* More than worker threads are ever configured. */
#define RUNNING_MAX 256

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct running_step slots[RUNNING_MAX];
static _Thread_local const struct running_step *here;

/*
 * A plugin that has used up its stack leaves none for the report of its crash. A stack that is
 * set already, as sanitizers do, is theirs to take down.
 */
static void stack_set_aside(void)
{
	static _Thread_local char stack[16 * 1024];
	static _Thread_local int is_set;
	const stack_t aside = { .ss_sp = stack, .ss_size = sizeof(stack) };
	stack_t old;

	if (!is_set && sigaltstack(NULL, &old) == 0 && (old.ss_flags & SS_DISABLE))
		sigaltstack(&aside, NULL);
	is_set = 1;
}

struct running_step *running_begin(const struct step *step)
{
	const char *lease = step->lease.id;
	struct running_step *running = NULL;

	stack_set_aside();
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < ARRAY_LEN(slots) && !running; i++) {
		if (!slots[i].is_used)
			running = &slots[i];
	}
	if (running) {
		running->is_used = 1;
		running->began_ms = env_mono_ms(step->account->env);
		snprintf(running->record, sizeof(running->record), "%s %s %s",
			 step->account->config.name, step_op_name(step->op),
			 lease[0] ? lease : "-");
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

const char *running_here_record(void)
{
	return here ? here->record : NULL;
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
