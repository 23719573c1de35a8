/* SPDX-License-Identifier: MIT */
#include "cli/interrupt.h"

#include <stddef.h>

static volatile sig_atomic_t pending;

static void signal_note(int number)
{
	pending = number;
}

static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };

void interrupt_setup(void)
{
	struct sigaction action = { .sa_handler = signal_note };
	struct sigaction old;
	size_t i;

	sigemptyset(&action.sa_mask);
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		/* a signal that nohup or the shell ignores for us stays ignored */
		if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN)
			continue;
		sigaction(numbers[i], &action, NULL);
	}
	/* A closed pipe must not end a create half way. */
	signal(SIGPIPE, SIG_IGN);
}

void interrupt_default(void)
{
	struct sigaction old;
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler == signal_note)
			signal(numbers[i], SIG_DFL);
	}
	signal(SIGPIPE, SIG_DFL);
}

void interrupt_add(sigset_t *set)
{
	struct sigaction old;
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler == signal_note)
			sigaddset(set, numbers[i]);
	}
}

int interrupt_pending(void)
{
	return pending;
}

void interrupt_clear(void)
{
	pending = 0;
}
