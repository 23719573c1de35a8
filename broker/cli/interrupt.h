/* SPDX-License-Identifier: MIT */
/*
 * SIGINT, SIGTERM and SIGHUP are recorded and handled by the commands, because a create in
 * progress must be cancelled first.
 */
#pragma once

void interrupt_setup(void);
int interrupt_pending(void); /* the signal number; 0: none */
/* Clears the pending signal, so that a cancel can send requests. */
void interrupt_clear(void);
