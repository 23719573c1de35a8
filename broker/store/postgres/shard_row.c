/* SPDX-License-Identifier: MIT */
/* The row of an account, in a result. */
#include <stdlib.h>
#include <string.h>

#include "store/postgres/shard_internal.h"
#include "util/text.h"

int64_t shard_number(const PGresult *result, int column)
{
	return strtoll(PQgetvalue(result, 0, column), NULL, 10);
}

void shard_row_read(const PGresult *result, struct shard *row)
{
	memset(row, 0, sizeof(*row));
	TEXT_SET(row->account, PQgetvalue(result, 0, 0));
	TEXT_SET(row->owner, PQgetvalue(result, 0, 1));
	TEXT_SET(row->address, PQgetvalue(result, 0, 2));
	row->epoch = shard_number(result, 3);
	row->seq = shard_number(result, 4);
	TEXT_SET(row->frozen, PQgetvalue(result, 0, 5));
	row->gen = shard_number(result, 6);
	row->since_ms = shard_number(result, 7);
	row->renewed_ms = shard_number(result, 8);
	row->expires_ms = shard_number(result, 9);
	row->presumed_until_ms = shard_number(result, 10);
}
