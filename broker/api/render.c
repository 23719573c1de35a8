/* SPDX-License-Identifier: MIT */
#include "api/render.h"

#include <stdlib.h>
#include <string.h>

#include "api/api_error.h"
#include "api/validate.h"
#include "lease/attention.h"
#include "util/text.h"

static void text_scrubbed(struct jsonw *w, const char *key, const char *text)
{
	char clean[256];

	if (!text[0])
		return;
	api_error_scrub(text, clean, sizeof(clean));
	jsonw_text(w, key, clean);
}

/* A decimal id as the integer that the client expects; 0 for any other id. */
static int64_t server_number(const char *id)
{
	return validate_number(id) ? strtoll(id, NULL, 10) : 0;
}

static enum lease_state shown_state(const struct lease *l)
{
	enum lease_state state = lease_shown_state(l);

	/* Never active without a host: the client would connect to its own machine. */
	return state == LEASE_ACTIVE && !l->host[0] ? LEASE_PROVISIONING : state;
}

/*
 * Cleanup is complete: the address and the host key may be in use elsewhere. Clients from 0.56
 * on believe a release only if neither is shown, so the address moves to "lastHost".
 */
static int is_gone(const struct lease *l)
{
	return !lease_is_live(l) && (l->cleanup == CLEANUP_DONE || l->cleanup == CLEANUP_NONE);
}

/*
 * For the client's release protocol, contract 4.2. A client of 0.46 reads the times and
 * errors; later ones require the status, the time of completion, and neither host nor host key
 * beside it.
 */
static void render_release(struct jsonw *w, const struct lease *l)
{
	int has_failed = l->tries > 0 && l->last_error[0];

	if (lease_is_live(l))
		return;
	switch (l->cleanup) {
	case CLEANUP_RETAINED:
		jsonw_bool(w, "releaseDeletesServer", 0);
		jsonw_text(w, "cleanupStatus", "retained");
		return;
	case CLEANUP_NONE:
	case CLEANUP_DONE:
		jsonw_bool(w, "releaseDeletesServer", 1);
		jsonw_text(w, "cleanupStatus", "complete");
		/* Nothing changes after completion. */
		jsonw_time(w, "cleanupCompletedAt", l->updated_ms);
		return;
	case CLEANUP_ATTENTION:
		has_failed = 1;
		break;
	default:
		/* A client that waits for the end must learn that it needs operator action. */
		has_failed |= l->attention[0] != '\0';
		break;
	}
	jsonw_bool(w, "releaseDeletesServer", 1);
	jsonw_text(w, "cleanupStatus", has_failed ? "failed" : "pending");
	jsonw_time(w, "cleanupStartedAt", l->cleanup_started_ms ? l->cleanup_started_ms :
		   l->ended_ms);
	if (!has_failed)
		return;
	text_scrubbed(w, "cleanupError",
		      l->attention[0]  ? l->attention :
		      l->last_error[0] ? l->last_error :
					 "this lease needs operator action");
	jsonw_time(w, "cleanupRetryAt", l->due_ms);
	jsonw_int(w, "cleanupAttempts", l->tries);
}

static void render_residue(struct jsonw *w, const struct render_parts *parts)
{
	jsonw_array(w, "residue");
	for (size_t i = 0; i < parts->resource_count; i++) {
		const struct resource *r = &parts->resources[i];

		if (!resource_is_residue(r))
			continue;
		jsonw_object(w, NULL);
		jsonw_int(w, "row", r->n);
		jsonw_text(w, "kind", resource_kind_name(r->kind));
		jsonw_text(w, "id", r->id);
		jsonw_text(w, "name", r->name);
		jsonw_text(w, "state", resource_state_name(r->state));
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

static void render_cleanup(struct jsonw *w, const struct lease *l,
			   const struct render_parts *parts)
{
	int live = lease_is_live(l);
	char action[ATTENTION_ACTION_SIZE];

	jsonw_object(w, "cleanup");
	jsonw_text(w, "state", lease_cleanup_name(l->cleanup));
	jsonw_time(w, "nextTryAt", live ? 0 : l->due_ms);
	jsonw_int(w, "tries", live ? 0 : l->tries);
	if (!live)
		text_scrubbed(w, "lastError", l->last_error);
	if (parts && parts->resources)
		render_residue(w, parts);
	jsonw_end_object(w);
	text_scrubbed(w, "attention", l->attention);
	lease_attention_action(l, action);
	jsonw_text_if(w, "attentionAction", action);
}

/* Of a retained lease: how safe it is, until when and why it is kept, and what it has cost. */
static void render_retention(struct jsonw *w, const struct lease *l,
			     const struct render_parts *parts)
{
	if (l->cleanup != CLEANUP_RETAINED)
		return;
	jsonw_text_if(w, "retention", lease_retention_name(parts && parts->is_unsure ?
							   RETENTION_UNSURE : l->retention));
	jsonw_time(w, "retainUntil", l->retain_until_ms);
	text_scrubbed(w, "retainReason", l->retain_reason);
	if (parts && parts->running_micros)
		jsonw_micros(w, "runningCost", parts->running_micros);
}

void render_attempt(struct jsonw *w, const struct attempt *attempt, size_t message_max)
{
	char message[sizeof(attempt->reason)];

	text_set(message, message_max < sizeof(message) ? message_max + 1 : sizeof(message),
		 attempt->reason);
	jsonw_object(w, NULL);
	jsonw_text_if(w, "region", attempt->location);
	jsonw_text(w, "serverType", attempt->type);
	jsonw_text(w, "category", error_class_name(attempt->refused));
	if (message[0])
		text_scrubbed(w, "message", message);
	else if (message_max)
		jsonw_text(w, "message", "");
	jsonw_end_object(w);
}

static void render_attempts(struct jsonw *w, const struct attempt *attempts, size_t count)
{
	jsonw_array(w, "provisioningAttempts");
	for (size_t i = 0; i < count; i++) {
		if (attempts[i].refused)
			render_attempt(w, &attempts[i], SIZE_MAX);
	}
	jsonw_end_array(w);
}

static int has_refusals(const struct render_parts *parts)
{
	for (size_t i = 0; i < parts->attempt_count; i++) {
		if (parts->attempts[i].refused)
			return 1;
	}
	return 0;
}

static void render_access(struct jsonw *w, const struct lease *l)
{
	jsonw_text(w, "host", is_gone(l) ? "" : l->host);
	if (!lease_is_live(l))
		jsonw_text_if(w, "lastHost", l->host);
	jsonw_text(w, "sshUser", l->ssh_user);
	jsonw_int_text(w, "sshPort", l->ssh_port);
	jsonw_array(w, "sshFallbackPorts");
	for (int i = 0; i < l->fallback_count; i++)
		jsonw_int_text(w, NULL, l->fallback_ports[i]);
	jsonw_end_array(w);
	jsonw_text(w, "workRoot", l->work_root);
	jsonw_text_if(w, "sshHostKey", is_gone(l) ? "" : l->host_key);
}

static void render_machine(struct jsonw *w, const struct lease *l)
{
	const char *type = l->server_type[0] ? l->server_type :
			   l->type_count > 0 ? l->types[0] : "";
	const char *requested = l->requested_type[0] ? l->requested_type :
				l->type_count > 0 ? l->types[0] : "";

	jsonw_text(w, "class", l->class_name);
	jsonw_text(w, "profile", l->profile);
	jsonw_text(w, "serverType", type);
	jsonw_text(w, "requestedServerType", requested);
	jsonw_int(w, "serverID", server_number(l->server_id));
	jsonw_text(w, "cloudID", l->server_id);
	jsonw_text(w, "serverName", l->server_name);
	jsonw_text_if(w, "region", l->server_location[0] ? l->server_location : l->location);
	jsonw_text_if(w, "imageName", l->image);
	jsonw_text_if(w, "os", l->os);
	if (l->price_hour_micros) {
		jsonw_micros(w, "hourlyPrice", l->price_hour_micros);
		jsonw_text_if(w, "currency", l->currency);
	}
}

static void render_times(struct jsonw *w, const struct lease *l, int64_t now_ms)
{
	jsonw_int(w, "ttlSeconds", l->ttl_ms / 1000);
	jsonw_int(w, "idleTimeoutSeconds", l->idle_ms / 1000);
	jsonw_time(w, "createdAt", l->created_ms);
	jsonw_time(w, "updatedAt", l->touched_ms > l->updated_ms ? l->touched_ms : l->updated_ms);
	jsonw_time(w, "lastTouchedAt", l->touched_ms);
	jsonw_time(w, "expiresAt", now_ms ? lease_expires_at(l, now_ms) : lease_expires_ms(l));
	jsonw_time(w, "admittedAt", l->admitted_ms);
	jsonw_time(w, "readyAt", l->ready_ms);
	jsonw_time(w, "endedAt", l->ended_ms);
	jsonw_time(w, "releasedAt", l->released_ms);
	jsonw_text_if(w, "endReason", lease_end_text(l));
}

static void render_queue(struct jsonw *w, const struct render_queue *queue)
{
	jsonw_object(w, "queue");
	jsonw_int(w, "place", queue->place);
	jsonw_int(w, "of", queue->of);
	jsonw_time(w, "since", queue->since_ms);
	jsonw_time(w, "until", queue->until_ms);
	jsonw_text(w, "scope", queue->scope);
	jsonw_end_object(w);
}

void render_lease(struct jsonw *w, const char *key, const struct lease *l,
		  const struct render_parts *parts)
{
	jsonw_object(w, key);
	jsonw_text(w, "id", l->id);
	jsonw_text(w, "slug", l->slug);
	jsonw_text(w, "provider", l->account);
	jsonw_text(w, "target", "linux");
	jsonw_text(w, "state", lease_state_name(shown_state(l)));
	jsonw_text(w, "owner", l->owner);
	jsonw_text(w, "org", l->org);
	render_access(w, l);
	render_machine(w, l);
	if (parts && has_refusals(parts))
		render_attempts(w, parts->attempts, parts->attempt_count);
	jsonw_bool(w, "keep", l->keep);
	jsonw_bool(w, "desktop", 0);
	jsonw_bool(w, "browser", 0);
	jsonw_bool(w, "code", 0);
	jsonw_text_if(w, "pond", l->pond);
	render_times(w, l, parts ? parts->now_ms : 0);
	if (parts && parts->queue)
		render_queue(w, parts->queue);
	text_scrubbed(w, "failureError", l->failure);
	render_release(w, l);
	render_cleanup(w, l, parts);
	render_retention(w, l, parts);
	if (parts && parts->notices)
		notice_render(w, parts->notices);
	if (parts && parts->more)
		parts->more(w, l, parts->more_arg);
	jsonw_end_object(w);
}

void render_lease_reference(struct jsonw *w, const char *key, const struct lease *l,
			    const char *failure)
{
	jsonw_object(w, key);
	jsonw_text(w, "id", l->id);
	jsonw_text(w, "slug", l->slug);
	jsonw_text(w, "state", lease_state_name(shown_state(l)));
	jsonw_text_if(w, "endReason", lease_end_text(l));
	jsonw_time(w, "endedAt", l->ended_ms);
	jsonw_text_if(w, "failureError", failure);
	jsonw_end_object(w);
}

int render_wants_ledger(const struct lease *l)
{
	if (l->state != LEASE_ACTIVE || l->cleanup != CLEANUP_NONE)
		return 1;
	/* A fallback was used; the attempts give the reason. */
	return l->type_count > 0 && (strcmp(l->server_type, l->types[0]) ||
				     (l->location[0] && strcmp(l->location, l->server_location)));
}

int render_is_of_store(const struct lease *l)
{
	/* render_retention shows a running cost and whether the account is verified. */
	return l->cleanup != CLEANUP_RETAINED && !lease_is_queued(l);
}

void render_resource(struct jsonw *w, const struct resource *r)
{
	jsonw_object(w, NULL);
	jsonw_int(w, "row", r->n);
	jsonw_text(w, "kind", resource_kind_name(r->kind));
	jsonw_text(w, "id", r->id);
	jsonw_text(w, "name", r->name);
	jsonw_text(w, "state", resource_state_name(r->state));
	jsonw_int(w, "attempt", r->attempt);
	jsonw_bool(w, "ours", r->ours);
	jsonw_bool(w, "residue", resource_is_residue(r));
	text_scrubbed(w, "evidence", r->evidence);
	jsonw_time(w, "createdAt", r->created_ms);
	jsonw_time(w, "changedAt", r->changed_ms);
	jsonw_end_object(w);
}
