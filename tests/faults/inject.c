/* SPDX-License-Identifier: MIT */
/*
 * What happens at the k-th event of a case. An event is a moment at which the world
 * can change without the broker's doing: before each request to the provider, after
 * its response, and each time the broker checks what is due.
 */
#include "world.h"

#include <stdio.h>
#include <string.h>

#define OUTAGE_MS (40 * MINUTE)
#define LOOPS 50
/* By then the broker has committed something, or tried to. */
#define FILE_GONE_MS (10 * MINUTE)

const char *act_name(enum act act)
{
	static const char *const names[] = {
#define X(name, text) [name] = text,
		ACTS(X)
#undef X
	};

	return names[act];
}

void world_undo(struct world *w)
{
	void (*undo)(struct world *w) = w->undo;

	w->undo = NULL;
	if (undo)
		undo(w);
}

static void undo_at(struct world *w, void (*undo)(struct world *w), int64_t after_ms)
{
	w->disturbed = 1;
	w->undo = undo;
	w->undo_at_ms = w->d.now_ms + after_ms;
}

static void undo_later(struct world *w, void (*undo)(struct world *w))
{
	w->outage = 1;
	undo_at(w, undo, OUTAGE_MS);
}

/* ---- restart variants ------------------------------------------------------------------- */

static void account_back(struct world *w)
{
	w->account_gone = 0;
	world_crash(w, "restart");
}

static void account_goes(struct world *w)
{
	w->account_gone = 1;
	undo_later(w, account_back);
	world_crash(w, "restart");
}

static void project_back(struct world *w)
{
	w->project_moved = 0;
	world_admin(w, "POST", "/_sim/token", "{\"project\":0}");
	world_crash(w, "restart");
}

static void project_back_live(struct world *w)
{
	w->project_moved = 0;
	world_admin(w, "POST", "/_sim/token", "{\"project\":0}");
}

/* Until its store knows the sentinel, the broker cannot tell one project from another. */
static int has_sentinel(const struct world *w)
{
	struct ledger ledger = { 0 };
	int found = 0;

	if (store_account_ledger(core_store(w->d.core), "hetzner", &ledger, NULL))
		return 0;
	for (size_t i = 0; i < ledger.resource_count; i++)
		found |= ledger.resources[i].kind == LESSOR_KIND_SENTINEL &&
			 ledger.resources[i].state == LESSOR_STATE_PRESENT;
	ledger_fini(&ledger);
	return found;
}

static void project_moves(struct world *w, int live)
{
	if (!has_sentinel(w)) {
		w->acted = 0;
		return;
	}
	w->project_moved = 1;
	w->moved_live |= live;
	world_admin(w, "POST", "/_sim/token", "{\"project\":1}");
	undo_later(w, live ? project_back_live : project_back);
	if (!live)
		world_crash(w, "restart");
}

static void token_back(struct world *w)
{
	world_admin(w, "POST", "/_sim/token", "{\"revoked\":false,\"readonly\":false}");
}

static void token_changes(struct world *w, const char *json)
{
	world_admin(w, "POST", "/_sim/token", json);
	undo_later(w, token_back);
}

static void crash_loop(struct world *w)
{
	w->loop_left = LOOPS;
	w->loop_next_ms = w->d.now_ms + SECOND;
	world_crash(w, "loop");
}

static void saved_path(const struct world *w, char *ret, size_t room)
{
	snprintf(ret, room, "%s/saved", w->folder);
}

/* Crashes; the next life starts on the saved copy of the store. */
static void restore(struct world *w)
{
	char saved[200];

	saved_path(w, saved, sizeof(saved));
	w->restored = w->disturbed = 1;
	w->down_ms = w->plan.down_ms;
	for (size_t i = 0; i < w->lease_count; i++)
		w->leases[i].seen = 0;
	/* world_reborn uses the copy after the crash. */
	w->restore_from = 1;
	world_crash(w, "restore");
}

/* ---- the database's file ---------------------------------------------------------------- */

static void moved_path(const struct world *w, char *ret, size_t room)
{
	snprintf(ret, room, "%s/smoved", w->folder);
}

static void move(const char *from, const char *to)
{
	if (rename(from, to)) {
		perror(from);
		abort();
	}
}

void world_file_back(struct world *w)
{
	char moved[200];

	if (w->file_gone && w->plan.act == ACT_FILE_MOVED) {
		moved_path(w, moved, sizeof(moved));
		move(moved, w->d.path);
	}
	w->file_gone = 0;
}

/* The broker had nothing to write; it is stopped before the file is put back. */
static void file_not_missed(struct world *w)
{
	if (w->file_gone)
		world_crash(w, "restart");
}

/*
 * The file is renamed, or an older copy is put in its place, while the broker runs. It must end
 * at its next commit (watch.c), before any request that depends on it.
 */
static void file_goes(struct world *w)
{
	char other[200];

	w->store_faults = 1;
	undo_at(w, file_not_missed, FILE_GONE_MS);
	if (w->plan.act == ACT_FILE_MOVED) {
		moved_path(w, other, sizeof(other));
		move(w->d.path, other);
	} else {
		saved_path(w, other, sizeof(other));
		move(other, w->d.path);
		world_store_copy(w->d.path, other);
		w->restored = w->restore_from = 1;
		for (size_t i = 0; i < w->lease_count; i++)
			w->leases[i].seen = 0;
	}
	w->file_gone = 1;
}

/* ---- one event ----------------------------------------------------------------------------- */

void world_jump(struct world *w, int64_t ms)
{
	w->jumped = 1;
	w->jumped_ms = w->d.now_ms;
	w->d.wall_off_ms += ms;
	w->is_pause_kept = 0;
}

int world_has_date(const struct world *w)
{
	return w->plan.act >= ACT_START_DAY && w->plan.act <= ACT_START_DAY_BACK;
}

static void clock_put_right(struct world *w)
{
	w->clock_wrong = 0;
	world_jump(w, -w->d.wall_off_ms);
}

/* The machine starts again with a wrong clock, which somebody puts right later. */
static void start_wrong(struct world *w, int64_t ms)
{
	world_jump(w, ms);
	w->clock_wrong = 1;
	undo_later(w, clock_put_right);
	world_crash(w, "restart");
}

static void act(struct world *w)
{
	w->acted = 1;
	if (w->plan.crash_after)
		w->crash_at = w->points + w->plan.crash_after;
	switch (w->plan.act) {
	case ACT_DELETE:
	case ACT_KEEP:
		world_release(w, 0, w->plan.act == ACT_DELETE);
		break;
	case ACT_HEARTBEAT:
		world_heartbeat(w, 0);
		break;
	case ACT_AGAIN:
		world_create_again(w, 0);
		break;
	case ACT_CANCEL:
		world_cancel(w, 0);
		break;
	case ACT_HOUR:
		world_jump(w, HOUR);
		break;
	case ACT_DECADE:
		world_jump(w, 24 * HOUR * 3652);
		break;
	case ACT_HOUR_BACK:
		world_jump(w, -HOUR);
		break;
	case ACT_ACCOUNT_GONE:
		account_goes(w);
		break;
	case ACT_OTHER_PROJECT:
	case ACT_OTHER_PROJECT_LIVE:
		project_moves(w, w->plan.act == ACT_OTHER_PROJECT_LIVE);
		break;
	case ACT_REVOKED:
		token_changes(w, "{\"revoked\":true}");
		break;
	case ACT_READONLY:
		token_changes(w, "{\"readonly\":true}");
		break;
	case ACT_CRASH_LOOP:
		crash_loop(w);
		break;
	case ACT_FILE_MOVED:
	case ACT_FILE_REPLACED:
		file_goes(w);
		break;
	case ACT_START_DAY:
		start_wrong(w, 24 * HOUR);
		break;
	case ACT_START_YEAR:
		start_wrong(w, 365 * 24 * HOUR);
		break;
	case ACT_START_DAY_BACK:
		start_wrong(w, -24 * HOUR);
		break;
	case ACT_DISK_FULL:
		disk_fill();
		undo_at(w, disk_empty, OUTAGE_MS);
		/* Or it is found full at a start. */
		if (w->events % 8 < 4)
			world_crash(w, "restart");
		break;
	case ACT_RESTORE:
		restore(w);
		break;
	case ACT_NONE:
	case ACT_COUNT:
		break;
	}
}

void world_event(struct world *w)
{
	char saved[200];

	w->events++;
	if (w->plan.act == ACT_NONE)
		return;
	if (w->events == w->plan.saved_at) {
		saved_path(w, saved, sizeof(saved));
		world_store_copy(w->d.path, saved);
	}
	if (w->events == w->plan.event)
		act(w);
}
