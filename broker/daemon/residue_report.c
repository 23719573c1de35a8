/* SPDX-License-Identifier: MIT */
/*
 * For an operator who is about to remove lessord, whether it is running or not. Reads the
 * database only: changes nothing and sends nothing to a provider.
 */
#include "daemon/residue_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "store/store.h"
#include "util/buf.h"

#define PAGE 100
/* Usually the second read sees the other process's write-ahead log and is consistent. */
#define TRIES 5
#define TEXT_MAX (256 << 20)

struct residue_report {
	struct store *store;
	struct buf text;
	int64_t count;
	int64_t last_n;
	int in_page;
	struct err err;
	int failed;
	int is_missing; /* there is no database */
};

static const char *text_or_dash(const char *text)
{
	return text[0] ? text : "-";
}

/* What may still exist, by id or, if that is unknown, by name. */
static void residue_add(struct buf *b, const struct ledger *ledger)
{
	const char *between = "";

	for (size_t i = 0; i < ledger->resource_count; i++) {
		const struct resource *row = &ledger->resources[i];

		if (!resource_is_residue(row))
			continue;
		buf_addf(b, "%s%s %s", between, resource_kind_name(row->kind),
			 row->id[0] ? row->id : row->name);
		between = ", ";
	}
	if (!between[0])
		buf_adds(b, "-");
}

static int lease_add(void *arg, const struct lease *l)
{
	struct residue_report *r = arg;
	struct ledger ledger;

	r->last_n = l->n;
	r->in_page++;
	if (!lease_is_live(l) && (l->cleanup == CLEANUP_DONE || l->cleanup == CLEANUP_NONE))
		return 0;
	if (store_ledger(r->store, l->n, &ledger, &r->err) < 0) {
		r->failed = 1;
		return 1;
	}
	buf_addf(&r->text, "%s  %s  %s  %s  %s", l->id, text_or_dash(l->slug), l->owner, l->account,
		 lease_state_name(lease_shown_state(l)));
	if (!lease_is_live(l))
		buf_addf(&r->text, ", %s", lease_cleanup_name(l->cleanup));
	buf_adds(&r->text, "  ");
	residue_add(&r->text, &ledger);
	buf_adds(&r->text, l->retained ? "  retained\n" : "  -\n");
	ledger_fini(&ledger);
	r->count++;
	return 0;
}

static int cleanup_read(struct residue_report *r, int cleanup)
{
	struct store_list list = {
		.scope = { .all = 1 },
		.state = -1,
		.cleanup = cleanup,
		.limit = PAGE,
	};

	do {
		r->in_page = 0;
		if (store_lease_each(r->store, &list, lease_add, r, &r->err) < 0 || r->failed)
			return -1;
		list.before_n = r->last_n;
	} while (r->in_page == PAGE);
	return 0;
}

/* Each state by its own index, and all in one snapshot. */
static int all_read(struct residue_report *r)
{
	for (int cleanup = CLEANUP_NONE; cleanup < CLEANUP_DONE; cleanup++) {
		if (cleanup_read(r, cleanup) < 0)
			return -1;
	}
	return r->text.overflow ? err_set(&r->err, ERR_IO, "the list is too long") : 0;
}

/* 0, -1 on error, 1: inconsistent, read again. */
static int store_read_once(const char *target, struct residue_report *r)
{
	int rc = store_open_view(target, &r->store, &r->err);
	int holds;

	if (rc == 1) {
		r->is_missing = 1;
		return 0;
	}
	if (rc < 0)
		return r->err.kind == ERR_BUSY ? 1 : -1;
	rc = all_read(r);
	holds = store_view_holds(r->store);
	store_close(r->store);
	return holds ? rc : 1;
}

static int store_read(const struct command_store *store, struct residue_report *r)
{
	struct stat st;

	if ((store->is_postgres || stat(store->name, &st) == 0) &&
	    command_store_become(store, &r->err) < 0)
		return -1;
	for (int i = 0; i < TRIES; i++) {
		int rc;

		buf_clear(&r->text);
		r->count = r->last_n = 0;
		r->failed = 0;
		rc = store_read_once(store->target, r);
		if (rc <= 0)
			return rc;
	}
	return err_set(&r->err, ERR_BUSY, "%s keeps changing; try again", store->name);
}

int residue_report_print(const struct command_line *line)
{
	struct residue_report r = { .count = 0 };
	struct command_store store;
	int code = command_line_store(line, &store);

	if (code != EXIT_OK)
		return code;
	buf_init(&r.text, TEXT_MAX);
	if (store_read(&store, &r) < 0) {
		code = command_line_fail(&r.err, EXIT_STORE);
	} else if (r.is_missing) {
		code = command_line_no_store(store.name);
	} else {
		fputs(buf_str(&r.text), stdout);
		printf("%" PRId64 " lease%s with resources left at a provider\n", r.count,
		       r.count == 1 ? "" : "s");
		code = r.count ? EXIT_OWED : EXIT_OK;
	}
	buf_fini(&r.text);
	command_store_fini(&store);
	return code;
}
