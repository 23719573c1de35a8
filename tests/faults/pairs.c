/* SPDX-License-Identifier: MIT */
/*
 * Combinations: pairs of faults by class, a fault followed by a crash, and seeds, each
 * of which injects a few random kinds of fault at random.
 */
#include "cases.h"

#include <stdio.h>
#include <string.h>

static const char *keys_name(int keys)
{
	return keys ? "account" : "lease";
}

/* ---- pairs --------------------------------------------------------------------------------- */

struct symbol {
	size_t op, fault;
};

static size_t symbols_of(const struct baseline *b, struct symbol *ret)
{
	size_t count = 0;

	for (size_t op = 0; op < op_count; op++) {
		for (size_t f = 0; f < fault_count; f++) {
			if (faults[f].paired && b->ops[op] && !cell_excuse(op, f))
				ret[count++] = (struct symbol){ op, f };
		}
	}
	return count;
}

static void rule_of(const struct symbol *s, char *ret, size_t room)
{
	snprintf(ret, room, "{\"match\":{\"op\":\"%s\"},\"count\":1,\"fault\":{%s}}", ops[s->op],
		 faults[s->fault].json);
}

static void pair_case(struct run *run, const struct scenario *s, int keys, const struct symbol *a,
		      const struct symbol *b)
{
	struct one one = { .group = GROUP_PAIR, .scenario = s, .keys = keys, .cell_op = -1 };
	char rules[2][320];

	snprintf(one.name, sizeof(one.name), "pair/%s/%s/%s.%s+%s.%s", s->name, keys_name(keys),
		 ops[a->op], faults[a->fault].name, ops[b->op], faults[b->fault].name);
	if (!one_is_mine(run, one.name))
		return;
	rule_of(a, rules[0], sizeof(rules[0]));
	rule_of(b, rules[1], sizeof(rules[1]));
	one.rules[one.rule_count++] = rules[0];
	one.rules[one.rule_count++] = rules[1];
	one_run(run, &one);
}

static void fault_crash_case(struct run *run, const struct scenario *s, int keys,
			     const struct symbol *a, long crash_at)
{
	struct one one = { .group = GROUP_FAULT_CRASH, .scenario = s, .keys = keys, .cell_op = -1 };
	char rule[320];

	snprintf(one.name, sizeof(one.name), "fault-crash/%s/%s/%s.%s/%ld", s->name,
		 keys_name(keys), ops[a->op], faults[a->fault].name, crash_at);
	if (!one_is_mine(run, one.name))
		return;
	rule_of(a, rule, sizeof(rule));
	one.rules[one.rule_count++] = rule;
	one.crash_at = crash_at;
	one_run(run, &one);
}

void pairs_run(struct run *run)
{
	static struct symbol symbols[OPS_MAX * FAULTS_MAX];
	long number = 0;

	for (size_t i = 0; i < scenario_count; i++) {
		for (int keys = 0; keys <= 1; keys++) {
			struct baseline b;
			size_t count;

			if (!scenarios[i].paired)
				continue;
			baseline_take(run, &scenarios[i], keys, &b);
			count = symbols_of(&b, symbols);
			for (size_t a = 0; a < count; a++) {
				for (size_t c = a + 1; c < count; c++) {
					/* A stride coprime to the counts: each symbol occurs. */
					if (number++ % run->pairs_thin == 0)
						pair_case(run, &scenarios[i], keys, &symbols[a],
							  &symbols[c]);
				}
				for (long k = 1; k <= b.points; k++) {
					if (number++ % run->pairs_thin == 0)
						fault_crash_case(run, &scenarios[i], keys,
								 &symbols[a], k);
				}
			}
		}
	}
}

/* ---- seeds ------------------------------------------------------------------------------- */

static uint32_t roll(uint32_t *state, uint32_t sides)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state % sides;
}

static void seed_case(struct run *run, long seed)
{
	struct one one = { .group = GROUP_SEED, .cell_op = -1, .seed = (uint32_t)seed };
	uint32_t dice = (uint32_t)seed * 2654435761u | 1;
	char rules[8][320];

	snprintf(one.name, sizeof(one.name), "seed/%ld", seed);
	if (!one_is_mine(run, one.name))
		return;
	for (int i = 0; i < 8; i++)
		roll(&dice, 2);
	one.scenario = &scenarios[roll(&dice, (uint32_t)scenario_count)];
	one.keys = (int)roll(&dice, 2);
	one.rule_count = roll(&dice, 6);
	for (size_t i = 0; i < one.rule_count; i++) {
		uint32_t percent = 2 + roll(&dice, 30);
		const char *json = faults[roll(&dice, (uint32_t)fault_count)].json;

		snprintf(rules[i], sizeof(rules[i]), "{\"match\":{},\"probability\":0.%02u,"
			 "\"count\":%u,\"fault\":{%s}}", percent, 1 + roll(&dice, 12), json);
		one.rules[i] = rules[i];
	}
	if (roll(&dice, 2))
		one.crash_chance = 100 + roll(&dice, 3000);
	if (roll(&dice, 3) == 0)
		one.power = (int)roll(&dice, 1000) + 1;
	if (roll(&dice, 2))
		one.plan = (struct plan){ .act = (enum act)(1 + roll(&dice, ACT_RESTORE - 1)),
					  .event = 1 + roll(&dice, 80) };
	one_run(run, &one);
}

void seeds_run(struct run *run)
{
	for (long seed = run->seed_from; seed < run->seed_to; seed++)
		seed_case(run, seed);
}
