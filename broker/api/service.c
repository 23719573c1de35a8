/* SPDX-License-Identifier: MIT */
/* The broker about itself: health, whoami, the OpenAPI file. */

#include "api/handlers.h"
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
