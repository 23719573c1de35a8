/* SPDX-License-Identifier: MIT */
/*
 * How two configurations differ: by the table of keys, so that each key is compared, and named as
 * in the file.
 */
#include "config/keys.h"

#include <stdio.h>
#include <string.h>

#include "util/alloc.h"

/* Besides [limits] and [org], all of them; a key that is not here needs a restart. */
static const struct {
	enum section_kind section;
	const char *name;
} reloaded[] = {
	{ SECTION_SERVER, "log" },
	{ SECTION_SERVER, "log_level" },
	{ SECTION_SERVER, "tls_certificate" },
	{ SECTION_SERVER, "tls_key" },
	{ SECTION_SERVER, "usd_rates" },
	{ SECTION_SERVER, "paused" },
	{ SECTION_SERVER, "paused_reason" },
	{ SECTION_ACCOUNT, "allowed_types" },
	{ SECTION_ACCOUNT, "ca_file" },
	{ SECTION_ACCOUNT, "paused" },
	{ SECTION_ACCOUNT, "paused_reason" },
};

static const struct config_class *class_named(const struct config *config, const char *name)
{
	for (int i = 0; i < config->class_count; i++) {
		if (strcmp(config->classes[i].name, name) == 0)
			return &config->classes[i];
	}
	return NULL;
}

/* `old` and `now` are the section's, which for [limits] is the configuration. */
static int key_is_reloaded(const struct key *key, const void *old, const void *now)
{
	/* A new class needs a restart. */
	if (key->section == SECTION_LIMITS && strcmp(key->name, "default_class") == 0)
		return class_named(old, ((const struct config *)now)->limits.default_class) != NULL;
	if (key->section == SECTION_LIMITS || key->section == SECTION_NAMED ||
	    key->section == SECTION_ORG)
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(reloaded); i++) {
		if (reloaded[i].section == key->section && strcmp(reloaded[i].name, key->name) == 0)
			return 1;
	}
	return 0;
}

static int key_differs(const struct key *key, const void *old, const void *now)
{
	char a[CONFIG_ITEM_SIZE], b[CONFIG_ITEM_SIZE];

	for (int i = 0;; i++) {
		int has_a = key_show(key, old, i, a, sizeof(a));
		int has_b = key_show(key, now, i, b, sizeof(b));

		if (has_a != has_b || (has_a && strcmp(a, b) != 0))
			return 1;
		if (!has_a)
			return 0;
	}
}

static const char *option_value(const struct account_config *account, const char *key)
{
	for (size_t i = 0; i < account->option_count; i++) {
		if (strcmp(account->options[i].key, key) == 0)
			return account->options[i].value;
	}
	return NULL;
}

static int option_differs(const char *a, const char *b)
{
	return !a != !b || (a && strcmp(a, b) != 0);
}

/* ---- the differences of a whole configuration ------------------------------------------- */

/* One section of both files, and where its differences go. */
struct comparison {
	struct config_changes *changes;
	const char *section; /* "[server]", for messages */
	int has_tls_change;  /* TLS was turned on or off: listeners need a restart */
	int is_named_applied, is_named_restart;
};

/* Appends "[section] key", or ", key" if the section is there. */
static void difference_add(struct buf *list, int *is_named, const char *section, const char *key)
{
	buf_addf(list, "%s%s%s%s",
		 !list->len ? "" :
		 *is_named  ? ", " :
			      "; ",
		 *is_named ? "" : section, *is_named || !key[0] ? "" : " ", key);
	*is_named = 1;
}

static void applied_add(struct comparison *c, const struct key *key, const void *now)
{
	char value[CONFIG_ITEM_SIZE];

	difference_add(&c->changes->applied, &c->is_named_applied, c->section, key->name);
	if (key_show(key, now, 0, value, sizeof(value)))
		buf_addf(&c->changes->applied, " = %s", value);
}

static void restart_add(struct comparison *c, const char *key)
{
	difference_add(&c->changes->restart, &c->is_named_restart, c->section, key);
}

static void section_compare(struct comparison *c, enum section_kind kind, const void *old,
			    const void *now)
{
	const struct key *key;

	for (size_t i = 0; (key = key_at(i)) != NULL; i++) {
		if (key->section != kind || !key_differs(key, old, now))
			continue;
		if (key_is_reloaded(key, old, now) &&
		    !(c->has_tls_change && strncmp(key->name, "tls_", 4) == 0))
			applied_add(c, key, now);
		else
			restart_add(c, key->name);
	}
}

static void options_compare(struct comparison *c, const struct account_config *old,
			    const struct account_config *now)
{
	for (size_t i = 0; i < now->option_count; i++) {
		const char *key = now->options[i].key;

		if (option_differs(option_value(old, key), now->options[i].value))
			restart_add(c, key);
	}
	for (size_t i = 0; i < old->option_count; i++) {
		if (!option_value(now, old->options[i].key))
			restart_add(c, old->options[i].key);
	}
}

static const struct config_account *account_named(const struct config *config, const char *name)
{
	for (int i = 0; i < config->account_count; i++) {
		if (strcmp(config->accounts[i].account.name, name) == 0)
			return &config->accounts[i];
	}
	return NULL;
}

/* A section that only one of the two has. */
static void section_one_sided(struct config_changes *changes, const char *section, const char *how)
{
	struct comparison c = { .changes = changes, .section = section };

	restart_add(&c, how);
}

/* The same of one that a reload adds or removes. */
static void section_changed(struct config_changes *changes, const char *section, const char *how)
{
	int is_named = 0;

	difference_add(&changes->applied, &is_named, section, how);
}

static const struct limits_named *named_find(const struct config *config,
					     const struct limits_named *like)
{
	const struct engine_limits *limits = &config->limits.engine;

	for (int i = 0; i < limits->named_count; i++) {
		if (limits->named[i].scope == like->scope &&
		    strcmp(limits->named[i].name, like->name) == 0)
			return &limits->named[i];
	}
	return NULL;
}

static const char *named_section(const struct limits_named *named, char *out, size_t size)
{
	snprintf(out, size, "[limits %s %s]", named_word(named->scope), named->name);
	return out;
}

static void named_compare(struct config_changes *changes, const struct config *old,
			  const struct config *now)
{
	char section[160];

	for (int i = 0; i < now->limits.engine.named_count; i++) {
		const struct limits_named *named = &now->limits.engine.named[i];
		const struct limits_named *before = named_find(old, named);
		struct comparison c = {
			.changes = changes,
			.section = named_section(named, section, sizeof(section)),
		};

		if (before)
			section_compare(&c, SECTION_NAMED, before, named);
		else
			section_changed(changes, section, "(new)");
	}
	for (int i = 0; i < old->limits.engine.named_count; i++) {
		const struct limits_named *named = &old->limits.engine.named[i];

		if (!named_find(now, named))
			section_changed(changes, named_section(named, section, sizeof(section)),
					"(removed)");
	}
}

static const struct config_org *org_named(const struct config *config, const char *name)
{
	for (int i = 0; i < config->org_count; i++) {
		if (strcmp(config->orgs[i].name, name) == 0)
			return &config->orgs[i];
	}
	return NULL;
}

static void orgs_compare(struct config_changes *changes, const struct config *old,
			 const struct config *now)
{
	char section[80];

	for (int i = 0; i < now->org_count; i++) {
		const struct config_org *before = org_named(old, now->orgs[i].name);
		struct comparison c = { .changes = changes, .section = section };

		snprintf(section, sizeof(section), "[org %s]", now->orgs[i].name);
		if (before)
			section_compare(&c, SECTION_ORG, before, &now->orgs[i]);
		else
			section_changed(changes, section, "(new)");
	}
	for (int i = 0; i < old->org_count; i++) {
		snprintf(section, sizeof(section), "[org %s]", old->orgs[i].name);
		if (!org_named(now, old->orgs[i].name))
			section_changed(changes, section, "(removed)");
	}
}

static void classes_compare(struct config_changes *changes, const struct config *old,
			    const struct config *now)
{
	char section[80];

	for (int i = 0; i < now->class_count; i++) {
		const struct config_class *class = &now->classes[i];
		const struct config_class *before = class_named(old, class->name);
		struct comparison c = { .changes = changes, .section = section };

		snprintf(section, sizeof(section), "[class %s]", class->name);
		if (!before) {
			section_one_sided(changes, section, "(new)");
			continue;
		}
		if (before - old->classes != i && old->class_count == now->class_count)
			restart_add(&c, "(order)");
		section_compare(&c, SECTION_CLASS, before, class);
	}
	for (int i = 0; i < old->class_count; i++) {
		snprintf(section, sizeof(section), "[class %s]", old->classes[i].name);
		if (!class_named(now, old->classes[i].name))
			section_one_sided(changes, section, "(removed)");
	}
}

static void accounts_compare(struct config_changes *changes, const struct config *old,
			     const struct config *now)
{
	char section[80];

	for (int i = 0; i < now->account_count; i++) {
		const struct config_account *account = &now->accounts[i];
		const struct config_account *before = account_named(old, account->account.name);
		struct comparison c = { .changes = changes, .section = section };

		snprintf(section, sizeof(section), "[account %s]", account->account.name);
		if (!before) {
			section_one_sided(changes, section, "(new)");
			continue;
		}
		if (before - old->accounts != i && old->account_count == now->account_count)
			restart_add(&c, "(order)");
		section_compare(&c, SECTION_ACCOUNT, before, account);
		options_compare(&c, &before->account, &account->account);
	}
	for (int i = 0; i < old->account_count; i++) {
		const char *name = old->accounts[i].account.name;

		snprintf(section, sizeof(section), "[account %s]", name);
		if (!account_named(now, name))
			section_one_sided(changes, section, "(removed)");
	}
}

void config_compare(const struct config *old, const struct config *now, struct config_changes *ret)
{
	static const struct {
		enum section_kind kind;
		const char *name;
	} sections[] = {
		{ SECTION_SERVER, "[server]" }, { SECTION_STORE, "[store]" },
		{ SECTION_SWEEP, "[sweep]" },	{ SECTION_RUNS, "[runs]" },
		{ SECTION_LIMITS, "[limits]" },
	};

	buf_init(&ret->applied, CONFIG_CHANGES_MAX);
	buf_init(&ret->restart, CONFIG_CHANGES_MAX);
	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		struct comparison c = {
			.changes = ret,
			.section = sections[i].name,
			.has_tls_change = !old->tls_certificate[0] != !now->tls_certificate[0],
		};

		section_compare(&c, sections[i].kind, old, now);
	}
	named_compare(ret, old, now);
	classes_compare(ret, old, now);
	accounts_compare(ret, old, now);
	orgs_compare(ret, old, now);
}

void config_changes_fini(struct config_changes *changes)
{
	buf_fini(&changes->applied);
	buf_fini(&changes->restart);
}

const struct config_account *config_account_same(const struct config *now,
						 const struct config_account *old)
{
	const struct config_account *account = account_named(now, old->account.name);
	struct config_changes changes = { 0 };
	struct comparison c = { .changes = &changes, .section = "" };
	size_t differences;

	if (!account)
		return NULL;
	buf_init(&changes.applied, CONFIG_CHANGES_MAX);
	buf_init(&changes.restart, CONFIG_CHANGES_MAX);
	section_compare(&c, SECTION_ACCOUNT, old, account);
	options_compare(&c, &old->account, &account->account);
	differences = changes.restart.len + (size_t)changes.restart.overflow;
	config_changes_fini(&changes);
	return differences ? NULL : account;
}

void config_take(struct config *in_effect, const struct config *now)
{
	char default_class[sizeof(now->limits.default_class)];

	memcpy(default_class, in_effect->limits.default_class, sizeof(default_class));
	in_effect->limits = now->limits;
	if (!class_named(in_effect, now->limits.default_class))
		memcpy(in_effect->limits.default_class, default_class, sizeof(default_class));
	memcpy(in_effect->usd_rates, now->usd_rates, sizeof(in_effect->usd_rates));
	in_effect->usd_rate_count = now->usd_rate_count;
	in_effect->is_paused = now->is_paused;
	memcpy(in_effect->pause_reason, now->pause_reason, sizeof(in_effect->pause_reason));
	memcpy(in_effect->orgs, now->orgs, sizeof(in_effect->orgs));
	in_effect->org_count = now->org_count;
	in_effect->log_format = now->log_format;
	in_effect->log_level = now->log_level;
	if (in_effect->tls_certificate[0] && now->tls_certificate[0]) {
		memcpy(in_effect->tls_certificate, now->tls_certificate,
		       sizeof(in_effect->tls_certificate));
		memcpy(in_effect->tls_key, now->tls_key, sizeof(in_effect->tls_key));
	}
	for (int i = 0; i < in_effect->account_count; i++) {
		struct config_account *account = &in_effect->accounts[i];
		const struct config_account *from = account_named(now, account->account.name);

		if (!from)
			continue;
		memcpy(account->ca_file, from->ca_file, sizeof(account->ca_file));
		memcpy(account->types, from->types, sizeof(account->types));
		account->type_count = from->type_count;
		account->is_paused = from->is_paused;
		memcpy(account->pause_reason, from->pause_reason, sizeof(account->pause_reason));
	}
}
