/* SPDX-License-Identifier: MIT */
#include "api/validate.h"

#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "util/utf8.h"

static const char digits[] = "0123456789";
static const char lower_hex[] = "0123456789abcdef";
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* A character of `first`, then characters of `rest`; at most `max` in all. */
static int text_is(const char *s, const char *first, const char *rest, size_t max)
{
	size_t len = strnlen(s, max + 1);

	return len > 0 && len <= max && strchr(first, s[0]) && strspn(s, rest) == len;
}

static int id_is(const char *s, const char *prefix, size_t hex)
{
	size_t len = strlen(prefix);

	return !strncmp(s, prefix, len) && strspn(s + len, lower_hex) == hex && !s[len + hex];
}

int validate_lease_id(const char *s)
{
	return id_is(s, "cbx_", 12);
}

int validate_attempt(const char *s)
{
	return id_is(s, "cat_", 32);
}

static int dashed_is(const char *s, size_t max)
{
	size_t len = strnlen(s, max + 1);

	return text_is(s, LOWER DIGITS, LOWER DIGITS "-", max) && s[len - 1] != '-' &&
	       !strstr(s, "--");
}

int validate_slug(const char *s)
{
	return dashed_is(s, 47);
}

int validate_group(const char *s)
{
	return dashed_is(s, 41);
}

int validate_account(const char *s)
{
	return text_is(s, LOWER, LOWER DIGITS "_-", 31);
}

int validate_type(const char *s)
{
	return text_is(s, LOWER DIGITS, LOWER DIGITS ".-", 31) && !strstr(s, "..");
}

int validate_image(const char *s)
{
	return text_is(s, LOWER UPPER DIGITS, LOWER UPPER DIGITS "._-", 63) && !strstr(s, "..");
}

int validate_word(const char *s, size_t max)
{
	return text_is(s, LOWER UPPER DIGITS, LOWER UPPER DIGITS "._-", max) && !strstr(s, "..");
}

int validate_os(const char *s)
{
	size_t name = strspn(s, LOWER DIGITS);

	if (name == 0 || strnlen(s, 24) > 23)
		return 0;
	return !s[name] || (s[name] == ':' && s[name + 1] &&
			    strspn(s + name + 1, DIGITS ".") == strlen(s + name + 1));
}

/* System accounts of Debian, Ubuntu and their server images. */
static const char *const system_users[] = {
	"root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp",
	"proxy", "www-data", "backup", "list", "irc", "gnats", "nobody", "sshd", "syslog",
	"messagebus", "uuidd", "tcpdump", "landscape", "pollinate", "tss", "dnsmasq", "polkitd",
	"usbmux", "fwupd-refresh", "sudo", "wheel", "adm", "shadow", "disk", "docker",
};

int validate_user(const char *s)
{
	if (!text_is(s, LOWER "_", LOWER DIGITS "_-", 32) || s[0] == '_' ||
	    !strncmp(s, "systemd-", 8)) {
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(system_users); i++) {
		if (!strcmp(s, system_users[i]))
			return 0;
	}
	return 1;
}

/* The bootstrap makes the user its owner, so it must not be a system directory. */
int validate_work_root(const char *s)
{
	static const char *const closed[] = { "bin", "boot", "dev", "etc", "lib", "lib32", "lib64",
		"libx32", "proc", "root", "run", "sbin", "sys", "usr", "lost+found" };
	static const char *const shared[] = { "/home", "/media", "/mnt", "/opt", "/snap", "/srv",
		"/tmp", "/var", "/var/lib", "/var/log", "/var/tmp", "/var/cache", "/var/spool" };
	const char *part = s;
	size_t len;

	if (s[0] != '/' || !s[1] || strnlen(s, 128) > 127)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(closed); i++) {
		len = strlen(closed[i]);
		if (!strncmp(s + 1, closed[i], len) && (!s[1 + len] || s[1 + len] == '/'))
			return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(shared); i++) {
		if (!strcmp(s, shared[i]))
			return 0;
	}
	while (*part) {
		part++;
		len = strspn(part, LOWER UPPER DIGITS "._-");
		if (len == 0 || (part[len] && part[len] != '/') || part[0] == '-' ||
		    (part[0] == '.' && (len == 1 || (len == 2 && part[1] == '.')))) {
			return 0;
		}
		part += len;
	}
	return 1;
}

int validate_owner(const char *s)
{
	return text_is(s, LOWER UPPER DIGITS, LOWER UPPER DIGITS "._@:+-", 127);
}

int validate_org(const char *s)
{
	return text_is(s, LOWER UPPER DIGITS, LOWER UPPER DIGITS "._@:+-", 63);
}

int validate_label(const char *s)
{
	size_t len = strlen(s), n;
	uint32_t c;

	if (len > 64)
		return 0;
	for (; len; s += n, len -= n) {
		n = utf8_next(s, len, &c);
		if (c == UTF8_BAD || c < 0x20 || (c >= 0x7f && c < 0xa0))
			return 0;
	}
	return 1;
}

int validate_key(const char *s)
{
	return text_is(s, LOWER UPPER DIGITS "._~-", LOWER UPPER DIGITS "._~-", 127);
}

int validate_number(const char *s)
{
	return text_is(s, digits, digits, 18);
}

int validate_port(const char *s)
{
	long port;

	if (!text_is(s, "123456789", digits, 5))
		return 0;
	port = strtol(s, NULL, 10);
	return port <= 65535 ? (int)port : 0;
}
