/* SPDX-License-Identifier: MIT */
/*
 * SIGHUP: limits, pauses, organisations, lifetimes, the default class, allowed types, client and provider tokens, TLS
 * certificates, CAs and log settings are reloaded, all of them or, if anything in the file or in
 * a file it names is wrong, none. Then each provider reloads its own files.
 */
#include "daemon/daemon.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/contract_classes.h"
#include "daemon/notify.h"
#include "daemon/tls.h"
#include "daemon/tokens.h"
#include "util/alloc.h"
#include "util/log.h"

#define PENDING_MORE 1024

_Static_assert(API_CLASSES_MAX >= CONFIG_CLASSES_MAX, "every class fits");
_Static_assert(API_TYPES_MAX >= CONFIG_ACCOUNTS_MAX * CONFIG_TYPES_MAX, "every type fits");
_Static_assert(API_USD_RATES_MAX >= CONFIG_USD_RATES_MAX, "every rate fits");
_Static_assert(API_ORGS_MAX >= CONFIG_ORGS_MAX, "every organisation fits");
_Static_assert(API_ORG_ACCOUNTS_MAX >= CONFIG_ACCOUNTS_MAX, "every account fits");
_Static_assert(API_IMAGES_MAX >= CONFIG_ACCOUNTS_MAX * CONFIG_IMAGES_MAX, "every image fits");

static void orgs_copy(const struct config *c, struct api_config *ret)
{
	for (int i = 0; i < c->org_count; i++) {
		const struct config_org *from = &c->orgs[i];
		struct api_org *to = &ret->orgs[ret->org_count++];

		memcpy(to->name, from->name, sizeof(to->name));
		memcpy(to->accounts, from->accounts, sizeof(to->accounts));
		to->account_count = from->account_count;
	}
}

void daemon_api_config(const struct daemon *d, const struct config *c, struct api_config *ret)
{
	api_config_init(ret);
	snprintf(ret->version, sizeof(ret->version), "%s", LESSOR_VERSION);
	ret->class_count = c->class_count;
	memset(ret->classes, 0, sizeof(ret->classes));
	for (int i = 0; i < c->class_count; i++) {
		memcpy(ret->classes[i].name, c->classes[i].name, sizeof(ret->classes[i].name));
		memcpy(ret->classes[i].types, c->classes[i].types, sizeof(ret->classes[i].types));
		ret->classes[i].type_count = c->classes[i].type_count;
	}
	memcpy(ret->default_class, c->limits.default_class, sizeof(ret->default_class));
	for (int i = 0; i < c->account_count; i++) {
		const struct config_account *a = &c->accounts[i];

		for (int k = 0; k < a->image_count; k++) {
			struct api_image *to = &ret->images[ret->image_count++];

			memcpy(to->account, a->account.name, sizeof(to->account));
			memcpy(to->name, a->images[k], sizeof(to->name));
		}
		for (int k = 0; k < a->type_count; k++) {
			struct api_type *to = &ret->types[ret->type_count++];

			memcpy(to->account, a->account.name, sizeof(to->account));
			memcpy(to->name, a->types[k], sizeof(to->name));
		}
	}
	orgs_copy(c, ret);
	ret->ttl_ms = c->limits.default_ttl_ms;
	ret->ttl_max_ms = c->limits.max_ttl_ms;
	ret->idle_ms = c->limits.default_idle_ms;
	ret->idle_max_ms = c->limits.max_idle_ms;
	ret->create_wait_ms = c->create_wait_ms;
	ret->release_wait_ms = c->release_wait_ms;
	ret->limits = c->limits.engine;
	for (int i = 0; i < c->usd_rate_count; i++) {
		memcpy(ret->usd_rates[i].currency, c->usd_rates[i].currency,
		       sizeof(ret->usd_rates[i].currency));
		ret->usd_rates[i].micros = c->usd_rates[i].micros;
	}
	ret->usd_rate_count = c->usd_rate_count;
	ret->sweep_grace_ms = c->sweep_grace_ms;
	ret->sweep_deletes = c->sweep_deletes;
	ret->run_log_max = (size_t)c->run_log_mib << 20;
	/* Requests that do not wait for a machine always have room. */
	ret->pending_max = (int)d->config->max_waiting + PENDING_MORE;
	/* They stay open: they must leave places for requests. */
	if (ret->held_max > (int)d->max_connections / 4)
		ret->held_max = (int)d->max_connections / 4;
	if (ret->held_owner_max > ret->held_max / 2)
		ret->held_owner_max = ret->held_max / 2;
}

static void tls_replace(struct daemon *d, struct ssl_ctx_st *fresh)
{
	for (int i = 0; i < d->listener_count; i++) {
		if (http_listener_port(d->listeners[i]))
			http_listener_set_tls(d->listeners[i], fresh);
	}
	tls_free(d->tls);
	d->tls = fresh;
}

/*
 * Hands new tokens to the accounts. Not to one that is to get another endpoint, too: that needs a
 * restart, and the token must not be sent to the old one.
 */
static void tokens_apply(struct daemon *d, const struct config *now)
{
	for (int i = 0; i < d->config->account_count; i++) {
		const struct config_account *old = &d->config->accounts[i];
		const struct config_account *fresh = config_account_same(now, old);
		struct err err = { 0 };
		int rc;

		if (!fresh || !fresh->account.token)
			continue;
		rc = account_set_token(d->accounts.list[i], fresh->account.token, &err);
		if (rc > 0)
			log_notice(LOG_FIELDS({ "account", old->account.name }),
				   "account %s uses the new provider token; nothing is created or "
				   "deleted until it is verified with it",
				   old->account.name);
		else if (rc < 0)
			log_error(LOG_FIELDS({ "account", old->account.name }),
				  "account %s keeps its provider token: %s", old->account.name,
				  err.text);
	}
}

/* What needs a restart stays as it is, also where the API shows it. */
static void api_config_keep(const struct daemon *d, struct api_config *api)
{
	auto_free struct api_config *old = xcalloc(1, sizeof(*old));

	daemon_api_config(d, d->config, old);
	memcpy(api->classes, old->classes, sizeof(api->classes));
	api->class_count = old->class_count;
	if (!api_class_find(old, api->default_class))
		memcpy(api->default_class, old->default_class, sizeof(api->default_class));
	memcpy(api->images, old->images, sizeof(api->images));
	api->image_count = old->image_count;
	api->create_wait_ms = old->create_wait_ms;
	api->release_wait_ms = old->release_wait_ms;
	api->sweep_grace_ms = old->sweep_grace_ms;
	api->sweep_deletes = old->sweep_deletes;
	api->run_log_max = old->run_log_max;
}

static int config_apply(struct daemon *d, struct config *now, struct err *err)
{
	auto_free struct api_config *api = xcalloc(1, sizeof(*api));
	struct ssl_ctx_st *tls = NULL;
	char expiry[100];

	if (d->tls && now->tls_certificate[0] &&
	    tls_load(now->tls_certificate, now->tls_key, &tls, err) < 0)
		return -1;
	daemon_api_config(d, now, api);
	api_config_keep(d, api);
	if (api_reload(d->api, api, err) < 0) {
		tls_free(tls);
		return -1;
	}
	accounts_set_ca(&d->accounts, now);
	fleet_set_limits(d->fleet, &now->limits.engine);
	tokens_apply(d, now);
	fleet_reload(d->fleet);
	if (tls)
		tls_replace(d, tls);
	log_setup(2, now->log_format, now->log_level);
	if (tls && tls_expiry(tls, expiry, sizeof(expiry)))
		log_warning(LOG_FIELDS({ "file", now->tls_certificate }), "%s", expiry);
	accounts_warn_ca(now);
	return 0;
}

/* Says what the reload applied, and what it did not; the latter is in the status, too. */
static void changes_report(struct daemon *d, struct config *now)
{
	struct config_changes changes;

	config_compare(d->config, now, &changes);
	config_take(d->config, now);
	snprintf(d->needs_restart, sizeof(d->needs_restart), "%s", buf_str(&changes.restart));
	if (changes.restart.len)
		log_warning(NULL,
			    "needs a restart: %s; until then the old values are in effect; run: "
			    "systemctl restart lessord",
			    buf_str(&changes.restart));
	log_notice(NULL,
		   "configuration reloaded: %s; tokens, CAs and TLS certificates were read again",
		   changes.applied.len ? buf_str(&changes.applied) :
		   changes.restart.len ? "no other setting has changed" :
					 "no setting has changed");
	config_changes_fini(&changes);
}

void daemon_reload(struct daemon *d)
{
	struct config *now = NULL;
	struct err err = { 0 };
	struct timespec ts;
	char state[64];
	int refused;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
		 (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
	notify_send(state);
	refused = config_load(d->command_line->config, CONFIG_WHOLE, &now, &err) < 0 ||
		  config_apply(d, now, &err) < 0;
	if (refused)
		log_error(NULL, "%s; nothing was changed, the old configuration is in effect",
			  err.text);
	else
		changes_report(d, now);
	config_free(now);
	d->reload_failed = refused;
	daemon_status_send(d, "READY=1\n");
}
