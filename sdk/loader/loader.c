/* SPDX-License-Identifier: MIT */
#include "loader/loader.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/elf.h"
#include "util/alloc.h"
#include "util/log.h"

#define NAME_MAX_LEN 32
#define OPTION_KEY_MAX 32
#define OPTIONS_MAX 64
/* A table must at least contain all required operations. */
#define TABLE_LEAST offsetof(struct lessor_provider, probe)
#define TABLE_MOST 65536
#define OPTION_LEAST sizeof(struct lessor_option)
#define OPTION_MOST 4096
#define ACTIONS_MAX 256
#define ACTION_LEAST sizeof(struct lessor_action)
#define ACTION_MOST 4096
#define ACTION_NAME_MAX 32

/* ---- the file ---- */

static int name_is_sane(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return len > 0 && len <= NAME_MAX_LEN && name[len] == '\0' && name[0] >= 'a' &&
	       name[0] <= 'z';
}

/* Whoever can write here can run code in the daemon. */
static int owner_check(const struct stat *st, const char *path, const char *what, struct err *err)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return err_set(err, ERR_REFUSED,
			       "provider '%s' refused: %s must be owned by root or by uid %u, not by uid %u",
			       path, what, (unsigned)geteuid(), (unsigned)st->st_uid);
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return err_set(err, ERR_REFUSED,
			       "provider '%s' refused: %s must not be writable by group or others", path,
			       what);
	return 0;
}

static int path_split(const char *path, char dir[PATH_MAX], const char **ret_file, struct err *err)
{
	const char *slash = strrchr(path, '/');
	size_t len = (size_t)(slash - path);

	if (path[0] != '/')
		return err_set(err, ERR_INVALID, "provider '%s' refused: a path must be absolute",
			       path);
	memcpy(dir, path, len);
	dir[len] = '\0';
	if (len == 0)
		memcpy(dir, "/", 2);
	*ret_file = slash + 1;
	return 0;
}

/* The providers of the directory, for a name that is misspelt or not installed. */
static void neighbours_list(const char *path, char *out, size_t size)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	size_t len = 0;

	snprintf(out, size, "none");
	while (dir && (entry = readdir(dir)) != NULL) {
		const char *dot = strrchr(entry->d_name, '.');

		if (!dot || strcmp(dot, ".so") != 0 ||
		    len + (size_t)(dot - entry->d_name) + 8 > size)
			continue;
		len += (size_t)snprintf(out + len, size - len, "%s%.*s", len ? ", " : "",
					(int)(dot - entry->d_name), entry->d_name);
	}
	if (dir)
		closedir(dir);
}

/* Returns a descriptor of the file if it passes all checks, or -1. */
static int file_open(const char *path, struct err *err)
{
	char dir[PATH_MAX], known[160];
	const char *file = NULL;
	struct stat st;

	if (path_split(path, dir, &file, err))
		return -1;
	auto_close int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir_fd < 0 && errno == ENOTDIR)
		return err_set(err, ERR_REFUSED,
			       "provider '%s' refused: its directory is a symbolic link or not a directory",
			       path);
	if (dir_fd < 0 || fstat(dir_fd, &st))
		return err_set_errno(err, errno,
				     "provider '%s' refused: its directory cannot be opened",
				     path);
	if (owner_check(&st, path, "its directory", err))
		return -1;
	auto_close int fd = openat(dir_fd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ELOOP)
		return err_set(err, ERR_REFUSED, "provider '%s' refused: it is a symbolic link",
			       path);
	if (fd < 0 && errno == ENOENT) {
		neighbours_list(dir, known, sizeof(known));
		return err_set_errno(err, ENOENT,
				     "provider '%s' cannot be opened (providers there: %s)", path,
				     known);
	}
	if (fd < 0 || fstat(fd, &st))
		return err_set_errno(err, errno, "provider '%s' cannot be opened", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_REFUSED, "provider '%s' refused: it is not a regular file",
			       path);
	if (owner_check(&st, path, "the file", err))
		return -1;
	const char *rule = elf_broken_rule(fd, (uint64_t)st.st_size);
	if (rule)
		return err_set(err, ERR_INVALID, "provider '%s' refused: %s", path, rule);
	int kept = fd;
	fd = -1;
	return kept;
}

/*
 * dlerror names /proc/self/fd/N, which is meaningless to the operator: replace it by
 * the path.
 */
static void *file_load(int fd, const char *path, struct err *err)
{
	char by_fd[64];
	void *handle;

	snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", fd);
	handle = dlopen(by_fd, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!handle) {
		const char *why = dlerror();
		size_t len = strlen(by_fd);
		if (why && strncmp(why, by_fd, len) == 0 && strncmp(why + len, ": ", 2) == 0)
			why += len + 2;
		err_set(err, ERR_INVALID, "provider '%s' cannot be loaded: %.120s", path,
			why ? why : "no reason given");
	}
	return handle;
}

/* ---- the table ---- */

/*
 * Only size and abi may be read at first: the rest depends on them. A table with an
 * impossible size is refused before anything beyond them is read.
 */
static int table_copy(const struct lessor_provider *from, struct provider *ret, struct err *err)
{
	const char *path = ret->path;
	uint32_t size = from->size;
	uint32_t abi = from->abi;

	ret->plugin_size = size;
	ret->plugin_abi = abi;
	/* While the major version is 0, minor versions are incompatible too. */
	if (abi >> 16 != LESSOR_ABI_MAJOR || (LESSOR_ABI_MAJOR == 0 && abi != LESSOR_ABI))
		return err_set(err, ERR_REFUSED,
			       "provider '%s' has ABI %u.%u, this lessor has ABI %d.%d: %s", path,
			       abi >> 16, abi & 0xffff, LESSOR_ABI_MAJOR, LESSOR_ABI_MINOR,
			       abi > LESSOR_ABI ? "install a newer lessor" : "rebuild the provider");
	if (size < TABLE_LEAST || size > TABLE_MOST)
		return err_set(err, ERR_REFUSED,
			       "provider '%s' refused: its table has %u bytes, at least %zu are required",
			       path, size, (size_t)TABLE_LEAST);
	/* Half a function pointer would be called. */
	if (size < sizeof(ret->table) && (size - TABLE_LEAST) % sizeof(from->probe))
		return err_set(err, ERR_REFUSED,
			       "provider '%s' refused: its table has %u bytes and ends within an operation",
			       path, size);
	memset(&ret->table, 0, sizeof(ret->table));
	memcpy(&ret->table, from, size < sizeof(ret->table) ? size : sizeof(ret->table));
	/* A newer table may have operations that we cannot use. */
	for (size_t i = sizeof(ret->table); i < size; i++) {
		if (((const unsigned char *)from)[i]) {
			log_notice(LOG_FIELDS({ "path", path }),
				   "provider '%s' has operations that this lessor does not know; they "
				   "are ignored",
				   path);
			break;
		}
	}
	return 0;
}

static int text_is_line(const char *text, size_t max)
{
	size_t len = 0;

	while (text[len] && len <= max) {
		if ((unsigned char)text[len] < 0x20 || text[len] == 0x7f)
			return 0;
		len++;
	}
	return len > 0 && len <= max;
}

static struct lessor_option option_at(const struct lessor_provider *table, size_t i)
{
	struct lessor_option option = { 0 };
	size_t size = table->option_size < sizeof(option) ? table->option_size : sizeof(option);

	memcpy(&option, (const char *)table->options + i * table->option_size, size);
	return option;
}

static const char *option_broken_rule(const struct lessor_option *option)
{
	size_t len = option->key ? strspn(option->key, "abcdefghijklmnopqrstuvwxyz_") : 0;

	if (len == 0 || option->key[len] != '\0' || len > OPTION_KEY_MAX)
		return "its key must be [a-z_]{1,32}";
	if (option->type < LESSOR_OPTION_TEXT || option->type > LESSOR_OPTION_URL)
		return "its type is unknown to this lessor";
	if (option->type == LESSOR_OPTION_CHOICE && (!option->choices || !option->choices[0]))
		return "a choice must list its values";
	if (!option->help || !text_is_line(option->help, 500))
		return "its help must be one line";
	return NULL;
}

static int options_check(const struct lessor_provider *table, const char *path, struct err *err)
{
	if (table->option_count == 0)
		return 0;
	if (!table->options || table->option_count > OPTIONS_MAX ||
	    table->option_size < OPTION_LEAST || table->option_size > OPTION_MOST)
		return err_set(err, ERR_REFUSED,
			       "provider '%s' refused: %zu options of %zu bytes each are not a valid table",
			       path, table->option_count, table->option_size);
	for (size_t i = 0; i < table->option_count; i++) {
		struct lessor_option option = option_at(table, i);
		const char *rule = option_broken_rule(&option);
		if (rule)
			return err_set(err, ERR_REFUSED, "provider '%s' refused: option %zu: %s",
				       path,
				       i + 1, rule);
		for (size_t j = 0; j < i; j++) {
			if (strcmp(option_at(table, j).key, option.key) == 0)
				return err_set(err, ERR_REFUSED,
					       "provider '%s' refused: option '%s' is declared twice",
					       path, option.key);
		}
	}
	return 0;
}

static struct lessor_action action_at(const struct lessor_provider *table, size_t i)
{
	struct lessor_action action = { 0 };
	size_t size = table->action_size < sizeof(action) ? table->action_size : sizeof(action);

	memcpy(&action, (const char *)table->actions + i * table->action_size, size);
	return action;
}

static int method_is_known(const char *method)
{
	return method && (strcmp(method, "GET") == 0 || strcmp(method, "POST") == 0 ||
			  strcmp(method, "PUT") == 0 || strcmp(method, "DELETE") == 0);
}

/* "" means the whole response or the whole object. */
static int pointer_is_sane(const char *pointer)
{
	return !pointer || !pointer[0] ||
	       (pointer[0] == '/' && strlen(pointer) < 120 && !strchr(pointer, '~'));
}

static const char *action_broken_rule(const struct lessor_action *action)
{
	size_t len = action->name ? strspn(action->name, "abcdefghijklmnopqrstuvwxyz_") : 0;
	int has_id = action->path && strstr(action->path, "{id}");

	if (len == 0 || action->name[len] != '\0' || len > ACTION_NAME_MAX)
		return "its name must be [a-z_]{1,32}";
	if (!method_is_known(action->method))
		return "its method must be GET, POST, PUT or DELETE";
	if (!action->path || action->path[0] != '/' || strchr(action->path, '?'))
		return "its path must begin with '/' and have no query";
	if (action->effect < LESSOR_READS || action->effect > LESSOR_DESTROYS)
		return "its effect is unknown to this lessor";
	if (strcmp(action->method, "DELETE") == 0 && action->effect < LESSOR_CHANGES)
		return "the effect of a DELETE must be CHANGES, PROTECTS or DESTROYS";
	if (action->effect >= LESSOR_MAKES && !action->kinds)
		return "it has an effect but names no kind of resource";
	if (action->effect >= LESSOR_CHANGES && !has_id)
		return "it has an effect on an object but no {id} in its path";
	if (!pointer_is_sane(action->object_at) || !pointer_is_sane(action->id_at) ||
	    !pointer_is_sane(action->name_at) || !pointer_is_sane(action->labels_at) ||
	    !pointer_is_sane(action->protected_at) || !pointer_is_sane(action->status_at) ||
	    !pointer_is_sane(action->next_at))
		return "members ending in _at must be JSON pointers without escapes";
	/* Without both, it cannot be known whether all pages were read. */
	if (!action->page != !action->next_at)
		return "a listing must have both page and next_at, or neither";
	if ((action->effect == LESSOR_MAKES || action->effect == LESSOR_LISTS) &&
	    action->kinds & (LESSOR_KIND_BIT(LESSOR_KIND_SERVER) | LESSOR_KIND_BIT(LESSOR_KIND_KEY)) &&
	    (!action->object_at || !action->id_at))
		return "it must have object_at and id_at";
	return NULL;
}

static int actions_check(const struct lessor_provider *table, const char *path, struct err *err)
{
	if (table->action_count == 0)
		return table->http_auth ?
			       err_set(err, ERR_REFUSED,
				       "provider '%s' refused: it uses HTTP but declares "
				       "no actions",
				       path) :
			       0;
	if (!table->actions || table->action_count > ACTIONS_MAX ||
	    table->action_size < ACTION_LEAST || table->action_size > ACTION_MOST)
		return err_set(err, ERR_REFUSED,
			       "provider '%s' refused: %zu actions of %zu bytes each are not a valid table",
			       path, table->action_count, table->action_size);
	for (size_t i = 0; i < table->action_count; i++) {
		struct lessor_action action = action_at(table, i);
		const char *rule = action_broken_rule(&action);

		if (rule)
			return err_set(err, ERR_REFUSED, "provider '%s' refused: action %zu: %s", path,
				       i + 1, rule);
	}
	return 0;
}

static int table_check(const struct lessor_provider *table, const char *path, struct err *err)
{
	const struct { const char *name; int there; } needed[] = {
		{ "open", table->open != NULL },	   { "close", table->close != NULL },
		{ "provision", table->provision != NULL }, { "cleanup", table->cleanup != NULL },
		{ "inspect", table->inspect != NULL },	   { "list", table->list != NULL },
	};

	if (!table->name || !name_is_sane(table->name))
		return err_set(err, ERR_REFUSED,
			       "provider '%s' refused: its name must be [a-z][a-z0-9_-]{0,31}", path);
	if (!table->version || !text_is_line(table->version, 64))
		return err_set(err, ERR_REFUSED, "provider '%s' refused: it has no version", path);
	if (!table->summary || !text_is_line(table->summary, 200))
		return err_set(err, ERR_REFUSED,
			       "provider '%s' refused: it has no one-line summary",
			       path);
	for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
		if (!needed[i].there)
			return err_set(err, ERR_REFUSED,
				       "provider '%s' refused: it has no operation '%s'", path,
				       needed[i].name);
	}
	if (table->http_auth && strcmp(table->http_auth, "bearer") != 0)
		return err_set(err, ERR_REFUSED,
			       "provider '%s' refused: http_auth must be \"bearer\" or NULL", path);
	if (!table->http_auth && !(table->capabilities & LESSOR_OWN_IO))
		return err_set(err, ERR_REFUSED,
			       "provider '%s' refused: it declares neither http_auth nor LESSOR_OWN_IO",
			       path);
	if (table->visible_within_ms < 0)
		return err_set(err, ERR_REFUSED,
			       "provider '%s' refused: visible_within_ms is negative", path);
	return options_check(table, path, err) || actions_check(table, path, err) ? -1 : 0;
}

/* ---- loading ---- */

int provider_load(const char *dir, const char *name, struct provider *ret, struct err *err)
{
	struct provider provider = { 0 };
	const struct lessor_provider *table;
	lessor_provider_entry entry;
	int by_name = !strchr(name, '/');
	int len;

	if (by_name && !name_is_sane(name))
		return err_set(err, ERR_INVALID,
			       "provider '%.64s' refused: a name must be [a-z][a-z0-9_-]{0,31}", name);
	len = by_name ? snprintf(provider.path, sizeof(provider.path), "%s/%s.so", dir, name) :
			snprintf(provider.path, sizeof(provider.path), "%s", name);
	if (len < 0 || (size_t)len >= sizeof(provider.path))
		return err_set(err, ERR_INVALID, "the path of provider '%.64s' is too long", name);

	auto_close int fd = file_open(provider.path, err);
	if (fd < 0)
		return -1;
	void *handle = file_load(fd, provider.path, err);
	if (!handle)
		return -1;
	/*
	 * The descriptor stays open: its number is part of the name by which the dynamic
	 * linker identifies the object, and it would mistake another file that is opened
	 * with the same number for this one.
	 */
	fd = -1;
	/* POSIX allows this conversion to a function pointer, C does not. */
	*(void **)(void *)&entry = dlsym(handle, LESSOR_PROVIDER_ENTRY);
	if (!entry)
		return err_set(err, ERR_REFUSED, "provider '%s' refused: it has no symbol '%s'",
			       provider.path, LESSOR_PROVIDER_ENTRY);
	table = entry();
	if (!table)
		return err_set(err, ERR_REFUSED,
			       "provider '%s' refused: its entry returns no table",
			       provider.path);
	if (table_copy(table, &provider, err) || table_check(&provider.table, provider.path, err))
		return -1;
	if (by_name && strcmp(provider.table.name, name) != 0)
		return err_set(err, ERR_REFUSED, "provider '%s' refused: its name is '%s'",
			       provider.path, provider.table.name);
	*ret = provider;
	return 0;
}

/* ---- description ---- */

static const char *concurrency_name(uint32_t concurrency)
{
	switch (concurrency) {
	case LESSOR_PER_INSTANCE:
		return "per-instance";
	case LESSOR_PARALLEL:
		return "parallel";
	default:
		return "serial";
	}
}

static void action_dump(const struct lessor_action *action, FILE *out)
{
	static const char *const effects[] = { "", "reads", "lists", "makes", "changes", "protects",
					      "destroys" };

	fprintf(out, "action.%s=%s %s %s\n", action->name, effects[action->effect], action->method,
		action->path);
}

static void option_dump(const struct lessor_option *option, FILE *out)
{
	static const char *const types[] = { "", "text", "int", "bool", "duration", "choice",
					    "url" };
	const char *key = option->key;

	fprintf(out, "option.%s.type=%s\n", key, types[option->type]);
	if (option->preset)
		fprintf(out, "option.%s.preset=%s\n", key, option->preset);
	else
		fprintf(out, "option.%s.required=1\n", key);
	if (option->type == LESSOR_OPTION_CHOICE)
		fprintf(out, "option.%s.choices=%s\n", key, option->choices);
	if (option->max > option->min)
		fprintf(out, "option.%s.min=%lld\noption.%s.max=%lld\n", key,
			(long long)option->min,
			key, (long long)option->max);
	fprintf(out, "option.%s.help=%s\n", key, option->help);
}

void provider_dump(const struct provider *provider, FILE *out)
{
	const struct lessor_provider *table = &provider->table;

	fprintf(out, "path=%s\n", provider->path);
	fprintf(out, "name=%s\n", table->name);
	fprintf(out, "version=%s\n", table->version);
	fprintf(out, "summary=%s\n", table->summary);
	fprintf(out, "abi=%u.%u\n", provider->plugin_abi >> 16, provider->plugin_abi & 0xffff);
	fprintf(out, "host_abi=%d.%d\n", LESSOR_ABI_MAJOR, LESSOR_ABI_MINOR);
	fprintf(out, "size=%u\n", provider->plugin_size);
	fprintf(out, "host_size=%zu\n", sizeof(*table));
	fprintf(out, "concurrency=%s\n", concurrency_name(table->concurrency));
	fprintf(out, "http_auth=%s\n", table->http_auth ? table->http_auth : "");
	fprintf(out, "http_origin=%s\n", table->http_origin ? table->http_origin : "");
	fprintf(out, "own_io=%d\n", (table->capabilities & LESSOR_OWN_IO) != 0);
	fprintf(out, "visible_within_ms=%lld\n", (long long)table->visible_within_ms);
	fprintf(out, "operations=open close provision cleanup inspect list%s%s%s%s%s\n",
		table->probe ? " probe" : "", table->catalog ? " catalog" : "",
		table->reload ? " reload" : "", table->retain ? " retain" : "",
		table->observe ? " observe" : "");
	for (size_t i = 0; i < table->action_count; i++) {
		struct lessor_action action = action_at(table, i);

		action_dump(&action, out);
	}
	for (size_t i = 0; i < table->option_count; i++) {
		struct lessor_option option = option_at(table, i);
		option_dump(&option, out);
	}
}
