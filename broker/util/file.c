/* SPDX-License-Identifier: MIT */
#include "util/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>

#include "util/alloc.h"
#include "util/text.h"

#define PIPE_WRITER_MS 1000 /* for a writer to open the pipe */
#define PIPE_DATA_MS 60000  /* for the next bytes: a password prompt may precede them */
#define CHUNK 4096

static const char *kind_name(mode_t mode)
{
	if (S_ISDIR(mode))
		return "a directory";
	if (S_ISFIFO(mode))
		return "a pipe";
	if (S_ISSOCK(mode))
		return "a socket";
	return "a device";
}

int file_open(const char *path, const char *what, int flags, struct stat *ret_stat, struct err *err)
{
	/* O_NONBLOCK: opening a pipe without a writer would hang */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK |
				    (flags & FILE_NO_LINKS ? O_NOFOLLOW : 0));

	if (fd < 0 && errno == ELOOP && flags & FILE_NO_LINKS)
		return err_set(err, ERR_REFUSED,
			       "%s %s is a symbolic link, which is not followed; set the path of the"
			       " file itself",
			       what, path);
	if (fd < 0)
		return err_set_errno(err, errno, "cannot open %s %s", what, path);
	if (fstat(fd, ret_stat) < 0) {
		err_set_errno(err, errno, "cannot stat %s %s", what, path);
	} else if (!S_ISREG(ret_stat->st_mode) &&
		   !(flags & FILE_PIPES && S_ISFIFO(ret_stat->st_mode))) {
		err_set(err, ERR_REFUSED, "%s %s is not a regular file but %s", what, path,
			kind_name(ret_stat->st_mode));
	} else {
		return fd;
	}
	close(fd);
	return -1;
}

/* Waits until a pipe has data or its writer has closed it; 0, or -1 with errno. */
static int pipe_wait(int fd, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int ready = poll(&poll_fd, 1, timeout_ms);

	if (ready == 0)
		errno = ETIMEDOUT;
	return ready == 1 ? 0 : -1;
}

/* As read(2), but waits for a pipe's writer. `got` bytes were read before. */
static ssize_t chunk_read(int fd, int is_pipe, char *to, size_t size, size_t got)
{
	int was_waited_for = !is_pipe;

	for (;;) {
		ssize_t n = read(fd, to, size);

		if (n > 0)
			return n;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (pipe_wait(fd, PIPE_DATA_MS) < 0)
				return -1;
			continue;
		}
		if (n < 0 || got || was_waited_for)
			return n;
		if (pipe_wait(fd, PIPE_WRITER_MS) < 0)
			return -1;
		was_waited_for = 1;
	}
}

/* Not by realloc, which could leave a secret behind. */
static size_t text_grow(struct file_text *file, size_t room)
{
	char *more = xcalloc(1, room + 1);

	if (file->text) {
		memcpy(more, file->text, file->len);
		explicit_bzero(file->text, file->len);
	}
	free(file->text);
	file->text = more;
	return room;
}

/* -1: longer than `max`, or errno says why it cannot be read; then *ret_errnum is not 0. */
static int bytes_read(int fd, int is_pipe, size_t max, struct file_text *ret, int *ret_errnum)
{
	size_t room = 0;

	*ret_errnum = 0;
	for (;;) {
		ssize_t n;

		if (ret->len == room)
			room = text_grow(ret, room ? 2 * room : CHUNK);
		n = chunk_read(fd, is_pipe, ret->text + ret->len, room - ret->len, ret->len);
		if (n < 0) {
			*ret_errnum = errno;
			return -1;
		}
		if (n == 0)
			return 0;
		ret->len += (size_t)n;
		if (ret->len > max)
			return -1;
	}
}

/* UTF-16 and UTF-32, with a byte order mark or without one. */
static int text_is_wide(const struct file_text *file)
{
	const char *text = file->text;

	if (file->len < 4)
		return 0;
	return memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0 ||
	       (!text[0] != !text[1] && !text[0] == !text[2] && !text[1] == !text[3]);
}

static int text_check(struct file_text *file, const char *path, const char *what, int flags,
		      struct err *err)
{
	const char *from = file->text;
	size_t len;

	if (text_is_wide(file))
		return err_set(err, ERR_INVALID,
			       "%s %s is not UTF-8 but UTF-16 text; save it as UTF-8", what, path);
	len = text_skip_mark(&from, file->len);
	memmove(file->text, from, len);
	explicit_bzero(file->text + len, file->len - len);
	file->len = len;
	file->text[len] = '\0';
	if (!(flags & FILE_NULS) && strlen(file->text) != len)
		return err_set(err, ERR_INVALID, "%s %s contains a NUL byte and is no text file",
			       what, path);
	return 0;
}

int file_read(int fd, const char *path, const char *what, int flags, size_t max,
	      struct file_text *ret, struct err *err)
{
	struct file_text file = { 0 };
	int errnum, result;

	if (bytes_read(fd, flags & FILE_PIPES, max, &file, &errnum) < 0)
		result = errnum == ETIMEDOUT ?
				 err_set(err, ERR_INVALID, "%s %s is a pipe that nobody writes to",
					 what, path) :
			 errnum ? err_set_errno(err, errnum, "cannot read %s %s", what, path) :
				  err_set(err, ERR_INVALID, "%s %s has more than %zu bytes", what,
					  path, max);
	else
		result = text_check(&file, path, what, flags, err);
	if (result)
		file_text_fini(&file);
	else
		*ret = file;
	return result;
}

int file_load(const char *path, const char *what, int flags, size_t max, struct file_text *ret,
	      struct err *err)
{
	struct stat st;
	auto_close int fd = file_open(path, what, flags, &st, err);

	return fd < 0 ? -1 : file_read(fd, path, what, flags, max, ret, err);
}

void file_text_fini(struct file_text *file)
{
	if (file->text)
		explicit_bzero(file->text, file->len);
	free(file->text);
	*file = (struct file_text){ 0 };
}
