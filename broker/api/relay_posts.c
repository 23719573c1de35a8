/* SPDX-License-Identifier: MIT */
#include "api/relay_posts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "api/peer.h"
#include "util/alloc.h"
#include "util/text.h"

struct posted {
	struct relay_posts *posts;
	struct peer_call *call;
	char account[32], daemon[FORWARDED_ID_SIZE];
	int64_t since_ms;
	char *body;
	relay_post_fn done;
	void *arg;
	LIST_ENTRY(posted) entry;
};

struct relay_posts {
	const struct env *env;
	const struct relay_config *config;
	struct forwarded_sender *sender;
	struct peer_client *client;
	LIST_HEAD(, posted) list;
};

static void posted_free(struct posted *posted)
{
	LIST_REMOVE(posted, entry);
	free(posted->body);
	free(posted);
}

static void posted_cancel(struct posted *posted)
{
	peer_cancel(posted->call);
	posted->done(posted->arg, 0, "");
	posted_free(posted);
}

static void on_posted(const struct peer_answer *answer, void *arg)
{
	struct posted *posted = arg;

	posted->done(posted->arg, answer->status, buf_str(&answer->body));
	posted_free(posted);
}

int relay_posts_send(struct relay_posts *posts, const struct relay_post *post, relay_post_fn done,
		     void *arg)
{
	static const char type[] = "content-type: " FORWARDED_JSON;
	struct forwarded f = { .request_id = "-", .caller = *post->caller };
	struct forwarded_lines lines;
	const char *list[] = { lines.forwarded, lines.caller, lines.signature, type };
	struct peer_request out = { .target = post->target,
				    .method = HTTP_POST,
				    .lines = list,
				    .line_count = 4,
				    .body_len = strlen(post->body) };
	struct relay_route route;
	struct posted *posted;

	posts->config->find(posts->config->arg, post->account, &route);
	if (route.place != RELAY_OTHER)
		return route.place == RELAY_SELF ? 0 : -1;
	posted = xcalloc(1, sizeof(*posted));
	posted->posts = posts;
	posted->done = done;
	posted->arg = arg;
	out.body = posted->body = xstrdup(post->body);
	out.address = route.address;
	TEXT_SET(posted->account, post->account);
	TEXT_SET(posted->daemon, route.daemon);
	posted->since_ms = env_mono_ms(posts->env);
	forwarded_sign(posts->sender, &f, route.daemon, NULL,
		       &(struct forwarded_content){ out.target, out.body, out.body_len }, &lines);
	LIST_INSERT_HEAD(&posts->list, posted, entry);
	posted->call = peer_send(posts->client, &out, on_posted, posted);
	return 1;
}

void relay_posts_tick(struct relay_posts *posts)
{
	struct posted *posted, *next;
	struct relay_route route;
	int64_t now;

	if (!posts)
		return;
	now = env_mono_ms(posts->env);
	for (posted = LIST_FIRST(&posts->list); posted; posted = next) {
		next = LIST_NEXT(posted, entry);
		posts->config->find(posts->config->arg, posted->account, &route);
		if (relay_is_overtaken(&route, posted->daemon) ||
		    now - posted->since_ms >= posts->config->wait_ms)
			posted_cancel(posted);
	}
}

int relay_posts_is_empty(const struct relay_posts *posts)
{
	return !posts || LIST_EMPTY(&posts->list);
}

struct relay_posts *relay_posts_new(const struct env *env, const struct relay_config *config,
				    struct forwarded_sender *sender, struct peer_client *client)
{
	struct relay_posts *posts = xcalloc(1, sizeof(*posts));

	posts->env = env;
	posts->config = config;
	posts->sender = sender;
	posts->client = client;
	LIST_INIT(&posts->list);
	return posts;
}

void relay_posts_free(struct relay_posts *posts)
{
	if (!posts)
		return;
	while (!LIST_EMPTY(&posts->list))
		posted_cancel(LIST_FIRST(&posts->list));
	free(posts);
}
