/* SPDX-License-Identifier: MIT */
/* Makes steps and starts them. */
#include "engine/internal.h"

#include "util/text.h"

/* The longest provider call (a create may take a minute) and some reads. */
#define STEP_DEADLINE_MS 90000

struct step *core_step_new(const struct core *core, struct core_account *a, enum step_op op)
{
	struct step *step = step_new(op, a->account);

	step->is_by_mono = core->is_by_store;
	step->clock_by_ms = core->is_by_store ? core->now_by_mono_ms : 0;
	step->deadline_ms = core_now(core) + STEP_DEADLINE_MS;
	step->reads_sentinel = core->config.is_shared;
	TEXT_SET(step->instance, core->signer.instance);
	TEXT_SET(step->account_key, core->account_key);
	return step;
}

void core_step_start(struct core *core, struct core_account *a, struct step *step, int64_t n)
{
	in_flight_add(core, n, step);
	a->running++;
	STAILQ_INSERT_TAIL(&core->starts, step, queued);
}

struct step *core_step_begin(struct core *core, struct core_account *a, enum step_op op, int64_t n)
{
	struct step *step = core_step_new(core, a, op);

	core_step_start(core, a, step, n);
	return step;
}
