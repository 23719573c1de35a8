/* SPDX-License-Identifier: MIT */
/*
 * Accounts that have open leases and that no daemon serves, since none has them configured any
 * longer. Nobody owns them, so nobody would say it: each daemon looks for them now and then, claims
 * what nobody has renewed for a while, writes into its leases that they need an operator, and gives
 * it up again. Only for a store that several daemons share; on another, the core does it at its
 * start (core_missing_init).
 */
#pragma once

#include "engine/engine.h"
#include "engine/owner.h"

struct unserved;

/* Who serves an account may be away for so long, to be upgraded. */
#define UNSERVED_SILENT_MS (5 * 60 * 1000)
#define UNSERVED_LOOK_MS (60 * 1000)

/*
 * Starts a thread. `config`: of the daemon's engines, with the accounts that it has; copied. Both,
 * and what they point to, are borrowed until unserved_free.
 */
int unserved_new(const struct engine_config *config, const struct owner_config *owners,
		 struct unserved **ret, struct err *err);
/* Ends the thread, after the look that is under way. NULL is allowed. */
void unserved_free(struct unserved *unserved);
/*
 * One look, of accounts that nobody has renewed for `silent_ms`; the thread does this, and tests do
 * it without one. *ret_count: how many accounts it has marked. -1: not all of them were looked at.
 */
int unserved_look(const struct engine_config *config, const struct owner_config *owners,
		  int64_t silent_ms, int *ret_count, struct err *err);
