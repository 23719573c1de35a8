/* SPDX-License-Identifier: MIT */
/* What a request without a good response tells the user. */
#include "cli/client_internal.h"

#include <string.h>

#include "util/alloc.h"

const char *client_error_code(const struct client_response *response)
{
	return json_string_value(json_object_get(response->doc, "error"));
}

/* The response to a plain request is a TLS alert, which curl takes for HTTP/0.9. */
static int peer_is_tls(const struct client *client, CURLcode code)
{
	return !strncmp(client->url, "http://", 7) &&
	       (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY);
}

/* Other TLS servers close or reset the connection. */
static int peer_is_silent(const struct client *client, CURLcode code)
{
	long received = 0;

	curl_easy_getinfo(client->easy, CURLINFO_HEADER_SIZE, &received);
	return !client->socket && !strncmp(client->base, "http://", 7) && !received &&
	       (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR);
}

/* TLS failed, before anything was sent. */
static void tls_failure_describe(struct client *client, CURLcode code, const char *why,
				 struct client_response *ret)
{
	int is_peer = code == CURLE_PEER_FAILED_VERIFICATION;
	long verify_result = 0;
	char text[256];

	ret->is_tls = 1;
	curl_easy_getinfo(client->easy, CURLINFO_SSL_VERIFYRESULT, &verify_result);
	ca_describe_failure(client->ca, client->url, is_peer, verify_result, why, text,
			    sizeof(text));
	if (!is_peer && ca_peer_is_plain(why))
		snprintf(ret->error, sizeof(ret->error),
			 "%s; set %.60s to an http:// URL, or to the address that uses TLS", text,
			 client->url_from);
	else if (!is_peer)
		snprintf(ret->error, sizeof(ret->error), "%s; is %.60s correct?", text,
			 client->url_from);
	else if (!ca_is_unknown_signer(is_peer, verify_result))
		snprintf(ret->error, sizeof(ret->error), "%s", text);
	else
		snprintf(ret->error, sizeof(ret->error),
			 "%s; name the certificate of its CA with ca_file in lessor.conf,"
			 " LESSOR_CA_FILE or --ca-file",
			 text);
}

/* The transfer failed. */
void client_describe_failure(struct client *client, CURLcode code, const struct buf *body,
			     struct client_response *ret)
{
	const char *why = client->curl_error[0] ? client->curl_error : curl_easy_strerror(code);
	long sent = 0, number = 0;

	curl_easy_getinfo(client->easy, CURLINFO_REQUEST_SIZE, &sent);
	curl_easy_getinfo(client->easy, CURLINFO_OS_ERRNO, &number);
	if (code == CURLE_COULDNT_CONNECT && number)
		why = strerror((int)number);
	ret->outcome = sent ? CLIENT_LOST : CLIENT_NOT_SENT;
	if (code == CURLE_ABORTED_BY_CALLBACK) {
		ret->outcome = sent ? CLIENT_INTERRUPTED : CLIENT_NOT_SENT;
		snprintf(ret->error, sizeof(ret->error), "interrupted");
	} else if (body->overflow || code == CURLE_FILESIZE_EXCEEDED) {
		snprintf(ret->error, sizeof(ret->error),
			 "the response of %.120s is larger than "
			 "%d MiB",
			 client->url, RESPONSE_MAX / 1024 / 1024);
	} else if (!sent && code == CURLE_SSL_CACERT_BADFILE) {
		snprintf(ret->error, sizeof(ret->error), "cannot use %.60s: %.160s",
			 client->ca ? client->ca->from : "the system's certificate store", why);
	} else if (!sent &&
		   (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR)) {
		tls_failure_describe(client, code, why, ret);
	} else if (!sent) {
		snprintf(ret->error, sizeof(ret->error),
			 "cannot connect to %.120s: %.120s; is "
			 "lessord running there, and is %.60s correct?",
			 client->url, why, client->url_from);
	} else if (peer_is_tls(client, code)) {
		snprintf(ret->error, sizeof(ret->error),
			 "%.120s does not speak plain http; if it uses TLS, set %.60s to an https://"
			 " URL",
			 client->url, client->url_from);
	} else if (peer_is_silent(client, code)) {
		snprintf(ret->error, sizeof(ret->error),
			 "no response from %.120s: %.80s (if it uses TLS, set %.60s to an https:// URL)",
			 client->url, why, client->url_from);
	} else {
		snprintf(ret->error, sizeof(ret->error), "no response from %.120s: %.160s",
			 client->url, why);
	}
}

/* The REF of a request about one lease, decoded; NULL: it is about something else. */
static char *path_ref(const char *path)
{
	static const char *const prefixes[] = { "/v1/leases/", "/v1/admin/leases/" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(prefixes); i++) {
		size_t len = strlen(prefixes[i]);

		if (!strncmp(path, prefixes[i], len)) {
			char *raw = curl_easy_unescape(NULL, path + len,
						       (int)strcspn(path + len, "/?"), NULL);
			char *copy = xstrdup(raw ? raw : "");

			curl_free(raw);
			return copy;
		}
	}
	return NULL;
}

/* A 404 that means the lease and not, say, a route that this server lacks. */
static int lease_is_missing(const struct client_response *ret)
{
	const char *code = client_error_code(ret);
	const char *message = json_string_value(json_object_get(ret->doc, "message"));

	return ret->status == 404 && code && !strcmp(code, "not_found") &&
	       (!message || !strncmp(message, "There is no lease", 17));
}

void client_describe_refusal(const struct client *client, const struct client_request *request,
			     const char *body, struct client_response *ret)
{
	const char *code = client_error_code(ret);
	const char *message = json_string_value(json_object_get(ret->doc, "message"));
	auto_free char *ref = lease_is_missing(ret) ? path_ref(request->path) : NULL;
	auto_free char *more = NULL;

	if (ret->status >= 300 && ret->status < 400) {
		snprintf(ret->error, sizeof(ret->error),
			 "%.120s responds with a redirect (HTTP "
			 "%d), which is not followed; set the final URL (%.60s)",
			 client->url, ret->status, client->url_from);
		return;
	}
	if (ref) {
		snprintf(ret->error, sizeof(ret->error),
			 "there is no lease '%.60s' of yours; lessor list --all shows those that "
			 "ended",
			 ref);
		return;
	}
	if (ret->status == 401 && client->authorization)
		more = xasprintf(": the token was rejected (it is from %.80s)", client->token_from);
	else if (ret->status == 401)
		more = xstrdup(": run lessor login, or set LESSOR_TOKEN or --token-file");
	if (code)
		snprintf(ret->message, sizeof(ret->message), "%.200s%s", message ? message : code,
			 more ? more : "");
	if (code)
		snprintf(ret->error, sizeof(ret->error), "%.200s (%.60s, HTTP %d)%s",
			 message ? message : code, code, ret->status, more ? more : "");
	else
		snprintf(ret->error, sizeof(ret->error), "HTTP %d from %.120s%s%.100s%s",
			 ret->status, client->url, *body ? ": " : "", body, more ? more : "");
}
