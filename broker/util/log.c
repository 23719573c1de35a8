/* SPDX-License-Identifier: MIT */
/*
 * Each line is built in a buffer of LOG_LINE_MAX bytes and written with one call that does not
 * block: a pipe that poll reports as writable accepts a page. `lock` guards everything but the
 * level.
 */
#include "util/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "util/alloc.h"
#include "util/hash.h"
#include "util/journal.h"
#include "util/time.h"
#include "util/utf8.h"

#define LOG_LINE_MAX 4096 /* PIPE_BUF: a longer write could be split or block */
#define TEXT_MAX 1000	  /* bytes shown of the sentence */
#define VALUE_MAX 256	  /* bytes shown of a field's value */
#define SECRETS_MAX 64
#define SECRET_MIN 6   /* bytes; shorter ones would match ordinary words */
#define SECRET_FORMS 4 /* plain, base64, base64url, percent-encoded */

struct out {
	char data[LOG_LINE_MAX];
	size_t len;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int level_max = LOG_LEVEL_INFO;
static int out_fd = STDERR_FILENO;
static int out_is_socket;
static int out_is_journal;
static enum log_format out_format = LOG_HUMAN;
static uint64_t dropped;

static char *secrets[SECRETS_MAX * SECRET_FORMS];
static size_t secret_len[SECRETS_MAX * SECRET_FORMS];
static size_t secret_forms;

const struct log_place log_here = { log_enabled, log_write };
static const struct log_place *elsewhere;

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_DEBUG] = "debug",
};

void log_setup(int fd, enum log_format format, enum log_level level)
{
	struct stat st;

	pthread_mutex_lock(&lock);
	out_fd = fd;
	out_is_socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
	out_is_journal = journal_is(fd);
	out_format = format;
	atomic_store(&level_max, (int)level);
	pthread_mutex_unlock(&lock);
}

int log_level_parse(const char *text)
{
	int i;

	for (i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++)
		if (strcmp(text, level_names[i]) == 0)
			return i;
	return -1;
}

const char *log_level_name(int level)
{
	return level_names[level];
}

void log_forward(const struct log_place *to)
{
	elsewhere = to;
}

int log_enabled(enum log_level level)
{
	if (elsewhere)
		return elsewhere->enabled(level);
	return (int)level <= atomic_load_explicit(&level_max, memory_order_relaxed);
}

/* ---- secrets ------------------------------------------------------------------ */

static void secret_add_locked(char *form)
{
	size_t i, len = strlen(form);

	for (i = 0; i < secret_forms; i++)
		if (strcmp(secrets[i], form) == 0)
			break;
	if (i < secret_forms || secret_forms == ARRAY_LEN(secrets)) {
		hash_wipe(form, len);
		free(form);
		return;
	}
	secrets[secret_forms] = form;
	secret_len[secret_forms++] = len;
}

static char *percent_encode(const char *s)
{
	static const char hex[] = "0123456789ABCDEF";
	char *out = xcalloc(3, strlen(s) + 1);
	char *p = out;

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
		    strchr("-._~", c)) {
			*p++ = (char)c;
		} else {
			*p++ = '%';
			*p++ = hex[c >> 4];
			*p++ = hex[c & 15];
		}
	}
	return out;
}

/* The length of the encoding that does not depend on what follows the secret. */
static size_t base64_fixed(size_t len)
{
	return len * 8 / 6;
}

void log_secret(const char *secret)
{
	size_t len = secret ? strlen(secret) : 0;
	char *plain, *base64, *url;

	if (len < SECRET_MIN)
		return;
	plain = xstrdup(secret);
	base64 = xcalloc(1, len * 2 + 8);
	EVP_EncodeBlock((unsigned char *)base64, (const unsigned char *)secret, (int)len);
	base64[base64_fixed(len)] = '\0';
	url = xcalloc(1, HASH_BASE64_ROOM(len));
	hash_base64url(secret, len, url);
	url[base64_fixed(len)] = '\0';
	pthread_mutex_lock(&lock);
	secret_add_locked(plain);
	secret_add_locked(base64);
	secret_add_locked(url);
	secret_add_locked(percent_encode(secret));
	pthread_mutex_unlock(&lock);
}

/* The length of the longest secret at `s`; 0: none. */
static size_t secret_at(const char *s)
{
	size_t i, best = 0;

	for (i = 0; i < secret_forms; i++)
		if (secrets[i][0] == s[0] && secret_len[i] > best &&
		    strncmp(secrets[i], s, secret_len[i]) == 0)
			best = secret_len[i];
	return best;
}

/* ---- building a line ------------------------------------------------------------ */

/* Reserves space for the end of the line. */
static void out_add(struct out *o, const char *s, size_t len)
{
	if (len < sizeof(o->data) - 16 - o->len) {
		memcpy(o->data + o->len, s, len);
		o->len += len;
	}
}

static void out_adds(struct out *o, const char *s)
{
	out_add(o, s, strlen(s));
}

/* Line and paragraph separators, and characters that change the direction of text. */
static int is_hidden(uint32_t c)
{
	return (c >= 0x7f && c <= 0x9f) || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

static void out_add_char(struct out *o, const char *s, size_t n, uint32_t c, int quoted)
{
	char esc[12];

	if (c == UTF8_BAD) {
		out_adds(o, "\xef\xbf\xbd");
	} else if (c == '\n') {
		out_adds(o, "\\n");
	} else if (c < 0x20 || is_hidden(c)) {
		snprintf(esc, sizeof(esc), "\\u%04x", (unsigned int)c);
		out_adds(o, esc);
	} else if (quoted && (c == '"' || c == '\\')) {
		snprintf(esc, sizeof(esc), "\\%c", (char)c);
		out_adds(o, esc);
	} else {
		out_add(o, s, n);
	}
}

/* Escapes, replaces secrets, and truncates after `max` bytes of the original. */
static void out_add_text(struct out *o, const char *s, size_t max, int quoted)
{
	size_t len = strlen(s), used = 0;

	while (len) {
		size_t n = secret_at(s);
		uint32_t c;

		if (used >= max || o->len + 64 > sizeof(o->data)) {
			out_adds(o, "...");
			return;
		}
		if (n) {
			out_adds(o, "***");
		} else {
			n = utf8_next(s, len, &c);
			out_add_char(o, s, n, c, quoted);
		}
		s += n;
		len -= n;
		used += n;
	}
}

static void out_add_quoted(struct out *o, const char *s, size_t max)
{
	out_adds(o, "\"");
	out_add_text(o, s, max, 1);
	out_adds(o, "\"");
}

static void json_build(struct out *o, const char *when, enum log_level level, const char *text,
		       const struct log_field *f)
{
	out_adds(o, "{\"");
	if (!out_is_journal) {
		out_adds(o, "time\":\"");
		out_adds(o, when);
		out_adds(o, "\",\"");
	}
	out_adds(o, "level\":\"");
	out_adds(o, level_names[level]);
	out_adds(o, "\",\"msg\":");
	out_add_quoted(o, text, TEXT_MAX);
	for (; f && f->key; f++) {
		/* A truncated field would make the JSON invalid. */
		if (o->len + strlen(f->key) + VALUE_MAX * 6 + 64 > sizeof(o->data))
			break;
		out_adds(o, ",");
		out_add_quoted(o, f->key, VALUE_MAX);
		out_adds(o, ":");
		out_add_quoted(o, f->value ? f->value : "", VALUE_MAX);
	}
	memcpy(o->data + o->len, "}\n", 2);
	o->len += 2;
}

static int is_bare(const char *s)
{
	return *s && s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			      "-_.:/@+,%")] == '\0';
}

static void human_build(struct out *o, const char *when, enum log_level level, const char *text,
			const struct log_field *f)
{
	/* The journal has the time already. */
	if (!out_is_journal) {
		out_adds(o, when);
		out_adds(o, " ");
	}
	out_adds(o, level_names[level]);
	out_adds(o, " ");
	out_add_text(o, text, TEXT_MAX, 0);
	for (; f && f->key; f++) {
		const char *value = f->value ? f->value : "";

		out_adds(o, " ");
		out_add_text(o, f->key, VALUE_MAX, 0);
		out_adds(o, "=");
		if (is_bare(value))
			out_add_text(o, value, VALUE_MAX, 0);
		else
			out_add_quoted(o, value, VALUE_MAX);
	}
	o->data[o->len++] = '\n';
}

/* 0, or -1 if it would block. */
static int out_write_locked(const char *data, size_t len)
{
	struct pollfd p = { .fd = out_fd, .events = POLLOUT };
	ssize_t n;

	if (out_is_socket) {
		n = send(out_fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else {
		if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
			return -1;
		n = write(out_fd, data, len);
	}
	/* Terminate a partial line. */
	if (n > 0 && (size_t)n < len)
		(void)!write(out_fd, "\n", 1);
	return n > 0 ? 0 : -1;
}

static void line_build(struct out *o, enum log_level level, const char *text,
		       const struct log_field *fields)
{
	char when[TIME_TEXT_ROOM], prefix[12];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	time_format((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, when);
	o->len = 0;
	if (out_is_journal) {
		snprintf(prefix, sizeof(prefix), "<%d>", (int)level);
		out_adds(o, prefix);
	}
	if (out_format == LOG_JSON)
		json_build(o, when, level, text, fields);
	else
		human_build(o, when, level, text, fields);
}

void log_write(enum log_level level, const struct log_field *fields, const char *fmt, ...)
{
	char text[TEXT_MAX * 2];
	char lost[64];
	struct out o;
	int saved = errno;
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (elsewhere) {
		elsewhere->write(level, fields, "%s", text);
		errno = saved;
		return;
	}

	pthread_mutex_lock(&lock);
	if (dropped) {
		snprintf(lost, sizeof(lost), "%llu log lines were dropped: slow reader",
			 (unsigned long long)dropped);
		line_build(&o, LOG_LEVEL_WARNING, lost, NULL);
		if (out_write_locked(o.data, o.len) == 0)
			dropped = 0;
	}
	line_build(&o, level, text, fields);
	if (out_write_locked(o.data, o.len))
		dropped++;
	pthread_mutex_unlock(&lock);
	errno = saved;
}
