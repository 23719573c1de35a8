/* SPDX-License-Identifier: MIT */
#include "api/lease_figures.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "api/request.h"
#include "store/store.h"
#include "util/alloc.h"
#include "util/text.h"

#define STEP 256
#define FRESH_MS 5000

struct figures_table {
	struct lease_figures *rows;
	size_t count;
};

struct lease_count {
	struct figures_table walked, complete;
	int64_t after_n;
	int steps;	     /* of this walk, or the last one */
	int64_t complete_ms; /* monotonic; 0: never */
	struct event *timer; /* pending while a walk is under way */
};

static struct lease_figures *row_of(struct figures_table *table, const char *account)
{
	struct lease_figures *row;

	for (size_t i = 0; i < table->count; i++) {
		if (strcmp(table->rows[i].account, account) == 0)
			return &table->rows[i];
	}
	table->rows = xgrow(table->rows, table->count, sizeof(*table->rows));
	row = &table->rows[table->count++];
	*row = (struct lease_figures){ .owed.count = 0 };
	TEXT_SET(row->account, account);
	return row;
}

static void remains_add(struct lease_remains *sum, const struct lease *l, int64_t since_ms)
{
	sum->count++;
	sum->hour_micros += l->is_billed ? l->price_hour_micros : 0;
	if (!sum->oldest_ms || since_ms < sum->oldest_ms)
		sum->oldest_ms = since_ms;
}

static void lease_add(void *arg, const struct lease *l)
{
	struct lease_figures *row = row_of(arg, l->account);

	if (lease_is_queued(l))
		row->states[FIGURES_QUEUED]++;
	else if (l->state < LEASE_STATE_COUNT)
		row->states[l->state]++;
	if (l->attention[0])
		row->attention[l->attention_class < FIGURES_CLASSES ? l->attention_class : 0]++;
	if (lease_is_live(l))
		return;
	if (l->cleanup == CLEANUP_RETAINED)
		remains_add(&row->retained, l, l->ended_ms);
	else /* What was kept first is owed since somebody wanted it deleted. */
		remains_add(&row->owed, l,
			    l->cleanup_started_ms ? l->cleanup_started_ms : l->ended_ms);
}

static void walk_begin(struct api *api)
{
	struct lease_count *count = api->lease_count;

	count->after_n = 0;
	count->steps = 0;
	count->walked.count = 0;
	for (size_t i = 0; i < api->parts.account_count; i++)
		row_of(&count->walked, api->parts.accounts[i]->config.name);
}

static void walk_step(struct api *api)
{
	static const struct timeval soon = { 0 };
	struct lease_count *count = api->lease_count;
	struct figures_table table;
	int is_last;

	count->steps++;
	if (store_open_each(api->parts.reader, STEP, &count->after_n, lease_add, &count->walked,
			    &is_last, NULL)) {
		/* Rather none than old ones. */
		count->complete_ms = 0;
		return;
	}
	if (!is_last) {
		event_add(count->timer, &soon);
		return;
	}
	table = count->complete;
	count->complete = count->walked;
	count->walked = table;
	count->complete_ms = env_mono_ms(api->parts.env);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	walk_step(arg);
}

static int is_fresh(const struct api *api)
{
	const struct lease_count *count = api->lease_count;

	/* What takes one step is as it is now. */
	return count->steps > 1 && count->complete_ms &&
	       env_mono_ms(api->parts.env) - count->complete_ms < FRESH_MS;
}

const struct lease_figures *lease_figures_read(struct api *api, size_t *ret_count)
{
	struct lease_count *count = api->lease_count;

	if (!count) {
		count = api->lease_count = xcalloc(1, sizeof(*count));
		count->timer = event_new(api->parts.base, -1, 0, on_timer, api);
		if (!count->timer)
			abort();
	}
	if (!event_pending(count->timer, EV_TIMEOUT, NULL) && !is_fresh(api)) {
		walk_begin(api);
		walk_step(api);
	}
	*ret_count = count->complete.count;
	return count->complete_ms ? count->complete.rows : NULL;
}

void lease_figures_stop(struct api *api)
{
	struct lease_count *count = api->lease_count;

	if (!count)
		return;
	event_free(count->timer);
	free(count->walked.rows);
	free(count->complete.rows);
	free(count);
	api->lease_count = NULL;
}
