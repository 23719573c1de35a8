/* SPDX-License-Identifier: MIT */
/*
 * Accounts with open leases that no daemon has configured any longer. Nobody owns them, so nobody
 * would report it: each daemon looks for them now and then, claims those that nobody has renewed
 * for a while, marks their leases for an operator, and gives them up again. Only for a store that
 * several daemons share; on another, the core does it at its start (core_missing_init).
 */
#pragma once

#include "engine/engine.h"
#include "engine/owner.h"

struct unserved;

/* A daemon may be away for this long, to be upgraded. */
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
