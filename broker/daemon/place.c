/* SPDX-License-Identifier: MIT */
#include "daemon/place.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MACHINE_ID "/etc/machine-id"
#define MACHINE_ID_LEN 32

/* "" if there is none; then only the file identifies the place. */
static void machine_id(char ret[MACHINE_ID_LEN + 1])
{
	FILE *file = fopen(MACHINE_ID, "re");
	size_t len = file ? fread(ret, 1, MACHINE_ID_LEN, file) : 0;

	ret[len] = '\0';
	if (len < MACHINE_ID_LEN || strspn(ret, "0123456789abcdef") < MACHINE_ID_LEN)
		ret[0] = '\0';
	if (file)
		fclose(file);
}

/*
 * The inode number and the birth time, since inode numbers are reused. The device number is
 * used only without a birth time, because it may change with a reboot.
 */
int place_describe(const char *store, char *ret, size_t size, struct err *err)
{
	char machine[MACHINE_ID_LEN + 1];
	struct statx st;

	if (statx(AT_FDCWD, store, 0, STATX_INO | STATX_BTIME, &st) < 0)
		return err_set_errno(err, errno, "cannot stat %s", store);
	machine_id(machine);
	if (st.stx_mask & STATX_BTIME)
		snprintf(ret, size, "%s:%" PRIu64 "@%lld.%09u", machine, (uint64_t)st.stx_ino,
			 (long long)st.stx_btime.tv_sec, st.stx_btime.tv_nsec);
	else
		snprintf(ret, size, "%s:%" PRIu64 ":%u:%u", machine, (uint64_t)st.stx_ino,
			 st.stx_dev_major, st.stx_dev_minor);
	return 0;
}
