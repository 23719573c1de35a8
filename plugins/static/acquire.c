/* SPDX-License-Identifier: MIT */
/*
 * The way in: a free host is taken by making its record, looked at, prepared, and told.
 * One that is not well is given back at once and the next one is tried.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "step_context.h"

#define REASON_ROOM 200
#define KEY_ROOM 96

/* ---- which host ---------------------------------------------------------------------------- */

/* The hosts of one type in one location. */
struct tally {
	const struct host *free;	/* the first that can be had */
	int all;
	/* why the others cannot; only told if none can */
	int leased, resetting, drained, unwell;
};

static const char *unwell_key(const struct host *host, char ret[KEY_ROOM])
{
	snprintf(ret, KEY_ROOM, "unwell/%s", host->name);
	return ret;
}

/* The same machine under another name: somebody renamed it while it was leased. */
static const struct record *record_of(const struct book *book, const struct host *host)
{
	const struct record *record = book_of_host(book, host->name);

	for (size_t i = 0; i < book->count && !record; i++) {
		const struct record *other = &book->records[i];

		if (other->root && other->port == host->port &&
		    strcasecmp(other->address, host->address) == 0)
			record = other;
	}
	return record;
}

static int is_resetting(const struct work *w, const struct record *record)
{
	struct run run;

	return record->root &&
	       (record->failures || (run_look(&w->book, record->id, &run) == 0 &&
				     run.state != RUN_NONE && run.kind == RUN_RESET));
}

/* Is it free? If not and `ret` is given, why. */
static int is_free(const struct work *w, const struct host *host, struct tally *ret)
{
	const struct record *record = record_of(&w->book, host);
	struct tally none = { .free = NULL };
	char key[KEY_ROOM];
	int *why = NULL;

	if (!ret)
		ret = &none;
	if (record)
		why = ret != &none && is_resetting(w, record) ? &ret->resetting : &ret->leased;
	else if (host->drain)
		why = &ret->drained;
	else if (lessor_cache_get(w->call, unwell_key(host, key)))
		why = &ret->unwell;
	if (why)
		++*why;
	return !why;
}

static int is_of(const struct work *w, const struct host *host, const char *type,
		 const char *location)
{
	return strcmp(host->location, location) == 0 && host_has_type(host, type) &&
	       strcmp(host->architecture, w->lease->architecture) == 0;
}

static void tally_make(const struct work *w, const char *type, const char *location,
		       struct tally *ret)
{
	const struct inventory *inventory = w->pool->inventory;

	*ret = (struct tally){ .free = NULL };
	for (size_t i = 0; i < inventory->count; i++) {
		const struct host *host = &inventory->hosts[i];

		if (!is_of(w, host, type, location))
			continue;
		ret->all++;
		if (!ret->free && is_free(w, host, NULL))
			ret->free = host;
	}
	for (size_t i = 0; i < inventory->count && !ret->free; i++) {
		if (is_of(w, &inventory->hosts[i], type, location))
			is_free(w, &inventory->hosts[i], ret);
	}
}

/* "no host is free: of 4, 2 are leased, 1 being reset, 1 not well" */
static void tally_tell(const struct tally *tally, char ret[REASON_ROOM])
{
	const struct { int count; const char *what; } parts[] = {
		{ tally->leased, "leased" }, { tally->resetting, "being reset" },
		{ tally->drained, "drained" }, { tally->unwell, "not well" },
	};
	size_t len;
	int told = 0;

	if (!tally->all) {
		snprintf(ret, REASON_ROOM, "the inventory has no such host");
		return;
	}
	len = (size_t)snprintf(ret, REASON_ROOM, "no host is free: of %d,", tally->all);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!parts[i].count)
			continue;
		len += (size_t)snprintf(ret + len, REASON_ROOM - len, "%s %d %s", told++ ? "," : "",
					parts[i].count, parts[i].what);
	}
}

/* ---- attempts ------------------------------------------------------------------------------- */

/* Was all there is of it tried? Hosts that were not well lead on to others of the same kind. */
static int is_exhausted(const struct work *w, const char *type, const char *location,
			const struct tally *tally)
{
	uint32_t refused = 0;
	int tried = 0;

	for (size_t i = 0; i < w->lease->attempt_count; i++) {
		const struct lessor_attempt *a = lessor_attempt_at(w->lease, i);

		if (strcmp(a->type, type) == 0 && strcmp(a->location, location) == 0) {
			tried++;
			refused = a->refused;
		}
	}
	return tried && (refused == LESSOR_CLASS_CAPACITY || refused == LESSOR_CLASS_INVALID ||
			 tried >= tally->all || !tally->free);
}

static int all_tried(struct work *w)
{
	const struct lessor_lease *lease = w->lease;
	const struct lessor_attempt *telling = NULL;

	for (size_t i = 0; i < lease->attempt_count; i++) {
		const struct lessor_attempt *a = lessor_attempt_at(lease, i);

		/* What another time may bring says more than what is never there. */
		if (!telling || a->refused != LESSOR_CLASS_INVALID)
			telling = a;
	}
	if (!telling)
		return lessor_refuse(w->call, LESSOR_CLASS_INVALID,
				     "no server type or no location is configured to try");
	if (lease->attempt_count == 1)
		return lessor_refuse(w->call, telling->refused, "%s in %s: %s", telling->type,
				     telling->location, telling->reason);
	return lessor_refuse(w->call, telling->refused, "no host after %zu attempts; %s in %s: %s",
			     lease->attempt_count, telling->type, telling->location,
			     telling->reason);
}

static int attempt_is_refused(struct work *w, uint32_t number, uint32_t error_class,
			      const char *reason)
{
	if (lessor_attempt_refused(w->call, number, error_class, reason))
		return lessor_retry(w->call, LESSOR_CLASS_TRANSIENT, 0,
				    "an attempt could not be closed");
	return lessor_pending(w->call, AT_ONCE, "");
}

static int next_attempt(struct work *w)
{
	const struct lessor_lease *lease = w->lease;
	uint32_t number = (uint32_t)lease->attempt_count + 1;

	for (size_t t = 0; t < lease->type_count; t++) {
		for (size_t l = 0; l < lease->location_count; l++) {
			const char *type = lease->types[t], *location = lease->locations[l];
			struct tally tally;

			tally_make(w, type, location, &tally);
			if (is_exhausted(w, type, location, &tally))
				continue;
			if (lessor_attempt_open(w->call, number, type, location))
				return lessor_retry(w->call, LESSOR_CLASS_TRANSIENT, 0,
						    "no new attempt may be made now");
			return lessor_pending(w->call, AT_ONCE, "");
		}
	}
	return all_tried(w);
}

/* ---- taking ------------------------------------------------------------------------------------ */

static json_t *record_for(struct work *w, const struct lessor_attempt *attempt,
			  const struct host *host, const struct lessor_intent *intent)
{
	const struct record_new from = {
		.intent = intent, .kind = LESSOR_KIND_SERVER, .now_ms = lessor_now(w->call),
		.host = host->name, .address = host->address, .port = host->port,
		.type = attempt->type, .location = attempt->location,
		.reset = command_json(&host->reset),
	};

	return from.reset ? record_make(&from) : NULL;
}

static int take_host(struct work *w, const struct lessor_attempt *attempt, const struct host *host)
{
	struct lessor_intent intent = { .size = sizeof(intent) };
	enum book_made made = BOOK_NOT_MADE;
	char id[RECORD_ID_ROOM] = "";
	json_t *root;

	if (lessor_intend(w->call, LESSOR_KIND_SERVER, attempt->number, &intent))
		return lessor_retry(w->call, LESSOR_CLASS_TRANSIENT, 0,
				    "no host may be taken now");
	root = record_for(w, attempt, host, &intent);
	if (root) {
		made = book_add(&w->book, root);
		snprintf(id, sizeof(id), "%s", json_string_value(json_object_get(root, "id")));
		json_decref(root);
	}
	switch (made) {
	case BOOK_MADE:
		break;
	case BOOK_UNKNOWN:
		lessor_unknown(w->call, intent.row, "its record may not be on the disk");
		return lessor_pending(w->call, AT_ONCE, "");
	case BOOK_TAKEN:	/* the book was read under the lock: somebody broke it */
	case BOOK_NOT_MADE:
		lessor_log(w->call, LESSOR_LOG_ERROR, "the record of host %s cannot be written "
			   "(error %d)", host->name, errno);
		lessor_not_created(w->call, intent.row, "its record could not be written");
		return lessor_retry(w->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the state directory cannot be written");
	}
	if (lessor_created(w->call, intent.row, id, ""))
		return lessor_retry(w->call, LESSOR_CLASS_TRANSIENT, 0, "it was not recorded");
	return lessor_pending(w->call, AT_ONCE, "");
}

static int take(struct work *w, const struct lessor_attempt *attempt)
{
	char reason[REASON_ROOM];
	struct tally tally;

	tally_make(w, attempt->type, attempt->location, &tally);
	if (tally.free)
		return take_host(w, attempt, tally.free);
	tally_tell(&tally, reason);
	return attempt_is_refused(w, attempt->number,
				  tally.all ? LESSOR_CLASS_CAPACITY : LESSOR_CLASS_INVALID, reason);
}

/* ---- from taken to told -------------------------------------------------------------------------- */

/* Everybody leaves it alone for a while; this lease goes on to another. */
static int is_not_well(struct work *w, const struct lessor_attempt *attempt,
		       const struct record *record, const struct run *run)
{
	const struct host *host = errand_host(w, record);
	char key[KEY_ROOM], reason[REASON_ROOM];

	if (host)
		lessor_cache_put(w->call, unwell_key(host, key), "1",
				 lessor_option_int(w->call, OPT_UNWELL));
	snprintf(reason, sizeof(reason), "the %s of host %.63s failed: %s",
		 run_kind_name(run->kind), record->host, run->how);
	return attempt_is_refused(w, attempt->number, LESSOR_CLASS_FAILED, reason);
}

static int advance(struct work *w, const struct lessor_attempt *attempt,
		   const struct lessor_resource *row);

/* From here on a reset is owed, whatever the next thing does. */
static int go_on(struct work *w, const struct lessor_attempt *attempt,
		 const struct lessor_resource *row, struct record *record)
{
	enum stage next = record->stage == STAGE_TAKEN && errand_is_due(w, record, RUN_PREPARE) > 0 ?
			  STAGE_USED : STAGE_READY;

	if (record_set_stage(record, next) || book_change(&w->book, record))
		return lessor_retry(w->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the state directory cannot be written");
	run_forget(&w->book, record->id);
	return advance(w, attempt, row);
}

/* Runs what there is to run in this stage, and goes on when it was well. */
static int bring_on(struct work *w, const struct lessor_attempt *attempt,
		    const struct lessor_resource *row, struct record *record, enum run_kind kind)
{
	int64_t poll_ms = lessor_option_int(w->call, OPT_POLL);
	struct run run;

	if (errand_look(w, record, &run))
		return lessor_retry(w->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the state directory cannot be read");
	if (run.state == RUN_ACTIVE)
		return lessor_pending(w->call, poll_ms, "");
	if (run.state == RUN_WELL && run.kind == kind)
		return go_on(w, attempt, row, record);
	if (run.state != RUN_NONE && run.kind == kind) {
		run_forget(&w->book, record->id);
		if (run.state == RUN_BADLY)
			return is_not_well(w, attempt, record, &run);
		return lessor_retry(w->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the %s of host %s was interrupted", run_kind_name(kind),
				    record->host);
	}
	if (errand_is_due(w, record, kind) <= 0)
		return go_on(w, attempt, row, record);
	if (errand_start(w, record, kind))
		return lessor_retry(w->call, LESSOR_CLASS_TRANSIENT, 0,
				    "the %s of host %s could not be started", run_kind_name(kind),
				    record->host);
	return lessor_pending(w->call, poll_ms, "");
}

static int advance(struct work *w, const struct lessor_attempt *attempt,
		   const struct lessor_resource *row)
{
	struct record *record = book_by_id(&w->book, row->id);

	if (!record)
		return w->book.unreadable ?
		       lessor_retry(w->call, LESSOR_CLASS_PROVIDER, 0,
				    "a record of the pool cannot be read: is it %s?", row->name) :
		       attempt_is_refused(w, attempt->number, LESSOR_CLASS_FAILED,
					  "somebody removed its record");
	switch (record->stage) {
	case STAGE_TAKEN:
		return bring_on(w, attempt, row, record, RUN_PROBE);
	case STAGE_USED:
		return bring_on(w, attempt, row, record, RUN_PREPARE);
	case STAGE_READY:
		break;
	}
	work_report(w, record);
	return LESSOR_DONE;
}

/* ---- the order of it ---------------------------------------------------------------------------- */

static const struct lessor_attempt *attempt_of(const struct lessor_lease *lease, uint32_t number)
{
	for (size_t i = 0; i < lease->attempt_count; i++) {
		const struct lessor_attempt *a = lessor_attempt_at(lease, i);

		if (a->number == number)
			return a;
	}
	return NULL;
}

/* The host that this lease has, if it has one. */
static const struct lessor_resource *row_of(const struct lessor_lease *lease)
{
	for (size_t i = 0; i < lease->resource_count; i++) {
		const struct lessor_resource *row = lessor_resource_at(lease, i);

		if (row->kind == LESSOR_KIND_SERVER && row->ours && !row_is_over(row))
			return row;
	}
	return NULL;
}

int take_provision(struct work *w)
{
	const struct lessor_lease *lease = w->lease;
	const struct lessor_attempt *last = lease->attempt_count ?
		lessor_attempt_at(lease, lease->attempt_count - 1) : NULL;
	const struct lessor_resource *row;
	const struct lessor_attempt *of_row;
	int verdict;

	if (work_settle(w, LESSOR_KIND_SERVER, &verdict))
		return verdict;
	row = row_of(lease);
	of_row = row ? attempt_of(lease, row->attempt) : NULL;
	if (of_row && !of_row->refused)
		return advance(w, of_row, row);
	if (row) {
		verdict = give_back(w, row);
		/* It is over, and the next step sees that. */
		return verdict == LESSOR_GONE ? lessor_pending(w->call, AT_ONCE, "") : verdict;
	}
	return last && !last->refused ? take(w, last) : next_attempt(w);
}
