/* SPDX-License-Identifier: MIT */
#include "life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/test.h"
#include "driver/driver.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

int life_looks;

/* ---- life ---------------------------------------------------------------------------- */

static void begin_process(struct life *life)
{
	static int64_t processes;

	snprintf(life->gen.nonce, sizeof(life->gen.nonce), "%032llx",
		 (unsigned long long)++processes);
	life->gen.is_wanted = 1;
	life->gen.raised_ms = life->gen.found = 0;
	life->gen.found_holder[0] = '\0';
	life->is_verified = 0;
}

struct life *life_open(const char *const *options)
{
	struct life *life = xcalloc(1, sizeof(*life));
	struct account_config config = { .name = "acc",
					 .provider = "hetzner",
					 .max_steps = 4,
					 .location_count = 1,
					 .locations = { "nbg1" },
					 .image = "ubuntu-24.04",
					 .protect_retained = 1 };
	struct err err = { 0 };

	life->settle_ms = driver_plugin(HETZNER_SO)->visible_within_ms;
	begin_process(life);
	log_setup(2, LOG_HUMAN, getenv("DRIVER_TRACE") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	life_world(life);
	TEXT_SET(life->signer.instance, "test-broker");
	memset(life->signer.key, 7, sizeof(life->signer.key));
	config.token = xstrdup("t");
	driver_options(&config, options);
	if (account_new(&life->env, driver_plugin(HETZNER_SO), &config, &life->account, &err))
		fail_msg("%s", err.text);
	return life;
}

struct life *life_new(const char *const *options)
{
	struct life *life = life_open(options);

	assert_int_equal(life_account(life, STEP_PROBE, 0), LESSOR_DONE);
	life_reset_calls(life);
	return life;
}

void life_restart(struct life *life)
{
	struct lease_event event = { .kind = LEASE_EVENT_RESTART };

	life->crashed = 0;
	life_apply(life, &life->a, &event);
	life_apply(life, &life->own, &event);
	begin_process(life);
}

void life_free(struct life *life)
{
	if (life->violation[0])
		fail_msg("plugin contract violation: %s\n%s", life->violation, life->requests);
	account_free(life->account);
	cloud_free(life->cloud);
	ledger_fini(&life->book);
	ledger_fini(&life->mark);
	free(life->requests);
	free(life->prices);
	free(life);
}

void life_begin(struct life *life, const char *types, const char *locations)
{
	struct lease *l = &life->lease;
	struct lease_event event = { .kind = LEASE_EVENT_BEGIN, .u.boot_ms = 60 * 60 * 1000 };
	int64_t n = l->n + 1;

	ledger_fini(&life->book);
	*l = (struct lease){ .n = n, .ttl_ms = 4 * 3600000, .idle_ms = 4 * 3600000 };
	snprintf(l->id, sizeof(l->id), "cbx_%012llx", (unsigned long long)n);
	snprintf(l->slug, sizeof(l->slug), "violet-prawn-%lld", (long long)n);
	TEXT_SET(l->account, "acc");
	TEXT_SET(l->owner, "alice@example.com");
	TEXT_SET(l->architecture, "x86");
	TEXT_SET(l->image, "ubuntu-24.04");
	TEXT_SET(l->public_key, "ssh-ed25519 "
		 "AAAAC3NzaC1lZDI1NTE5AAAAIJ5vJ6hUJ7Xh0Q0l0m9s8wZ1m3T2f4v5x6y7z8A9B0CD client");
	l->type_count = driver_split(types, l->types, LEASE_TYPES_MAX);
	life->account->config.location_count =
		driver_split(locations, life->account->config.locations, ACCOUNT_LOCATIONS_MAX);
	life_apply(life, &life->a, &event);
}

static void take_results(struct life *life, struct step *step)
{
	life->verdict = step->verdict;
	life->error_class = step->error_class;
	TEXT_SET(life->reason, step->reason);
	TEXT_SET(life->note, step->note);
	if (step->violation && !life->violation[0])
		TEXT_SET(life->violation, step->reason);
	free(life->prices);
	life->prices = step->prices;
	life->price_count = step->price_count;
	step->prices = NULL;
	life->listed = step->listed_count;
	if (getenv("DRIVER_TRACE"))
		fprintf(stderr, "%lld %s verdict %d class %u wait %lld: %s\n",
			(long long)life->now_ms, step_op_name(step->op), step->verdict,
			step->error_class, (long long)step->wait_ms, step->reason);
}

struct step *life_new_step(struct life *life, enum step_op op)
{
	struct step *step = step_new(op, life->account);

	step->deadline_ms = life->now_ms + 90000;
	step->claim = life_commit;
	step->claim_arg = life;
	TEXT_SET(step->instance, life->signer.instance);
	TEXT_SET(step->account_key, "ssh-ed25519 "
		 "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA mark");
	return step;
}

/* Interprets a verdict as the engine does, which knows the reason of its own refusal. */
static void judge(struct life *life, struct step *step)
{
	int is_denied = step->verdict == LESSOR_REFUSED && !life->refusal_class &&
			(step->error_class == LESSOR_CLASS_AUTH ||
			 step->error_class == LESSOR_CLASS_ACCOUNT);

	if (life->refusal_class) {
		step->verdict = LESSOR_REFUSED;
		step->error_class = life->refusal_class;
		TEXT_SET(step->reason, life->refusal);
	} else if (life->not_now && step->verdict == LESSOR_REFUSED &&
		   step->error_class == LESSOR_CLASS_OWNERSHIP) {
		step->verdict = LESSOR_RETRY;
	}
	if (step->op == STEP_CLEANUP && step->verdict == LESSOR_GONE && !step->violation &&
	    ledger_residue(&step->ledger)) {
		step->violation = 1;
		TEXT_SET(step->reason, "the plugin reports that nothing is left, but something is");
	}
	if (step->op == STEP_PROBE)
		life->is_verified = step->verdict == LESSOR_DONE ||
				    (life->is_verified && step->verdict != LESSOR_REFUSED);
	else if (is_denied)
		life->is_verified = 0;
}

static void run(struct life *life, struct step *step)
{
	life->not_now = 0;
	life->refusal_class = LESSOR_CLASS_NONE;
	life->absence_ms = 0;
	step_run(step);
	if (life->crashed)
		return;
	judge(life, step);
	take_results(life, step);
}

/* The same, first by an observation if life_looks is set; without a result the step itself runs. */
static void run_waiting(struct life *life, struct step *step)
{
	struct step *look = life_new_step(life, STEP_OBSERVE);

	look->waiting = xcalloc(1, sizeof(*look->waiting));
	look->waiting[0] = step;
	look->waiting_count = 1;
	step->look = look;
	step->is_unobserved = 1;
	step_run(look);
	look->waiting[0] = NULL;
	step->look = NULL;
	life->looks++;
	life->unobserved += step->is_unobserved;
	if (look->violation && !life->violation[0])
		TEXT_SET(life->violation, look->reason);
	if (step->is_unobserved && look->verdict == LESSOR_RETRY) {
		step->verdict = LESSOR_RETRY;
		step->error_class = look->error_class;
		step->wait_ms = look->wait_ms;
		TEXT_SET(step->reason, look->reason);
	} else if (step->is_unobserved && !life->crashed) {
		step_free(look);
		run(life, step);
		return;
	}
	step_free(look);
	if (life->crashed)
		return;
	judge(life, step);
	take_results(life, step);
}

static void finish(struct life *life, struct step *step, enum lease_op op)
{
	struct lease_event event = {
		.kind = LEASE_EVENT_VERDICT,
		.u.verdict = {
			.op = op, .epoch = step->epoch, .verdict = step->verdict,
			.error_class = step->error_class, .wait_ms = step->wait_ms,
			.reason = step->reason, .is_breach = step->violation, .provider = "hetzner",
			.cursor = step->cursor, .host = step->host, .server_id = step->server_id,
			.server_name = step->server_name, .server_type = step->server_type,
			.location = step->location, .shown = step->is_shown ? &step->shown : NULL,
			.absence_ms = life->absence_ms,
		},
	};

	if (life->crashed)
		life_restart(life); /* the lease is unchanged and due */
	else
		life_apply(life, &life->a, &event);
}

/* No step runs in an account that is not verified. */
static void prove(struct life *life)
{
	struct lease_event event = { .kind = LEASE_EVENT_UNBLOCKED };

	life->now_ms += 2000;
	if (life_account(life, STEP_PROBE, 0) == LESSOR_DONE)
		life_apply(life, &life->a, &event);
}

int life_step(struct life *life)
{
	static const enum step_op ops[] = {
		[LEASE_OP_PROVISION] = STEP_PROVISION,
		[LEASE_OP_CLEANUP] = STEP_CLEANUP,
		[LEASE_OP_INSPECT] = STEP_INSPECT,
		[LEASE_OP_RETAIN] = STEP_RETAIN,
	};
	struct lease_event tick = { .kind = LEASE_EVENT_TICK };
	struct lease *l = &life->lease;
	struct lease_facts facts;
	struct step *step;
	enum lease_op op;

	if (!l->due_ms)
		return 0;
	if (!life->is_verified) {
		prove(life);
		return 1;
	}
	if (l->due_ms > life->now_ms)
		life->now_ms = l->due_ms;
	life_apply(life, &life->a, &tick);
	facts = life_facts(life);
	op = lease_next_op(&life->a, &facts);
	if (op == LEASE_OP_NONE)
		return 0;
	step = life_new_step(life, ops[op]);
	step->lease = *l;
	step->epoch = l->epoch;
	step->user_data = xstrdup("#cloud-config\n");
	step->user_data_len = strlen(step->user_data);
	ledger_copy(&life->book, &step->ledger);
	if (life_looks && op == LEASE_OP_PROVISION && ledger_awaits_server(&life->book))
		run_waiting(life, step);
	else
		run(life, step);
	finish(life, step, op);
	step_free(step);
	return 1;
}

void life_run(struct life *life, int most)
{
	while (most-- > 0 && life->lease.state != LEASE_ACTIVE && life_step(life))
		;
}

void life_end(struct life *life, int most)
{
	const struct lease *l = &life->lease;

	/* Attention with a transient reason continues by itself. */
	while (most-- > 0 && l->cleanup != CLEANUP_DONE &&
	       (l->cleanup != CLEANUP_ATTENTION || l->attention_class == LESSOR_CLASS_TRANSIENT) &&
	       life_step(life))
		;
}

enum lease_refusal life_try_release(struct life *life, int delete_machine)
{
	struct lease_event event = {
		.kind = LEASE_EVENT_RELEASE, .u.release.delete_machine = delete_machine,
	};

	return life_apply(life, &life->a, &event).refusal;
}

void life_release(struct life *life, int delete_machine)
{
	assert_int_equal(life_try_release(life, delete_machine), LEASE_REFUSAL_NONE);
}

int life_account(struct life *life, enum step_op op, uint32_t kind)
{
	struct step *step = life_new_step(life, op);
	const struct resource *mark;

	step->list_kind = kind;
	if (op == STEP_INSPECT) {
		step->lease = life->lease;
		ledger_copy(&life->book, &step->ledger);
	} else {
		ledger_copy(&life->mark, &step->ledger);
	}
	run(life, step);
	step_free(step);
	if (life->crashed)
		life_restart(life);
	mark = life_mark(life);
	if (mark)
		account_set_sentinel(life->account, mark->id);
	return life->verdict;
}
