/* SPDX-License-Identifier: MIT */
/*
 * The way back: whatever still runs for the host is ended, what its holder left is taken
 * away by the reset, and only then is the record removed, which is what frees the host.
 *
 * The reset is the one act that destroys, and the record's end the other: each has a permit
 * of its own, asked for in the step that does it, on what was read in that step.
 */
#include <stdio.h>
#include <string.h>

#include "step_context.h"

/* A run that is over its time so much cannot be killed: the kernel holds it. */
#define OVERDUE_MS (60 * 1000)

/* What a row that is DELETING waits for. */
#define RESETTING "reset"
#define REMOVED "removed"

static int is_overdue(struct work *w, const struct run *run)
{
	return lessor_now(w->call) - run->started_ms - run->timeout_ms > OVERDUE_MS;
}

static int record_is_gone(struct work *w, const struct lessor_resource *row)
{
	int was_removed = row->state == LESSOR_STATE_DELETING && strcmp(row->action, REMOVED) == 0;

	/* What we removed does not come again; of what somebody else did nobody knows. */
	if (w->book.unreadable && !was_removed)
		return lessor_retry(w->call, LESSOR_CLASS_PROVIDER, 0,
				    "a record of the pool cannot be read: is it %s?", row->name);
	/* If we died before that was done. */
	run_forget(&w->book, row->id);
	return lessor_gone(w->call, row->row, "no record has its id") ?
	       lessor_retry(w->call, LESSOR_CLASS_TRANSIENT, 0, "looked at once more first") :
	       lessor_pending(w->call, AT_ONCE, "");
}

/* A lease in attention stays there while its reset is tried again; a first one just moves. */
static int wait_for_reset(struct work *w, const struct record *record)
{
	int64_t poll_ms = lessor_option_int(w->call, OPT_POLL);

	if (record->failures)
		return lessor_retry(w->call, LESSOR_CLASS_FAILED, poll_ms,
				    "the reset of host %s failed and runs again", record->host);
	return lessor_pending(w->call, poll_ms, "");
}

static int permit(struct work *w, const struct lessor_resource *row, const struct record *record)
{
	struct lessor_observed seen = record_observed(record);

	return lessor_permit_delete(w->call, row->row, &seen);
}

static int not_permitted(struct work *w, const struct lessor_resource *row)
{
	return lessor_refuse(w->call, LESSOR_CLASS_OWNERSHIP, "%s (id %s) may not be given back",
			     row->name, row->id);
}

static int not_recorded(struct work *w)
{
	return lessor_retry(w->call, LESSOR_CLASS_TRANSIENT, 0, "it was not recorded");
}

static int reset_failed(struct work *w, const struct lessor_resource *row, struct record *record,
			const struct run *run)
{
	if (record_set_failures(record, record->failures + 1) || book_change(&w->book, record))
		return lessor_retry(w->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the state directory cannot be written");
	if (lessor_still_there(w->call, row->row, "its reset failed"))
		return not_recorded(w);
	run_forget(&w->book, record->id);
	return lessor_refuse(w->call, LESSOR_CLASS_FAILED,
			     "the reset of host %s failed: %s; nobody else gets it before a reset "
			     "has succeeded", record->host, run->how);
}

/* It died with whatever it was doing. The next step does it again, after a while. */
static int reset_lost(struct work *w, const struct lessor_resource *row, const struct record *record)
{
	if (lessor_still_there(w->call, row->row, "its reset was interrupted"))
		return not_recorded(w);
	run_forget(&w->book, record->id);
	return lessor_retry(w->call, LESSOR_CLASS_TRANSIENT, 0,
			    "the reset of host %s was interrupted", record->host);
}

static int reset_begin(struct work *w, const struct lessor_resource *row,
		       const struct record *record)
{
	if (permit(w, row, record))
		return not_permitted(w, row);
	if (errand_start(w, record, RUN_RESET)) {	/* then nothing runs */
		lessor_still_there(w->call, row->row, "its reset could not be started");
		return lessor_retry(w->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the reset of host %s could not be started", record->host);
	}
	return lessor_deleting(w->call, row->row, RESETTING) ? not_recorded(w) :
	       wait_for_reset(w, record);
}

static int reset_runs(struct work *w, const struct lessor_resource *row,
		      const struct record *record, const struct run *run)
{
	/* We died between its start and the ledger's line: DELETE_UNKNOWN. */
	if (row->state != LESSOR_STATE_DELETING) {
		if (permit(w, row, record)) {
			run_stop(&w->book, record->id);
			return not_permitted(w, row);
		}
		if (lessor_deleting(w->call, row->row, RESETTING))
			return not_recorded(w);
	}
	if (is_overdue(w, run))
		return lessor_refuse(w->call, LESSOR_CLASS_TIMEOUT,
				     "the reset of host %s is over its time and cannot be ended",
				     record->host);
	return wait_for_reset(w, record);
}

static int set_free(struct work *w, const struct lessor_resource *row, const struct record *record)
{
	/* The permit of the reset is used up with it. */
	if (row->state == LESSOR_STATE_DELETING &&
	    lessor_still_there(w->call, row->row, "its reset is done"))
		return not_recorded(w);
	if (permit(w, row, record))
		return not_permitted(w, row);
	if (book_remove(&w->book, record)) {
		lessor_delete_unknown(w->call, row->row, "its record may not be removed for good");
		return lessor_retry(w->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the state directory cannot be written");
	}
	run_forget(&w->book, record->id);
	/* The next step reads whether it is so. */
	return lessor_deleting(w->call, row->row, REMOVED) ? not_recorded(w) :
	       lessor_pending(w->call, AT_ONCE, "");
}

/* Something of the way in still runs for it: first that must end. */
static int end_errand(struct work *w, const struct record *record, const struct run *run)
{
	if (is_overdue(w, run))
		return lessor_refuse(w->call, LESSOR_CLASS_TIMEOUT,
				     "the %s of host %s is over its time and cannot be ended",
				     run_kind_name(run->kind), record->host);
	run_stop(&w->book, record->id);
	return lessor_pending(w->call, lessor_option_int(w->call, OPT_POLL), "");
}

static int give_record(struct work *w, const struct lessor_resource *row, struct record *record)
{
	int owed = record->stage == STAGE_TAKEN ? 0 : errand_is_due(w, record, RUN_RESET);
	int is_reset;
	struct run run;

	if (owed < 0)
		return lessor_refuse(w->call, LESSOR_CLASS_PROVIDER,
				     "the reset of host %s cannot be read from its record",
				     record->host);
	if (errand_look(w, record, &run))
		return lessor_retry(w->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the state directory cannot be read");
	is_reset = run.kind == RUN_RESET;
	if (run.state == RUN_ACTIVE)
		return is_reset ? reset_runs(w, row, record, &run) : end_errand(w, record, &run);
	if (!owed || (is_reset && run.state == RUN_WELL))
		return set_free(w, row, record);
	if (is_reset && row->state == LESSOR_STATE_DELETING) {
		if (run.state == RUN_BADLY)
			return reset_failed(w, row, record, &run);
		if (run.state == RUN_LOST)
			return reset_lost(w, row, record);
	}
	return reset_begin(w, row, record);
}

int give_back(struct work *w, const struct lessor_resource *row)
{
	struct record *record;

	if (row_is_over(row) || !row->ours)
		return LESSOR_GONE;
	if (row->kind != LESSOR_KIND_SERVER)
		return lessor_refuse(w->call, LESSOR_CLASS_BUG,
				     "%s is of a kind that is never made here", row->name);
	if (row->state == LESSOR_STATE_RETAINED)
		return lessor_refuse(w->call, LESSOR_CLASS_OWNERSHIP,
				     "%s is kept at its owner's wish", row->name);
	if (!row->id[0])
		return lessor_retry(w->call, LESSOR_CLASS_TRANSIENT, 0,
				    "whether %s was made is not settled yet", row->name);
	record = book_by_id(&w->book, row->id);
	return record ? give_record(w, row, record) : record_is_gone(w, row);
}
