/* SPDX-License-Identifier: MIT */
/*
 * Files that people name: configurations, tokens, keys, certificates. They are small, and any
 * of them may turn out to be a directory, a pipe that nobody writes to, or text in the wrong
 * encoding. Every such file is read here, so that each of these is the same sentence everywhere.
 *
 * `what` is the file's name in messages, before its path: "the token file".
 */
#pragma once

#include <stddef.h>
#include <sys/stat.h>

#include "util/err.h"

/*
 * Also a pipe, as in --token-file <(pass show lessor): waits a minute for a writer that is
 * there, and a second for one to come.
 */
#define FILE_PIPES 1
/* Not if the path is a symbolic link, which another user may have put there. */
#define FILE_NO_LINKS 2
/* The caller looks for NUL bytes, to name the line. */
#define FILE_NULS 4

/* A file's content, without a UTF-8 byte order mark. */
struct file_text {
	char *text; /* terminated by NUL as well; NULL if nothing was read */
	size_t len;
};

/*
 * Opens a regular file for reading, or with FILE_PIPES a pipe; never blocks. *ret_stat is for
 * checks of its owner and mode before file_read. Returns the descriptor, or -1.
 */
int file_open(const char *path, const char *what, int flags, struct stat *ret_stat, struct err *err);
/* Reads all of it. More than `max` bytes, UTF-16, UTF-32 and NUL bytes are errors. */
int file_read(int fd, const char *path, const char *what, int flags, size_t max,
	      struct file_text *ret, struct err *err);
/* file_open and file_read. */
int file_load(const char *path, const char *what, int flags, size_t max, struct file_text *ret,
	      struct err *err);
/* Wipes the content, which may be a secret. Also for a zeroed one. */
void file_text_fini(struct file_text *file);
#define auto_file_text __attribute__((cleanup(file_text_fini)))
