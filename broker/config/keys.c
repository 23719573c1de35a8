/* SPDX-License-Identifier: MIT */
#include "config/keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/value.h"
#include "util/alloc.h"
#include "util/duration.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define MANY INT64_C(1000000)
#define HISTORY_KEEP_LEAST (7 * DAY)
#define HISTORY_KEEP_MOST (3650 * DAY)
#define USD_RATE_MAX (1000000 * MANY)

static int listen_set(void *section, const char *value, struct err *err)
{
	struct config *c = section;
	char item[160];
	int more;

	while ((more = value_next(&value, item, sizeof(item), err)) > 0) {
		if (c->listen_count == CONFIG_LISTENERS_MAX)
			return err_set(err, ERR_INVALID, "more than %d addresses",
				       CONFIG_LISTENERS_MAX);
		if (value_listen(item, &c->listen[c->listen_count], err) < 0)
			return -1;
		c->listen_count++;
	}
	return more;
}

static int listen_metrics_set(void *section, const char *value, struct err *err)
{
	struct config *c = section;

	c->has_listen_metrics = 1;
	return value_listen(value, &c->listen_metrics, err);
}

static int hosts_set(void *section, const char *value, struct err *err)
{
	struct config *c = section;
	char item[256];
	int more;

	while ((more = value_next(&value, item, sizeof(item), err)) > 0) {
		if (c->host_count == CONFIG_HOSTS_MAX)
			return err_set(err, ERR_INVALID, "more than %d hosts", CONFIG_HOSTS_MAX);
		if (value_word(item, sizeof(c->hosts[0]), c->hosts[c->host_count], err) < 0)
			return -1;
		c->host_count++;
	}
	return more;
}

static int advertise_set(void *section, const char *value, struct err *err)
{
	struct config *c = section;

	return value_peer(value, sizeof(c->advertise), c->advertise, err);
}

static int url_set(void *section, const char *value, struct err *err)
{
	struct config *c = section;

	return value_postgres(value, sizeof(c->postgres.url), c->postgres.url, err);
}

/* EUR:1.08 */
static int usd_rates_set(void *section, const char *value, struct err *err)
{
	struct config *c = section;
	char item[32];
	int more;

	while ((more = value_next(&value, item, sizeof(item), err)) > 0) {
		struct config_usd_rate *rate = &c->usd_rates[c->usd_rate_count];

		if (c->usd_rate_count == CONFIG_USD_RATES_MAX)
			return err_set(err, ERR_INVALID, "more than %d rates", CONFIG_USD_RATES_MAX);
		if (strspn(item, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3 || item[3] != ':')
			return err_set(err, ERR_INVALID,
				       "'%s' is not a currency and its rate, such as EUR:1.08",
				       item);
		if (value_money(item + 4, &rate->micros, err) < 0)
			return -1;
		if (rate->micros <= 0 || rate->micros > USD_RATE_MAX)
			return err_set(err, ERR_INVALID, "the rate in '%s' is out of range", item);
		memcpy(rate->currency, item, 3);
		rate->currency[3] = '\0';
		for (int i = 0; i < c->usd_rate_count; i++) {
			if (strcmp(c->usd_rates[i].currency, rate->currency) == 0)
				return err_set(err, ERR_INVALID, "two rates for %s", rate->currency);
		}
		c->usd_rate_count++;
	}
	return more;
}

static int log_set(void *section, const char *value, struct err *err)
{
	struct config *c = section;

	if (strcmp(value, "human") == 0)
		c->log_format = LOG_HUMAN;
	else if (strcmp(value, "json") == 0)
		c->log_format = LOG_JSON;
	else
		return err_set(err, ERR_INVALID, "'%s' is neither human nor json", value);
	return 0;
}

static int sweep_mode_set(void *section, const char *value, struct err *err)
{
	struct config *c = section;

	if (strcmp(value, "report") != 0 && strcmp(value, "delete") != 0)
		return err_set(err, ERR_INVALID, "'%s' is neither report nor delete", value);
	c->sweep_deletes = strcmp(value, "delete") == 0;
	return 0;
}

/* 0: for ever. Not less than people look back, and than sweeps and clocks take to be trusted. */
static int history_keep_set(void *section, const char *value, struct err *err)
{
	struct config *c = section;
	int64_t ms;

	if (duration_parse(value, 0, 0, &ms, NULL) < 0 &&
	    duration_parse(value, HISTORY_KEEP_LEAST, HISTORY_KEEP_MOST, &ms, NULL) < 0)
		return err_set(err, ERR_INVALID,
			       "'%.40s' is neither 0, for ever, nor from 7d to 3650d, such as 400d",
			       value);
	c->history_keep_ms = ms;
	return 0;
}

static int log_level_set(void *section, const char *value, struct err *err)
{
	struct config *c = section;
	int level = log_level_parse(value);

	if (level < 0)
		return err_set(err, ERR_INVALID,
			       "'%s' is not one of error, warning, notice, info, debug", value);
	c->log_level = level;
	return 0;
}

static int types_set(void *section, const char *value, struct err *err)
{
	struct config_class *c = section;

	return names_add(value, c->types[0], sizeof(c->types[0]), &c->type_count, LEASE_TYPES_MAX,
			 value_name, err);
}

static int token_set(void *section, const char *value, struct err *err)
{
	(void)section;
	(void)value;
	return err_set(err, ERR_REFUSED,
		       "a token must not be in this file, which may be copied or"
		       " kept in version control; store it in a file of its own with mode 0600 and"
		       " set token_file = /path, or credential = NAME under systemd");
}

/* ---- values as text ------------------------------------------------------------------ */

static void address_show(const struct config_listen *l, char *out, size_t size)
{
	if (l->family == CONFIG_UNIX)
		snprintf(out, size, "unix:%s", l->path);
	else
		snprintf(out, size, strchr(l->address, ':') ? "[%s]:%u" : "%s:%u", l->address,
			 l->port);
}

static int listen_show(const void *section, int i, char *out, size_t size)
{
	const struct config *c = section;

	if (i >= c->listen_count)
		return 0;
	address_show(&c->listen[i], out, size);
	return 1;
}

static int listen_metrics_show(const void *section, int i, char *out, size_t size)
{
	const struct config *c = section;

	if (i > 0 || !c->has_listen_metrics)
		return 0;
	address_show(&c->listen_metrics, out, size);
	return 1;
}

static int hosts_show(const void *section, int i, char *out, size_t size)
{
	const struct config *c = section;

	return row_show(c->hosts[0], sizeof(c->hosts[0]), c->host_count, i, out, size);
}

static int advertise_show(const void *section, int i, char *out, size_t size)
{
	const struct config *c = section;

	return word_show(c->advertise, i, out, size) && out[0];
}

static int url_show(const void *section, int i, char *out, size_t size)
{
	const struct config *c = section;

	return word_show(c->postgres.url, i, out, size) && out[0];
}

static int usd_rates_show(const void *section, int i, char *out, size_t size)
{
	const struct config *c = section;
	char rate[32];

	if (i >= c->usd_rate_count)
		return 0;
	value_write_money(c->usd_rates[i].micros, rate, sizeof(rate));
	snprintf(out, size, "%s:%s", c->usd_rates[i].currency, rate);
	return 1;
}

static int log_show(const void *section, int i, char *out, size_t size)
{
	const struct config *c = section;

	return word_show(c->log_format == LOG_JSON ? "json" : "human", i, out, size);
}

static int log_level_show(const void *section, int i, char *out, size_t size)
{
	const struct config *c = section;

	return word_show(log_level_name(c->log_level), i, out, size);
}

static int sweep_mode_show(const void *section, int i, char *out, size_t size)
{
	const struct config *c = section;

	return word_show(c->sweep_deletes ? "delete" : "report", i, out, size);
}

static int history_keep_show(const void *section, int i, char *out, size_t size)
{
	const struct config *c = section;
	char text[DURATION_TEXT_SIZE];

	duration_format(c->history_keep_ms, text);
	return word_show(text, i, out, size);
}

static int types_show(const void *section, int i, char *out, size_t size)
{
	const struct config_class *c = section;

	return row_show(c->types[0], sizeof(c->types[0]), c->type_count, i, out, size);
}

/* ---- the table ----------------------------------------------------------------------- */

#define KEY_AT(section, name, type, of, member, low, high) \
	{ section, name, type, 0, offsetof(of, member), sizeof(((of *)0)->member), low, high, NULL, NULL }
#define SERVER(name, type, member, low, high) \
	KEY_AT(SECTION_SERVER, name, type, struct config, member, low, high)
#define STORE(name, type, member, low, high) \
	KEY_AT(SECTION_STORE, name, type, struct config, postgres.member, low, high)
#define SWEEP(name, type, member, low, high) \
	KEY_AT(SECTION_SWEEP, name, type, struct config, member, low, high)
#define RUNS(name, type, member, low, high) \
	KEY_AT(SECTION_RUNS, name, type, struct config, member, low, high)
#define LIMIT(name, type, member, low, high) \
	KEY_AT(SECTION_LIMITS, name, type, struct config, limits.member, low, high)
#define NAMED(name, type, member, low, high) \
	KEY_AT(SECTION_NAMED, name, type, struct limits_named, member, low, high)
#define ACCOUNT(name, type, member, low, high) \
	KEY_AT(SECTION_ACCOUNT, name, type, struct config_account, member, low, high)
#define OWN(section, name, is_list, set, show) \
	{ section, name, KEY_OTHER, is_list, 0, 0, 0, 0, set, show }

/* A duration of 0 means "do not wait"; a limit of 0 means "none". */
static const struct key keys[] = {
	OWN(SECTION_SERVER, "listen", 1, listen_set, listen_show),
	OWN(SECTION_SERVER, "listen_metrics", 0, listen_metrics_set, listen_metrics_show),
	SERVER("socket_group", KEY_NAME, socket_group, 0, 0),
	SERVER("store", KEY_PATH, store, 0, 0),
	OWN(SECTION_SERVER, "advertise", 0, advertise_set, advertise_show),
	SERVER("peer_ca_file", KEY_PATH, peer_ca_file, 0, 0),
	SERVER("providers", KEY_PATH, providers, 0, 0),
	SERVER("backups", KEY_PATH, backups, 0, 0),
	OWN(SECTION_SERVER, "log", 0, log_set, log_show),
	OWN(SECTION_SERVER, "log_level", 0, log_level_set, log_level_show),
	SERVER("tls_certificate", KEY_PATH, tls_certificate, 0, 0),
	SERVER("tls_key", KEY_PATH, tls_key, 0, 0),
	SERVER("behind_proxy", KEY_BOOL, behind_proxy, 0, 0),
	OWN(SECTION_SERVER, "allowed_hosts", 1, hosts_set, hosts_show),
	SERVER("create_wait", KEY_DURATION, create_wait_ms, 0, 30 * MINUTE),
	SERVER("release_wait", KEY_DURATION, release_wait_ms, 0, 30 * MINUTE),
	SERVER("settle", KEY_DURATION, settle_ms, 100, HOUR),
	SERVER("boot_timeout", KEY_DURATION, boot_ms, SECOND, 2 * HOUR),
	SERVER("probe", KEY_DURATION, probe_ms, 100, HOUR),
	SERVER("drain", KEY_DURATION, drain_ms, 0, 10 * MINUTE),
	SERVER("worker_threads", KEY_INT, worker_threads, 1, 64),
	OWN(SECTION_SERVER, "usd_rates", 1, usd_rates_set, usd_rates_show),
	SERVER("max_connections", KEY_INT, max_connections, 64, MANY),
	SERVER("max_waiting", KEY_INT, max_waiting, 16, 65536),
	SERVER("max_waiting_per_owner", KEY_INT, max_waiting_owner, 1, 65536),
	SERVER("paused", KEY_BOOL, is_paused, 0, 0),
	OWN(SECTION_SERVER, "paused_reason", 0, server_reason_set, server_reason_show),

	OWN(SECTION_STORE, "url", 0, url_set, url_show),
	STORE("service", KEY_NAME, service, 0, 0),
	STORE("password_file", KEY_PATH, password_file, 0, 0),
	STORE("credential", KEY_NAME, credential, 0, 0),
	STORE("require_sync", KEY_BOOL, require_sync, 0, 0),
	STORE("state_dir", KEY_PATH, state_dir, 0, 0),

	SWEEP("interval", KEY_DURATION, sweep_ms, 0, 7 * DAY),
	SWEEP("grace", KEY_DURATION, sweep_grace_ms, 15 * MINUTE, 30 * DAY),
	OWN(SECTION_SWEEP, "mode", 0, sweep_mode_set, sweep_mode_show),

	OWN(SECTION_HISTORY, "keep", 0, history_keep_set, history_keep_show),

	RUNS("keep", KEY_DURATION, run_keep_ms, 0, 3650 * DAY),
	RUNS("stale", KEY_DURATION, run_stale_ms, HOUR, 30 * DAY),
	RUNS("max_mib", KEY_INT, run_mib_max, 0, MANY),
	RUNS("log_mib", KEY_INT, run_log_mib, 1, 64),

	LIMIT("max_active", KEY_INT, engine.max_active, 0, MANY),
	LIMIT("max_active_per_owner", KEY_INT, engine.max_active_owner, 0, MANY),
	LIMIT("max_active_per_org", KEY_INT, engine.max_active_org, 0, MANY),
	LIMIT("max_active_per_account", KEY_INT, engine.max_active_account, 0, MANY),
	LIMIT("max_hourly", KEY_MONEY, engine.max_hour_micros, 0, 0),
	LIMIT("max_hourly_per_owner", KEY_MONEY, engine.max_hour_micros_owner, 0, 0),
	LIMIT("max_hourly_per_org", KEY_MONEY, engine.max_hour_micros_org, 0, 0),
	LIMIT("max_monthly", KEY_MONEY, engine.max_month_micros, 0, 0),
	LIMIT("max_monthly_per_owner", KEY_MONEY, engine.max_month_micros_owner, 0, 0),
	LIMIT("max_monthly_per_org", KEY_MONEY, engine.max_month_micros_org, 0, 0),
	LIMIT("max_queued", KEY_INT, engine.max_queued, 0, 10000),
	LIMIT("max_queued_per_owner", KEY_INT, engine.max_queued_owner, 0, 10000),
	LIMIT("default_ttl", KEY_DURATION, default_ttl_ms, SECOND, 30 * DAY),
	LIMIT("max_ttl", KEY_DURATION, max_ttl_ms, SECOND, 30 * DAY),
	LIMIT("default_idle", KEY_DURATION, default_idle_ms, SECOND, 30 * DAY),
	LIMIT("max_idle", KEY_DURATION, max_idle_ms, SECOND, 30 * DAY),
	LIMIT("default_class", KEY_NAME, default_class, 0, 0),

	OWN(SECTION_CLASS, "types", 1, types_set, types_show),

	ACCOUNT("provider", KEY_NAME, account.provider, 0, 0),
	OWN(SECTION_ACCOUNT, "locations", 1, locations_set, locations_show),
	ACCOUNT("image", KEY_IMAGE, account.image, 0, 0),
	OWN(SECTION_ACCOUNT, "images", 1, images_set, images_show),
	OWN(SECTION_ACCOUNT, "allowed_types", 1, allowed_types_set, allowed_types_show),
	OWN(SECTION_ACCOUNT, "client_location", 0, client_location_set, client_location_show),
	OWN(SECTION_ACCOUNT, "client_image", 0, client_image_set, client_image_show),
	OWN(SECTION_ACCOUNT, "max_steps", 0, max_steps_set, max_steps_show),
	ACCOUNT("paused", KEY_BOOL, is_paused, 0, 0),
	OWN(SECTION_ACCOUNT, "paused_reason", 0, account_reason_set, account_reason_show),
	ACCOUNT("rate_per_hour", KEY_INT, account.rate_per_hour, 0, MANY),
	ACCOUNT("settle", KEY_DURATION, account.settle_ms, 100, HOUR),
	ACCOUNT("protect_retained", KEY_BOOL, account.protect_retained, 0, 0),
	ACCOUNT("token_file", KEY_PATH, token_file, 0, 0),
	ACCOUNT("credential", KEY_NAME, credential, 0, 0),
	ACCOUNT("ca_file", KEY_PATH, ca_file, 0, 0),
	OWN(SECTION_ACCOUNT, "token", 0, token_set, NULL),

	NAMED("max_active", KEY_INT, max_active, 0, MANY),
	NAMED("max_hourly", KEY_MONEY, max_hour_micros, 0, 0),
	NAMED("max_monthly", KEY_MONEY, max_month_micros, 0, 0),

	OWN(SECTION_ORG, "accounts", 1, org_accounts_set, org_accounts_show),
};

_Static_assert(ARRAY_LEN(keys) <= KEYS_MAX, "config.c marks the keys it has seen");

const struct key *key_find(enum section_kind section, const char *name, size_t *ret_index)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (keys[i].section == section && strcmp(keys[i].name, name) == 0) {
			*ret_index = i;
			return &keys[i];
		}
	}
	return NULL;
}

int key_set(const struct key *key, void *base, const char *value, struct err *err)
{
	void *at = (char *)base + key->offset;

	switch (key->type) {
	case KEY_INT:
		return value_int(value, key->min, key->max, at, err);
	case KEY_DURATION:
		return duration_parse(value, key->min, key->max, at, err);
	case KEY_MONEY:
		return value_money(value, at, err);
	case KEY_BOOL:
		return value_bool(value, at, err);
	case KEY_PATH:
		return value_path(value, key->size, at, err);
	case KEY_NAME:
		return value_name(value, key->size, at, err);
	case KEY_IMAGE:
		return value_image(value, key->size, at, err);
	case KEY_OTHER:
		break;
	}
	return key->set(base, value, err);
}

int key_show(const struct key *key, const void *base, int i, char *out, size_t size)
{
	const void *at = (const char *)base + key->offset;
	char text[DURATION_TEXT_SIZE];

	if (key->type == KEY_OTHER)
		return key->show ? key->show(base, i, out, size) : 0;
	if (i > 0)
		return 0;
	switch (key->type) {
	case KEY_INT:
		/* Below the minimum: not set. */
		if (*(const int64_t *)at < key->min)
			return 0;
		snprintf(out, size, "%" PRId64, *(const int64_t *)at);
		break;
	case KEY_DURATION:
		if (*(const int64_t *)at < key->min)
			return 0;
		duration_format(*(const int64_t *)at, text);
		snprintf(out, size, "%s", text);
		break;
	case KEY_MONEY:
		if (*(const int64_t *)at < 0)
			return 0;
		value_write_money(*(const int64_t *)at, out, size);
		break;
	case KEY_BOOL:
		snprintf(out, size, "%s", *(const int *)at ? "yes" : "no");
		break;
	default:
		snprintf(out, size, "%s", (const char *)at);
		break;
	}
	return out[0] != '\0';
}

const char *named_word(enum limit_scope scope)
{
	static const char *const words[LIMIT_SCOPES] = {
		[LIMIT_NONE] = "",	     [LIMIT_OWNER] = "owner", [LIMIT_ORG] = "org",
		[LIMIT_ACCOUNT] = "account", [LIMIT_TOTAL] = "",
	};

	return words[scope];
}

const struct key *key_at(size_t index)
{
	return index < ARRAY_LEN(keys) ? &keys[index] : NULL;
}

void key_names(enum section_kind section, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (keys[i].section != section || keys[i].set == token_set)
			continue;
		len += (size_t)snprintf(out + len, size - len, "%s%s",
					len ? ","
					      " " :
					      "",
					keys[i].name);
		if (len >= size)
			return;
	}
}
