/* SPDX-License-Identifier: MIT */
/* The module with the store on PostgreSQL: the only part of lessord that needs libpq. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/backend.h"
#include "util/alloc.h"

#define MODULE "lessord-postgresql.so"
#define SYMBOL "lessord_store_module"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const struct store_module *module_load(struct err *err)
{
	const char *folder = secure_getenv("LESSOR_MODULES"); /* a test's */
	auto_free char *path = xasprintf("%s/%s", folder ? folder : LESSOR_MODULE_DIR, MODULE);
	const struct store_module *module;
	/* It is never closed; loading it again finds the same one. */
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

	if (!handle) {
		err_set(err, ERR_REFUSED,
			"the module for PostgreSQL is not installed: install the package "
			"lessord-postgresql (%s)",
			dlerror());
		return NULL;
	}
	module = dlsym(handle, SYMBOL);
	if (module && module->abi == STORE_MODULE_ABI &&
	    module->backend_size == sizeof(struct backend))
		return module;
	err_set(err, ERR_REFUSED,
		"%s is of another version of lessord; install the package lessord-postgresql of the "
		"same version",
		path);
	return NULL;
}

const struct opener *opener_postgres(struct err *err)
{
	static const struct store_module *found;
	const struct store_module *module;

	/* dlerror() is of the thread, but what it tells of is not. */
	pthread_mutex_lock(&lock);
	module = module_load(err);
	if (module && module != found)
		module->log_forward(&log_here);
	if (module)
		found = module;
	pthread_mutex_unlock(&lock);
	return module ? module->opener : NULL;
}
