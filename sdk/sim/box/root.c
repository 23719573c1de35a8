/* SPDX-License-Identifier: MIT */
/*
 * The root file system of a box: empty memory with read-only mounts of this machine's /usr
 * and of the files in /etc that programs need. This machine's /home, /tmp, /root and all
 * else are not in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sim/box/box.h"
#include "util/alloc.h"

/* Where it is assembled. The mount hides the original directory only from us. */
#define BASE "/tmp"
#define PATH_ROOM 512

static int make_folder(const char *path, mode_t mode, struct err *err)
{
	if (mkdir(path, mode) && errno != EEXIST)
		return err_set_errno(err, errno, "cannot make %s", path);
	/* Regardless of the umask. */
	if (chmod(path, mode))
		return err_set_errno(err, errno, "cannot set the mode of %s", path);
	return 0;
}

int root_make_folders(const char *path, struct err *err)
{
	auto_free char *copy = xstrdup(path);

	for (char *p = strchr(copy + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(copy, 0755) && errno != EEXIST)
			return err_set_errno(err, errno, "cannot make %s", copy);
		*p = '/';
	}
	return 0;
}

int root_write(const char *path, mode_t mode, const void *data, size_t len, struct err *err)
{
	FILE *f;
	size_t written;

	if (path[0] != '/' || root_make_folders(path, err))
		return path[0] == '/' ?
			       -1 :
			       err_set(err, ERR_INVALID, "'%s' is not an absolute path", path);
	f = fopen(path, "wb");
	if (!f)
		return err_set_errno(err, errno, "cannot write %s", path);
	written = fwrite(data, 1, len, f);
	if (fclose(f) || written != len || chmod(path, mode))
		return err_set_errno(err, errno, "cannot write %s", path);
	return 0;
}

int root_write_text(const char *path, mode_t mode, const char *text, struct err *err)
{
	return root_write(path, mode, text, strlen(text), err);
}

/* Keep the flags of the original mount: the kernel refuses to clear them. */
static unsigned long locked_flags(const char *path)
{
	static const struct { unsigned long st, ms; } pairs[] = {
		{ ST_NOSUID, MS_NOSUID }, { ST_NODEV, MS_NODEV }, { ST_NOEXEC, MS_NOEXEC },
		{ ST_NOATIME, MS_NOATIME }, { ST_NODIRATIME, MS_NODIRATIME },
		{ ST_RELATIME, MS_RELATIME },
	};
	unsigned long flags = 0;
	struct statvfs fs;

	if (statvfs(path, &fs))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		flags |= fs.f_flag & pairs[i].st ? pairs[i].ms : 0;
	return flags;
}

/* Mounts this machine's `path` at the same place in the box, if it exists. */
static int lend_path(const char *path, int writable, struct err *err)
{
	char target[PATH_ROOM];
	struct stat st;
	int fd;

	if (stat(path, &st))
		return 0;
	snprintf(target, sizeof(target), "%s%s", BASE, path);
	if (root_make_folders(target, err))
		return -1;
	if (S_ISDIR(st.st_mode)) {
		if (make_folder(target, 0755, err))
			return -1;
	} else {
		fd = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd < 0)
			return err_set_errno(err, errno, "cannot make %s", target);
		close(fd);
	}
	if (mount(path, target, NULL, MS_BIND | MS_REC, NULL))
		return err_set_errno(err, errno, "cannot mount %s in a box", path);
	if (!writable && mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY
		| locked_flags(target), NULL))
		return err_set_errno(err, errno, "cannot mount %s read-only in a box", path);
	return 0;
}

/* /bin and the like are links into /usr, or directories on older systems. */
static int lend_top(const char *path, struct err *err)
{
	char target[PATH_ROOM], link[PATH_ROOM];
	ssize_t len = readlink(path, link, sizeof(link) - 1);

	if (len < 0)
		return lend_path(path, 0, err);
	link[len] = '\0';
	snprintf(target, sizeof(target), "%s%s", BASE, path);
	return symlink(link, target) ? err_set_errno(err, errno, "cannot link %s", target) : 0;
}

static int lend_all(struct err *err)
{
	static const char *const tops[] = {
		"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
	};
	static const char *const shared[] = {
		"/usr", "/etc/alternatives", "/etc/bash.bashrc", "/etc/ca-certificates",
		"/etc/crypto-policies", "/etc/host.conf", "/etc/inputrc", "/etc/ld.so.cache",
		"/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/os-release",
		"/etc/pki", "/etc/protocols", "/etc/resolv.conf", "/etc/services", "/etc/ssl",
	};
	static const char *const devices[] = {
		"/dev/full", "/dev/null", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero",
	};

	for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
		if (lend_top(tops[i], err))
			return -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(shared); i++) {
		if (lend_path(shared[i], 0, err))
			return -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(devices); i++) {
		if (lend_path(devices[i], 1, err))
			return -1;
	}
	return 0;
}

static int mount_memory(const char *target, struct err *err)
{
	if (mount("box", target, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"))
		return err_set_errno(err, errno, "cannot mount a tmpfs at %s", target);
	return 0;
}

static int fill_dev(struct err *err)
{
	static const char *const links[][2] = {
		{ "pts/ptmx", BASE "/dev/ptmx" }, { "/proc/self/fd", BASE "/dev/fd" },
		{ "/proc/self/fd/0", BASE "/dev/stdin" }, { "/proc/self/fd/1", BASE "/dev/stdout" },
		{ "/proc/self/fd/2", BASE "/dev/stderr" },
	};

	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		if (symlink(links[i][0], links[i][1]))
			return err_set_errno(err, errno, "cannot link %s", links[i][1]);
	}
	if (mount("devpts", BASE "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		"newinstance,ptmxmode=0666,mode=0600"))
		return err_set_errno(err, errno, "cannot mount devpts");
	return 0;
}

/*
 * In a container that hides parts of its /proc, a new one cannot be mounted. Then the box
 * uses that of the container.
 */
static int fill_proc(struct err *err)
{
	if (!mount("proc", BASE "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return 0;
	if (errno == EPERM && !mount("/proc", BASE "/proc", NULL, MS_BIND | MS_REC, NULL))
		return 0;
	return err_set_errno(err, errno, "cannot mount /proc");
}

static int fill_root(struct err *err)
{
	static const struct { const char *path; mode_t mode; } folders[] = {
		{ "/dev", 0755 }, { "/dev/pts", 0755 }, { "/dev/shm", 01777 }, { "/etc", 0755 },
		{ "/home", 0755 }, { "/proc", 0555 }, { "/root", 0700 }, { "/run", 0755 },
		{ "/tmp", 01777 }, { "/var", 0755 }, { "/var/cache", 0755 }, { "/var/lib", 0755 },
		{ "/var/log", 0755 }, { "/var/tmp", 01777 },
	};
	static const char *const local[] = {
		"/usr/local/bin", "/usr/local/lib", "/usr/local/sbin", "/usr/local/share",
	};
	char path[PATH_ROOM];

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		snprintf(path, sizeof(path), "%s%s", BASE, folders[i].path);
		if (make_folder(path, folders[i].mode, err))
			return -1;
	}
	if (lend_all(err) || mount_memory(BASE "/usr/local", err))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(local); i++) {
		snprintf(path, sizeof(path), "%s%s", BASE, local[i]);
		if (make_folder(path, 0755, err))
			return -1;
	}
	return fill_dev(err) || fill_proc(err) ? -1 : 0;
}

int root_enter(struct err *err)
{
	/* The following mounts are not visible outside. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		return err_set_errno(err, errno, "cannot create a mount namespace");
	if (mount_memory(BASE, err) || fill_root(err))
		return -1;
	/* Stacks the old root on the new one, then unmounts it. */
	if (chdir(BASE) || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH)
	    || chdir("/"))
		return err_set_errno(err, errno, "cannot change the root");
	return 0;
}
