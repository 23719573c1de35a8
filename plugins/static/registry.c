/* SPDX-License-Identifier: MIT */
#include "registry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define HOST_PREFIX "host-"
#define SENTINEL_PREFIX "mark-"
#define TMP_PREFIX "tmp-"
#define TMP_FILE TMP_PREFIX "record" /* one is enough: writers hold the lock */
#define SUFFIX ".json"
#define ALLOCATION_BYTES_MAX 65536

static int has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static int is_allocation(const char *name)
{
	size_t len = strlen(name);

	return (has_prefix(name, HOST_PREFIX) || has_prefix(name, SENTINEL_PREFIX)) &&
	       len > strlen(SUFFIX) && len < ALLOCATION_FILE_ROOM &&
	       strcmp(name + len - strlen(SUFFIX), SUFFIX) == 0;
}

/* The content of a record file, from malloc; NULL: it cannot be read. */
static char *file_read(int dir, const char *name, size_t *ret_len)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char *text = fd < 0 ? NULL : malloc(ALLOCATION_BYTES_MAX);
	ssize_t got = -1;

	*ret_len = 0;
	while (text && *ret_len < ALLOCATION_BYTES_MAX &&
	       (got = read(fd, text + *ret_len, ALLOCATION_BYTES_MAX - *ret_len)) > 0)
		*ret_len += (size_t)got;
	if (fd >= 0)
		close(fd);
	if (got == 0)
		return text;
	free(text);
	return NULL;
}

static struct allocation *allocation_room(struct registry *registry)
{
	size_t count = registry->count;

	if ((count & (count - 1)) == 0) {
		struct allocation *more = realloc(registry->allocations,
						  (count ? count * 2 : 1) * sizeof(*more));

		if (!more)
			return NULL;
		registry->allocations = more;
	}
	return &registry->allocations[count];
}

static int allocation_load(struct registry *registry, const char *name)
{
	struct allocation *allocation = allocation_room(registry);
	json_error_t error = { .text = "it cannot be opened or read" };
	json_t *root = NULL;
	size_t len;
	char *text;

	if (!allocation)
		return -1;
	text = file_read(registry->dir, name, &len);
	if (text)
		root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	free(text);
	registry->count++;
	if (root && allocation_read(root, name, allocation) == 0)
		return 0;
	*allocation = (struct allocation){
		.host = "", .address = "", .id = "", .name = "", .type = "", .location = ""
	};
	snprintf(allocation->file, sizeof(allocation->file), "%s", name);
	registry->unreadable++;
	snprintf(registry->complaint, sizeof(registry->complaint), "%.80s: %.70s", name,
		 root ? "it is not a valid record" : error.text);
	return 0;
}

static int registry_read(struct registry *registry)
{
	int fd = openat(registry->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int failed = 0, why;

	if (!dir) {
		why = errno;
		if (fd >= 0)
			close(fd);
		errno = why;
		return -1;
	}
	while (!failed && (errno = 0, entry = readdir(dir)) != NULL) {
		if (is_allocation(entry->d_name))
			failed = allocation_load(registry, entry->d_name);
		else if (has_prefix(entry->d_name, TMP_PREFIX)) /* its writer is dead */
			unlinkat(registry->dir, entry->d_name, 0);
	}
	why = failed ? ENOMEM : errno;
	closedir(dir);
	errno = why;
	return failed || why ? -1 : 0;
}

enum registry_opened registry_open(const char *path, struct registry *ret)
{
	struct registry registry = { .lock = -1 };
	int why;

	registry.dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (registry.dir >= 0)
		registry.lock = openat(registry.dir, "lock",
				       O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (registry.lock >= 0 && flock(registry.lock, LOCK_EX | LOCK_NB) == 0 &&
	    registry_read(&registry) == 0) {
		*ret = registry;
		return REGISTRY_OPEN;
	}
	why = errno;
	registry_close(&registry);
	errno = why;
	return registry.lock >= 0 && why == EWOULDBLOCK ? REGISTRY_BUSY : REGISTRY_FAILED;
}

void registry_close(struct registry *registry)
{
	for (size_t i = 0; i < registry->count; i++)
		allocation_fini(&registry->allocations[i]);
	free(registry->allocations);
	if (registry->lock >= 0) {
		/* A process just forked may still have this descriptor for a moment. */
		flock(registry->lock, LOCK_UN);
		close(registry->lock);
	}
	if (registry->dir >= 0)
		close(registry->dir);
}

struct allocation *registry_by_id(const struct registry *registry, const char *id)
{
	for (size_t i = 0; i < registry->count; i++) {
		if (registry->allocations[i].root && strcmp(registry->allocations[i].id, id) == 0)
			return &registry->allocations[i];
	}
	return NULL;
}

const struct allocation *registry_of_host(const struct registry *registry, const char *host)
{
	char file[ALLOCATION_FILE_ROOM];
	size_t len = (size_t)snprintf(file, sizeof(file), HOST_PREFIX "%s" SUFFIX, host);

	for (size_t i = 0; i < registry->count && len < sizeof(file); i++) {
		if (memcmp(registry->allocations[i].file, file, len + 1) == 0)
			return &registry->allocations[i];
	}
	return NULL;
}

/* ---- writing -------------------------------------------------------------------------------- */

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t put = write(fd, text, len);

		if (put < 0)
			return -1;
		text += put;
		len -= (size_t)put;
	}
	return 0;
}

/* Writes and syncs the temporary file. */
static int tmp_write(const struct registry *registry, const json_t *root)
{
	char *text = json_dumps(root, JSON_INDENT(1) | JSON_SORT_KEYS);
	int fd, failed, why;

	if (!text) {
		errno = ENOMEM;
		return -1;
	}
	fd = openat(registry->dir, TMP_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	failed = fd < 0 || write_all(fd, text, strlen(text)) || write_all(fd, "\n", 1) || fsync(fd);
	why = errno;
	free(text);
	if (fd >= 0 && close(fd) && !failed) {
		failed = 1;
		why = errno;
	}
	errno = why;
	return failed ? -1 : 0;
}

enum registry_added registry_add(const struct registry *registry, const json_t *root)
{
	const char *host = json_string_value(json_object_get(root, "host"));
	const char *name = json_string_value(json_object_get(root, "name"));
	char file[ALLOCATION_FILE_ROOM];
	int taken;

	snprintf(file, sizeof(file), "%s%s" SUFFIX, host ? HOST_PREFIX : SENTINEL_PREFIX,
		 host ? host : name);
	if (tmp_write(registry, root))
		return REGISTRY_NOT_ADDED;
	if (linkat(registry->dir, TMP_FILE, registry->dir, file, 0)) {
		taken = errno == EEXIST;
		return taken ? REGISTRY_TAKEN : REGISTRY_NOT_ADDED;
	}
	unlinkat(registry->dir, TMP_FILE, 0);
	return fsync(registry->dir) ? REGISTRY_UNKNOWN : REGISTRY_ADDED;
}

int registry_change(const struct registry *registry, const struct allocation *allocation)
{
	if (tmp_write(registry, allocation->root) ||
	    renameat(registry->dir, TMP_FILE, registry->dir, allocation->file))
		return -1;
	return fsync(registry->dir);
}

int registry_remove(const struct registry *registry, const struct allocation *allocation)
{
	if (unlinkat(registry->dir, allocation->file, 0) && errno != ENOENT)
		return -1;
	return fsync(registry->dir);
}
