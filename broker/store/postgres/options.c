/* SPDX-License-Identifier: MIT */
/*
 * What the URL says, and what libpq is told. The password is in here, which comes from libpq's
 * parser, and in no message.
 */
#include "store/postgres/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "util/bug.h"
#include "util/hash.h"

/* What is not in the URL. */
static const char *const defaults[][2] = {
	{ "connect_timeout", "3" },
	{ "tcp_user_timeout", "4000" },
	{ "keepalives_idle", "2" },
	{ "keepalives_interval", "1" },
	{ "keepalives_count", "3" },
	{ "application_name", "lessord" },
	{ "target_session_attrs", "read-write" },
	{ "client_encoding", "UTF8" },
};

const char *pg_option(const struct pg_connection *c, const char *keyword)
{
	for (const PQconninfoOption *o = c->options; o->keyword; o++) {
		if (strcmp(o->keyword, keyword) == 0)
			return o->val && o->val[0] ? o->val : NULL;
	}
	return NULL;
}

void pg_options_free(PQconninfoOption *options)
{
	for (PQconninfoOption *o = options; o && o->keyword; o++) {
		if (o->val)
			hash_wipe(o->val, strlen(o->val));
	}
	PQconninfoFree(options);
}

/* Part `n` of a list with commas, the only one if there is just one. */
static void list_part(const char *list, int n, char *ret, size_t size)
{
	for (; n > 0 && strchr(list, ','); n--)
		list = strchr(list, ',') + 1;
	snprintf(ret, size, "%.*s", (int)strcspn(list, ","), list);
}

static int list_count(const char *list)
{
	int count = 1;

	while (list && (list = strchr(list, ',')) != NULL) {
		list++;
		count++;
	}
	return count;
}

int pg_host_count(const struct pg_connection *c)
{
	return list_count(pg_option(c, "host") ? pg_option(c, "host") : pg_option(c, "hostaddr"));
}

void pg_name_set(struct pg_connection *c)
{
	const char *user = pg_option(c, "user"), *host = pg_option(c, "host");
	const char *port = pg_option(c, "port"), *database = pg_option(c, "dbname");
	const char *service = pg_option(c, "service");

	if (!host)
		host = pg_option(c, "hostaddr");
	snprintf(c->store.name, sizeof(c->store.name),
		 "postgresql://%.60s%s%.80s%s%.20s/%.60s%s%.20s", user ? user : "", user ? "@" : "",
		 host ? host : "", port ? ":" : "", port ? port : "", database ? database : "",
		 service ? "?service=" : "", service ? service : "");
}

PQconninfoOption *pg_options_copy(const struct pg_connection *from)
{
	PQconninfoOption *options = PQconndefaults();

	for (PQconninfoOption *o = options; o && o->keyword; o++) {
		const char *value = pg_option(from, o->keyword);

		free(o->val);
		o->val = value ? xstrdup(value) : NULL;
	}
	BUG_ON(!options);
	return options;
}

/*
 * The database or the role may have another default, with which a fence that has waited for its row
 * would fail without saying who has it. Of the URL's own options and this one, the last counts.
 */
void pg_isolation_set(PQconninfoOption *options)
{
	for (PQconninfoOption *o = options; o && o->keyword; o++) {
		char *own = o->val;

		if (strcmp(o->keyword, "options") != 0)
			continue;
		o->val = xasprintf("%s -c default_transaction_isolation=read\\ committed",
				   own ? own : "");
		free(own);
	}
}

/* ---- arguments ------------------------------------------------------------------------------ */

static void argument_add(struct pg_arguments *a, const char *keyword, const char *value)
{
	BUG_ON(a->count == PG_OPTIONS_MAX);
	a->keywords[a->count] = keyword;
	a->values[a->count++] = xstrdup(value);
}

void pg_arguments_make(const struct pg_connection *c, struct pg_arguments *ret, int host)
{
	static const char *const lists[] = { "host", "hostaddr", "port" };
	char part[256];

	*ret = (struct pg_arguments){ .count = 0 };
	for (const PQconninfoOption *o = c->options; o->keyword; o++) {
		const char *value = pg_option(c, o->keyword);

		for (size_t i = 0; value && i < ARRAY_LEN(lists); i++) {
			if (strcmp(o->keyword, lists[i]) == 0) {
				list_part(value, host, part, sizeof(part));
				value = part;
			}
		}
		if (value)
			argument_add(ret, o->keyword, value);
	}
	for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
		if (!pg_option(c, defaults[i][0]))
			argument_add(ret, defaults[i][0], defaults[i][1]);
	}
}

void pg_arguments_wipe(struct pg_arguments *a)
{
	for (int i = 0; i < a->count; i++) {
		hash_wipe(a->values[i], strlen(a->values[i]));
		free(a->values[i]);
	}
	*a = (struct pg_arguments){ .count = 0 };
}
