/* SPDX-License-Identifier: MIT */
/*
 * Process 1 of a box: creates its root file system, applies the user data, starts sshd and
 * reaps orphans. When it exits, the kernel kills everything in the box.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/box/box.h"
#include "util/alloc.h"
#include "util/buf.h"

#define SSHD "/usr/sbin/sshd"
#define SSHD_LOG "/var/log/sshd.log"
#define COMMANDS_LOG "/var/log/cloud-init-output.log"

static _Noreturn void box_fail(const struct box_order *order, const char *why)
{
	fprintf(stderr, "hetzner-sim: box %s: %s\n", order->machine.name, why);
	_exit(1);
}

/* Drops the simulator's sockets, and the signal handlers that would write to them. */
static void forget_simulator(int leash)
{
	struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t none;
	int null;

	for (int number = 1; number < NSIG; number++)
		sigaction(number, &plain, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(null, 1);
	if (leash > 3)
		syscall(SYS_close_range, 3, leash - 1, 0);
	syscall(SYS_close_range, leash + 1, ~0U, 0);
}

/* Becomes an unprivileged user, and dies with the simulator. */
static int become_user(const struct box_order *order, int leash, struct err *err)
{
	struct pollfd end = { .fd = leash };
	char byte;

	if (read(leash, &byte, 1) != 1)
		_exit(1);
	if (order->drop && setgroups(0, NULL))
		return err_set_errno(err, errno, "cannot drop groups");
	if (setresgid(BOX_UID, BOX_UID, BOX_UID) || setresuid(BOX_UID, BOX_UID, BOX_UID))
		return err_set_errno(err, errno, "cannot become another user");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return err_set_errno(err, errno, "cannot set the parent death signal");
	/* The simulator may have exited before that. */
	if (poll(&end, 1, 0) > 0)
		_exit(1);
	return 0;
}

/* The root file system is ready: drop all privileges for good. */
static int drop_powers(struct err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_capset, &head, none))
		return err_set_errno(err, errno, "cannot drop capabilities");
	/* Our memory is a copy of the simulator's: hide it from the box. */
	prctl(PR_SET_DUMPABLE, 0);
	return 0;
}

/* Like a prebaked image: the tools exist, nothing needs to be installed. */
static int write_image(const struct box_order *order, struct err *err)
{
	static const char systemctl[] =
		"#!/bin/sh\n"
		"# There is no systemd in a box. sshd starts once its configuration exists.\n"
		"[ \"$1\" != is-active ]\n";
	char hosts[512], name[300];

	snprintf(name, sizeof(name), "%s\n", order->machine.name);
	snprintf(hosts, sizeof(hosts), "127.0.0.1 localhost\n%s %s\n", order->machine.address,
		order->machine.name);
	if (root_write_text("/etc/hostname", 0644, name, err)
	    || root_write_text("/etc/hosts", 0644, hosts, err)
	    || root_write_text("/etc/nsswitch.conf", 0644,
		"passwd: files\ngroup: files\nhosts: files dns\n", err)
	    || root_write_text("/usr/local/sbin/systemctl", 0755, systemctl, err)
	    || root_write_text("/var/lib/crabbox/image-ready", 0644, "", err))
		return -1;
	return 0;
}

static int write_sshd(const struct box_order *order, const struct cloud_init *init, struct err *err)
{
	static const char *const types[] = { "ed25519", "ecdsa", "rsa" };
	struct buf text auto_buf;
	char path[64];

	buf_init(&text, 4096);
	/* The first setting wins. By default, all ports that we may use. */
	buf_adds(&text, "Include /etc/ssh/sshd_config.d/*.conf\n");
	if (!init->has_port)
		buf_adds(&text, "Port 22\nPort 2222\n");
	buf_addf(&text, "ListenAddress %s\n", order->machine.address);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		snprintf(path, sizeof(path), "/etc/ssh/ssh_host_%s_key", types[i]);
		if (!access(path, F_OK))
			buf_addf(&text, "HostKey %s\n", path);
	}
	buf_adds(&text, "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
		"PidFile none\nUseDNS no\nPrintMotd no\nAcceptEnv LANG LC_*\n"
		"Subsystem sftp internal-sftp\n");
	return root_write_text("/etc/ssh/sshd_config", 0644, buf_str(&text), err);
}

static _Noreturn void program_exec(const char *const *words, const char *log)
{
	static const char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "LANG=C.UTF-8", NULL,
	};
	int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);

	dup2(out, 1);
	dup2(out, 2);
	/* Only our arguments and the leash are open. */
	syscall(SYS_close_range, 3, ~0U, 0);
	execvpe(words[0], (char *const *)words, (char *const *)env);
	fprintf(stderr, "%s: %s\n", words[0], strerror(errno));
	_exit(127);
}

/* Returns the wait status. */
static int run_program(const char *const *words, const char *log)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		program_exec(words, log);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static _Noreturn void run_commands(const struct cloud_init *init)
{
	const json_t *list = json_object_get(init->doc, "runcmd");
	struct err err;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char **words = cloud_init_command(json_array_get(list, i));

		if (words)
			run_program(words, COMMANDS_LOG);
	}
	_exit(root_write_text("/var/lib/cloud/instance/boot-finished", 0644, "", &err) ? 1 : 0);
}

static int make_box(const struct box_order *order, struct cloud_init *init, struct err *err)
{
	static const char *const keygen[] = {
		"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
		"/etc/ssh/ssh_host_ed25519_key", NULL,
	};

	if (root_enter(err) || drop_powers(err))
		return -1;
	if (access(SSHD, X_OK))
		return err_set(err, ERR_INVALID, "there is no " SSHD " (Debian: openssh-server)");
	if (order->trial)
		return 0;
	if (cloud_init_read(order, init, err) || write_image(order, err) ||
	    cloud_init_apply(order, init, err))
		return -1;
	/* After the files: one of them may create its directory. */
	if (!init->has_host_key &&
	    (root_make_folders(keygen[7], err) || run_program(keygen, COMMANDS_LOG)))
		return err_set(err, ERR_INTERNAL, "its host key cannot be generated");
	return write_sshd(order, init, err);
}

/* Why sshd has ended. */
static void show_log(void)
{
	char text[2000];
	FILE *f = fopen(SSHD_LOG, "r");
	size_t len = f ? fread(text, 1, sizeof(text), f) : 0;

	fwrite(text, 1, len, stderr);
	if (f)
		fclose(f);
}

_Noreturn void box_run(const struct box_order *order, int leash)
{
	static const char *const sshd[] = {
		SSHD, "-D", "-f", "/etc/ssh/sshd_config", "-E", SSHD_LOG, NULL,
	};
	struct cloud_init init = { 0 };
	struct err err = { 0 };
	pid_t daemon, ended;

	forget_simulator(leash);
	umask(022);
	if (become_user(order, leash, &err))
		box_fail(order, err.text);
	if (sethostname(order->machine.name, strnlen(order->machine.name, 63)))
		box_fail(order, "cannot set its host name");
	if (make_box(order, &init, &err))
		box_fail(order, err.text);
	if (order->trial)
		_exit(0);
	daemon = fork();
	if (!daemon)
		program_exec(sshd, SSHD_LOG);
	if (!fork())
		run_commands(&init);
	do
		ended = waitpid(-1, NULL, 0);
	while (ended != daemon && (ended > 0 || errno == EINTR));
	show_log();
	box_fail(order, "its sshd has ended");
}
