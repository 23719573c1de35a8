/* SPDX-License-Identifier: MIT */
/*
 * The hooks of a host, probe, prepare and reset: how they end or fail to end, and what that
 * means for the host and the lease.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/test.h"
#include "pool-world.h"

#define ID(n) "cbx_00000000000" #n

static void make(struct pool_world *w)
{
	pool_world_make(w, "{'hosts': []}");
	pool_world_option(w, "poll", "10ms");
}

/* One host, a1; each of the scripts may be NULL. */
static void begin(struct pool_world *w, const char *probe, const char *prepare, const char *reset)
{
	const char *const names[] = { "probe", "prepare", "reset" };
	const char *const texts[] = { probe, prepare, reset };
	char text[1024], path[160];
	int len;

	len = snprintf(text, sizeof(text), "{'hosts': [{'name': 'a1', 'address': '192.0.2.1', "
		       "'types': ['small']");
	for (int i = 0; i < 3; i++) {
		if (!texts[i])
			continue;
		pool_world_script(w, names[i], texts[i], path);
		len += snprintf(text + len, sizeof(text) - (size_t)len,
				", '%s': ['/bin/sh', '%s', '{host} {address}']", names[i], path);
	}
	snprintf(text + len, sizeof(text) - (size_t)len, "}]}");
	pool_world_inventory(w, text);
	pool_world_start(w);
}

/* A file in the world's directory; "" if it does not exist. */
static const char *said(const struct pool_world *w, const char *name)
{
	static char text[4096];
	char path[160];
	FILE *file;
	size_t len = 0;

	snprintf(path, sizeof(path), "%s/%s", w->d.folder, name);
	file = fopen(path, "r");
	if (file) {
		len = fread(text, 1, sizeof(text) - 1, file);
		fclose(file);
	}
	text[len] = '\0';
	return text;
}

static int lines(const struct pool_world *w, const char *name)
{
	const char *text = said(w, name);
	int count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

static void touch(const struct pool_world *w, const char *name)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", w->d.folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void fifo(const struct pool_world *w, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", w->d.folder, name);
	assert_int_equal(mkfifo(path, 0600), 0);
}

/* Waits for the script that reads this FIFO, and lets it continue. */
static void let_go(const struct pool_world *w, const char *name)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", w->d.folder, name);
	alarm(60);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	alarm(0);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "\n", 1), 1);
	close(fd);
}

/* Waits for a script that writes to this FIFO; returns what it wrote. */
static long hear(const struct pool_world *w, const char *name)
{
	char path[160], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/%s", w->d.folder, name);
	alarm(60);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	alarm(0);
	close(fd);
	return strtol(text, NULL, 10);
}

static void expect_active(const struct lease *l, const char *host)
{
	if (l->state != LEASE_ACTIVE)
		fail_msg("%s is %s: %s %s", l->id, lease_state_name(l->state), l->failure,
			 l->last_error);
	assert_string_equal(l->server_name, host);
}

static void expect_failed(const struct lease *l, const char *text)
{
	assert_int_equal(l->state, LEASE_FAILED);
	if (!strstr(l->failure, text))
		fail_msg("\"%s\" is not in \"%s\"", text, l->failure);
}

/* ---- reset ------------------------------------------------------------------------------------ */

static void a_failed_reset_keeps_the_host(void **state)
{
	struct pool_world w;
	struct lease l;
	int runs;

	(void)state;
	make(&w);
	begin(&w, NULL, NULL, "echo \"$1\" >>ran\n[ -e fixed ] || { echo 'no disk'; exit 3; }");
	l = pool_world_take(&w, ID(1), "small");
	expect_active(&l, "a1");
	pool_world_release(&w, ID(1), 1);
	pool_world_go(&w, ID(1), 60000, is_in_attention);
	l = pool_world_lease(&w, ID(1));
	assert_string_equal(l.attention,
			    "the reset of host a1 failed: exit status 3; the host "
			    "stays allocated until a reset succeeds; once that is fixed: lessor resolve " ID(
				    1) " retry");
	assert_string_equal(said(&w, "ran"), "a1 192.0.2.1\n");
	/* It had no effect, so the next one needs its own permit. */
	assert_int_equal(pool_world_state(&w, ID(1)), LESSOR_STATE_PRESENT);
	l = pool_world_take(&w, ID(2), "small");
	expect_failed(&l, "no host is free: of 1, 1 being reset");
	/* Slow retries; the lease stays in attention, also while one is running. */
	for (int64_t until = w.d.now_ms + 6 * 3600000; w.d.now_ms < until;) {
		pool_world_wait_runs(&w);
		w.d.now_ms += 1000;
		pool_world_settle(&w);
		l = pool_world_lease(&w, ID(1));
		assert_int_equal(l.cleanup, CLEANUP_ATTENTION);
	}
	runs = lines(&w, "ran");
	assert_in_range(runs, 4, 20);
	/* Also through a crash. */
	pool_world_stop(&w);
	pool_world_start(&w);
	l = pool_world_take(&w, ID(3), "small");
	expect_failed(&l, "1 being reset");
	touch(&w, "fixed");
	pool_world_go(&w, ID(1), 3 * 3600000, is_clean);
	assert_int_equal(lines(&w, "ran"), runs + 1);
	l = pool_world_take(&w, ID(4), "small");
	expect_active(&l, "a1");
	pool_world_give(&w, ID(4));
	pool_world_end(&w);
}

/* Waits until a process has ended. */
static void expect_end(pid_t pid)
{
	struct pollfd one = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };

	if (one.fd < 0) {
		assert_int_equal(errno, ESRCH);
		return;
	}
	if (poll(&one, 1, 60000) != 1)
		fail_msg("process %d is still there", (int)pid);
	close(one.fd);
}

/* It ignores SIGTERM, and has a child that left its process group. */
static void a_reset_that_hangs(void **state)
{
	struct pool_world w;
	struct lease l;
	pid_t child;

	(void)state;
	make(&w);
	pool_world_option(&w, "reset_timeout", "300ms");
	fifo(&w, "child");
	fifo(&w, "never");
	begin(&w, NULL, NULL, "trap '' TERM\nsetsid sh -c 'echo $$ >child; read x <never' &\n"
	      "while :; do read x <never; done");
	pool_world_take(&w, ID(1), "small");
	pool_world_release(&w, ID(1), 1);
	pool_world_settle(&w);
	child = (pid_t)hear(&w, "child");
	assert_true(child > 1);
	pool_world_go(&w, ID(1), 60000, is_in_attention);
	l = pool_world_lease(&w, ID(1));
	assert_non_null(strstr(l.attention, "it exceeded its timeout"));
	expect_end(child);
	assert_true(pool_world_has(&w, "host-a1.json"));
	pool_world_end(&w);
}

static void a_reset_outlives_the_daemon(void **state)
{
	struct pool_world w;

	(void)state;
	make(&w);
	fifo(&w, "gate");
	begin(&w, NULL, NULL, "echo >>ran\nread x <gate");
	pool_world_take(&w, ID(1), "small");
	pool_world_release(&w, ID(1), 1);
	pool_world_settle(&w);
	assert_int_equal(pool_world_count(&w, "run-"), 1);
	assert_int_equal(pool_world_state(&w, ID(1)), LESSOR_STATE_DELETING);
	pool_world_keep_refused(&w, ID(1), "cleanup_in_progress");
	for (int i = 0; i < 5; i++) {
		pool_world_stop(&w);
		w.d.now_ms += 5000;
		pool_world_start(&w);
		assert_true(pool_world_has(&w, "host-a1.json"));
	}
	let_go(&w, "gate");
	/* The delete was accepted: one observation of absence is enough. */
	pool_world_go(&w, ID(1), 5000, is_clean);
	assert_int_equal(lines(&w, "ran"), 1);
	assert_int_equal(pool_world_count(&w, "run-"), 0);
	pool_world_end(&w);
}

/* We died before the ledger recorded it: it is found running and not started again. */
static void a_reset_that_nobody_wrote_down(void **state)
{
	struct pool_world w;
	struct lease l;
	pid_t pid;
	int status;

	(void)state;
	make(&w);
	fifo(&w, "gate");
	begin(&w, NULL, NULL, "echo >>ran\nread x <gate");
	pool_world_take(&w, ID(1), "small");
	pool_world_stop(&w);
	pid = pool_world_fork();
	if (pid == 0) {
		w.die_before = CLAIM_DELETING + 1;
		pool_world_start(&w);
		pool_world_release(&w, ID(1), 1);
		pool_world_settle(&w);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 66);
	/* At the start it is only known that a permit was granted. */
	pool_world_open(&w);
	assert_int_equal(pool_world_state(&w, ID(1)), LESSOR_STATE_DELETE_UNKNOWN);
	pool_world_keep_refused(&w, ID(1), "cleanup_in_progress");
	pool_world_settle(&w);
	assert_int_equal(pool_world_state(&w, ID(1)), LESSOR_STATE_DELETING);
	l = pool_world_lease(&w, ID(1));
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	assert_int_equal(pool_world_count(&w, "run-"), 1);
	for (int i = 0; i < 10; i++) {
		w.d.now_ms += 1000;
		pool_world_settle(&w);
	}
	assert_true(pool_world_has(&w, "host-a1.json"));
	let_go(&w, "gate");
	pool_world_go(&w, ID(1), 60000, is_clean);
	assert_int_equal(lines(&w, "ran"), 1);
	pool_world_end(&w);
}

static pid_t supervisor_of(const struct pool_world *w)
{
	DIR *dir = opendir(w->state);
	struct dirent *entry;
	char path[400], line[128];
	pid_t pid = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		FILE *file;

		if (strncmp(entry->d_name, "run-", 4) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", w->state, entry->d_name);
		file = fopen(path, "r");
		assert_non_null(file);
		while (fgets(line, sizeof(line), file)) {
			if (strncmp(line, "pid ", 4) == 0)
				pid = (pid_t)strtol(line + 4, NULL, 10);
		}
		fclose(file);
	}
	closedir(dir);
	return pid;
}

/* Without an outcome it is repeated; the command dies with its supervisor. */
static void a_supervisor_that_is_killed(void **state)
{
	struct pool_world w;
	struct lease l;
	pid_t pid, command;

	(void)state;
	make(&w);
	fifo(&w, "told");
	fifo(&w, "never");
	begin(&w, NULL, NULL, "echo >>ran\n[ -e fixed ] && exit 0\necho $$ >told\n"
	      "read x <never");
	pool_world_take(&w, ID(1), "small");
	pool_world_release(&w, ID(1), 1);
	pool_world_settle(&w);
	command = (pid_t)hear(&w, "told");
	pid = supervisor_of(&w);
	assert_true(pid > 1);
	/* Like the service manager, kills all our processes. */
	assert_int_equal(kill(pid, SIGTERM), 0);
	expect_end(pid);
	expect_end(command);
	touch(&w, "fixed");
	l = pool_world_lease(&w, ID(1));
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	pool_world_go(&w, ID(1), 60000, is_clean);
	assert_int_equal(lines(&w, "ran"), 2);
	pool_world_end(&w);
}

/* While any of its processes is alive it has not ended and is not started again. */
static void what_a_supervisor_leaves_behind(void **state)
{
	struct pool_world w;
	struct lease l;
	pid_t rest;

	(void)state;
	make(&w);
	fifo(&w, "told");
	fifo(&w, "never");
	begin(&w, NULL, NULL, "echo >>ran\n[ -e fixed ] && exit 0\n(read x <never) &\n"
	      "echo $! >told\nwait");
	pool_world_take(&w, ID(1), "small");
	pool_world_release(&w, ID(1), 1);
	pool_world_settle(&w);
	rest = (pid_t)hear(&w, "told");
	assert_int_equal(kill(supervisor_of(&w), SIGKILL), 0);
	for (int i = 0; i < 120; i++) {
		w.d.now_ms += 10000;
		pool_world_settle(&w);
		assert_true(pool_world_has(&w, "host-a1.json"));
	}
	assert_int_equal(lines(&w, "ran"), 1);
	l = pool_world_lease(&w, ID(1));
	assert_int_equal(l.cleanup, CLEANUP_ATTENTION);
	assert_non_null(strstr(l.attention, "exceeded its timeout and cannot be stopped"));
	touch(&w, "fixed");
	assert_int_equal(kill(rest, SIGKILL), 0);
	pool_world_go(&w, ID(1), 3 * 3600000, is_clean);
	assert_int_equal(lines(&w, "ran"), 2);
	pool_world_end(&w);
}

/* The host is no longer in the inventory: the command stored at its allocation is run. */
static void a_host_that_left_is_reset(void **state)
{
	struct pool_world w;
	struct lease l;

	(void)state;
	make(&w);
	begin(&w, NULL, NULL, "echo \"$1 $LESSOR_ACTION $LESSOR_LEASE\" >>ran");
	pool_world_take(&w, ID(1), "small");
	pool_world_stop(&w);
	pool_world_inventory(&w, "{'hosts': []}");
	pool_world_start(&w);
	pool_world_give(&w, ID(1));
	assert_string_equal(said(&w, "ran"), "a1 192.0.2.1 reset " ID(1) "\n");
	l = pool_world_take(&w, ID(2), "small");
	expect_failed(&l, "no such host");
	pool_world_end(&w);
}

/* ---- probe ------------------------------------------------------------------------------------ */

static int listen_at(int *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

/* Sends `text` to each client until it is killed. */
static pid_t greeter(int fd, const char *text)
{
	pid_t pid = pool_world_fork();

	while (pid == 0) {
		int client = accept(fd, NULL, NULL);

		if (client < 0 || write(client, text, strlen(text)) < 0)
			_exit(1);
		close(client);
	}
	return pid;
}

static void end_greeter(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void only_hosts_that_are_well(void **state)
{
	struct pool_world w;
	struct lease l;
	struct ledger ledger;
	int closed, web, silent, ssh;
	/* The closed one must not be inherited. */
	int closed_rc = close(listen_at(&closed));
	int web_fd = listen_at(&web), silent_fd = listen_at(&silent), ssh_fd = listen_at(&ssh);
	pid_t web_pid = greeter(web_fd, "HTTP/1.1 400 no SSH-2.0\r\n");
	pid_t ssh_pid = greeter(ssh_fd, "a banner\r\nSSH-2.0-test\r\n");
	char text[1024];

	(void)state;
	make(&w);
	pool_world_option(&w, "probe_timeout", "300ms");
	snprintf(text, sizeof(text),
		 "{'defaults': {'types': ['small'], 'probe': 'ssh'}, 'hosts': ["
		 "{'name': 'closed', 'address': '127.0.0.1', 'port': %d, 'probe': 'tcp'},"
		 "{'name': 'web', 'address': '127.0.0.1', 'port': %d},"
		 "{'name': 'silent', 'address': '127.0.0.1', 'port': %d},"
		 "{'name': 'good', 'address': '127.0.0.1', 'port': %d}]}", closed, web, silent, ssh);
	assert_int_equal(closed_rc, 0);
	pool_world_inventory(&w, text);
	pool_world_start(&w);
	l = pool_world_take(&w, ID(1), "small");
	expect_active(&l, "good");
	assert_int_equal(store_ledger(core_store(w.d.core), l.n, &ledger, NULL), 0);
	assert_int_equal(ledger.attempt_count, 4);
	assert_string_equal(ledger.attempts[0].reason,
			    "the probe of host closed failed: its port refuses connections");
	assert_string_equal(ledger.attempts[1].reason,
			    "the probe of host web failed: its port does not speak SSH");
	assert_string_equal(ledger.attempts[2].reason,
			    "the probe of host silent failed: no answer in time");
	ledger_fini(&ledger);
	assert_int_equal(pool_world_count(&w, "host-"), 1);
	/* The next lease does not retry what just failed. */
	l = pool_world_take(&w, ID(2), "small");
	expect_failed(&l, "no host is free: of 4, 1 leased, 3 unhealthy");
	pool_world_give(&w, ID(1));
	/* Later it does; an accepting port is enough for "tcp". */
	close(silent_fd);
	w.d.now_ms += 300000;
	snprintf(text, sizeof(text), "{'hosts': [{'name': 'good', 'address': '127.0.0.1', "
		 "'port': %d, 'types': ['small'], 'probe': 'tcp'}]}", web);
	pool_world_stop(&w);
	pool_world_inventory(&w, text);
	pool_world_start(&w);
	l = pool_world_take(&w, ID(3), "small");
	expect_active(&l, "good");
	end_greeter(web_pid);
	end_greeter(ssh_pid);
	close(web_fd);
	close(ssh_fd);
	pool_world_end(&w);
}

static void a_probe_that_is_a_command(void **state)
{
	struct pool_world w;
	struct lease l;

	(void)state;
	make(&w);
	begin(&w, "[ -e fixed ]", NULL, "echo >>ran");
	l = pool_world_take(&w, ID(1), "small");
	expect_failed(&l, "small in pool: the probe of host a1 failed: exit status 1");
	/* Nobody had used it: nothing to reset. */
	assert_int_equal(lines(&w, "ran"), 0);
	touch(&w, "fixed");
	w.d.now_ms += 120001;
	l = pool_world_take(&w, ID(2), "small");
	expect_active(&l, "a1");
	pool_world_give(&w, ID(2));
	assert_int_equal(lines(&w, "ran"), 1);
	pool_world_end(&w);
}

/* The client does not wait: the probe is stopped, and the host is free. */
static void a_release_ends_a_probe_that_hangs(void **state)
{
	struct pool_world w;
	struct lease l;

	(void)state;
	make(&w);
	pool_world_option(&w, "probe_timeout", "10m");
	fifo(&w, "told");
	fifo(&w, "never");
	begin(&w, "[ -e fixed ] && exit 0\necho $$ >told\nread x <never", NULL, "echo >>ran");
	pool_world_create(&w, ID(1), "small");
	for (int i = 0; i < 10; i++) {
		w.d.now_ms += 10;
		pool_world_settle(&w);
	}
	hear(&w, "told");
	assert_int_equal(pool_world_lease(&w, ID(1)).state, LEASE_PROVISIONING);
	pool_world_release(&w, ID(1), 1);
	pool_world_settle(&w);
	pool_world_go(&w, ID(1), 60000, is_clean);
	assert_int_equal(pool_world_count(&w, "host-"), 0);
	assert_int_equal(lines(&w, "ran"), 0);
	touch(&w, "fixed");
	l = pool_world_take(&w, ID(2), "small");
	expect_active(&l, "a1");
	pool_world_end(&w);
}

/* ---- prepare ------------------------------------------------------------------------------------ */

static void what_a_command_is_given(void **state)
{
	struct pool_world w;
	const char *text;

	(void)state;
	make(&w);
	assert_int_equal(setenv("LESSOR_SECRET", "hush", 1), 0);
	begin(&w, NULL, "cat >stdin\nenv >env\nls /proc/self/fd >fd\n"
	      "awk '/^Sig(Blk|Ign)/ { print $2 }' /proc/self/status >signals",
	      "cat >stdin2; [ ! -s stdin2 ]");
	pool_world_take(&w, ID(1), "small");
	text = said(&w, "stdin");
	assert_string_equal(text, DRIVER_PUBLIC_KEY "\n");
	text = said(&w, "env");
	assert_null(strstr(text, "hush"));
	assert_non_null(strstr(text, "LESSOR_ACTION=prepare\n"));
	assert_non_null(strstr(text, "LESSOR_HOST=a1\n"));
	assert_non_null(strstr(text, "LESSOR_ADDRESS=192.0.2.1\n"));
	assert_non_null(strstr(text, "LESSOR_PORT=22\n"));
	assert_non_null(strstr(text, "LESSOR_LEASE=" ID(1) "\n"));
	assert_non_null(strstr(text, "LESSOR_SLUG=box-000000000001\n"));
	/* The standard descriptors, the lock, and the one opened by ls. */
	assert_string_equal(said(&w, "fd"), "0\n1\n2\n3\n4\n");
	assert_string_equal(said(&w, "signals"), "0000000000000000\n0000000000000000\n");
	unsetenv("LESSOR_SECRET");
	pool_world_give(&w, ID(1));
	pool_world_end(&w);
}

/* It may have left something: the host is reset before it is allocated again. */
static void a_prepare_that_fails(void **state)
{
	struct pool_world w;
	struct lease l;

	(void)state;
	make(&w);
	begin(&w, NULL, "echo prepare >>ran; [ -e fixed ]", "echo reset >>ran");
	l = pool_world_take(&w, ID(1), "small");
	expect_failed(&l, "the prepare of host a1 failed: exit status 1");
	assert_string_equal(said(&w, "ran"), "prepare\nreset\n");
	assert_int_equal(pool_world_count(&w, "host-"), 0);
	touch(&w, "fixed");
	w.d.now_ms += 120001;
	l = pool_world_take(&w, ID(2), "small");
	expect_active(&l, "a1");
	pool_world_end(&w);
}

static void a_command_that_is_not_there(void **state)
{
	struct pool_world w;
	struct lease l;

	(void)state;
	make(&w);
	pool_world_inventory(&w, "{'hosts': [{'name': 'a1', 'address': '192.0.2.1', 'types': ['small'],"
			     " 'reset': ['/nonexistent/reset']}]}");
	pool_world_start(&w);
	pool_world_take(&w, ID(1), "small");
	pool_world_release(&w, ID(1), 1);
	pool_world_go(&w, ID(1), 60000, is_in_attention);
	l = pool_world_lease(&w, ID(1));
	assert_non_null(strstr(l.attention, "exit status 127"));
	/* The operator fixes the inventory; the next try uses it. */
	pool_world_stop(&w);
	pool_world_inventory(&w, "{'hosts': [{'name': 'a1', 'address': '192.0.2.1', 'types': ['small'],"
			     " 'reset': ['/bin/true']}]}");
	pool_world_start(&w);
	pool_world_go(&w, ID(1), 3600000, is_clean);
	pool_world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_reset_keeps_the_host),
		cmocka_unit_test(a_reset_that_hangs),
		cmocka_unit_test(a_reset_outlives_the_daemon),
		cmocka_unit_test(a_reset_that_nobody_wrote_down),
		cmocka_unit_test(a_supervisor_that_is_killed),
		cmocka_unit_test(what_a_supervisor_leaves_behind),
		cmocka_unit_test(a_host_that_left_is_reset),
		cmocka_unit_test(only_hosts_that_are_well),
		cmocka_unit_test(a_probe_that_is_a_command),
		cmocka_unit_test(a_release_ends_a_probe_that_hangs),
		cmocka_unit_test(what_a_command_is_given),
		cmocka_unit_test(a_prepare_that_fails),
		cmocka_unit_test(a_command_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
