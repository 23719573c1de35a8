/* SPDX-License-Identifier: MIT */
/*
 * BODY faults: changes to the body of a valid response. The body is parsed, changed and
 * printed again. Text that is not valid JSON is inserted as a placeholder, which is replaced
 * after printing.
 */
#include <string.h>

#include "sim/call.h"
#include "util/alloc.h"

enum { MARKS_MAX = 32 };

struct lie {
	json_t *root;
	char *marks[MARKS_MAX]; /* the text for "@raw<i>@" */
	size_t mark_count;
};

/* A placeholder that is replaced by `text` after printing. */
static json_t *add_mark(struct lie *lie, const char *text)
{
	char name[16];

	if (lie->mark_count == MARKS_MAX)
		return json_null();
	snprintf(name, sizeof(name), "@raw%zu@", lie->mark_count);
	lie->marks[lie->mark_count++] = xstrdup(text);
	return json_string(name);
}

static void put_member(json_t *node, const char *key, json_t *value)
{
	if (json_is_object(node) && value)
		json_object_set(node, key, value);
	else if (json_is_object(node))
		json_object_del(node, key);
}

/* Sets (NULL: removes) the target of a JSON pointer; '*' matches every element. */
static void set_pointer(json_t *node, const char *pointer, json_t *value)
{
	size_t len;
	auto_free char *word = NULL;
	const char *key;
	json_t *child;

	if (*pointer != '/')
		return;
	len = strcspn(pointer + 1, "/");
	word = xstrndup(pointer + 1, len);
	pointer += 1 + len;
	if (strcmp(word, "*")) {
		int64_t i;

		if (!*pointer)
			put_member(node, word, value);
		else if (json_is_array(node) && !number_parse(word, &i))
			set_pointer(json_array_get(node, (size_t)i), pointer, value);
		else
			set_pointer(json_object_get(node, word), pointer, value);
		return;
	}
	for (size_t i = 0; *pointer && i < json_array_size(node); i++)
		set_pointer(json_array_get(node, i), pointer, value);
	if (*pointer)
		json_object_foreach(node, key, child)
			set_pointer(child, pointer, value);
}

static void apply_patch(struct lie *lie, const json_t *args)
{
	const char *pointer;
	json_t *value;
	size_t i;

	json_object_foreach(json_object_get(args, "set"), pointer, value)
		set_pointer(lie->root, pointer, value);
	json_object_foreach(json_object_get(args, "raw"), pointer, value) {
		json_t *placed = add_mark(lie, json_is_string(value) ? json_string_value(value) :
								       "null");

		set_pointer(lie->root, pointer, placed);
		json_decref(placed);
	}
	json_array_foreach(json_object_get(args, "remove"), i, value) {
		if (json_is_string(value))
			set_pointer(lie->root, json_string_value(value), NULL);
	}
}

typedef void object_fn(struct lie *lie, json_t *object, const json_t *args);

static void each_in(struct lie *lie, json_t *value, object_fn *fn, const json_t *args)
{
	if (json_is_object(value))
		fn(lie, value, args);
	for (size_t i = 0; i < json_array_size(value); i++)
		fn(lie, json_array_get(value, i), args);
}

/* The objects of a response: its first member, or the one named by `of`. */
static void each_object(struct lie *lie, object_fn *fn, const json_t *args)
{
	const char *of = args_str(args, "of", NULL);
	const char *key;
	json_t *value;

	json_object_foreach(lie->root, key, value) {
		if (of ? strcmp(of, key) : !strcmp(key, "error") || !strcmp(key, "meta"))
			continue;
		each_in(lie, value, fn, args);
		return;
	}
}

static void lie_id(struct lie *lie, json_t *object, const json_t *args)
{
	const char *as = args_str(args, "as", "");
	int64_t id = json_integer_value(json_object_get(object, "id"));
	json_t *other = json_object_get(args, "value");
	json_t *value = NULL;
	char text[48];

	snprintf(text, sizeof(text), "%lld", (long long)id);
	if (other)
		value = json_incref(other);
	else if (!strcmp(as, "string"))
		value = json_string(text);
	else if (!strcmp(as, "huge"))
		value = add_mark(lie, "92233720368547758080");
	else if (!strcmp(as, "exp"))
		value = add_mark(lie, "1.18400001e8");
	else if (!strcmp(as, "zero"))
		value = json_integer(0);
	else if (!strcmp(as, "negative"))
		value = json_integer(-id);
	else if (!strcmp(as, "null"))
		value = json_null();
	if (!strcmp(as, "float")) {
		snprintf(text, sizeof(text), "%lld.5", (long long)id);
		value = add_mark(lie, text);
	}
	put_member(object, "id", value);
	json_decref(value);
}

static void lie_status(struct lie *lie, json_t *object, const json_t *args)
{
	(void)lie;
	if (json_object_get(object, "status"))
		json_object_set_new(object, "status",
			json_string(args_str(args, "value", "quarantine")));
}

static void lie_labels(struct lie *lie, json_t *object, const json_t *args)
{
	json_t *as = json_object_get(args, "as");

	(void)lie;
	if (!strcmp(args_str(args, "as", ""), "missing"))
		json_object_del(object, "labels");
	else if (json_is_object(as))
		json_object_set(object, "labels", as);
	else
		json_object_set_new(object, "labels", json_null());
}

static void lie_name(struct lie *lie, json_t *object, const json_t *args)
{
	const char *name = json_string_value(json_object_get(object, "name"));
	const char *as = args_str(args, "as", "upper");
	char text[300];

	(void)lie;
	snprintf(text, sizeof(text), "%s%s", name ? name : "", strcmp(as, "dot") ? "" : ".");
	for (char *p = text; *p && !strcmp(as, "upper"); p++)
		*p = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
	json_object_set_new(object, "name", json_string(args_str(args, "value", text)));
}

static void lie_ip(struct lie *lie, json_t *object, const json_t *args)
{
	json_t *net = json_object_get(object, "public_net");
	const char *value = args_str(args, "value", NULL);

	(void)lie;
	if (!value && net)
		json_object_set_new(net, "ipv4", json_null());
	else if (value && !strcmp(value, "missing"))
		json_object_del(net, "ipv4");
	else if (value)
		put_member(json_object_get(net, "ipv4"), "ip", json_object_get(args, "value"));
}

/* Adds unknown members to every object except labels. */
static void add_extras(json_t *node)
{
	const char *key;
	json_t *child;
	size_t i;

	json_array_foreach(node, i, child)
		add_extras(child);
	json_object_foreach(node, key, child) {
		if (strcmp(key, "labels"))
			add_extras(child);
	}
	if (json_is_object(node))
		json_object_set_new(node, "x_future",
			json_pack("{s:[i,n,{s:s}],s:b}", "list", 1, "deep", "value", "flag", 1));
}

static void lie_details(struct lie *lie, const json_t *args)
{
	json_t *error = json_object_get(lie->root, "error");
	const char *as = args_str(args, "as", "null");

	if (!error)
		return;
	if (!strcmp(as, "missing"))
		json_object_del(error, "details");
	else
		json_object_set_new(error, "details",
			!strcmp(as, "empty") ? json_object() : json_null());
}

static void apply_fault(struct lie *lie, const struct plan_item *item)
{
	switch (item->kind) {
	case FAULT_PATCH:
		apply_patch(lie, item->args);
		break;
	case FAULT_ID:
		each_object(lie, lie_id, item->args);
		break;
	case FAULT_DETAILS:
		lie_details(lie, item->args);
		break;
	case FAULT_EXTRA:
		add_extras(lie->root);
		break;
	case FAULT_ODD_STATUS:
		each_object(lie, lie_status, item->args);
		break;
	case FAULT_NO_ACTION:
		json_object_del(lie->root, "action");
		json_object_del(lie->root, "next_actions");
		break;
	case FAULT_LABELS:
		each_object(lie, lie_labels, item->args);
		break;
	case FAULT_NAME:
		each_object(lie, lie_name, item->args);
		break;
	case FAULT_IP:
		each_object(lie, lie_ip, item->args);
		break;
	default:
		break;
	}
}

/* Prints the root, with placeholders replaced. */
static void print_marked(struct lie *lie, struct buf *out)
{
	auto_free char *text = json_dumps(lie->root, JSON_COMPACT | JSON_ENCODE_ANY);
	const char *at = text;

	buf_clear(out);
	while (at) {
		const char *next = strstr(at, "\"@raw");
		size_t which = next ? strtoul(next + 5, NULL, 10) : 0;

		if (!next || which >= lie->mark_count) {
			buf_adds(out, at);
			break;
		}
		buf_add(out, at, (size_t)(next - at));
		buf_adds(out, lie->marks[which]);
		at = strchr(next + 1, '"') + 1;
	}
}

/* Replaces the leading "{" of the body with `front`, which ends with a comma. */
static void push_front(struct buf *out, const void *front, size_t len)
{
	auto_free char *rest = xstrdup(buf_str(out));

	buf_clear(out);
	buf_add(out, front, len);
	buf_adds(out, *rest == '{' ? rest + 1 : rest);
}

static void nest_arrays(struct buf *out, int64_t depth)
{
	buf_clear(out);
	buf_adds(out, "{\"server\":");
	for (int64_t i = 0; i < depth; i++)
		buf_addc(out, '[');
	for (int64_t i = 0; i < depth; i++)
		buf_addc(out, ']');
	buf_addc(out, '}');
}

/* Duplicates an id with another value. */
static void duplicate_id(struct buf *out)
{
	auto_free char *text = xstrdup(buf_str(out));
	const char *id = strstr(text, "\"id\":");

	if (!id)
		return;
	buf_clear(out);
	buf_add(out, text, (size_t)(id - text));
	buf_adds(out, "\"id\":1,");
	buf_adds(out, id);
}

static void shape_body(struct buf *out, const json_t *args)
{
	static const struct {
		const char *as, *text;
	} texts[] = {
		{ "html", "<!DOCTYPE html><html><body>Please log in</body></html>" },
		{ "empty", "" }, { "text", "OK" }, { "array", "[]" }, { "null", "null" },
		{ "object", "{}" },
		{ "error", "{\"error\":{\"code\":\"server_error\","
			"\"message\":\"it failed after all\",\"details\":null}}" },
	};
	static const char nul[] = "{\"x\":\"a\0b\",";
	static const char utf8[] = "{\"x\":\"\xff\xfe\xc0\x80\",";
	static const char surrogate[] = "{\"x\":\"\\ud800\",";
	const char *as = args_str(args, "as", "empty");

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (strcmp(texts[i].as, as))
			continue;
		buf_clear(out);
		buf_adds(out, texts[i].text);
		return;
	}
	if (!strcmp(as, "utf8"))
		push_front(out, utf8, sizeof(utf8) - 1);
	else if (!strcmp(as, "nul"))
		push_front(out, nul, sizeof(nul) - 1);
	else if (!strcmp(as, "surrogate"))
		push_front(out, surrogate, sizeof(surrogate) - 1);
	else if (!strcmp(as, "duplicate"))
		duplicate_id(out);
	else if (!strcmp(as, "deep"))
		nest_arrays(out, args_int(args, "depth", 100000) % 10000000);
	else if (!strcmp(as, "truncated"))
		out->len /= 2;
}

void lie_about(struct call *call)
{
	struct lie lie = { 0 };
	const struct plan *plan = &call->plan;
	size_t count = 0;

	for (size_t i = 0; i < plan->count; i++)
		count += fault_sort(plan->items[i].kind) == FAULT_IS_BODY;
	if (!count)
		return;
	lie.root = json_loads(buf_str(&call->out), 0, NULL);
	if (lie.root) {
		for (size_t i = 0; i < plan->count; i++)
			apply_fault(&lie, &plan->items[i]);
		print_marked(&lie, &call->out);
	}
	json_decref(lie.root);
	for (size_t i = 0; i < lie.mark_count; i++)
		free(lie.marks[i]);
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->items[i].kind == FAULT_SHAPE)
			shape_body(&call->out, plan->items[i].args);
	}
}
