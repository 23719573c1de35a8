/* SPDX-License-Identifier: MIT */
/*
 * The subset of cloud-init that leases rely on: users with their keys, host keys, files,
 * commands. User data is supported if the text after "#cloud-config" is JSON (a subset of
 * YAML), as written by lessord; without user data, root can log in with the keys of the
 * create request.
 *
 * All users are names of the same one: nobody in a box is really root.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/box/box.h"
#include "util/alloc.h"
#include "util/buf.h"

#define HEAD "#cloud-config"
#define TEXT_MAX (1 << 20)
#define WORDS_MAX 64

static const char default_user[] = "root";

static void complain_user_data(const struct box_order *order, const char *what, const char *which)
{
	fprintf(stderr, "hetzner-sim: box %s: %s%s%s\n", order->machine.name, what,
		*which ? " " : "", which);
}

static json_t *read_doc(const struct box_order *order)
{
	const char *text = order->machine.user_data;
	json_t *doc = NULL;

	if (!strncmp(text, HEAD, strlen(HEAD)))
		doc = json_loads(text + strlen(HEAD), 0, NULL);
	if (!json_is_object(doc)) {
		json_decref(doc);
		if (*text)
			complain_user_data(order, "ignoring user data that is not " HEAD " in JSON",
					   "");
		doc = json_object();
	}
	return doc;
}

static int is_name(const char *s)
{
	size_t len = strlen(s);

	return len && len <= 32 && ((*s >= 'a' && *s <= 'z') || *s == '_')
		&& strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

/* NULL: not one of its users. */
static const char *user_name(const json_t *user)
{
	const char *name = json_string_value(json_object_get(user, "name"));

	return name && is_name(name) ? name : NULL;
}

static const char *first_user(const json_t *doc)
{
	const json_t *users = json_object_get(doc, "users");

	for (size_t i = 0; i < json_array_size(users); i++) {
		if (user_name(json_array_get(users, i)))
			return user_name(json_array_get(users, i));
	}
	return default_user;
}

static void add_user(struct buf *passwd, struct buf *group, const char *name)
{
	const char *home = strcmp(name, default_user) ? "/home/" : "/";

	buf_addf(passwd, "%s:x:%d:%d::%s%s:/bin/bash\n", name, BOX_UID, BOX_UID, home, name);
	buf_addf(group, "%s:x:%d:\n", name, BOX_UID);
}

/* The first name of a uid owns it: the first user in the user data. */
static int write_accounts(const json_t *doc, struct err *err)
{
	const json_t *users = json_object_get(doc, "users"), *user;
	struct buf passwd auto_buf, group auto_buf;
	int rc;

	buf_init(&passwd, TEXT_MAX);
	buf_init(&group, TEXT_MAX);
	for (size_t i = 0; i < json_array_size(users); i++) {
		user = json_array_get(users, i);
		if (user_name(user) && strcmp(user_name(user), default_user))
			add_user(&passwd, &group, user_name(user));
	}
	add_user(&passwd, &group, default_user);
	buf_adds(&passwd, "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n");
	buf_adds(&group, "nogroup:x:65534:\n");
	rc = root_write_text("/etc/passwd", 0644, buf_str(&passwd), err);
	return rc ? rc : root_write_text("/etc/group", 0644, buf_str(&group), err);
}

static void add_keys(struct buf *keys, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *key = json_string_value(json_array_get(list, i));

		if (key) {
			buf_adds(keys, key);
			buf_addc(keys, '\n');
		}
	}
}

static int write_home(const char *name, const struct buf *keys, struct err *err)
{
	const char *top = strcmp(name, default_user) ? "/home/" : "/";
	char path[128];

	snprintf(path, sizeof(path), "%s%s/.ssh/authorized_keys", top, name);
	if (root_write_text(path, 0600, buf_str((struct buf *)keys), err))
		return -1;
	*strrchr(path, '/') = '\0';
	return chmod(path, 0700) ? err_set_errno(err, errno, "cannot set the mode of %s", path) : 0;
}

static int write_homes(const struct box_order *order, const json_t *doc, struct err *err)
{
	const json_t *users = json_object_get(doc, "users"), *user;
	const char *first = first_user(doc), *name;
	struct buf ours auto_buf;
	int wrote_root = 0;

	for (size_t i = 0; i < json_array_size(users); i++) {
		struct buf keys auto_buf;

		buf_init(&keys, TEXT_MAX);
		user = json_array_get(users, i);
		name = user_name(user);
		if (!name)
			continue;
		add_keys(&keys, json_object_get(user, "ssh_authorized_keys"));
		if (!strcmp(name, first))
			add_keys(&keys, json_object_get(doc, "ssh_authorized_keys"));
		if (!strcmp(name, default_user)) {
			buf_adds(&keys, order->machine.keys);
			wrote_root = 1;
		}
		if (write_home(name, &keys, err))
			return -1;
	}
	if (wrote_root)
		return 0;
	buf_init(&ours, TEXT_MAX);
	buf_adds(&ours, order->machine.keys);
	if (!strcmp(first, default_user))
		add_keys(&ours, json_object_get(doc, "ssh_authorized_keys"));
	return write_home(default_user, &ours, err);
}

/* {"ssh_keys":{"ed25519_private":"...","ed25519_public":"..."}} */
static int write_host_keys(struct cloud_init *init, struct err *err)
{
	static const char *const types[] = { "ed25519", "ecdsa", "rsa" };
	const json_t *keys = json_object_get(init->doc, "ssh_keys");
	char name[32], path[64];

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		const char *text;

		snprintf(name, sizeof(name), "%s_private", types[i]);
		snprintf(path, sizeof(path), "/etc/ssh/ssh_host_%s_key", types[i]);
		text = json_string_value(json_object_get(keys, name));
		if (!text)
			continue;
		if (root_write_text(path, 0600, text, err))
			return -1;
		init->has_host_key = 1;
	}
	return 0;
}

static int has_port_line(const char *text)
{
	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += strspn(p, "\n \t");
		if (!strncasecmp(p, "Port ", 5))
			return 1;
	}
	return 0;
}

static int write_files(const struct box_order *order, struct cloud_init *init, struct err *err)
{
	static const char drop_ins[] = "/etc/ssh/sshd_config.d/";
	const json_t *list = json_object_get(init->doc, "write_files");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *file = json_array_get(list, i);
		const json_t *content = json_object_get(file, "content");
		const char *path = json_string_value(json_object_get(file, "path"));
		const char *mode = json_string_value(json_object_get(file, "permissions"));

		if (!path || !json_is_string(content) || json_object_get(file, "encoding")
		    || json_object_get(file, "append")) {
			complain_user_data(order, "ignoring the file",
					   path ? path : "without a path");
			continue;
		}
		if (root_write(path, mode ? strtoul(mode, NULL, 8) & 0777 : 0644,
			json_string_value(content), json_string_length(content), err))
			return -1;
		if (!strncmp(path, drop_ins, strlen(drop_ins)))
			init->has_port |= has_port_line(json_string_value(content));
	}
	return 0;
}

const char **cloud_init_command(const json_t *item)
{
	static const char *words[WORDS_MAX + 1];
	size_t count = json_array_size(item);

	if (json_is_string(item)) {
		words[0] = "/bin/sh";
		words[1] = "-c";
		words[2] = json_string_value(item);
		words[3] = NULL;
		return words;
	}
	if (!count || count > WORDS_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		words[i] = json_string_value(json_array_get(item, i));
		if (!words[i])
			return NULL;
	}
	words[count] = NULL;
	return words;
}

int cloud_init_read(const struct box_order *order, struct cloud_init *ret, struct err *err)
{
	*ret = (struct cloud_init){ .doc = read_doc(order) };
	if (!order->machine.address[0])
		return err_set(err, ERR_INVALID, "it has no IPv4 address");
	return 0;
}

int cloud_init_apply(const struct box_order *order, struct cloud_init *init, struct err *err)
{
	if (write_accounts(init->doc, err) || write_homes(order, init->doc, err) ||
	    write_host_keys(init, err))
		return -1;
	return write_files(order, init, err);
}

void cloud_init_fini(struct cloud_init *init)
{
	json_decref(init->doc);
	init->doc = NULL;
}
