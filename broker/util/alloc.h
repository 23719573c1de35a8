/* SPDX-License-Identifier: MIT */
/*
 * Allocation that cannot fail: a broker that cannot have 200 bytes dies and is
 * started again with its state intact in the store. Sizes that come from
 * outside pass a limit before they come here.
 */
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull, warn_unused_result));
/* Makes sure that an array of `count` elements of `size` bytes has space for one more; doubles it. */
void *xgrow(void *array, size_t count, size_t size) __attribute__((returns_nonnull, warn_unused_result));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull, warn_unused_result));
char *xstrndup(const char *s, size_t len) __attribute__((malloc, returns_nonnull, warn_unused_result));
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), warn_unused_result));

/* Locals that free themselves; never in one function with goto. */
static inline void alloc_free_ptr(void *p)
{
	free(*(void **)p);
}
static inline void alloc_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define auto_free __attribute__((cleanup(alloc_free_ptr)))
#define auto_close __attribute__((cleanup(alloc_close_fd)))

/* Hands over what an auto_free local owns. */
#define take(p) ({ __typeof__(p) take_tmp_ = (p); (p) = NULL; take_tmp_; })

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
