/* SPDX-License-Identifier: MIT */
/*
 * Opens a provider plugin and checks it. The only place with <dlfcn.h>, shared
 * by lessord and lessor-plugin-check, so that neither accepts what the other
 * refuses. Before threads exist; a plugin is never unloaded.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include <lessor/provider.h>

#include "util/err.h"

struct provider {
	struct lessor_provider table;	/* our own zeroed copy of min(sizes) */
	char path[256];
	uint32_t plugin_size;		/* what the plugin said */
	uint32_t plugin_abi;
};

/*
 * `name` is a provider's name ([a-z0-9_-]+, looked up as DIR/NAME.so) or, if it
 * contains a '/', an absolute path. The file must be regular, not a link, and
 * not writable by group or others, nor may its directory be; owned by root or
 * by this process's user. The very file that was checked is the one opened.
 *
 * Refusals are one line: file, rule, and for an ABI both versions.
 */
int provider_load(const char *dir, const char *name, struct provider *ret, struct err *err);
/* key=value lines, for lessord --dump-provider. */
void provider_dump(const struct provider *provider, FILE *out);
