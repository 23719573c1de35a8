/* SPDX-License-Identifier: MIT */
/*
 * A PostgreSQL server for tests: a cluster in a scratch folder, on a Unix socket only, which ends
 * with the test. Nothing is synced to disk, since only processes end here, never the machine. As
 * root it runs as the user postgres. With LESSOR_TEST_PG (a URL without a database's name) the
 * server that is there is used; it cannot be crashed.
 */
#pragma once

#include <stdint.h>

struct postgres;

/* NULL: no PostgreSQL is installed (what is missing is printed): the test is skipped. */
struct postgres *postgres_start(void);
void postgres_stop(struct postgres *pg); /* NULL is allowed */

/* The URL of a new, empty database; valid until postgres_stop. */
const char *postgres_database(struct postgres *pg);
/* Empties a database, which takes less time than a new one. */
void postgres_clear(const char *url);
/* The folder of the server's socket, .s.PGSQL.5432; NULL with LESSOR_TEST_PG. */
const char *postgres_socket_folder(const struct postgres *pg);

/* All its processes end at once, as in a crash. postgres_restart recovers. */
int postgres_can_crash(const struct postgres *pg);
void postgres_crash(struct postgres *pg);
void postgres_restart(struct postgres *pg);

/* Runs SQL in a database, on a connection of its own. */
void postgres_sql(const char *url, const char *sql);
/* The number that it returns. */
int64_t postgres_number(const char *url, const char *sql);
