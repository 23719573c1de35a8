/* SPDX-License-Identifier: MIT */
/*
 * What is left at the providers, as the database has it: for whoever is about to take
 * lessord away, whether it runs or not. Nothing is changed and nobody is asked.
 */
#include "daemon/owed.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "config/config.h"
#include "daemon/owner.h"
#include "store/store.h"
#include "util/buf.h"

#define PAGE 100
/* The second look finds the other process's log, and holds. */
#define TRIES 5
#define TEXT_MAX (256 << 20)

struct owed {
	struct store *store;
	struct buf text;
	int64_t count;
	int64_t last_n;
	int in_page;
	struct err err;
	int failed;
};

static const char *or_dash(const char *text)
{
	return text[0] ? text : "-";
}

/* What may still be there of it, by its id where that is known. */
static void add_residue(struct buf *b, const struct ledger *ledger)
{
	const char *between = "";

	for (size_t i = 0; i < ledger->resource_count; i++) {
		const struct resource *r = &ledger->resources[i];

		if (!resource_is_residue(r))
			continue;
		buf_addf(b, "%s%s %s", between, resource_kind_name(r->kind),
			 r->id[0] ? r->id : r->name);
		between = ", ";
	}
	if (!between[0])
		buf_adds(b, "-");
}

static int add_lease(void *arg, const struct lease *l)
{
	struct owed *o = arg;
	struct ledger ledger;

	o->last_n = l->n;
	o->in_page++;
	if (!lease_is_live(l) && (l->cleanup == CLEANUP_DONE || l->cleanup == CLEANUP_NONE))
		return 0;
	if (store_ledger(o->store, l->n, &ledger, &o->err) < 0) {
		o->failed = 1;
		return 1;
	}
	buf_addf(&o->text, "%s  %s  %s  %s  %s", l->id, or_dash(l->slug), l->owner, l->account,
		 lease_state_name(lease_shown_state(l)));
	if (!lease_is_live(l))
		buf_addf(&o->text, ", %s", lease_cleanup_name(l->cleanup));
	buf_adds(&o->text, "  ");
	add_residue(&o->text, &ledger);
	buf_adds(&o->text, l->retained ? "  retained\n" : "  -\n");
	ledger_fini(&ledger);
	o->count++;
	return 0;
}

static int read_each(struct owed *o, int cleanup)
{
	struct store_list list = {
		.scope = { .all = 1 }, .state = -1, .cleanup = cleanup, .limit = PAGE,
	};

	do {
		o->in_page = 0;
		if (store_lease_each(o->store, &list, add_lease, o, &o->err) < 0 || o->failed)
			return -1;
		list.before_n = o->last_n;
	} while (o->in_page == PAGE);
	return 0;
}

/* Each by an index of its own, and all of one moment. */
static int read_all(struct owed *o)
{
	for (int cleanup = CLEANUP_NONE; cleanup < CLEANUP_DONE; cleanup++) {
		if (read_each(o, cleanup) < 0)
			return -1;
	}
	return o->text.overflow ? err_set(&o->err, ERR_IO, "there is too much to list") : 0;
}

/* 1: it has to be read anew. */
static int look(const char *path, struct owed *o)
{
	int rc = store_open_view(path, &o->store, &o->err);
	int holds;

	if (rc == 1) {
		fprintf(stderr, "lessord: there is no store %s yet\n", path);
		return 0;
	}
	if (rc < 0)
		return o->err.kind == ERR_BUSY ? 1 : -1;
	rc = read_all(o);
	holds = store_view_holds(o->store);
	store_close(o->store);
	return holds ? rc : 1;
}

static int read_store(const char *path, struct owed *o)
{
	struct stat st;

	if (stat(path, &st) == 0 && owner_become(path, &o->err) < 0)
		return -1;
	for (int i = 0; i < TRIES; i++) {
		int rc;

		buf_clear(&o->text);
		o->count = o->last_n = 0;
		o->failed = 0;
		rc = look(path, o);
		if (rc <= 0)
			return rc;
	}
	return err_set(&o->err, ERR_BUSY, "others keep writing to %s; try again", path);
}

int owed_list(const struct options *options)
{
	struct config *config = NULL;
	struct owed o = { .count = 0 };
	int code;

	/* Token files stay closed: no provider is asked anything. */
	if (config_load(options->config, CONFIG_WITHOUT_TOKENS, &config, &o.err) < 0) {
		fprintf(stderr, "lessord: %s\n", o.err.text);
		return EXIT_USAGE;
	}
	buf_init(&o.text, TEXT_MAX);
	if (read_store(config->store, &o) < 0) {
		fprintf(stderr, "lessord: %s\n", o.err.text);
		code = EXIT_STORE;
	} else {
		fputs(buf_str(&o.text), stdout);
		printf("%" PRId64 " lease%s left with something at a provider\n", o.count,
		       o.count == 1 ? "" : "s");
		code = o.count ? EXIT_OWED : EXIT_FINE;
		if (fflush(stdout) != 0)
			code = EXIT_RUNTIME;
	}
	buf_fini(&o.text);
	config_free(config);
	return code;
}
