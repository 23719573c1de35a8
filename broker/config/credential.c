/* SPDX-License-Identifier: MIT */
/*
 * Reads a provider's token, or a database's password, from a file of its own, at a path or in
 * systemd's credential directory. A file that other users can read or write is rejected: the
 * secret may no longer be one, and only an operator can replace it.
 */
#include "config/keys.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/alloc.h"
#include "util/file.h"
#include "util/text.h"

#define SECRET_MAX 1024

/* For root, who checks a configuration and adds tokens, it is the owner of the state directory. */
static uid_t daemon_user(const char *files)
{
	auto_free char *dir = xstrdup(files);
	char *slash = strrchr(dir, '/');
	struct stat st;

	if (geteuid() != 0 || !slash)
		return geteuid();
	slash[slash == dir] = '\0';
	return stat(dir, &st) ? 0 : st.st_uid;
}

/* What root can read, lessord need not: only systemd hands on a file of root's. */
static int is_roots_alone(const struct stat *st, uid_t daemon)
{
	return geteuid() == 0 && st->st_uid == 0 && daemon != 0;
}

static int credential_check(const struct stat *st, const char *path, const char *files,
			    const char *what, mode_t forbidden, struct err *err)
{
	uid_t daemon = daemon_user(files);

	if ((forbidden & 0050) && is_roots_alone(st, daemon))
		return err_set(err, ERR_REFUSED,
			       "the %s file %s belongs to root, but lessord runs as user %u and cannot "
			       "read it; run chown %u on it, or hand it over with LoadCredential",
			       what, path, (unsigned)daemon, (unsigned)daemon);
	if (st->st_uid != 0 && st->st_uid != geteuid() && st->st_uid != daemon)
		return err_set(err, ERR_REFUSED,
			       "the %s file %s belongs to user %u; it must"
			       " belong to root or to the user of lessord",
			       what, path, (unsigned)st->st_uid);
	if (st->st_mode & forbidden)
		return err_set(err, ERR_REFUSED,
			       "the %s file %s with mode %04o is accessible to"
			       " other users; run chmod 600 on it, and create a new %s if anyone"
			       " may have read it",
			       what, path, (unsigned)st->st_mode & 07777, what);
	return 0;
}

static int credential_check_text(const char *text, size_t len, const char *path, const char *what,
				 struct err *err)
{
	if (len == 0)
		return err_set(err, ERR_INVALID, "the %s file %s is empty", what, path);
	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] >= 0x7f)
			return err_set(err, ERR_INVALID,
				       "the %s file %s must contain one line,"
				       " the %s, in printable ASCII without spaces",
				       what, path, what);
	}
	return 0;
}

int credential_read(const char *file, const char *credential, const char *files, const char *what,
		    char **ret, struct err *err)
{
	mode_t forbidden = 0077;
	auto_file_text struct file_text text = { 0 };
	auto_close int fd = -1;
	auto_free char *path = NULL, *name = xasprintf("the %s file", what);
	const char *secret;
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
	fd = file_open(path, name, FILE_NO_LINKS, &st, err);
	if (fd < 0 || credential_check(&st, path, files, what, forbidden, err) < 0 ||
	    file_read(fd, path, name, 0, SECRET_MAX, &text, err) < 0)
		return -1;
	secret = text.text;
	len = text_trim(&secret, text.len);
	if (credential_check_text(secret, len, path, what, err) < 0)
		return -1;
	*ret = xstrndup(secret, len);
	return 0;
}
