/* SPDX-License-Identifier: MIT */
/*
 * Lists of leases, newest first. A statement follows one index by row number and says of each
 * row whether it matches the other conditions; the matching ones are then read whole. So a
 * call reads a bounded number of rows, whatever is asked for.
 */
#include "store/rows.h"

#include <string.h>

#include "util/text.h"

/* All conditions but those of the index: ?1 to ?13 as list_begin binds them. */
/* clang-format off */
#define MATCHES \
	"CASE WHEN (?1 < 0 OR CASE WHEN released_ms <> 0 THEN 2 ELSE state END = ?1)" \
	" AND (" IS_NULL("?6") " OR account = ?6)" \
	" AND (?7 < 0 OR cleanup = ?7)" \
	" AND (" IS_NULL("?10") " OR class = ?10)" \
	" AND (" IS_NULL("?11") " OR slug = ?11)" \
	" AND created_ms >= ?12" \
	" AND (" IS_NULL("?13") " OR owner = ?13) THEN 1 ELSE 0 END"
/* clang-format on */

/*
 * One statement per kind of list, so that each uses a suitable index and reads few rows that
 * it does not return: live leases and those to clean up are few among many, an owner's are
 * few among all. Rows that the caller may not see are not even counted.
 */
#define LIST(index, where)                                                             \
	"SELECT lease.n, id, created_ms, " MATCHES " FROM lease " index "WHERE " where \
	" AND lease.n < ?5 AND " VISIBLE "ORDER BY lease.n DESC LIMIT ?8"

#define LIST_SHARED                                                \
	"lease.n IN (SELECT lease FROM share WHERE share.org = ?4" \
	" AND share.name IN ('', lower_ascii(?3)) AND share.manage >= ?9) AND owner <> ?3"

/*
 * Rows follow each other in the order in which they were created, except where the clock was
 * set back; a day before `since` the list ends.
 */
#define SINCE_SLACK_MS (INT64_C(24) * 3600 * 1000)

_Static_assert(LEASE_RELEASED == 2, "MATCHES says so");

/* Does it use an index by owner, which has no leases of others? */
static int is_by_owner(const struct store_list *list)
{
	return !list->scope.all && list->scope.owner && list->scope.owner[0] && !list->attention &&
	       !list->open && (list->cleanup < 0 || list->cleanup == CLEANUP_DONE);
}

static const char *owner_sql(const struct store_list *list)
{
	if (list->slug)
		return LIST("INDEXED BY lease_slug_owner ",
			    "slug = ?11 AND owner = ?3 AND org = ?4");
	/* A lease that has ended may show another state than its own. */
	if (list->state >= 0 && list->state != LEASE_RELEASED)
		return LIST("INDEXED BY lease_owner_state ",
			    "owner = ?3 AND org = ?4 AND state = ?1");
	return LIST("INDEXED BY lease_owner ", "owner = ?3 AND org = ?4");
}

static const char *list_sql(const struct store_list *list)
{
	/* Few, whatever the other conditions. */
	if (list->attention)
		return LIST("INDEXED BY lease_attention ", "attention <> ''");
	if (list->open)
		return LIST("INDEXED BY lease_current ", "cleanup <> 4");
	if (list->cleanup >= 0 && list->cleanup != CLEANUP_DONE)
		return LIST("INDEXED BY lease_open ", "cleanup <> 4 AND cleanup = ?7");
	if (is_by_owner(list))
		return owner_sql(list);
	if (list->slug)
		return LIST("INDEXED BY lease_slug_any ", "slug = ?11");
	if (list->state == LEASE_PROVISIONING || list->state == LEASE_ACTIVE)
		return LIST("INDEXED BY lease_state ", "state = ?1");
	if (list->account)
		return LIST("INDEXED BY lease_account ", "account = ?6");
	if (!list->scope.all)
		return LIST("INDEXED BY lease_org ", "org = ?4");
	if (list->state >= 0 && list->state != LEASE_RELEASED)
		return LIST("INDEXED BY lease_state ", "state = ?1");
	return LIST("", "1 = 1");
}

static struct statement *list_begin(struct store *store, const struct store_list *list,
				    const char *sql, struct err *err)
{
	struct statement *stmt = store_prepare(store, sql, err);

	if (!stmt)
		return NULL;
	bind_number(stmt, 1, list->state);
	bind_lease_scope(stmt, &list->scope);
	bind_number(stmt, 5, list->before_n > 0 ? list->before_n : INT64_MAX);
	bind_text_or_null(stmt, 6, list->account);
	bind_number(stmt, 7, list->cleanup);
	bind_number(stmt, 8, STORE_SCAN_MAX + 1);
	bind_text_or_null(stmt, 10, list->class_name);
	bind_text_or_null(stmt, 11, list->slug);
	bind_number(stmt, 12, list->since_ms > 0 ? list->since_ms : INT64_MIN);
	bind_text_or_null(stmt, 13, list->owner);
	return stmt;
}

/* One of the two lists that are merged: its next row; `stmt` NULL at its end. */
struct list_head {
	struct statement *stmt;
	int64_t n, created_ms;
	char id[24];
	int matches;
};

static int list_next(struct store *store, struct list_head *head, struct err *err)
{
	int rc = head->stmt ? store_row(store, head->stmt, "listing leases", err) : 1;

	if (rc) {
		head->stmt = NULL;
		return rc < 0 ? -1 : 0;
	}
	head->n = column_number(head->stmt, 0);
	COLUMN_TEXT(head->stmt, 1, head->id);
	head->created_ms = column_number(head->stmt, 2);
	head->matches = column_int(head->stmt, 3);
	return 0;
}

static void list_end(struct list_head *heads)
{
	for (int i = 0; i < 2; i++) {
		if (heads[i].stmt)
			statement_end(heads[i].stmt);
	}
}

/* Opens both heads and reads the first row of each. */
static int list_open(struct store *store, const struct store_list *list, struct list_head *heads,
		     struct err *err)
{
	heads[0].stmt = list_begin(store, list, list_sql(list), err);
	if (!heads[0].stmt)
		return -1;
	/* Shared leases are few; they are merged from a list of their own. */
	if (is_by_owner(list) && list->scope.sharing != SHARED_NOT) {
		heads[1].stmt = list_begin(store, list, LIST("", LIST_SHARED), err);
		if (!heads[1].stmt)
			return -1;
	}
	return list_next(store, &heads[0], err) || list_next(store, &heads[1], err) ? -1 : 0;
}

/* The head that has the newer row; -1 at the end of both. */
static int list_newer(const struct list_head *heads)
{
	if (!heads[0].stmt)
		return heads[1].stmt ? 1 : -1;
	return heads[1].stmt && heads[1].n > heads[0].n;
}

static int is_too_old(const struct store_list *list, const struct list_head *head)
{
	return list->since_ms > SINCE_SLACK_MS &&
	       head->created_ms < list->since_ms - SINCE_SLACK_MS;
}

/* Who gets what was found. */
struct list_taker {
	store_lease_fn fn;
	void *arg;
	int64_t *numbers; /* where the next row number goes; NULL: `fn` gets the lease */
};

/* 1: it was a lease; 2: and `fn` stops; 0: it is gone; -1. */
static int list_give(struct store *store, const struct list_head *head, struct list_taker *taker,
		     struct err *err)
{
	struct lease l;
	int rc;

	if (taker->numbers) {
		*taker->numbers++ = head->n;
		return 1;
	}
	rc = store_lease_by_n(store, head->n, &l, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	return taker->fn(taker->arg, &l) ? 2 : 1;
}

/* The head of the next row to read; -1: the list has ended. */
static int list_next_head(const struct store_list *list, const struct list_head *heads)
{
	int i = list_newer(heads);

	return i >= 0 && is_too_old(list, &heads[i]) ? -1 : i;
}

static int page_read(struct store *store, const struct store_list *list, struct list_taker *taker,
		     struct store_list_end *ret, struct err *err)
{
	struct list_head heads[2] = { { .stmt = NULL } };
	struct store_list_end end = { .n = 0 };
	int rc = list_open(store, list, heads, err);
	int i = rc ? -1 : list_next_head(list, heads);

	for (int count = 0, scanned = 0; i >= 0 && count < list->limit && scanned < STORE_SCAN_MAX;
	     scanned++) {
		end.n = heads[i].n;
		memcpy(end.id, heads[i].id, sizeof(end.id));
		rc = heads[i].matches ? list_give(store, &heads[i], taker, err) : 0;
		if (rc < 0 || rc == 2)
			break;
		count += rc;
		rc = list_next(store, &heads[i], err);
		i = rc ? -1 : list_next_head(list, heads);
	}
	if (i < 0)
		end.n = 0;
	list_end(heads);
	if (ret)
		*ret = end;
	return rc < 0 ? -1 : 0;
}

int store_lease_page(struct store *store, const struct store_list *list, store_lease_fn fn,
		     void *arg, struct store_list_end *ret, struct err *err)
{
	struct list_taker taker = { .fn = fn, .arg = arg };

	return page_read(store, list, &taker, ret, err);
}

int store_lease_numbers(struct store *store, const struct store_list *list, int64_t n[],
			struct err *err)
{
	struct list_taker taker = { .numbers = n };
	struct store_list part = *list;
	struct store_list_end end;

	do {
		part.limit = list->limit - (int)(taker.numbers - n);
		if (page_read(store, &part, &taker, &end, err))
			return -1;
		part.before_n = end.n;
	} while (end.n && taker.numbers - n < list->limit);
	return (int)(taker.numbers - n);
}

struct list_whole {
	store_lease_fn fn;
	void *arg;
	int count;
	int has_stopped;
};

static int whole_add(void *arg, const struct lease *l)
{
	struct list_whole *whole = arg;

	whole->count++;
	whole->has_stopped = whole->fn(whole->arg, l);
	return whole->has_stopped;
}

int store_lease_each(struct store *store, const struct store_list *list, store_lease_fn fn,
		     void *arg, struct err *err)
{
	struct list_whole whole = { .fn = fn, .arg = arg };
	struct store_list part = *list;
	struct store_list_end end;

	do {
		part.limit = list->limit - whole.count;
		if (store_lease_page(store, &part, whole_add, &whole, &end, err))
			return -1;
		part.before_n = end.n;
	} while (end.n && !whole.has_stopped && whole.count < list->limit);
	return 0;
}

#define OWNER_ORG(from)                                                                     \
	"SELECT org FROM lease INDEXED BY lease_owner WHERE owner = ?1 AND org " from " ?2" \
	" ORDER BY org LIMIT 1"

/* The first organisation from `org` on, or (`sql`) after it. 0, 1 none, -1. */
static int owner_org_next(struct store *store, const char *sql, const char *owner, char *org,
			  size_t size, struct err *err)
{
	struct statement *stmt = store_prepare(store, sql, err);
	int rc;

	if (!stmt)
		return -1;
	bind_text(stmt, 1, owner);
	bind_text(stmt, 2, org);
	rc = store_row(store, stmt, "looking for an owner's organisation", err);
	if (rc)
		return rc;
	column_text(stmt, 0, org, size);
	statement_end(stmt);
	return 0;
}

/* Two seeks in an index by owner, then organisation. */
int store_owner_org(struct store *store, const char *owner, char *ret, size_t size, struct err *err)
{
	char other[64];
	int rc;

	ret[0] = '\0';
	rc = owner_org_next(store, OWNER_ORG(">="), owner, ret, size, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	TEXT_SET(other, ret);
	rc = owner_org_next(store, OWNER_ORG(">"), owner, other, sizeof(other), err);
	return rc < 0 ? -1 : rc == 0 ? 2 : 1;
}
