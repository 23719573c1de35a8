/* SPDX-License-Identifier: MIT */
#include "daemon/file_owner.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/alloc.h"

/* The owner of the directory that contains `path`, which has a slash. */
static int folder_stat(const char *path, struct stat *ret, struct err *err)
{
	auto_free char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');

	slash[slash == dir] = '\0';
	return stat(dir, ret) ?
		       err_set_errno(err, errno, "cannot access %s, the directory of the database",
				     dir) :
		       0;
}

/* `is_for_good`: also the real and saved ids, so that there is no way back. */
static int owner_switch(const char *path, int is_for_good, struct err *err)
{
	struct stat st;

	if (geteuid() != 0)
		return 0;
	if (folder_stat(path, &st, err))
		return -1;
	if (st.st_uid == 0)
		return 0;
	if (setgroups(0, NULL) < 0 || (is_for_good ? setgid(st.st_gid) : setegid(st.st_gid)) < 0 ||
	    (is_for_good ? setuid(st.st_uid) : seteuid(st.st_uid)) < 0)
		return err_set_errno(err, errno,
				     "cannot switch to user %u, the owner of the directory of %s; run this "
				     "as that user",
				     (unsigned)st.st_uid, path);
	return 0;
}

int file_owner_become(const char *path, struct err *err)
{
	return owner_switch(path, 1, err);
}

int file_owner_borrow(const char *path, struct err *err)
{
	return owner_switch(path, 0, err);
}

int file_owner_return(struct err *err)
{
	/* A sandbox may refuse these calls also where they change nothing. */
	if (geteuid() == getuid() && getegid() == getgid())
		return 0;
	return seteuid(getuid()) || setegid(getgid()) ?
		       err_set_errno(err, errno, "cannot switch back to user %u",
				     (unsigned)getuid()) :
		       0;
}

int file_owner_is_same(const char *a, const char *b)
{
	struct stat st_a, st_b;

	return folder_stat(a, &st_a, NULL) == 0 && folder_stat(b, &st_b, NULL) == 0 &&
	       st_a.st_uid == st_b.st_uid;
}
