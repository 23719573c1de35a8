/* SPDX-License-Identifier: MIT */
#include "cli/keyfile.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/alloc.h"
#include "util/file.h"

#define KEY_FILE_MAX 16384

/* ssh(1) tries all of these by default, so each lets its user log in. */
static const char *const default_names[] = {
	"id_ed25519.pub", "id_ed25519_sk.pub", "id_ecdsa.pub", "id_ecdsa_sk.pub", "id_rsa.pub",
};

static const char *const key_types[] = {
	"ssh-ed25519",
	"ecdsa-sha2-nistp256",
	"ecdsa-sha2-nistp384",
	"ecdsa-sha2-nistp521",
	"ssh-rsa",
	"sk-ssh-ed25519@openssh.com",
	"sk-ecdsa-sha2-nistp256@openssh.com",
};

static int is_private(const char *text)
{
	return strstr(text, "PRIVATE KEY") || !strncmp(text, "PuTTY-User-Key-File", 19) ||
	       !strncmp(text, "SSH PRIVATE KEY FILE FORMAT", 27);
}

static int base64_value(char c)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

/* The blob contains its type, which detects truncated and concatenated keys. */
static int blob_check(const char *base64, size_t len, const char *type)
{
	unsigned char head[64];
	size_t padding = 0, want = 4 + strlen(type), have = 0, i;
	uint32_t bits = 0;

	while (padding < 2 && len > padding && base64[len - 1 - padding] == '=')
		padding++;
	if (len % 4 || len < 68)
		return -1;
	for (i = 0; i < len - padding; i++) {
		int value = base64_value(base64[i]);

		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
		if (i % 4 == 3 && have + 3 <= sizeof(head)) {
			head[have++] = (unsigned char)(bits >> 16);
			head[have++] = (unsigned char)(bits >> 8);
			head[have++] = (unsigned char)bits;
		}
	}
	if (have < want || head[0] || head[1] || head[2] || head[3] != strlen(type))
		return -1;
	return memcmp(head + 4, type, strlen(type)) ? -1 : 0;
}

static const char *line_first(const char *text, size_t *ret_len)
{
	for (;;) {
		size_t len;

		text += strspn(text, " \t\r\n");
		len = strcspn(text, "\r\n");
		if (*text != '#') {
			*ret_len = len;
			return text;
		}
		text += len;
	}
}

int keyfile_parse(const char *text, const char *path, char **ret_line, struct err *err)
{
	const char *line, *blob, *type = NULL;
	size_t len, type_len, blob_len, rest, i;

	if (is_private(text))
		return err_set(err, ERR_REFUSED,
			       "'%.150s' is a PRIVATE key and was not sent; use "
			       "the public key, the file that ends in .pub",
			       path);
	line = line_first(text, &len);
	type_len = strcspn(line, " \t\r\n");
	for (i = 0; i < ARRAY_LEN(key_types); i++) {
		if (strlen(key_types[i]) == type_len && !memcmp(key_types[i], line, type_len))
			type = key_types[i];
	}
	if (!type)
		return err_set(err, ERR_INVALID, "'%.150s' does not begin with an SSH public key "
			       "such as 'ssh-ed25519 AAAA...'", path);
	blob = line + type_len;
	blob += strspn(blob, " \t");
	blob_len = strcspn(blob, " \t\r\n");
	if (blob_check(blob, blob_len, type))
		return err_set(err, ERR_INVALID,
			       "the %s key in '%.150s' is damaged; it must be the whole line "
			       "that ssh-keygen wrote",
			       type, path);
	line_first(line + len, &rest);
	if (rest)
		return err_set(err, ERR_INVALID,
			       "'%.150s' contains more than one key; use a file "
			       "with one",
			       path);
	*ret_line = xasprintf("%s %.*s", type, (int)blob_len, blob);
	return 0;
}

static int key_load(const char *path, char **ret_line, struct err *err)
{
	/* it may be a private key */
	auto_file_text struct file_text file = { 0 };

	if (file_load(path, "the SSH key", FILE_PIPES, KEY_FILE_MAX, &file, err) < 0)
		return -1;
	return keyfile_parse(file.text, path, ret_line, err);
}

int keyfile_load(const char *path, struct keyfile *ret, struct err *err)
{
	const char *home = getenv("HOME");
	size_t i;

	*ret = (struct keyfile){ 0 };
	if (path) {
		ret->path = xstrdup(path);
		return key_load(path, &ret->line, err);
	}
	for (i = 0; home && *home && i < ARRAY_LEN(default_names); i++) {
		auto_free char *at = xasprintf("%s/.ssh/%s", home, default_names[i]);
		struct stat st;

		if (stat(at, &st))
			continue;
		ret->path = take(at);
		return key_load(ret->path, &ret->line, err);
	}
	return err_set(err, ERR_INVALID,
		       "no SSH public key found in ~/.ssh; create one with "
		       "'ssh-keygen -t ed25519', or use --ssh-key FILE.pub");
}

void keyfile_fini(struct keyfile *key)
{
	free(key->path);
	free(key->line);
	*key = (struct keyfile){ 0 };
}
