/* SPDX-License-Identifier: MIT */
/*
 * The service manager's protocol (sd_notify, watchdog, socket activation), through the
 * environment. Does nothing without a service manager. Main thread, but for notify_send.
 */
#pragma once

#include <stdint.h>

/*
 * Sends a state such as "READY=1" or "STOPPING=1\nSTATUS=...". Blocks for at most a second if
 * the service manager does not read. Any thread.
 */
void notify_send(const char *state);
/* Sends WATCHDOG=1; never blocks, and drops it if the service manager does not read. */
void notify_alive(void);

/* The watchdog timeout in ms; 0: no watchdog. */
int64_t notify_watchdog_ms(void);

/* How many listening sockets were passed, from descriptor NOTIFY_FIRST_FD on. */
#define NOTIFY_FIRST_FD 3
int notify_sockets(void);
