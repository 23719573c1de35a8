/* SPDX-License-Identifier: MIT */
#include "cli/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/alloc.h"
#include "util/file.h"

#define RECORDS_MAX (256 * 1024)  /* bytes */
#define RECORDS_KEEP (128 * 1024) /* of the newest, when there are more */

/* Creates the directories if `create`. NULL: there is no place. */
static char *records_path(int create)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	auto_free char *base = NULL;
	auto_free char *folder = NULL;

	if (state && *state == '/')
		base = xstrdup(state);
	else if (home && *home == '/')
		base = xasprintf("%s/.local/state", home);
	else
		return NULL;
	folder = xasprintf("%s/lessor", base);
	for (char *at = folder + 1; create && at; at = strchr(at + 1, '/')) {
		char kept = *at;

		*at = kept == '/' ? '\0' : kept;
		if (kept == '/' && mkdir(folder, 0700) && errno != EEXIST)
			return NULL;
		*at = kept;
	}
	if (create && mkdir(folder, 0700) && errno != EEXIST)
		return NULL;
	return xasprintf("%s/identities", folder);
}

/* Replaces a file that has become long by its newest lines. */
static void records_shorten(const char *path)
{
	auto_file_text struct file_text file = { 0 };
	auto_free char *fresh = xasprintf("%s.new", path);
	const char *from;
	FILE *out;
	int good;

	if (file_load(path, "the identities", 0, 2 * RECORDS_MAX, &file, NULL) < 0) {
		unlink(path);
		return;
	}
	if (file.len <= RECORDS_KEEP)
		return;
	from = strchr(file.text + file.len - RECORDS_KEEP, '\n');
	out = from ? fopen(fresh, "we") : NULL;
	if (!out)
		return;
	good = fputs(from + 1, out) >= 0;
	good = fclose(out) == 0 && good;
	if (!good || rename(fresh, path))
		unlink(fresh);
}

void identity_remember(const char *lease_id, const char *public_path)
{
	auto_free char *path = records_path(1);
	auto_free char *real = realpath(public_path, NULL);
	auto_free char *line = NULL;
	auto_close int fd = -1;
	struct stat st;

	if (!path || !real || strpbrk(real, "\r\n"))
		return;
	line = xasprintf("%s %s\n", lease_id, real);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	/* One write: creates that run side by side do not mix their lines. */
	if (write(fd, line, strlen(line)) == (ssize_t)strlen(line) && fstat(fd, &st) == 0 &&
	    st.st_size > RECORDS_MAX)
		records_shorten(path);
}

char *identity_recall(const char *lease_id)
{
	auto_free char *path = records_path(0);
	auto_free char *found = NULL;
	auto_file_text struct file_text file = { 0 };
	size_t len = strlen(lease_id);
	char *line, *rest = NULL;

	if (!path || file_load(path, "the identities", 0, 2 * RECORDS_MAX, &file, NULL) < 0)
		return NULL;
	for (line = strtok_r(file.text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (strncmp(line, lease_id, len) != 0 || line[len] != ' ')
			continue;
		free(found);
		found = xstrdup(line + len + 1);
	}
	return found ? identity_of_public(found) : NULL;
}

char *identity_of_public(const char *public_path)
{
	size_t len = strlen(public_path);

	if (len > 4 && !strcmp(public_path + len - 4, ".pub")) {
		auto_free char *private_path = xstrndup(public_path, len - 4);

		if (access(private_path, F_OK) == 0)
			return take(private_path);
	}
	return access(public_path, F_OK) == 0 ? xstrdup(public_path) : NULL;
}
