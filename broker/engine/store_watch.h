/* SPDX-License-Identifier: MIT */
/* A store that cannot be written now: what is logged and answered. */
#pragma once

#include <stdatomic.h>

#include "store/store.h"

struct store_watch {
	atomic_int state; /* enum store_state, as of the last turn */
};

/* Engine thread: notes the store's state, and logs each change once. */
void store_watch_note(struct store_watch *watch, const struct store *store);
/* Any thread. */
enum store_state store_watch_state(const struct store_watch *watch);
/* For a request that cannot be saved. */
const char *store_watch_message(const struct store_watch *watch);
