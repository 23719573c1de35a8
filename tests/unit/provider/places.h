/* SPDX-License-Identifier: MIT */
/*
 * Tracks where the threads of a pool are: in the network, waiting for another's response, or
 * at a lock. Tests wait until they are there. For this the linker wraps three functions of the
 * C library (--wrap: pthread_mutex_lock, pthread_cond_timedwait, pthread_join).
 */
#pragma once

void places_reset(void);

/*
 * A thread that enters the network stays there until the gate opens or `may_leave(arg)`
 * returns 1.
 */
void places_shut(void);
void places_open(void);
void places_stay(int (*may_leave)(void *arg), void *arg);
/*
 * Makes the threads that stay call may_leave again. Joining a thread does so too, since it was
 * told to end before.
 */
void places_poke(void);

/* Each ends the program after a minute. */
void places_await_arrived(int count); /* `count` threads have entered the network so far */
void places_await_waiters(int count); /* `count` threads wait for another's response */
void places_await_blocked(int count); /* `count` threads wait for one lock at the same time */

/* The largest number of threads in the network at the same time. */
int places_most(void);
