/* SPDX-License-Identifier: MIT */
/*
 * Reads a provider's token from a file of its own, at a path or in systemd's credential
 * directory. A file that other users can read or write is rejected: the token may no longer
 * be secret, and only an operator can replace it.
 */
#include "config/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/alloc.h"
#include "util/text.h"

#define TOKEN_MAX 1024

static int credential_check(int fd, const char *path, mode_t forbidden, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set_errno(err, errno, "cannot stat the token file %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_REFUSED, "the token file %s is not a regular file", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(err, ERR_REFUSED,
			       "the token file %s belongs to user %u; it must"
			       " belong to root or to the user of lessord",
			       path, (unsigned)st.st_uid);
	if (st.st_mode & forbidden)
		return err_set(err, ERR_REFUSED,
			       "the token file %s with mode %04o is accessible to"
			       " other users; run chmod 600 on it, and create a new token if anyone"
			       " may have read it",
			       path, (unsigned)st.st_mode & 07777);
	return 0;
}

static int credential_check_text(const char *text, size_t len, const char *path, struct err *err)
{
	if (len == 0)
		return err_set(err, ERR_INVALID, "the token file %s is empty", path);
	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] >= 0x7f)
			return err_set(err, ERR_INVALID,
				       "the token file %s must contain one line,"
				       " the token, in printable ASCII without spaces",
				       path);
	}
	return 0;
}

int credential_read(const char *file, const char *credential, char **ret, struct err *err)
{
	mode_t forbidden = 0077;
	char text[TOKEN_MAX + 2];
	size_t len = 0;
	auto_close int fd = -1;
	auto_free char *path = NULL;
	const char *token = text;
	int result;

	if (credential[0]) {
		const char *dir = getenv("CREDENTIALS_DIRECTORY");

		if (!dir || dir[0] != '/')
			return err_set(err, ERR_NOT_FOUND,
				       "credential '%s': CREDENTIALS_DIRECTORY"
				       " is not set; the unit needs LoadCredential=%s:/path",
				       credential, credential);
		path = xasprintf("%s/%s", dir, credential);
		/* The directory is private; group bits are the mask of systemd's ACL. */
		forbidden = 0027;
	} else {
		path = xstrdup(file);
	}
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ELOOP)
		return err_set(err, ERR_REFUSED,
			       "the token file %s is a symbolic link, which is not followed;"
			       " set the path of the file itself",
			       path);
	if (fd < 0)
		return err_set_errno(err, errno, "cannot open the token file %s", path);
	if (credential_check(fd, path, forbidden, err) < 0)
		return -1;
	for (;;) {
		ssize_t n = read(fd, text + len, sizeof(text) - 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "cannot read the token file %s", path);
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > TOKEN_MAX) {
			explicit_bzero(text, sizeof(text));
			return err_set(err, ERR_INVALID, "the token file %s has more than %d bytes",
				       path, TOKEN_MAX);
		}
	}
	len = text_trim(&token, len);
	result = credential_check_text(token, len, path, err);
	if (result == 0)
		*ret = xstrndup(token, len);
	explicit_bzero(text, sizeof(text));
	return result;
}
