/* SPDX-License-Identifier: MIT */
#include "cli/client_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "cli/text.h"
#include "cli/when.h"
#include "util/alloc.h"
#include "util/buf.h"

#define CONNECT_TIMEOUT_MS 10000L
#ifndef LESSOR_VERSION
#define LESSOR_VERSION "0"
#endif

static char *part_get(CURLU *url, CURLUPart part)
{
	char *value = NULL;

	if (curl_url_get(url, part, &value, 0) != CURLUE_OK)
		return NULL;
	return value;
}

static int part_has(CURLU *url, CURLUPart part)
{
	char *value = part_get(url, part);
	int has = value != NULL;

	curl_free(value);
	return has;
}

static int host_is_local(const char *host)
{
	return host && (!strcmp(host, "localhost") || !strncmp(host, "127.", 4) ||
			!strcmp(host, "[::1]"));
}

/* Scheme, host and no secrets: the URL appears in error messages. */
static int tcp_check(struct client *client, CURLU *url, struct err *err)
{
	char *scheme = part_get(url, CURLUPART_SCHEME);
	char *host = part_get(url, CURLUPART_HOST);
	int plain = scheme && !strcmp(scheme, "http");
	int good = plain || (scheme && !strcmp(scheme, "https"));

	client->direct = host_is_local(host);
	/* Once for scripts, too: when the token is saved. */
	if (plain && !client->direct && client->authorization &&
	    (isatty(STDERR_FILENO) || client->saves))
		text_warning("the token is sent to %s unencrypted; use https://", host ? host : "");
	curl_free(scheme);
	curl_free(host);
	if (!good)
		return err_set(err, ERR_INVALID, "the URL from %s is not http://, https:// or "
			       "unix:/path", client->url_from);
	if (part_has(url, CURLUPART_USER) || part_has(url, CURLUPART_PASSWORD))
		return err_set(err, ERR_INVALID,
			       "the URL from %s contains a user or password; "
			       "lessord needs a token instead",
			       client->url_from);
	if (part_has(url, CURLUPART_QUERY) || part_has(url, CURLUPART_FRAGMENT))
		return err_set(err, ERR_INVALID, "the URL from %s contains a '?' or '#'",
			       client->url_from);
	return 0;
}

static int url_split(struct client *client, struct err *err)
{
	CURLU *url;
	size_t len;
	int result;

	if (!strncmp(client->url, "unix:", 5)) {
		const char *path = client->url + 5;

		if (!strncmp(path, "//", 2))
			path += 2;
		if (path[0] != '/' || strlen(path) > 107)
			return err_set(err, ERR_INVALID,
				       "the URL from %s is not unix:/path with a "
				       "path of at most 107 bytes",
				       client->url_from);
		client->socket = xstrdup(path);
		client->base = xstrdup("http://localhost");
		client->direct = 1;
		return 0;
	}
	url = curl_url();
	if (!url)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	if (!strstr(client->url, "://") || curl_url_set(url, CURLUPART_URL, client->url, 0))
		result = err_set(err, ERR_INVALID, "the URL from %s is not a URL such as "
				 "https://lessor.example or unix:/run/lessord/api.sock",
				 client->url_from);
	else
		result = tcp_check(client, url, err);
	curl_url_cleanup(url);
	if (result)
		return -1;
	len = strlen(client->url);
	while (len && client->url[len - 1] == '/')
		len--;
	client->base = xstrndup(client->url, len);
	return 0;
}

struct client *client_open(const struct settings *settings, struct err *err)
{
	struct client *client = xcalloc(1, sizeof(*client));

	curl_global_init(CURL_GLOBAL_DEFAULT);
	client->url = xstrdup(settings->url);
	client->url_from = xstrdup(settings->url_from);
	client->ca = ca_ref(settings->ca);
	client->saves = settings->is_new;
	if (settings->token) {
		client->authorization = xasprintf("Authorization: Bearer %s", settings->token);
		client->token_from = xstrdup(settings->token_from);
	}
	client->easy = curl_easy_init();
	if (!client->easy)
		err_set(err, ERR_INTERNAL, "cannot initialize libcurl");
	if (!client->easy || url_split(client, err)) {
		client_close(client);
		return NULL;
	}
	return client;
}

static char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

struct client *client_twin(const struct client *client)
{
	struct client *twin;
	CURL *easy = curl_easy_init();

	if (!easy)
		return NULL;
	curl_global_init(CURL_GLOBAL_DEFAULT); /* client_close undoes it */
	twin = xcalloc(1, sizeof(*twin));
	twin->easy = easy;
	twin->url = copy(client->url);
	twin->url_from = copy(client->url_from);
	twin->base = copy(client->base);
	twin->socket = copy(client->socket);
	twin->direct = client->direct;
	twin->authorization = copy(client->authorization);
	twin->token_from = copy(client->token_from);
	twin->ca = ca_ref(client->ca);
	return twin;
}

void client_close(struct client *client)
{
	if (!client)
		return;
	if (client->easy)
		curl_easy_cleanup(client->easy);
	if (client->authorization)
		explicit_bzero(client->authorization, strlen(client->authorization));
	free(client->authorization);
	free(client->token_from);
	free(client->url);
	free(client->url_from);
	free(client->base);
	free(client->socket);
	ca_unref(client->ca);
	free(client);
	curl_global_cleanup();
}

/*
 * Where the body of a response goes: CSV to the file, events to the stream, everything else to the
 * buffer.
 */
struct sink {
	CURL *easy;
	const struct client_request *request;
	int is_csv, is_stream;
	int64_t heard_ms; /* when bytes came last; monotonic clock */
	int is_idle;	  /* for so long that the request was ended */
	struct buf body;
};

static int sink_has_type(struct sink *sink, const char *want)
{
	const char *type = NULL;
	long status = 0;

	curl_easy_getinfo(sink->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(sink->easy, CURLINFO_CONTENT_TYPE, &type);
	return status == 200 && type && !strncmp(type, want, strlen(want));
}

/* A terminal must not receive the control characters of others. */
static int csv_write(FILE *csv, const char *data, size_t len)
{
	int is_terminal = isatty(fileno(csv));

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)data[i];

		if (is_terminal && c != '\n' && (c < 0x20 || c >= 0x7f))
			c = c == '\r' ? ' ' : '?';
		if (putc(c, csv) == EOF)
			return -1;
	}
	return 0;
}

static size_t body_take(char *data, size_t size, size_t count, void *user)
{
	struct sink *sink = user;
	const struct client_stream *stream = sink->request->stream;
	size_t len = size * count;

	sink->heard_ms = when_mono_ms();
	sink->is_csv = sink->request->csv && sink_has_type(sink, "text/csv");
	if (sink->is_csv)
		return csv_write(sink->request->csv, data, len) ? 0 : len;
	sink->is_stream = stream && sink_has_type(sink, "text/event-stream");
	if (sink->is_stream) {
		int enough = stream->on_bytes(stream->arg, data, len);

		/* The handling may have taken its time. */
		sink->heard_ms = when_mono_ms();
		return enough ? 0 : len;
	}
	buf_add(&sink->body, data, len);
	return sink->body.overflow ? 0 : len;
}

static int progress_check(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct sink *sink = user;
	const struct client_request *request = sink->request;

	(void)a, (void)b, (void)c, (void)d;
	sink->is_idle = request->stream &&
			when_mono_ms() - sink->heard_ms > request->stream->idle_ms;
	return sink->is_idle || interrupt_pending() != 0 ||
	       (request->stop && request->stop(request->stop_arg));
}

static void ca_setup(CURL *easy, const struct ca *ca)
{
#if LIBCURL_VERSION_NUM >= 0x074d00
	if (ca->pem) {
		struct curl_blob blob = { .data = ca->pem,
					  .len = ca->pem_len,
					  .flags = CURL_BLOB_NOCOPY };

		curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
	}
#endif
	if (ca->file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, ca->file);
	curl_easy_setopt(easy, CURLOPT_CAPATH, ca->dir);
}

static void easy_setup(struct client *client, const struct client_request *request,
		       struct curl_slist *headers, const char *body, struct sink *into)
{
	CURL *easy = client->easy;
	int is_get = !strcmp(request->method, "GET");
	auto_free char *url = xasprintf("%s%s", client->base, request->path);

	curl_easy_reset(easy);
	client->curl_error[0] = '\0';
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* a REF of ".." must stay one */
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, client->curl_error);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L);
	if (client->ca)
		ca_setup(easy, client->ca);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	if (!request->stream)
		curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
				 (long)(request->timeout_ms ? request->timeout_ms :
							      CLIENT_TIMEOUT_MS));
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, is_get ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "lessor/" LESSOR_VERSION);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_take);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, into);
	if (!request->csv && !request->stream)
		curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)RESPONSE_MAX);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, progress_check);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, into);
	if (client->direct)
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	if (client->socket)
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, client->socket);
	if (is_get)
		return;
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
	curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body);
}

static int response_read(struct client *client, const struct client_request *request,
			 const struct buf *body, struct client_response *ret)
{
	curl_off_t wait = 0;
	json_error_t problem;
	long status = 0;

	curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(client->easy, CURLINFO_RETRY_AFTER, &wait);
	ret->outcome = CLIENT_COMPLETE;
	ret->status = (int)status;
	ret->retry_after_s = wait;
	ret->doc = json_loadb(buf_str(body), body->len, JSON_REJECT_DUPLICATES, &problem);
	if (ret->doc && !json_is_object(ret->doc)) {
		json_decref(ret->doc);
		ret->doc = NULL;
	}
	if (status < 200 || status > 299) {
		client_describe_refusal(client, request, buf_str(body), ret);
		return 0;
	}
	if (ret->doc)
		return 1;
	snprintf(ret->error, sizeof(ret->error),
		 "the response of %.120s is not a JSON object; is "
		 "that lessord, and is %.60s correct?",
		 client->url, client->url_from);
	return 0;
}

static struct curl_slist *headers_make(const struct client *client,
				       const struct client_request *request)
{
	const char *accept = request->csv    ? "Accept: text/csv" :
			     request->stream ? "Accept: text/event-stream" :
					       "Accept: application/json";
	struct curl_slist *headers = curl_slist_append(NULL, accept);

	if (client->authorization)
		headers = curl_slist_append(headers, client->authorization);
	headers = curl_slist_append(headers, "Expect:");
	if (request->stream && *request->stream->last_id) {
		auto_free char *last = xasprintf("Last-Event-ID: %s", request->stream->last_id);

		headers = curl_slist_append(headers, last);
	}
	if (request->body)
		headers = curl_slist_append(headers, "Content-Type: application/json");
	if (request->wait_s > 0) {
		auto_free char *prefer = xasprintf("Prefer: wait=%d", request->wait_s);

		headers = curl_slist_append(headers, prefer);
	} else if (request->wait_s == CLIENT_NO_WAIT) {
		headers = curl_slist_append(headers, "Prefer: respond-async");
	}
	return headers;
}

/* A response, but not the one that was asked for. */
static int stream_is_missing(const struct client *client, struct client_response *ret)
{
	snprintf(ret->error, sizeof(ret->error),
		 "the response of %.120s is not a stream of events; is that lessord, and is %.60s "
		 "correct?",
		 client->url, client->url_from);
	return 0;
}

int client_call(struct client *client, const struct client_request *request,
		struct client_response *ret)
{
	struct curl_slist *headers = headers_make(client, request);
	auto_free char *body = request->body ? json_dumps(request->body, JSON_COMPACT) :
					       xstrdup("");
	struct sink into = { .easy = client->easy, .request = request, .heard_ms = when_mono_ms() };
	CURLcode code;
	int good = 0;

	*ret = (struct client_response){ 0 };
	buf_init(&into.body, RESPONSE_MAX);
	easy_setup(client, request, headers, body ? body : "", &into);
	code = curl_easy_perform(client->easy);
	if (into.is_idle)
		code = CURLE_OPERATION_TIMEDOUT;
	if (into.is_stream || (code == CURLE_OK && into.is_csv)) {
		ret->status = 200;
		good = 1;
	} else if (code == CURLE_OK) {
		good = response_read(client, request, &into.body, ret);
		if (request->stream && good)
			good = stream_is_missing(client, ret);
	} else {
		client_describe_failure(client, code, &into.body, ret);
	}
	curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	buf_fini(&into.body);
	return good;
}

int client_get(struct client *client, const char *path, struct client_response *ret)
{
	const struct client_request request = { .method = "GET", .path = path };

	return client_call(client, &request, ret);
}

static int64_t date_read(const char *text)
{
	time_t seconds = text ? curl_getdate(text, NULL) : -1;

	return seconds > 0 ? (int64_t)seconds * 1000 : 0;
}

void client_peer(struct client *client, struct client_peer *ret)
{
	struct curl_certinfo *chain = NULL;

	*ret = (struct client_peer){ 0 };
#if LIBCURL_VERSION_NUM >= 0x075400
	struct curl_header *date;

	if (curl_easy_header(client->easy, "Date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK)
		ret->date_ms = date_read(date->value);
#endif
	if (curl_easy_getinfo(client->easy, CURLINFO_CERTINFO, &chain) || !chain ||
	    chain->num_of_certs < 1)
		return;
	for (struct curl_slist *line = chain->certinfo[0]; line; line = line->next) {
		if (!strncmp(line->data, "Expire date:", 12))
			ret->expires_ms = date_read(line->data + 12);
	}
}

void client_response_fini(struct client_response *response)
{
	json_decref(response->doc);
	*response = (struct client_response){ 0 };
}

int client_may_retry(const struct client_response *response)
{
	if (response->outcome != CLIENT_COMPLETE)
		return response->outcome != CLIENT_INTERRUPTED;
	return response->status == 408 || response->status == 429 || response->status >= 500 ||
	       (response->status >= 200 && response->status < 300 && !response->doc);
}

char *client_encode(const char *text)
{
	char *raw = curl_easy_escape(NULL, text, 0);
	char *copy = xstrdup(raw ? raw : "");

	curl_free(raw);
	return copy;
}
