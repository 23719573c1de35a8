/* SPDX-License-Identifier: MIT */
/* Defaults, and the checks that need the whole file. */
#include "config/keys.h"

#include <stdio.h>
#include <string.h>

#include "config/value.h"
#include "util/alloc.h"
#include "util/duration.h"

#define MINUTE_MS INT64_C(60000)
#define DAY_MS INT64_C(86400000)

#ifndef LESSOR_BACKUP_DIR
#define LESSOR_BACKUP_DIR "/var/backups/lessor"
#endif
#ifndef LESSOR_PROVIDER_DIR
#define LESSOR_PROVIDER_DIR "/usr/lib/lessor/providers"
#endif

/* The classes that clients know; server types in order of preference. */
static const struct {
	const char *name;
	const char *types[LEASE_TYPES_MAX];
} class_defaults[] = {
	{ "tiny", { "ccx13", "cpx22", "cx23" } },
	{ "small", { "ccx23", "cpx32", "cx33" } },
	{ "standard", { "ccx33", "cpx62", "cx53" } },
	{ "fast", { "ccx43", "cpx62", "cx53" } },
	{ "large", { "ccx53", "ccx43", "cpx62", "cx53" } },
	{ "beast", { "ccx63", "ccx53", "ccx43", "cpx62", "cx53" } },
};

void config_defaults(struct config *c)
{
	store_section_defaults(c);
	snprintf(c->providers, sizeof(c->providers), "%s", LESSOR_PROVIDER_DIR);
	snprintf(c->backups, sizeof(c->backups), "%s", LESSOR_BACKUP_DIR);
	c->log_format = LOG_HUMAN;
	c->log_level = LOG_LEVEL_INFO;
	c->create_wait_ms = 90000;
	c->release_wait_ms = 40000;
	c->boot_ms = 15 * MINUTE_MS;
	c->probe_ms = 5 * MINUTE_MS;
	c->drain_ms = 20000;
	c->sweep_ms = 60 * MINUTE_MS;
	c->sweep_grace_ms = 60 * MINUTE_MS;
	c->history_keep_ms = 400 * DAY_MS;
	c->run_keep_ms = 30 * DAY_MS;
	c->run_stale_ms = DAY_MS;
	c->run_mib_max = 1024;
	c->run_log_mib = 8;
	c->worker_threads = 4;
	c->max_connections = 32768;
	c->max_waiting = 2048;
	c->max_waiting_owner = 1024;
	c->limits.engine.max_queued = 1000;
	c->limits.engine.max_queued_owner = 100;
	c->limits.default_ttl_ms = 90 * MINUTE_MS;
	c->limits.max_ttl_ms = DAY_MS;
	c->limits.default_idle_ms = 30 * MINUTE_MS;
	c->limits.max_idle_ms = DAY_MS;
}

static int listener_check(const struct config *c, const struct config_listen *l, struct err *err)
{
	if (l->family == CONFIG_TCP && !l->is_loopback && !c->tls_certificate[0] && !c->behind_proxy)
		return err_set(err, ERR_REFUSED,
			       "%s:%d: %s is not a loopback address, and"
			       " tokens would cross the network unencrypted; set"
			       " tls_certificate and tls_key, or behind_proxy = yes if a"
			       " proxy terminates TLS",
			       c->path, l->line, l->address);
	return 0;
}

static int is_same_address(const struct config_listen *a, const struct config_listen *b)
{
	return a->family == b->family && a->port == b->port && (a->port || a->path[0]) &&
	       strcmp(a->address, b->address) == 0 && strcmp(a->path, b->path) == 0;
}

static int listeners_check(struct config *c, struct err *err)
{
	if (c->listen_count == 0) {
		if (value_listen("127.0.0.1:8480", &c->listen[0], err) < 0)
			return -1;
		c->listen_count = 1;
	}
	if (!c->tls_certificate[0] != !c->tls_key[0])
		return err_set(err, ERR_INVALID,
			       "%s: tls_certificate and tls_key must be set"
			       " together",
			       c->path);
	for (int i = 0; i < c->listen_count; i++) {
		const struct config_listen *l = &c->listen[i];

		if (listener_check(c, l, err))
			return -1;
		for (int k = 0; k < i; k++) {
			if (is_same_address(&c->listen[k], l))
				return err_set(err, ERR_INVALID,
					       "%s:%d: the same address is already in `listen`",
					       c->path, l->line);
		}
		if (c->has_listen_metrics && is_same_address(&c->listen_metrics, l))
			return err_set(err, ERR_INVALID,
				       "%s:%d: the address of `listen_metrics` is also in `listen`; the "
				       "metrics are there, too",
				       c->path, c->listen_metrics.line);
	}
	return c->has_listen_metrics ? listener_check(c, &c->listen_metrics, err) : 0;
}

/* The file may set only one of the two. */
static int default_check(const struct config *c, const char *what, int64_t usual_ms,
			 int64_t most_ms, struct err *err)
{
	char usual[DURATION_TEXT_SIZE], most[DURATION_TEXT_SIZE];

	if (usual_ms <= most_ms)
		return 0;
	duration_format(usual_ms, usual);
	duration_format(most_ms, most);
	return err_set(err, ERR_INVALID,
		       "%s: default_%s = %s exceeds max_%s = %s; set default_%s = %s or less, or raise "
		       "max_%s",
		       c->path, what, usual, what, most, what, most, what);
}

static int limits_check(const struct config *c, struct err *err)
{
	const struct config_limits *limits = &c->limits;

	if (default_check(c, "ttl", limits->default_ttl_ms, limits->max_ttl_ms, err) < 0)
		return -1;
	return default_check(c, "idle", limits->default_idle_ms, limits->max_idle_ms, err);
}

static void classes_default(struct config *c)
{
	for (size_t i = 0; i < ARRAY_LEN(class_defaults); i++) {
		struct config_class *to = &c->classes[c->class_count++];

		snprintf(to->name, sizeof(to->name), "%s", class_defaults[i].name);
		while (to->type_count < LEASE_TYPES_MAX && class_defaults[i].types[to->type_count]) {
			snprintf(to->types[to->type_count], sizeof(to->types[0]), "%s",
				 class_defaults[i].types[to->type_count]);
			to->type_count++;
		}
	}
}

/* The preset is the modest one of the built-in classes. */
static int default_class_check(struct config *c, struct err *err)
{
	char *name = c->limits.default_class;
	size_t size = sizeof(c->limits.default_class), len = 0;
	const char *preset = c->classes[0].name;
	char names[200] = "";

	for (int i = 0; i < c->class_count; i++) {
		const char *class = c->classes[i].name;

		if (strcmp(class, name) == 0)
			return 0;
		if (strcmp(class, "small") == 0)
			preset = class;
		if (len < sizeof(names))
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
						len ? ", " : "", class);
	}
	if (name[0])
		return err_set(err, ERR_INVALID,
			       "%s: default_class: there is no class '%s'; classes: %s", c->path,
			       name, names);
	snprintf(name, size, "%s", preset);
	return 0;
}

static int account_check(struct config *c, struct config_account *a, enum config_how how,
			 struct err *err)
{
	struct account_config *conf = &a->account;
	int known = 0;

	if (!conf->provider[0])
		return err_set(err, ERR_INVALID, "%s:%d: [account %s] needs provider = NAME",
			       c->path, a->line, conf->name);
	if (conf->location_count == 0)
		return err_set(err, ERR_INVALID,
			       "%s:%d: [account %s] needs locations = A, B, where"
			       " to create machines, in order of preference",
			       c->path, a->line, conf->name);
	if (a->token_file[0] && a->credential[0])
		return err_set(err, ERR_INVALID,
			       "%s:%d: [account %s]: token_file and credential are"
			       " mutually exclusive",
			       c->path, a->line, conf->name);
	if (!conf->image[0])
		snprintf(conf->image, sizeof(conf->image), "%s", a->image_count ? a->images[0] :
			 "ubuntu-24.04");
	if (conf->max_steps == 0)
		conf->max_steps = 8;
	for (int i = 0; i < a->image_count; i++)
		known |= strcmp(a->images[i], conf->image) == 0;
	if (!known) {
		if (a->image_count == CONFIG_IMAGES_MAX)
			return err_set(err, ERR_INVALID,
				       "%s:%d: [account %s]: image = %s is not in"
				       " images, which has no room for one more",
				       c->path, a->line, conf->name, conf->image);
		snprintf(a->images[a->image_count++], sizeof(a->images[0]), "%s", conf->image);
	}
	if (how == CONFIG_WITHOUT_TOKENS || how == CONFIG_FOR_STORE)
		return 0;
	if (a->ca_file[0] && ca_load(a->ca_file, "ca_file", 0002, &conf->ca, err) < 0)
		return err_prefix(err, "%s:%d: [account %s]: ", c->path, a->line, conf->name);
	if (!a->token_file[0] && (!a->credential[0] || how == CONFIG_WITHOUT_CREDENTIALS))
		return 0;
	if (credential_read(a->token_file, a->credential, c->store_files, "token", &conf->token,
			    err) < 0)
		return err_prefix(err, "%s:%d: [account %s]: ", c->path, a->line, conf->name);
	return 0;
}

/* Its content is read by libcurl, with the first request to another daemon: too late to complain. */
static int peers_check(const struct config *c, enum config_how how, struct err *err)
{
	struct ca *ca = NULL;

	if (how == CONFIG_WITHOUT_TOKENS || how == CONFIG_FOR_STORE || !c->peer_ca_file[0])
		return 0;
	if (ca_load(c->peer_ca_file, "peer_ca_file", 0002, &ca, err) < 0)
		return err_prefix(err, "%s: ", c->path);
	ca_unref(ca);
	return 0;
}

static int has_account(const struct config *c, const char *name)
{
	for (int i = 0; i < c->account_count; i++) {
		if (strcmp(c->accounts[i].account.name, name) == 0)
			return 1;
	}
	return 0;
}

static int orgs_check(const struct config *c, struct err *err)
{
	for (int i = 0; i < c->org_count; i++) {
		const struct config_org *org = &c->orgs[i];

		if (!org->account_count)
			return err_set(err, ERR_INVALID,
				       "%s:%d: [org %s] needs accounts = A, B, where its leases are "
				       "created",
				       c->path, org->line, org->name);
		for (int k = 0; k < org->account_count; k++) {
			if (!has_account(c, org->accounts[k]))
				return err_set(err, ERR_INVALID,
					       "%s:%d: [org %s]: there is no [account %s]", c->path,
					       org->line, org->name, org->accounts[k]);
		}
	}
	return 0;
}

static int named_check(const struct config *c, struct err *err)
{
	const struct engine_limits *limits = &c->limits.engine;

	for (int i = 0; i < limits->named_count; i++) {
		const struct limits_named *named = &limits->named[i];

		if (named->scope == LIMIT_ACCOUNT && !has_account(c, named->name))
			return err_set(err, ERR_INVALID,
				       "%s: [limits account %s]: there is no [account %s]", c->path,
				       named->name, named->name);
	}
	return 0;
}

static void pause_add(struct engine_limits *limits, const char *account, const char *reason)
{
	struct limits_pause *pause = &limits->pauses[limits->pause_count++];

	snprintf(pause->account, sizeof(pause->account), "%s", account);
	snprintf(pause->reason, sizeof(pause->reason), "%s", reason);
}

_Static_assert(PAUSES_MAX > CONFIG_ACCOUNTS_MAX, "every account can be paused");

/* A reason without a pause is kept for the next one. */
static void pauses_fill(struct config *c)
{
	struct engine_limits *limits = &c->limits.engine;

	limits->pause_count = 0;
	if (c->is_paused)
		pause_add(limits, "", c->pause_reason);
	for (int i = 0; i < c->account_count; i++) {
		if (c->accounts[i].is_paused)
			pause_add(limits, c->accounts[i].account.name, c->accounts[i].pause_reason);
	}
}

int config_check(struct config *c, enum config_how how, struct err *err)
{
	if (listeners_check(c, err) < 0 || limits_check(c, err) < 0 ||
	    store_section_check(c, how, err) < 0 || peers_check(c, how, err) < 0)
		return -1;
	if (c->class_count == 0)
		classes_default(c);
	for (int i = 0; i < c->class_count; i++) {
		if (c->classes[i].type_count == 0)
			return err_set(err, ERR_INVALID,
				       "%s:%d: [class %s] needs types = A, B, in"
				       " order of preference",
				       c->path, c->classes[i].line, c->classes[i].name);
	}
	if (default_class_check(c, err) < 0)
		return -1;
	if (c->account_count == 0)
		return err_set(err, ERR_INVALID,
			       "%s: there is no [account NAME] section; at least one is needed, with "
			       "provider and locations",
			       c->path);
	for (int i = 0; i < c->account_count; i++) {
		if (account_check(c, &c->accounts[i], how, err) < 0)
			return -1;
	}
	pauses_fill(c);
	return orgs_check(c, err) < 0 || named_check(c, err) < 0 ? -1 : 0;
}
