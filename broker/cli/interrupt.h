/* SPDX-License-Identifier: MIT */
/*
 * SIGINT, SIGTERM and SIGHUP are recorded and handled by the commands, because a create in
 * progress must be cancelled first.
 */
#pragma once

#include <signal.h>

void interrupt_setup(void);
int interrupt_pending(void); /* the signal number; 0: none */
/* Clears the pending signal, so that a cancel can send requests. */
void interrupt_clear(void);
/* In a child before it runs another program: the default actions, unless one is ignored. */
void interrupt_default(void);
/* Adds the signals that are recorded, which are those that nobody ignores for us. */
void interrupt_add(sigset_t *set);
