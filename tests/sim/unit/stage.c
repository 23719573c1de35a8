/* SPDX-License-Identifier: MIT */
#include "stage.h"

#include <string.h>

#include "util/alloc.h"

int stage_open(void **state)
{
	struct stage *s = xcalloc(1, sizeof(*s));
	struct cloud_config config;

	cloud_config_init(&config);
	s->cloud = cloud_new(&config);
	s->now_ms = 1795564800000;
	s->token = "Bearer secret";
	cloud_response_init(&s->answer);
	*state = s;
	return 0;
}

int stage_close(void **state)
{
	struct stage *s = *state;

	cloud_response_fini(&s->answer);
	json_decref(s->json);
	cloud_free(s->cloud);
	free(s);
	return 0;
}

static int take_answer(struct stage *s)
{
	json_decref(s->json);
	s->json = s->answer.body_len ? json_loadb(s->answer.body, s->answer.body_len,
		JSON_DECODE_ANY, NULL) : NULL;
	return s->answer.status;
}

int ask(struct stage *s, const char *method, const char *target, const char *body)
{
	auto_free char *whole = xasprintf("%s%s", strncmp(target, "/_sim", 5) ? "/v1" : "", target);
	struct cloud_request request = {
		.method = method, .target = whole, .authorization = s->token,
		.body = body, .body_len = body ? strlen(body) : 0, .reused = s->reused,
	};

	cloud_response_fini(&s->answer);
	cloud_handle(s->cloud, s->now_ms, &request, &s->answer);
	return take_answer(s);
}

int resume(struct stage *s)
{
	uint64_t ticket = s->answer.wire.ticket;

	cloud_response_fini(&s->answer);
	assert_int_equal(cloud_resume(s->cloud, s->now_ms, ticket, &s->answer), 0);
	return take_answer(s);
}

void pass(struct stage *s, int64_t ms)
{
	s->now_ms += ms;
	cloud_advance(s->cloud, s->now_ms);
}

void want(struct stage *s, int status, const char *method, const char *target, const char *body)
{
	if (ask(s, method, target, body) == status)
		return;
	fail_msg("%s %s: %d instead of %d: %s", method, target, s->answer.status, status,
		s->answer.body ? s->answer.body : "");
}

void fault(struct stage *s, const char *rule)
{
	auto_free char *json = xstrdup(rule);

	for (char *p = json; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	want(s, 200, "POST", "/_sim/faults", json);
}

const json_t *member(const struct stage *s, const char *path)
{
	const json_t *at = s->json;

	while (*path && at) {
		size_t len = strcspn(path, ".");
		auto_free char *word = xstrndup(path, len);

		at = json_is_array(at) ? json_array_get(at, strtoul(word, NULL, 10))
			: json_object_get(at, word);
		path += len + (path[len] == '.');
	}
	return at;
}

const char *text(const struct stage *s, const char *path)
{
	const char *found = json_string_value(member(s, path));

	return found ? found : "";
}

int64_t number(const struct stage *s, const char *path)
{
	const json_t *found = member(s, path);

	return json_is_integer(found) ? json_integer_value(found) : -1;
}

const char *error_code(const struct stage *s)
{
	return text(s, "error.code");
}

int64_t make_server(struct stage *s, const char *name)
{
	auto_free char *body = xasprintf("{\"name\":\"%s\",\"server_type\":\"cx23\","
		"\"image\":\"ubuntu-24.04\",\"location\":\"nbg1\","
		"\"labels\":{\"lessor-lease\":\"lease-%s\",\"env\":\"test\"}}", name, name);

	want(s, 201, "POST", "/servers", body);
	return number(s, "server.id");
}

struct tally {
	enum cloud_kind kind;
	const char *what;
	size_t count;
};

static void count_object(void *arg, const struct cloud_object *object)
{
	struct tally *t = arg;

	t->count += object->kind == t->kind;
}

size_t count_of(struct stage *s, enum cloud_kind kind)
{
	struct tally t = { .kind = kind };

	cloud_visit_objects(s->cloud, count_object, &t);
	return t.count;
}

static void count_event(void *arg, const struct cloud_event *event)
{
	struct tally *t = arg;

	t->count += !strcmp(event->what, t->what);
}

int happened(struct stage *s, const char *what)
{
	struct tally t = { .what = what };

	cloud_visit_events(s->cloud, 0, count_event, &t);
	return (int)t.count;
}
