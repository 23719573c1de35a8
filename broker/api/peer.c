/* SPDX-License-Identifier: MIT */
#include "api/peer.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

/* Peers are near; one that cannot be reached in this time is as good as gone. */
#define CONNECT_MS 1500
/* How long bytes may stay unacknowledged, and how long a silent peer is believed to be there. */
#define UNACKNOWLEDGED_MS 4000
#define KEEPALIVE_S 2
#define ANSWER_MAX (8u << 20)
#define TROUBLES 16

/* An address that does not work, as the log says already. */
struct trouble {
	char address[128];
	int is_refused;
};

struct peer_call {
	struct peer_client *client;
	char address[128];
	CURL *easy;
	struct curl_slist *lines;
	peer_done_fn done;
	void *arg;
	struct peer_answer answer;
	LIST_ENTRY(peer_call) entry;
};

struct peer_client {
	struct event_base *base;
	CURLM *multi;
	struct event *timer;
	char *ca_file; /* NULL: the system's */
	LIST_HEAD(, peer_call) calls;
	LIST_HEAD(, socket_watch) watches;
	struct trouble troubles[TROUBLES];
	size_t trouble_count; /* of all that there ever were */
};

struct socket_watch {
	struct peer_client *client;
	struct event *event;
	LIST_ENTRY(socket_watch) entry;
};

/* ---- the log ------------------------------------------------------------------------------- */

static struct trouble *trouble_find(struct peer_client *client, const char *address)
{
	for (size_t i = 0; i < TROUBLES; i++) {
		if (!strcmp(client->troubles[i].address, address))
			return &client->troubles[i];
	}
	return NULL;
}

/* The client is told to try again later, so only the log shows that this will not help. */
static void trouble_log(struct peer_client *client, const char *address, const char *why)
{
	struct trouble *trouble = &client->troubles[client->trouble_count++ % TROUBLES];

	TEXT_SET(trouble->address, address);
	trouble->is_refused = !why;
	if (why)
		log_warning(LOG_FIELDS({ "address", address }, { "error", why }),
			    "cannot reach the daemon at %s; requests for its accounts wait, and are "
			    "then answered 503; if it is running, check its `advertise`, the network "
			    "and its certificate",
			    address);
	else
		log_warning(LOG_FIELDS({ "address", address }),
			    "another daemon than the one expected answers at %s; unless it was just "
			    "restarted, check that each daemon has an `advertise` of its own",
			    address);
}

/* `why` NULL: there was an answer. Each change is logged once. */
static void trouble_note(struct peer_client *client, const char *address, const char *why,
			 int is_refused)
{
	struct trouble *trouble = trouble_find(client, address);

	if (!trouble && (why || is_refused)) {
		trouble_log(client, address, why);
	} else if (trouble && !why && !trouble->is_refused) {
		/* Who is at a shared address changes with each request: that is logged once. */
		trouble->address[0] = '\0';
		log_notice(LOG_FIELDS({ "address", address }), "the daemon at %s answers again",
			   address);
	}
}

/* ---- one call ------------------------------------------------------------------------------ */

static void call_free(struct peer_call *call)
{
	curl_multi_remove_handle(call->client->multi, call->easy);
	curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->lines);
	LIST_REMOVE(call, entry);
	buf_fini(&call->answer.body);
	free(call);
}

static void call_finish(struct peer_call *call, CURLcode result)
{
	long status = 0;

	if (result == CURLE_OK)
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	else
		TEXT_SET(call->answer.error, curl_easy_strerror(result));
	call->answer.status = (int)status;
	trouble_note(call->client, call->address, status ? NULL : call->answer.error, status == 401);
	call->done(&call->answer, call->arg);
	call_free(call);
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct peer_call *call = arg;

	buf_add(&call->answer.body, data, size * count);
	/* Fewer bytes than it was given end the transfer. */
	return call->answer.body.overflow ? 0 : size * count;
}

static size_t on_field(char *data, size_t size, size_t count, void *arg)
{
	static const char *const names[] = {
#define X(name, text) text,
		PEER_FIELDS(X)
#undef X
	};
	struct peer_call *call = arg;
	size_t len = size * count;

	for (int i = 0; i < PEER_FIELD_COUNT; i++) {
		size_t name = strlen(names[i]);
		const char *value = data + name + 1;
		size_t value_len = len > name ? len - name - 1 : 0;

		if (len <= name || data[name] != ':' || strncasecmp(data, names[i], name))
			continue;
		value_len = text_trim(&value, value_len);
		if (value_len >= sizeof(call->answer.fields[i]))
			continue;
		memcpy(call->answer.fields[i], value, value_len);
		call->answer.fields[i][value_len] = '\0';
	}
	return len;
}

static int on_socket_opened(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	unsigned ms = UNACKNOWLEDGED_MS;

	(void)arg;
	(void)purpose;
	/* Without effect, a peer that vanished is noticed later. */
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	return CURL_SOCKOPT_OK;
}

static void call_prepare(struct peer_call *call, const struct peer_request *request)
{
	CURL *easy = call->easy;
	auto_free char *url = xasprintf("%s%s", request->address, request->target);

	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_S);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket_opened);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, http_method_name(request->method));
	/* Also without a body: the server requires its length. */
	if (request->method != HTTP_GET) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body ? request->body : "");
	}
	if (call->client->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, call->client->ca_file);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->lines);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_field);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
}

static void line_add(struct peer_call *call, const char *line)
{
	struct curl_slist *more = curl_slist_append(call->lines, line);

	if (!more)
		abort();
	call->lines = more;
}

struct peer_call *peer_send(struct peer_client *client, const struct peer_request *request,
			    peer_done_fn done, void *arg)
{
	struct peer_call *call = xcalloc(1, sizeof(*call));

	call->client = client;
	TEXT_SET(call->address, request->address);
	call->done = done;
	call->arg = arg;
	call->easy = curl_easy_init();
	if (!call->easy)
		abort();
	buf_init(&call->answer.body, ANSWER_MAX);
	/* What libcurl would add by itself. */
	line_add(call, "Expect:");
	line_add(call, "Accept:");
	line_add(call, "Content-Type:");
	for (size_t i = 0; i < request->line_count; i++)
		line_add(call, request->lines[i]);
	call_prepare(call, request);
	LIST_INSERT_HEAD(&client->calls, call, entry);
	/* Starts it from the timer, not here. */
	curl_multi_add_handle(client->multi, call->easy);
	return call;
}

void peer_cancel(struct peer_call *call)
{
	call_free(call);
}

/* ---- libcurl on the event loop --------------------------------------------------------------- */

/* One after the other: what `done` does may cancel any of the others. */
static void calls_finish(struct peer_client *client)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(client->multi, &left))) {
		struct peer_call *call = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
		call_finish(call, message->data.result);
	}
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct socket_watch *watch = arg;
	struct peer_client *client = watch->client;
	int running;

	/* This may free the watch. */
	curl_multi_socket_action(client->multi, fd,
				 (what & EV_READ ? CURL_CSELECT_IN : 0) |
					 (what & EV_WRITE ? CURL_CSELECT_OUT : 0),
				 &running);
	calls_finish(client);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct peer_client *client = arg;
	int running;

	(void)fd;
	(void)what;
	curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	calls_finish(client);
}

static int on_timer_wanted(CURLM *multi, long ms, void *arg)
{
	struct peer_client *client = arg;
	struct timeval in = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	(void)multi;
	if (ms < 0)
		event_del(client->timer);
	else
		event_add(client->timer, &in);
	return 0;
}

static void watch_free(struct socket_watch *watch)
{
	event_free(watch->event);
	LIST_REMOVE(watch, entry);
	free(watch);
}

static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct peer_client *client = arg;
	struct socket_watch *watch = known;
	short events = (short)(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) |
			       (what & CURL_POLL_OUT ? EV_WRITE : 0));

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watch)
			watch_free(watch);
		curl_multi_assign(client->multi, fd, NULL);
		return 0;
	}
	if (!watch) {
		watch = xcalloc(1, sizeof(*watch));
		watch->client = client;
		watch->event = event_new(client->base, fd, events, on_ready, watch);
		LIST_INSERT_HEAD(&client->watches, watch, entry);
		curl_multi_assign(client->multi, fd, watch);
	} else {
		event_del(watch->event);
		event_assign(watch->event, client->base, fd, events, on_ready, watch);
	}
	event_add(watch->event, NULL);
	return 0;
}

int peer_client_new(struct event_base *base, const char *ca_file, long connections, long per_peer,
		    struct peer_client **ret, struct err *err)
{
	struct peer_client *client = xcalloc(1, sizeof(*client));

	client->base = base;
	client->ca_file = ca_file[0] ? xstrdup(ca_file) : NULL;
	client->multi = curl_multi_init();
	client->timer = event_new(base, -1, 0, on_timer, client);
	if (!client->multi || !client->timer) {
		peer_client_free(client);
		return err_set(err, ERR_IO, "cannot create a client for other daemons");
	}
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
	curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS, per_peer);
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, connections);
	*ret = client;
	return 0;
}

void peer_client_free(struct peer_client *client)
{
	if (!client)
		return;
	while (!LIST_EMPTY(&client->calls))
		call_free(LIST_FIRST(&client->calls));
	if (client->multi)
		curl_multi_cleanup(client->multi);
	while (!LIST_EMPTY(&client->watches))
		watch_free(LIST_FIRST(&client->watches));
	if (client->timer)
		event_free(client->timer);
	free(client->ca_file);
	free(client);
}
