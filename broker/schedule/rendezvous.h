/* SPDX-License-Identifier: MIT */
/*
 * Which daemon should own an account. Every daemon computes the same answer from the same list of
 * living daemons (rendezvous hashing), and when one comes or goes, only the accounts that it
 * gains or loses move. The answer is a hint: who owns an account is in the store. Pure.
 */
#pragma once

#include <stddef.h>

/*
 * How many of the daemons come before `self` for this account: 0 if it should own it. `self` need
 * not be in the list, which is in any order.
 */
size_t rendezvous_rank(const char *account, const char *const *daemons, size_t count,
		       const char *self);
/* The daemon that should own the account: an entry of the list; NULL if that is empty. */
const char *rendezvous_owner(const char *account, const char *const *daemons, size_t count);
