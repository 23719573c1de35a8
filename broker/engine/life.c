/* SPDX-License-Identifier: MIT */
#include "engine/life.h"

#include "util/bug.h"

static int step_claim(void *arg, struct step *step, struct lease_claim *claim)
{
	struct engine_life *life = arg;
	struct pending_claim pending = { .life = life, .step = step, .claim = claim };

	inbox_ask(life->inbox, &pending);
	return claim->result;
}

static void step_barrier(void *arg, struct step *step)
{
	struct engine_life *life = arg;
	struct pending_claim pending = { .life = life, .step = step };

	inbox_ask(life->inbox, &pending);
}

static void start_step(void *arg, struct step *step)
{
	struct engine_life *life = arg;

	step->claim = step_claim;
	step->barrier = step_barrier;
	step->claim_arg = life;
	for (size_t i = 0; i < life->account_count; i++) {
		if (life->accounts[i] == step->account) {
			workers_submit(life->workers[i], step);
			return;
		}
	}
	/* Every step belongs to a configured account. */
	BUG_ON(1);
}

int life_begin(struct engine_life *life, const struct engine_config *config, struct err *err)
{
	struct core_hooks hooks = { .start = start_step, .arg = life };

	return core_new(config, &hooks, &life->core, err);
}

void life_fini(struct engine_life *life)
{
	core_free(life->core);
	life->core = NULL;
}
