/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <lessor/provider.h>

#include "unit/test.h"
#include "life.h"

/* A change without `changed` would not be written. */
static void check_changed(const struct lease *before, const struct lease *l,
			  const struct lease_effects *out)
{
	if (!out->changed)
		assert_memory_equal(l, before, sizeof(*l));
	if (out->goal_changed)
		assert_true(out->changed && l->epoch > before->epoch);
	else
		assert_int_equal(l->epoch, before->epoch);
}

struct lease fresh(void)
{
	struct lease l = { .n = 1, .ttl_ms = TTL, .idle_ms = IDLE };
	struct lease_event event = { .kind = LEASE_EVENT_BEGIN };
	struct lease_facts facts = { .now_ms = NOW };
	struct lease_effects out = { 0 };

	strcpy(l.id, "cbx_0123456789ab");
	strcpy(l.account, "hetzner");
	event.u.boot_ms = BOOT;
	lifecycle_apply(&l, LEASE_EVENT_BEGIN, &event, &facts, &out);
	assert_true(out.changed);
	return l;
}

static struct lease_effects apply(struct lease *l, int kind, const struct lease_event *event,
				  const struct lease_facts *facts)
{
	struct lease before = *l;
	struct lease_effects out = { 0 };

	lifecycle_apply(l, kind, event, facts, &out);
	/* Heartbeats are stored in a table of their own. */
	before.touched_ms = kind == LEASE_EVENT_HEARTBEAT ? l->touched_ms : before.touched_ms;
	check_changed(&before, l, &out);
	return out;
}

struct lease_effects happen(struct lease *l, int kind, struct lease_facts facts)
{
	struct lease_event event = { .kind = LEASE_EVENT_TICK };

	return apply(l, kind, &event, &facts);
}

struct lease_effects end_step(struct lease *l, const struct lease_verdict *v,
			      const struct lease_facts *facts)
{
	struct lease_event event = { .kind = LEASE_EVENT_VERDICT, .u.verdict = *v };

	return apply(l, LEASE_EVENT_VERDICT, &event, facts);
}

static struct lease_effects step_with(struct lease *l, enum lease_op op, int verdict,
				      int is_breach, const struct lease_facts *facts)
{
	struct lease_verdict v = {
		.op = op, .epoch = l->epoch, .verdict = verdict, .error_class = LESSOR_CLASS_CAPACITY,
		.is_breach = is_breach, .provider = "plugin", .reason = "because", .cursor = "c1",
		.host = "192.0.2.1", .server_id = "17", .server_name = "n", .server_type = "cpx22",
		.location = "nbg1",
	};

	return end_step(l, &v, facts);
}

struct lease_effects step(struct lease *l, enum lease_op op, int verdict,
			  struct lease_facts facts)
{
	return step_with(l, op, verdict, 0, &facts);
}

struct lease_effects broken_step(struct lease *l, enum lease_op op, int verdict,
				 struct lease_facts facts)
{
	return step_with(l, op, verdict, 1, &facts);
}

struct lease ready(void)
{
	struct lease l = fresh();

	step(&l, LEASE_OP_PROVISION, LESSOR_DONE,
	     (struct lease_facts){ .now_ms = READY, .residue = 2, .billed = 1 });
	assert_int_equal(l.state, LEASE_ACTIVE);
	return l;
}

struct lease owed(void)
{
	struct lease l = ready();

	release(&l, 1, (struct lease_facts){ .now_ms = NOW + 60000, .residue = 2, .billed = 1 });
	assert_int_equal(l.cleanup, CLEANUP_OWED);
	return l;
}

struct lease kept(void)
{
	struct lease l = ready();

	release(&l, 0, (struct lease_facts){ .now_ms = NOW + 60000, .residue = 2, .billed = 1,
					     .unprotected = 2 });
	assert_int_equal(l.cleanup, CLEANUP_RETAINED);
	return l;
}

struct lease_effects release(struct lease *l, int delete_machine, struct lease_facts facts)
{
	struct lease_event event = {
		.kind = LEASE_EVENT_RELEASE, .u.release.delete_machine = delete_machine,
	};

	return apply(l, LEASE_EVENT_RELEASE, &event, &facts);
}

struct lease_effects until(struct lease *l, int64_t until_ms, const char *reason,
			   struct lease_facts facts)
{
	struct lease_event event = {
		.kind = LEASE_EVENT_RELEASE, .u.release = { .until_ms = until_ms, .reason = reason },
	};

	return apply(l, LIFE_RETAIN_UNTIL, &event, &facts);
}

struct lease_effects heartbeat(struct lease *l, int64_t idle_ms, struct lease_facts facts)
{
	struct lease_event event = { .kind = LEASE_EVENT_HEARTBEAT, .u.idle_ms = idle_ms };

	return apply(l, LEASE_EVENT_HEARTBEAT, &event, &facts);
}

struct lease_effects tick(struct lease *l, struct lease_facts facts)
{
	return happen(l, LEASE_EVENT_TICK, facts);
}

int notes_of(const struct lease_effects *out, const char *kind)
{
	int count = 0;

	for (int i = 0; i < out->note_count; i++)
		count += strcmp(out->notes[i].kind, kind) == 0;
	return count;
}
