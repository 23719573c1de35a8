/* SPDX-License-Identifier: MIT */
/*
 * Loads and checks a provider plugin. The only user of <dlfcn.h>, shared by lessord
 * and lessor-plugin-check, so that both accept the same plugins. To be called before
 * threads exist; a plugin is never unloaded.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include <lessor/provider.h>

#include "util/err.h"

struct provider {
	struct lessor_provider table; /* zero-padded copy of min(both sizes) bytes */
	char path[256];
	uint32_t plugin_size; /* as declared by the plugin */
	uint32_t plugin_abi;
};

/*
 * `name` is a provider's name ([a-z0-9_-]+, looked up as DIR/NAME.so) or, if it
 * contains a '/', an absolute path. The file must be a regular file, not a link. The
 * file and its directory must be owned by root or this process's user and not be
 * writable by group or others. The file that is loaded is the one that was checked.
 *
 * Returns 0, or -1 with one line in `err`: the file, the rule it breaks and, for an ABI
 * mismatch, both versions.
 */
int provider_load(const char *dir, const char *name, struct provider *ret, struct err *err);
/* Prints key=value lines, for lessord --dump-provider. */
void provider_dump(const struct provider *provider, FILE *out);
