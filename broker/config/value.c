/* SPDX-License-Identifier: MIT */
#include "config/value.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/alloc.h"

static int digits_read(const char *text, size_t len, int64_t *ret)
{
	int64_t n = 0;

	if (len == 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, text[i] - '0', &n))
			return -1;
	}
	*ret = n;
	return 0;
}

int value_int(const char *text, int64_t min, int64_t max, int64_t *ret, struct err *err)
{
	int64_t n;

	if (digits_read(text, strlen(text), &n) < 0 || n < min || n > max)
		return err_set(err, ERR_INVALID,
			       "'%s' is not a whole number from %" PRId64 " to %" PRId64, text, min,
			       max);
	*ret = n;
	return 0;
}

int value_money(const char *text, int64_t *ret, struct err *err)
{
	size_t whole = strspn(text, "0123456789");
	int64_t n, fraction = 0;
	size_t places = 0;
	int is_valid = digits_read(text, whole, &n) == 0;

	if (is_valid && text[whole] == '.') {
		places = strlen(text + whole + 1);
		is_valid = places <= 6 && digits_read(text + whole + 1, places, &fraction) == 0;
		for (size_t i = places; is_valid && i < 6; i++)
			fraction *= 10;
	} else if (text[whole]) {
		is_valid = 0;
	}
	if (!is_valid || __builtin_mul_overflow(n, 1000000, &n) ||
	    __builtin_add_overflow(n, fraction, &n))
		return err_set(err, ERR_INVALID,
			       "'%s' is not an amount such as 12 or 12.50, with at"
			       " most six decimals",
			       text);
	*ret = n;
	return 0;
}

void value_write_money(int64_t micros, char *out, size_t size)
{
	int len = snprintf(out, size, "%" PRId64 ".%06" PRId64, micros / 1000000, micros % 1000000);

	while (len > 0 && (size_t)len < size && out[len - 1] == '0')
		out[--len] = '\0';
	if (len > 0 && (size_t)len < size && out[len - 1] == '.')
		out[len - 1] = '\0';
}

int value_bool(const char *text, int *ret, struct err *err)
{
	if (strcmp(text, "yes") == 0)
		*ret = 1;
	else if (strcmp(text, "no") == 0)
		*ret = 0;
	else
		return err_set(err, ERR_INVALID, "'%s' is neither yes nor no", text);
	return 0;
}

static int listen_unix(const char *path, struct config_listen *out, struct err *err)
{
	out->family = CONFIG_UNIX;
	return value_path(path, sizeof(out->path), out->path, err);
}

static int listen_tcp(const char *text, struct config_listen *out, struct err *err)
{
	const char *colon = strrchr(text, ':');
	const char *from = text;
	unsigned char raw[16];
	int64_t port;
	size_t len;
	int v6;

	out->family = CONFIG_TCP;
	if (!colon || digits_read(colon + 1, strlen(colon + 1), &port) < 0 || port > 65535)
		goto wrong;
	v6 = text[0] == '[';
	len = (size_t)(colon - text);
	if (v6) {
		if (len < 3 || text[len - 1] != ']')
			goto wrong;
		from++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(out->address))
		goto wrong;
	memcpy(out->address, from, len);
	out->address[len] = '\0';
	if (inet_pton(v6 ? AF_INET6 : AF_INET, out->address, raw) != 1)
		goto wrong;
	out->port = (uint16_t)port;
	out->is_loopback = v6 ? memcmp(raw, &in6addr_loopback, 16) == 0 : raw[0] == 127;
	return 0;
wrong:
	return err_set(err, ERR_INVALID,
		       "'%s' is not an address such as 127.0.0.1:8480,"
		       " [::1]:8480 (numeric, with a port) or unix:/path",
		       text);
}

int value_listen(const char *text, struct config_listen *ret, struct err *err)
{
	struct config_listen out = { 0 };
	int failed;

	if (strncmp(text, "unix:", 5) == 0)
		failed = listen_unix(text + 5, &out, err);
	else
		failed = listen_tcp(text, &out, err);
	if (failed)
		return -1;
	*ret = out;
	return 0;
}

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz0123456789._-"

int value_name(const char *text, size_t size, char *ret, struct err *err)
{
	size_t len = strlen(text);

	if (len == 0 || len >= size || strchr("-._", text[0]) || strspn(text, NAME_CHARS) != len)
		return err_set(err, ERR_INVALID,
			       "'%s' is not a name of at most %zu characters, of"
			       " a-z 0-9 . _ -, beginning with a letter or digit",
			       text, size - 1);
	memcpy(ret, text, len + 1);
	return 0;
}

int value_image(const char *text, size_t size, char *ret, struct err *err)
{
	size_t len = strlen(text);

	if (len == 0 || len >= size || strchr("-._", text[0]) ||
	    strspn(text, NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != len)
		return err_set(err, ERR_INVALID,
			       "'%s' is not an image name of at most %zu"
			       " characters, of A-Z a-z 0-9 . _ -, beginning with a letter or digit",
			       text, size - 1);
	memcpy(ret, text, len + 1);
	return 0;
}

int value_path(const char *text, size_t size, char *ret, struct err *err)
{
	size_t len = strlen(text);

	if (len < 2 || text[0] != '/' || strstr(text, "/../") ||
	    (len >= 3 && strcmp(text + len - 3, "/..") == 0))
		return err_set(err, ERR_INVALID, "'%s' is not an absolute path without '..'", text);
	if (len >= size)
		return err_set(err, ERR_INVALID, "the path has more than %zu bytes", size - 1);
	memcpy(ret, text, len + 1);
	return 0;
}

int value_word(const char *text, size_t size, char *ret, struct err *err)
{
	size_t len = strlen(text);
	int is_valid = len > 0 && len < size;

	for (size_t i = 0; is_valid && i < len; i++)
		is_valid = text[i] > ' ' && text[i] < 0x7f;
	if (!is_valid)
		return err_set(err, ERR_INVALID,
			       "'%s' is not 1 to %zu printable ASCII characters"
			       " without spaces",
			       text, size - 1);
	memcpy(ret, text, len + 1);
	return 0;
}

int value_peer(const char *text, size_t size, char *ret, struct err *err)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	int is_v6 = text[0] == '[' && len > 2 && text[len - 1] == ']';
	size_t host = is_v6 ? strspn(text + 1, "0123456789abcdefABCDEF:.") + 2 :
			      strspn(text, NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	int64_t port;
	/* Nobody can connect to "any address". */
	int is_any = strncmp(text, "0.0.0.0:", 8) == 0 || strncmp(text, "[::]:", 5) == 0;

	if (!len || host != len || is_any || strchr("-.", text[0]) ||
	    digits_read(colon + 1, strlen(colon + 1), &port) < 0 || port < 1 || port > 65535)
		return err_set(err, ERR_INVALID,
			       "'%s' is not an address for other daemons, such as"
			       " lessor-1.example.com:8480 or 192.0.2.1:8480",
			       text);
	return value_word(text, size, ret, err);
}

/* Is there a password between the user and the '@', or among the parameters? */
static int has_password(const char *url)
{
	const char *user = strstr(url, "://") + 3;
	const char *query = strchr(url, '?');
	/* The last one: a '/' in the password is a mistake, and the password still one. */
	const char *at = memrchr(user, '@', query ? (size_t)(query - user) : strlen(user));

	if (at && memchr(user, ':', (size_t)(at - user)))
		return 1;
	/* "passfile" names a file. A name could be hidden by "%". */
	while (query) {
		const char *name = query + 1;
		size_t len = strcspn(name, "=&");

		if (strncmp(name, "password=", 9) == 0 || strncmp(name, "sslpassword=", 12) == 0 ||
		    memchr(name, '%', len))
			return 1;
		query = strchr(name, '&');
	}
	return 0;
}

int value_postgres(const char *text, size_t size, char *ret, struct err *err)
{
	if (strncmp(text, "postgresql://", 13) != 0 && strncmp(text, "postgres://", 11) != 0)
		return err_set(err, ERR_INVALID,
			       "'%s' is not a URL such as postgresql://lessor@db.example.com/lessor",
			       text);
	/* The text is not repeated: it may be the password. */
	if (has_password(text))
		return err_set(err, ERR_REFUSED,
			       "a password must not be in this file, which may be copied or kept in"
			       " version control; store it in a file of its own with mode 0600 and set"
			       " password_file = /path, or credential = NAME under systemd");
	return value_word(text, size, ret, err);
}

int value_next(const char **cursor, char *item, size_t size, struct err *err)
{
	const char *from = *cursor;
	const char *end;
	size_t len;

	if (!from)
		return 0;
	end = strchr(from, ',');
	*cursor = end ? end + 1 : NULL;
	len = end ? (size_t)(end - from) : strlen(from);
	while (len > 0 && (*from == ' ' || *from == '\t'))
		from++, len--;
	while (len > 0 && (from[len - 1] == ' ' || from[len - 1] == '\t'))
		len--;
	if (len == 0)
		return err_set(err, ERR_INVALID,
			       "the list has an empty item; separate items with"
			       " single commas");
	if (len >= size)
		return err_set(err, ERR_INVALID, "an item of the list has more than %zu bytes",
			       size - 1);
	memcpy(item, from, len);
	item[len] = '\0';
	return 1;
}
