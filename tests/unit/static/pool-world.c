/* SPDX-License-Identifier: MIT */
#include "pool-world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "loader/loader.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

#define PATIENCE_S 60

#define MUST(what) \
	do { \
		if (!(what)) \
			fail_msg("%s:%d: %s: %s", __FILE__, __LINE__, #what, err.text); \
	} while (0)

/* ---- the clock --------------------------------------------------------------------- */

static int64_t world_now(void *data)
{
	return ((struct pool_world *)data)->now_ms;
}

static void world_random(void *data, void *out, size_t len)
{
	struct pool_world *w = data;
	unsigned char *to = out;

	while (len--) {
		w->seed = w->seed * 1664525 + 1013904223;
		*to++ = (unsigned char)(w->seed >> 24);
	}
}

/* ---- files --------------------------------------------------------------------------- */

static void file_write(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

void pool_world_inventory(struct pool_world *w, const char *text)
{
	char *copy = xstrdup(text);

	for (char *p = copy; *p; p++) {
		if (*p == '\'')
			*p = '"';
	}
	file_write(w->inventory, copy, 0644);
	free(copy);
}

void pool_world_script(struct pool_world *w, const char *name, const char *text, char ret[160])
{
	char whole[2048];

	snprintf(ret, 160, "%s/%s", w->folder, name);
	snprintf(whole, sizeof(whole), "cd '%s' || exit 9\n%s\n", w->folder, text);
	file_write(ret, whole, 0644);
}

int pool_world_has(const struct pool_world *w, const char *file)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", w->state, file);
	return access(path, F_OK) == 0;
}

int pool_world_count(const struct pool_world *w, const char *prefix)
{
	DIR *dir = opendir(w->state);
	struct dirent *entry;
	int count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	closedir(dir);
	return count;
}

/* 1 if there was one to wait for. */
static int wait_run(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int waited;

	if (fd < 0)
		return 0;
	waited = flock(fd, LOCK_SH | LOCK_NB) != 0;
	/* Whoever waits in vain is ended by SIGALRM, which says so. */
	alarm(PATIENCE_S);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	alarm(0);
	close(fd);
	return waited;
}

void pool_world_wait_runs(struct pool_world *w)
{
	DIR *dir = opendir(w->state);
	struct dirent *entry;
	char path[400];

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		/* The lock as well: virtual time must not pass while another process has it. */
		if (strncmp(entry->d_name, "run-", 4) != 0 && strcmp(entry->d_name, "lock") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", w->state, entry->d_name);
		wait_run(path);
	}
	closedir(dir);
}

pid_t pool_world_fork(void)
{
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* What fails there must not run the rest of the tests. */
		setenv("CMOCKA_TEST_ABORT", "1", 1);
	}
	return pid;
}

/* ---- core and account ------------------------------------------------------------------ */

static int direct_commit(void *arg, struct step *step, struct lease_claim *what)
{
	struct pool_world *w = arg;
	struct err err = { 0 };

	if (w->die_before == (int)what->kind + 1)
		_exit(66);
	MUST(core_begin(w->core, &err) == 0);
	core_claim(w->core, step, what);
	MUST(core_flush(w->core, &err) == 0);
	/* Committed, and nobody is told: the worst moment. */
	if (w->die_at_commit > 0 && --w->die_at_commit == 0)
		_exit(66);
	return what->result;
}

static void start(void *arg, struct step *step)
{
	struct pool_world *w = arg;
	struct step **at = &w->queue;

	while (*at)
		at = &(*at)->next;
	step->next = NULL;
	step->claim = direct_commit;
	step->claim_arg = w;
	*at = step;
}

static const struct lessor_provider *plugin(void)
{
	static struct provider provider;
	static int is_loaded;
	struct err err = { 0 };

	if (!is_loaded)
		MUST(provider_load(STATIC_DIR, STATIC_NAME, &provider, &err) == 0);
	is_loaded = 1;
	return &provider.table;
}

static struct account_option *options_make(const struct pool_world *w, size_t *ret_count)
{
	struct account_option *options = xcalloc(16, sizeof(*options));
	size_t count = 0;

	options[count++] = (struct account_option){ xstrdup("inventory"), xstrdup(w->inventory) };
	options[count++] = (struct account_option){ xstrdup("state"), xstrdup(w->state) };
	for (int i = 0; i < w->option_count; i++)
		options[count++] = (struct account_option){ xstrdup(w->options[i][0]),
							    xstrdup(w->options[i][1]) };
	*ret_count = count;
	return options;
}

void pool_world_option(struct pool_world *w, const char *key, const char *value)
{
	TEXT_SET(w->options[w->option_count][0], key);
	TEXT_SET(w->options[w->option_count][1], value);
	w->option_count++;
}

void pool_world_make(struct pool_world *w, const char *inventory)
{
	memset(w, 0, sizeof(*w));
	log_setup(2, LOG_HUMAN, getenv("POOL_TRACE") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	w->now_ms = INT64_C(1800000000000);
	w->seed = 42;
	w->env = (struct env){ .wall_ms = world_now, .mono_ms = world_now, .random = world_random };
	/* Hundreds of lives that wait for no disk. */
	snprintf(w->folder, sizeof(w->folder), "%.40s/lessor-pool-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") :
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->state, sizeof(w->state), "%s/state", w->folder);
	snprintf(w->inventory, sizeof(w->inventory), "%s/pool.json", w->folder);
	snprintf(w->store, sizeof(w->store), "%s/store", w->folder);
	assert_int_equal(mkdir(w->state, 0700), 0);
	pool_world_inventory(w, inventory);
}

void pool_world_open(struct pool_world *w)
{
	struct account_config account = { .location_count = 2, .max_steps = 8,
					  .protect_retained = 1 };
	struct core_hooks hooks = { .start = start, .arg = w };
	struct engine_config config = {
		.env = &w->env, .account_count = 1, .worker_threads = 1, .settle_ms = 30000,
		.boot_ms = 600000, .probe_ms = 300000, .sweep_grace_ms = 3600000,
	};
	struct err err = { 0 };

	w->env.data = w;
	TEXT_SET(account.name, WORLD_ACCOUNT);
	TEXT_SET(account.provider, "static");
	TEXT_SET(account.locations[0], "pool");
	TEXT_SET(account.locations[1], "attic");
	TEXT_SET(account.image, "image");
	account.options = options_make(w, &account.option_count);
	MUST(account_new(&w->env, plugin(), &account, &w->account, &err) == 0);
	config.accounts = &w->account;
	MUST(store_open(w->store, &w->env, &config.store, &err) == 0);
	MUST(core_new(&config, &hooks, &w->core, &err) == 0);
}

void pool_world_start(struct pool_world *w)
{
	pool_world_open(w);
	pool_world_settle(w);
}

void pool_world_stop(struct pool_world *w)
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
	w->core = NULL;
}

void pool_world_reload(struct pool_world *w)
{
	struct err err = { 0 };

	MUST(core_begin(w->core, &err) == 0);
	core_reload(w->core);
	MUST(core_flush(w->core, &err) == 0);
	pool_world_settle(w);
}

void pool_world_end(struct pool_world *w)
{
	char command[128];

	assert_int_equal(w->violations, 0);
	if (w->core)
		pool_world_stop(w);
	pool_world_wait_runs(w);
	snprintf(command, sizeof(command), "rm -rf '%s'", w->folder);
	assert_int_equal(system(command), 0);
}

/* ---- time passes -------------------------------------------------------------------------- */

static void run_queue(struct pool_world *w)
{
	struct err err = { 0 };

	while (w->queue) {
		struct step *step = w->queue;

		w->queue = step->next;
		step->next = NULL;
		step_run(step);
		if (getenv("POOL_TRACE"))
			fprintf(stderr, "%lld %s %s verdict %d wait %lld: %s\n",
				(long long)w->now_ms, step->lease.id, step_op_name(step->op),
				step->verdict, (long long)step->wait_ms, step->reason);
		w->violations += step->violation;
		MUST(core_begin(w->core, &err) == 0);
		core_step_done(w->core, step);
		MUST(core_flush(w->core, &err) == 0);
	}
}

void pool_world_settle(struct pool_world *w)
{
	struct err err = { 0 };
	int64_t next;

	do {
		run_queue(w);
		MUST(core_begin(w->core, &err) == 0);
		core_due(w->core);
		MUST(core_flush(w->core, &err) == 0);
		next = core_next_ms(w->core);
	} while (w->queue || (next && next <= w->now_ms));
}

void pool_world_go(struct pool_world *w, const char *id, int64_t ms, pool_world_fn *is_over)
{
	int64_t until = w->now_ms + ms;

	for (;;) {
		struct lease l = pool_world_lease(w, id);
		int64_t next;

		if (is_over(w, &l))
			return;
		next = core_next_ms(w->core);
		if (!next || next > until)
			fail_msg("lease %s is %s, cleanup %s, after %lld s: %s %s %s", id,
				 lease_state_name(l.state), lease_cleanup_name(l.cleanup),
				 (long long)ms / 1000, l.failure, l.last_error, l.attention);
		pool_world_wait_runs(w);
		if (next > w->now_ms)
			w->now_ms = next;
		pool_world_settle(w);
	}
}

int is_active(struct pool_world *w, const struct lease *l)
{
	(void)w;
	return l->state == LEASE_ACTIVE;
}

int is_clean(struct pool_world *w, const struct lease *l)
{
	(void)w;
	return l->cleanup == CLEANUP_DONE;
}

int is_settled(struct pool_world *w, const struct lease *l)
{
	return is_active(w, l) || is_clean(w, l);
}

int is_in_attention(struct pool_world *w, const struct lease *l)
{
	(void)w;
	return l->cleanup == CLEANUP_ATTENTION;
}

/* ---- leases --------------------------------------------------------------------------------- */

struct asked {
	struct engine_request request;
	int answered;
};

static void answered(struct engine_request *request)
{
	((struct asked *)request->user)->answered = 1;
}

static void submit(struct pool_world *w, struct asked *a)
{
	struct err err = { 0 };

	a->request.done = answered;
	a->request.user = a;
	TEXT_SET(a->request.caller.owner, "alice");
	TEXT_SET(a->request.caller.org, "acme");
	MUST(core_begin(w->core, &err) == 0);
	core_request(w->core, &a->request);
	MUST(core_flush(w->core, &err) == 0);
}

static void ask(struct pool_world *w, struct asked *a)
{
	submit(w, a);
	if (!a->answered || (a->request.result != RESULT_OK && a->request.result != RESULT_CREATED))
		fail_msg("refused: %s: %s", a->request.code, a->request.message);
}

void pool_world_create(struct pool_world *w, const char *id, const char *type)
{
	struct asked *a = xcalloc(1, sizeof(*a));
	struct lease *l = &a->request.create;

	a->request.kind = REQUEST_CREATE;
	TEXT_SET(l->id, id);
	TEXT_SET(l->account, WORLD_ACCOUNT);
	snprintf(l->slug, sizeof(l->slug), "box-%.20s", id + 4);
	TEXT_SET(l->class_name, "standard");
	TEXT_SET(l->ssh_user, "crabbox");
	TEXT_SET(l->work_root, "/work/crabbox");
	TEXT_SET(l->public_key,
		 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5yBg7v5l4r0p8C0kq1J3m8ZkqX5b5w5y5e5r5t5y5u x");
	l->ssh_port = 2222;
	while (*type && l->type_count < LEASE_TYPES_MAX) {
		size_t len = strcspn(type, ",");

		snprintf(l->types[l->type_count++], sizeof(l->types[0]), "%.*s", (int)len, type);
		type += len + (type[len] == ',');
	}
	l->ttl_ms = 24 * 3600000;
	l->idle_ms = 24 * 3600000;
	ask(w, a);
	free(a);
}

void pool_world_release(struct pool_world *w, const char *id, int delete_machine)
{
	struct asked *a = xcalloc(1, sizeof(*a));

	a->request.kind = REQUEST_RELEASE;
	TEXT_SET(a->request.ref, id);
	a->request.delete_machine = delete_machine;
	ask(w, a);
	free(a);
}

void pool_world_keep_refused(struct pool_world *w, const char *id, const char *code)
{
	struct asked *a = xcalloc(1, sizeof(*a));

	a->request.kind = REQUEST_RELEASE;
	TEXT_SET(a->request.ref, id);
	submit(w, a);
	assert_true(a->answered);
	assert_string_equal(a->request.code, code);
	free(a);
}

uint32_t pool_world_state(struct pool_world *w, const char *id)
{
	struct lease l = pool_world_lease(w, id);
	struct ledger ledger;
	struct err err = { 0 };
	uint32_t state;

	MUST(store_ledger(core_store(w->core), l.n, &ledger, &err) == 0);
	assert_true(ledger.resource_count > 0);
	state = ledger.resources[ledger.resource_count - 1].state;
	ledger_fini(&ledger);
	return state;
}

struct lease pool_world_lease(struct pool_world *w, const char *id)
{
	struct lease l = { 0 };
	struct err err = { 0 };

	MUST(store_lease_by_id(core_store(w->core), id, &l, &err) == 0);
	return l;
}

struct lease pool_world_take(struct pool_world *w, const char *id, const char *type)
{
	pool_world_create(w, id, type);
	pool_world_go(w, id, 300000, is_settled);
	return pool_world_lease(w, id);
}

struct lease pool_world_give(struct pool_world *w, const char *id)
{
	pool_world_release(w, id, 1);
	pool_world_go(w, id, 300000, is_clean);
	return pool_world_lease(w, id);
}
