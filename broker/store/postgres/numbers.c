/* SPDX-License-Identifier: MIT */
/* Blocks of row numbers, and fetching them where nobody waits for that. */
#include "store/postgres/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/bug.h"

/* A block of this age is replaced with a commit, so that none gets too old while rows come. */
#define AHEAD_MS (PG_NUMBER_MS / 2 - 100)
/* How long it is replaced after a row was numbered. */
#define AHEAD_USED_MS 60000

struct pg_numbers *pg_numbers_of(struct pg_connection *c, const char *table)
{
	for (size_t i = 0; i < PG_NUMBER_TABLES; i++) {
		struct pg_numbers *numbers = &c->numbers[i];

		if (!numbers->table)
			numbers->table = table;
		if (strcmp(numbers->table, table) == 0)
			return numbers;
	}
	BUG_ON(1);
}

void pg_numbers_set(struct pg_numbers *numbers, int64_t first)
{
	numbers->next = first;
	numbers->end = first + PG_NUMBER_BLOCK;
	numbers->fetched_ms = pg_mono_ms();
}

static void numbers_answer(void *arg, const PGresult *result)
{
	if (PQntuples(result) == 1 && PQnfields(result) == 1)
		pg_numbers_set(arg, strtoll(PQgetvalue(result, 0, 0), NULL, 10));
}

void pg_numbers_ahead(struct pg_connection *c, int is_create)
{
	int64_t now_ms = pg_mono_ms();

	for (size_t i = 0; i < PG_NUMBER_TABLES && c->conn && c->numbers[i].table; i++) {
		struct pg_numbers *numbers = &c->numbers[i];
		struct pg_queued *queued;
		char sql[64];

		if (is_create)
			numbers->used_ms = now_ms;
		if (now_ms - numbers->fetched_ms < AHEAD_MS ||
		    now_ms - numbers->used_ms > AHEAD_USED_MS)
			continue;
		snprintf(sql, sizeof(sql), "SELECT nextval('%s_n')", numbers->table);
		/* If it cannot be sent, the session is lost, and what follows says so. */
		queued = pg_noted(c, PQsendQueryParams(c->conn, sql, 0, NULL, NULL, NULL, NULL, 0),
				  "fetching row numbers", NULL);
		if (!queued)
			return;
		queued->fn = numbers_answer;
		queued->arg = numbers;
	}
}
