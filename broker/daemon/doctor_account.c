/* SPDX-License-Identifier: MIT */
#include "daemon/doctor_account.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "provider/step.h"
#include "store/store.h"
#include "util/alloc.h"

#define CLOCK_WARN_MS 5000
#define CLOCK_FAIL_MS 60000

/* Reads only: a plugin that wants to change something is told that nothing was sent. */
static void filtered_http(void *data, const struct env_http_request *request,
			  struct env_http_response *response)
{
	struct doctor_account *da = data;

	if (strcmp(request->method, "GET") != 0) {
		response->outcome = ENV_HTTP_NOT_SENT;
		snprintf(response->error, sizeof(response->error), "lessord doctor only reads");
		return;
	}
	da->base->http(da->base->data, request, response);
	da->last = *response;
	da->last.body = NULL;
	da->has_last = 1;
	if (response->date_ms) {
		da->date_ms = response->date_ms;
		da->at_ms = env_wall_ms(da->base);
	}
}

void doctor_account_init(struct doctor_account *da, const struct env *base)
{
	da->base = base;
	da->env = *base;
	da->env.data = da;
	da->env.http = filtered_http;
}

static void reach_judge(struct doctor_account *da, const struct step *step)
{
	const char *name = da->account->config.name;
	const char *why = da->last.error;

	if (!da->has_last) {
		if (step->verdict == LESSOR_DONE)
			doctor_found(da->findings, "reach", name, DOCTOR_SKIP, NULL,
				     "the plugin uses no network of lessord's");
		else
			doctor_found(da->findings, "reach", name, DOCTOR_FAIL,
				     "correct what the plugin names",
				     "nothing was asked of the provider: %s", step->reason);
		return;
	}
	if (da->last.outcome == ENV_HTTP_ANSWERED && da->last.status < 500) {
		doctor_found(da->findings, "reach", name, DOCTOR_OK, NULL,
			     "the provider responds (HTTP %d)", da->last.status);
	} else if (da->last.outcome == ENV_HTTP_ANSWERED) {
		doctor_found(da->findings, "reach", name, DOCTOR_FAIL,
			     "wait, or look at the provider's status page; lessord retries by itself",
			     "the provider responds with HTTP %d", da->last.status);
	} else if (da->last.is_tls_failure || strstr(why, "SSL")) {
		doctor_found(da->findings, "reach", name, DOCTOR_FAIL,
			     "check the account's URL and ca_file, and whether a proxy replaces "
			     "certificates",
			     "TLS failed: %s", why);
	} else if (strstr(why, "resolve")) {
		doctor_found(da->findings, "reach", name, DOCTOR_FAIL,
			     "check the account's URL, and DNS on this machine (/etc/resolv.conf)",
			     "the name cannot be resolved: %s", why);
	} else if (da->last.outcome == ENV_HTTP_NOT_SENT) {
		doctor_found(da->findings, "reach", name, DOCTOR_FAIL,
			     "check the account's URL, the network and the firewall",
			     "no connection: %s", why);
	} else {
		doctor_found(da->findings, "reach", name, DOCTOR_FAIL,
			     "check what stands between this machine and the provider, and try again",
			     "connected, but no valid response: %s", why);
	}
}

static void credentials_judge(struct doctor_account *da, const struct step *step)
{
	const char *name = da->account->config.name;

	if (da->has_last && (da->last.outcome != ENV_HTTP_ANSWERED || da->last.status >= 500))
		doctor_found(da->findings, "credentials", name, DOCTOR_SKIP, NULL,
			     "the provider did not respond");
	else if (step->verdict == LESSOR_DONE && !da->account->config.token)
		doctor_found(da->findings, "credentials", name, DOCTOR_OK, NULL,
			     "the plugin needs none, and can read");
	else if (step->verdict == LESSOR_DONE)
		doctor_found(da->findings, "credentials", name, DOCTOR_OK, NULL,
			     "the token may read; only a create shows whether it may write");
	else if (step->error_class == LESSOR_CLASS_AUTH || da->last.status == 401 ||
		 da->last.status == 403)
		doctor_found(da->findings, "credentials", name, DOCTOR_FAIL,
			     "put a valid token of the same project into the account's token_file, "
			     "then reload: systemctl reload lessord",
			     "the provider rejects the token: %s", step->reason);
	else if (da->last.status == 429)
		doctor_found(da->findings, "credentials", name, DOCTOR_WARN,
			     "wait; if it stays, look for other users of the same token",
			     "the provider accepts no more requests for now (HTTP 429)");
	else
		doctor_found(da->findings, "credentials", name, DOCTOR_FAIL,
			     "look at the log of lessord, and at the account's options",
			     "the read failed: %s", step->reason);
}

static void clock_judge_account(struct doctor_account *da)
{
	const char *name = da->account->config.name;
	/* Date has whole seconds, cut off. */
	int64_t ahead_ms = da->at_ms - da->date_ms - 500;
	int64_t away_s = llabs(ahead_ms) / 1000;

	if (!da->date_ms)
		doctor_found(da->findings, "clock", name, DOCTOR_SKIP, NULL,
			     "the provider told no time");
	else if (llabs(ahead_ms) < CLOCK_WARN_MS)
		doctor_found(da->findings, "clock", name, DOCTOR_OK, NULL,
			     "it agrees with the provider's to %" PRId64 " s", away_s + 1);
	else
		doctor_found(da->findings, "clock", name,
			     llabs(ahead_ms) < CLOCK_FAIL_MS ? DOCTOR_WARN : DOCTOR_FAIL,
			     "synchronise this machine's clock: timedatectl set-ntp true",
			     "this machine's clock is %" PRId64 " s %s the provider's", away_s,
			     ahead_ms > 0 ? "ahead of" : "behind");
}

static const struct lessor_observed *sentinel_find(const struct step *step)
{
	for (size_t i = 0; i < step->listed_count; i++) {
		const struct lessor_observed *seen = &step->listed[i].seen;
		const char *instance = observed_label(seen, LESSOR_LABEL_INSTANCE);

		if (seen->kind == LESSOR_KIND_SENTINEL && instance &&
		    strcmp(instance, step->instance) == 0)
			return seen;
	}
	return NULL;
}

/* The store is read after the account, so that a raise in between is no surprise. */
static void generation_judge(struct doctor_account *da, const struct step *step,
			     struct generation *g)
{
	const char *name = da->account->config.name;
	const struct lessor_observed *sentinel = sentinel_find(step);
	const char *holder = sentinel ? observed_label(sentinel, LESSOR_LABEL_HOLDER) : NULL;
	int64_t number = sentinel ? observed_generation(sentinel) : 0;
	char advice[320];

	snprintf(advice, sizeof(advice),
		 "look at lessor sweep, lessor list --retained and lessor list --attention; if no "
		 "newer database exists: lessor account take-over %s --looked",
		 name);
	if (g->is_fenced)
		doctor_found(da->findings, "generation", name, DOCTOR_FAIL, advice,
			     "the account is fenced: %s", g->why);
	else if (step->verdict != LESSOR_DONE)
		doctor_found(da->findings, "generation", name, DOCTOR_SKIP, NULL,
			     "the sentinel could not be read");
	else if (!sentinel && g->current)
		doctor_found(da->findings, "generation", name, DOCTOR_FAIL,
			     "check that the token is of the same project, and whether somebody "
			     "deleted the object; lessord does not use the account until then",
			     "the sentinel of this database is not in the account");
	else if (!sentinel)
		doctor_found(da->findings, "generation", name, DOCTOR_OK, NULL,
			     "this database has not used the account yet");
	else if (generation_found(g, number, holder ? holder : "") == GENERATION_OVERTAKEN)
		doctor_found(da->findings, "generation", name, DOCTOR_FAIL, advice,
			     "the account has generation %" PRId64
			     " of another process, this database "
			     "%" PRId64
			     ": it is an older copy, or a second lessord uses the account",
			     number, g->pending);
	else
		doctor_found(da->findings, "generation", name, DOCTOR_OK, NULL,
			     "this database is the newest of the account (%" PRId64 ")",
			     g->pending);
}

static void generation_check(struct doctor_account *da, struct step *step)
{
	const char *name = da->account->config.name;
	struct generation g;
	struct store *store;
	struct signer signer;
	struct err err = { 0 };
	int rc;

	if (!da->store)
		return;
	rc = store_open_view(da->store, &store, &err);
	if (rc) {
		doctor_found(da->findings, "generation", name, DOCTOR_SKIP, NULL,
			     "the database cannot be read");
		return;
	}
	if (store_signer(store, &signer, &err) < 0 ||
	    store_generation_get(store, name, &g, &err) < 0 || !store_view_holds(store)) {
		doctor_found(da->findings, "generation", name, DOCTOR_SKIP, NULL,
			     "the database cannot be read");
	} else {
		snprintf(step->instance, sizeof(step->instance), "%s", signer.instance);
		generation_judge(da, step, &g);
	}
	explicit_bzero(&signer, sizeof(signer));
	store_close(store);
}

void doctor_account_run(struct doctor_account *da)
{
	struct step *step = step_new(STEP_LIST, da->account);

	step->list_kind = LESSOR_KIND_SENTINEL;
	step->is_by_mono = 1;
	step->deadline_ms = da->end_mono_ms;
	step_run(step);
	reach_judge(da, step);
	credentials_judge(da, step);
	clock_judge_account(da);
	generation_check(da, step);
	step_free(step);
}
