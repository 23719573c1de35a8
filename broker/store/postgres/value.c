/* SPDX-License-Identifier: MIT */
/* Parameters and columns, in PostgreSQL's binary form. */
#include "store/postgres/internal.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "util/utf8.h"

enum { OID_BOOL = 16, OID_INT2 = 21, OID_INT4 = 23, OID_NUMERIC = 1700 };
#define NUMERIC_NEGATIVE 0x4000

static struct pg_statement *own(const struct statement *stmt)
{
	return (struct pg_statement *)(uintptr_t)stmt;
}

/* ---- parameters ----------------------------------------------------------------------------- */

/* What the text does not use is ignored, as SQLite does. */
static struct pg_param *param_of(struct statement *stmt, int index)
{
	struct pg_param *param = &own(stmt)->params[index - 1];

	if (index < 1 || index > own(stmt)->param_count)
		return NULL;
	free(param->own);
	param->own = NULL;
	return param;
}

static void param_set(struct pg_param *param, enum pg_type type, const void *data, size_t len)
{
	param->type = type;
	param->data = data;
	param->len = len;
}

void pg_bind_number(struct statement *stmt, int index, int64_t value)
{
	struct pg_param *param = param_of(stmt, index);
	uint64_t wire = htobe64((uint64_t)value);

	if (!param)
		return;
	memcpy(param->number, &wire, sizeof(wire));
	param_set(param, PG_NUMBER, param->number, sizeof(param->number));
}

/* What is not UTF-8 would make the server refuse the whole batch: such bytes become '?'. */
static char *mended(const char *text, size_t len)
{
	char *copy = xstrndup(text, len);

	for (size_t i = 0, part; i < len; i += part) {
		uint32_t c;

		part = utf8_next(text + i, len - i, &c);
		if (c == UTF8_BAD)
			copy[i] = '?';
	}
	return copy;
}

void pg_bind_text(struct statement *stmt, int index, const char *text)
{
	struct pg_param *param = param_of(stmt, index);
	size_t len = strlen(text);

	if (!param)
		return;
	if (!utf8_valid(text, len))
		text = param->own = mended(text, len);
	param_set(param, PG_TEXT, text, len);
}

void pg_bind_blob(struct statement *stmt, int index, const void *data, size_t len)
{
	struct pg_param *param = param_of(stmt, index);

	if (param)
		param_set(param, PG_BLOB, len ? data : "", len);
}

void pg_bind_null(struct statement *stmt, int index)
{
	struct pg_param *param = param_of(stmt, index);

	if (param)
		param_set(param, PG_NULL, NULL, 0);
}

static char *put32(char *to, uint32_t value)
{
	value = htobe32(value);
	memcpy(to, &value, sizeof(value));
	return to + sizeof(value);
}

void pg_bind_numbers(struct statement *stmt, int index, const int64_t *values, size_t count)
{
	struct pg_param *param = param_of(stmt, index);
	char *at;

	if (!param)
		return;
	/* Dimensions, no NULLs, the type, length and first index; each with its length. */
	at = param->own = xcalloc(20 + count * 12, 1);
	at = put32(at, count ? 1 : 0);
	at = put32(at, 0);
	at = put32(at, PG_NUMBER);
	if (count) {
		at = put32(at, (uint32_t)count);
		at = put32(at, 1);
	}
	for (size_t i = 0; i < count; i++) {
		uint64_t wire = htobe64((uint64_t)values[i]);

		at = put32(at, 8);
		memcpy(at, &wire, sizeof(wire));
		at += sizeof(wire);
	}
	param_set(param, PG_NUMBERS, param->own, (size_t)(at - param->own));
}

/* ---- columns -------------------------------------------------------------------------------- */

static int64_t get16(const char *from)
{
	uint16_t value;

	memcpy(&value, from, sizeof(value));
	return (int16_t)be16toh(value);
}

static int64_t get32(const char *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof(value));
	return (int32_t)be32toh(value);
}

static int64_t get64(const char *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof(value));
	return (int64_t)be64toh(value);
}

/* What a sum of numbers is: groups of four digits. What stands behind the point is left out. */
static int64_t numeric_number(const char *data)
{
	int64_t groups = get16(data), weight = get16(data + 2);
	uint64_t value = 0;

	for (int64_t i = 0; i <= weight; i++)
		value = value * 10000 + (uint64_t)(i < groups ? get16(data + 8 + 2 * i) : 0);
	return get16(data + 4) == NUMERIC_NEGATIVE ? -(int64_t)value : (int64_t)value;
}

int64_t pg_result_number(const PGresult *result, int row, int column)
{
	const char *data = PQgetvalue(result, row, column);

	if (PQgetisnull(result, row, column))
		return 0;
	switch (PQftype(result, column)) {
	case PG_NUMBER:
		return get64(data);
	case OID_INT4:
		return get32(data);
	case OID_INT2:
		return get16(data);
	case OID_BOOL:
		return data[0] != 0;
	case OID_NUMERIC:
		return numeric_number(data);
	default:
		return strtoll(data, NULL, 10);
	}
}

void pg_end(struct statement *stmt)
{
	PQclear(own(stmt)->result);
	own(stmt)->result = NULL;
	own(stmt)->row = -1;
}

int64_t pg_column_number(const struct statement *stmt, int index)
{
	return pg_result_number(own(stmt)->result, own(stmt)->row, index);
}

const char *pg_column_data(const struct statement *stmt, int index, size_t *ret_len)
{
	struct pg_statement *s = own(stmt);
	const char *data = PQgetvalue(s->result, s->row, index);
	int len = PQgetlength(s->result, s->row, index);

	*ret_len = 0;
	if (PQgetisnull(s->result, s->row, index))
		return NULL;
	switch (PQftype(s->result, index)) {
	case PG_NUMBER:
	case OID_INT4:
	case OID_INT2:
	case OID_BOOL:
	case OID_NUMERIC:
		*ret_len = (size_t)snprintf(s->number, sizeof(s->number), "%lld",
					    (long long)pg_column_number(stmt, index));
		return s->number;
	case PG_BLOB:
		if (len == 0)
			return NULL;
	}
	*ret_len = (size_t)len;
	return data;
}
