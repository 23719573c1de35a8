/* SPDX-License-Identifier: MIT */
#include "daemon/peers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "util/text.h"

struct peer {
	struct store_daemon row;
	int64_t changed_ms; /* when the row was first read as it is, monotonic clock */
	int was_heard;	    /* its row has changed since this daemon looks */
};

struct owned {
	struct shard row;
	int64_t read_ms; /* monotonic clock */
	int64_t takeovers;
	int64_t most_seq; /* that was read since the last loss */
	int64_t lost_seq; /* read before it, and still to be reported; 0: none */
	int64_t lost_own; /* the seq of a commit, not read, that this reading misses; 0: none */
};

/* The newest commit in an account that this daemon has made, or was told of by the owner. */
struct committed {
	char account[32];
	int64_t seq;	  /* 0: none, or its loss was found */
	int64_t at;	  /* shards_failed_over_at the row then */
	int64_t known_ms; /* monotonic clock: what is read later must show it */
};

struct view {
	struct peer *peers;
	size_t peer_count;
	struct owned *owned;
	size_t owned_count;
	int64_t clock_ahead_ms; /* the database's, of our monotonic one */
	int has_clock;
};

struct peers {
	char self[STORE_DAEMON_ID_SIZE];
	pthread_mutex_t lock; /* guards `view` and `committed` */
	struct view view;
	struct committed *committed;
	size_t committed_count;
	struct view next; /* of the reading under way; the reading thread's */
	int64_t begun_ms;
};

static void view_fini(struct view *view)
{
	free(view->peers);
	free(view->owned);
	memset(view, 0, sizeof(*view));
}

struct peers *peers_new(const char *self)
{
	struct peers *peers = xcalloc(1, sizeof(*peers));

	TEXT_SET(peers->self, self);
	pthread_mutex_init(&peers->lock, NULL);
	return peers;
}

void peers_free(struct peers *peers)
{
	if (!peers)
		return;
	view_fini(&peers->view);
	view_fini(&peers->next);
	free(peers->committed);
	pthread_mutex_destroy(&peers->lock);
	free(peers);
}

/* ---- reading ----------------------------------------------------------------------------------- */

static struct peer *peer_find(const struct view *view, const char *id)
{
	for (size_t i = 0; i < view->peer_count; i++) {
		if (!strcmp(view->peers[i].row.id, id))
			return &view->peers[i];
	}
	return NULL;
}

static struct owned *owned_find(const struct view *view, const char *account)
{
	for (size_t i = 0; i < view->owned_count; i++) {
		if (!strcmp(view->owned[i].row.account, account))
			return &view->owned[i];
	}
	return NULL;
}

void peers_begin(struct peers *peers, int64_t now_ms)
{
	view_fini(&peers->next);
	peers->begun_ms = now_ms;
}

/* Only the reading thread changes the view, so it needs no lock to look at it. */
void peers_saw_daemon(struct peers *peers, const struct store_daemon *row)
{
	struct view *next = &peers->next;
	const struct peer *before = peer_find(&peers->view, row->id);
	struct peer *peer;

	next->peers = xrealloc(next->peers, (next->peer_count + 1) * sizeof(*next->peers));
	peer = &next->peers[next->peer_count++];
	peer->row = *row;
	peer->changed_ms = before && before->row.seen_ms == row->seen_ms ? before->changed_ms :
									   peers->begun_ms;
	peer->was_heard = before && (before->was_heard || before->row.seen_ms != row->seen_ms);
}

/* The caller holds the lock. NULL: there is none. */
static struct committed *committed_find(const struct peers *peers, const char *account)
{
	for (size_t i = 0; i < peers->committed_count; i++) {
		if (!strcmp(peers->committed[i].account, account))
			return &peers->committed[i];
	}
	return NULL;
}

/* The caller holds the lock. */
static struct committed *committed_get(struct peers *peers, const char *account)
{
	struct committed *c = committed_find(peers, account);

	if (c)
		return c;
	peers->committed = xrealloc(peers->committed,
				    (peers->committed_count + 1) * sizeof(*peers->committed));
	c = &peers->committed[peers->committed_count++];
	*c = (struct committed){ .seq = 0 };
	TEXT_SET(c->account, account);
	return c;
}

static void committed_set(struct committed *c, int64_t seq, int64_t at, int64_t now_ms)
{
	c->seq = seq;
	c->at = at;
	c->known_ms = now_ms;
}

void peers_committed(struct peers *peers, const struct shard *row, int64_t now_ms)
{
	pthread_mutex_lock(&peers->lock);
	committed_set(committed_get(peers, row->account), row->seq, shards_failed_over_at(row),
		      now_ms);
	pthread_mutex_unlock(&peers->lock);
}

void peers_heard(struct peers *peers, const char *account, int64_t seq, int64_t at, int64_t now_ms)
{
	struct committed *c;

	pthread_mutex_lock(&peers->lock);
	c = committed_get(peers, account);
	if (seq > c->seq)
		committed_set(c, seq, at, now_ms);
	pthread_mutex_unlock(&peers->lock);
}

int64_t peers_newest(struct peers *peers, const char *account, int64_t *ret_at)
{
	const struct committed *c;
	int64_t seq;

	pthread_mutex_lock(&peers->lock);
	c = committed_find(peers, account);
	seq = c ? c->seq : 0;
	*ret_at = c ? c->at : -1;
	pthread_mutex_unlock(&peers->lock);
	return seq;
}

/*
 * Was there a higher seq before than the row has, or than it had at the fail-over that it names? It
 * may no longer name one, or not yet. `at_then`: which one it named before.
 */
static int is_lost(int64_t seq, int64_t at_then, const struct shard *row)
{
	int64_t at = shards_failed_over_at(row);

	return seq > row->seq || (at >= 0 && seq > at && at != at_then);
}

/* What was committed as far as this daemon knows, and the row does not show; 0: it does, or is too old to. */
static int64_t own_lost(struct peers *peers, const struct shard *row)
{
	const struct committed *c;
	int64_t seq = 0;

	pthread_mutex_lock(&peers->lock);
	c = committed_find(peers, row->account);
	if (c && c->known_ms < peers->begun_ms && is_lost(c->seq, c->at, row))
		seq = c->seq;
	pthread_mutex_unlock(&peers->lock);
	return seq;
}

/* A loss that somebody has found is not reported again. */
static void compare_seq(struct peers *peers, struct owned *owned, const struct owned *before)
{
	const struct shard *row = &owned->row;

	owned->most_seq = row->seq;
	owned->lost_seq = before ? before->lost_seq : 0;
	if (before && is_lost(before->most_seq, shards_failed_over_at(&before->row), row))
		owned->lost_seq = before->most_seq;
	owned->lost_own = own_lost(peers, row);
	if (owned->lost_own > owned->lost_seq)
		owned->lost_seq = owned->lost_own;
	if (row->frozen[0] && shards_failed_over_at(row) < 0)
		owned->lost_seq = 0;
}

int64_t peers_lost(struct peers *peers, size_t *at, const char **ret_account)
{
	while (*at < peers->view.owned_count) {
		const struct owned *owned = &peers->view.owned[(*at)++];

		*ret_account = owned->row.account;
		if (owned->lost_seq)
			return owned->lost_seq;
	}
	return 0;
}

void peers_told(struct peers *peers, const char *account)
{
	struct owned *owned = owned_find(&peers->view, account);

	pthread_mutex_lock(&peers->lock);
	if (owned)
		owned->lost_seq = 0;
	pthread_mutex_unlock(&peers->lock);
}

void peers_saw_shard(struct peers *peers, const struct shard *row)
{
	struct view *next = &peers->next;
	const struct owned *before = owned_find(&peers->view, row->account);
	struct owned *owned;

	next->owned = xrealloc(next->owned, (next->owned_count + 1) * sizeof(*next->owned));
	owned = &next->owned[next->owned_count++];
	owned->row = *row;
	/* Not when the answer came, so that no ownership seems to last longer than it does. */
	owned->read_ms = peers->begun_ms;
	owned->takeovers = before ? before->takeovers : 0;
	compare_seq(peers, owned, before);
	if (before && before->row.epoch != row->epoch)
		owned->takeovers++;
}

void peers_saw_clock(struct peers *peers, int64_t db_ms, int64_t mono_ms)
{
	peers->next.clock_ahead_ms = db_ms - mono_ms;
	peers->next.has_clock = 1;
}

/* It is lost once. The caller holds the lock. */
static void own_losses_drop(struct peers *peers)
{
	for (size_t i = 0; i < peers->next.owned_count; i++) {
		const struct owned *owned = &peers->next.owned[i];
		struct committed *c = committed_find(peers, owned->row.account);

		if (c && owned->lost_own && c->seq == owned->lost_own)
			c->seq = 0;
	}
}

void peers_end(struct peers *peers)
{
	struct view old;

	pthread_mutex_lock(&peers->lock);
	own_losses_drop(peers);
	old = peers->view;
	peers->view = peers->next;
	pthread_mutex_unlock(&peers->lock);
	memset(&peers->next, 0, sizeof(peers->next));
	view_fini(&old);
}

int peers_forgotten(struct peers *peers, int64_t now_ms, struct store_daemon *ret)
{
	for (size_t i = 0; i < peers->view.peer_count; i++) {
		const struct peer *peer = &peers->view.peers[i];

		if (now_ms - peer->changed_ms < PEERS_FORGOTTEN_MS ||
		    !strcmp(peer->row.id, peers->self))
			continue;
		*ret = peer->row;
		return 0;
	}
	return -1;
}

int peers_namesake(struct peers *peers, int64_t now_ms, struct store_daemon *ret)
{
	const struct peer *self = peer_find(&peers->view, peers->self);

	for (size_t i = 0; self && i < peers->view.peer_count; i++) {
		const struct peer *peer = &peers->view.peers[i];

		/* A predecessor that crashed has left its row, which nobody changes. */
		if (peer == self || !peer->was_heard ||
		    strcmp(peer->row.address, self->row.address) ||
		    now_ms - peer->changed_ms >= PEERS_SILENT_MS)
			continue;
		*ret = peer->row;
		return 0;
	}
	return -1;
}

/* ---- looking ----------------------------------------------------------------------------------- */

static int is_self(const struct peers *peers, const struct peer *peer)
{
	return !strcmp(peer->row.id, peers->self);
}

static int is_alive(const struct peers *peers, const struct peer *peer, int64_t now_ms)
{
	return is_self(peers, peer) || now_ms - peer->changed_ms < PEERS_SILENT_MS;
}

/* As far as this daemon knows; the owner's time has continued since the row was read. */
static int is_owned(const struct owned *owned, int64_t now_ms)
{
	return owned->row.owner[0] &&
	       owned->row.now_ms + (now_ms - owned->read_ms) < owned->row.expires_ms;
}

/*
 * The daemon that a claim names: by its id, which is exact, or by its address. Of two with the same
 * address one was the other's predecessor.
 */
static const struct peer *owner_find(const struct view *view, const struct owned *owned)
{
	const struct peer *found = peer_find(view, owned->row.address);

	for (size_t i = 0; i < view->peer_count && !found; i++) {
		const struct peer *peer = &view->peers[i];

		if (owned->row.address[0] && !strcmp(peer->row.address, owned->row.address) &&
		    peer->row.started_ms <= owned->row.since_ms)
			found = peer;
	}
	return found;
}

void peers_route(struct peers *peers, const char *account, int is_ours, int64_t now_ms,
		 struct relay_route *ret)
{
	const struct owned *owned;
	const struct peer *owner;

	memset(ret, 0, sizeof(*ret));
	if (is_ours > 0) {
		ret->place = RELAY_SELF;
		return;
	}
	pthread_mutex_lock(&peers->lock);
	owned = owned_find(&peers->view, account);
	owner = owned && is_owned(owned, now_ms) ? owner_find(&peers->view, owned) : NULL;
	if (owner && is_self(peers, owner)) {
		ret->place = is_ours < 0 ? RELAY_SELF : RELAY_UNKNOWN;
	} else if (owner && owner->row.address[0]) {
		ret->place = RELAY_OTHER;
		TEXT_SET(ret->daemon, owner->row.id);
		TEXT_SET(ret->address, owner->row.address);
	}
	pthread_mutex_unlock(&peers->lock);
}

size_t peers_living(struct peers *peers, int64_t now_ms, char (*ids)[STORE_DAEMON_ID_SIZE],
		    size_t max)
{
	size_t count = 0;
	int has_self = 0;

	pthread_mutex_lock(&peers->lock);
	for (size_t i = 0; i < peers->view.peer_count && count < max; i++) {
		const struct peer *peer = &peers->view.peers[i];

		if (!is_alive(peers, peer, now_ms))
			continue;
		has_self |= is_self(peers, peer);
		TEXT_SET(ids[count], peer->row.id);
		count++;
	}
	pthread_mutex_unlock(&peers->lock);
	if (!has_self && count < max) {
		TEXT_SET(ids[count], peers->self);
		count++;
	}
	return count;
}

int64_t peers_clock(struct peers *peers, int64_t now_ms)
{
	int64_t ret;

	pthread_mutex_lock(&peers->lock);
	ret = peers->view.has_clock ? now_ms + peers->view.clock_ahead_ms : 0;
	pthread_mutex_unlock(&peers->lock);
	return ret;
}

int64_t peers_seq(struct peers *peers, const char *account)
{
	const struct owned *owned;
	int64_t seq;

	pthread_mutex_lock(&peers->lock);
	owned = owned_find(&peers->view, account);
	seq = owned ? owned->most_seq : 0;
	if (owned && owned->lost_seq > seq)
		seq = owned->lost_seq;
	pthread_mutex_unlock(&peers->lock);
	return seq;
}

void peers_each_daemon(struct peers *peers, int64_t now_ms, daemons_fn fn, void *arg)
{
	pthread_mutex_lock(&peers->lock);
	for (size_t i = 0; i < peers->view.peer_count; i++) {
		const struct peer *peer = &peers->view.peers[i];
		struct daemon_view view = {
			.id = peer->row.id,
			.address = peer->row.address,
			.version = peer->row.version,
			.schema = peer->row.schema,
			.started_ms = peer->row.started_ms,
			.seen_ms = peer->row.seen_ms,
			.is_self = is_self(peers, peer),
			.is_alive = is_alive(peers, peer, now_ms),
		};

		fn(arg, &view);
	}
	pthread_mutex_unlock(&peers->lock);
}

void peers_each_account(struct peers *peers, int64_t now_ms, daemons_account_fn fn, void *arg)
{
	pthread_mutex_lock(&peers->lock);
	for (size_t i = 0; i < peers->view.owned_count; i++) {
		const struct owned *owned = &peers->view.owned[i];
		const struct peer *owner = is_owned(owned, now_ms) ?
						   owner_find(&peers->view, owned) :
						   NULL;
		struct owned_view view = {
			.account = owned->row.account,
			.daemon = owner ? owner->row.id : "",
			.address = owner ? owner->row.address : "",
			.since_ms = owned->row.since_ms,
			.epoch = owned->row.epoch,
			.frozen = owned->row.frozen,
			.takeovers = owned->takeovers,
			.is_fenced = owned->row.standing.is_fenced,
			.blocked_class = owned->row.standing.blocked_class,
			.why = owned->row.standing.why,
			.verified_ms = owned->row.standing.verified_ms,
		};

		fn(arg, &view);
	}
	pthread_mutex_unlock(&peers->lock);
}
