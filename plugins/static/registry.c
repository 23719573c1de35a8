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
#define MARK_PREFIX "mark-"
#define TMP_PREFIX "tmp-"
#define TMP_FILE TMP_PREFIX "record"	/* one is enough: who writes has the lock */
#define SUFFIX ".json"
#define RECORD_BYTES_MAX 65536

static int has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static int is_record(const char *name)
{
	size_t len = strlen(name);

	return (has_prefix(name, HOST_PREFIX) || has_prefix(name, MARK_PREFIX)) &&
	       len > strlen(SUFFIX) && len < RECORD_FILE_ROOM &&
	       strcmp(name + len - strlen(SUFFIX), SUFFIX) == 0;
}

/* The text of a record of this file, from malloc; NULL: it cannot be read. */
static char *file_read(int dir, const char *name, size_t *ret_len)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char *text = fd < 0 ? NULL : malloc(RECORD_BYTES_MAX);
	ssize_t got = -1;

	*ret_len = 0;
	while (text && *ret_len < RECORD_BYTES_MAX &&
	       (got = read(fd, text + *ret_len, RECORD_BYTES_MAX - *ret_len)) > 0)
		*ret_len += (size_t)got;
	if (fd >= 0)
		close(fd);
	if (got == 0)
		return text;
	free(text);
	return NULL;
}

static struct record *record_room(struct book *book)
{
	size_t count = book->count;

	if ((count & (count - 1)) == 0) {
		struct record *more = realloc(book->records,
					      (count ? count * 2 : 1) * sizeof(*more));

		if (!more)
			return NULL;
		book->records = more;
	}
	return &book->records[count];
}

static int record_load(struct book *book, const char *name)
{
	struct record *record = record_room(book);
	json_error_t error = { .text = "it cannot be opened or read" };
	json_t *root = NULL;
	size_t len;
	char *text;

	if (!record)
		return -1;
	text = file_read(book->dir, name, &len);
	if (text)
		root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	free(text);
	book->count++;
	if (root && record_read(root, name, record) == 0)
		return 0;
	*record = (struct record){ .host = "", .address = "", .id = "", .name = "", .type = "",
				   .location = "" };
	snprintf(record->file, sizeof(record->file), "%s", name);
	book->unreadable++;
	snprintf(book->complaint, sizeof(book->complaint), "%.80s: %.70s", name,
		 root ? "it is no record" : error.text);
	return 0;
}

static int book_read(struct book *book)
{
	int fd = openat(book->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
		if (is_record(entry->d_name))
			failed = record_load(book, entry->d_name);
		else if (has_prefix(entry->d_name, TMP_PREFIX))	/* whoever made it is dead */
			unlinkat(book->dir, entry->d_name, 0);
	}
	why = failed ? ENOMEM : errno;
	closedir(dir);
	errno = why;
	return failed || why ? -1 : 0;
}

enum book_opened book_open(const char *path, struct book *ret)
{
	struct book book = { .lock = -1 };
	int why;

	book.dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (book.dir >= 0)
		book.lock = openat(book.dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (book.lock >= 0 && flock(book.lock, LOCK_EX | LOCK_NB) == 0 && book_read(&book) == 0) {
		*ret = book;
		return BOOK_OPEN;
	}
	why = errno;
	book_close(&book);
	errno = why;
	return book.lock >= 0 && why == EWOULDBLOCK ? BOOK_BUSY : BOOK_FAILED;
}

void book_close(struct book *book)
{
	for (size_t i = 0; i < book->count; i++)
		record_fini(&book->records[i]);
	free(book->records);
	if (book->lock >= 0) {
		/* A process that was just forked still has this descriptor for a moment. */
		flock(book->lock, LOCK_UN);
		close(book->lock);
	}
	if (book->dir >= 0)
		close(book->dir);
}

struct record *book_by_id(const struct book *book, const char *id)
{
	for (size_t i = 0; i < book->count; i++) {
		if (book->records[i].root && strcmp(book->records[i].id, id) == 0)
			return &book->records[i];
	}
	return NULL;
}

const struct record *book_of_host(const struct book *book, const char *host)
{
	char file[RECORD_FILE_ROOM];
	size_t len = (size_t)snprintf(file, sizeof(file), HOST_PREFIX "%s" SUFFIX, host);

	for (size_t i = 0; i < book->count && len < sizeof(file); i++) {
		if (memcmp(book->records[i].file, file, len + 1) == 0)
			return &book->records[i];
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

/* The temporary file, whole and on the disk. */
static int tmp_write(const struct book *book, const json_t *root)
{
	char *text = json_dumps(root, JSON_INDENT(1) | JSON_SORT_KEYS);
	int fd, failed, why;

	if (!text) {
		errno = ENOMEM;
		return -1;
	}
	fd = openat(book->dir, TMP_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
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

enum book_made book_add(const struct book *book, const json_t *root)
{
	const char *host = json_string_value(json_object_get(root, "host"));
	const char *name = json_string_value(json_object_get(root, "name"));
	char file[RECORD_FILE_ROOM];
	int taken;

	snprintf(file, sizeof(file), "%s%s" SUFFIX, host ? HOST_PREFIX : MARK_PREFIX,
		 host ? host : name);
	if (tmp_write(book, root))
		return BOOK_NOT_MADE;
	if (linkat(book->dir, TMP_FILE, book->dir, file, 0)) {
		taken = errno == EEXIST;
		return taken ? BOOK_TAKEN : BOOK_NOT_MADE;
	}
	unlinkat(book->dir, TMP_FILE, 0);
	return fsync(book->dir) ? BOOK_UNKNOWN : BOOK_MADE;
}

int book_change(const struct book *book, const struct record *record)
{
	if (tmp_write(book, record->root) ||
	    renameat(book->dir, TMP_FILE, book->dir, record->file))
		return -1;
	return fsync(book->dir);
}

int book_remove(const struct book *book, const struct record *record)
{
	if (unlinkat(book->dir, record->file, 0) && errno != ENOENT)
		return -1;
	return fsync(book->dir);
}
