/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "cases.h"
#include "loader/loader.h"
#include "util/alloc.h"
#include "util/text.h"

#define CALL_MS 40
#define START_MS INT64_C(1800000000000)
#define TURNS_MOST 10000
/* A life that ends every few seconds for days shows no more than one that does for minutes. */
#define RANDOM_CRASHES_MOST 200

#define MUST(what) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #what, err.text); \
			abort(); \
		} \
	} while (0)

void violate(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (w->violation[0])
		return;
	va_start(ap, fmt);
	vsnprintf(w->violation, sizeof(w->violation), fmt, ap);
	va_end(ap);
}

/* I19: the same case has the same trace. */
void trace(struct world *w, const void *data, size_t len)
{
	const unsigned char *from = data;

	while (len--)
		w->trace = (w->trace ^ *from++) * 16777619u;
}

/* ---- the environment ------------------------------------------------------------------ */

int64_t world_wall(const struct world *w)
{
	return w->now_ms + w->wall_off_ms;
}

static int64_t env_wall(void *data)
{
	return world_wall(data);
}

static int64_t env_mono(void *data)
{
	return ((struct world *)data)->now_ms;
}

static uint32_t next_random(struct world *w)
{
	w->seed = w->seed * 1664525 + 1013904223;
	return w->seed;
}

static void env_random_bytes(void *data, void *out, size_t len)
{
	unsigned char *to = out;

	while (len--)
		*to++ = (unsigned char)(next_random(data) >> 24);
}

void world_crash(struct world *w, const char *where)
{
	if (!w->may_crash)
		return;
	w->may_crash = 0;
	w->crashed_at = where;
	longjmp(w->crashed, 1);
}

void world_point(void *data, const char *name)
{
	struct world *w = data;

	if (strcmp(name, "after-commit") == 0)
		watch_commit(w);
	if (!w->may_crash)
		return;
	w->points++;
	if (w->points == w->crash_at) {
		w->crash_at = w->crash_again ? w->points + w->crash_again : 0;
		w->crash_again = 0;
		world_crash(w, name);
	}
	if (w->crash_chance && w->restarts < RANDOM_CRASHES_MOST &&
	    (next_random(w) >> 16) < w->crash_chance)
		world_crash(w, name);
}

void world_advance(struct world *w, int64_t ms)
{
	w->now_ms = ms;
	for (size_t i = 0; i < w->late_count; i++) {
		struct cloud_response late;

		if (w->late[i].at_ms > ms)
			continue;
		cloud_response_init(&late);
		cloud_resume(w->cloud, ms, w->late[i].ticket, &late);
		cloud_response_fini(&late);
		w->late[i--] = w->late[--w->late_count];
	}
	cloud_advance(w->cloud, ms);
}

static void env_http_call(void *data, const struct env_http_request *request,
			  struct env_http_response *answer)
{
	struct world *w = data;
	struct cloud_request ask = {
		.method = request->method,
		.target = strstr(request->url, "/v1/"),
		.authorization = request->authorization,
		.body = request->body,
		.body_len = request->body_len,
		.reused = !request->fresh && w->calls > 0,
	};
	struct cloud_response r;

	answer->retry_after_ms = answer->rate_limit = answer->rate_remaining = -1;
	w->is_asking = 1;
	world_event(w);
	world_advance(w, w->now_ms + CALL_MS);
	truth_asks(w, request);
	cloud_response_init(&r);
	cloud_handle(w->cloud, w->now_ms, &ask, &r);
	wire_judge(w, request, &r, answer);
	cloud_response_fini(&r);
	truth_answered(w, request, answer);
	world_event(w);
	/* The answer is here and nothing of it is committed yet. */
	world_point(w, "answered");
	w->is_asking = 0;
}

/* ---- the broker ------------------------------------------------------------------------ */

static void store_failed(struct world *w, const struct err *err)
{
	if (!w->store_faults) {
		fprintf(stderr, "the store failed: %s\n", err->text);
		abort();
	}
	/* Fail-stop: the process ends, and whoever starts it again has a disk that works. */
	w->store_failures++;
	world_crash(w, "store-failed");
	abort();
}

void world_open(struct world *w)
{
	struct err err = { 0 };

	if (core_begin(w->core, &err))
		store_failed(w, &err);
}

void world_flush(struct world *w)
{
	struct err err = { 0 };

	if (core_flush(w->core, &err))
		store_failed(w, &err);
	else if (core_check(w->core, &err))
		violate(w, "I34: %s", err.text);
	/* A client's commit while the answer is under way knows nothing of it. */
	w->is_pause_kept |= !w->is_asking;
}

static int claim_now(void *arg, struct step *step, struct lease_claim *what)
{
	struct world *w = arg;

	world_open(w);
	core_claim(w->core, step, what);
	watch_leave(w, step, what);
	return what->result;
}

static void barrier_now(void *arg, struct step *step)
{
	struct world *w = arg;

	(void)step;
	world_open(w);
	world_flush(w);
}

static void enqueue(void *arg, struct step *step)
{
	struct world *w = arg;
	struct step **at = &w->queue;

	while (*at)
		at = &(*at)->next;
	step->next = NULL;
	step->claim = claim_now;
	step->barrier = barrier_now;
	step->claim_arg = w;
	*at = step;
}

/* Reading a long catalogue every hour was half of what a case cost. */
static const char few_types[] =
	"{\"catalogue\":{\"withdrawn\":[{\"type\":\"*\"}],\"available\":[{\"type\":\"cx23\"},"
	"{\"type\":\"cx33\"},{\"type\":\"cpx22\"}]}}";

static void account_start(struct world *w)
{
	struct account_config config = { .location_count = 1, .max_steps = 8,
					 .protect_retained = 1 };
	struct account_option options[] = {
		{ "keys", w->keys_per_account ? "account" : "lease" },
		{ "boot_timeout", "3m" },
	};
	struct err err = { 0 };

	strcpy(config.name, "hetzner");
	strcpy(config.provider, "hetzner");
	strcpy(config.locations[0], "fsn1");
	strcpy(config.image, "ubuntu-24.04");
	config.token = xstrdup("the-token-of-this-world");
	config.options = xcalloc(ARRAY_LEN(options), sizeof(options[0]));
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		config.options[i] = (struct account_option){ xstrdup(options[i].key),
							     xstrdup(options[i].value) };
	config.option_count = ARRAY_LEN(options);
	MUST(account_new(&w->env, &w->provider->table, &config, &w->account, &err) == 0);
}

static void broker_start(struct world *w)
{
	struct core_hooks hooks = { .start = enqueue, .arg = w };
	struct engine_config engine = {
		.env = &w->env, .accounts = &w->account, .account_count = w->account_gone ? 0 : 1,
		.worker_threads = 1, .settle_ms = SETTLE_MS, .boot_ms = 900000, .probe_ms = 1800000,
		.sweep_ms = HOUR, .sweep_grace_ms = GRACE_MS, .sweep_deletes = w->sweep_deletes,
		.limits = { .max_active = LEASES_CAP },
	};
	struct err err = { 0 };

	account_start(w);
	MUST(store_open(w->path, &w->env, &engine.store, &err) == 0);
	watch_start(w, engine.store);
	MUST(core_new(&engine, &hooks, &w->core, &err) == 0);
}

static void copy_file(const char *from, const char *to)
{
	char buffer[65536];
	ssize_t n;
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out;

	unlink(to);
	if (in < 0)
		return;
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0)
		abort();
	while ((n = read(in, buffer, sizeof(buffer))) > 0) {
		if (write(out, buffer, (size_t)n) != n)
			abort();
	}
	close(in);
	close(out);
}

void world_store_copy(const char *from, const char *to)
{
	char a[200], b[200];

	copy_file(from, to);
	snprintf(a, sizeof(a), "%s-wal", from);
	snprintf(b, sizeof(b), "%s-wal", to);
	copy_file(a, b);
}

static void store_remove(const char *path)
{
	static const char *const files[] = { "", "-wal", "-shm", ".lock" };
	char name[200];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(name, sizeof(name), "%s%s", path, files[i]);
		unlink(name);
	}
}

/*
 * After a crash its memory is whatever it was: it is left, as a dead process
 * leaves it. Its files are taken as they lie: the next life has other ones, since
 * closing the connection tidies up.
 */
static void broker_abandon(struct world *w)
{
	char old[sizeof(w->path)], saved[200] = "";
	struct store *store = core_store(w->core);

	TEXT_SET(old, w->path);
	w->life++;
	snprintf(w->path, sizeof(w->path), "%s/store.%d", w->folder, w->life);
	if (w->power && !w->inside_sqlite)
		vfs_cut((uint32_t)w->power + (uint32_t)w->life);
	vfs_set(NULL);
	if (w->restore_from) {
		snprintf(saved, sizeof(saved), "%s/saved", w->folder);
		w->restore_from = 0;
	}
	world_store_copy(saved[0] ? saved : old, w->path);
	if (!w->inside_sqlite)
		store_close(store);
	store_remove(old);
	w->inside_sqlite = 0;
	w->core = NULL;
	w->account = NULL;
	w->queue = NULL;
	w->running = NULL;
}

void world_reborn(struct world *w)
{
	int restores = w->restore_from;

	w->may_crash = 0;
	w->restarts++;
	/* The word of a 429 that was not written down, or was with another clock, died with it. */
	if (!w->is_pause_kept || !w->is_pause_said || w->restore_from)
		w->not_before_ms = 0;
	w->is_asking = 0;
	broker_abandon(w);
	if (restores && w->down_ms)
		world_advance(w, w->now_ms + w->down_ms);
	broker_start(w);
	if (restores)
		inventory_restored(w, core_store(w->core));
}

static void broker_end(struct world *w)
{
	struct store *store = core_store(w->core);

	while (w->queue) {
		struct step *next = w->queue->next;

		step_free(w->queue);
		w->queue = next;
	}
	core_free(w->core);
	store_close(store);
	account_free(w->account);
}

static void env_set(struct world *w)
{
	w->env = (struct env){ .data = w, .wall_ms = env_wall, .mono_ms = env_mono,
			       .random = env_random_bytes, .http = env_http_call,
			       .point = world_point };
	w->now_ms = START_MS;
}

void world_template(const char *folder)
{
	struct world w = { 0 };
	struct store *store;
	struct err err = { 0 };

	env_set(&w);
	snprintf(w.path, sizeof(w.path), "%s/new", folder);
	MUST(store_open(w.path, &w.env, &store, &err) == 0);
	store_close(store);
}

void world_begin(struct world *w, const char *folder, struct provider *provider,
		 int keys_per_account, uint32_t seed, const char *scenario)
{
	struct cloud_config config;
	char template[200];
	struct err err = { 0 };

	memset(w, 0, sizeof(*w));
	w->folder = folder;
	snprintf(w->path, sizeof(w->path), "%s/store.0", folder);
	env_set(w);
	w->seed = 99 + seed;
	w->trace = 2166136261u;
	w->provider = provider;
	w->keys_per_account = keys_per_account;
	/* Reporting in one mode, deleting in the other. */
	w->sweep_deletes = keys_per_account;
	snprintf(template, sizeof(template), "%s/new", folder);
	copy_file(template, w->path);
	cloud_config_init(&config);
	config.seed += seed;
	config.history_kept = 16;
	config.requests_kept = 16;
	config.observe = truth_event;
	config.observe_arg = w;
	w->cloud = cloud_new(&config);
	cloud_add_token(w->cloud, "the-token-of-this-world", 0, 0);
	MUST(cloud_load(w->cloud, w->now_ms, few_types, strlen(few_types), &err) == 0);
	if (scenario)
		MUST(cloud_load(w->cloud, w->now_ms, scenario, strlen(scenario), &err) == 0);
	broker_start(w);
}

void world_restart(struct world *w, void (*between)(const char *path))
{
	w->restarts++;
	broker_end(w);
	w->core = NULL;
	w->account = NULL;
	between(w->path);
	broker_start(w);
}

void world_end(struct world *w)
{
	broker_end(w);
	cloud_free(w->cloud);
	free(w->made);
	store_remove(w->path);
	snprintf(w->path, sizeof(w->path), "%s/saved", w->folder);
	store_remove(w->path);
}

/* ---- time -------------------------------------------------------------------------------- */

static void run_queue(struct world *w)
{
	while (w->queue) {
		struct step *step = w->queue;

		w->queue = step->next;
		step->next = NULL;
		w->running = step;
		w->step_count++;
		step_run(step);
		w->running = NULL;
		world_point(w, "verdict");
		world_open(w);
		core_step_done(w->core, step);
		world_flush(w);
	}
}

/* When the core wants to be called next, in true time; 0: never. */
static int64_t next_due(struct world *w)
{
	int64_t next = core_next_ms(w->core);

	return next ? (next > w->wall_off_ms ? next - w->wall_off_ms : 1) : 0;
}

static void settle(struct world *w)
{
	int64_t next;
	int turns = 0;

	do {
		run_queue(w);
		world_open(w);
		core_due(w->core);
		world_flush(w);
		next = next_due(w);
		if (++turns > TURNS_MOST) {
			violate(w, "I5: the broker spins without time passing");
			return;
		}
	} while (w->queue || (next && next <= w->now_ms));
}

/* One due time ahead, at most to `until`. 0 when `until` is reached. */
static int tick(struct world *w, int64_t until)
{
	int64_t next;

	if (setjmp(w->crashed))
		world_reborn(w);
	w->may_crash = 1;
	if (w->undo && w->now_ms >= w->undo_at_ms)
		world_undo(w);
	if (w->loop_left && w->now_ms >= w->loop_next_ms) {
		w->loop_left--;
		w->loop_next_ms = w->now_ms + SECOND;
		world_crash(w, "loop");
	}
	world_event(w);
	settle(w);
	w->may_crash = 0;
	next = next_due(w);
	if (!next || next > until)
		next = until;
	if (w->undo && w->undo_at_ms < next)
		next = w->undo_at_ms;
	if (w->loop_left && w->loop_next_ms < next)
		next = w->loop_next_ms;
	if (next > w->now_ms)
		world_advance(w, next);
	return w->now_ms < until;
}

void world_pass(struct world *w, int64_t ms)
{
	int64_t until = w->now_ms + ms;

	while (tick(w, until) && !w->violation[0])
		;
	if (!w->violation[0])
		tick(w, until);
}

int world_until(struct world *w, int64_t ms, int (*met)(struct world *w, size_t lease),
		size_t lease)
{
	int64_t until = w->now_ms + ms;

	while (!met(w, lease)) {
		int64_t second = w->now_ms + SECOND;

		if (w->now_ms >= until || w->violation[0])
			return -1;
		tick(w, second < until ? second : until);
	}
	return 0;
}

/* ---- the cloud's own side ------------------------------------------------------------------ */

static void admin(struct world *w, const char *method, const char *target, const char *body,
		  int must)
{
	struct cloud_request ask = { .method = method, .target = target, .body = body,
				     .body_len = body ? strlen(body) : 0 };
	struct cloud_response r;

	cloud_response_init(&r);
	cloud_handle(w->cloud, w->now_ms, &ask, &r);
	if (must && r.status != 200) {
		fprintf(stderr, "the cloud refuses %s %s %s: %s\n", method, target,
			body ? body : "", r.body ? r.body : "");
		abort();
	}
	cloud_response_fini(&r);
}

void world_admin(struct world *w, const char *method, const char *target, const char *body)
{
	admin(w, method, target, body, 1);
}

void world_faults(struct world *w, const char *json)
{
	w->disturbed = 1;
	world_admin(w, "POST", "/_sim/faults", json);
}

void world_heal(struct world *w)
{
	world_admin(w, "DELETE", "/_sim/faults", NULL);
}

size_t world_faults_pending(struct world *w)
{
	return (size_t)(cloud_wait_met(w->cloud, w->now_ms, "/_sim/wait?faults=0", NULL) == 0);
}

void world_human(struct world *w, const char *verb, int64_t id, const char *more)
{
	auto_free char *json = xasprintf("{\"verb\":\"%s\",\"kind\":\"server\",\"id\":%lld%s}", verb,
					 (long long)id, more);

	w->disturbed = 1;
	for (size_t i = 0; i < w->made_count; i++)
		w->made[i].edited |= w->made[i].id == id;
	/* It may have vanished before the person looks. */
	admin(w, "POST", "/_sim/human", json, 0);
}

void world_relabel(struct world *w, int64_t id, const char *key, const char *value)
{
	auto_free char *target = xasprintf("/v1/servers/%lld", (long long)id);
	struct cloud_request ask = { .method = "GET", .target = target,
				     .authorization = "Bearer the-token-of-this-world" };
	struct cloud_response r;
	json_t *root, *labels;

	cloud_response_init(&r);
	cloud_handle(w->cloud, w->now_ms, &ask, &r);
	root = r.body ? json_loadb(r.body, r.body_len, 0, NULL) : NULL;
	labels = json_object_get(json_object_get(root, "server"), "labels");
	/* Without an answer the person has seen nothing. */
	if (json_is_object(labels)) {
		json_object_set_new(labels, key, json_string(value));
		auto_free char *text = json_dumps(labels, JSON_COMPACT);
		auto_free char *more = xasprintf(",\"labels\":%s", text);

		world_human(w, "relabel", id, more);
		for (size_t i = 0; i < w->made_count; i++)
			w->made[i].relabelled |= w->made[i].id == id;
	}
	json_decref(root);
	cloud_response_fini(&r);
}
