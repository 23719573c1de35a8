/* SPDX-License-Identifier: MIT */
#include "cli/contexts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/alloc.h"
#include "util/file.h"
#include "util/text.h"

#define NAME_MAX_BYTES 63
#define CURRENT_WHAT "the file with the current context"

int context_name_check(const char *name, struct err *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	size_t len = strlen(name);

	if (len && len <= NAME_MAX_BYTES && !name[strspn(name, letters)] &&
	    !strchr("._-", name[0]) && strcmp(name, CONTEXT_NONE) != 0)
		return 0;
	return err_set(err, ERR_INVALID,
		       "'%.70s' cannot be the name of a context: it must have at most %d letters, "
		       "digits, '.', '_' and '-', begin with a letter or digit, and not be '%s'",
		       name, NAME_MAX_BYTES, CONTEXT_NONE);
}

char *contexts_path(const char *file)
{
	const char *dir = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");

	if (dir && dir[0] == '/')
		return xasprintf("%s/lessor/%s", dir, file);
	return home && *home ? xasprintf("%s/.config/lessor/%s", home, file) : NULL;
}

static char *context_path(const char *name, const char *suffix)
{
	auto_free char *file = xasprintf("contexts/%s.%s", name, suffix);

	return contexts_path(file);
}

char *context_conf_path(const char *name)
{
	return context_path(name, "conf");
}

char *context_token_path(const char *name)
{
	return context_path(name, "token");
}

int context_current(char **ret, struct err *err)
{
	auto_file_text struct file_text file = { 0 };
	auto_free char *path = contexts_path("context");
	struct err first = { 0 };
	const char *text;
	size_t len;

	*ret = NULL;
	if (!path)
		return 0;
	if (file_load(path, CURRENT_WHAT, 0, 4096, &file, &first)) {
		if (first.native == ENOENT || first.native == ENOTDIR)
			return 0;
		if (err)
			*err = first;
		return -1;
	}
	text = file.text;
	len = text_trim(&text, file.len);
	if (!len)
		return 0;
	*ret = xstrndup(text, len);
	if (context_name_check(*ret, err) == 0)
		return 0;
	free(take(*ret));
	return err_prefix(err, "%s: ", path);
}

/* All directories of the path of a file; those that are made are private. */
static int parents_make(const char *path, struct err *err)
{
	auto_free char *copy = xstrdup(path);

	for (char *at = copy + 1; (at = strchr(at, '/')) != NULL; at++) {
		*at = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			return err_set_errno(err, errno, "cannot create the directory '%.150s'",
					     copy);
		*at = '/';
	}
	return 0;
}

static int fd_write(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd);
}

/* Whole or not at all; readable by its owner only. */
static int file_replace(const char *path, const char *text, struct err *err)
{
	auto_free char *fresh = xasprintf("%s.XXXXXX", path);
	auto_close int fd = -1;

	if (parents_make(path, err))
		return -1;
	fd = mkostemp(fresh, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return err_set_errno(err, errno, "cannot create '%.150s'", fresh);
	if (fd_write(fd, text, strlen(text)) == 0 && rename(fresh, path) == 0)
		return 0;
	err_set_errno(err, errno, "cannot write '%.150s'", path);
	unlink(fresh);
	return -1;
}

static int file_remove(const char *path, struct err *err)
{
	if (unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR)
		return 0;
	return err_set_errno(err, errno, "cannot remove '%.150s'", path);
}

static int no_home(struct err *err)
{
	return err_set(err, ERR_INVALID, "there is no place for contexts: HOME is not set");
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int contexts_list(char ***ret, size_t *ret_count, struct err *err)
{
	auto_free char *path = contexts_path("contexts");
	struct dirent *entry;
	char **names = NULL;
	size_t count = 0;
	DIR *dir;

	*ret = NULL;
	*ret_count = 0;
	if (!path)
		return 0;
	dir = opendir(path);
	if (!dir && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!dir)
		return err_set_errno(err, errno, "cannot read the directory '%.150s'", path);
	while ((entry = readdir(dir)) != NULL) {
		size_t len = strlen(entry->d_name);
		auto_free char *name = len > 5 ? xstrndup(entry->d_name, len - 5) : NULL;

		if (!name || strcmp(entry->d_name + len - 5, ".conf") != 0 ||
		    context_name_check(name, NULL))
			continue;
		names = xgrow(names, count, sizeof(*names));
		names[count++] = take(name);
	}
	closedir(dir);
	if (count)
		qsort(names, count, sizeof(*names), name_compare);
	*ret = names;
	*ret_count = count;
	return 0;
}

void contexts_free(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

int context_require(const char *name, struct err *err)
{
	auto_free char *path = NULL;
	char there[160] = "";
	size_t count;
	char **names;

	if (context_name_check(name, err))
		return -1;
	path = context_conf_path(name);
	if (!path)
		return no_home(err);
	if (access(path, F_OK) == 0)
		return 0;
	if (contexts_list(&names, &count, err))
		return -1;
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(there);

		snprintf(there + len, sizeof(there) - len, "%s%s", i ? ", " : "", names[i]);
	}
	contexts_free(names, count);
	if (!count)
		return err_set(err, ERR_NOT_FOUND,
			       "there is no context '%s', nor any other; lessor login --url URL "
			       "makes one",
			       name);
	return err_set(err, ERR_NOT_FOUND, "there is no context '%s'; the contexts are %s", name,
		       there);
}

int context_use(const char *name, struct err *err)
{
	auto_free char *path = contexts_path("context");
	auto_free char *line = name ? xasprintf("%s\n", name) : NULL;

	if (!path)
		return no_home(err);
	if (!name)
		return file_remove(path, err);
	return context_require(name, err) ? -1 : file_replace(path, line, err);
}

int context_write(const char *name, const char *conf, const char *token, struct err *err)
{
	auto_free char *conf_path = context_conf_path(name);
	auto_free char *token_path = context_token_path(name);
	auto_free char *line = xasprintf("%s\n", token);
	int result;

	if (context_name_check(name, err))
		return -1;
	if (!conf_path || !token_path)
		return no_home(err);
	result = file_replace(token_path, line, err);
	explicit_bzero(line, strlen(line));
	return result || !conf ? result : file_replace(conf_path, conf, err);
}

int context_remove_token(const char *name, struct err *err)
{
	auto_free char *path = context_token_path(name);

	return path ? file_remove(path, err) : no_home(err);
}

int context_remove(const char *name, struct err *err)
{
	auto_free char *path = context_conf_path(name);
	auto_free char *current = NULL;

	/* The token first: without its settings nobody would find it. */
	if (context_require(name, err) || context_remove_token(name, err) || file_remove(path, err))
		return -1;
	if (context_current(&current, NULL) == 0 && current && !strcmp(current, name))
		return context_use(NULL, err);
	return 0;
}
