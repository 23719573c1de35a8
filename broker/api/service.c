/* SPDX-License-Identifier: MIT */
/* The broker about itself: health, whoami, providers, readiness, the OpenAPI file. */
#include <string.h>

#include "api/call.h"
#include "api/openapi.h"

/* Without a token, so it says nothing that is worth knowing. */
void service_health(struct call *call)
{
	struct jsonw w = call_begin(call);

	jsonw_object(&w, NULL);
	jsonw_bool(&w, "ok", 1);
	jsonw_text(&w, "service", call->api->config.service);
	jsonw_end_object(&w);
	call_answer(call, 200);
}

void service_whoami(struct call *call)
{
	struct jsonw w = call_begin(call);

	jsonw_object(&w, NULL);
	jsonw_text(&w, "owner", call->caller.owner);
	jsonw_text(&w, "org", call->caller.org);
	jsonw_text(&w, "auth", "bearer");
	jsonw_bool(&w, "admin", call->caller.role == TOKEN_ADMIN);
	jsonw_text(&w, "role", token_role_name(call->caller.role));
	jsonw_end_object(&w);
	call_answer(call, 200);
}

void service_openapi(struct call *call)
{
	size_t len;
	const char *text = openapi_text(&len);

	call_answer_text(call, 200, "application/json", text, len);
}

/* Why an account does not work is for those who can do something about it. */
static const char *account_message(const struct call *call, const struct account_figures *figures,
				   char *clean, size_t room)
{
	if (!figures->blocked)
		return figures->proven_ms ? "The account is proven and in use." :
		       "The account has not been proven yet.";
	if (call->caller.role == TOKEN_USER || !figures->reason[0])
		return "The account is blocked; an operator must look.";
	fault_scrub(figures->reason, clean, room);
	return clean;
}

void service_providers(struct call *call)
{
	struct jsonw w = call_begin(call);
	char clean[256];

	jsonw_object(&w, NULL);
	jsonw_array(&w, "providers");
	for (size_t i = 0; i < call->api->parts.account_count; i++) {
		const struct account *account = call->api->parts.accounts[i];
		struct account_figures figures;

		account_figures(account, &figures);
		jsonw_object(&w, NULL);
		jsonw_text(&w, "name", account->config.name);
		jsonw_text(&w, "plugin", account->config.provider);
		jsonw_array(&w, "locations");
		for (int k = 0; k < account->config.location_count; k++)
			jsonw_text(&w, NULL, account->config.locations[k]);
		jsonw_end_array(&w);
		jsonw_text(&w, "image", account->config.image);
		jsonw_bool(&w, "blocked", figures.blocked);
		jsonw_time(&w, "provenAt", figures.proven_ms);
		jsonw_text(&w, "message", account_message(call, &figures, clean, sizeof(clean)));
		jsonw_end_object(&w);
	}
	jsonw_end_array(&w);
	jsonw_array(&w, "classes");
	for (int i = 0; i < call->api->config.class_count; i++) {
		const struct api_class *class = &call->api->config.classes[i];

		jsonw_object(&w, NULL);
		jsonw_text(&w, "name", class->name);
		jsonw_array(&w, "types");
		for (int k = 0; k < class->type_count; k++)
			jsonw_text(&w, NULL, class->types[k]);
		jsonw_end_array(&w);
		jsonw_end_object(&w);
	}
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	call_answer(call, 200);
}

/* Contract 2.1: doctor fails when `configured` is false and prints what is missing. */
void service_readiness(struct call *call)
{
	const struct account *account = call_account(call->api, call->param);
	struct account_figures figures;
	const char *message;
	char clean[256];
	struct jsonw w;

	if (!account) {
		call_error(call, 400, "invalid_provider", "There is no provider of that name.");
		return;
	}
	account_figures(account, &figures);
	message = account_message(call, &figures, clean, sizeof(clean));
	w = call_begin(call);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "provider", account->config.name);
	jsonw_bool(&w, "configured", !figures.blocked);
	jsonw_array(&w, "missing");
	if (figures.blocked)
		jsonw_text(&w, NULL, "a credential that opens the known account");
	jsonw_end_array(&w);
	jsonw_text(&w, "message", message);
	jsonw_array(&w, "checks");
	jsonw_object(&w, NULL);
	jsonw_text(&w, "status", figures.blocked ? "failed" : figures.proven_ms ? "ok" : "warning");
	jsonw_text(&w, "check", "account");
	jsonw_text(&w, "message", message);
	jsonw_end_object(&w);
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	call_answer(call, 200);
}
