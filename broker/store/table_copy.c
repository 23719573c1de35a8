/* SPDX-License-Identifier: MIT */
#include "store/table_copy.h"

#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "util/buf.h"
#include "util/bug.h"
#include "util/utf8.h"

/* A page is in memory as a whole; rows of logs are the largest. */
#define PAGE_ROWS 100
/* How much may be sent before waiting for an answer. */
#define AHEAD_ROWS 500
#define AHEAD_BYTES (1 << 20)
#define KEY_MAX 5
#define SQL_MAX 8192

/* What must not be copied: where the file is, its pair, and the mark itself. */
#define META_ONLY "key NOT IN ('place', 'pair', 'moved')"

/* ---- statements ---------------------------------------------------------------------------- */

static void names_add(struct buf *sql, const struct table_copy *copy, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_addf(sql, "%s%s", i ? ", " : "", copy->columns[i].name);
}

static void marks_add(struct buf *sql, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_addf(sql, "%s?%d", i ? ", " : "", (int)i + 1);
}

/* The numbers of a table of totals, each with `before` and `after`, separated by `between`. */
static void sums_add(struct buf *sql, const struct table_copy *copy, const char *before,
		     const char *after, const char *between)
{
	for (size_t i = copy->key_count; i < copy->count; i++)
		buf_addf(sql, "%s%s%s%s", i > copy->key_count ? between : "", before,
			 copy->columns[i].name, after);
}

/* One row for each key, of all accounts, without those that are zero. */
static void totals_page_add(struct buf *sql, const struct table_copy *copy, int is_next)
{
	buf_adds(sql, "SELECT ");
	names_add(sql, copy, copy->key_count);
	buf_adds(sql, ", ");
	sums_add(sql, copy, "CAST(sum(", ") AS BIGINT)", ", ");
	buf_addf(sql, " FROM %s", copy->table->name);
	if (is_next) {
		buf_adds(sql, " WHERE (");
		names_add(sql, copy, copy->key_count);
		buf_adds(sql, ") > (");
		marks_add(sql, copy->key_count);
		buf_addc(sql, ')');
	}
	buf_adds(sql, " GROUP BY ");
	names_add(sql, copy, copy->key_count);
	buf_adds(sql, " HAVING ");
	sums_add(sql, copy, "sum(", ") <> 0", " OR ");
	buf_adds(sql, " ORDER BY ");
	names_add(sql, copy, copy->key_count);
	buf_addf(sql, " LIMIT ?%d", is_next ? (int)copy->key_count + 1 : 1);
}

/* The parameters are the key of the last row (`is_next`), and the number of rows. */
static char *page_sql(const struct table_copy *copy, int is_next)
{
	auto_buf struct buf sql = { 0 };
	int is_meta = strcmp(copy->table->name, "meta") == 0;

	buf_init(&sql, SQL_MAX);
	if (copy->table->place == TABLE_OF_TOTALS) {
		totals_page_add(&sql, copy, is_next);
		return xstrdup(buf_str(&sql));
	}
	buf_adds(&sql, "SELECT ");
	names_add(&sql, copy, copy->count);
	buf_addf(&sql, " FROM %s%s%s", copy->table->name, is_meta || is_next ? " WHERE " : "",
		 is_meta ? META_ONLY : "");
	if (is_next) {
		buf_adds(&sql, is_meta ? " AND (" : "(");
		names_add(&sql, copy, copy->key_count);
		buf_adds(&sql, ") > (");
		marks_add(&sql, copy->key_count);
		buf_addc(&sql, ')');
	}
	buf_adds(&sql, " ORDER BY ");
	names_add(&sql, copy, copy->key_count);
	buf_addf(&sql, " LIMIT ?%d", is_next ? (int)copy->key_count + 1 : 1);
	return xstrdup(buf_str(&sql));
}

static char *insert_sql(const struct table_copy *copy)
{
	auto_buf struct buf sql = { 0 };

	buf_init(&sql, SQL_MAX);
	buf_addf(&sql, "INSERT INTO %s(", copy->table->name);
	names_add(&sql, copy, copy->count);
	buf_adds(&sql, ") VALUES(");
	marks_add(&sql, copy->count);
	buf_addc(&sql, ')');
	return xstrdup(buf_str(&sql));
}

void table_copy_init(struct table_copy *copy, const struct store_table *table)
{
	*copy = (struct table_copy){ .table = table };
	copy->count = table_columns(table, copy->columns, &copy->key_count);
	BUG_ON(copy->key_count > KEY_MAX);
	copy->first_sql = page_sql(copy, 0);
	copy->next_sql = page_sql(copy, 1);
	copy->insert_sql = insert_sql(copy);
	copy->count_sql = xasprintf("SELECT count(*) FROM %s", table->name);
	copy->continue_sql = xasprintf("SELECT setval('%s_n', max(n)) FROM %s HAVING max(n) > 0",
				       table->name, table->name);
	copy->analyze_sql = xasprintf("ANALYZE %s", table->name);
}

void table_copy_fini(struct table_copy *copy)
{
	free(copy->first_sql);
	free(copy->next_sql);
	free(copy->insert_sql);
	free(copy->count_sql);
	free(copy->continue_sql);
	free(copy->analyze_sql);
}

/* ---- rows ---------------------------------------------------------------------------------- */

/* A value; text and blob are borrowed from the row, or `own`. */
struct cell {
	int64_t number;
	const char *data;
	size_t len;
	const char *raw; /* before it was mended */
	size_t raw_len;
	char *own;
};

static void cell_free(struct cell *cell)
{
	free(cell->own);
	*cell = (struct cell){ 0 };
}

/*
 * The text as clients get it, up to a NUL, and without what PostgreSQL cannot store: bytes that are
 * not UTF-8, such as a provider's broken name or a text that was cut within a character.
 */
static int text_mend(struct cell *cell)
{
	size_t len = strnlen(cell->data, cell->len);

	if (len == cell->len && utf8_valid(cell->data, len))
		return 0;
	cell->own = xstrndup(cell->data, len);
	for (size_t i = 0, part; i < len; i += part) {
		uint32_t c;

		part = utf8_next(cell->data + i, len - i, &c);
		if (c == UTF8_BAD)
			cell->own[i] = '?';
	}
	cell->data = cell->own;
	cell->len = len;
	return 1;
}

/* Returns how many texts were mended. */
static int row_read(const struct table_copy *copy, const struct statement *stmt, struct cell *row)
{
	int mended = 0;

	for (size_t i = 0; i < copy->count; i++) {
		struct cell *cell = &row[i];

		*cell = (struct cell){ 0 };
		if (copy->columns[i].type == COLUMN_NUMBER) {
			cell->number = column_number(stmt, (int)i);
			continue;
		}
		cell->data = column_data(stmt, (int)i, &cell->len);
		if (!cell->data)
			cell->len = 0;
		cell->raw = cell->data;
		cell->raw_len = cell->len;
		if (cell->data && copy->columns[i].type == COLUMN_TEXT_TYPE)
			mended += text_mend(cell);
	}
	return mended;
}

static void cell_bind(struct statement *stmt, int index, const struct column *column,
		      const struct cell *cell)
{
	if (column->type == COLUMN_NUMBER)
		bind_number(stmt, index, cell->number);
	else if (column->type == COLUMN_TEXT_TYPE)
		bind_text(stmt, index, cell->data);
	else if (!cell->data && column->is_nullable)
		bind_null(stmt, index);
	else
		bind_blob(stmt, index, cell->data, cell->len);
}

/* Called with each row, whose cells it may take. Non-zero: an error. */
typedef int (*row_fn)(void *arg, struct cell *row, int mended, struct err *err);

struct pages {
	const struct table_copy *copy;
	struct store *store;
	row_fn fn;
	void *arg;
	struct cell last[KEY_MAX]; /* the key of the last row; its texts are owned */
	int is_next;
};

static void last_keep(struct pages *p, const struct cell *row)
{
	for (size_t i = 0; i < p->copy->key_count; i++) {
		cell_free(&p->last[i]);
		p->last[i].number = row[i].number;
		if (p->copy->columns[i].type == COLUMN_NUMBER)
			continue;
		p->last[i].own = xstrndup(row[i].raw ? row[i].raw : "", row[i].raw_len);
		p->last[i].data = p->last[i].own;
		p->last[i].len = row[i].raw_len;
	}
	p->is_next = 1;
}

/* The number of rows, or -1. */
static int page_read(struct pages *p, struct err *err)
{
	const struct table_copy *copy = p->copy;
	struct statement *stmt = store_prepare(p->store,
					       p->is_next ? copy->next_sql : copy->first_sql, err);
	struct cell row[TABLE_COLUMNS_MAX];
	int index = 1, count = 0, rc;

	if (!stmt)
		return -1;
	for (size_t i = 0; p->is_next && i < copy->key_count; i++)
		cell_bind(stmt, index++, &copy->columns[i], &p->last[i]);
	bind_number(stmt, index, PAGE_ROWS);
	while ((rc = store_row(p->store, stmt, "reading a table", err)) == 0) {
		int mended = row_read(copy, stmt, row);

		rc = p->fn(p->arg, row, mended, err);
		if (++count == PAGE_ROWS && !rc)
			last_keep(p, row);
		for (size_t i = 0; i < copy->count; i++)
			free(row[i].own);
		if (rc) {
			statement_end(stmt);
			return -1;
		}
	}
	return rc < 0 ? -1 : count;
}

static int rows_each(const struct table_copy *copy, struct store *store, row_fn fn, void *arg,
		     struct err *err)
{
	struct pages pages = { .copy = copy, .store = store, .fn = fn, .arg = arg };
	int count;

	do
		count = page_read(&pages, err);
	while (count == PAGE_ROWS);
	for (size_t i = 0; i < KEY_MAX; i++)
		cell_free(&pages.last[i]);
	return count < 0 ? -1 : 0;
}

/* ---- copying ------------------------------------------------------------------------------- */

struct writing {
	struct table_copy *copy;
	struct store *to;
	struct statement *stmt;
	size_t rows, bytes; /* since an answer was waited for */
};

static int row_write(void *arg, struct cell *row, int mended, struct err *err)
{
	struct writing *w = arg;

	for (size_t i = 0; i < w->copy->count; i++) {
		cell_bind(w->stmt, (int)i + 1, &w->copy->columns[i], &row[i]);
		w->bytes += row[i].len;
	}
	if (store_run(w->to, w->stmt, "copying a table", err))
		return -1;
	w->copy->rows++;
	w->copy->mended += mended;
	if (++w->rows < AHEAD_ROWS && w->bytes < AHEAD_BYTES)
		return 0;
	w->rows = w->bytes = 0;
	return store_changed(w->to, w->stmt, err) < 0 ? -1 : 0;
}

int table_copy_run(struct table_copy *copy, struct store *from, struct store *to, struct err *err)
{
	struct writing writing = { .copy = copy, .to = to };

	writing.stmt = store_prepare(to, copy->insert_sql, err);
	return writing.stmt ? rows_each(copy, from, row_write, &writing, err) : -1;
}

/* ---- comparing ----------------------------------------------------------------------------- */

/* Of a table: each row's digest includes the one before. */
struct digest {
	const struct table_copy *copy;
	unsigned char sum[HASH_SHA256_LEN];
	int64_t rows;
};

static int row_digest(void *arg, struct cell *row, int mended, struct err *err)
{
	struct digest *d = arg;
	auto_buf struct buf bytes = { 0 };

	(void)mended;
	(void)err;
	buf_init(&bytes, SIZE_MAX);
	buf_add(&bytes, d->sum, sizeof(d->sum));
	for (size_t i = 0; i < d->copy->count; i++) {
		buf_add(&bytes, &row[i].number, sizeof(row[i].number));
		buf_add(&bytes, &row[i].len, sizeof(row[i].len));
		buf_add(&bytes, row[i].data, row[i].len);
	}
	hash_sha256(bytes.data, bytes.len, d->sum);
	d->rows++;
	return 0;
}

int table_copy_verify(const struct table_copy *copy, struct store *from, struct store *to,
		      struct err *err)
{
	struct digest was = { .copy = copy }, is = { .copy = copy };

	if (rows_each(copy, from, row_digest, &was, err) ||
	    rows_each(copy, to, row_digest, &is, err))
		return -1;
	if (was.rows == is.rows && memcmp(was.sum, is.sum, sizeof(was.sum)) == 0)
		return 0;
	return err_set(err, ERR_REFUSED,
		       "table %s is not the same after the copy (%lld rows, %lld before); nothing "
		       "was changed",
		       copy->table->name, (long long)is.rows, (long long)was.rows);
}
