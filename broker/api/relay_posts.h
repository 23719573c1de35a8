/* SPDX-License-Identifier: MIT */
/* The POSTs of relay_post that are with other daemons. Loop thread. */
#pragma once

#include "api/relay.h"

struct peer_client;
struct relay_posts;

/* All are borrowed. */
struct relay_posts *relay_posts_new(const struct env *env, const struct relay_config *config,
				    struct forwarded_sender *sender, struct peer_client *client);
/* As relay_post. */
int relay_posts_send(struct relay_posts *posts, const struct relay_post *post, relay_post_fn done,
		     void *arg);
/* Ends those of which no answer is to be had. Often. NULL is allowed, here and below. */
void relay_posts_tick(struct relay_posts *posts);
int relay_posts_is_empty(const struct relay_posts *posts);
/* Ends all. */
void relay_posts_free(struct relay_posts *posts);
