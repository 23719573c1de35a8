/* SPDX-License-Identifier: MIT */
/*
 * Changes to objects: names, labels, protection; who made them, and faults.
 */
#include "stage.h"

#include <stdlib.h>
#include <string.h>

#include "util/alloc.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

static int64_t make_key(struct stage *s, const char *name, const char *public_key)
{
	auto_free char *body = xasprintf("{\"name\":\"%s\",\"public_key\":\"%s\","
		"\"labels\":{\"lessor-lease\":\"lease-k\"}}", name, public_key);

	want(s, 201, "POST", "/ssh_keys", body);
	return number(s, "ssh_key.id");
}

static char *path_of(const char *what, int64_t id)
{
	return xasprintf("/%s/%lld", what, (long long)id);
}

static void labels_are_replaced_as_a_whole(void **state)
{
	struct stage *s = *state;
	auto_free char *one = path_of("servers", make_server(s, "a"));
	auto_free char *key = path_of("ssh_keys", make_key(s, "k", KEY_A));

	want(s, 200, "PUT", one, "{\"labels\":{\"x\":\"y\"}}"); /* also during its creation */
	assert_int_equal(json_object_size(member(s, "server.labels")), 1);
	assert_string_equal(text(s, "server.labels.x"), "y");
	want(s, 200, "PUT", one, "{\"name\":\"b\"}");
	assert_string_equal(text(s, "server.name"), "b");
	assert_string_equal(text(s, "server.labels.x"), "y");
	want(s, 200, "PUT", one, "{\"name\":\"b\",\"labels\":{}}");
	assert_int_equal(json_object_size(member(s, "server.labels")), 0);
	want(s, 200, "PUT", key, "{\"labels\":{\"x\":\"\",\"a.b/c\":\"d\"},\"name\":\"a_b c\"}");
	assert_string_equal(text(s, "ssh_key.name"), "a_b c");
	want(s, 200, "GET", key, NULL);
	assert_int_equal(json_object_size(member(s, "ssh_key.labels")), 2);
	want(s, 200, "GET", "/ssh_keys?label_selector=lessor-lease", NULL);
	assert_int_equal(json_array_size(member(s, "ssh_keys")), 0);
}

static void changes_are_checked(void **state)
{
	static const struct {
		int is_key;
		const char *body;
		int status;
		const char *code;
	} cases[] = {
		{ 0, "{'name':'a_b','labels':{}}", 422, "invalid_input" },
		{ 0, "{'name':''}", 422, "invalid_input" },
		{ 0, "{'name':null}", 422, "invalid_input" },
		{ 0, "{'name':'b','labels':{'a':'b:c'}}", 422, "invalid_input" },
		{ 0, "{'name':'b','labels':{'-a':'b'}}", 422, "invalid_input" },
		{ 0, "{'name':'b','labels':{'a':1}}", 422, "invalid_input" },
		{ 0, "{'name':'b','labels':['a']}", 422, "invalid_input" },
		{ 0, "{'name':'taken','labels':{}}", 409, "uniqueness_error" },
		{ 0, "[]", 422, "json_error" },
		{ 0, "{'name'", 422, "json_error" },
		{ 0, NULL, 422, "json_error" },
		{ 1, "{'name':'','labels':{}}", 422, "invalid_input" },
		{ 1, "{'name':7,'labels':{}}", 422, "invalid_input" },
		{ 1, "{'name':'other','labels':{}}", 409, "uniqueness_error" },
	};
	struct stage *s = *state;
	auto_free char *one = path_of("servers", make_server(s, "a"));
	auto_free char *key = path_of("ssh_keys", make_key(s, "k", KEY_A));

	make_server(s, "taken");
	make_key(s, "other", KEY_B);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *body = cases[i].body ? xstrdup(cases[i].body) : NULL;

		for (char *p = body; p && *p; p++)
			*p = *p == '\'' ? '"' : *p;
		want(s, cases[i].status, "PUT", cases[i].is_key ? key : one, body);
		assert_string_equal(error_code(s), cases[i].code);
	}
	assert_string_equal(text(s, "error.details.fields.0.name"), "name");
	/* A refused request changes nothing, not even partially. */
	want(s, 200, "GET", one, NULL);
	assert_string_equal(text(s, "server.name"), "a");
	assert_int_equal(json_object_size(member(s, "server.labels")), 2);
	want(s, 200, "GET", key, NULL);
	assert_string_equal(text(s, "ssh_key.name"), "k");
	assert_int_equal(json_object_size(member(s, "ssh_key.labels")), 1);
	assert_int_equal(happened(s, "renamed") + happened(s, "relabelled"), 0);
	want(s, 404, "PUT", "/servers/1", "{\"labels\":{}}");
	want(s, 404, "PUT", "/ssh_keys/1", "{\"labels\":{}}");
	want(s, 404, "POST", "/servers/1/actions/change_protection",
		"{\"delete\":true,\"rebuild\":true}");
	want(s, 200, "PUT", one, "{\"name\":\"a\"}");	/* its own */
}

struct search {
	const char *what;
	char *found;
};

static void keep_event(void *arg, const struct cloud_event *e)
{
	struct search *search = arg;

	if (strcmp(e->what, search->what))
		return;
	free(search->found);
	search->found = xasprintf("%s %s %lld %s", e->who, cloud_kind_name(e->kind),
		(long long)e->id, e->text);
}

/* The last event of that name is by `who`, of that object. */
static void by(struct stage *s, const char *what, const char *who, enum cloud_kind kind, int64_t id,
	const char *said)
{
	struct search search = { .what = what };
	auto_free char *wanted = xasprintf("%s %s %lld %s", who, cloud_kind_name(kind),
		(long long)id, said);

	cloud_visit_events(s->cloud, 0, keep_event, &search);
	assert_non_null(search.found);
	assert_string_equal(search.found, wanted);
	free(search.found);
}

#define ON "{\"delete\":true,\"rebuild\":true}"
#define OFF "{\"delete\":false,\"rebuild\":false}"

static void protection_fences_a_server(void **state)
{
	static const char *const wrong[] = {
		"{\"delete\":true,\"rebuild\":false}", "{\"delete\":false,\"rebuild\":true}",
		"{\"delete\":true}", "{\"rebuild\":true}", "{}", "{\"delete\":1,\"rebuild\":1}",
	};
	struct stage *s = *state;
	int64_t id = make_server(s, "a");
	auto_free char *one = path_of("servers", id);
	auto_free char *protect = xasprintf("%s/actions/change_protection", one), *poll = NULL;

	want(s, 423, "POST", protect, ON);
	assert_string_equal(error_code(s), "locked");
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		want(s, 422, "POST", protect, wrong[i]);
		assert_string_equal(error_code(s), "invalid_input");
	}
	pass(s, 20000);
	want(s, 201, "POST", protect, ON);
	assert_string_equal(text(s, "action.command"), "change_protection");
	assert_string_equal(text(s, "action.status"), "success");
	assert_int_equal(number(s, "action.progress"), 100);
	assert_string_equal(text(s, "action.resources.0.type"), "server");
	assert_int_equal(number(s, "action.resources.0.id"), id);
	poll = path_of("actions", number(s, "action.id"));
	want(s, 200, "GET", poll, NULL);
	want(s, 200, "GET", one, NULL);
	assert_true(json_is_true(member(s, "server.protection.delete")));
	assert_true(json_is_true(member(s, "server.protection.rebuild")));
	want(s, 423, "DELETE", one, NULL);
	assert_string_equal(error_code(s), "protected");
	want(s, 200, "PUT", one, "{\"labels\":{\"x\":\"y\"}}");
	want(s, 201, "POST", protect, OFF);
	want(s, 200, "GET", one, NULL);
	assert_true(json_is_false(member(s, "server.protection.delete")));
	assert_true(json_is_false(member(s, "server.protection.rebuild")));
	want(s, 200, "DELETE", one, NULL);
	want(s, 423, "POST", protect, ON);
	pass(s, 5000);
	want(s, 404, "POST", protect, ON);
}

static void changes_are_told_with_who_did_them(void **state)
{
	struct stage *s = *state;
	int64_t id = make_server(s, "a"), key = make_key(s, "k", KEY_A);
	auto_free char *one = path_of("servers", id), *two = path_of("ssh_keys", key);
	auto_free char *protect = xasprintf("%s/actions/change_protection", one);

	pass(s, 20000);
	want(s, 200, "PUT", one, "{\"labels\":{\"x\":\"y\",\"z\":\"\"}}");
	by(s, "relabelled", "t1", CLOUD_SERVER, id, "");
	want(s, 200, "PUT", two, "{\"labels\":{}}");
	by(s, "relabelled", "t1", CLOUD_KEY, key, "");
	want(s, 200, "PUT", one, "{\"labels\":{\"z\":\"\",\"x\":\"y\"}}"); /* unchanged */
	assert_int_equal(happened(s, "relabelled"), 2);
	want(s, 200, "POST", "/_sim/human", "{\"verb\":\"relabel\",\"name\":\"a\",\"labels\":{}}");
	by(s, "relabelled", "human", CLOUD_SERVER, id, "");
	want(s, 201, "POST", protect, OFF);
	assert_int_equal(happened(s, "unprotected"), 0);
	want(s, 201, "POST", protect, ON);
	want(s, 201, "POST", protect, ON);
	assert_int_equal(happened(s, "protected"), 1);
	by(s, "protected", "t1", CLOUD_SERVER, id, "");
	want(s, 200, "POST", "/_sim/human", "{\"verb\":\"unprotect\",\"name\":\"a\"}");
	by(s, "unprotected", "human", CLOUD_SERVER, id, "");
	want(s, 200, "POST", "/_sim/human", "{\"verb\":\"protect\",\"name\":\"a\"}");
	by(s, "protected", "human", CLOUD_SERVER, id, "");
	s->token = "Bearer other";
	want(s, 201, "POST", protect, OFF);
	by(s, "unprotected", "t2", CLOUD_SERVER, id, "");
	want(s, 200, "PUT", one, "{\"name\":\"b\"}");
	by(s, "renamed", "t2", CLOUD_SERVER, id, "b");
}

static void addresses_can_be_kept(void **state)
{
	struct stage *s = *state;
	auto_free char *one = path_of("servers", make_server(s, "a"));
	int64_t id = number(s, "server.public_net.ipv4.id");
	auto_free char *ip = path_of("primary_ips", id), *poll = NULL;
	auto_free char *protect = xasprintf("%s/actions/change_protection", ip);

	pass(s, 20000);
	want(s, 422, "POST", protect, "{\"delete\":true}"); /* deleted with its server */
	want(s, 422, "POST", protect, "{}");
	want(s, 422, "PUT", ip, "{\"auto_delete\":\"no\",\"name\":\"mine\"}");
	want(s, 422, "PUT", ip, "{\"auto_delete\":false,\"labels\":{\"a\":1}}");
	want(s, 404, "PUT", "/primary_ips/1", "{}");
	assert_int_equal(happened(s, "auto_delete") + happened(s, "renamed"), 0);
	want(s, 200, "PUT", ip, "{\"auto_delete\":false,\"name\":\"mine\",\"labels\":{\"a\":\"b\"}}");
	assert_true(json_is_false(member(s, "primary_ip.auto_delete")));
	assert_string_equal(text(s, "primary_ip.name"), "mine");
	assert_string_equal(text(s, "primary_ip.labels.a"), "b");
	by(s, "auto_delete", "t1", CLOUD_IP, id, "off");
	by(s, "relabelled", "t1", CLOUD_IP, id, "");
	want(s, 201, "POST", protect, "{\"delete\":true}");
	assert_string_equal(text(s, "action.resources.0.type"), "primary_ip");
	assert_string_equal(text(s, "action.status"), "success");
	poll = path_of("actions", number(s, "action.id"));
	want(s, 200, "GET", poll, NULL);
	by(s, "protected", "t1", CLOUD_IP, id, "");
	want(s, 422, "PUT", ip, "{\"auto_delete\":true}");
	want(s, 200, "DELETE", one, NULL);
	pass(s, 60000);
	assert_int_equal(count_of(s, CLOUD_IP), 1);
	want(s, 423, "DELETE", ip, NULL);
	want(s, 201, "POST", protect, "{\"delete\":false}");
	want(s, 204, "DELETE", ip, NULL);
	assert_int_equal(cloud_calls(s->cloud, "ip.update", NULL), 5);
	assert_int_equal(cloud_calls(s->cloud, "ip.act", NULL), 4);
}

static void a_person_keeps_an_address(void **state)
{
	struct stage *s = *state;
	auto_free char *one = path_of("servers", make_server(s, "a"));
	int64_t id = number(s, "server.public_net.ipv4.id");
	auto_free char *human = xasprintf("{\"verb\":\"protect\",\"kind\":\"primary_ip\","
		"\"id\":%lld}", (long long)id);

	pass(s, 20000);
	want(s, 200, "POST", "/_sim/human", human);
	by(s, "auto_delete", "human", CLOUD_IP, id, "off");
	by(s, "protected", "human", CLOUD_IP, id, "");
	want(s, 200, "DELETE", one, NULL);
	pass(s, 60000);
	assert_int_equal(count_of(s, CLOUD_IP), 1);
}

/* What an observer finds when it reads the object of an event. */
struct watcher {
	struct cloud *cloud;
	char seen[400];
};

static void look(void *arg, const struct cloud_event *e)
{
	struct watcher *w = arg;
	struct cloud_object o;
	const char *label = cloud_object_label(w->cloud, e->kind, e->id, "x");
	size_t len = strlen(w->seen);

	if (e->kind == CLOUD_IP || !strcmp(e->what, "status"))
		return;
	if (cloud_object_find(w->cloud, e->kind, e->id, &o))
		snprintf(w->seen + len, sizeof(w->seen) - len, "%s: gone; ", e->what);
	else
		snprintf(w->seen + len, sizeof(w->seen) - len, "%s: %s%s%s; ", e->what, o.name,
			o.is_protected ? " protected" : "", label ? label : "");
	assert_true(!label || !*label || label[1] == '\0');
}

static void observers_find_what_they_were_told(void **state)
{
	struct stage *s = *state;
	struct watcher w = { 0 };
	struct cloud_config config;
	struct cloud_object o;
	int64_t id;

	cloud_config_init(&config);
	config.observe = look;
	config.observe_arg = &w;
	cloud_free(s->cloud);
	s->cloud = w.cloud = cloud_new(&config);
	id = make_key(s, "k", KEY_A);
	auto_free char *key = path_of("ssh_keys", id);

	want(s, 200, "PUT", key, "{\"labels\":{\"x\":\"1\"},\"name\":\"l\"}");
	assert_string_equal(cloud_object_label(s->cloud, CLOUD_KEY, id, "x"), "1");
	assert_null(cloud_object_label(s->cloud, CLOUD_KEY, id, "y"));
	assert_null(cloud_object_label(s->cloud, CLOUD_SERVER, id, "x"));
	want(s, 204, "DELETE", key, NULL);
	assert_null(cloud_object_label(s->cloud, CLOUD_KEY, id, "x"));
	assert_string_equal(w.seen, "created: k; renamed: l; relabelled: l1; deleted: gone; ");
	w.seen[0] = '\0';
	id = make_server(s, "a");
	auto_free char *one = path_of("servers", id);

	pass(s, 20000);
	want(s, 200, "POST", "/_sim/human", "{\"verb\":\"protect\",\"name\":\"a\"}");
	assert_int_equal(cloud_object_find(s->cloud, CLOUD_SERVER, id, &o), 0);
	assert_true(o.is_protected && !o.is_hidden && !o.is_unlisted);
	assert_string_equal(o.status, "running");
	assert_string_equal(o.lease, "lease-a");
	want(s, 200, "POST", "/_sim/human", "{\"verb\":\"unprotect\",\"name\":\"a\"}");
	fault(s, "{'match':{'op':'s.delete'},'fault':{'kind':'ghost','ms':60000}}");
	want(s, 200, "DELETE", one, NULL);
	pass(s, 10000);
	assert_int_equal(cloud_object_find(s->cloud, CLOUD_SERVER, id, &o), -1);
	assert_string_equal(w.seen, "created: a; password_mailed: a; protected: a protected; "
		"unprotected: a; delete_requested: a; deleted: gone; ");
}

/* Every request that changes an object; the effect is read from the real state. */
struct change {
	const char *op, *method;
	enum cloud_kind kind;
	int is_act;			/* the protection, not a label */
	char *path;
	int64_t id;
	int asked; /* the value requested last */
};
enum { CHANGES = 5 };

static void changes_open(struct stage *s, struct change *c)
{
	int64_t server = make_server(s, "a"), ip = number(s, "server.public_net.ipv4.id");
	int64_t key = make_key(s, "k", KEY_A);

	c[0] = (struct change){ "s.update", "PUT", CLOUD_SERVER, 0, path_of("servers", server),
		server, 0 };
	c[1] = (struct change){ "s.act", "POST", CLOUD_SERVER, 1, xasprintf(
		"/servers/%lld/actions/change_protection", (long long)server), server, 0 };
	c[2] = (struct change){ "k.update", "PUT", CLOUD_KEY, 0, path_of("ssh_keys", key), key, 0 };
	c[3] = (struct change){ "ip.update", "PUT", CLOUD_IP, 0, path_of("primary_ips", ip), ip, 0 };
	c[4] = (struct change){ "ip.act", "POST", CLOUD_IP, 1, xasprintf(
		"/primary_ips/%lld/actions/change_protection", (long long)ip), ip, 0 };
	pass(s, 20000);
	want(s, 200, "PUT", c[3].path, "{\"auto_delete\":false}");
}

static void changes_close(struct change *c)
{
	for (size_t i = 0; i < CHANGES; i++)
		free(c[i].path);
}

static int value_of(struct stage *s, const struct change *c)
{
	const char *label = cloud_object_label(s->cloud, c->kind, c->id, "x");
	struct cloud_object o;

	assert_int_equal(cloud_object_find(s->cloud, c->kind, c->id, &o), 0);
	return c->is_act ? o.is_protected : label ? atoi(label) : 0;
}

static int is_changed(struct stage *s, const struct change *c)
{
	return value_of(s, c) == c->asked;
}

/* Requests a new value under a fault; returns the status. */
static int ask_change(struct stage *s, struct change *c, const char *faults)
{
	auto_free char *rule = xasprintf("{'match':{'op':'%s'},'faults':[%s]}", c->op, faults);
	auto_free char *body = NULL;

	c->asked = c->is_act ? !value_of(s, c) : value_of(s, c) + 1;
	body = c->is_act ? xstrdup(c->asked ? ON : OFF)
		: xasprintf("{\"labels\":{\"x\":\"%d\"}}", c->asked);
	fault(s, rule);
	return ask(s, c->method, c->path, body);
}

static void faults_hit_changes(void **state)
{
	static const struct {
		const char *fault;
		int status; /* 0: no response */
		int effect;
	} cases[] = {
		{ "{'kind':'close'}", 0, 0 }, { "{'kind':'lost'}", 0, 1 },
		{ "{'kind':'hang'}", 0, 1 }, { "{'kind':'hang','effect':false}", 0, 0 },
		{ "{'kind':'cut_headers','bytes':0}", 0, 1 },
		{ "{'kind':'conflict'}", 409, 0 }, { "{'kind':'locked'}", 423, 0 },
		{ "{'kind':'forbidden'}", 403, 0 }, { "{'kind':'token_readonly'}", 401, 0 },
		{ "{'kind':'maintenance'}", 403, 0 }, { "{'kind':'not_found'}", 404, 0 },
		{ "{'kind':'rate_limited'}", 429, 0 }, { "{'kind':'invalid_input'}", 422, 0 },
		{ "{'kind':'server_error'}", 500, 0 }, { "{'kind':'unavailable'}", 503, 0 },
		{ "{'kind':'server_error','effect':true}", 500, 1 },
		{ "{'kind':'bad_gateway','effect':true}", 502, 1 },
		{ "{'kind':'gateway_timeout','effect':true}", 504, 1 },
		{ "{'kind':'conflict','effect':true}", 409, 1 },
		{ "{'kind':'other_project'}", 404, 0 },
	};
	struct stage *s = *state;
	struct change changes[CHANGES];

	changes_open(s, changes);
	for (size_t i = 0; i < ARRAY_LEN(cases) * CHANGES; i++) {
		struct change *c = &changes[i % CHANGES];
		int status = ask_change(s, c, cases[i / CHANGES].fault);

		if (cases[i / CHANGES].status)
			assert_int_equal(status, cases[i / CHANGES].status);
		assert_int_equal(s->answer.wire.head_cut, cases[i / CHANGES].status ? -1 : 0);
		if (is_changed(s, c) != cases[i / CHANGES].effect)
			fail_msg("%s, %s", c->op, cases[i / CHANGES].fault);
	}
	changes_close(changes);
}

static void changes_happen_later(void **state)
{
	struct stage *s = *state;
	struct change changes[CHANGES];
	auto_free char *one = NULL;

	changes_open(s, changes);
	for (size_t i = 0; i < CHANGES; i++) {
		ask_change(s, &changes[i], "{'kind':'slow','ms':90000},{'kind':'lost'}");
		assert_int_equal(s->answer.wire.hold_ms, 90000);
		assert_int_equal(is_changed(s, &changes[i]), 0);
		pass(s, 90000);
		assert_int_equal(resume(s), changes[i].is_act ? 201 : 200);
		assert_int_equal(s->answer.wire.head_cut, 0);
		assert_int_equal(is_changed(s, &changes[i]), 1);
	}
	by(s, "protected", "t1", CLOUD_IP, changes[4].id, "");
	/* A late request applies to the state at that time. */
	one = path_of("servers", changes[0].id);
	want(s, 201, "POST", changes[1].path, OFF);
	ask_change(s, &changes[1], "{'kind':'hold'}");
	uint64_t ticket = s->answer.wire.ticket;

	want(s, 200, "DELETE", one, NULL);
	pass(s, 10000);
	s->answer.wire.ticket = ticket;
	assert_int_equal(resume(s), 404);
	changes_close(changes);
}

static void protection_can_fail(void **state)
{
	struct stage *s = *state;
	struct change changes[CHANGES];
	auto_free char *poll = NULL;

	changes_open(s, changes);
	for (size_t i = 1; i < CHANGES; i += 3) {
		struct change *c = &changes[i];

		assert_int_equal(ask_change(s, c, "{'kind':'protect_error','code':'odd'}"), 201);
		assert_string_equal(text(s, "action.status"), "error");
		assert_string_equal(text(s, "action.error.code"), "odd");
		assert_int_equal(is_changed(s, c), 0);
		assert_int_equal(ask_change(s, c, "{'kind':'protect_ignored'}"), 201);
		assert_string_equal(text(s, "action.status"), "success");
		assert_int_equal(is_changed(s, c), 0);
		assert_int_equal(ask_change(s, c, "{'kind':'endless'},{'kind':'action_unknown'}"),
			201);
		assert_string_equal(text(s, "action.status"), "running");
		assert_int_equal(is_changed(s, c), 1);
		free(take(poll));
		poll = path_of("actions", number(s, "action.id"));
		want(s, 404, "GET", poll, NULL);
	}
	for (size_t i = 0; i < CHANGES; i++) {
		if (changes[i].is_act)
			continue;
		assert_int_equal(ask_change(s, &changes[i], "{'kind':'labels_lost'}"), 200);
		assert_int_equal(is_changed(s, &changes[i]), 0);
	}
	assert_int_equal(happened(s, "relabelled"), 0);
	changes_close(changes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(labels_are_replaced_as_a_whole), TEST(changes_are_checked),
		TEST(protection_fences_a_server), TEST(changes_are_told_with_who_did_them),
		TEST(addresses_can_be_kept), TEST(a_person_keeps_an_address),
		TEST(observers_find_what_they_were_told), TEST(faults_hit_changes),
		TEST(changes_happen_later), TEST(protection_can_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
