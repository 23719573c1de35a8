/* SPDX-License-Identifier: MIT */
#include "step_context.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/*
 * Another account or daemon has the book for some milliseconds: that is waited for, up to
 * a time after which it is not at work there, but stopped.
 */
#define BUSY_LOOK_MS 5
#define BUSY_LOOKS 400
/* What only a person can mend is not said at each step. */
#define COMPLAIN_MS (10 * 60 * 1000)

static enum book_opened open_in_turn(struct lessor_call *call, const char *state, struct book *ret)
{
	enum book_opened opened = book_open(state, ret);

	for (int i = 0; opened == BOOK_BUSY && i < BUSY_LOOKS && !lessor_cancelled(call); i++) {
		poll(NULL, 0, BUSY_LOOK_MS);
		opened = book_open(state, ret);
	}
	return opened;
}

int work_begin(struct work *w, struct lessor_call *call, const struct lessor_lease *lease,
	       const struct pool *pool, int *ret_verdict)
{
	const char *state = lessor_option_text(call, OPT_STATE);

	*w = (struct work){ .call = call, .lease = lease, .pool = pool };
	switch (open_in_turn(call, state, &w->book)) {
	case BOOK_OPEN:
		break;
	case BOOK_BUSY:
		*ret_verdict = lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0,
					    "somebody else has the state directory's lock");
		return -1;
	case BOOK_FAILED:
		lessor_log(call, LESSOR_LOG_ERROR, "%s cannot be read (error %d)", state, errno);
		*ret_verdict = lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0,
					    "the state directory cannot be read");
		return -1;
	}
	if (w->book.unreadable && !lessor_cache_get(call, "complained")) {
		lessor_cache_put(call, "complained", "1", COMPLAIN_MS);
		lessor_log(call, LESSOR_LOG_ERROR,
			   "%d records in %s cannot be read, and their hosts are given to nobody: %s",
			   w->book.unreadable, state, w->book.complaint);
	}
	return 0;
}

void work_end(struct work *w)
{
	book_close(&w->book);
}

/* ---- settling -------------------------------------------------------------------------------- */

static int label_is(const struct record *record, const char *key, const char *value)
{
	const char *is = record_label(record, key);

	return is && strcmp(is, value) == 0;
}

/* Does it claim to be what `row` stands for, by its name or by its labels? */
static int claims_row(const struct work *w, const struct record *record,
		      const struct lessor_resource *row)
{
	char attempt[16];

	if (!record->root || record->kind != row->kind)
		return 0;
	if (strcmp(record->name, row->name) == 0)
		return 1;
	snprintf(attempt, sizeof(attempt), "%" PRIu32, row->attempt);
	return w->lease->id[0] && label_is(record, LESSOR_LABEL_LEASE, w->lease->id) &&
	       label_is(record, LESSOR_LABEL_INSTANCE, lessor_broker_id(w->call)) &&
	       label_is(record, LESSOR_LABEL_ATTEMPT, attempt);
}

static int settle_row(struct work *w, const struct lessor_resource *row)
{
	int found = 0, foreign = 0;

	for (size_t i = 0; i < w->book.count; i++) {
		struct lessor_observed seen;

		if (!claims_row(w, &w->book.records[i], row))
			continue;
		seen = record_observed(&w->book.records[i]);
		if (lessor_adopt(w->call, &seen) == 0)
			found = 1;
		else
			foreign = 1;
	}
	if (found)
		return lessor_pending(w->call, AT_ONCE, "");
	if (foreign)
		return lessor_refuse(w->call, LESSOR_CLASS_OWNERSHIP,
				     "what is in the pool as %s is not provably ours", row->name);
	if (w->book.unreadable)
		return lessor_retry(w->call, LESSOR_CLASS_PROVIDER, 0,
				    "a record of the pool cannot be read: is it %s?", row->name);
	if (lessor_not_seen(w->call, row->row))
		return lessor_retry(w->call, LESSOR_CLASS_TRANSIENT, 0,
				    "whether %s was made is not settled yet", row->name);
	return lessor_pending(w->call, AT_ONCE, "");
}

int work_settle(struct work *w, uint32_t kind, int *ret_verdict)
{
	for (size_t i = 0; i < w->lease->resource_count; i++) {
		const struct lessor_resource *row = lessor_resource_at(w->lease, i);

		if (row->kind != kind || !row->ours || !row_is_unsettled(row))
			continue;
		*ret_verdict = settle_row(w, row);
		return 1;
	}
	return 0;
}

/* ---- telling ------------------------------------------------------------------------------------ */

void work_report(struct work *w, const struct record *record)
{
	struct run run;
	const char *status = record->stage == STAGE_READY ? "leased" : "being prepared";

	if (run_look(&w->book, record->id, &run) == 0 && run.state != RUN_NONE &&
	    run.kind == RUN_RESET)
		status = "being reset";
	lessor_output(w->call, LESSOR_OUT_HOST, record->address);
	lessor_output(w->call, LESSOR_OUT_SERVER_ID, record->id);
	lessor_output(w->call, LESSOR_OUT_SERVER_NAME, record->host);
	lessor_output(w->call, LESSOR_OUT_SERVER_TYPE, record->type);
	lessor_output(w->call, LESSOR_OUT_LOCATION, record->location);
	lessor_output(w->call, LESSOR_OUT_STATUS, status);
}
