/* SPDX-License-Identifier: MIT */
/*
 * The service manager's side of the daemon, by its environment; without one nothing
 * here does anything. Main thread.
 */
#pragma once

#include <stdint.h>

/*
 * Tells the service manager, if one asked to be told: "READY=1", "STOPPING=1\nSTATUS=...". One
 * that does not listen costs a second.
 */
void notify_send(const char *state);
/* WATCHDOG=1; one that does not listen costs nothing and is told again the next time. */
void notify_alive(void);

/* How often it wants to hear WATCHDOG=1 at least, in ms; 0: it does not. */
int64_t notify_watchdog_ms(void);

/* How many listening sockets it left us, from descriptor NOTIFY_FIRST_FD on. */
#define NOTIFY_FIRST_FD 3
int notify_sockets(void);
