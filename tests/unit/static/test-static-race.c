/* SPDX-License-Identifier: MIT */
/*
 * Concurrency: processes that share a state directory and are killed at random, and the engine's
 * threads with two pools. The holder of a host creates a directory with its name, which only one
 * can do.
 */
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "unit/test.h"
#include "pool-world.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

#define PROCESSES 3
#define HOSTS 4
#define ROUNDS 12

static const char inventory[] =
	"{'defaults': {'types': ['small'], 'reset': ['/bin/true']}, 'hosts': ["
	"{'name': 'a1', 'address': '192.0.2.1'}, {'name': 'a2', 'address': '192.0.2.2'},"
	"{'name': 'a3', 'address': '192.0.2.3'}, {'name': 'a4', 'address': '192.0.2.4'}]}";

/* ---- processes ---------------------------------------------------------------------------- */

static void claim_path(const struct pool_world *w, const char *host, char ret[160])
{
	snprintf(ret, 160, "%s/claim-%s", w->d.folder, host);
}

/*
 * The life of one daemon: acquires what is available, two at a time, and returns it. What it
 * already has is its own: the lease's record says so, whoever created it.
 */
static void daemon_lives(struct pool_world *w, int number, int round)
{
	char ids[2][32], path[160];
	int has[2];

	pool_world_start(w);
	for (int i = 0; i < 2; i++) {
		struct lease l;

		snprintf(ids[i], sizeof(ids[i]), "cbx_%04d%04d%04d", number, round, i);
		l = pool_world_take(w, ids[i], "small");
		has[i] = l.state == LEASE_ACTIVE;
		if (!has[i])
			continue;
		claim_path(w, l.server_name, path);
		if (mkdir(path, 0700))
			_exit(50); /* somebody else has it too */
	}
	for (int i = 0; i < 2; i++) {
		if (!has[i])
			continue;
		claim_path(w, pool_world_lease(w, ids[i]).server_name, path);
		if (rmdir(path))
			_exit(51);
		pool_world_give(w, ids[i]);
	}
	pool_world_stop(w);
	_exit(0);
}

/* Everything that an earlier life of this daemon left is returned. */
static void daemon_tidies(struct pool_world *w, int number, int rounds)
{
	char id[32], path[160];

	w->d.now_ms += 1000;
	pool_world_start(w);
	for (int n = 0; n < rounds * 2; n++) {
		struct lease l;

		snprintf(id, sizeof(id), "cbx_%04d%04d%04d", number, n / 2, n % 2);
		if (store_lease_by_id(core_store(w->d.core), id, &l, NULL))
			continue;
		pool_world_go(w, id, 3600000, is_settled);
		l = pool_world_lease(w, id);
		if (l.state != LEASE_ACTIVE)
			continue;
		claim_path(w, l.server_name, path);
		if (rmdir(path) && errno != ENOENT)
			_exit(52);
		pool_world_give(w, id);
	}
	pool_world_stop(w);
	_exit(0);
}

static void world_of(const struct pool_world *shared, int number, struct pool_world *ret)
{
	*ret = *shared;
	ret->d.arg = ret;
	/* A tail queue points into its own head. */
	STAILQ_INIT(&ret->d.queue);
	snprintf(ret->d.path, sizeof(ret->d.path), "%s/store-%d", shared->d.folder, number);
	ret->d.seed = 1000u + (uint32_t)number;
}

static pid_t daemon_fork(const struct pool_world *shared, int number, int round, int tidies)
{
	pid_t pid = pool_world_fork();
	struct pool_world w;

	if (pid)
		return pid;
	world_of(shared, number, &w);
	if (tidies)
		daemon_tidies(&w, number, round);
	daemon_lives(&w, number, round);
	_exit(53);
}

/* Reports each change of a file in the state directory, and of the databases next to it. */
static int changes_open(const struct pool_world *w)
{
	const uint32_t mask = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MODIFY;
	int fd = inotify_init1(IN_CLOEXEC);

	assert_true(inotify_add_watch(fd, w->d.folder, mask) >= 0);
	assert_true(inotify_add_watch(fd, w->state, mask) >= 0);
	return fd;
}

/* Waits for this many changes, or until `victim` has ended. */
static void changes_wait(int fd, int count, pid_t victim)
{
	struct pollfd fds[2] = { { .fd = fd, .events = POLLIN },
				 { .fd = (int)syscall(SYS_pidfd_open, victim, 0), .events = POLLIN } };
	_Alignas(struct inotify_event) char events[4096];

	while (count > 0) {
		ssize_t len;

		assert_true(poll(fds, 2, 60000) > 0);
		if (fds[1].revents)
			break;
		len = read(fd, events, sizeof(events));
		assert_true(len > 0);
		for (ssize_t at = 0; at < len; count--) {
			const struct inotify_event *e = (const void *)(events + at);

			at += (ssize_t)(sizeof(*e) + e->len);
		}
	}
	close(fds[1].fd);
}

static int reap(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void daemons_that_share_and_die(void **state)
{
	struct pool_world w;
	int killed = 0;

	(void)state;
	pool_world_make(&w, inventory);
	pool_world_option(&w, "poll", "10ms");
	for (int round = 0; round < ROUNDS; round++) {
		int changes = changes_open(&w);
		pid_t pids[PROCESSES];

		for (int i = 0; i < PROCESSES; i++)
			pids[i] = daemon_fork(&w, i, round, 0);
		/* Each time at another of the first changes of their lives, which have 500 or more. */
		changes_wait(changes, round * 7919 % 400, pids[round % PROCESSES]);
		kill(pids[round % PROCESSES], SIGKILL);
		close(changes);
		for (int i = 0; i < PROCESSES; i++) {
			int code = reap(pids[i]);

			if (code && code != 128 + SIGKILL)
				fail_msg("round %d: daemon %d ended with %d", round, i, code);
			killed += code != 0;
		}
		for (int i = 0; i < PROCESSES; i++)
			assert_int_equal(reap(daemon_fork(&w, i, round + 1, 1)), 0);
		assert_int_equal(pool_world_count(&w, "host-"), 0);
	}
	print_message("%d of %d lives were killed\n", killed, ROUNDS * PROCESSES);
	assert_in_range(killed, 1, ROUNDS);
	assert_int_equal(pool_world_count(&w, "mark-"), PROCESSES);
	pool_world_end(&w);
}

/* ---- threads --------------------------------------------------------------------------------- */

#define LEASES 16

struct threads_asked {
	struct engine_request request;
	sem_t answered;
};

static void answered(struct engine_request *request)
{
	sem_post(&((struct threads_asked *)request->user)->answered);
}

static void submit(struct engine *engine, struct threads_asked *a)
{
	a->request.done = answered;
	a->request.user = a;
	a->request.wait_ms = 60000;
	TEXT_SET(a->request.caller.owner, "alice");
	TEXT_SET(a->request.caller.org, "acme");
	sem_init(&a->answered, 0, 0);
	engine_submit(engine, &a->request);
}

static void await(struct threads_asked *a)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	assert_int_equal(sem_timedwait(&a->answered, &until), 0);
	sem_destroy(&a->answered);
}

static void broken(void *arg, const char *why)
{
	(void)arg;
	fprintf(stderr, "the store is broken: %s\n", why);
	abort();
}

static void account_open(const struct env *env, const char *name, const struct pool_world *w,
			 struct account **ret)
{
	const char *const options[] = { "inventory", w->inventory, "state", w->state,
					"poll",	     "10ms",	   NULL };
	struct account_config config = { .provider = "static",
					 .location_count = 1,
					 .locations = { "pool" },
					 .image = "image",
					 .max_steps = 8,
					 .protect_retained = 1 };
	struct err err = { 0 };

	TEXT_SET(config.name, name);
	driver_options(&config, options);
	if (account_new(env, driver_plugin(STATIC_SO), &config, ret, &err))
		fail_msg("%s", err.text);
}

static void ask_create(struct threads_asked *a, int n)
{
	struct lease *l = &a->request.create;
	char id[24];

	memset(a, 0, sizeof(*a));
	a->request.kind = REQUEST_CREATE;
	snprintf(id, sizeof(id), "cbx_%012d", n);
	driver_wish(l, id, n % 2 ? "pool1" : "pool0", "small");
	snprintf(l->slug, sizeof(l->slug), "box-%d", n);
	l->ttl_ms = l->idle_ms = 3600000;
}

static void the_engines_threads(void **state)
{
	static struct threads_asked asked[LEASES];
	struct pool_world w[2];
	struct account *accounts[2];
	struct env env;
	struct engine_config config = {
		.env = &env, .accounts = accounts, .account_count = 2, .worker_threads = 4,
		.settle_ms = 100, .boot_ms = 600000, .probe_ms = 300000, .sweep_grace_ms = 3600000,
		.on_broken = broken,
	};
	struct engine *engine = NULL;
	struct err err = { 0 };
	int held[2][HOSTS + 1] = { { 0 } };

	(void)state;
	env_system(&env);
	for (int i = 0; i < 2; i++) {
		char name[16];

		pool_world_make(&w[i], inventory);
		snprintf(name, sizeof(name), "pool%d", i);
		account_open(&env, name, &w[i], &accounts[i]);
	}
	assert_int_equal(store_open(w[0].d.path, &env, &config.store, &err), 0);
	assert_int_equal(engine_new(&config, &engine, &err), 0);
	/* Twice as many as there are hosts, all at once. */
	for (int i = 0; i < LEASES; i++) {
		ask_create(&asked[i], i);
		submit(engine, &asked[i]);
	}
	for (int i = 0; i < LEASES; i++) {
		const struct lease *l = &asked[i].request.lease;

		await(&asked[i]);
		if (l->state == LEASE_ACTIVE)
			held[i % 2][strtol(l->server_name + 1, NULL, 10)]++;
		else
			assert_int_equal(l->end_reason, LEASE_END_CLASS_CAPACITY);
	}
	for (int i = 0; i < 2; i++) {
		for (int h = 1; h <= HOSTS; h++)
			assert_int_equal(held[i][h], 1);
	}
	for (int i = 0; i < LEASES; i++) {
		memset(&asked[i], 0, sizeof(asked[i]));
		asked[i].request.kind = REQUEST_RELEASE;
		snprintf(asked[i].request.ref, sizeof(asked[i].request.ref), "cbx_%012d", i);
		asked[i].request.delete_machine = 1;
		submit(engine, &asked[i]);
	}
	for (int i = 0; i < LEASES; i++) {
		await(&asked[i]);
		assert_int_equal(asked[i].request.lease.cleanup, CLEANUP_DONE);
	}
	engine_stop(engine, 10000);
	engine_free(engine);
	for (int i = 0; i < 2; i++) {
		account_free(accounts[i]);
		assert_int_equal(pool_world_count(&w[i], "host-"), 0);
		pool_world_end(&w[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(daemons_that_share_and_die),
		cmocka_unit_test(the_engines_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
