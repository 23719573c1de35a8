/* SPDX-License-Identifier: MIT */
#include "provider/http_client.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "provider/http_headers.h"
#include "provider/url.h"
#include "util/alloc.h"
#include "util/buf.h"

#define CONNECT_MS 5000
#define HEAD_MAX (64u << 10)
#define RESPONSE_MAX (1u << 20) /* default of max_response */
#define IDLE_CONNECTION_S 60
#define CANCEL_POLL_MS 50 /* interval of checks of the cancel flag */
#define LOW_SPEED_BYTES 100
#define LOW_SPEED_S 10
/* What was sent and is not acknowledged for so long is given up by the kernel, too. */
#define UNACKNOWLEDGED_MS 10000
#define TOO_LATE "there was no time left to send it"

/* A thread's handle, used by that thread only; the list is for cleanup. */
struct http_thread {
	struct http_client *client;
	CURLM *multi;
	CURL *easy;
	LIST_ENTRY(http_thread) link;
};

/* `lock` guards `threads`; the other members are constant. */
struct http_client {
	struct ca *ca;
	char *proxy;
	char *user_agent;
	int allow_plain;
	int64_t (*mono_ms)(void *data); /* the clock of send_by_mono_ms; it needs no data */
	pthread_key_t key;
	pthread_mutex_t lock;
	LIST_HEAD(, http_thread) threads;
};

/* A request in progress; on the stack. */
struct http_transfer {
	const struct http_client *client;
	const struct env_http_request *request;
	const struct ca *ca; /* NULL: the system's */
	CURLU *url;
	char host[100]; /* for messages */
	struct http_headers headers;
	struct buf body;
	size_t head_bytes;
	int is_reached; /* connected: the request may have been sent */
	int is_head_over;
	int may_be_local; /* loopback and link-local peers are allowed */
	struct curl_slist *fields;
	char error[CURL_ERROR_SIZE];
};

static int request_is_cancelled(const struct env_http_request *request)
{
	return request->cancel && atomic_load_explicit(request->cancel, memory_order_relaxed);
}

/* Is it too late to send anything of it? */
static int transfer_is_late(const struct http_transfer *transfer)
{
	int64_t by_ms = transfer->request->send_by_mono_ms;

	return by_ms && transfer->client->mono_ms && transfer->client->mono_ms(NULL) >= by_ms;
}

/* ---- callbacks ---- */

static size_t on_head(char *line, size_t size, size_t count, void *arg)
{
	struct http_transfer *transfer = arg;
	size_t len = size * count;

	transfer->head_bytes += len;
	if (transfer->head_bytes > HEAD_MAX) {
		transfer->is_head_over = 1;
		return 0;
	}
	http_headers_line(&transfer->headers, line, len);
	return len;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct http_transfer *transfer = arg;
	size_t len = size * count;

	/* CURLOPT_MAXFILESIZE does not cover chunked responses, so the limit is enforced here */
	buf_add(&transfer->body, data, len);
	return transfer->body.overflow ? 0 : len;
}

/* EL 9 has libcurl 7.76. Define a lower number to build what would be built there. */
#ifndef LESSOR_CURL_VERSION
#define LESSOR_CURL_VERSION LIBCURL_VERSION_NUM
#endif
#define CURL_HAS_CA_BLOB (LESSOR_CURL_VERSION >= 0x074d00)
#define CURL_HAS_PREREQ (LESSOR_CURL_VERSION >= 0x075000)
#define CURL_HAS_PROTOCOLS_STR (LESSOR_CURL_VERSION >= 0x075500)
#define CURL_HAS_QUICK_EXIT (LESSOR_CURL_VERSION >= 0x075700)

#if CURL_HAS_PREREQ
/* Called when the connection and TLS are up and nothing of the request has been sent. */
static int on_ready(void *arg, char *remote, char *local, int remote_port, int local_port)
{
	struct http_transfer *transfer = arg;

	(void)remote;
	(void)local;
	(void)remote_port;
	(void)local_port;
	if (request_is_cancelled(transfer->request) || transfer_is_late(transfer))
		return CURL_PREREQFUNC_ABORT;
	transfer->is_reached = 1;
	return CURL_PREREQFUNC_OK;
}
#endif

/* Without PREREQFUNCTION: asks libcurl after the transfer whether it reached that point. */
static void transfer_update_reached(struct http_transfer *transfer, CURL *easy)
{
#if CURL_HAS_PREREQ
	(void)transfer;
	(void)easy;
#else
	curl_off_t at_us = 0;

	curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &at_us);
	transfer->is_reached = at_us > 0;
#endif
}

/* The kernel repeats what was not acknowledged for minutes, even after a close. */
static curl_socket_t socket_open(const struct http_transfer *transfer,
				 const struct curl_sockaddr *address)
{
	unsigned int most_ms = UNACKNOWLEDGED_MS;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

	if (fd >= 0 && transfer->request->send_by_mono_ms && address->family != AF_UNIX &&
	    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &most_ms, sizeof(most_ms))) {
		close(fd);
		return CURL_SOCKET_BAD;
	}
	return fd;
}

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_transfer *transfer = arg;

	(void)purpose;
	if (!transfer->may_be_local && url_address_is_local(&address->addr)) {
		snprintf(transfer->error, sizeof(transfer->error),
			 "the provider's host name resolves to a loopback or link-local address");
		return CURL_SOCKET_BAD;
	}
	return socket_open(transfer, address);
}

/* ---- setup ---- */

static int request_is_get(const struct env_http_request *request)
{
	return strcmp(request->method, "GET") == 0;
}

static void transfer_add_field(struct http_transfer *transfer, const char *line)
{
	struct curl_slist *fields = curl_slist_append(transfer->fields, line);

	if (!fields)
		abort();
	transfer->fields = fields;
}

static void transfer_set_fields(struct http_transfer *transfer)
{
	transfer_add_field(transfer, "Accept: application/json");
	/* no 100-continue: an interim response only adds a way to fail */
	transfer_add_field(transfer, "Expect:");
	if (transfer->request->body)
		transfer_add_field(transfer, "Content-Type: application/json");
	else
		transfer_add_field(transfer, "Content-Type:");
	if (transfer->request->authorization) {
		char *line = xasprintf("Authorization: %s", transfer->request->authorization);
		transfer_add_field(transfer, line);
		explicit_bzero(line, strlen(line));
		free(line);
	}
}

static void transfer_fields_fini(struct http_transfer *transfer)
{
	for (struct curl_slist *field = transfer->fields; field; field = field->next)
		explicit_bzero(field->data, strlen(field->data));
	curl_slist_free_all(transfer->fields);
	transfer->fields = NULL;
}

static void transfer_set_ca(CURL *easy, const struct ca *ca)
{
	if (!ca)
		return; /* libcurl knows the system's */
#if CURL_HAS_CA_BLOB
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

/* The only place that sets other options. */
static void transfer_set_options(CURL *easy, const struct http_client *client,
				 struct http_transfer *transfer)
{
	const struct env_http_request *request = transfer->request;
	int is_get = request_is_get(request);
	long timeout_ms = request->timeout_ms > 0 ? (long)request->timeout_ms : 1;

	curl_easy_reset(easy);
	curl_easy_setopt(easy, CURLOPT_CURLU, transfer->url);
	/* plain http: transfer_set_url decides */
#if CURL_HAS_PROTOCOLS_STR
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
	curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS, (long)CURLPROTO_HTTPS);
#endif
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	transfer_set_ca(easy, transfer->ca);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, is_get && !request->fresh ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, is_get && !request->fresh ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)IDLE_CONNECTION_S);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
			 timeout_ms < CONNECT_MS ? timeout_ms : (long)CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
	if (is_get) {
		/* reads only: a provider may work on a create in silence for longer than this */
		curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)LOW_SPEED_BYTES);
		curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)LOW_SPEED_S);
	}
	curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)transfer->body.max);
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_PROXY, client->proxy ? client->proxy : "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if CURL_HAS_QUICK_EXIT
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a hanging resolver */
#endif
	curl_easy_setopt(easy, CURLOPT_UNRESTRICTED_AUTH, 0L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, client->user_agent);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
#if CURL_HAS_PREREQ
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_ready);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
#endif
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->fields);
	if (request->body || strcmp(request->method, "POST") == 0 ||
	    strcmp(request->method, "PUT") == 0) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body ? request->body : "");
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
	}
	if (strcmp(request->method, "POST") != 0 && !is_get)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void http_thread_fini(struct http_thread *thread)
{
	if (thread->easy)
		curl_easy_cleanup(thread->easy);
	if (thread->multi)
		curl_multi_cleanup(thread->multi);
	free(thread);
}

/* Called when a thread ends. */
static void http_thread_end(void *arg)
{
	struct http_thread *thread = arg;

	pthread_mutex_lock(&thread->client->lock);
	LIST_REMOVE(thread, link);
	pthread_mutex_unlock(&thread->client->lock);
	http_thread_fini(thread);
}

static struct http_thread *http_thread_get(struct http_client *client)
{
	struct http_thread *thread = pthread_getspecific(client->key);

	if (thread)
		return thread;
	thread = xcalloc(1, sizeof(*thread));
	thread->client = client;
	thread->multi = curl_multi_init();
	thread->easy = curl_easy_init();
	if (!thread->multi || !thread->easy || pthread_setspecific(client->key, thread)) {
		http_thread_fini(thread);
		return NULL;
	}
	pthread_mutex_lock(&client->lock);
	LIST_INSERT_HEAD(&client->threads, thread, link);
	pthread_mutex_unlock(&client->lock);
	return thread;
}

/* ---- one request ---- */

/* Returns curl's code, or -1 if the cancel flag ended the transfer. */
static int transfer_perform(struct http_thread *thread, const struct env_http_request *request)
{
	int slice_ms = request->cancel ? CANCEL_POLL_MS : 1000;
	int code = CURLE_FAILED_INIT;
	int running = 1;

	if (curl_multi_add_handle(thread->multi, thread->easy) != CURLM_OK)
		return CURLE_FAILED_INIT;
	while (running) {
		if (curl_multi_perform(thread->multi, &running) != CURLM_OK)
			break;
		if (!running)
			break;
		if (request_is_cancelled(request)) {
			code = -1;
			break;
		}
		if (curl_multi_poll(thread->multi, NULL, 0, slice_ms, NULL) != CURLM_OK)
			break;
	}
	if (!running) {
		int left;
		CURLMsg *message = curl_multi_info_read(thread->multi, &left);
		if (message && message->msg == CURLMSG_DONE)
			code = (int)message->data.result;
	}
	/* this closes the connection of an unfinished transfer */
	curl_multi_remove_handle(thread->multi, thread->easy);
	return code;
}

static void response_fail(struct env_http_response *ret, enum env_http_outcome outcome,
			  const char *text)
{
	ret->outcome = outcome;
	snprintf(ret->error, sizeof(ret->error), "%s", text);
	for (char *p = ret->error; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	}
}

/* Decides whether a complete response is acceptable. */
static void transfer_classify(struct http_transfer *transfer, long status,
			      struct env_http_response *ret)
{
	ret->status = (int)status;
	if (status >= 300 && status < 400) {
		response_fail(ret, ENV_HTTP_BROKEN,
			      "the provider sent a redirect, which is never followed");
	} else if (status < 200 || status > 599) {
		response_fail(ret, ENV_HTTP_BROKEN, "the provider sent an invalid HTTP status");
	} else if (transfer->headers.is_encoded) {
		response_fail(ret, ENV_HTTP_BROKEN,
			      "the provider sent a Content-Encoding that was not requested");
	} else {
		ret->outcome = ENV_HTTP_ANSWERED;
		ret->body_len = transfer->body.len;
		ret->body = transfer->body.len ? buf_take(&transfer->body) : NULL;
	}
}

/* 1 if TLS was what failed; `out` then says why, and which setting mends it. */
static int transfer_describe_tls(const struct http_transfer *transfer, CURL *easy, int code,
				 const char *detail, char *out, size_t size)
{
	int is_peer = code == CURLE_PEER_FAILED_VERIFICATION;
	long verify_result = 0;
	size_t len;

	if (!is_peer && code != CURLE_SSL_CONNECT_ERROR)
		return 0;
	curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verify_result);
	ca_describe_failure(transfer->ca, transfer->host, is_peer, verify_result, detail, out, size);
	len = strlen(out);
	if (ca_is_unknown_signer(is_peer, verify_result))
		snprintf(out + len, size - len,
			 "; set ca_file of the account to the certificate of its CA");
	else if (!is_peer && ca_peer_is_plain(detail))
		snprintf(out + len, size - len, "; set the account's URL to the port of TLS");
	return 1;
}

static void transfer_finish(struct http_transfer *transfer, struct http_thread *thread, int code,
			    struct env_http_response *ret)
{
	const char *text = transfer->error[0] ? transfer->error :
			   code >= 0 ? curl_easy_strerror((CURLcode)code) : "cancelled";
	char tls[256];
	long status = 0;

	transfer_update_reached(transfer, thread->easy);
	if (!transfer->is_reached) {
		if (request_is_cancelled(transfer->request))
			text = "cancelled";
		else if (transfer_is_late(transfer))
			text = TOO_LATE;
		else if (transfer_describe_tls(transfer, thread->easy, code, text, tls, sizeof(tls)))
			text = tls;
		ret->is_tls_failure = text == tls;
		response_fail(ret, ENV_HTTP_NOT_SENT, text);
		return;
	}
	http_headers_finish(&transfer->headers, (int64_t)time(NULL), ret);
	if (code == CURLE_OK && !transfer->headers.is_complete) {
		response_fail(ret, ENV_HTTP_LOST,
			      "the connection closed before the response headers were complete");
	} else if (code == CURLE_OK) {
		curl_easy_getinfo(thread->easy, CURLINFO_RESPONSE_CODE, &status);
		transfer_classify(transfer, status, ret);
	} else if (transfer->is_head_over) {
		response_fail(ret, ENV_HTTP_BROKEN, "the response headers are larger than 64 KiB");
	} else if (transfer->body.overflow || code == CURLE_FILESIZE_EXCEEDED) {
		response_fail(ret, ENV_HTTP_BROKEN, "the response is larger than allowed");
	} else if (code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_UNSUPPORTED_PROTOCOL ||
		   code == CURLE_BAD_CONTENT_ENCODING || code == CURLE_HTTP_RETURNED_ERROR) {
		response_fail(ret, ENV_HTTP_BROKEN, text);
	} else {
		response_fail(ret, ENV_HTTP_LOST, text);
	}
}

/* Parses the URL once, for the checks and for curl, so that the checked URL is the one used. */
static const char *transfer_set_url(struct http_transfer *transfer,
				    const struct http_client *client)
{
	const char *rule = NULL;
	char *scheme = NULL, *host = NULL;

	transfer->ca = transfer->request->ca ? transfer->request->ca : client->ca;
	transfer->url = curl_url();
	if (!transfer->url)
		abort();
	if (curl_url_set(transfer->url, CURLUPART_URL, transfer->request->url,
			 CURLU_PATH_AS_IS | CURLU_DISALLOW_USER) ||
	    curl_url_get(transfer->url, CURLUPART_SCHEME, &scheme, 0) ||
	    curl_url_get(transfer->url, CURLUPART_HOST, &host, 0) ||
	    (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)) {
		rule = "the URL is not a valid http or https URL";
	} else {
		int is_loopback = url_host_is_loopback(host);

		/* never send the credential in the clear */
		if (strcmp(scheme, "http") == 0 && !is_loopback && !client->allow_plain)
			rule = "plain http is allowed for loopback hosts only";
		transfer->may_be_local = is_loopback || client->allow_plain || client->proxy;
		snprintf(transfer->host, sizeof(transfer->host), "%s", host);
	}
	curl_free(scheme);
	curl_free(host);
	return rule;
}

static void http_client_call(void *data, const struct env_http_request *request,
			     struct env_http_response *ret)
{
	struct http_client *client = data;
	struct http_transfer transfer = { .client = client, .request = request };

	*ret = (struct env_http_response){ .retry_after_ms = -1, .rate_limit = -1,
					   .rate_remaining = -1, .rate_reset_s = -1 };
	const char *rule = transfer_set_url(&transfer, client);
	struct http_thread *thread = rule ? NULL : http_thread_get(client);
	if (!rule && !thread)
		rule = "cannot create a libcurl handle";
	else if (!rule && request_is_cancelled(request))
		rule = "cancelled";
	else if (!rule && transfer_is_late(&transfer))
		rule = TOO_LATE;
	if (rule) {
		response_fail(ret, ENV_HTTP_NOT_SENT, rule);
		curl_url_cleanup(transfer.url);
		return;
	}
	http_headers_init(&transfer.headers);
	buf_init(&transfer.body, request->max_response ? request->max_response : RESPONSE_MAX);
	transfer_set_fields(&transfer);
	transfer_set_options(thread->easy, client, &transfer);
	int code = transfer_perform(thread, request);
	transfer_finish(&transfer, thread, code, ret);
	/* the reused handle keeps no reference to this transfer */
	curl_easy_reset(thread->easy);
	transfer_fields_fini(&transfer);
	curl_url_cleanup(transfer.url);
	buf_fini(&transfer.body);
}

/* ---- lifecycle ---- */

static char *text_dup_or_null(const char *text)
{
	return text && text[0] ? xstrdup(text) : NULL;
}

int http_client_new(const struct http_client_config *config, struct env *env,
		    struct http_client **ret, struct err *err)
{
	struct http_client *client;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, ERR_INTERNAL, "cannot initialise libcurl");
	client = xcalloc(1, sizeof(*client));
	if (pthread_key_create(&client->key, http_thread_end)) {
		free(client);
		return err_set(err, ERR_INTERNAL, "cannot create a thread-specific key");
	}
	pthread_mutex_init(&client->lock, NULL);
	client->mono_ms = env->mono_ms;
	client->user_agent = xstrdup(config && config->user_agent ? config->user_agent : "lessord");
	if (config) {
		client->ca = ca_ref(config->ca);
		client->proxy = text_dup_or_null(config->proxy);
		client->allow_plain = config->allow_plain;
	}
	env->http = http_client_call;
	env->data = client;
	*ret = client;
	return 0;
}

void http_client_free(struct http_client *client)
{
	if (!client)
		return;
	pthread_key_delete(client->key);
	while (!LIST_EMPTY(&client->threads)) {
		struct http_thread *thread = LIST_FIRST(&client->threads);

		LIST_REMOVE(thread, link);
		http_thread_fini(thread);
	}
	pthread_mutex_destroy(&client->lock);
	ca_unref(client->ca);
	free(client->proxy);
	free(client->user_agent);
	free(client);
	curl_global_cleanup();
}
