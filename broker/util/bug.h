/* SPDX-License-Identifier: MIT */
/*
 * Checks for conditions that only a bug in lessor can cause. Enabled in every build: a broker
 * with inconsistent state must stop before it acts, and a restart continues from the database.
 * Never for input (clients, providers, plugins, files, the network), which gets an error.
 */
#pragma once

#include <stddef.h>

/* If true, writes the location, the condition and a backtrace to stderr, and aborts. */
#define BUG_ON(condition)                                                                     \
	do {                                                                                  \
		if (__builtin_expect(!!(condition), 0))                                       \
			bug_abort(__FILE__, __LINE__, __func__, #condition);                  \
	} while (0)

/* The signals by which a thread's own bug ends the process. A thread must not block them. */
struct bug_signal {
	int number;
	const char *name;
};
extern const struct bug_signal bug_signals[];
#define BUG_SIGNALS 5

/* Any thread; allocates nothing itself. */
_Noreturn void bug_abort(const char *file, int line, const char *function, const char *condition)
	__attribute__((cold));
