/* SPDX-License-Identifier: MIT */
#include "api/standing.h"

#include <string.h>

#include "api/request.h"
#include "util/text.h"

struct frozen_wanted {
	const char *account;
	struct standing *to;
};

static void frozen_look(void *arg, const struct owned_view *view)
{
	const struct frozen_wanted *wanted = arg;

	if (strcmp(view->account, wanted->account) == 0)
		TEXT_SET(wanted->to->frozen, view->frozen);
}

/* A read that fails shows no fence: the owner, who fences, does not rely on it. */
static void recorded_read(const struct api *api, const char *account, struct account_figures *ret)
{
	struct generation generation;

	*ret = (struct account_figures){ .rate_remaining = -1 };
	if (store_generation_get(api->parts.reader, account, &generation, NULL))
		return;
	ret->fenced = generation.is_fenced;
	TEXT_SET(ret->fence, generation.why);
}

void standing_read(const struct api *api, const struct account *account, struct standing *ret)
{
	const struct daemons_source *source = &api->parts.daemons;
	const char *name = account->config.name;
	struct frozen_wanted wanted = { .account = name, .to = ret };

	memset(ret, 0, sizeof(*ret));
	relay_owner(api->relay, name, &ret->owner);
	if (ret->owner.place == RELAY_SELF)
		account_figures(account, &ret->figures);
	else
		recorded_read(api, name, &ret->figures);
	if (source->accounts)
		source->accounts(source->arg, frozen_look, &wanted);
}
