/* SPDX-License-Identifier: MIT */
/*
 * One line per event: a sentence first, then fields. Written to one descriptor
 * (standard error by default) as JSON or for people; never blocks for long:
 * when the reader is slow, lines are dropped and counted. Any thread.
 *
 * Values that came from outside are escaped and cut at 256 bytes. Secrets are
 * never given to these functions; log_secret registers one so that it is
 * replaced should it turn up inside another text.
 */
#pragma once

#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR = 3,	/* an operator must act */
	LOG_LEVEL_WARNING = 4,	/* degraded, handled; the text ends in what is done about it */
	LOG_LEVEL_NOTICE = 5,	/* the service's own changes of state */
	LOG_LEVEL_INFO = 6,	/* changes of leases */
	LOG_LEVEL_DEBUG = 7,
};

enum log_format { LOG_HUMAN, LOG_JSON };

/* A field: {"lease", id}. A list ends with {NULL, NULL}. */
struct log_field {
	const char *key;
	const char *value;
};

void log_setup(int fd, enum log_format format, enum log_level level);
int log_level_parse(const char *text);	/* -1 if there is none of that name */
const char *log_level_name(int level);
void log_secret(const char *secret);	/* copied; at most 64 of them */
int log_enabled(enum log_level level);

void log_write(enum log_level level, const struct log_field *fields, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define LOG_FIELDS(...) ((const struct log_field[]){ __VA_ARGS__, { NULL, NULL } })
#define log_error(fields, ...) log_write(LOG_LEVEL_ERROR, fields, __VA_ARGS__)
#define log_warning(fields, ...) log_write(LOG_LEVEL_WARNING, fields, __VA_ARGS__)
#define log_notice(fields, ...) log_write(LOG_LEVEL_NOTICE, fields, __VA_ARGS__)
#define log_info(fields, ...) log_write(LOG_LEVEL_INFO, fields, __VA_ARGS__)
#define log_debug(fields, ...) \
	do { \
		if (log_enabled(LOG_LEVEL_DEBUG)) \
			log_write(LOG_LEVEL_DEBUG, fields, __VA_ARGS__); \
	} while (0)
