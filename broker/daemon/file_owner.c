/* SPDX-License-Identifier: MIT */
#include "daemon/file_owner.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/alloc.h"

int file_owner_become(const char *path, struct err *err)
{
	auto_free char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');
	struct stat st;

	if (geteuid() != 0)
		return 0;
	slash[slash == dir] = '\0';
	if (stat(dir, &st) < 0)
		return err_set_errno(err, errno, "cannot access %s, the directory of the database",
				     dir);
	if (st.st_uid == 0)
		return 0;
	if (setgroups(0, NULL) < 0 || setgid(st.st_gid) < 0 || setuid(st.st_uid) < 0)
		return err_set_errno(err, errno, "cannot switch to user %u, the owner of %s",
				     (unsigned)st.st_uid, dir);
	return 0;
}
