/* SPDX-License-Identifier: MIT */
/*
 * bootstrap-cases COUNT [SEED]: random leases that the room accepts, and the
 * document of each, for bootstrap-yaml.py. Per case, one item a line: user, work
 * root, key, ports, id, host key ("" for none), the length of its private half and that
 * itself, the document's length, the document.
 */
#include "bootstrap/bootstrap.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed;

/* splitmix64 */
static uint64_t random_next(void)
{
	uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static size_t random_below(size_t n)
{
	return (size_t)(random_next() % n);
}

static void random_text(char *out, size_t min, size_t max, const char *chars)
{
	size_t len = min + random_below(max - min + 1);

	for (size_t i = 0; i < len; i++)
		out[i] = chars[random_below(strlen(chars))];
	out[len] = '\0';
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define BASE64 LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"

/* All printable characters; those special to YAML, JSON and sh more often. */
static const char printable[] = "'\"\\$`;&|<>(){}[]#!*?~%@,:- \t";

static void random_lease(struct lease *l)
{
	static const char *const types[] = { "ssh-ed25519 ", "ssh-rsa ", "ecdsa-sha2-nistp256 ",
					     "sk-ssh-ed25519@openssh.com " };
	static const char *const comments[] = { "", " crabbox", " \": {}", " a: b #"
		" c", " '\\u0000" };
	char all[200], body[1200];
	size_t n = 0;

	memset(l, 0, sizeof(*l));
	for (char c = ' '; c <= '~'; c++)
		all[n++] = c;
	for (const char *p = printable; *p; p++) {
		if (*p != '\t')
			all[n++] = *p;
	}
	all[n] = '\0';
	snprintf(l->id, sizeof(l->id), "cbx_%012llx",
		 (unsigned long long)(random_next() & UINT64_C(0xffffffffffff)));
	random_text(l->ssh_user, 1, 1, LOWER "_");
	random_text(l->ssh_user + 1, 0, 31, LOWER "0123456789_-");
	l->work_root[0] = '/';
	do {
		random_text(l->work_root + 1, 1, sizeof(l->work_root) - 2, all);
	} while (strstr(l->work_root, "/.."));
	random_text(body, 16, sizeof(body) - 1, BASE64);
	snprintf(l->public_key, sizeof(l->public_key), "%s%s%s", types[random_below(4)], body,
		 comments[random_below(5)]);
	l->ssh_port = 1 + (int)random_below(65535);
	l->fallback_count = (int)random_below(LEASE_PORTS_MAX + 1);
	for (int i = 0; i < l->fallback_count; i++)
		l->fallback_ports[i] = 1 + (int)random_below(random_below(2) ? 65535 : 3);
}

int main(int argc, char **argv)
{
	struct env env;
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : 10;

	env_system(&env);
	seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	for (long i = 0; i < count; i++) {
		struct hostkey key;
		struct lease l;
		struct buf out;
		struct err err = { 0 };

		random_lease(&l);
		if (hostkey_make(&env, &key, &err))
			return 1;
		buf_init(&out, BOOTSTRAP_MAX);
		if (bootstrap_user_data(&l, i % 3 ? &key : NULL, &out, &err) < 0) {
			fprintf(stderr, "case %ld: %s: '%s'\n", i, err.text, l.work_root);
			return 1;
		}
		printf("%s\n%s\n%s\n%d", l.ssh_user, l.work_root, l.public_key, l.ssh_port);
		for (int k = 0; k < l.fallback_count; k++)
			printf(" %d", l.fallback_ports[k]);
		printf("\n%s\n%s\n%zu\n%s%zu\n", l.id, i % 3 ? key.public_line : "",
		       i % 3 ? strlen(key.private_pem) : 0, i % 3 ? key.private_pem : "",
		       out.len);
		fwrite(out.data, 1, out.len, stdout);
		buf_fini(&out);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
