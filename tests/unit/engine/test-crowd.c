/* SPDX-License-Identifier: MIT */
/*
 * Hundreds of leases that wait at once: the engine's core, the built Hetzner plugin in the
 * real host and the simulated cloud under one virtual clock. How many calls and parses it
 * takes to look for them, and that none of them costs more calls than one that is alone.
 *
 *   test-crowd [LEASES]: the same with so many, and what a life costs in CPU
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <jansson.h>

#include "sim/cloud.h"
#include "engine/core.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

#define CALL_MS 2
#define MINUTE 60000
#define PAGE 50
#define LEASES_MOST 2000

static int leases = 300;

static struct {
	char folder[64], path[96];
	struct env env;
	int64_t now_ms;
	uint32_t seed;
	struct lessor_provider table;
	struct account *account;
	struct core *core;
	struct step *queue;
	struct cloud *cloud;
	struct engine_request requests[LEASES_MOST];
	const struct step *running;
	int calls, listings, parses, answers, looks;
} w;

#define MUST(what) \
	do { \
		if (!(what)) \
			fail_msg("%s: %s", #what, err.text); \
	} while (0)

/* Host and plugin find this one before the library's. Counted is what it takes to wait. */
__attribute__((visibility("default"))) json_t *json_loadb(const char *buffer, size_t len,
							  size_t flags, json_error_t *error)
{
	static json_t *(*real)(const char *, size_t, size_t, json_error_t *);

	if (!real)
		*(void **)(void *)&real = dlsym(RTLD_NEXT, "json_loadb");
	w.parses += w.running && len > 15 && strncmp(buffer, "{\"servers\":[", 12) == 0;
	return real(buffer, len, flags, error);
}

/* ---- the world ----------------------------------------------------------------------- */

static int64_t world_now(void *data)
{
	(void)data;
	return w.now_ms;
}

static void world_random(void *data, void *out, size_t len)
{
	unsigned char *to = out;

	(void)data;
	while (len--) {
		w.seed = w.seed * 1664525 + 1013904223;
		*to++ = (unsigned char)(w.seed >> 24);
	}
}

static void world_http(void *data, const struct env_http_request *request,
		       struct env_http_response *answer)
{
	struct cloud_request ask = {
		.method = request->method, .target = strstr(request->url, "/v1/"),
		.authorization = request->authorization,
		.body = request->body, .body_len = request->body_len,
	};
	struct cloud_response reply;

	(void)data;
	answer->retry_after_ms = answer->rate_limit = answer->rate_remaining = -1;
	w.calls++;
	w.listings += strncmp(ask.target, "/v1/servers?label_selector", 26) == 0;
	w.now_ms += CALL_MS;
	cloud_response_init(&reply);
	cloud_handle(w.cloud, w.now_ms, &ask, &reply);
	answer->outcome = ENV_HTTP_ANSWERED;
	answer->status = reply.status;
	answer->body = xcalloc(1, reply.body_len + 1);
	if (reply.body_len)
		memcpy(answer->body, reply.body, reply.body_len);
	answer->body_len = reply.body_len;
	cloud_response_fini(&reply);
}

static int commit_now(void *arg, struct step *step, struct lease_claim *what)
{
	struct err err = { 0 };

	(void)arg;
	MUST(core_begin(w.core, &err) == 0);
	core_claim(w.core, step, what);
	MUST(core_flush(w.core, &err) == 0);
	return what->result;
}

static void start(void *arg, struct step *step)
{
	struct step **at = &w.queue;

	(void)arg;
	while (*at)
		at = &(*at)->next;
	step->next = NULL;
	step->claim = commit_now;
	*at = step;
}

static void run_queue(void)
{
	struct err err = { 0 };

	while (w.queue) {
		struct step *step = w.queue;

		w.queue = step->next;
		step->next = NULL;
		w.running = step;
		step_run(step);
		w.running = NULL;
		w.looks += step->op == STEP_OBSERVE;
		w.answers += step->op == STEP_OBSERVE ? step->answers : 0;
		MUST(core_begin(w.core, &err) == 0);
		core_step_done(w.core, step);
		MUST(core_flush(w.core, &err) == 0);
	}
}

static void settle(void)
{
	struct err err = { 0 };
	int64_t next;

	do {
		run_queue();
		MUST(core_begin(w.core, &err) == 0);
		core_due(w.core);
		MUST(core_flush(w.core, &err) == 0);
		next = core_next_ms(w.core);
	} while (w.queue || (next && next <= w.now_ms));
}

static void pass(int64_t ms)
{
	int64_t until = w.now_ms + ms, next;

	settle();
	while ((next = core_next_ms(w.core)) != 0 && next <= until) {
		if (next > w.now_ms)
			w.now_ms = next;
		settle();
	}
	w.now_ms = until > w.now_ms ? until : w.now_ms;
	settle();
}

static const struct lessor_provider *plugin(void)
{
	void *handle = dlopen(HETZNER_SO, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	lessor_provider_entry entry;

	if (!handle)
		fail_msg("%s", dlerror());
	*(void **)(void *)&entry = dlsym(handle, LESSOR_PROVIDER_ENTRY);
	return entry();
}

static void account_begin(int observes)
{
	struct account_config config = { .name = "hetzner", .provider = "hetzner", .max_steps = 8,
					 .location_count = 1, .locations = { "fsn1" },
					 .image = "ubuntu-24.04", .rate_per_hour = 1000000 };
	struct err err = { 0 };

	w.table = *plugin();
	if (!observes)
		w.table.observe = NULL;
	config.token = xstrdup("t");
	config.options = xcalloc(1, sizeof(*config.options));
	config.options[0] = (struct account_option){ xstrdup("keys"), xstrdup("account") };
	config.option_count = 1;
	MUST(account_new(&w.env, &w.table, &config, &w.account, &err) == 0);
}

static void world_begin(int observes)
{
	static const char few[] =
		"{\"config\":{\"max_servers\":10000,\"max_primary_ips\":10000,\"rate_on\":false},"
		"\"catalogue\":{\"withdrawn\":[{\"type\":\"*\"}],\"available\":[{\"type\":\"cx23\"}]}}";
	struct core_hooks hooks = { .start = start };
	struct engine_config engine = { .env = &w.env, .accounts = &w.account, .account_count = 1,
					.worker_threads = 1, .boot_ms = 15 * MINUTE,
					.probe_ms = 30 * MINUTE };
	struct cloud_config config;
	struct err err = { 0 };

	memset(&w, 0, sizeof(w));
	log_setup(2, LOG_HUMAN, LOG_LEVEL_ERROR);
	w.now_ms = INT64_C(1800000000000);
	w.seed = 42;
	w.env = (struct env){ .wall_ms = world_now, .mono_ms = world_now, .random = world_random,
			      .http = world_http };
	/* In memory, where there is such a place: a lease is a few dozen commits. */
	snprintf(w.folder, sizeof(w.folder), "%s/lessor-crowd-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	MUST(mkdtemp(w.folder));
	snprintf(w.path, sizeof(w.path), "%s/store", w.folder);
	cloud_config_init(&config);
	config.requests_kept = config.history_kept = 16;
	w.cloud = cloud_new(&config);
	MUST(cloud_load(w.cloud, w.now_ms, few, strlen(few), &err) == 0);
	account_begin(observes);
	MUST(store_open(w.path, &w.env, &engine.store, &err) == 0);
	MUST(core_new(&engine, &hooks, &w.core, &err) == 0);
	pass(1000);
}

static void world_end(void)
{
	struct store *store = core_store(w.core);
	char command[128];

	core_free(w.core);
	store_close(store);
	account_free(w.account);
	cloud_free(w.cloud);
	snprintf(command, sizeof(command), "rm -rf '%s'", w.folder);
	assert_int_equal(system(command), 0);
}

/* ---- clients --------------------------------------------------------------------------- */

static void answered(struct engine_request *request)
{
	(void)request;
}

static void ask(struct engine_request *r)
{
	struct err err = { 0 };

	r->done = answered;
	strcpy(r->caller.owner, "alice");
	strcpy(r->caller.org, "acme");
	MUST(core_begin(w.core, &err) == 0);
	core_request(w.core, r);
	MUST(core_flush(w.core, &err) == 0);
}

static void create(int i)
{
	struct engine_request *r = &w.requests[i];
	struct lease *l = &r->create;

	*r = (struct engine_request){ .kind = REQUEST_CREATE };
	snprintf(l->id, sizeof(l->id), "cbx_%012d", i + 1);
	snprintf(l->slug, sizeof(l->slug), "box-%d", i + 1);
	strcpy(l->account, "hetzner");
	strcpy(l->class_name, "standard");
	strcpy(l->architecture, "x86");
	strcpy(l->ssh_user, "crabbox");
	strcpy(l->work_root, "/work/crabbox");
	strcpy(l->public_key, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl c");
	l->ssh_port = 2222;
	strcpy(l->types[0], "cx23");
	l->type_count = 1;
	l->ttl_ms = l->idle_ms = 8 * 60 * MINUTE;
	ask(r);
	assert_int_equal(r->result, RESULT_CREATED);
}

static struct lease lease(int i)
{
	struct lease l;
	char id[24];

	snprintf(id, sizeof(id), "cbx_%012d", i + 1);
	assert_int_equal(store_lease_by_id(core_store(w.core), id, &l, NULL), 0);
	return l;
}

static void release(int i)
{
	struct engine_request *r = &w.requests[i];

	*r = (struct engine_request){ .kind = REQUEST_RELEASE, .delete_machine = 1 };
	snprintf(r->ref, sizeof(r->ref), "cbx_%012d", i + 1);
	ask(r);
	assert_int_equal(r->result, RESULT_OK);
}

static void reset_counts(void)
{
	w.calls = w.listings = w.parses = w.answers = w.looks = 0;
}

/* All at once, from nothing to nothing; before it one whose life tells how long things take. */
static double live(int observes)
{
	clock_t begun;

	world_begin(observes);
	create(0);
	pass(2 * MINUTE);
	assert_int_equal(lease(0).state, LEASE_ACTIVE);
	release(0);
	pass(2 * MINUTE);
	assert_int_equal(lease(0).cleanup, CLEANUP_DONE);
	reset_counts();
	begun = clock();
	for (int i = 1; i <= leases; i++)
		create(i);
	pass(3 * MINUTE);
	for (int i = 1; i <= leases; i++)
		assert_int_equal(lease(i).state, LEASE_ACTIVE);
	return (double)(clock() - begun) * 1000 / CLOCKS_PER_SEC / leases;
}

static void release_all(void)
{
	for (int i = 1; i <= leases; i++)
		release(i);
	pass(5 * MINUTE);
	for (int i = 1; i <= leases; i++)
		assert_int_equal(lease(i).cleanup, CLEANUP_DONE);
}

/* ---- the test ------------------------------------------------------------------------------ */

static void a_crowd_is_looked_for_by_few_listings_each_parsed_once(void **state)
{
	int pages = (leases + PAGE - 1) / PAGE, together_parses;
	double together_ms, alone_ms;

	(void)state;
	together_ms = live(1);
	print_message("%d leases: %d looks, %d pages asked for, %d read, %d parses\n", leases, w.looks,
		      w.listings, w.answers, w.parses);
	/* A look for each moment in which some become ready, and not one for each lease. */
	assert_in_range(w.looks, 1, 40);
	assert_in_range(w.listings, 1, 12 * pages);
	/* The plugin parses what it reads once, and the host once more where some are ready. */
	assert_in_range(w.parses, w.answers, 2 * w.answers);
	together_parses = w.parses;
	release_all();
	/* A life with account keys: six calls, of which they share one. */
	assert_in_range(w.calls, 0, 6 * leases);
	world_end();
	alone_ms = live(0);
	print_message("each by itself: %d pages asked for, %d parses; a lease until ready: %.2f ms of CPU "
		      "(with the simulated cloud), together %.2f ms, %.2f of it\n", w.listings,
		      w.parses, alone_ms, together_ms, together_ms / alone_ms);
	assert_true(together_parses * 2 < w.parses);
	world_end();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crowd_is_looked_for_by_few_listings_each_parsed_once),
	};

	if (argc > 1)
		leases = (int)strtol(argv[1], NULL, 10);
	if (leases < 1 || leases >= LEASES_MOST)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
