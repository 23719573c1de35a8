/* SPDX-License-Identifier: MIT */
#include "http/admission.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "http/internal.h"
#include "util/alloc.h"

#define BUCKETS 8192
/* Answers that were asked for and did not come in this time: asks again. */
#define ASK_AGAIN_MS 5000

struct client_group {
	LIST_ENTRY(client_group) bucket_link;
	TAILQ_ENTRY(client_group) level_link; /* if evictable > 0 */
	enum http_client_kind class;
	uint64_t key;
	uint32_t open;
	uint32_t evictable;
	struct connection_list half_read; /* oldest first */
	struct connection_list idle;	  /* least recently used first */
	size_t unread;			  /* bytes of answers that wait to be read */
};

int admission_init(struct admission *admission, uint32_t max)
{
	/* For small limits, too, something is left for everybody. */
	admission->max = max;
	admission->unix_kept = max / 32 < 64 ? max / 32 + 1 : 64;
	admission->known_kept = max / 4;
	admission->new_kept = max / 8;
	TAILQ_INIT(&admission->unread_list);
	admission->buckets = xcalloc(BUCKETS, sizeof(*admission->buckets));
	admission->classes = xcalloc(HTTP_CLIENT_COUNT, sizeof(*admission->classes));
	for (int i = 0; i < HTTP_CLIENT_COUNT; i++) {
		/* Large, and touched only as far as it is used. */
		admission->classes[i].levels = calloc((size_t)max + 2, sizeof(struct group_list));
		if (!admission->classes[i].levels)
			return -1;
	}
	return 0;
}

void admission_fini(struct admission *admission)
{
	for (int i = 0; admission->classes && i < HTTP_CLIENT_COUNT; i++)
		free(admission->classes[i].levels);
	free(admission->classes);
	free(admission->buckets);
}

/* ---- groups --------------------------------------------------------------------------- */

static struct group_bucket *bucket_of(const struct admission *admission,
				      enum http_client_kind class, uint64_t key)
{
	/* Seeded, so that nobody can aim at a bucket. */
	uint64_t hash = (key ^ admission->seed) * 0x9e3779b97f4a7c15u + class;

	hash = (hash ^ hash >> 29) * 0xbf58476d1ce4e5b9u;
	return &admission->buckets[(hash >> 32) % BUCKETS];
}

static struct client_group *group_find(const struct admission *admission,
				       enum http_client_kind class, uint64_t key)
{
	struct client_group *group;

	LIST_FOREACH(group, bucket_of(admission, class, key), bucket_link) {
		if (group->key == key && group->class == class)
			return group;
	}
	return NULL;
}

static struct client_group *group_join(struct admission *admission, enum http_client_kind class,
				       uint64_t key)
{
	struct client_group *group = group_find(admission, class, key);

	if (!group) {
		group = xcalloc(1, sizeof(*group));
		group->class = class;
		group->key = key;
		TAILQ_INIT(&group->half_read);
		TAILQ_INIT(&group->idle);
		LIST_INSERT_HEAD(bucket_of(admission, class, key), group, bucket_link);
		admission->classes[class].groups++;
	}
	group->open++;
	admission->classes[class].open++;
	return group;
}

static void group_part(struct admission *admission, struct client_group *group)
{
	admission->classes[group->class].open--;
	if (--group->open)
		return;
	LIST_REMOVE(group, bucket_link);
	admission->classes[group->class].groups--;
	free(group);
}

/* Moves the group up or down by one level. Groups of equal size are evicted in turn. */
static void group_count(struct admission *admission, struct client_group *group, int change)
{
	struct client_class *class = &admission->classes[group->class];

	if (group->evictable)
		TAILQ_REMOVE(&class->levels[group->evictable], group, level_link);
	if (change > 0)
		group->evictable++;
	else
		group->evictable--;
	for (; class->ready < group->evictable; class->ready++)
		TAILQ_INIT(&class->levels[class->ready + 1]);
	if (group->evictable)
		TAILQ_INSERT_TAIL(&class->levels[group->evictable], group, level_link);
	if (group->evictable > class->top)
		class->top = group->evictable;
	else if (class->top && TAILQ_EMPTY(&class->levels[class->top]))
		class->top--;
}

/* ---- places --------------------------------------------------------------------------- */

static struct connection_list *place_list(const struct http_connection *conn)
{
	struct client_group *group = conn->group;

	return conn->place == PLACE_IDLE ? &group->idle : &group->half_read;
}

static void place_take(struct http_connection *conn, enum connection_place place)
{
	struct admission *admission = &conn->server->admission;
	int change = (place != PLACE_BUSY) - (conn->place != PLACE_BUSY);

	if (conn->place != PLACE_BUSY)
		TAILQ_REMOVE(place_list(conn), conn, place_link);
	conn->place = place;
	conn->placed_at = conn->server->now;
	if (place != PLACE_BUSY)
		TAILQ_INSERT_TAIL(place_list(conn), conn, place_link);
	if (change)
		group_count(admission, conn->group, change);
}

/* ---- answers that are not read -------------------------------------------------------- */

static size_t unread_now(const struct http_connection *conn)
{
	const struct http_exchange *ex;
	size_t bytes = evbuffer_get_length(conn->output);

	TAILQ_FOREACH(ex, &conn->queue, link)
		bytes += ex->held ? evbuffer_get_length(ex->held) : 0;
	return bytes;
}

static void unread_set(struct http_connection *conn, size_t bytes)
{
	struct admission *a = &conn->server->admission;

	if (!conn->unread && bytes)
		TAILQ_INSERT_TAIL(&a->unread_list, conn, unread_link);
	else if (conn->unread && !bytes)
		TAILQ_REMOVE(&a->unread_list, conn, unread_link);
	a->unread += bytes - conn->unread;
	conn->group->unread += bytes - conn->unread;
	conn->unread = bytes;
	if (a->unread > conn->server->config.unread_max)
		event_active(conn->server->wake_event, EV_TIMEOUT, 0);
}

/* Closes the connection that has read least lately, of the group with the most unread bytes. */
static void unread_shed(struct http_server *server)
{
	struct admission *a = &server->admission;
	struct http_connection *conn, *worst;

	while (a->unread > server->config.unread_max) {
		worst = TAILQ_FIRST(&a->unread_list);
		TAILQ_FOREACH(conn, &a->unread_list, unread_link) {
			if (conn->group->unread > worst->group->unread)
				worst = conn;
		}
		server->counters.evicted_unread[worst->group->class]++;
		worst->is_broken = 1;
		connection_destroy(worst);
	}
}

/* ---- connections ----------------------------------------------------------------------- */

void admission_enter(struct http_connection *conn, uint64_t key)
{
	conn->group = group_join(&conn->server->admission,
				 conn->peer.is_unix ? HTTP_CLIENT_UNIX : HTTP_CLIENT_UNKNOWN, key);
	conn->server->counters.connections_by[conn->group->class]++;
	conn->place = PLACE_BUSY;
	place_take(conn, PLACE_HALF_READ);
}

void admission_leave(struct http_connection *conn)
{
	struct admission *admission = &conn->server->admission;

	unread_set(conn, 0);
	place_take(conn, PLACE_BUSY);
	conn->server->counters.connections_by[conn->group->class]--;
	group_part(admission, conn->group);
	conn->group = NULL;
	if (admission->asked)
		admission->asked--;
	admission->asked_at = conn->server->now;
}

/* Is there no place for one more of this owner, who has more than the others? */
static int owner_exceeds_share(const struct admission *a, uint64_t owner)
{
	const struct client_class *known = &a->classes[HTTP_CLIENT_KNOWN];
	uint32_t most = a->max - a->unix_kept - a->new_kept;
	const struct client_group *group;

	if (known->open < most + a->new_kept / 2)
		return 0;
	group = group_find(a, HTTP_CLIENT_KNOWN, owner);
	return group && group->open > most / known->groups;
}

int admission_trust(struct http_connection *conn, uint64_t owner)
{
	struct admission *admission = &conn->server->admission;
	struct client_group *old = conn->group;

	/* A proxy's connection carries the requests of many: the first owner counts. */
	if (old->class != HTTP_CLIENT_UNKNOWN)
		return 0;
	if (owner_exceeds_share(admission, owner)) {
		conn->server->counters.refused_share++;
		return -1;
	}
	place_take(conn, PLACE_BUSY);
	conn->group = group_join(admission, HTTP_CLIENT_KNOWN, owner);
	conn->group->unread += conn->unread;
	old->unread -= conn->unread;
	group_part(admission, old);
	conn->server->counters.connections_by[HTTP_CLIENT_UNKNOWN]--;
	conn->server->counters.connections_by[HTTP_CLIENT_KNOWN]++;
	/* not now: this is called in the middle of a request */
	if (admission->classes[HTTP_CLIENT_KNOWN].open + admission->new_kept + admission->unix_kept >
	    admission->max)
		event_active(conn->server->wake_event, EV_TIMEOUT, 0);
	return 0;
}

/* Does a handler work for it? Not while an answer waits for the client to read. */
static int has_open_request(const struct http_connection *conn)
{
	const struct http_exchange *ex;

	TAILQ_FOREACH(ex, &conn->queue, link) {
		if (ex->state == EXCHANGE_OPEN && !(ex->is_streaming && conn->unread))
			return 1;
	}
	return 0;
}

static enum connection_place place_now(const struct http_connection *conn)
{
	if (conn->phase == PHASE_SOCKET || has_open_request(conn))
		return PLACE_BUSY;
	return conn->phase == PHASE_IDLE ? PLACE_IDLE : PLACE_HALF_READ;
}

void admission_update(struct http_connection *conn)
{
	enum connection_place place;

	if (conn->unread || conn->queue_len || evbuffer_get_length(conn->output))
		unread_set(conn, unread_now(conn));
	place = place_now(conn);
	if (place != conn->place || (place == PLACE_IDLE && conn->is_used))
		place_take(conn, place);
	conn->is_used = 0;
}

/* ---- eviction ------------------------------------------------------------------------- */

/* A client that has sent part of a request is told, if that takes no waiting. */
static void evict_answer(struct http_connection *conn)
{
	static const char busy[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
				   "Content-Length: 0\r\nRetry-After: 1\r\n\r\n";

	if (!conn->is_tls && conn->reading && http_parser_is_started(&conn->parser) &&
	    !conn->queue_len && !evbuffer_get_length(conn->output))
		(void)!send(conn->transport.fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL);
}

static int is_older(const struct http_connection *conn, uint32_t ms)
{
	return conn && conn->server->now - conn->placed_at >= ms;
}

/*
 * Half-read first; but a known client's request is probably on its way, and so is its next one on
 * a connection that has just become idle.
 */
static struct http_connection *group_victim(const struct client_group *group, uint32_t spare_ms)
{
	struct http_connection *half_read = TAILQ_FIRST(&group->half_read);
	struct http_connection *idle = TAILQ_FIRST(&group->idle);

	if (group->class == HTTP_CLIENT_UNKNOWN)
		return half_read ? half_read : idle;
	if (is_older(idle, spare_ms))
		return idle;
	return is_older(half_read, spare_ms) ? half_read : NULL;
}

/* Evicts one of the group with most. Returns 0 if there is none. */
static int evict_one(struct http_server *server, enum http_client_kind class)
{
	struct client_class *c = &server->admission.classes[class];
	struct http_connection *conn;

	if (!c->top)
		return 0;
	server_now(server);
	conn = group_victim(TAILQ_FIRST(&c->levels[c->top]), server->config.spare_idle_ms);
	if (!conn)
		return 0;
	if (conn->place == PLACE_IDLE)
		server->counters.evicted_idle[class]++;
	else
		server->counters.evicted_half_read[class]++;
	evict_answer(conn);
	connection_destroy(conn);
	server_log(server, LOG_EVICTED, "every place is taken; see lessor_http_evicted_total");
	return 1;
}

static uint32_t open_by(const struct admission *a, enum http_client_kind class)
{
	return a->classes[class].open;
}

int admission_has_place(const struct http_server *server, int is_unix)
{
	const struct admission *a = &server->admission;
	uint32_t unknown = open_by(a, HTTP_CLIENT_UNKNOWN);
	uint32_t tcp = unknown + open_by(a, HTTP_CLIENT_KNOWN);

	if (tcp + open_by(a, HTTP_CLIENT_UNIX) >= a->max)
		return 0;
	return is_unix ||
	       (tcp + a->unix_kept < a->max && unknown + a->unix_kept + a->known_kept < a->max);
}

int admission_admit(struct http_server *server, int is_unix)
{
	const struct admission *a = &server->admission;
	uint32_t unix_share = is_unix ? 0 : a->unix_kept;

	if (admission_has_place(server, is_unix))
		return 1;
	/* A few places stay for new clients, which have had no time to show a token. */
	if (open_by(a, HTTP_CLIENT_UNKNOWN) > a->new_kept && evict_one(server, HTTP_CLIENT_UNKNOWN))
		return 1;
	if (evict_one(server, HTTP_CLIENT_KNOWN))
		return 1;
	if (open_by(a, HTTP_CLIENT_UNIX) > unix_share && evict_one(server, HTTP_CLIENT_UNIX))
		return 1;
	return evict_one(server, HTTP_CLIENT_UNKNOWN);
}

void admission_shed(struct http_server *server, unsigned count)
{
	while (count && evict_one(server, HTTP_CLIENT_UNKNOWN))
		count--;
}

void admission_ask(struct http_server *server, unsigned count)
{
	struct admission *a = &server->admission;

	if (count <= a->asked || !server->callbacks.on_crowded)
		return;
	server->callbacks.on_crowded(count - a->asked, server->user);
	a->asked = count;
	a->asked_at = server->now;
}

void admission_tick(struct http_server *server)
{
	/* What was asked for may not have been there. */
	if (server->now - server->admission.asked_at >= ASK_AGAIN_MS)
		server->admission.asked = 0;
	/* Clients are waiting, and an idle connection may be old enough to close now. */
	if (server->accept_paused & ACCEPT_PAUSED_TCP)
		admission_admit(server, 0);
	if (server->accept_paused & ACCEPT_PAUSED_UNIX)
		admission_admit(server, 1);
	admission_settle(server);
}

void admission_settle(struct http_server *server)
{
	struct admission *a = &server->admission;
	uint32_t most = a->max - a->unix_kept - a->new_kept;
	uint32_t open;

	unread_shed(server);
	while ((open = a->classes[HTTP_CLIENT_KNOWN].open) > most) {
		if (evict_one(server, HTTP_CLIENT_KNOWN))
			continue;
		admission_ask(server, open - most);
		return;
	}
}
