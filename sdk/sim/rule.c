/* SPDX-License-Identifier: MIT */
/*
 * Rules: which requests a fault applies to.
 */
#include <fnmatch.h>
#include <string.h>
#include <sys/queue.h>

#include "sim/fault.h"
#include "sim/out.h"
#include "util/alloc.h"

enum { FAULTS_MAX = 8 };

struct rule {
	STAILQ_ENTRY(rule) link;
	int64_t id;
	json_t *json; /* as added; the following members point into it */
	uint64_t ops; /* one bit per op; 0: all */
	const char *method, *path, *server_type, *location, *name, *lease, *token;
	int reused;			/* -1: any */
	int64_t skip, count;		/* count -1: unlimited */
	int64_t after_ms, for_ms;	/* 0: none */
	double probability;
	struct plan_item faults[FAULTS_MAX];	/* args borrowed */
	size_t fault_count;
	int64_t added_ms, first_ms; /* first_ms 0: not applied yet */
	int64_t seen, hits;
};

STAILQ_HEAD(rule_list, rule);

struct rules {
	struct rule_list list;
	int64_t last_id;
};

struct rules *rules_new(void)
{
	struct rules *rules = xcalloc(1, sizeof(*rules));

	STAILQ_INIT(&rules->list);
	return rules;
}

static void rule_free(struct rule *rule)
{
	json_decref(rule->json);
	free(rule);
}

void rules_remove(struct rules *rules, int64_t id)
{
	struct rule *rule, *next;

	for (rule = STAILQ_FIRST(&rules->list); rule; rule = next) {
		next = STAILQ_NEXT(rule, link);
		if (id && rule->id != id)
			continue;
		STAILQ_REMOVE(&rules->list, rule, rule, link);
		rule_free(rule);
	}
}

void rules_free(struct rules *rules)
{
	if (!rules)
		return;
	rules_remove(rules, 0);
	free(rules);
}

static int read_fault(struct rule *rule, json_t *json, struct err *err)
{
	const char *name = args_str(json, "kind", "");

	if (rule->fault_count == FAULTS_MAX)
		return err_set(err, ERR_INVALID, "a rule has at most %d faults", FAULTS_MAX);
	for (size_t i = 0; i < FAULT_KIND_COUNT; i++) {
		if (strcmp(fault_name((enum fault_kind)i), name))
			continue;
		rule->faults[rule->fault_count++] =
			(struct plan_item){ .kind = (enum fault_kind)i, .args = json };
		if (i == FAULT_STALE)
			rule->reused = 1;
		return 0;
	}
	return err_set(err, ERR_INVALID, "unknown fault kind '%s'", name);
}

static int read_op(struct rule *rule, const json_t *json, struct err *err)
{
	const char *name = json_is_string(json) ? json_string_value(json) : "";
	enum op op = op_find(name);

	if (op == OP_COUNT)
		return err_set(err, ERR_INVALID, "unknown operation '%s'", name);
	rule->ops |= 1ULL << op;
	return 0;
}

static int read_ops(struct rule *rule, const json_t *json, struct err *err)
{
	size_t i;
	json_t *item;

	if (!json_is_array(json))
		return read_op(rule, json, err);
	json_array_foreach(json, i, item) {
		if (read_op(rule, item, err))
			return -1;
	}
	return 0;
}

static int read_string(const json_t *json, const char *key, const char **ret, struct err *err)
{
	if (!json_is_string(json))
		return err_set(err, ERR_INVALID, "'%s' must be a string", key);
	*ret = json_string_value(json);
	return 0;
}

static int read_match(struct rule *rule, const json_t *match, struct err *err)
{
	const struct {
		const char *key;
		const char **to;
	} strings[] = {
		{ "method", &rule->method }, { "path", &rule->path },
		{ "server_type", &rule->server_type }, { "location", &rule->location },
		{ "name", &rule->name }, { "lease", &rule->lease }, { "token", &rule->token },
	};
	const char *key;
	json_t *value;

	if (match && !json_is_object(match))
		return err_set(err, ERR_INVALID, "'match' must be an object");
	json_object_foreach((json_t *)match, key, value) {
		size_t i = 0;

		while (i < ARRAY_LEN(strings) && strcmp(strings[i].key, key))
			i++;
		if (i < ARRAY_LEN(strings)) {
			if (read_string(value, key, strings[i].to, err))
				return -1;
		} else if (!strcmp(key, "op")) {
			if (read_ops(rule, value, err))
				return -1;
		} else if (!strcmp(key, "reused") && json_is_boolean(value)) {
			rule->reused = json_is_true(value);
		} else if (!strcmp(key, "nth") && json_integer_value(value) > 0) {
			rule->skip = json_integer_value(value) - 1;
			rule->count = 1;
		} else {
			return err_set(err, ERR_INVALID, "invalid member '%s' in 'match'", key);
		}
	}
	return 0;
}

static int read_limits(struct rule *rule, const json_t *json, struct err *err)
{
	static const char *const known[] = { "id", "comment", "match", "fault", "faults", "skip",
		"count", "probability", "after_ms", "for_ms", "seen", "hits" };
	const json_t *count = json_object_get(json, "count");
	const json_t *chance = json_object_get(json, "probability");
	const char *key;
	json_t *value;

	rule->skip = args_int(json, "skip", rule->skip);
	rule->after_ms = args_int(json, "after_ms", 0);
	rule->for_ms = args_int(json, "for_ms", 0);
	rule->probability = json_is_number(chance) ? json_number_value(chance) : 1;
	if (count && !json_is_integer(count) && strcmp(args_str(json, "count", ""), "always"))
		return err_set(err, ERR_INVALID, "'count' must be a number or \"always\"");
	if (count)
		rule->count = json_integer_value(count) > 0 ? json_integer_value(count) : -1;
	else if (rule->for_ms)
		rule->count = -1;
	json_object_foreach((json_t *)json, key, value) {
		size_t i = 0;

		while (i < ARRAY_LEN(known) && strcmp(known[i], key))
			i++;
		if (i == ARRAY_LEN(known))
			return err_set(err, ERR_INVALID, "unknown member '%s' in a rule", key);
	}
	return 0;
}

static struct rule *rule_read(json_t *json, int64_t now_ms, struct err *err)
{
	struct rule *rule = xcalloc(1, sizeof(*rule));
	json_t *one = json_object_get(json, "fault");
	json_t *many = json_is_array(one) ? one : json_object_get(json, "faults");
	json_t *item;
	size_t i;
	int rc = 0;

	rule->json = json_incref(json);
	rule->reused = -1;
	rule->count = 1;
	rule->added_ms = now_ms;
	if (!json_is_object(json))
		rc = err_set(err, ERR_INVALID, "a rule must be an object");
	rc = rc ? rc : read_match(rule, json_object_get(json, "match"), err);
	rc = rc ? rc : read_limits(rule, json, err);
	if (!rc && one && one != many)
		rc = read_fault(rule, one, err);
	json_array_foreach(many, i, item)
		rc = rc ? rc : read_fault(rule, item, err);
	if (!rc && !rule->fault_count)
		rc = err_set(err, ERR_INVALID, "a rule needs a 'fault'");
	if (!rc)
		return rule;
	rule_free(rule);
	return NULL;
}

int rules_add(struct rules *rules, int64_t now_ms, const json_t *json, struct err *err)
{
	const json_t *list = json_is_array(json) ? json : json_object_get(json, "faults");
	struct rules added = { .list = STAILQ_HEAD_INITIALIZER(added.list) };
	struct rule *rule;
	size_t count = 1;
	int plain = !json_is_array(list) || json_object_get(json, "match");

	if (!plain)
		count = json_array_size(list);
	for (size_t i = 0; i < count; i++) {
		rule = rule_read(plain ? (json_t *)json : json_array_get(list, i), now_ms, err);
		if (!rule) {
			rules_remove(&added, 0);
			return -1;
		}
		STAILQ_INSERT_TAIL(&added.list, rule, link);
	}
	STAILQ_FOREACH(rule, &added.list, link)
		rule->id = ++rules->last_id;
	STAILQ_CONCAT(&rules->list, &added.list);
	return 0;
}

static int pattern_fits(const char *pattern, const char *text)
{
	return !pattern || !fnmatch(pattern, text, 0);
}

static int rule_fits(const struct rule *r, const struct fault_subject *s)
{
	const char *path = strncmp(s->path, "/v1", 3) ? s->path : s->path + 3;

	if (r->ops && !(r->ops & (1ULL << s->op)))
		return 0;
	if (r->reused >= 0 && r->reused != !!s->reused)
		return 0;
	return pattern_fits(r->method, s->method) && pattern_fits(r->path, path) &&
	       pattern_fits(r->server_type, s->server_type) &&
	       pattern_fits(r->location, s->location) && pattern_fits(r->name, s->name) &&
	       pattern_fits(r->lease, s->lease) && pattern_fits(r->token, s->token);
}

static int rule_is_spent(const struct rule *r, int64_t now_ms)
{
	if (r->count >= 0 && r->hits >= r->count)
		return 1;
	return r->for_ms && r->first_ms && now_ms - r->first_ms >= r->for_ms;
}

void rules_match(struct rules *rules, const struct fault_subject *subject,
	double (*draw)(void *), void *arg, struct plan *ret)
{
	struct rule *r;

	STAILQ_FOREACH(r, &rules->list, link) {
		if (!rule_fits(r, subject) || subject->now_ms - r->added_ms < r->after_ms)
			continue;
		if (rule_is_spent(r, subject->now_ms) || ++r->seen <= r->skip)
			continue;
		if (r->probability < 1 && draw(arg) >= r->probability)
			continue;
		r->hits++;
		if (!r->first_ms)
			r->first_ms = subject->now_ms;
		for (size_t i = 0; i < r->fault_count && ret->count < PLAN_MAX; i++) {
			ret->items[ret->count] = r->faults[i];
			json_incref(ret->items[ret->count++].args);
		}
	}
}

size_t rules_pending(const struct rules *rules)
{
	const struct rule *r;
	size_t n = 0;

	STAILQ_FOREACH(r, &rules->list, link)
		n += r->count >= 0 && r->hits < r->count;
	return n;
}

void rules_write(const struct rules *rules, struct buf *out)
{
	const struct rule *r;

	out_begin(out, '{');
	out_key_begin(out, "faults", '[');
	STAILQ_FOREACH(r, &rules->list, link) {
		json_t *shown = json_copy(r->json);
		char *text;

		json_object_set_new(shown, "id", json_integer(r->id));
		json_object_set_new(shown, "seen", json_integer(r->seen));
		json_object_set_new(shown, "hits", json_integer(r->hits));
		text = json_dumps(shown, JSON_COMPACT);
		out_raw(out, text);
		free(text);
		json_decref(shown);
	}
	out_end(out, ']');
	out_end(out, '}');
}
