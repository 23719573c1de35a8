/* SPDX-License-Identifier: MIT */
/*
 * The registry alone: a host has one record, whoever writes it, and what was reported is on disk.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "registry.h"

static char folder[] = "/tmp/lessor-registry-XXXXXX";

static json_t *root_for(const char *host, const char *name)
{
	const struct lessor_label labels[] = { { LESSOR_LABEL_LEASE, "cbx_000000000001" } };
	const struct lessor_intent intent = {
		.size = sizeof(intent), .name = name, .labels = labels, .label_count = 1
	};
	const struct allocation_new from = {
		.intent = &intent,
		.kind = LESSOR_KIND_SERVER,
		.now_ms = 1800000000000,
		.host = host,
		.address = "192.0.2.1",
		.port = 22,
		.type = "small",
		.location = "pool",
		.reset = json_array(),
	};
	json_t *root = allocation_make(&from);

	assert_non_null(root);
	return root;
}

static void open_registry(struct registry *registry)
{
	assert_int_equal(registry_open(folder, registry), REGISTRY_OPEN);
}

static void one_record_for_a_host(void **state)
{
	json_t *first = root_for("a1", "first"), *second = root_for("a1", "second");
	struct registry registry, other;
	struct allocation *allocation;
	const char *id = json_string_value(json_object_get(first, "id"));

	(void)state;
	open_registry(&registry);
	assert_int_equal(registry.count, 0);
	assert_int_equal(registry_open(folder, &other), REGISTRY_BUSY);
	assert_int_equal(registry_add(&registry, first), REGISTRY_ADDED);
	/* Also for a registry that was read before it was taken. */
	assert_int_equal(registry_add(&registry, second), REGISTRY_TAKEN);
	registry_close(&registry);
	open_registry(&registry);
	assert_int_equal(registry.count, 1);
	allocation = registry_by_id(&registry, id);
	assert_non_null(allocation);
	assert_string_equal(allocation->name, "first");
	assert_string_equal(allocation_label(allocation, LESSOR_LABEL_LEASE), "cbx_000000000001");
	assert_null(allocation_label(allocation, LESSOR_LABEL_SIG));
	assert_int_equal(allocation->stage, STAGE_TAKEN);
	assert_ptr_equal(registry_of_host(&registry, "a1"), allocation);
	assert_null(registry_of_host(&registry, "a"));
	assert_int_equal(allocation_set_stage(allocation, STAGE_READY), 0);
	assert_int_equal(allocation_set_failures(allocation, 3), 0);
	assert_int_equal(registry_change(&registry, allocation), 0);
	registry_close(&registry);
	open_registry(&registry);
	allocation = registry_by_id(&registry, id);
	assert_non_null(allocation);
	assert_int_equal(allocation->stage, STAGE_READY);
	assert_int_equal(allocation->failures, 3);
	assert_string_equal(allocation->name, "first");
	assert_int_equal(registry_remove(&registry, allocation), 0);
	/* Repeating it has no effect. */
	assert_int_equal(registry_remove(&registry, allocation), 0);
	registry_close(&registry);
	open_registry(&registry);
	assert_int_equal(registry.count, 0);
	assert_int_equal(registry_add(&registry, second), REGISTRY_ADDED);
	registry_close(&registry);
	open_registry(&registry);
	assert_int_equal(registry_remove(&registry, &registry.allocations[0]), 0);
	registry_close(&registry);
	json_decref(first);
	json_decref(second);
}

/* A full disk: definitely nothing was created. */
static void no_room(void **state)
{
	const struct rlimit none = { .rlim_cur = 0, .rlim_max = RLIM_INFINITY };
	json_t *root = root_for("a1", "first");
	struct rlimit before;
	struct registry registry;
	enum registry_added made;

	(void)state;
	open_registry(&registry);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	made = registry_add(&registry, root);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(made, REGISTRY_NOT_ADDED);
	registry_close(&registry);
	open_registry(&registry);
	assert_int_equal(registry.count, 0);
	registry_close(&registry);
	json_decref(root);
}

static void where_it_may_lie(void **state)
{
	char path[64];
	struct registry registry;

	(void)state;
	assert_int_equal(registry_open("/nonexistent/state", &registry), REGISTRY_FAILED);
	assert_int_equal(errno, ENOENT);
	snprintf(path, sizeof(path), "%s.link", folder);
	assert_int_equal(symlink(folder, path), 0);
	assert_int_equal(registry_open(path, &registry), REGISTRY_FAILED);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_record_for_a_host),
		cmocka_unit_test(no_room),
		cmocka_unit_test(where_it_may_lie),
	};
	char path[64];
	int failed;

	signal(SIGXFSZ, SIG_IGN);
	if (!mkdtemp(folder))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(path, sizeof(path), "%s/lock", folder);
	unlink(path);
	rmdir(folder);
	return failed;
}
