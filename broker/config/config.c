/* SPDX-License-Identifier: MIT */
/*
 * libinih splits lines. It silently truncates lines, section names and key names, treats an
 * indented line as a continuation of the previous value, and does not report sections without
 * keys. So line_read, which supplies its lines, checks each line first and counts them.
 */
#include "config/config.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/keys.h"
#include "config/value.h"
#include "util/alloc.h"
#include "util/file.h"

/* inih has a buffer of INI_MAX_LINE bytes for a line, its newline and a NUL. */
#define LINE_MAX_BYTES (INI_MAX_LINE - 3)
#define FILE_MAX_LINES 4096
#define FILE_MAX_BYTES (1u << 20)
#define WHAT "the configuration file"

struct reading {
	struct config *config;
	struct file_text file;
	size_t at; /* in the file: the next line */
	int line;
	int in_section;
	enum section_kind kind;
	void *base; /* the struct of the section; NULL if the section is invalid */
	unsigned char seen[KEYS_MAX]; /* keys of this section, by index */
	int seen_server, seen_store, seen_limits, seen_sweep, seen_history, seen_runs;
	int failed;
	struct err err;		/* the first one */
};

static void reading_fail(struct reading *r, const struct err *why)
{
	if (r->failed)
		return;
	r->failed = 1;
	r->err = *why;
	err_prefix(&r->err, "%s:%d: ", r->config->path, r->line);
}

/* ---- sections ----------------------------------------------------------------------- */

static int section_server(struct reading *r, struct err *err)
{
	if (r->seen_server++)
		return err_set(err, ERR_INVALID, "duplicate section [server]");
	r->kind = SECTION_SERVER;
	r->base = r->config;
	return 0;
}

static int section_store(struct reading *r, struct err *err)
{
	if (r->seen_store++)
		return err_set(err, ERR_INVALID, "duplicate section [store]");
	r->kind = SECTION_STORE;
	r->base = r->config;
	return 0;
}

static int section_sweep(struct reading *r, struct err *err)
{
	if (r->seen_sweep++)
		return err_set(err, ERR_INVALID, "duplicate section [sweep]");
	r->kind = SECTION_SWEEP;
	r->base = r->config;
	return 0;
}

static int section_history(struct reading *r, struct err *err)
{
	if (r->seen_history++)
		return err_set(err, ERR_INVALID, "duplicate section [history]");
	r->kind = SECTION_HISTORY;
	r->base = r->config;
	return 0;
}

static int section_runs(struct reading *r, struct err *err)
{
	if (r->seen_runs++)
		return err_set(err, ERR_INVALID, "duplicate section [runs]");
	r->kind = SECTION_RUNS;
	r->base = r->config;
	return 0;
}

static int section_limits(struct reading *r, struct err *err)
{
	if (r->seen_limits++)
		return err_set(err, ERR_INVALID, "duplicate section [limits]");
	r->kind = SECTION_LIMITS;
	r->base = r->config;
	return 0;
}

static int section_class(struct reading *r, const char *name, struct err *err)
{
	struct config *c = r->config;
	struct config_class *class = &c->classes[c->class_count];

	if (c->class_count == CONFIG_CLASSES_MAX)
		return err_set(err, ERR_INVALID, "more than %d classes", CONFIG_CLASSES_MAX);
	if (value_name(name, sizeof(class->name), class->name, err) < 0)
		return -1;
	for (int i = 0; i < c->class_count; i++) {
		if (strcmp(c->classes[i].name, class->name) == 0)
			return err_set(err, ERR_INVALID, "duplicate section [class %s]", name);
	}
	class->line = r->line;
	c->class_count++;
	r->kind = SECTION_CLASS;
	r->base = class;
	return 0;
}

static int section_account(struct reading *r, const char *name, struct err *err)
{
	struct config *c = r->config;
	struct config_account *account = &c->accounts[c->account_count];

	if (c->account_count == CONFIG_ACCOUNTS_MAX)
		return err_set(err, ERR_INVALID, "more than %d accounts", CONFIG_ACCOUNTS_MAX);
	if (value_name(name, sizeof(account->account.name), account->account.name, err) < 0)
		return -1;
	if (name[0] < 'a' || strchr(name, '.'))
		return err_set(err, ERR_INVALID,
			       "the name of an account must begin with a letter and"
			       " contain no dot");
	for (int i = 0; i < c->account_count; i++) {
		if (strcmp(c->accounts[i].account.name, account->account.name) == 0)
			return err_set(err, ERR_INVALID, "duplicate section [account %s]", name);
	}
	account->line = r->line;
	account->account.protect_retained = 1;
	account->account.options = xcalloc(CONFIG_OPTIONS_MAX, sizeof(struct account_option));
	c->account_count++;
	r->kind = SECTION_ACCOUNT;
	r->base = account;
	return 0;
}

/* The name of a token's owner or organisation, as it is in the token. */
static int holder_name(const char *name, size_t size, char *ret, struct err *err)
{
	size_t len = strlen(name);

	if (!len || len >= size || strchr(name, ' ') || strchr(name, '\t'))
		return err_set(err, ERR_INVALID,
			       "'%.40s' is not a name of 1 to %zu bytes without spaces", name,
			       size - 1);
	memcpy(ret, name, len + 1);
	return 0;
}

static int section_org(struct reading *r, const char *name, struct err *err)
{
	struct config *c = r->config;
	struct config_org *org = &c->orgs[c->org_count];

	if (c->org_count == CONFIG_ORGS_MAX)
		return err_set(err, ERR_INVALID, "more than %d organisations", CONFIG_ORGS_MAX);
	if (holder_name(name, sizeof(org->name), org->name, err) < 0)
		return -1;
	for (int i = 0; i < c->org_count; i++) {
		if (strcmp(c->orgs[i].name, org->name) == 0)
			return err_set(err, ERR_INVALID, "duplicate section [org %s]", name);
	}
	org->line = r->line;
	c->org_count++;
	r->kind = SECTION_ORG;
	r->base = org;
	return 0;
}

/* `text` is "owner NAME", "org NAME" or "account NAME". */
static int section_named(struct reading *r, const char *text, struct err *err)
{
	static const enum limit_scope scopes[] = { LIMIT_OWNER, LIMIT_ORG, LIMIT_ACCOUNT };
	struct engine_limits *limits = &r->config->limits.engine;
	struct limits_named *named = &limits->named[limits->named_count];
	size_t word = strcspn(text, " ");

	if (limits->named_count == LIMITS_NAMED_MAX)
		return err_set(err, ERR_INVALID, "more than %d sections [limits ... NAME]",
			       LIMITS_NAMED_MAX);
	*named = (struct limits_named){ .max_active = LIMIT_UNSET,
					.max_hour_micros = LIMIT_UNSET,
					.max_month_micros = LIMIT_UNSET };
	for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
		const char *name = named_word(scopes[i]);

		if (strlen(name) == word && strncmp(text, name, word) == 0)
			named->scope = scopes[i];
	}
	if (named->scope == LIMIT_NONE || text[word] != ' ')
		return err_set(err, ERR_INVALID,
			       "[limits %.40s] must be [limits owner NAME], [limits org NAME] or "
			       "[limits account NAME]",
			       text);
	if (holder_name(text + word + 1, sizeof(named->name), named->name, err) < 0)
		return -1;
	for (int i = 0; i < limits->named_count; i++) {
		if (limits->named[i].scope == named->scope &&
		    strcmp(limits->named[i].name, named->name) == 0)
			return err_set(err, ERR_INVALID, "duplicate section [limits %s]", text);
	}
	limits->named_count++;
	r->kind = SECTION_NAMED;
	r->base = named;
	return 0;
}

/* `text` is the text between the brackets. */
static int section_open(struct reading *r, char *text, struct err *err)
{
	r->in_section = 1;
	r->base = NULL;
	memset(r->seen, 0, sizeof(r->seen));
	if (strcmp(text, "server") == 0)
		return section_server(r, err);
	if (strcmp(text, "store") == 0)
		return section_store(r, err);
	if (strcmp(text, "sweep") == 0)
		return section_sweep(r, err);
	if (strcmp(text, "history") == 0)
		return section_history(r, err);
	if (strcmp(text, "runs") == 0)
		return section_runs(r, err);
	if (strcmp(text, "limits") == 0)
		return section_limits(r, err);
	if (strncmp(text, "class ", 6) == 0)
		return section_class(r, text + 6, err);
	if (strncmp(text, "account ", 8) == 0)
		return section_account(r, text + 8, err);
	if (strncmp(text, "limits ", 7) == 0)
		return section_named(r, text + 7, err);
	if (strncmp(text, "org ", 4) == 0)
		return section_org(r, text + 4, err);
	return err_set(err, ERR_INVALID,
		       "unknown section [%.40s]; allowed: [server], [store], [sweep], [runs],"
		       " [history], [limits], [limits owner NAME], [limits org NAME], [limits account NAME],"
		       " [class NAME], [account NAME], [org NAME]",
		       text);
}

/* ---- lines ---------------------------------------------------------------------------- */

static int line_check(struct reading *r, char *line, size_t len, struct err *err)
{
	char section[INI_MAX_LINE];
	const char *end;

	if (r->line > FILE_MAX_LINES)
		return err_set(err, ERR_INVALID, "more than %d lines", FILE_MAX_LINES);
	if (len > LINE_MAX_BYTES)
		return err_set(err, ERR_INVALID,
			       "a line has at most %d bytes; repeat the key of a"
			       " list to add to it",
			       LINE_MAX_BYTES);
	if (strlen(line) != len)
		return err_set(err, ERR_INVALID, "the line contains a NUL byte");
	if (strspn(line, " \t\r") == len || line[0] == '#' || line[0] == ';')
		return 0;
	if (line[0] == ' ' || line[0] == '\t') {
		const char *text = line + strspn(line, " \t");

		if (*text == '#' || *text == ';')
			return 0;
		return err_set(err, ERR_INVALID, "a line must not begin with a space or tab");
	}
	if (line[0] != '[')
		return 0;
	end = strchr(line, ']');
	if (!end || (end[1 + strspn(end + 1, " \t\r")] != '\0' &&
		     end[1 + strspn(end + 1, " \t\r")] != ';'))
		return err_set(err, ERR_INVALID, "a section must be [NAME], alone on its line");
	memcpy(section, line + 1, (size_t)(end - line - 1));
	section[end - line - 1] = '\0';
	return section_open(r, section, err);
}

/* An ini_reader: supplies the next line, or NULL at the end or after an error. */
static char *line_read(char *into, int size, void *arg)
{
	struct reading *r = arg;
	char line[INI_MAX_LINE + 2];
	struct err err = { 0 };
	const char *from = r->file.text + r->at;
	const char *end;
	size_t len;

	if (r->failed || r->at >= r->file.len)
		return NULL;
	end = memchr(from, '\n', r->file.len - r->at);
	len = end ? (size_t)(end - from) : r->file.len - r->at;
	r->at += len + 1;
	if (len > sizeof(line) - 1)
		len = sizeof(line) - 1;
	memcpy(line, from, len);
	line[len] = '\0';
	r->line++;
	if (line_check(r, line, len, &err) < 0) {
		reading_fail(r, &err);
		return NULL;
	}
	snprintf(into, (size_t)size, "%s\n", line);
	return into;
}

static int option_set(struct config_account *a, const char *name, const char *value, struct err *err)
{
	struct account_config *conf = &a->account;
	size_t len = strlen(name);

	if (len == 0 || len > 32 || strspn(name, "abcdefghijklmnopqrstuvwxyz_") != len)
		return err_set(err, ERR_INVALID,
			       "unknown key '%.40s' in [account]; allowed: those of"
			       " lessord.conf(5) and the provider's own, all of a-z and _",
			       name);
	for (size_t i = 0; i < conf->option_count; i++) {
		if (strcmp(conf->options[i].key, name) == 0)
			return err_set(err, ERR_INVALID, "duplicate key '%s'; set it once", name);
	}
	if (conf->option_count == CONFIG_OPTIONS_MAX)
		return err_set(err, ERR_INVALID, "more than %d options for the provider",
			       CONFIG_OPTIONS_MAX);
	conf->options[conf->option_count].key = xstrdup(name);
	conf->options[conf->option_count].value = xstrdup(value);
	conf->option_count++;
	return 0;
}

static int line_set(struct reading *r, const char *name, const char *value, struct err *err)
{
	static const char *const section_names[] = { "server", "store",	  "sweep",
						     "runs",   "history", "limits",
						     "class",  "account", "limits ... NAME",
						     "org" };
	const struct key *key;
	char names[500];
	size_t i;

	if (!r->in_section)
		return err_set(err, ERR_INVALID, "key '%.40s' before the first section", name);
	key = key_find(r->kind, name, &i);
	if (!key && r->kind == SECTION_ACCOUNT)
		return option_set(r->base, name, value, err);
	if (!key) {
		key_names(r->kind, names, sizeof(names));
		return err_set(err, ERR_INVALID, "unknown key '%.40s' in [%s]; allowed: %s", name,
			       section_names[r->kind], names);
	}
	if (!key->is_list && r->seen[i])
		return err_set(err, ERR_INVALID, "duplicate key '%s'; only lists may be repeated",
			       name);
	r->seen[i] = 1;
	if (value[0] == '\0')
		return err_set(err, ERR_INVALID,
			       "%s has no value; remove the line to use the"
			       " default",
			       name);
	if (key_set(key, r->base, value, err) < 0)
		return err_prefix(err, "%s: ", name);
	return 0;
}

/* An ini_handler; 0 is an error, which inih only counts. */
static int line_handle(void *arg, const char *section, const char *name, const char *value)
{
	struct reading *r = arg;
	int listeners = r->config->listen_count;
	struct err err = { 0 };

	(void)section;
	if (r->failed)
		return 0;
	if (line_set(r, name, value, &err) < 0) {
		reading_fail(r, &err);
		return 0;
	}
	for (; listeners < r->config->listen_count; listeners++)
		r->config->listen[listeners].line = r->line;
	if (r->config->has_listen_metrics && !r->config->listen_metrics.line)
		r->config->listen_metrics.line = r->line;
	return 1;
}

/* ---- the file -------------------------------------------------------------------------- */

static int config_read(const char *path, struct file_text *ret, struct err *err)
{
	struct stat st;
	auto_close int fd = file_open(path, WHAT, 0, &st, err);

	if (fd < 0 && err && err->native == ENOENT)
		return err_set_errno(err, ENOENT,
				     "cannot open " WHAT " %s (--config names another one)", path);
	if (fd < 0)
		return -1;
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 0002))
		return err_set(err, ERR_REFUSED,
			       "%s is writable by other users, who could redirect a"
			       " provider's token; it must belong to root or to the user of"
			       " lessord, with mode 0644 or less",
			       path);
	return file_read(fd, path, WHAT, FILE_NULS, FILE_MAX_BYTES, ret, err);
}

int config_load(const char *path, enum config_how how, struct config **ret, struct err *err)
{
	struct reading r = { 0 };
	struct config *c;
	int wrong;

	if (strlen(path) >= sizeof(c->path))
		return err_set(err, ERR_INVALID,
			       "the path of the configuration has more than %zu"
			       " bytes",
			       sizeof(c->path) - 1);
	if (config_read(path, &r.file, err) < 0)
		return -1;
	c = xcalloc(1, sizeof(*c));
	snprintf(c->path, sizeof(c->path), "%s", path);
	config_defaults(c);
	r.config = c;
	wrong = ini_parse_stream(line_read, &r, line_handle, &r);
	if (!r.failed && wrong != 0) {
		/* inih itself rejected a line, one without '='. It counts lines as we do. */
		struct err why = { 0 };

		err_set(&why, ERR_INVALID, "a line must be [SECTION], KEY = VALUE or a # comment");
		r.line = wrong;
		reading_fail(&r, &why);
	}
	file_text_fini(&r.file);
	if (r.failed) {
		if (err)
			*err = r.err;
		config_free(c);
		return -1;
	}
	if (config_check(c, how, err) < 0) {
		config_free(c);
		return -1;
	}
	*ret = c;
	return 0;
}

static void secret_forget(char **secret)
{
	if (*secret)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

void config_account_fini(struct account_config *a)
{
	for (size_t i = 0; i < a->option_count; i++) {
		free((char *)(uintptr_t)a->options[i].key);
		free((char *)(uintptr_t)a->options[i].value);
	}
	free(a->options);
	secret_forget(&a->token);
	ca_unref(a->ca);
	memset(a, 0, sizeof(*a));
}

void config_account_dup(const struct config_account *from, struct account_config *ret)
{
	const struct account_config *a = &from->account;

	*ret = *a;
	ret->token = a->token ? xstrdup(a->token) : NULL;
	ret->ca = ca_ref(a->ca);
	ret->options = xcalloc(a->option_count ? a->option_count : 1, sizeof(*ret->options));
	for (size_t i = 0; i < a->option_count; i++) {
		ret->options[i].key = xstrdup(a->options[i].key);
		ret->options[i].value = xstrdup(a->options[i].value);
	}
}

void config_forget_tokens(struct config *c)
{
	for (int i = 0; i < c->account_count; i++)
		secret_forget(&c->accounts[i].account.token);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (int i = 0; i < c->account_count; i++)
		config_account_fini(&c->accounts[i].account);
	secret_forget(&c->store_target);
	free(c);
}
