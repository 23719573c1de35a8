/* SPDX-License-Identifier: MIT */
/*
 * One line per event, a sentence followed by fields, to one descriptor (standard error by
 * default), as text or JSON. For the journal a line begins with its level, "<4>", and has no time
 * (journal.h). Never blocks: if the reader is slow, lines are dropped and
 * counted. Any thread.
 *
 * Values are escaped and truncated to 256 bytes. Do not log secrets; log_secret registers one
 * so that it is replaced if it occurs in another text.
 */
#pragma once

#include <stdint.h>

enum log_level {
	/* the numbers of syslog(3) */
	LOG_LEVEL_ERROR = 3,   /* needs operator action */
	LOG_LEVEL_WARNING = 4, /* degraded, handled; the text says how */
	LOG_LEVEL_NOTICE = 5,  /* state changes of the service */
	LOG_LEVEL_INFO = 6,    /* state changes of leases */
	LOG_LEVEL_DEBUG = 7,
};

enum log_format { LOG_HUMAN, LOG_JSON };

/* A field: {"lease", id}. A list ends with {NULL, NULL}. */
struct log_field {
	const char *key;
	const char *value;
};

void log_setup(int fd, enum log_format format, enum log_level level);
int log_level_parse(const char *text); /* -1: no such level */
const char *log_level_name(int level);
void log_secret(const char *secret);	/* copied; at most 64 of them */
int log_enabled(enum log_level level);

void log_write(enum log_level level, const struct log_field *fields, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * A module with its own copy of this room passes its lines on to the program that loaded it: log_here
 * is the program's, and is given to the module's copy (log_forward) before anything else is called.
 */
struct log_place {
	int (*enabled)(enum log_level level);
	void (*write)(enum log_level level, const struct log_field *fields, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));
};
extern const struct log_place log_here;
void log_forward(const struct log_place *to);

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
