/* SPDX-License-Identifier: MIT */
/*
 * Where the threads of a pool are: in the network, waiting for another's answer, or at a
 * lock. The test waits until they are there. The linker puts three functions of ours in
 * front of the C library's for that (--wrap: pthread_mutex_lock, pthread_cond_timedwait,
 * pthread_join).
 */
#pragma once

void places_reset(void);

/* Whoever comes to the network stays there until the gate is open or `may_leave(arg)` says 1. */
void places_shut(void);
void places_open(void);
void places_stay(int (*may_leave)(void *arg), void *arg);
/* Has those who stay ask again. Joining a thread does that, too: it was told to end before. */
void places_poke(void);

/* Each ends the program when it takes longer than a minute. */
void places_await_arrived(int count);	/* so many have come to the network so far */
void places_await_waiters(int count);	/* so many threads wait for another's answer */
void places_await_blocked(int count);	/* so many wait for one lock at the same time */

/* How many were in the network at once. */
int places_most(void);
