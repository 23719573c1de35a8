/* SPDX-License-Identifier: MIT */
/*
 * Reads a provider's token from a file of its own, at a path or in systemd's credential
 * directory. A file that other users can read or write is rejected: the token may no longer
 * be secret, and only an operator can replace it.
 */
#include "config/keys.h"

#include <stdlib.h>
#include <unistd.h>

#include "util/alloc.h"
#include "util/file.h"
#include "util/text.h"

#define TOKEN_MAX 1024
#define WHAT "the token file"

static int credential_check(const struct stat *st, const char *path, mode_t forbidden,
			    struct err *err)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return err_set(err, ERR_REFUSED,
			       "the token file %s belongs to user %u; it must"
			       " belong to root or to the user of lessord",
			       path, (unsigned)st->st_uid);
	if (st->st_mode & forbidden)
		return err_set(err, ERR_REFUSED,
			       "the token file %s with mode %04o is accessible to"
			       " other users; run chmod 600 on it, and create a new token if anyone"
			       " may have read it",
			       path, (unsigned)st->st_mode & 07777);
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
	auto_file_text struct file_text text = { 0 };
	auto_close int fd = -1;
	auto_free char *path = NULL;
	const char *token;
	struct stat st;
	size_t len;

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
	fd = file_open(path, WHAT, FILE_NO_LINKS, &st, err);
	if (fd < 0 || credential_check(&st, path, forbidden, err) < 0 ||
	    file_read(fd, path, WHAT, 0, TOKEN_MAX, &text, err) < 0)
		return -1;
	token = text.text;
	len = text_trim(&token, text.len);
	if (credential_check_text(token, len, path, err) < 0)
		return -1;
	*ret = xstrndup(token, len);
	return 0;
}
