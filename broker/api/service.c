/* SPDX-License-Identifier: MIT */
/* Health, whoami and the OpenAPI file. */

#include "api/handlers.h"
#include "api/openapi.h"
#include "api/reply.h"

/* Needs no token, so it reveals little. */
void service_health(struct api_request *request)
{
	static const char *const states[] = {
		[STORE_WRITABLE] = "writable", [STORE_RESERVE] = "reserve",
		[STORE_LOCKED] = "locked",     [STORE_FULL] = "full",
		[STORE_AWAY] = "away",
	};
	struct jsonw w = reply_begin(request);

	jsonw_object(&w, NULL);
	jsonw_bool(&w, "ok", 1);
	jsonw_text(&w, "service", request->api->config.service);
	jsonw_text(&w, "store", states[fleet_store_state(request->api->parts.fleet)]);
	if (env_is_clock_suspect(request->api->parts.env))
		jsonw_text(&w, "clock",
			   "The server's clock is in doubt: nothing ends by time "
			   "until it is confirmed.");
	jsonw_end_object(&w);
	reply_json(request, 200);
}

void service_whoami(struct api_request *request)
{
	struct jsonw w = reply_begin(request);

	jsonw_object(&w, NULL);
	jsonw_text(&w, "owner", request->caller.owner);
	jsonw_text(&w, "org", request->caller.org);
	jsonw_text(&w, "auth", "bearer");
	jsonw_bool(&w, "admin", request->caller.role == TOKEN_ADMIN);
	jsonw_text(&w, "role", token_role_name(request->caller.role));
	jsonw_time(&w, "tokenExpiresAt",
		   auth_expires_ms(request->api->auth,
				   http_head_known(request->head, HTTP_FIELD_AUTHORIZATION)));
	/* Here and not in /v1/health, which answers without a token. */
	if (request->api->config.version[0])
		jsonw_text(&w, "version", request->api->config.version);
	jsonw_end_object(&w);
	reply_json(request, 200);
}

void service_openapi(struct api_request *request)
{
	size_t len;
	const char *text = openapi_text(&len);

	reply_text(request, 200, "application/json", text, len);
}
