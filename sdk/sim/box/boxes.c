/* SPDX-License-Identifier: MIT */
#include "sim/box/boxes.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "sim/box/box.h"
#include "sim/out.h"
#include "util/alloc.h"

struct box {
	LIST_ENTRY(box) link;
	int project;
	int64_t id;
	char *name, *address;
	pid_t pid; /* 0: ended by itself */
	int leash; /* the box has the other end; or -1 */
	int wanted;
};

struct boxes {
	LIST_HEAD(, box) all;
	struct event *child;
	uid_t uid;
	gid_t gid;
};

static int write_proc(pid_t pid, const char *name, const char *text, struct err *err)
{
	char path[64];
	int auto_close fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return err_set_errno(err, errno, "cannot write %s", name);
	return 0;
}

/* Maps its only user to `uid` outside. */
static int map_user(const struct boxes *boxes, pid_t pid, struct err *err)
{
	char text[64];

	if (geteuid() && write_proc(pid, "setgroups", "deny", err))
		return -1;
	snprintf(text, sizeof(text), "%d %u 1\n", BOX_UID, (unsigned)boxes->gid);
	if (write_proc(pid, "gid_map", text, err))
		return -1;
	snprintf(text, sizeof(text), "%d %u 1\n", BOX_UID, (unsigned)boxes->uid);
	return write_proc(pid, "uid_map", text, err);
}

static void reap_child(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/*
 * Starts process 1 of new namespaces; returns its pid and our end of its leash. It is forked
 * without exec, which is fastest. Signals are blocked until it has reset the handlers.
 */
static pid_t spawn_box(const struct boxes *boxes, const struct box_order *order, int *ret_leash,
		       struct err *err)
{
	sigset_t all, before;
	int leash[2];
	pid_t pid;

	if (pipe2(leash, O_CLOEXEC))
		return err_set_errno(err, errno, "no pipe");
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC
		| CLONE_NEWUTS | SIGCHLD, NULL, NULL, NULL, NULL);
	if (!pid)
		box_run(order, leash[0]);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(leash[0]);
	if (pid < 0) {
		close(leash[1]);
		return err_set_errno(err, errno, "this system does not allow new namespaces");
	}
	if (map_user(boxes, pid, err) || write(leash[1], "", 1) != 1) {
		kill(pid, SIGKILL);
		close(leash[1]);
		reap_child(pid);
		return -1;
	}
	*ret_leash = leash[1];
	return pid;
}

/* All its processes end before process 1 can be reaped. */
static void box_free(struct box *box)
{
	LIST_REMOVE(box, link);
	if (box->pid) {
		kill(box->pid, SIGKILL);
		reap_child(box->pid);
	}
	if (box->leash >= 0)
		close(box->leash);
	free(box->name);
	free(box->address);
	free(box);
}

static void box_start(struct boxes *boxes, int project, int64_t id,
	const struct cloud_machine *machine)
{
	struct box_order order = { .machine = *machine, .drop = !geteuid() };
	struct box *box = xcalloc(1, sizeof(*box));
	struct err err = { 0 };
	pid_t pid;

	box->project = project;
	box->id = id;
	box->name = xstrdup(machine->name);
	box->address = xstrdup(machine->address);
	box->leash = -1;
	pid = spawn_box(boxes, &order, &box->leash, &err);
	if (pid < 0)
		fprintf(stderr, "hetzner-sim: box %s: %s\n", box->name, err.text);
	box->pid = pid > 0 ? pid : 0;
	LIST_INSERT_HEAD(&boxes->all, box, link);
}

static struct box *box_find(struct boxes *boxes, int project, int64_t id)
{
	struct box *box;

	LIST_FOREACH(box, &boxes->all, link) {
		if (box->id == id && box->project == project)
			return box;
	}
	return NULL;
}

struct round {
	struct boxes *boxes;
	const struct cloud *cloud;
};

static int is_on(const char *status)
{
	return !strcmp(status, "starting") || !strcmp(status, "running")
		|| !strcmp(status, "stopping");
}

static void look_at(void *arg, const struct cloud_object *object)
{
	struct round *round = arg;
	struct cloud_machine machine;
	struct box *box;

	if (object->kind != CLOUD_SERVER || !is_on(object->status))
		return;
	box = box_find(round->boxes, object->project, object->id);
	if (!box && !cloud_machine_find(round->cloud, object->project, object->id, &machine)) {
		box_start(round->boxes, object->project, object->id, &machine);
		box = LIST_FIRST(&round->boxes->all);
	}
	if (box)
		box->wanted = 1;
}

void boxes_sync(struct boxes *boxes, const struct cloud *cloud)
{
	struct round round = { boxes, cloud };
	struct box *box, *next;

	if (!boxes)
		return;
	LIST_FOREACH(box, &boxes->all, link)
		box->wanted = 0;
	cloud_visit_objects(cloud, look_at, &round);
	for (box = LIST_FIRST(&boxes->all); box; box = next) {
		next = LIST_NEXT(box, link);
		if (!box->wanted)
			box_free(box);
	}
}

/* It has logged why. Its server remains, as after a crash. */
static void on_child(evutil_socket_t fd, short what, void *arg)
{
	struct boxes *boxes = arg;
	struct box *box;

	(void)fd;
	(void)what;
	LIST_FOREACH(box, &boxes->all, link) {
		if (box->pid && waitpid(box->pid, NULL, WNOHANG) == box->pid)
			box->pid = 0;
	}
}

static int find_user(const char *name, struct boxes *ret, struct err *err)
{
	const struct passwd *user;

	ret->uid = geteuid();
	ret->gid = getegid();
	if (ret->uid && !name)
		return 0;
	user = getpwnam(name ? name : "nobody");
	if (!user)
		return err_set(err, ERR_INVALID, "no such user: '%s'", name ? name : "nobody");
	if (!user->pw_uid || (ret->uid && ret->uid != user->pw_uid))
		return err_set(err, ERR_INVALID, "boxes cannot run as '%s'", name);
	ret->uid = user->pw_uid;
	ret->gid = user->pw_gid;
	return 0;
}

/* Starts a box without a machine, to test what it needs from this system. */
static int try_one(const struct boxes *boxes, struct err *err)
{
	struct box_order order = { .machine = { .name = "on-trial" }, .drop = !geteuid(),
				   .trial = 1 };
	int leash, status = 0;
	pid_t pid = spawn_box(boxes, &order, &leash, err);

	if (pid < 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	close(leash);
	return status ? err_set(err, ERR_INVALID, "a test box cannot be started") : 0;
}

struct boxes *boxes_new(struct event_base *base, const char *user, struct err *err)
{
	struct boxes *boxes = xcalloc(1, sizeof(*boxes));

	if (find_user(user, boxes, err) || try_one(boxes, err)) {
		free(boxes);
		return NULL;
	}
	boxes->child = evsignal_new(base, SIGCHLD, on_child, boxes);
	event_add(boxes->child, NULL);
	return boxes;
}

void boxes_free(struct boxes *boxes)
{
	if (!boxes)
		return;
	while (!LIST_EMPTY(&boxes->all))
		box_free(LIST_FIRST(&boxes->all));
	event_free(boxes->child);
	free(boxes);
}

void boxes_write(const struct boxes *boxes, struct buf *out)
{
	struct box *box;

	out_begin(out, '{');
	out_key_begin(out, "boxes", '[');
	LIST_FOREACH(box, &boxes->all, link) {
		out_begin(out, '{');
		out_key_int(out, "id", box->id);
		out_key_str(out, "name", box->name);
		out_key_str(out, "address", box->address);
		out_key_int(out, "pid", box->pid);
		out_end(out, '}');
	}
	out_end(out, ']');
	out_end(out, '}');
}
