/* SPDX-License-Identifier: MIT */
/* The accounts: the state of each and its reason, and the take-over of a fenced one. */
#include <stdio.h>
#include <string.h>

#include "api/catalogue.h"
#include "api/engine_request.h"
#include "api/engine_response.h"
#include "api/handlers.h"
#include "api/lookup.h"
#include "api/org_policy.h"
#include "api/reply.h"
#include "api/standing.h"
#include "util/buf.h"
#include "util/text.h"

static int may_not_be_used(const struct account_figures *figures)
{
	return figures->blocked || figures->fenced;
}

/* Is it an item of a list like "a, b"? */
static int is_listed(const char *list, const char *item)
{
	size_t len = strlen(item);

	for (const char *at = list; (at = strstr(at, item)) != NULL; at += len) {
		if ((at == list || at[-1] == ' ') && (!at[len] || at[len] == ','))
			return 1;
	}
	return 0;
}

/*
 * Appends the types of a class that no account offers, such as retired ones, if this account
 * offers others of the class: then they were meant to be found here.
 */
static void retired_types_add(const struct api *api, const struct account *account,
			      const struct api_class *class, struct buf *out)
{
	int offered = 0;

	for (int i = 0; i < class->type_count; i++)
		offered += catalogue_has(api, account, class->types[i]);
	for (int i = 0; offered && i < class->type_count; i++) {
		const char *type = class->types[i];

		if (!is_listed(buf_str(out), type) && !catalogue_has_anywhere(api, type))
			buf_addf(out, "%s%s", out->len ? ", " : "", type);
	}
}

static void remarks_write(const struct api *api, const struct account *account, const char *note,
			  char *out, size_t size)
{
	struct buf types;

	buf_init(&types, 65536);
	for (int i = 0; i < api->config.class_count; i++)
		retired_types_add(api, account, &api->config.classes[i], &types);
	snprintf(out, size, "%s%s%s%.200s%s", note[0] ? " " : "", note,
		 types.len ? " The provider does not offer types of the classes: " : "",
		 buf_str(&types),
		 types.len > 200 ? ", ..." :
		 types.len	 ? "." :
				   "");
	buf_fini(&types);
}

/* Does somebody look after it? Who does not own it does not know when it was verified. */
static int is_in_use(const struct standing *s)
{
	return s->owner.place == RELAY_OTHER || s->figures.verified_ms;
}

/* Who looks after an account that may be used. Where daemons are is for admins. */
static void owner_write(const struct api_request *request, const struct standing *s, char *out,
			size_t size)
{
	const char *address = request->caller.role == TOKEN_ADMIN ? s->owner.address : "";

	if (s->owner.place == RELAY_SELF)
		snprintf(out, size, "%s",
			 s->figures.verified_ms ? "The account is verified and in use." :
						  "The account has not been verified yet.");
	else if (s->owner.place == RELAY_OTHER)
		snprintf(out, size, "The account is in use by another daemon%s%s.",
			 address[0] ? ", " : "", address);
	else
		snprintf(out, size, "No daemon owns the account at the moment.");
}

static void pause_write(const struct limits_pause *pause, char *out, size_t size)
{
	if (!pause)
		out[0] = '\0';
	else
		snprintf(out, size, " Nothing new is created: it is paused%s%s.",
			 pause->reason[0] ? ", " : "", pause->reason);
}

/* The reason is shown only to roles that can act on it. */
static void account_message(const struct api_request *request, const struct account *account,
			    const struct standing *s, char *out, size_t size)
{
	const struct account_figures *figures = &s->figures;
	char remarks[440], owner[200], frozen[200] = "", paused[280];

	pause_write(limits_pause_find(&request->api->config.limits, account->config.name), paused,
		    sizeof(paused));
	remarks_write(request->api, account, figures->note, remarks, sizeof(remarks));
	owner_write(request, s, owner, sizeof(owner));
	if (s->frozen[0])
		snprintf(frozen, sizeof(frozen), " Nothing in it is deleted or ends for now%s%s.",
			 request->caller.role == TOKEN_USER ? "" : ": ",
			 request->caller.role == TOKEN_USER ? "" : s->frozen);
	if (!may_not_be_used(figures))
		snprintf(out, size, "%s%s%s%s", owner, paused, frozen, remarks);
	else if (request->caller.role == TOKEN_USER)
		snprintf(out, size,
			 "The account cannot be used until an operator has acted. Tell an operator, or "
			 "choose another account.");
	else
		account_describe_figures(account->config.name, figures, out, size);
	api_error_scrub(out, out, size);
}

static void render_account(struct jsonw *w, const char *key, const struct api_request *request,
			   const struct account *account, const struct standing *standing)
{
	static const char *const daemons[] = {
		[RELAY_UNKNOWN] = "none",
		[RELAY_SELF] = "self",
		[RELAY_OTHER] = "other",
	};
	const struct account_figures *figures = &standing->figures;
	const struct limits_pause *pause = limits_pause_find(&request->api->config.limits,
							     account->config.name);
	char message[1120];

	account_message(request, account, standing, message, sizeof(message));
	jsonw_object(w, key);
	jsonw_text(w, "name", account->config.name);
	jsonw_text(w, "plugin", account->config.provider);
	jsonw_array(w, "locations");
	for (int i = 0; i < account->config.location_count; i++)
		jsonw_text(w, NULL, account->config.locations[i]);
	jsonw_end_array(w);
	jsonw_text(w, "image", account->config.image);
	jsonw_bool(w, "blocked", may_not_be_used(figures));
	jsonw_bool(w, "fenced", figures->fenced);
	jsonw_bool(w, "frozen", standing->frozen[0] != '\0');
	jsonw_bool(w, "paused", pause != NULL);
	jsonw_text_if(w, "pausedReason", pause && pause->reason[0] ? pause->reason : NULL);
	jsonw_text(w, "daemon", daemons[standing->owner.place]);
	jsonw_time(w, "provenAt", figures->verified_ms);
	jsonw_text(w, "message", message);
	jsonw_end_object(w);
}

static void render_class(struct jsonw *w, const struct api_class *class)
{
	jsonw_object(w, NULL);
	jsonw_text(w, "name", class->name);
	jsonw_array(w, "types");
	for (int i = 0; i < class->type_count; i++)
		jsonw_text(w, NULL, class->types[i]);
	jsonw_end_array(w);
	jsonw_end_object(w);
}

void accounts_list(struct api_request *request)
{
	const struct api *api = request->api;
	struct jsonw w = reply_begin(request);
	struct standing standing;

	jsonw_object(&w, NULL);
	jsonw_array(&w, "providers");
	for (size_t i = 0; i < api->parts.account_count; i++) {
		const char *name = api->parts.accounts[i]->config.name;

		if (request->caller.role == TOKEN_USER &&
		    !org_may_use(&api->config, request->caller.org, name))
			continue;
		standing_read(api, api->parts.accounts[i], &standing);
		render_account(&w, NULL, request, api->parts.accounts[i], &standing);
	}
	jsonw_end_array(&w);
	jsonw_array(&w, "classes");
	for (int i = 0; i < api->config.class_count; i++)
		render_class(&w, &api->config.classes[i]);
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	reply_json(request, 200);
}

/* Contract 2.1: doctor fails when `configured` is false and prints what is missing. */
void accounts_readiness(struct api_request *request)
{
	const struct account *account = lookup_account(request->api, request->param);
	const struct account_figures *figures;
	struct standing standing;
	const struct limits_pause *pause;
	char message[1120];
	struct jsonw w;

	if (!account) {
		api_error_no_account(&request->error, 400, "invalid_provider", request->param,
				     request->api->parts.accounts,
				     request->api->parts.account_count);
		reply_request_error(request);
		return;
	}
	standing_read(request->api, account, &standing);
	figures = &standing.figures;
	pause = limits_pause_find(&request->api->config.limits, account->config.name);
	account_message(request, account, &standing, message, sizeof(message));
	w = reply_begin(request);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "provider", account->config.name);
	jsonw_bool(&w, "configured", !may_not_be_used(figures));
	jsonw_array(&w, "missing");
	if (figures->fenced)
		jsonw_text(&w, NULL,
			   "an operator's confirmation that this database may use the account");
	else if (figures->blocked)
		jsonw_text(&w, NULL, "a credential that opens the known account");
	jsonw_end_array(&w);
	jsonw_text(&w, "message", message);
	jsonw_array(&w, "checks");
	jsonw_object(&w, NULL);
	jsonw_text(&w, "status",
		   may_not_be_used(figures)				 ? "failed" :
		   is_in_use(&standing) && !standing.frozen[0] && !pause ? "ok" :
									   "warning");
	jsonw_text(&w, "check", "account");
	jsonw_text(&w, "message", message);
	jsonw_end_object(&w);
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	reply_json(request, 200);
}

/* ---- take-over ----------------------------------------------------------------------- */

static void take_over_finish(struct api_request *request, struct engine_request *engine_request)
{
	const struct account *account = lookup_account(request->api,
						       engine_request->expected_account);
	struct standing standing;
	struct jsonw w;

	if (engine_response_check(request, engine_request))
		return;
	standing_read(request->api, account, &standing);
	/* This has ended it, and the table is read once in a second. */
	standing.frozen[0] = '\0';
	w = reply_begin(request);
	jsonw_object(&w, NULL);
	render_account(&w, "account", request, account, &standing);
	jsonw_end_object(&w);
	reply_json(request, 200);
}

struct take_over_body {
	int looked;
	char reason[160];
};

/* clang-format off */
static const struct body_field take_over_fields[] = {
	{ .name = "looked", .type = FIELD_BOOL, .flags = FIELD_REQUIRED | FIELD_ONLY_TRUE,
	  FIELD_TO(take_over_body, looked), .expected = "true, once you have checked " ACCOUNT_LOOK_AT,
	  .code = "not_looked" },
	{ .name = "reason", .type = FIELD_LINE, FIELD_AT(take_over_body, reason),
	  .expected = "one line of text" },
};
/* clang-format on */

const struct body_table body_take_over = BODY_TABLE("TakeOver", NULL, take_over_fields);

void accounts_take_over(struct api_request *request)
{
	struct api *api = request->api;
	const struct account *account = lookup_account(api, request->param);
	struct take_over_body body = { .reason = "" };
	struct engine_request *engine_request;

	if (!account) {
		api_error_no_account(&request->error, 404, "not_found", request->param,
				     api->parts.accounts, api->parts.account_count);
		reply_request_error(request);
		return;
	}
	engine_request = engine_request_begin(request, REQUEST_ACCOUNT);
	if (!engine_request)
		return;
	memcpy(engine_request->expected_account, account->config.name,
	       sizeof(engine_request->expected_account));
	if (json_body_read(&request->body, request->body.root, &body_take_over, &body)) {
		engine_request_refuse(request, engine_request);
		return;
	}
	TEXT_SET(engine_request->reason, body.reason);
	engine_queue_submit(api->engine_queue, engine_request, take_over_finish);
}
