/* SPDX-License-Identifier: MIT */
/*
 * The whole engine: two bytes are one event, which is a request, the passing of time, a
 * crash, or a fault in the toy cloud (tests/unit/engine/world.h). The promises are checked
 * after each event. At the end all faults are removed, every lease is released, time passes,
 * and nothing may be left.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../unit/engine/world.h"
#include "util/log.h"
#include "util/text.h"

#define LEASES 4
#define EVENTS_MAX 48
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
/* The world's settle time is 30 s: what is hidden for longer counts as never created. */
#define HIDE_MS (20 * SECOND)
/* How long a visible server is hidden again: longer than any backoff of the observations. */
#define HIDE_AGAIN_MS (15 * MINUTE)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the clients know, and the last observed state of a lease. */
struct known {
	int kept;    /* a no-delete release was acknowledged and not revoked */
	int servers; /* of this lease, while it is kept */
	int seen;
	struct lease last;
};

static struct world world;
static struct known known[LEASES];
/* All requests; a waiting one is the engine's. The last two are for the end and for a race. */
static struct asked asked[EVENTS_MAX + LEASES + 2];
static size_t asked_count;
static int64_t hidden_until_ms;
static int64_t hide_from_ms;
static uint8_t race;

#define PROMISE(what, k) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "%s:%d: lease %u: broken: %s\n", __FILE__, __LINE__, \
				(unsigned int)(k), #what); \
			abort(); \
		} \
	} while (0)

static const char *id_of(unsigned int k)
{
	static const char *const ids[LEASES] = { "cbx_000000000000", "cbx_000000000001",
						 "cbx_000000000002", "cbx_000000000003" };

	return ids[k % LEASES];
}

static int servers_of(unsigned int k)
{
	int n = 0;

	for (int i = 0; i < CLOUD_MAX; i++)
		n += world.cloud[i].alive && strcmp(world.cloud[i].lease, id_of(k)) == 0;
	return n;
}

/* ---- the promises ----------------------------------------------------------------------- */

static int is_over(const struct lease *l)
{
	return l->state != LEASE_PROVISIONING && l->state != LEASE_ACTIVE;
}

static void promises_hold(unsigned int k)
{
	struct known *was = &known[k];
	struct lease l;
	int servers = servers_of(k);

	PROMISE(servers <= 1, k);
	if (was->kept) {
		PROMISE(servers >= was->servers, k);
		was->servers = servers;
	}
	if (world_lease(&world, id_of(k), &l) != 0) {
		/* An acknowledged lease does not disappear. */
		PROMISE(!was->seen && !servers, k);
		return;
	}
	if (was->seen) {
		PROMISE(l.epoch >= was->last.epoch, k);
		if (is_over(&was->last)) {
			PROMISE(l.state == was->last.state, k);
			PROMISE(l.ended_ms == was->last.ended_ms, k);
			PROMISE(l.end_reason == was->last.end_reason, k);
		}
		if (was->last.cleanup == CLEANUP_DONE)
			PROMISE(l.cleanup == CLEANUP_DONE, k);
	}
	PROMISE(!was->kept || l.retained, k);
	PROMISE(!is_over(&l) || l.cleanup != CLEANUP_NONE, k);
	/* CLEANUP_DONE means that nothing is left. */
	PROMISE(l.cleanup != CLEANUP_DONE || !servers, k);
	/* The lease is scheduled, done, retained, or in attention with a reason. */
	PROMISE(l.due_ms || l.cleanup == CLEANUP_DONE || l.cleanup == CLEANUP_RETAINED ||
		l.attention[0], k);
	was->last = l;
	was->seen = 1;
}

static void promises_all(void)
{
	for (unsigned int k = 0; k < LEASES; k++)
		promises_hold(k);
}

/* ---- the events --------------------------------------------------------------------------- */

static struct asked *next_asked(void)
{
	struct asked *a = &asked[asked_count++];

	memset(a, 0, sizeof(*a));
	return a;
}

static void create(unsigned int k, uint8_t arg)
{
	struct asked *a = next_asked();

	/* The cloud is a ring buffer; an overwritten server would look deleted. */
	if (world.made > CLOUD_MAX - 8)
		return;
	snprintf(a->request.create.slug, sizeof(a->request.create.slug), "box-%u", k);
	snprintf(a->request.create.attempt_token, sizeof(a->request.create.attempt_token), "cat_%u", k);
	a->request.wait_ms = arg & 64 ? MINUTE : 0;
	world_create(&world, a, id_of(k));
}

static void release(struct asked *a, unsigned int k, int delete_machine)
{
	world_release(&world, a, id_of(k), delete_machine);
	PROMISE(a->answered || a->request.wait_ms, k);
	if (a->answered && a->request.result == RESULT_OK) {
		known[k].kept = !delete_machine && a->request.lease.retained;
		known[k].servers = servers_of(k);
	}
}

static void heartbeat(unsigned int k)
{
	struct asked *a = next_asked();

	a->request.kind = REQUEST_HEARTBEAT;
	TEXT_SET(a->request.ref, id_of(k));
	world_ask(&world, a);
	PROMISE(a->answered, k);
	/* Nothing is promised for a lease that has ended. */
	PROMISE(a->request.result != RESULT_OK || !known[k].seen || !is_over(&known[k].last), k);
}

static void cancel(unsigned int k)
{
	struct asked *a = next_asked();

	a->request.kind = REQUEST_CANCEL_CREATE;
	TEXT_SET(a->request.ref, id_of(k));
	snprintf(a->request.attempt_token, sizeof(a->request.attempt_token), "cat_%u", k);
	world_ask(&world, a);
}

static void in_the_middle(struct world *w)
{
	struct asked *a = &asked[EVENTS_MAX + LEASES + 1];

	w->during_create = w->during_delete = NULL;
	w->during_look = NULL;
	memset(a, 0, sizeof(*a));
	release(a, race % LEASES, race & 4 ? 1 : 0);
}

static void in_the_middle_of_a_look(struct world *w, struct lessor_call *call)
{
	(void)call;
	in_the_middle(w);
}

static void pass(int64_t ms)
{
	int64_t until = world.d.now_ms + ms;

	if (hidden_until_ms && hidden_until_ms <= until) {
		if (hidden_until_ms > world.d.now_ms)
			world_pass(&world, hidden_until_ms - world.d.now_ms);
		hidden_until_ms = 0;
		world.create_fault = TOY_NONE;
		world.create_fault_sticky = 0;
	}
	if (until > world.d.now_ms)
		world_pass(&world, until - world.d.now_ms);
}

static void break_create(uint8_t arg)
{
	static const enum toy_fault kinds[] = { TOY_NONE, TOY_SOLD_OUT, TOY_LOST_MADE,
						TOY_LOST_NOT_MADE, TOY_BREAK_CONTRACT, TOY_HIDE };

	if (hidden_until_ms || (kinds[arg % 6] == TOY_HIDE && world.d.now_ms < hide_from_ms))
		return;
	world.create_fault = kinds[arg % 6];
	world.create_fault_sticky = arg / 8 & 1;
	if (world.create_fault == TOY_HIDE) {
		world.create_fault_sticky = 1;
		hidden_until_ms = world.d.now_ms + HIDE_MS;
		hide_from_ms = hidden_until_ms + HIDE_AGAIN_MS;
	}
}

static void event(uint8_t what, uint8_t arg)
{
	static const int64_t times[] = { 100, SECOND, 5 * SECOND, 30 * SECOND, 2 * MINUTE,
					 10 * MINUTE, 40 * MINUTE, 2 * HOUR };
	static const uint32_t classes[] = { LESSOR_CLASS_AUTH, LESSOR_CLASS_ACCOUNT,
					    LESSOR_CLASS_INVALID, LESSOR_CLASS_BUG };
	unsigned int k = arg % LEASES;

	switch (what % 16) {
	case 0:
	case 1:
		create(k, arg);
		break;
	case 2:
		release(next_asked(), k, 1);
		break;
	case 3:
		release(next_asked(), k, 0);
		break;
	case 4:
		heartbeat(k);
		break;
	case 5:
		cancel(k);
		break;
	case 6:
		world_settle(&world);
		break;
	case 7:
	case 8:
		pass(times[arg % 8]);
		break;
	case 9:
		world_restart(&world, NULL);
		break;
	case 10:
		break_create(arg);
		break;
	case 11:
		world.boot_polls = arg == 255 ? 1000 : arg % 8;
		break;
	case 12:
		world.delete_refusals = arg % 4;
		world.look_verdict = arg & 64 ? arg & 128 ? LESSOR_REFUSED : LESSOR_RETRY : 0;
		world.look_class = classes[arg / 4 % 4];
		break;
	case 13:
		world.strip_labels = arg & 1;
		break;
	case 14:
		world.probe_refuses = arg & 1;
		world.probe_class = classes[arg / 2 % 4];
		break;
	case 15:
		race = arg;
		world.during_create = arg & 8 ? NULL : in_the_middle;
		world.during_delete = arg & 8 ? in_the_middle : NULL;
		world.during_look = arg & 16 ? in_the_middle_of_a_look : NULL;
		break;
	}
}

/* ---- the end -------------------------------------------------------------------------------- */

static void heal(void)
{
	world.create_fault = TOY_NONE;
	world.create_fault_sticky = 0;
	world.boot_polls = 0;
	world.delete_refusals = 0;
	world.strip_labels = 0;
	world.probe_refuses = 0;
	world.during_create = world.during_delete = NULL;
	world.during_look = NULL;
	world.look_verdict = 0;
	hidden_until_ms = 0;
}

static void converge(void)
{
	heal();
	/* Every lease ends within this time; only retained servers remain. */
	world_pass(&world, 4 * HOUR);
	promises_all();
	for (unsigned int k = 0; k < LEASES; k++)
		PROMISE(servers_of(k) == 0 || known[k].kept, k);
	for (unsigned int k = 0; k < LEASES; k++)
		release(next_asked(), k, 1);
	world_pass(&world, 2 * HOUR);
	promises_all();
	for (unsigned int k = 0; k < LEASES; k++) {
		PROMISE(servers_of(k) == 0, k);
		PROMISE(!known[k].seen || known[k].last.cleanup == CLEANUP_DONE, k);
		PROMISE(!known[k].seen || known[k].last.due_ms == 0, k);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	memset(known, 0, sizeof(known));
	asked_count = 0;
	hidden_until_ms = hide_from_ms = 0;
	/* The event's type is in the lower bits, so bit 7 is free. */
	if (size && data[0] & 128)
		world_start_observing(&world, NULL);
	else
		world_start(&world, NULL);
	log_setup(2, LOG_HUMAN, -1);
	for (size_t i = 0; i + 1 < size && i / 2 < EVENTS_MAX; i += 2) {
		event(data[i], data[i + 1]);
		promises_all();
	}
	converge();
	world_end(&world);
	return 0;
}
