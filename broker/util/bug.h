/* SPDX-License-Identifier: MIT */
/*
 * Checks for what cannot be unless lessor itself is wrong. They are on in every build: a
 * broker that no longer knows what it does must stop before it acts, and a restart goes on
 * from what is stored. Never for what comes from outside (clients, providers, plugins, files,
 * the network): that gets an error.
 */
#pragma once

/* True: writes the place, the condition and a backtrace to stderr, and aborts. */
#define BUG_ON(condition)                                                                     \
	do {                                                                                  \
		if (__builtin_expect(!!(condition), 0))                                       \
			bug_abort(__FILE__, __LINE__, __func__, #condition);                  \
	} while (0)

/* Any thread; allocates nothing of its own. */
_Noreturn void bug_abort(const char *file, int line, const char *function, const char *condition)
	__attribute__((cold));
