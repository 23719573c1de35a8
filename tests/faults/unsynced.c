/* SPDX-License-Identifier: MIT */
#include "unsynced.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512

struct piece {
	int64_t at;
	int64_t len;
	unsigned char *old;
};

struct unsynced {
	struct unsynced *next;
	char *path;
	int64_t synced_size;
	struct piece *pieces;
	size_t count, room;
};

static struct unsynced *all;

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		abort();
	}
}

static int64_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (int64_t)st.st_size;
}

struct unsynced *unsynced_new(const char *path)
{
	struct unsynced *u = calloc(1, sizeof(*u));

	must(u != NULL, "calloc");
	u->path = strdup(path);
	/* What the file already contains counts as synced. */
	u->synced_size = size_of(path);
	u->next = all;
	all = u;
	return u;
}

void unsynced_synced(struct unsynced *u)
{
	for (size_t i = 0; i < u->count; i++)
		free(u->pieces[i].old);
	u->count = 0;
	u->synced_size = size_of(u->path);
}

void unsynced_free(struct unsynced *u)
{
	struct unsynced **p = &all;

	while (*p != u)
		p = &(*p)->next;
	*p = u->next;
	unsynced_synced(u);
	free(u->pieces);
	free(u->path);
	free(u);
}

unsigned char *unsynced_before(struct unsynced *u, int64_t at, int64_t len)
{
	struct piece *p;

	if (u->count == u->room) {
		u->room = u->room ? u->room * 2 : 64;
		u->pieces = realloc(u->pieces, u->room * sizeof(*u->pieces));
		must(u->pieces != NULL, "realloc");
	}
	p = &u->pieces[u->count++];
	*p = (struct piece){ .at = at, .len = len, .old = calloc(1, (size_t)len + 1) };
	must(p->old != NULL, "calloc");
	return p->old;
}

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void cut(struct unsynced *u, uint32_t *random)
{
	/* In one of four cuts nothing is lost, in another one everything. */
	uint32_t mode = next_random(random) % 4;
	int fd = open(u->path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	for (size_t i = u->count; mode && i-- > 0;) {
		struct piece *p = &u->pieces[i];

		for (int64_t from = 0; from < p->len; from += SECTOR) {
			int64_t len = p->len - from < SECTOR ? p->len - from : SECTOR;

			if (mode > 1 && next_random(random) % 2)
				continue;
			must(pwrite(fd, p->old + from, (size_t)len, p->at + from) == len, "pwrite");
		}
	}
	if (mode == 1 && u->count)
		must(ftruncate(fd, u->synced_size) == 0, "ftruncate");
	close(fd);
}

void unsynced_cut_all(uint32_t seed)
{
	uint32_t random = seed * 2654435761u | 1;

	for (struct unsynced *u = all; u; u = u->next)
		cut(u, &random);
}
