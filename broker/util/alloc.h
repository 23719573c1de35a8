/* SPDX-License-Identifier: MIT */
/*
 * Allocation that cannot fail: without memory the process aborts and is restarted, with its
 * state in the database. Callers limit sizes that come from outside.
 */
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull, warn_unused_result));
/* Returns the array of `count` elements of `size` bytes, with space for one more; doubles it. */
void *xgrow(void *array, size_t count, size_t size) __attribute__((returns_nonnull, warn_unused_result));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull, warn_unused_result));
char *xstrndup(const char *s, size_t len) __attribute__((malloc, returns_nonnull, warn_unused_result));
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), warn_unused_result));

/* Local variables that are freed at the end of their scope; not in functions with goto. */
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

/* Returns the pointer of an auto_free variable and clears it, to pass on ownership. */
#define take(p) ({ __typeof__(p) take_tmp_ = (p); (p) = NULL; take_tmp_; })

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
