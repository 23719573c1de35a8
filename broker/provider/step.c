/* SPDX-License-Identifier: MIT */
#include "provider/step.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "provider/account_state.h"
#include "provider/call.h"
#include "provider/evidence.h"
#include "util/alloc.h"
#include "util/hash.h"

/* One lock for all providers that want one call at a time: slow and safe. */
static pthread_mutex_t serial = PTHREAD_MUTEX_INITIALIZER;

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

static void observed_copy(struct lessor_observed *copy, const struct lessor_observed *seen);

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
	step->listed = call_grow(step->listed, step->listed_count, sizeof(*step->listed));
	observed_copy(&step->listed[step->listed_count++].seen, seen);
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

/* ---- running ---- */

static int operation_run(struct call *call)
{
	struct step *step = call->step;
	const struct lessor_provider *table = call->account->table;
	void *instance = call->account->instance;

	switch (step->op) {
	case STEP_PROVISION:
		return table->provision(instance, &call->base, call_lease(call));
	case STEP_CLEANUP:
		return table->cleanup(instance, &call->base, call_lease(call));
	case STEP_INSPECT:
		return table->inspect(instance, &call->base, call_lease(call));
	case STEP_PROBE:
		/* absent: assumed well */
		return table->probe ? table->probe(instance, &call->base, call_lease(call)) :
				      LESSOR_DONE;
	case STEP_CATALOG:
		return table->catalog ? table->catalog(instance, &call->base) : LESSOR_DONE;
	case STEP_LIST:
		return table->list(instance, &call->base, step->list_kind);
	case STEP_RELOAD:
		return table->reload ? table->reload(instance, &call->base) : LESSOR_DONE;
	case STEP_RETAIN:
		return table->retain ? table->retain(instance, &call->base, call_lease(call)) :
				       LESSOR_DONE;
	case STEP_OBSERVE:
		return table->observe ? table->observe(instance, &call->base, call->waiting,
						       step->waiting_count) : LESSOR_DONE;
	}
	return 0;
}

static int operation_run_in_turn(struct call *call)
{
	uint32_t concurrency = call->account->table->concurrency;
	pthread_mutex_t *lock = NULL;
	int verdict;

	/* what a plugin does not say, or what this host does not know, is the safe one */
	if (concurrency == LESSOR_PER_INSTANCE)
		lock = &call->account->state->serial;
	else if (concurrency != LESSOR_PARALLEL)
		lock = &serial;
	if (lock)
		pthread_mutex_lock(lock);
	verdict = operation_run(call);
	if (lock)
		pthread_mutex_unlock(lock);
	return verdict;
}

/* May this operation end so? */
static int verdict_is_allowed(enum step_op op, int verdict)
{
	static const unsigned allowed[] = {
		[STEP_PROVISION] = 1u << LESSOR_DONE | 1u << LESSOR_PENDING | 1u << LESSOR_RETRY |
				   1u << LESSOR_REFUSED,
		[STEP_CLEANUP] = 1u << LESSOR_GONE | 1u << LESSOR_PENDING | 1u << LESSOR_RETRY |
				 1u << LESSOR_REFUSED,
		[STEP_INSPECT] = 1u << LESSOR_DONE | 1u << LESSOR_GONE | 1u << LESSOR_RETRY |
				 1u << LESSOR_REFUSED,
		[STEP_PROBE] = 1u << LESSOR_DONE | 1u << LESSOR_PENDING | 1u << LESSOR_RETRY |
			       1u << LESSOR_REFUSED,
		[STEP_CATALOG] = 1u << LESSOR_DONE | 1u << LESSOR_RETRY | 1u << LESSOR_REFUSED,
		[STEP_LIST] = 1u << LESSOR_DONE | 1u << LESSOR_RETRY | 1u << LESSOR_REFUSED,
		[STEP_RELOAD] = 1u << LESSOR_DONE | 1u << LESSOR_RETRY | 1u << LESSOR_REFUSED,
		[STEP_RETAIN] = 1u << LESSOR_DONE | 1u << LESSOR_PENDING | 1u << LESSOR_RETRY |
				1u << LESSOR_REFUSED,
		[STEP_OBSERVE] = 1u << LESSOR_DONE | 1u << LESSOR_RETRY | 1u << LESSOR_REFUSED,
	};

	return verdict >= LESSOR_DONE && verdict <= LESSOR_GONE && (allowed[op] & 1u << verdict);
}

/* Ready is a server that the ledger holds and that this step has seen. */
static int ready_check(struct call *call)
{
	struct step *step = call->step;
	const struct resource *row = NULL;
	struct lessor_observed seen;

	if (!step->host[0])
		return call_violation(call, "provision is done but names no host to connect to");
	for (size_t i = 0; i < step->ledger.resource_count; i++) {
		const struct resource *r = &step->ledger.resources[i];

		if (r->kind == LESSOR_KIND_SERVER && r->ours && r->state == LESSOR_STATE_PRESENT &&
		    r->id[0] && strcmp(r->id, step->server_id) == 0)
			row = r;
	}
	/* A machine that was there before its lease may be told by the name that it has. */
	if (!row || (!call_is_own_io(call) && strcmp(row->name, step->server_name) != 0))
		return call_violation(call, "provision is done with the server '%s' (id '%s'), which the "
				      "ledger does not hold", step->server_name, step->server_id);
	if (call_is_own_io(call))
		return 0;
	if (!evidence_shown(call, LESSOR_KIND_SERVER, row->id, &seen))
		return call_violation(call, "provision is done and no answer of this step shows the "
				      "server %s", row->id);
	observed_copy(&step->shown, &seen);
	step->is_shown = 1;
	return 0;
}

static int verdict_check(struct call *call, int verdict)
{
	const struct step *step = call->step;

	if (!verdict_is_allowed(step->op, verdict))
		return call_violation(call, "%s ended with verdict %d", step_op_name(step->op),
				      verdict);
	if ((verdict == LESSOR_PENDING || verdict == LESSOR_RETRY || verdict == LESSOR_REFUSED) &&
	    call->said != verdict)
		return call_violation(call, "%s ended with verdict %d without saying why",
				      step_op_name(step->op), verdict);
	return step->op == STEP_PROVISION && verdict == LESSOR_DONE ? ready_check(call) : 0;
}

static void outputs_clear(struct step *step)
{
	step->host[0] = '\0';
	step->server_id[0] = '\0';
	step->server_name[0] = '\0';
	step->server_type[0] = '\0';
	step->location[0] = '\0';
	step->status[0] = '\0';
}

void call_conclude(struct call *call, int verdict)
{
	struct step *step = call->step;

	call_ledger_check(call);
	int allowed = verdict_check(call, verdict) == 0;

	step->answers = (int)call->request_count;
	step->error_class = LESSOR_CLASS_NONE;
	step->wait_ms = 0;
	step->reason[0] = '\0';
	step->cursor[0] = '\0';
	step->violation = call->violation[0] != '\0';
	if (!allowed) {
		step->verdict = LESSOR_RETRY;
		step->error_class = LESSOR_CLASS_BUG;
	} else {
		step->verdict = verdict;
		if (call->said == verdict) {
			step->error_class = call->said_class;
			step->wait_ms = call->said_wait_ms;
			memcpy(step->reason, call->said_reason, sizeof(step->reason));
			memcpy(step->cursor, call->said_cursor, sizeof(step->cursor));
		}
	}
	if (step->violation)
		memcpy(step->reason, call->violation, sizeof(step->reason));
	if (step->verdict != LESSOR_DONE)
		outputs_clear(step);
}

void step_run(struct step *step)
{
	struct call call;

	call_init(&call, step);
	if (step->op == STEP_OBSERVE)
		call_observe_begin(&call);
	call_conclude(&call, operation_run_in_turn(&call));
	if (step->op == STEP_OBSERVE)
		call_observe_end(&call);
	call_fini(&call);
}
