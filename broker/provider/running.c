/* SPDX-License-Identifier: MIT */
#include "provider/running.h"

#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static TAILQ_HEAD(, running_step) list = TAILQ_HEAD_INITIALIZER(list);
static _Thread_local const struct running_step *here;

void running_begin(struct running_step *running, const struct step *step)
{
	const char *lease = step->lease.id;

	snprintf(running->text, sizeof(running->text), "provider %s (account %s), %s%s%s",
		 step->account->table->name, step->account->config.name, step_op_name(step->op),
		 lease[0] ? " of lease " : "", lease);
	running->began_ms = env_mono_ms(step->account->env);
	pthread_mutex_lock(&lock);
	TAILQ_INSERT_TAIL(&list, running, link);
	pthread_mutex_unlock(&lock);
	here = running;
}

void running_end(struct running_step *running)
{
	here = NULL;
	pthread_mutex_lock(&lock);
	TAILQ_REMOVE(&list, running, link);
	pthread_mutex_unlock(&lock);
}

const char *running_here(void)
{
	return here ? here->text : "";
}

void running_each(void (*fn)(void *arg, const struct running_step *running), void *arg)
{
	const struct running_step *running;

	pthread_mutex_lock(&lock);
	TAILQ_FOREACH(running, &list, link)
		fn(arg, running);
	pthread_mutex_unlock(&lock);
}
