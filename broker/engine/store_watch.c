/* SPDX-License-Identifier: MIT */
#include "engine/store_watch.h"

#include "util/log.h"

static const struct {
	enum log_level level;
	const char *text; /* for the log */
	const char *message;
} store_states[] = {
	[STORE_WRITABLE] = { LOG_LEVEL_NOTICE,
			     "the database can be written again; everything continues", NULL },
	[STORE_RESERVE] = { LOG_LEVEL_ERROR,
			    "the disk of the database is full: creates are refused until it has room; "
			    "releases and cleanup go on, from the reserve",
			    NULL },
	[STORE_LOCKED] = { LOG_LEVEL_ERROR,
			   "another process holds the write lock of the database: changes wait for it, "
			   "requests for a few seconds, and are then answered 503",
			   "another process has locked the broker's database; try again" },
	[STORE_FULL] = { LOG_LEVEL_ERROR,
			 "the disk of the database is full, and its reserve is used up: nothing can "
			 "be changed until it has room; free some",
			 "the disk of the broker's database is full; try again when it has room" },
	[STORE_AWAY] = { LOG_LEVEL_ERROR,
			 "the database does not answer: changes wait for it, requests for a few "
			 "seconds, and are then answered 503",
			 "the broker's database does not answer; try again" },
};

void store_watch_note(struct store_watch *watch, const struct store *store)
{
	enum store_state now = store_state(store);

	if (atomic_exchange(&watch->state, (int)now) == (int)now)
		return;
	log_write(store_states[now].level, LOG_FIELDS({ "event", "store.state" }), "%s",
		  store_states[now].text);
}

enum store_state store_watch_state(const struct store_watch *watch)
{
	return (enum store_state)atomic_load(&watch->state);
}

const char *store_watch_message(const struct store_watch *watch)
{
	const char *message = store_states[store_watch_state(watch)].message;

	return message ? message : "the request cannot be saved now; try again";
}
