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
#include "driver/wire.h"
#include "loader/loader.h"
#include "util/alloc.h"
#include "util/text.h"

#define CALL_MS 40
/* Half a day before the end of a month: what ended in a month is kept for as long as that. */
#define START_MS (INT64_C(1801440000000) - 12 * HOUR)
/* More random crashes in one case test nothing new. */
#define RANDOM_CRASHES_MOST 200

void violate(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (w->violation[0])
		return;
	va_start(ap, fmt);
	vsnprintf(w->violation, sizeof(w->violation), fmt, ap);
	va_end(ap);
}

/* I19: a case always has the same trace. */
void trace(struct world *w, const void *data, size_t len)
{
	const unsigned char *from = data;

	while (len--)
		w->trace = (w->trace ^ *from++) * 16777619u;
}

/* ---- the environment ------------------------------------------------------------------ */

void world_crash(struct world *w, const char *where)
{
	if (!w->may_crash)
		return;
	w->may_crash = 0;
	w->crashed_at = where;
	longjmp(w->crashed, 1);
}

void world_point(struct world *w, const char *name)
{
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
	    (driver_random(&w->d) >> 16) < w->crash_chance)
		world_crash(w, name);
}

static void point(void *data, const char *name)
{
	world_point(((struct driver *)data)->arg, name);
}

void world_advance(struct world *w, int64_t ms)
{
	w->d.now_ms = ms;
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
	struct world *w = ((struct driver *)data)->arg;
	struct cloud_request ask = wire_request(request);
	struct cloud_response r;

	ask.reused = !request->fresh && w->calls > 0;
	wire_init(answer);
	w->is_asking = 1;
	world_event(w);
	world_advance(w, w->d.now_ms + CALL_MS);
	truth_asks(w, request);
	cloud_response_init(&r);
	cloud_handle(w->cloud, w->d.now_ms, &ask, &r);
	wire_judge(w, request, &r, answer);
	cloud_response_fini(&r);
	truth_answered(w, request, answer);
	world_event(w);
	/* The response has arrived, and nothing of it is committed yet. */
	world_point(w, "answered");
	w->is_asking = 0;
}

/* ---- the broker ------------------------------------------------------------------------ */

static void store_failed(void *arg, const struct err *err)
{
	struct world *w = arg;

	if (!w->store_faults) {
		fprintf(stderr, "the store failed: %s\n", err->text);
		abort();
	}
	/* Fail-stop: the process ends. The disk works again at the next start. */
	w->store_failures++;
	world_crash(w, "store-failed");
	abort();
}

static void opened(void *arg, struct store *store)
{
	struct world *w = arg;

	if (disk_is_played(w) && store_reserve_keep(store, NULL))
		abort();
	watch_start(w, store);
}

static void claimed(void *arg, struct step *step, const struct lease_claim *claim)
{
	watch_leave(arg, step, claim);
}

static void committed(void *arg)
{
	struct world *w = arg;
	struct err err = { 0 };

	if (core_check(w->d.core, &err))
		violate(w, "I34: %s", err.text);
	/* A client's commit before the response arrived does not include the pause. */
	w->is_pause_kept |= !w->is_asking;
}

static void ran(void *arg, struct step *step)
{
	(void)step;
	world_point(arg, "verdict");
}

static const struct driver_hooks hooks = {
	.store_failed = store_failed,
	.opened = opened,
	.claimed = claimed,
	.committed = committed,
	.ran = ran,
};

/* A short catalogue: reading the full one every hour took half of a case's time. */
static const char few_types[] =
	"{\"catalogue\":{\"withdrawn\":[{\"type\":\"*\"}],\"available\":[{\"type\":\"cx23\"},"
	"{\"type\":\"cx33\"},{\"type\":\"cpx22\"}]}}";

static void broker_start(struct world *w)
{
	const char *const options[] = { "keys", w->keys_per_account ? "account" : "lease",
					"boot_timeout", "3m", NULL };
	struct account_config account = { .name = "hetzner",
					  .location_count = 1,
					  .locations = { "fsn1" },
					  .image = "ubuntu-24.04",
					  .max_steps = 8,
					  .protect_retained = 1 };

	account.token = xstrdup("the-token-of-this-world");
	driver_account(&w->d, &w->provider->table, &account, options);
	w->d.config = (struct engine_config){
		.account_count = w->account_gone ? 0 : 1,
		.worker_threads = 1,
		.settle_ms = SETTLE_MS,
		.boot_ms = 900000,
		.probe_ms = 1800000,
		.sweep_ms = HOUR,
		.sweep_grace_ms = GRACE_MS,
		.sweep_deletes = w->sweep_deletes,
		.history_keep_ms = KEEP_MS,
		.limits = { .max_active = LEASES_CAP, .max_queued = 10, .max_queued_owner = 10 },
	};
	driver_open(&w->d);
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
	static const char *const files[] = { "", "-wal", "-shm", ".lock", ".reserve" };
	char name[200];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(name, sizeof(name), "%s%s", path, files[i]);
		unlink(name);
	}
}

/*
 * After a crash the broker's memory is abandoned as it is, like that of a killed
 * process. The next life starts on copies of its files, taken before the connection
 * is closed, because closing it modifies them.
 */
static void broker_abandon(struct world *w)
{
	char old[sizeof(w->d.path)], saved[200] = "";
	struct store *store = core_store(w->d.core);

	world_file_back(w);
	TEXT_SET(old, w->d.path);
	w->life++;
	snprintf(w->d.path, sizeof(w->d.path), "%s/store.%d", w->folder, w->life);
	if (w->power && !w->inside_sqlite)
		vfs_cut((uint32_t)w->power + (uint32_t)w->life);
	vfs_set(NULL);
	if (w->restore_from) {
		snprintf(saved, sizeof(saved), "%s/saved", w->folder);
		w->restore_from = 0;
	}
	world_store_copy(saved[0] ? saved : old, w->d.path);
	if (!w->inside_sqlite)
		store_close(store);
	disk_reborn(w, old);
	store_remove(old);
	w->inside_sqlite = 0;
	w->d.core = NULL;
	w->d.account = NULL;
	STAILQ_INIT(&w->d.queue);
	w->d.running = NULL;
}

void world_reborn(struct world *w)
{
	int restores = w->restore_from;

	w->may_crash = 0;
	w->restarts++;
	/* The pause of a 429 is lost if it was not committed, or was by another clock. */
	if (!w->is_pause_kept || !w->is_pause_said || w->restore_from)
		w->not_before_ms = 0;
	w->is_asking = 0;
	broker_abandon(w);
	if (restores && w->down_ms)
		world_advance(w, w->d.now_ms + w->down_ms);
	broker_start(w);
	if (restores)
		inventory_restored(w, core_store(w->d.core));
}

static void broker_end(struct world *w)
{
	driver_close(&w->d);
	driver_account_free(&w->d);
}

static void driver_start(struct world *w)
{
	driver_init(&w->d, &hooks, w);
	w->d.now_ms = START_MS;
	w->d.env.http = env_http_call;
	w->d.env.point = point;
}

void world_template(const char *folder)
{
	struct world w = { 0 };
	struct store *store;
	struct err err = { 0 };

	driver_start(&w);
	snprintf(w.d.path, sizeof(w.d.path), "%s/new", folder);
	MUST(store_open(w.d.path, &w.d.env, &store, &err) == 0);
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
	driver_start(w);
	snprintf(w->d.path, sizeof(w->d.path), "%s/store.0", folder);
	w->d.seed = 99 + seed;
	w->trace = 2166136261u;
	w->provider = provider;
	w->keys_per_account = keys_per_account;
	/* The sweep deletes with account keys, and only reports without. */
	w->sweep_deletes = keys_per_account;
	snprintf(template, sizeof(template), "%s/new", folder);
	copy_file(template, w->d.path);
	cloud_config_init(&config);
	config.seed += seed;
	/* Both worlds are played: the API as it is, and as it was. */
	config.lock_until_started = config.readonly_401 = config.image_field =
		(keys_per_account ^ (int)(seed & 1)) != 0;
	config.history_kept = 16;
	config.requests_kept = 16;
	config.observe = truth_event;
	config.observe_arg = w;
	w->cloud = cloud_new(&config);
	cloud_add_token(w->cloud, "the-token-of-this-world", 0, 0);
	MUST(cloud_load(w->cloud, w->d.now_ms, few_types, strlen(few_types), &err) == 0);
	if (scenario)
		MUST(cloud_load(w->cloud, w->d.now_ms, scenario, strlen(scenario), &err) == 0);
	broker_start(w);
}

void world_restart(struct world *w, void (*between)(const char *path))
{
	w->restarts++;
	broker_end(w);
	between(w->d.path);
	broker_start(w);
}

void world_end(struct world *w)
{
	broker_end(w);
	cloud_free(w->cloud);
	free(w->made);
	store_remove(w->d.path);
	snprintf(w->d.path, sizeof(w->d.path), "%s/saved", w->folder);
	store_remove(w->d.path);
}

/* ---- time -------------------------------------------------------------------------------- */

static void settle(struct world *w)
{
	if (driver_settle(&w->d))
		violate(w, "I5: endless loop: the broker keeps working while time stands still");
}

/* Advances to the next due time, at most to `until`. 0 when `until` is reached. */
static int tick(struct world *w, int64_t until)
{
	int64_t next;

	if (setjmp(w->crashed))
		world_reborn(w);
	w->may_crash = 1;
	if (w->undo && w->d.now_ms >= w->undo_at_ms)
		world_undo(w);
	if (w->loop_left && w->d.now_ms >= w->loop_next_ms) {
		w->loop_left--;
		w->loop_next_ms = w->d.now_ms + SECOND;
		world_crash(w, "loop");
	}
	world_event(w);
	settle(w);
	w->may_crash = 0;
	next = driver_next_ms(&w->d);
	if (!next || next > until)
		next = until;
	if (w->undo && w->undo_at_ms < next)
		next = w->undo_at_ms;
	if (w->loop_left && w->loop_next_ms < next)
		next = w->loop_next_ms;
	if (next > w->d.now_ms)
		world_advance(w, next);
	return w->d.now_ms < until;
}

void world_pass(struct world *w, int64_t ms)
{
	int64_t until = w->d.now_ms + ms;

	while (tick(w, until) && !w->violation[0])
		;
	if (!w->violation[0])
		tick(w, until);
}

int world_until(struct world *w, int64_t ms, int (*met)(struct world *w, size_t lease),
		size_t lease)
{
	int64_t until = w->d.now_ms + ms;

	while (!met(w, lease)) {
		int64_t second = w->d.now_ms + SECOND;

		if (w->d.now_ms >= until || w->violation[0])
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
	cloud_handle(w->cloud, w->d.now_ms, &ask, &r);
	if (must && r.status != 200) {
		fprintf(stderr, "the cloud rejected %s %s %s: %s\n", method, target,
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
	return (size_t)(cloud_wait_met(w->cloud, w->d.now_ms, "/_sim/wait?faults=0", NULL) == 0);
}

void world_human(struct world *w, const char *verb, int64_t id, const char *more)
{
	auto_free char *json = xasprintf("{\"verb\":\"%s\",\"kind\":\"server\",\"id\":%lld%s}", verb,
					 (long long)id, more);

	w->disturbed = 1;
	for (size_t i = 0; i < w->made_count; i++)
		w->made[i].edited |= w->made[i].id == id;
	/* The server may be gone by now. */
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
	cloud_handle(w->cloud, w->d.now_ms, &ask, &r);
	root = r.body ? json_loadb(r.body, r.body_len, 0, NULL) : NULL;
	labels = json_object_get(json_object_get(root, "server"), "labels");
	/* Without a response there are no labels to change. */
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
