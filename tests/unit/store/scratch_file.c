/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "vfs.h"

char folder[64];

int scratch_is_file(void)
{
	return 1;
}

int scratch_setup(void **state)
{
	(void)state;
	umask(077);
	snprintf(folder, sizeof(folder), "%.30s/lessor-store-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/db", folder);
	env_system(&env);
	vfs_set(NULL);
	store = scratch_open();
	return 0;
}

int scratch_teardown(void **state)
{
	char command[128];

	(void)state;
	vfs_set(NULL);
	scratch_close();
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}
