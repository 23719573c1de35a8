/* SPDX-License-Identifier: MIT */
#include "inventory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789.-"
#define WORD_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define ADDRESS_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-"

/* Sets one field of a host. -1: *ret_why is the broken rule. */
typedef int key_fn(struct host *host, const json_t *value, const char **ret_why);

static int text_copy(const json_t *value, const char *letters, char *ret, size_t room)
{
	const char *text = json_string_value(value);
	size_t len = text ? strlen(text) : 0;

	if (!len || len >= room || strspn(text, letters) != len || text[0] == '-' ||
	    text[0] == '.' || text[len - 1] == '-')
		return -1;
	memcpy(ret, text, len + 1);
	return 0;
}

static int key_name(struct host *host, const json_t *value, const char **ret_why)
{
	*ret_why = "must be [a-z0-9.-]{1,63}, alphanumeric at both ends";
	return text_copy(value, NAME_LETTERS, host->name, sizeof(host->name)) ||
	       host->name[strlen(host->name) - 1] == '.' ? -1 : 0;
}

static int key_address(struct host *host, const json_t *value, const char **ret_why)
{
	/* An IPv6 address may begin with a colon. */
	*ret_why = "must be a numeric address or a host name of at most 63 bytes";
	return text_copy(value, ADDRESS_LETTERS, host->address, sizeof(host->address));
}

static int key_port(struct host *host, const json_t *value, const char **ret_why)
{
	json_int_t port = json_integer_value(value);

	*ret_why = "must be a number from 1 to 65535";
	if (!json_is_integer(value) || port < 1 || port > 65535)
		return -1;
	host->port = (int)port;
	return 0;
}

static int key_types(struct host *host, const json_t *value, const char **ret_why)
{
	size_t i;
	json_t *type;

	*ret_why = "must be a list of 1 to 16 words";
	if (!json_array_size(value) || json_array_size(value) > HOST_TYPES_MAX)
		return -1;
	*ret_why = "must be words of [A-Za-z0-9._-]{1,31}";
	host->type_count = 0;
	json_array_foreach(value, i, type) {
		if (text_copy(type, WORD_LETTERS, host->types[i], WORD_ROOM))
			return -1;
		host->type_count++;
	}
	return 0;
}

static int key_location(struct host *host, const json_t *value, const char **ret_why)
{
	*ret_why = "must be one word of [A-Za-z0-9._-]{1,31}";
	return text_copy(value, WORD_LETTERS, host->location, WORD_ROOM);
}

static int key_architecture(struct host *host, const json_t *value, const char **ret_why)
{
	*ret_why = "must be \"x86\" or \"arm\"";
	return text_copy(value, WORD_LETTERS, host->architecture, WORD_ROOM) ||
	       (strcmp(host->architecture, "x86") != 0 && strcmp(host->architecture, "arm") != 0) ?
	       -1 : 0;
}

static int key_drain(struct host *host, const json_t *value, const char **ret_why)
{
	*ret_why = "must be true or false";
	host->drain = json_is_true(value);
	return json_is_boolean(value) ? 0 : -1;
}

static int key_probe(struct host *host, const json_t *value, const char **ret_why)
{
	static const char *const names[] = {
		[PROBE_NONE] = "none", [PROBE_TCP] = "tcp", [PROBE_SSH] = "ssh",
	};
	const char *text = json_string_value(value);

	command_fini(&host->probe_command);
	if (json_is_array(value)) {
		if (command_parse(value, &host->probe_command, ret_why))
			return -1;
		host->probe = host->probe_command.count ? PROBE_COMMAND : PROBE_NONE;
		return 0;
	}
	*ret_why = "must be \"none\", \"tcp\", \"ssh\" or a command";
	for (size_t i = 0; text && i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			host->probe = (enum probe_kind)i;
			return 0;
		}
	}
	return -1;
}

static int key_prepare(struct host *host, const json_t *value, const char **ret_why)
{
	command_fini(&host->prepare);
	return command_parse(value, &host->prepare, ret_why);
}

static int key_reset(struct host *host, const json_t *value, const char **ret_why)
{
	command_fini(&host->reset);
	return command_parse(value, &host->reset, ret_why);
}

static const struct inventory_key {
	const char *name;
	key_fn *set;
	int is_hosts_own; /* not allowed in "defaults" */
} keys[] = {
	{ "name", key_name, 1 },
	{ "address", key_address, 1 },
	{ "port", key_port, 0 },
	{ "types", key_types, 0 },
	{ "location", key_location, 0 },
	{ "architecture", key_architecture, 0 },
	{ "drain", key_drain, 1 },
	{ "probe", key_probe, 0 },
	{ "prepare", key_prepare, 0 },
	{ "reset", key_reset, 0 },
};

/* ---- one host --------------------------------------------------------------------------- */

struct inventory_reading {
	const char *path;
	char *why;
	size_t room;
};

static int inventory_error(const struct inventory_reading *r, const char *where, const char *key,
			   const char *rule)
{
	snprintf(r->why, r->room, "%s: %s%s%s %s", r->path, where, key[0] ? ": " : "", key, rule);
	return -1;
}

static int keys_set(const struct inventory_reading *r, struct host *host, const json_t *object,
		    const char *where, int is_host)
{
	const char *name, *why = "";
	json_t *value;

	/* jansson has no const iteration; nothing is modified. */
	json_object_foreach((json_t *)(uintptr_t)object, name, value) {
		const struct inventory_key *key = NULL;

		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
			if (strcmp(keys[i].name, name) == 0 && (is_host || !keys[i].is_hosts_own))
				key = &keys[i];
		}
		if (!key)
			return inventory_error(r, where, name, "is not a known key");
		if (key->set(host, value, &why))
			return inventory_error(r, where, name, why);
	}
	return 0;
}

static int is_numeric(const char *address)
{
	struct in6_addr any;

	return inet_pton(AF_INET, address, &any) == 1 || inet_pton(AF_INET6, address, &any) == 1;
}

/* Checks that involve several keys or hosts. */
static int host_check(const struct inventory_reading *r, const struct inventory *inventory,
		      const struct host *host, const char *where)
{
	if (!host->name[0])
		return inventory_error(r, where, "name", "is missing");
	if (!host->address[0])
		return inventory_error(r, where, "address", "is missing");
	if (!host->type_count)
		return inventory_error(r, where, "types", "is missing, also in \"defaults\"");
	if ((host->probe == PROBE_TCP || host->probe == PROBE_SSH) && !is_numeric(host->address))
		return inventory_error(r, where, "probe",
				       "requires a numeric address; use a command for other "
				       "addresses");
	for (size_t i = 0; i < inventory->count; i++) {
		const struct host *other = &inventory->hosts[i];

		if (other == host)
			continue;
		if (strcmp(other->name, host->name) == 0)
			return inventory_error(r, where, "name", "is used twice");
		if (host->port == other->port && strcasecmp(other->address, host->address) == 0)
			return inventory_error(r, where, "address",
					       "is used by another host with the same port");
	}
	return 0;
}

static int host_read(const struct inventory_reading *r, struct inventory *inventory,
		     const json_t *defaults, const json_t *object)
{
	struct host *host = &inventory->hosts[inventory->count];
	const char *name = json_string_value(json_object_get(object, "name"));
	char where[100];

	snprintf(where, sizeof(where), "host %zu%s%.64s%s", inventory->count + 1,
		 name ? " (" : "", name ? name : "", name ? ")" : "");
	if (!json_is_object(object))
		return inventory_error(r, where, "", "must be an object");
	snprintf(host->location, sizeof(host->location), "pool");
	snprintf(host->architecture, sizeof(host->architecture), "x86");
	host->port = 22;
	inventory->count++; /* from here on inventory_free frees it */
	if (keys_set(r, host, defaults, "\"defaults\"", 0) || keys_set(r, host, object, where, 1))
		return -1;
	return host_check(r, inventory, host, where);
}

/* ---- the file ------------------------------------------------------------------------------- */

/* The file contains commands to run, so only trusted users may own or write it. Returns the
 * content, owned by the caller, or NULL with `why`. */
static char *file_read(const struct inventory_reading *r, size_t *ret_len)
{
	int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	char *text = NULL;
	ssize_t got = 0;

	*ret_len = 0;
	if (fd < 0 || fstat(fd, &st)) {
		snprintf(r->why, r->room, "%s: cannot be opened: %m", r->path);
	} else if (!S_ISREG(st.st_mode) || st.st_size > INVENTORY_BYTES_MAX) {
		inventory_error(r, "the inventory", "", "must be a regular file of at most 4 MiB");
	} else if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 0022)) {
		inventory_error(r, "the inventory", "",
				"contains commands to run: it must be owned by root or by "
				"lessord's user, and be writable only by its owner");
	} else if ((text = malloc((size_t)st.st_size + 1)) == NULL) {
		inventory_error(r, "the inventory", "", "cannot be processed: out of memory");
	} else {
		while (*ret_len < (size_t)st.st_size &&
		       (got = read(fd, text + *ret_len, (size_t)st.st_size - *ret_len)) > 0)
			*ret_len += (size_t)got;
		if (got < 0) {
			inventory_error(r, "the inventory", "", "cannot be read");
			free(text);
			text = NULL;
		}
	}
	if (fd >= 0)
		close(fd);
	return text;
}

/* The length of the byte order mark that editors on Windows write. */
static size_t mark_len(const char *text, size_t len)
{
	return len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

/* What the JSON parser would only call an unexpected byte. */
static int encoding_check(const struct inventory_reading *r, const char *text, size_t len)
{
	size_t start = mark_len(text, len);

	if (len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0 ||
			 !text[0] != !text[1]))
		return inventory_error(r, "the inventory", "", "is UTF-16 text; save it as UTF-8");
	if (memchr(text, '\0', len))
		return inventory_error(r, "the inventory", "",
				       "contains a NUL byte and is no text file");
	while (start < len && strchr(" \t\r\n", text[start]))
		start++;
	return start < len ? 0 : inventory_error(r, "the inventory", "", "is empty");
}

static int root_read(const struct inventory_reading *r, const json_t *root,
		     struct inventory *inventory)
{
	const json_t *hosts = json_object_get(root, "hosts");
	const json_t *defaults = json_object_get(root, "defaults");
	struct host trial = { .type_count = 0 };
	const char *name;
	json_t *value;
	size_t i;
	int rc;

	if (!json_is_object(root) || !json_is_array(hosts) ||
	    (defaults && !json_is_object(defaults)))
		return inventory_error(r, "the inventory", "",
				       "must be an object with a list \"hosts\" and, "
				       "optionally, an object \"defaults\"");
	json_object_foreach((json_t *)(uintptr_t)root, name, value) {
		if (strcmp(name, "hosts") != 0 && strcmp(name, "defaults") != 0)
			return inventory_error(r, name, "", "is neither \"hosts\" nor \"defaults\"");
	}
	if (json_array_size(hosts) > HOSTS_MAX)
		return inventory_error(r, "hosts", "", "has more than 5000 entries");
	/* Check "defaults" even if there are no hosts. */
	rc = keys_set(r, &trial, defaults, "\"defaults\"", 0);
	command_fini(&trial.probe_command);
	command_fini(&trial.prepare);
	command_fini(&trial.reset);
	if (rc)
		return -1;
	inventory->hosts = calloc(json_array_size(hosts) + 1, sizeof(*inventory->hosts));
	if (!inventory->hosts)
		return inventory_error(r, "the inventory", "",
				       "cannot be processed: out of "
				       "memory");
	json_array_foreach(hosts, i, value) {
		if (host_read(r, inventory, defaults, value))
			return -1;
	}
	return 0;
}

int inventory_load(const char *path, struct inventory **ret, char *why, size_t room)
{
	const struct inventory_reading r = { path, why, room };
	struct inventory *inventory = NULL;
	json_error_t error;
	json_t *root;
	size_t len, start;
	char *text = file_read(&r, &len);

	if (!text)
		return -1;
	if (encoding_check(&r, text, len)) {
		free(text);
		return -1;
	}
	start = mark_len(text, len);
	root = json_loadb(text + start, len - start, JSON_REJECT_DUPLICATES, &error);
	free(text);
	if (!root) {
		snprintf(why, room, "%s:%d: %s", path, error.line, error.text);
		return -1;
	}
	inventory = calloc(1, sizeof(*inventory));
	if (!inventory || root_read(&r, root, inventory)) {
		inventory_free(inventory);
		inventory = NULL;
	}
	json_decref(root);
	*ret = inventory;
	return inventory ? 0 : -1;
}

void inventory_free(struct inventory *inventory)
{
	if (!inventory)
		return;
	for (size_t i = 0; i < inventory->count; i++) {
		command_fini(&inventory->hosts[i].probe_command);
		command_fini(&inventory->hosts[i].prepare);
		command_fini(&inventory->hosts[i].reset);
	}
	free(inventory->hosts);
	free(inventory);
}

const struct host *inventory_find(const struct inventory *inventory, const char *name)
{
	for (size_t i = 0; i < inventory->count; i++) {
		if (strcmp(inventory->hosts[i].name, name) == 0)
			return &inventory->hosts[i];
	}
	return NULL;
}

int host_has_type(const struct host *host, const char *type)
{
	for (int i = 0; i < host->type_count; i++) {
		if (strcmp(host->types[i], type) == 0)
			return 1;
	}
	return 0;
}
