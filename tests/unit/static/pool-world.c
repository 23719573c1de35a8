/* SPDX-License-Identifier: MIT */
#include "pool-world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/test.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

#define PATIENCE_S 60

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

	snprintf(ret, 160, "%s/%s", w->d.folder, name);
	snprintf(whole, sizeof(whole), "cd '%s' || exit 9\n%s\n", w->d.folder, text);
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

static void count_violation(void *arg, struct step *step)
{
	((struct pool_world *)arg)->violations += step->violation;
}

static void die_before(void *arg, const struct lease_claim *claim)
{
	if (((struct pool_world *)arg)->die_before == (int)claim->kind + 1)
		_exit(66);
}

/* Committed, and nobody is told: the worst moment. */
static void die_after(void *arg, struct step *step, const struct lease_claim *claim)
{
	struct pool_world *w = arg;

	(void)step;
	(void)claim;
	if (w->die_at_commit > 0 && --w->die_at_commit == 0)
		_exit(66);
}

static void option_add(struct pool_world *w, const char *key, const char *value)
{
	w->options[w->option_count][0] = key;
	w->options[w->option_count++][1] = value;
}

void pool_world_option(struct pool_world *w, const char *key, const char *value)
{
	char(*texts)[96] = &w->texts[2 * (w->option_count - 2)];

	TEXT_SET(texts[0], key);
	TEXT_SET(texts[1], value);
	option_add(w, texts[0], texts[1]);
}

void pool_world_make(struct pool_world *w, const char *inventory)
{
	static const struct driver_hooks hooks = { .claiming = die_before,
						   .claimed = die_after,
						   .ran = count_violation };

	memset(w, 0, sizeof(*w));
	log_setup(2, LOG_HUMAN, getenv("DRIVER_TRACE") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	driver_init(&w->d, &hooks, w);
	driver_folder(&w->d, "pool");
	w->d.commits_each_claim = 1;
	snprintf(w->state, sizeof(w->state), "%s/state", w->d.folder);
	snprintf(w->inventory, sizeof(w->inventory), "%s/pool.json", w->d.folder);
	assert_int_equal(mkdir(w->state, 0700), 0);
	pool_world_inventory(w, inventory);
	option_add(w, "inventory", w->inventory);
	option_add(w, "state", w->state);
}

void pool_world_open(struct pool_world *w)
{
	struct account_config account = { .name = WORLD_ACCOUNT,
					  .location_count = 2,
					  .locations = { "pool", "attic" },
					  .image = "image",
					  .max_steps = 8,
					  .protect_retained = 1 };

	w->d.config.settle_ms = 30000;
	w->d.config.boot_ms = 600000;
	w->d.config.probe_ms = 300000;
	w->d.config.sweep_grace_ms = 3600000;
	driver_account(&w->d, driver_plugin(STATIC_SO), &account, &w->options[0][0]);
	driver_open(&w->d);
}

void pool_world_start(struct pool_world *w)
{
	pool_world_open(w);
	pool_world_settle(w);
}

void pool_world_stop(struct pool_world *w)
{
	driver_close(&w->d);
	driver_account_free(&w->d);
}

void pool_world_reload(struct pool_world *w)
{
	driver_begin(&w->d);
	core_reload(w->d.core);
	driver_flush(&w->d);
	pool_world_settle(w);
}

void pool_world_end(struct pool_world *w)
{
	assert_int_equal(w->violations, 0);
	if (w->d.core)
		pool_world_stop(w);
	pool_world_wait_runs(w);
	driver_folder_remove(&w->d);
}

/* ---- time passes -------------------------------------------------------------------------- */

void pool_world_settle(struct pool_world *w)
{
	assert_int_equal(driver_settle(&w->d), 0);
}

void pool_world_go(struct pool_world *w, const char *id, int64_t ms, pool_world_fn *is_over)
{
	int64_t until = w->d.now_ms + ms;

	for (;;) {
		struct lease l = pool_world_lease(w, id);
		int64_t next;

		if (is_over(w, &l))
			return;
		next = driver_next_ms(&w->d);
		if (!next || next > until)
			fail_msg("lease %s is %s, cleanup %s, after %lld s: %s %s %s", id,
				 lease_state_name(l.state), lease_cleanup_name(l.cleanup),
				 (long long)ms / 1000, l.failure, l.last_error, l.attention);
		pool_world_wait_runs(w);
		if (next > w->d.now_ms)
			w->d.now_ms = next;
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

static void ask(struct pool_world *w, struct asked *a)
{
	driver_ask(&w->d, a);
	if (!a->answered || (a->request.result != RESULT_OK && a->request.result != RESULT_CREATED))
		fail_msg("refused: %s: %s", a->request.code, a->request.message);
}

void pool_world_create(struct pool_world *w, const char *id, const char *type)
{
	struct asked *a = xcalloc(1, sizeof(*a));
	struct lease *l = &a->request.create;

	a->request.kind = REQUEST_CREATE;
	driver_wish(l, id, WORLD_ACCOUNT, type);
	snprintf(l->slug, sizeof(l->slug), "box-%.20s", id + 4);
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
	driver_ask(&w->d, a);
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

	MUST(store_ledger(core_store(w->d.core), l.n, &ledger, &err) == 0);
	assert_true(ledger.resource_count > 0);
	state = ledger.resources[ledger.resource_count - 1].state;
	ledger_fini(&ledger);
	return state;
}

struct lease pool_world_lease(struct pool_world *w, const char *id)
{
	struct lease l = { 0 };

	assert_int_equal(driver_lease(&w->d, id, &l), 0);
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
