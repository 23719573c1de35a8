/* SPDX-License-Identifier: MIT */
#include "bootstrap/bootstrap.h"

#include <stdio.h>
#include <string.h>

#include "bootstrap/scripts.h"
#include "util/hash.h"
#include "util/jsonw.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* ---- checks --------------------------------------------------------------------------- */

/*
 * The API has checked all of this more strictly. It is checked again where it is used, so
 * that no other way into a lease can lead to a root shell.
 */

static int check_user(const char *user, struct err *err)
{
	size_t len = strlen(user);

	if (len == 0 || len > 32 || !strchr(LOWER "_", user[0]) ||
	    strspn(user, LOWER DIGITS "_-") != len)
		return err_set(err, ERR_INVALID, "the SSH user must match [a-z_][a-z0-9_-]{0,31}");
	return 0;
}

static int check_work_root(const char *root, struct err *err)
{
	size_t len = strlen(root);

	if (len < 2 || root[0] != '/')
		return err_set(err, ERR_INVALID, "the work root must be an absolute path");
	for (size_t i = 0; i < len; i++) {
		if (root[i] < ' ' || root[i] > '~')
			return err_set(err, ERR_INVALID, "the work root must be printable ASCII");
	}
	for (const char *part = root; part; part = strchr(part + 1, '/')) {
		if (strncmp(part, "/..", 3) == 0 && (part[3] == '/' || part[3] == '\0'))
			return err_set(err, ERR_INVALID, "the work root must not contain '..'");
	}
	return 0;
}

/* The key with its comment, which sshd ignores, replaced by the lease's id. */
static int make_key(const struct lease *l, char *out, size_t size, struct err *err)
{
	const char *key = l->public_key;
	size_t type = strspn(key, LOWER DIGITS "-@.");
	size_t body = key[type] == ' ' ? strspn(key + type + 1, LOWER UPPER DIGITS "+/=") : 0;
	const char *end = key + type + 1 + body;

	if (type == 0 || body < 16 || (*end != ' ' && *end != '\0') ||
	    (strncmp(key, "ssh-", 4) != 0 && strncmp(key, "ecdsa-", 6) != 0 &&
	     strncmp(key, "sk-", 3) != 0))
		return err_set(err, ERR_INVALID, "the public key must be an OpenSSH key line");
	if (strspn(l->id, LOWER DIGITS "_") != strlen(l->id))
		return err_set(err, ERR_INTERNAL, "the lease id must be [a-z0-9_]");
	if ((size_t)snprintf(out, size, "%.*s %s", (int)(end - key), key, l->id) >= size)
		return err_set(err, ERR_INVALID, "the public key is too long");
	return 0;
}

/* The configuration of sshd: the lease's port first, no port twice. */
static int make_sshd(const struct lease *l, struct buf *out, struct err *err)
{
	int seen[LEASE_PORTS_MAX + 1];
	int count = 0;

	if (l->fallback_count < 0 || l->fallback_count > LEASE_PORTS_MAX)
		return err_set(err, ERR_INTERNAL, "a lease with %d fallback"
			       " ports", l->fallback_count);
	for (int i = -1; i < l->fallback_count; i++) {
		int port = i < 0 ? l->ssh_port : l->fallback_ports[i];
		int known = 0;

		if (port < 1 || port > 65535)
			return err_set(err, ERR_INVALID, "an SSH port must be from 1 to 65535");
		for (int k = 0; k < count; k++)
			known |= seen[k] == port;
		if (known)
			continue;
		seen[count++] = port;
		buf_addf(out, "Port %d\n", port);
	}
	buf_adds(out, "PasswordAuthentication no\nKbdInteractiveAuthentication no\n");
	return 0;
}

/* ---- the document ------------------------------------------------------------------------ */

static void write_user(struct jsonw *w, const char *user, const char *key)
{
	jsonw_array(w, "users");
	jsonw_object(w, NULL);
	jsonw_text(w, "name", user);
	jsonw_text(w, "shell", "/bin/bash");
	jsonw_array(w, "groups");
	jsonw_text(w, NULL, "sudo");
	jsonw_end_array(w);
	jsonw_text(w, "sudo", "ALL=(ALL) NOPASSWD:ALL");
	jsonw_bool(w, "lock_passwd", 1);
	jsonw_array(w, "ssh_authorized_keys");
	jsonw_text(w, NULL, key);
	jsonw_end_array(w);
	jsonw_end_object(w);
	jsonw_end_array(w);
}

static void write_file(struct jsonw *w, const char *path, const char *mode, const char *content)
{
	jsonw_object(w, NULL);
	jsonw_text(w, "path", path);
	jsonw_text(w, "owner", "root:root");
	jsonw_text(w, "permissions", mode);
	jsonw_text(w, "content", content);
	jsonw_end_object(w);
}

/* The only host key: cloud-init deletes those of the image. */
static void write_host_key(struct jsonw *w, const struct hostkey *key)
{
	if (!key)
		return;
	jsonw_object(w, "ssh_keys");
	jsonw_text(w, "ed25519_private", key->private_pem);
	jsonw_text(w, "ed25519_public", key->public_line);
	jsonw_end_object(w);
}

static void write_document(struct buf *doc, const struct lease *l, const struct hostkey *host_key,
			   const char *key, const char *sshd)
{
	char root[sizeof(l->work_root) + 1];
	struct jsonw w;

	snprintf(root, sizeof(root), "%s\n", l->work_root);
	buf_adds(doc, "#cloud-config\n");
	jsonw_init(&w, doc);
	jsonw_object(&w, NULL);
	write_user(&w, l->ssh_user, key);
	write_host_key(&w, host_key);
	jsonw_bool(&w, "ssh_pwauth", 0);
	jsonw_bool(&w, "package_update", 0);
	jsonw_bool(&w, "package_upgrade", 0);
	jsonw_array(&w, "write_files");
	write_file(&w, "/etc/ssh/sshd_config.d/10-lessor.conf", "0644", sshd);
	write_file(&w, WORK_ROOT_PATH, "0644", root);
	write_file(&w, SCRIPT_READY_PATH, "0755", script_ready);
	write_file(&w, SCRIPT_SETUP_PATH, "0755", script_setup);
	jsonw_end_array(&w);
	/* A list is an argument vector: cloud-init quotes each argument. */
	jsonw_array(&w, "runcmd");
	jsonw_array(&w, NULL);
	jsonw_text(&w, NULL, SCRIPT_SETUP_PATH);
	jsonw_text(&w, NULL, l->ssh_user);
	jsonw_text(&w, NULL, l->work_root);
	jsonw_end_array(&w);
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	buf_addc(doc, '\n');
}

int bootstrap_user_data(const struct lease *l, const struct hostkey *host_key, struct buf *out,
			struct err *err)
{
	char key[sizeof(l->public_key) + sizeof(l->id)];
	struct buf doc auto_buf;
	struct buf sshd auto_buf;
	int rc = 0;

	buf_init(&doc, BOOTSTRAP_MAX);
	buf_init(&sshd, 1024);
	if (check_user(l->ssh_user, err) < 0 || check_work_root(l->work_root, err) < 0 ||
	    make_key(l, key, sizeof(key), err) < 0 || make_sshd(l, &sshd, err) < 0)
		return -1;

	/* Reserved at once: a buffer that grows leaves copies of the host key behind. */
	buf_reserve(&doc, BOOTSTRAP_MAX);
	write_document(&doc, l, host_key, key, buf_str(&sshd));
	if (doc.overflow)
		rc = err_set(err, ERR_INVALID, "the cloud-init document is larger than %d bytes",
			     BOOTSTRAP_MAX);
	else
		buf_add(out, doc.data, doc.len);
	hash_wipe(doc.data, doc.len);
	return rc;
}
