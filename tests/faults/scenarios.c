/* SPDX-License-Identifier: MIT */
#include "cases.h"

#include <stdio.h>
#include <string.h>

static int has_started(struct world *w, size_t lease)
{
	return w->leases[lease].seen && w->leases[lease].row.state != LEASE_PROVISIONING;
}

static void start(struct world *w, size_t lease, int64_t ttl_ms)
{
	world_create(w, lease, ttl_ms, ttl_ms);
	world_until(w, 20 * MINUTE, has_started, lease);
}

static void life(struct world *w)
{
	start(w, 0, 2 * HOUR);
	world_pass(w, 5 * MINUTE);
	world_release(w, 0, 1);
	world_pass(w, 10 * MINUTE);
}

/* The client releases it before the provider shows it. */
static void early(struct world *w)
{
	world_create(w, 0, HOUR, HOUR);
	world_pass(w, 5 * SECOND);
	world_release(w, 0, 1);
	world_pass(w, 20 * MINUTE);
}

static void expiry(struct world *w)
{
	world_create(w, 0, 10 * MINUTE, 10 * MINUTE);
	world_pass(w, 30 * MINUTE);
}

/* Heartbeats keep the lease alive, then they stop. */
static void idle(struct world *w)
{
	world_create(w, 0, 2 * HOUR, 10 * MINUTE);
	world_until(w, 20 * MINUTE, has_started, 0);
	for (int i = 0; i < 3; i++) {
		world_pass(w, 6 * MINUTE);
		world_heartbeat(w, 0);
	}
	world_pass(w, 30 * MINUTE);
	world_heartbeat(w, 0);
	world_release(w, 0, 1);
	world_pass(w, 10 * MINUTE);
}

static void kept(struct world *w)
{
	start(w, 0, HOUR);
	world_release(w, 0, 0);
	world_pass(w, 6 * HOUR);
}

static void kept_then_deleted(struct world *w)
{
	kept(w);
	world_release(w, 0, 1);
	world_pass(w, 10 * MINUTE);
}

/* Retained, released and retained again: the retention label is raised each time. */
static void kept_again(struct world *w)
{
	start(w, 0, HOUR);
	world_release(w, 0, 0);
	world_pass(w, 5 * MINUTE);
	world_release(w, 0, 1);
	world_release(w, 0, 0);
	world_pass(w, 30 * MINUTE);
	world_release(w, 0, 1);
	world_pass(w, 10 * MINUTE);
}

static void canceled(struct world *w)
{
	world_create(w, 0, HOUR, HOUR);
	world_pass(w, 3 * SECOND);
	world_cancel(w, 0);
	world_pass(w, 10 * MINUTE);
}

static void canceled_first(struct world *w)
{
	world_cancel(w, 0);
	world_create(w, 0, HOUR, HOUR);
	world_pass(w, 10 * MINUTE);
}

static void kept_early(struct world *w)
{
	world_create(w, 0, HOUR, HOUR);
	world_pass(w, 3 * SECOND);
	world_release(w, 0, 0);
	world_pass(w, 2 * HOUR);
}

/* Each request twice: the second changes nothing. */
static void twice(struct world *w)
{
	world_create(w, 0, HOUR, HOUR);
	world_create_again(w, 0);
	world_until(w, 20 * MINUTE, has_started, 0);
	world_create_again(w, 0);
	world_release(w, 0, 1);
	world_release(w, 0, 1);
	world_release(w, 0, 0);
	world_pass(w, 10 * MINUTE);
	world_release(w, 0, 1);
}

static void two(struct world *w)
{
	world_create(w, 0, 2 * HOUR, 2 * HOUR);
	world_create(w, 1, 2 * HOUR, 2 * HOUR);
	/* One more than the limit, while none has a machine yet. */
	world_create(w, 2, 2 * HOUR, 2 * HOUR);
	world_until(w, 20 * MINUTE, has_started, 0);
	world_until(w, 20 * MINUTE, has_started, 1);
	world_stranger_asks(w, 0);
	world_release(w, 0, 1);
	world_pass(w, 10 * MINUTE);
	world_release(w, 1, 1);
	world_pass(w, 10 * MINUTE);
}

static int has_joined(struct world *w, size_t lease)
{
	struct lease l;

	return world_lease(w, lease, &l) == 0;
}

/* The limits hold with every commit, whoever waits; a lease in the queue has nothing. */
static void check_queue(struct world *w)
{
	int count = 0;

	for (size_t i = 0; i < w->lease_count; i++) {
		struct ledger ledger = { 0 };
		struct lease l;

		if (world_lease(w, i, &l))
			continue;
		count += lease_counts(&l);
		if (!lease_is_queued(&l))
			continue;
		if (store_ledger(core_store(w->d.core), l.n, &ledger, NULL) == 0 &&
		    ledger.resource_count + ledger.attempt_count)
			violate(w, "I36: %s waits for capacity and has something", l.id);
		ledger_fini(&ledger);
	}
	if (count > LEASES_CAP)
		violate(w, "I16: %d leases count, and the limit is %d", count, LEASES_CAP);
}

/* Two wait for capacity at the limit: one is admitted, the other leaves. */
static void waits(struct world *w)
{
	struct lease l;

	start(w, 0, 4 * HOUR);
	start(w, 1, 4 * HOUR);
	world_create_waiting(w, 2, 2 * HOUR, 2 * HOUR);
	world_create_waiting(w, 3, 2 * HOUR, 2 * HOUR);
	world_pass(w, 5 * MINUTE);
	check_queue(w);
	if (!w->disturbed && !w->restarts && has_joined(w, 2) && !world_lease(w, 2, &l) &&
	    !lease_is_queued(&l))
		violate(w, "I36: %s does not wait at the limit", l.id);
	world_create_again(w, 2);
	if (has_joined(w, 3))
		world_release(w, 3, 1);
	world_release(w, 0, 1);
	world_pass(w, 10 * MINUTE);
	check_queue(w);
	if (!w->disturbed && w->leases[2].acked && !world_lease(w, 2, &l) && lease_is_queued(&l))
		violate(w, "I36: %s was not admitted when there was capacity", l.id);
	world_until(w, 20 * MINUTE, has_started, 2);
	world_release(w, 1, 1);
	world_release(w, 2, 1);
	world_pass(w, 10 * MINUTE);
}

/* Two leases share a key; the second one ends first. In two_kept one is retained. */
static void two_reversed(struct world *w)
{
	world_create(w, 0, 2 * HOUR, 2 * HOUR);
	world_create(w, 1, 2 * HOUR, 2 * HOUR);
	world_until(w, 20 * MINUTE, has_started, 0);
	world_until(w, 20 * MINUTE, has_started, 1);
	world_release(w, 1, 1);
	world_pass(w, 10 * MINUTE);
	world_release(w, 0, 1);
	world_pass(w, 10 * MINUTE);
}

static void two_kept(struct world *w)
{
	world_create(w, 0, 2 * HOUR, 2 * HOUR);
	world_create(w, 1, 2 * HOUR, 2 * HOUR);
	world_until(w, 20 * MINUTE, has_started, 0);
	world_until(w, 20 * MINUTE, has_started, 1);
	world_release(w, 1, 0);
	world_release(w, 0, 1);
	world_pass(w, 30 * MINUTE);
	world_release(w, 1, 1);
	world_pass(w, 10 * MINUTE);
}

/* The second lease is created while a delete of the first one's key may be under way. */
static void two_in_turn(struct world *w)
{
	start(w, 0, 2 * HOUR);
	world_release(w, 0, 1);
	world_pass(w, 4 * SECOND);
	world_create(w, 1, 2 * HOUR, 2 * HOUR);
	world_until(w, 20 * MINUTE, has_started, 1);
	world_release(w, 1, 1);
	world_pass(w, 10 * MINUTE);
}

/* R7: the key is handed over, so the first lease is done at once and no longer counts. */
static void one_key(struct world *w)
{
	struct lease l;

	world_create(w, 0, 2 * HOUR, 2 * HOUR);
	world_create(w, 1, 2 * HOUR, 2 * HOUR);
	world_until(w, 20 * MINUTE, has_started, 0);
	world_until(w, 20 * MINUTE, has_started, 1);
	world_release(w, 0, 1);
	world_pass(w, MINUTE);
	if (!w->disturbed && !w->restarts && !world_lease(w, 0, &l) &&
	    (l.cleanup != CLEANUP_DONE || lease_counts(&l)))
		violate(w, "I32: %s waits for a key that another lease uses", l.id);
	world_create(w, 2, 2 * HOUR, 2 * HOUR);
	world_pass(w, 5 * MINUTE);
	world_release(w, 1, 1);
	world_release(w, 2, 1);
	world_pass(w, 10 * MINUTE);
}

/* ---- leases that ended long ago --------------------------------------------------------- */

static void check_pruned(struct world *w)
{
	if (!w->disturbed && !w->restarts && !w->jumped && !w->used_again && !w->leases[0].is_pruned)
		violate(w, "I37: %s ended long ago and was not pruned", w->leases[0].id);
}

/* One that is gone, one that is retained, and the newest; then its client asks for it again. */
static void pruned(struct world *w)
{
	start(w, 0, 2 * HOUR);
	world_release(w, 0, 1);
	world_pass(w, 10 * MINUTE);
	start(w, 1, HOUR);
	world_release(w, 1, 0);
	start(w, 2, HOUR);
	world_release(w, 2, 1);
	world_pass(w, 60 * HOUR);
	check_pruned(w);
	world_release(w, 0, 1);
	world_heartbeat(w, 0);
	world_create_again(w, 0);
	world_pass(w, 2 * HOUR);
}

/* Its key is another lease's by then, which is retained. */
static void pruned_key(struct world *w)
{
	world_create(w, 0, 2 * HOUR, 2 * HOUR);
	world_create(w, 1, 2 * HOUR, 2 * HOUR);
	world_until(w, 20 * MINUTE, has_started, 0);
	world_until(w, 20 * MINUTE, has_started, 1);
	world_release(w, 0, 1);
	world_release(w, 1, 0);
	world_pass(w, 60 * HOUR);
	world_release(w, 1, 1);
	world_pass(w, 10 * MINUTE);
}

/* Released before the provider shows its server, which it does after the lease was pruned. */
static void pruned_late(struct world *w)
{
	early(w);
	start(w, 1, HOUR);
	world_release(w, 1, 1);
	world_pass(w, 55 * HOUR);
	check_pruned(w);
	world_pass(w, 15 * HOUR);
}

/* ---- people in the console ------------------------------------------------------------- */

static int64_t server_of(const struct world *w)
{
	for (size_t i = 0; i < w->made_count; i++) {
		if (w->made[i].by_us && w->made[i].alive && w->made[i].kind == CLOUD_SERVER &&
		    !w->made[i].deletes)
			return w->made[i].id;
	}
	return 0;
}

static void human(struct world *w, const char *verb, const char *more)
{
	start(w, 0, HOUR);
	if (server_of(w))
		world_human(w, verb, server_of(w), more);
	world_pass(w, 5 * MINUTE);
	world_release(w, 0, 1);
	world_pass(w, 20 * MINUTE);
}

static void human_deletes(struct world *w)
{
	human(w, "delete", "");
}

static void human_renames(struct world *w)
{
	human(w, "rename", ",\"to\":\"mine-now\"");
}

static void human_strips(struct world *w)
{
	human(w, "relabel", ",\"labels\":{}");
}

/* Nobody can prove whose its server is, which an operator has to look at. */
static void pruned_never(struct world *w)
{
	human_strips(w);
	start(w, 1, HOUR);
	world_release(w, 1, 1);
	world_pass(w, 60 * HOUR);
}

/* The signature is present, but no longer matches the labels. */
static void human_relabels(struct world *w, const char *key, const char *value)
{
	start(w, 0, HOUR);
	if (server_of(w))
		world_relabel(w, server_of(w), key, value);
	world_pass(w, 5 * MINUTE);
	world_release(w, 0, 1);
	world_pass(w, 20 * MINUTE);
}

static void other_instance(struct world *w)
{
	human_relabels(w, "lessor-instance", "somebodyelse");
}

static void other_attempt(struct world *w)
{
	human_relabels(w, "lessor-attempt", "7");
}

static void human_protects(struct world *w)
{
	human(w, "protect", "");
}

/* What a person protected, besides us, stays protected. */
static void kept_human(struct world *w, const char *verb)
{
	start(w, 0, HOUR);
	world_release(w, 0, 0);
	world_pass(w, 5 * MINUTE);
	if (server_of(w))
		world_human(w, verb, server_of(w), "");
	world_pass(w, 2 * HOUR);
	if (strcmp(verb, "unprotect") == 0 && server_of(w))
		world_human(w, "protect", server_of(w), "");
	world_release(w, 0, 1);
	world_pass(w, 20 * MINUTE);
}

static void kept_human_unprotects(struct world *w)
{
	kept_human(w, "unprotect");
}

static void human_recreates(struct world *w)
{
	human(w, "recreate", "");
}

/* Six hours without the provider, during which the lease expires. */
static void outage(struct world *w)
{
	start(w, 0, 20 * MINUTE);
	world_faults(w, "{\"match\":{},\"count\":\"always\",\"fault\":{\"kind\":\"unavailable\"}}");
	world_pass(w, 6 * HOUR);
	world_heal(w);
	world_pass(w, 30 * MINUTE);
}

/* A refusal of the token may make the lease fail during a rollback. */
static void forbidden(struct world *w)
{
	w->may_fail = 1;
	life(w);
}

/* The first attempt's deleted server reappears after the second one's is retained. */
static void kept_reappears(struct world *w)
{
	w->comes_back = w->disturbed = 1;
	kept(w);
}

/* The clock jumps during the pause that a 429 requested. */
static void paused(struct world *w)
{
	start(w, 0, 2 * HOUR);
	world_faults(w, "{\"match\":{},\"count\":1,\"fault\":{\"kind\":\"rate_limited\",\"retry_after\":120}}");
	world_release(w, 0, 1);
	world_pass(w, SECOND);
	world_jump(w, HOUR);
	world_pass(w, 30 * MINUTE);
}

#define SOME_KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9G"

/*
 * A project with more than a page of foreign resources, whose list filters do nothing. The
 * response to the first lease's create is lost; the second lease's create is not executed.
 */
static void crowd(struct world *w)
{
	char json[500];

	for (int i = 0; i < 102; i++) {
		snprintf(json, sizeof(json), "{\"verb\":\"create\",\"kind\":\"%s\",\"name\":\"theirs-%d\","
			 "\"public_key\":\"" SOME_KEY "%03d\",\"labels\":{\"lessor-instance\":\"another\",\"lessor-attempt\":\"1\","
			 "\"lessor-lease\":\"cbx_00000000000%d\",\"lessor-kind\":\"server\","
			 "\"lessor-sig\":\"AAAA\"}}", i & 1 ? "server" : "ssh_key", i, i, 1 + i % 2);
		world_admin(w, "POST", "/_sim/human", json);
	}
	world_create(w, 0, 2 * HOUR, 2 * HOUR);
	world_until(w, 20 * MINUTE, has_started, 0);
	world_create(w, 1, 2 * HOUR, 2 * HOUR);
	world_until(w, 20 * MINUTE, has_started, 1);
	world_release(w, 0, 1);
	world_release(w, 1, 1);
	world_pass(w, 10 * MINUTE);
}

#define KEY SOME_KEY "KJl c"
#define ONCE(op, fault) \
	"{\"faults\":[{\"match\":{\"op\":\"" op "\",\"lease\":\"cbx_*\"}," \
	"\"count\":1,\"faults\":[{" fault "}]}]}"

#define UNSHOWN(ms, where) \
	ONCE("s.create", "\"kind\":\"hidden\",\"ms\":" ms ",\"where\":\"" where "\"")

#define LATE(op) \
	ONCE(op, "\"kind\":\"lost\"},{\"kind\":\"hidden\",\"ms\":180000,\"where\":\"both\"")

const struct scenario scenarios[] = {
	{ "life", life, NULL, 1, 0, 0 },
	{ "expiry", expiry, NULL, 0, 0, 0 },
	{ "idle", idle, NULL, 0, 0, 0 },
	{ "kept", kept, NULL, 0, 0, 0 },
	{ "kept-then-deleted", kept_then_deleted, NULL, 0, 0, 0 },
	{ "canceled", canceled, NULL, 0, 0, 0 },
	{ "canceled-first", canceled_first, NULL, 0, 0, 0 },
	{ "kept-early", kept_early, NULL, 1, 0, 0 },
	{ "twice", twice, NULL, 0, 0, 0 },
	{ "two", two, NULL, 1, 0, 0 },
	{ "fallback", life,
	  "{\"catalogue\":{\"sold_out\":[{\"type\":\"cx23\",\"location\":\"fsn1\"}]},"
	  "\"faults\":[{\"match\":{\"server_type\":\"cx33\",\"op\":\"s.create\"},\"count\":1,"
	  "\"fault\":{\"kind\":\"create_error\"}}]}",
	  0, 0, 0 },
	{ "stranger", life,
	  "{\"objects\":[{\"kind\":\"ssh_key\",\"name\":\"theirs\","
	  "\"public_key\":\"" KEY "\"},"
	  "{\"kind\":\"server\",\"name\":\"theirs\",\"labels\":{\"lessor-lease\":"
	  "\"cbx_000000000001\"}}]}",
	  0, 0, 0 },
	{ "lost-server", life, ONCE("s.create", "\"kind\":\"lost\""), 0, 0, 0 },
	{ "lost-key", life, ONCE("k.create", "\"kind\":\"lost\""), 0, 0, 0 },
	{ "never-server", life, ONCE("s.create", "\"kind\":\"close\""), 0, 0, 0 },
	{ "human-deletes", human_deletes, NULL, 0, 0, 0 },
	{ "human-renames", human_renames, NULL, 0, 0, 0 },
	{ "human-strips", human_strips, NULL, 0, 0, 0 },
	{ "human-protects", human_protects, NULL, 0, 0, 2 },
	{ "human-recreates", human_recreates, NULL, 0, 0, 2 },
	{ "other-instance", other_instance, NULL, 0, 0, 6 },
	{ "other-attempt", other_attempt, NULL, 0, 0, 6 },
	{ "kept-reappears", kept_reappears,
	  "{\"faults\":[{\"match\":{\"server_type\":\"cx23\",\"op\":\"s.create\"},\"count\":1,"
	  "\"fault\":{\"kind\":\"create_error\"}},{\"match\":{\"op\":\"s.delete\"},\"count\":1,"
	  "\"fault\":{\"kind\":\"reappear\",\"gap_ms\":1200000}}]}",
	  0, 0, 0 },
	/* The create is settled as never executed, and then the resource appears. */
	{ "late", life, LATE("s.create"), 0, 0, 8 },
	{ "late-key", life, LATE("k.create"), 0, 0, 30 },
	/* It exists, but lists fail. */
	{ "blind", life,
	  "{\"faults\":["
	  "{\"match\":{\"op\":\"s.create\",\"lease\":\"cbx_*\"},\"count\":1,"
	  "\"fault\":{\"kind\":\"lost\"}},"
	  "{\"match\":{\"op\":[\"s.find\",\"s.list\",\"k.find\",\"k.list\"]},"
	  "\"count\":\"always\",\"for_ms\":240000,"
	  "\"fault\":{\"kind\":\"unavailable\"}}]}",
	  0, 0, 8 },
	{ "crowd", crowd,
	  "{\"faults\":["
	  "{\"match\":{\"op\":\"s.create\",\"lease\":\"cbx_000000000001\"},\"count\":1,"
	  "\"fault\":{\"kind\":\"lost\"}},"
	  "{\"match\":{\"op\":\"s.create\",\"lease\":\"cbx_000000000002\"},\"count\":1,"
	  "\"fault\":{\"kind\":\"close\"}},"
	  "{\"match\":{\"op\":[\"s.find\",\"s.list\",\"k.find\",\"k.list\"]},"
	  "\"count\":\"always\",\"for_ms\":150000,"
	  "\"fault\":{\"kind\":\"selector_ignored\"}}]}",
	  0, 0, 120 },
	/* Acknowledged but shown late: up to the settling time, and long after it. */
	{ "early", early, NULL, 0, 0, 30 },
	{ "early-55s", early, UNSHOWN("55000", "both"), 0, 0, 30 },
	{ "early-55s-reads", early, UNSHOWN("55000", "get"), 0, 0, 30 },
	{ "early-55s-lists", early, UNSHOWN("55000", "list"), 0, 0, 30 },
	{ "early-10m", early, UNSHOWN("600000", "both"), 0, 0, 30 },
	{ "early-25m", early, UNSHOWN("1500000", "both"), 0, 0, 30 },
	{ "early-10m-reads", early, UNSHOWN("600000", "get"), 0, 0, 30 },
	{ "early-10m-lists", early, UNSHOWN("600000", "list"), 0, 0, 30 },
	{ "late-10m", life,
	  "{\"faults\":[{\"match\":{\"op\":\"s.create\",\"lease\":\"cbx_*\"},\"count\":1,"
	  "\"faults\":[{\"kind\":\"lost\"},{\"kind\":\"hidden\",\"ms\":600000,"
	  "\"where\":\"both\"}]}]}",
	  0, 0, 30 },
	/* Found only by a look-up; its address outlives the server. */
	{ "address-late", early,
	  "{\"faults\":[{\"match\":{\"op\":\"s.create\",\"lease\":\"cbx_*\"},"
	  "\"count\":1,\"faults\":[{\"kind\":\"lost\"},{\"kind\":\"ip_kept\"},"
	  "{\"kind\":\"hidden\",\"ms\":40000,\"where\":\"both\"}]}]}",
	  0, 0, 8 },
	/* The delete's response is lost; at each of its events a client may ask for no-delete. */
	{ "lost-delete", life, ONCE("s.delete", "\"kind\":\"lost\""), 0, 0, 4 },
	{ "no-delete", life, ONCE("s.delete", "\"kind\":\"close\""), 0, 0, 30 },
	{ "slow-delete", life, ONCE("s.delete", "\"kind\":\"slow\",\"ms\":90000"), 0, 0, 30 },
	/* For an hour the token may not delete. */
	{ "forbidden", forbidden,
	  "{\"faults\":[{\"match\":{\"op\":[\"s.delete\",\"k.delete\"]},"
	  "\"count\":\"always\",\"for_ms\":3600000,"
	  "\"fault\":{\"kind\":\"forbidden\"}}]}",
	  0, 0, 30 },
	{ "kept-again", kept_again, NULL, 0, 0, 8 },
	{ "kept-unprotected", kept_human_unprotects, NULL, 0, 0, 30 },
	{ "two-reversed", two_reversed, NULL, 0, 0, 30 },
	/* Only what the queue adds: the lives in it are those of `two`. */
	{ "waits", waits, NULL, 0, 1, 3 },
	{ "two-kept", two_kept, NULL, 0, 0, 8 },
	{ "two-in-turn", two_in_turn, NULL, 0, 0, 30 },
	{ "one-key", one_key, NULL, 0, 0, 8 },
	{ "pruned", pruned, NULL, 0, 0, 0 },
	{ "pruned-key", pruned_key, NULL, 0, 0, 2 },
	{ "pruned-late", pruned_late,
	  "{\"faults\":[{\"match\":{\"op\":\"s.create\",\"lease\":\"cbx_000000000001\"},\"count\":1,"
	  "\"faults\":[{\"kind\":\"hidden\",\"ms\":216000000,\"where\":\"both\"}]}]}",
	  0, 0, 2 },
	{ "pruned-never", pruned_never, NULL, 0, 0, 2 },
	{ "upgrade", upgrade_run, NULL, 0, 1, 0 },
	{ "paused", paused, NULL, 0, 1, 0 },
	{ "outage", outage, NULL, 0, 0, 0 },
};
const size_t scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);
