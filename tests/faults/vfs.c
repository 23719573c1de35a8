/* SPDX-License-Identifier: MIT */
#include "vfs.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unsynced.h"

struct file {
	sqlite3_file base;
	struct unsynced *unsynced; /* NULL if no power cut is planned, and for unnamed files */
	void **shm;		   /* shared-memory pages, after vfs_alone */
	int shm_count;
	/* the real file follows, with the alignment of this struct */
};

static sqlite3_vfs shim;
static sqlite3_vfs *real_vfs;
static struct vfs_fault fault;
static long counts[VFS_OP_COUNT];
static int tracking, alone;

static sqlite3_file *real_of(sqlite3_file *f)
{
	return (sqlite3_file *)(void *)((struct file *)(void *)f + 1);
}

static int hit(enum vfs_op op)
{
	counts[op]++;
	if (!fault.nth || fault.op != op ||
	    (counts[op] != fault.nth && !(fault.for_good && counts[op] > fault.nth)))
		return SQLITE_OK;
	if (fault.code == VFS_POWER_CUT) {
		unsynced_cut_all(fault.seed);
		if (fault.cut)
			fault.cut(fault.arg);
		_exit(VFS_POWER_CUT_EXIT);
	}
	return fault.code;
}

/* A short read leaves zeroes, as beyond the end of the file. */
static void remember(sqlite3_file *f, sqlite3_int64 at, sqlite3_int64 len)
{
	struct unsynced *u = ((struct file *)(void *)f)->unsynced;

	if (u)
		real_of(f)->pMethods->xRead(real_of(f), unsynced_before(u, at, len), (int)len, at);
}

static int file_close(sqlite3_file *f)
{
	struct unsynced *u = ((struct file *)(void *)f)->unsynced;

	if (u)
		unsynced_free(u);
	return real_of(f)->pMethods->xClose(real_of(f));
}

static int file_read(sqlite3_file *f, void *to, int len, sqlite3_int64 at)
{
	return real_of(f)->pMethods->xRead(real_of(f), to, len, at);
}

static int file_write(sqlite3_file *f, const void *from, int len, sqlite3_int64 at)
{
	int rc = hit(VFS_WRITE);

	if (!rc)
		remember(f, at, len);
	return rc ? rc : real_of(f)->pMethods->xWrite(real_of(f), from, len, at);
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	sqlite3_int64 now = 0;
	int rc = hit(VFS_TRUNCATE);

	if (!rc && real_of(f)->pMethods->xFileSize(real_of(f), &now) == SQLITE_OK && now > size)
		remember(f, size, now - size);
	return rc ? rc : real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int file_sync(sqlite3_file *f, int flags)
{
	struct unsynced *u = ((struct file *)(void *)f)->unsynced;
	int rc = hit(VFS_SYNC);

	if (!rc)
		rc = real_of(f)->pMethods->xSync(real_of(f), flags);
	if (u && !rc)
		unsynced_synced(u);
	return rc;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	return real_of(f)->pMethods->xFileSize(real_of(f), ret);
}

static int file_lock(sqlite3_file *f, int level)
{
	if (alone)
		return SQLITE_OK;
	return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int file_unlock(sqlite3_file *f, int level)
{
	if (alone)
		return SQLITE_OK;
	return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int file_reserved(sqlite3_file *f, int *ret)
{
	if (alone) {
		*ret = 0;
		return SQLITE_OK;
	}
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), ret);
}

static int file_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int file_sector(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int file_device(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

/* Ordinary memory is enough for a single connection. */
static int alone_shm_map(struct file *f, int page, int size, int extend, void volatile **ret)
{
	*ret = NULL;
	if (page >= f->shm_count) {
		if (!extend)
			return SQLITE_OK;
		f->shm = realloc(f->shm, (size_t)(page + 1) * sizeof(*f->shm));
		if (!f->shm)
			abort();
		while (f->shm_count <= page) {
			f->shm[f->shm_count] = calloc(1, (size_t)size);
			if (!f->shm[f->shm_count++])
				abort();
		}
	}
	*ret = f->shm[page];
	return SQLITE_OK;
}

static void alone_shm_free(struct file *f)
{
	for (int i = 0; i < f->shm_count; i++)
		free(f->shm[i]);
	free(f->shm);
	f->shm = NULL;
	f->shm_count = 0;
}

static int file_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
	if (alone)
		return alone_shm_map((struct file *)(void *)f, page, size, extend, ret);
	return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, ret);
}

static int file_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	if (alone)
		return SQLITE_OK;
	return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void file_shm_barrier(sqlite3_file *f)
{
	if (alone)
		return;
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int file_shm_unmap(sqlite3_file *f, int drop)
{
	if (alone) {
		alone_shm_free((struct file *)(void *)f);
		return SQLITE_OK;
	}
	return real_of(f)->pMethods->xShmUnmap(real_of(f), drop);
}

static const sqlite3_io_methods file_methods = {
	.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_device,
	.xShmMap = file_shm_map,
	.xShmLock = file_shm_lock,
	.xShmBarrier = file_shm_barrier,
	.xShmUnmap = file_shm_unmap,
};

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	int rc;

	(void)vfs;
	memset(f, 0, (size_t)shim.szOsFile);
	rc = real_vfs->xOpen(real_vfs, name, real_of(f), flags, ret_flags);
	if (real_of(f)->pMethods)
		f->pMethods = &file_methods;
	if (!rc && name && (tracking || fault.code == VFS_POWER_CUT))
		((struct file *)(void *)f)->unsynced = unsynced_new(name);
	return rc;
}

int vfs_install(void)
{
	if (real_vfs)
		return 0;
	real_vfs = sqlite3_vfs_find(NULL);
	if (!real_vfs)
		return -1;
	/* All but xOpen is the real VFS's, which uses only its own fields. */
	shim = *real_vfs;
	shim.zName = "lessor-fault";
	shim.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
	shim.xOpen = shim_open;
	shim.pNext = NULL;
	return sqlite3_vfs_register(&shim, 1) ? -1 : 0;
}

void vfs_set(const struct vfs_fault *f)
{
	memset(counts, 0, sizeof(counts));
	fault = f ? *f : (struct vfs_fault){ 0 };
}

long vfs_count(enum vfs_op op)
{
	return counts[op];
}

void vfs_track(int on)
{
	tracking = on;
}

void vfs_cut(uint32_t seed)
{
	unsynced_cut_all(seed);
}

void vfs_alone(void)
{
	alone = 1;
}
