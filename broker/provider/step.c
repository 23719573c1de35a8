/* SPDX-License-Identifier: MIT */
#include "provider/step.h"

#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"
#include "util/hash.h"

const char *step_op_name(enum step_op op)
{
	static const char *const names[] = {
		[STEP_PROVISION] = "provision",
		[STEP_CLEANUP] = "cleanup",
		[STEP_INSPECT] = "inspect",
		[STEP_PROBE] = "probe",
		[STEP_CATALOG] = "catalog",
		[STEP_LIST] = "list",
		[STEP_RELOAD] = "reload",
		[STEP_RETAIN] = "retain",
		[STEP_OBSERVE] = "observe",
	};

	return (size_t)op < ARRAY_LEN(names) ? names[op] : "unknown";
}

int64_t step_now(const struct step *step)
{
	const struct env *env = step->account->env;

	return (step->is_by_mono ? env_mono_ms(env) : env_wall_ms(env)) + step->clock_by_ms;
}

struct step *step_new(enum step_op op, struct account *account)
{
	struct step *step = xcalloc(1, sizeof(*step));

	step->op = op;
	step->account = account;
	step->deadline_ms = INT64_MAX;
	atomic_init(&step->cancel, 0);
	return step;
}

static void observed_fini(struct lessor_observed *seen)
{
	struct lessor_label *labels = (struct lessor_label *)(void *)seen->labels;

	for (size_t i = 0; i < seen->label_count; i++) {
		free((char *)labels[i].key);
		free((char *)labels[i].value);
	}
	free(labels);
	free((char *)seen->id);
	free((char *)seen->name);
	free((char *)seen->status);
	free((char *)seen->type);
	free((char *)seen->address);
}

static void observed_copy(struct lessor_observed *copy, const struct lessor_observed *seen)
{
	struct lessor_label *labels = xcalloc(seen->label_count, sizeof(*labels));

	for (size_t i = 0; i < seen->label_count; i++) {
		labels[i].key = xstrdup(seen->labels[i].key ? seen->labels[i].key : "");
		labels[i].value = xstrdup(seen->labels[i].value ? seen->labels[i].value : "");
	}
	*copy = *seen;
	copy->size = sizeof(*copy);
	copy->id = xstrdup(seen->id);
	copy->name = xstrdup(seen->name ? seen->name : "");
	copy->status = xstrdup(seen->status ? seen->status : "");
	copy->type = xstrdup(seen->type ? seen->type : "");
	copy->address = xstrdup(seen->address ? seen->address : "");
	copy->labels = labels;
}

void step_free(struct step *step)
{
	if (!step)
		return;
	for (size_t i = 0; i < step->listed_count; i++)
		observed_fini(&step->listed[i].seen);
	free(step->listed);
	for (size_t i = 0; i < step->waiting_count; i++)
		step_free(step->waiting[i]);
	free(step->waiting);
	if (step->is_shown)
		observed_fini(&step->shown);
	free(step->prices);
	if (step->user_data)
		hash_wipe(step->user_data, step->user_data_len);
	free(step->user_data);
	ledger_fini(&step->ledger);
	free(step);
}

void step_add_listed(struct step *step, const struct lessor_observed *seen)
{
	step->listed = xgrow(step->listed, step->listed_count, sizeof(*step->listed));
	observed_copy(&step->listed[step->listed_count++].seen, seen);
}

void step_set_shown(struct step *step, const struct lessor_observed *seen)
{
	observed_copy(&step->shown, seen);
	step->is_shown = 1;
}
