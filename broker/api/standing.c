/* SPDX-License-Identifier: MIT */
#include "api/standing.h"

#include <string.h>

#include "api/request.h"
#include "util/text.h"

struct told_wanted {
	const char *account;
	struct standing *to;
};

static void told_look(void *arg, const struct owned_view *view)
{
	const struct told_wanted *wanted = arg;
	struct account_figures *figures = &wanted->to->figures;

	if (strcmp(view->account, wanted->account) != 0)
		return;
	TEXT_SET(wanted->to->frozen, view->frozen);
	if (wanted->to->owner.place != RELAY_OTHER)
		return;
	figures->verified_ms = view->verified_ms;
	figures->fenced = view->is_fenced;
	figures->blocked = view->blocked_class != 0;
	figures->blocked_class = view->blocked_class;
	if (view->is_fenced)
		TEXT_SET(figures->fence, view->why);
	else
		TEXT_SET(figures->reason, view->why);
}

static void own_figures(const struct api *api, const struct account *account,
			struct account_figures *ret)
{
	account_figures(account, ret);
	/* It is by this machine's clock. */
	if (ret->verified_ms)
		ret->verified_ms += api_now_ms(api) - env_wall_ms(api->parts.env);
}

void standing_told(const struct api *api, const struct account *account, struct standing *ret)
{
	const struct daemons_source *source = &api->parts.daemons;
	const char *name = account->config.name;
	struct told_wanted wanted = { .account = name, .to = ret };

	memset(ret, 0, sizeof(*ret));
	relay_owner(api->relay, name, &ret->owner);
	if (ret->owner.place == RELAY_SELF)
		own_figures(api, account, &ret->figures);
	else
		ret->figures.rate_remaining = -1;
	if (source->accounts)
		source->accounts(source->arg, told_look, &wanted);
}

/* A read that fails shows no other fence: the owner, who fences, does not rely on it. */
void standing_read(const struct api *api, const struct account *account, struct standing *ret)
{
	const char *name = account->config.name;
	struct generation generation;

	standing_told(api, account, ret);
	if (store_generation_get(api->parts.reader, name, &generation, NULL))
		return;
	ret->generation = generation.pending > generation.current ? generation.pending :
								    generation.current;
	if (ret->owner.place == RELAY_SELF || !generation.is_fenced)
		return;
	ret->figures.fenced = 1;
	TEXT_SET(ret->figures.fence, generation.why);
}
