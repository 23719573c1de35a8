/* SPDX-License-Identifier: MIT */
/* Where the store is: a file, `store` of [server], or PostgreSQL, as [store] says. */
#include "config/keys.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"

#ifndef LESSOR_STATE_DIR
#define LESSOR_STATE_DIR "/var/lib/lessor"
#endif

void store_section_defaults(struct config *c)
{
	snprintf(c->postgres.state_dir, sizeof(c->postgres.state_dir), "%s", LESSOR_STATE_DIR);
}

int config_is_postgres(const struct config *c)
{
	return c->store[0] == '\0';
}

/* A key that means nothing for a file is a mistake: the file would be used. */
static int file_check(struct config *c, struct err *err)
{
	const struct config_postgres *p = &c->postgres;
	const char *key = p->password_file[0] ? "password_file" :
			  p->credential[0]    ? "credential" :
			  p->require_sync     ? "require_sync" :
						NULL;

	if (key)
		return err_set(err, ERR_INVALID,
			       "%s: [store] %s is for PostgreSQL only; set url or service, too",
			       c->path, key);
	if (!c->store[0])
		snprintf(c->store, sizeof(c->store), "%s", LESSOR_STATE_DIR "/lessor.db");
	c->store_target = xstrdup(c->store);
	snprintf(c->store_name, sizeof(c->store_name), "%s", c->store);
	snprintf(c->store_files, sizeof(c->store_files), "%s", c->store);
	return 0;
}

/* As a parameter of the URL, which everything but letters and digits could end. */
static void password_add(struct config *c, const char *password)
{
	size_t size = sizeof(c->store_name) + strlen("?password=") + 3 * strlen(password) + 1;
	char *url = xcalloc(1, size);
	size_t len;

	len = (size_t)snprintf(url, size, "%s%cpassword=", c->store_name,
			       strchr(c->store_name, '?') ? '&' : '?');
	for (const char *at = password; *at; at++)
		len += (size_t)snprintf(url + len, size - len,
					isalnum((unsigned char)*at) ? "%c" : "%%%02X",
					(unsigned char)*at);
	free(c->store_target);
	c->store_target = url;
}

static int password_read(struct config *c, enum config_how how, struct err *err)
{
	char *password = NULL;
	struct config_postgres *p = &c->postgres;
	int has_credential = p->credential[0] && how != CONFIG_WITHOUT_CREDENTIALS;

	if (how == CONFIG_WITHOUT_TOKENS)
		return 0;
	/* libpq has ways of its own: PGPASSFILE, PGPASSWORD, or no password at all. */
	if (how == CONFIG_FOR_STORE && !getenv("CREDENTIALS_DIRECTORY"))
		has_credential = 0;
	if (!p->password_file[0] && !has_credential)
		return 0;
	if (credential_read(p->password_file, p->credential, c->store_files, "password", &password,
			    err) < 0)
		return err_prefix(err, "%s: [store]: ", c->path);
	password_add(c, password);
	explicit_bzero(password, strlen(password));
	free(password);
	return 0;
}

int store_section_check(struct config *c, enum config_how how, struct err *err)
{
	struct config_postgres *p = &c->postgres;

	if (!p->url[0] && !p->service[0])
		return file_check(c, err);
	if (c->store[0])
		return err_set(err, ERR_INVALID,
			       "%s: [server] store and [store] %s are mutually exclusive: the store is"
			       " either a file or a PostgreSQL database",
			       c->path, p->url[0] ? "url" : "service");
	if (p->url[0] && p->service[0])
		return err_set(err, ERR_INVALID,
			       "%s: [store] url and service are mutually exclusive", c->path);
	if (p->password_file[0] && p->credential[0])
		return err_set(err, ERR_INVALID,
			       "%s: [store] password_file and credential are mutually exclusive",
			       c->path);
	snprintf(c->store_files, sizeof(c->store_files), "%s/lessord", p->state_dir);
	if (p->service[0])
		snprintf(c->store_name, sizeof(c->store_name), "postgresql:///?service=%s",
			 p->service);
	else
		snprintf(c->store_name, sizeof(c->store_name), "%s", p->url);
	c->store_target = xstrdup(c->store_name);
	return password_read(c, how, err);
}
