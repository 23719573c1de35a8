/* SPDX-License-Identifier: MIT */
#include "driver.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/loader.h"
#include "util/alloc.h"
#include "util/text.h"

/* A core that needs more iterations than this at one moment is in an endless loop. */
#define TURNS_MOST 10000

#define HOOK(d, name, ...)                                         \
	do {                                                       \
		if ((d)->hooks && (d)->hooks->name)                \
			(d)->hooks->name((d)->arg, ##__VA_ARGS__); \
	} while (0)

/* ---- the environment ------------------------------------------------------------------ */

int64_t driver_wall(const struct driver *d)
{
	return d->now_ms + d->wall_off_ms;
}

static int64_t env_wall(void *data)
{
	return driver_wall(data);
}

static int64_t env_mono(void *data)
{
	return ((struct driver *)data)->now_ms;
}

uint32_t driver_random(struct driver *d)
{
	d->seed = d->seed * 1664525 + 1013904223;
	return d->seed;
}

static void env_bytes(void *data, void *out, size_t len)
{
	unsigned char *to = out;

	while (len--)
		*to++ = (unsigned char)(driver_random(data) >> 24);
}

void driver_init(struct driver *d, const struct driver_hooks *hooks, void *arg)
{
	*d = (struct driver){
		.env = { .data = d, .wall_ms = env_wall, .mono_ms = env_mono, .random = env_bytes },
		.now_ms = DRIVER_START_MS,
		.seed = 42,
		.config = { .account_count = 1, .worker_threads = 1 },
		.hooks = hooks,
		.arg = arg,
	};
	STAILQ_INIT(&d->queue);
}

/* ---- folder and account ------------------------------------------------------------------ */

void driver_folder(struct driver *d, const char *name)
{
	const char *place = getenv("TMPDIR");
	struct err err = { 0 };

	/* The tests make thousands of commits: use memory, so that none waits for a disk. */
	if (!place)
		place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(d->folder, sizeof(d->folder), "%.40s/lessor-%.8s-XXXXXX", place, name);
	MUST(mkdtemp(d->folder));
	snprintf(d->path, sizeof(d->path), "%s/store", d->folder);
}

void driver_folder_remove(struct driver *d)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", d->folder);
	if (system(command))
		perror("rm");
}

int driver_files(const char *folder)
{
	struct err err = { .text = "the folder cannot be read" };
	DIR *dir = opendir(folder);
	int count = 0;

	MUST(dir != NULL);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2; /* "." and ".." */
}

const struct lessor_provider *driver_plugin(const char *path)
{
	static struct provider provider;
	struct err err = { 0 };

	if (strcmp(provider.path, path) != 0)
		MUST(provider_load("", path, &provider, &err) == 0);
	return &provider.table;
}

void driver_options(struct account_config *config, const char *const *options)
{
	size_t count = 0;

	while (options && options[count * 2])
		count++;
	config->options = xcalloc(count + 1, sizeof(*config->options));
	config->option_count = count;
	for (size_t i = 0; i < count; i++)
		config->options[i] = (struct account_option){ xstrdup(options[i * 2]),
							      xstrdup(options[i * 2 + 1]) };
}

void driver_account(struct driver *d, const struct lessor_provider *table,
		    struct account_config *config, const char *const *options)
{
	struct err err = { 0 };

	TEXT_SET(config->provider, table->name);
	driver_options(config, options);
	MUST(account_new(&d->env, table, config, &d->account, &err) == 0);
}

void driver_account_free(struct driver *d)
{
	account_free(d->account);
	d->account = NULL;
}

/* ---- steps ---------------------------------------------------------------------------------- */

static int claim_now(void *arg, struct step *step, struct lease_claim *claim)
{
	struct driver *d = arg;

	HOOK(d, claiming, claim);
	driver_begin(d);
	core_claim(d->core, step, claim);
	if (d->commits_each_claim)
		driver_flush(d);
	HOOK(d, claimed, step, claim);
	return claim->result;
}

static int barrier_now(void *arg, struct step *step)
{
	(void)step;
	driver_begin(arg);
	driver_flush(arg);
	return 0;
}

static void enqueue(void *arg, struct step *step)
{
	struct driver *d = arg;

	step->claim = claim_now;
	step->barrier = barrier_now;
	step->claim_arg = d;
	STAILQ_INSERT_TAIL(&d->queue, step, queued);
}

static struct step *dequeue(struct driver *d)
{
	struct step *step = STAILQ_FIRST(&d->queue);

	STAILQ_REMOVE_HEAD(&d->queue, queued);
	return step;
}

/* ---- core and store --------------------------------------------------------------------------- */

void driver_open(struct driver *d)
{
	struct core_hooks hooks = { .start = enqueue, .arg = d };
	struct err err = { 0 };

	d->env.data = d;
	d->config.env = &d->env;
	d->config.accounts = &d->account;
	MUST(store_open(d->path, &d->env, &d->config.store, &err) == 0);
	HOOK(d, opened, d->config.store);
	MUST(core_new(&d->config, &hooks, &d->core, &err) == 0);
}

void driver_close(struct driver *d)
{
	struct store *store = core_store(d->core);

	while (!STAILQ_EMPTY(&d->queue))
		step_free(dequeue(d));
	core_free(d->core);
	store_close(store);
	d->core = NULL;
}

static int store_failed(struct driver *d, struct err err)
{
	MUST(d->hooks && d->hooks->store_failed);
	d->hooks->store_failed(d->arg, &err);
	return -1;
}

int driver_begin(struct driver *d)
{
	struct err err = { 0 };

	return core_begin(d->core, &err) ? store_failed(d, err) : 0;
}

int driver_flush(struct driver *d)
{
	struct err err = { 0 };

	if (core_flush(d->core, &err))
		return store_failed(d, err);
	HOOK(d, committed);
	return 0;
}

/* ---- time ------------------------------------------------------------------------------------- */

int64_t driver_next_ms(const struct driver *d)
{
	int64_t next = core_next_ms(d->core);

	return next ? (next > d->wall_off_ms ? next - d->wall_off_ms : 1) : 0;
}

void driver_run_queue(struct driver *d)
{
	while (!STAILQ_EMPTY(&d->queue)) {
		struct step *step = dequeue(d);

		d->running = step;
		d->step_count++;
		step_run(step);
		d->running = NULL;
		if (getenv("DRIVER_TRACE"))
			fprintf(stderr, "%lld %s %s verdict %d class %u wait %lld: %s\n",
				(long long)d->now_ms, step->lease.id, step_op_name(step->op),
				step->verdict, step->error_class, (long long)step->wait_ms,
				step->reason);
		HOOK(d, ran, step);
		driver_begin(d);
		core_step_done(d->core, step);
		driver_flush(d);
	}
}

void driver_due(struct driver *d)
{
	driver_begin(d);
	core_due(d->core);
	core_history_due(d->core);
	driver_flush(d);
}

int driver_settle(struct driver *d)
{
	int64_t next;
	int turns = 0;

	do {
		driver_run_queue(d);
		driver_due(d);
		next = driver_next_ms(d);
		if (++turns > TURNS_MOST)
			return -1;
	} while (!STAILQ_EMPTY(&d->queue) || (next && next <= d->now_ms));
	return 0;
}

void driver_pass(struct driver *d, int64_t ms)
{
	int64_t until = d->now_ms + ms, next;
	struct err err = { .text = "endless loop in the core: the clock does not advance" };

	MUST(driver_settle(d) == 0);
	while ((next = driver_next_ms(d)) != 0 && next <= until) {
		if (next > d->now_ms)
			d->now_ms = next;
		MUST(driver_settle(d) == 0);
	}
	if (until > d->now_ms)
		d->now_ms = until;
	MUST(driver_settle(d) == 0);
}

/* ---- clients ---------------------------------------------------------------------------------- */

static void answered(struct engine_request *request)
{
	((struct asked *)request->user)->answered = 1;
}

int driver_ask(struct driver *d, struct asked *a)
{
	struct err err = { .text = "the request was answered before the commit" };

	a->answered = 0;
	a->request.done = answered;
	a->request.user = a;
	if (!a->request.caller.owner[0]) {
		TEXT_SET(a->request.caller.owner, "alice");
		TEXT_SET(a->request.caller.org, "acme");
	}
	driver_begin(d);
	core_request(d->core, &a->request);
	MUST(!a->answered);
	return driver_flush(d);
}

int driver_split(const char *text, char (*ret)[32], int most)
{
	int count = 0;

	while (*text && count < most) {
		size_t len = strcspn(text, ",");

		snprintf(ret[count++], 32, "%.*s", (int)len, text);
		text += len + (text[len] == ',');
	}
	return count;
}

void driver_wish(struct lease *l, const char *id, const char *account, const char *types)
{
	TEXT_SET(l->id, id);
	TEXT_SET(l->account, account);
	TEXT_SET(l->class_name, "standard");
	TEXT_SET(l->ssh_user, "crabbox");
	TEXT_SET(l->work_root, "/work/crabbox");
	TEXT_SET(l->public_key, DRIVER_PUBLIC_KEY);
	l->ssh_port = 2222;
	l->type_count = driver_split(types, l->types, LEASE_TYPES_MAX);
}

int driver_lease(const struct driver *d, const char *id, struct lease *ret)
{
	return store_lease_by_id(core_store(d->core), id, ret, NULL);
}
