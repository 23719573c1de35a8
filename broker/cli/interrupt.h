/* SPDX-License-Identifier: MIT */
/*
 * Ctrl-C, SIGTERM and SIGHUP are noted, not obeyed on the spot: a create that
 * is under way must be taken back first.
 */
#pragma once

void interrupt_setup(void);
int interrupt_pending(void);	/* the signal's number, 0 if there was none */
int interrupt_count(void);	/* how many came */
/* Forgets the pending one, so that the way back can talk to the server. */
void interrupt_clear(void);
