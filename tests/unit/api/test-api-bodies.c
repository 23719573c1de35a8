/* SPDX-License-Identifier: MIT */
/*
 * Compares the tables of bodies with openapi.json, both ways: members, types, ranges, lengths,
 * and which ones are required.
 */
#include "table.h"

#include <regex.h>

#include "api/handlers.h"
#include "api/openapi.h"

static json_t *document;

static int setup(void **state)
{
	size_t len;
	const char *text = openapi_text(&len);

	(void)state;
	document = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	return document ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(document);
	return 0;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* The schema itself, or the one that it refers to. */
static json_t *schema_of(json_t *schema)
{
	static const char prefix[] = "#/components/schemas/";
	const char *ref = text_of(schema, "$ref");

	if (!ref[0])
		return schema;
	assert_int_equal(strncmp(ref, prefix, sizeof(prefix) - 1), 0);
	schema = json_object_get(json_object_get(json_object_get(document, "components"), "schemas"),
				 ref + sizeof(prefix) - 1);
	assert_non_null(schema);
	return schema;
}

/* Is it this type, or this type or null? */
static int is_type(const json_t *schema, const char *type)
{
	const json_t *types = json_object_get(schema, "type");

	if (json_is_string(types))
		return !strcmp(json_string_value(types), type);
	return json_array_size(types) == 2 &&
	       !strcmp(json_string_value(json_array_get(types, 0)), type) &&
	       !strcmp(json_string_value(json_array_get(types, 1)), "null");
}

static int is_in(const json_t *array, const char *text)
{
	json_t *item;
	size_t i;

	json_array_foreach(array, i, item) {
		if (!strcmp(json_string_value(item), text))
			return 1;
	}
	return 0;
}

static void compare_choices(const struct body_field *field, const json_t *schema)
{
	json_t *list = json_object_get(schema, "enum");
	size_t count = 0;

	while (field->choices && field->choices[count])
		assert_true(is_in(list, field->choices[count++]));
	assert_int_equal(json_array_size(list), count);
}

static void compare_text(const struct body_field *field, const json_t *schema)
{
	/* A text that is cut may have any length. */
	int is_bounded = field->type == FIELD_TEXT || field->type == FIELD_LINE;

	assert_true(is_type(schema, "string"));
	assert_string_equal(text_of(schema, "format"), field->type == FIELD_TIME ? "date-time" : "");
	assert_string_equal(text_of(schema, "pattern"), field->pattern ? field->pattern : "");
	/* A pattern implies a length. */
	if (is_bounded && !field->pattern)
		assert_int_equal(json_integer_value(json_object_get(schema, "maxLength")),
				 field->size - 1);
	else
		assert_null(json_object_get(schema, "maxLength"));
	compare_choices(field, schema);
}

static void compare_int(const struct body_field *field, const json_t *schema)
{
	const json_t *low = json_object_get(schema, "minimum");
	const json_t *high = json_object_get(schema, "maximum");

	assert_true(is_type(schema, "integer"));
	assert_int_equal(low != NULL, field->low || field->high);
	assert_true(json_integer_value(low) == field->low);
	assert_int_equal(high != NULL, field->high && field->high != INT64_MAX);
	assert_true(!high || json_integer_value(high) == field->high);
}

static void compare_bool(const struct body_field *field, const json_t *schema)
{
	const json_t *only = json_object_get(schema, "const");

	assert_true(is_type(schema, "boolean"));
	assert_int_equal(json_is_true(only), (field->flags & FIELD_ONLY_TRUE) != 0);
	assert_int_equal(json_is_false(only), (field->flags & FIELD_ONLY_FALSE) != 0);
}

static void compare_strings(const struct body_field *field, const json_t *schema)
{
	assert_true(is_type(schema, "array"));
	assert_true(is_type(json_object_get(schema, "items"), "string"));
	assert_int_equal(json_integer_value(json_object_get(schema, "maxItems")), field->size);
}

static void compare_table(const struct body_table *table, json_t *schema);

static void compare_field(const struct body_field *field, json_t *schema)
{
	assert_int_equal(json_is_array(json_object_get(schema, "type")),
			 (field->flags & FIELD_NULL) != 0);
	switch (field->type) {
	case FIELD_TEXT:
	case FIELD_LINE:
	case FIELD_CUT:
	case FIELD_STRING:
	case FIELD_TIME:
	case FIELD_CHOICE:
		compare_text(field, schema);
		break;
	case FIELD_INT:
		compare_int(field, schema);
		break;
	case FIELD_BOOL:
		compare_bool(field, schema);
		break;
	case FIELD_STRINGS:
		compare_strings(field, schema);
		break;
	case FIELD_NUMBER:
		assert_true(is_type(schema, "number"));
		break;
	case FIELD_COUNT:
		assert_true(is_type(schema, "integer"));
		break;
	case FIELD_MAP:
		assert_true(is_type(schema, "object"));
		compare_choices(field, json_object_get(schema, "additionalProperties"));
		break;
	case FIELD_OBJECT:
		if (field->members)
			compare_table(field->members, schema);
		assert_true(is_type(schema_of(schema), "object"));
		break;
	default:
		fail_msg("no such type: %d", (int)field->type);
	}
}

/* Compares member by member; the schema must have the name of the table. */
static void compare_table(const struct body_table *table, json_t *schema)
{
	const char *ref = strrchr(text_of(schema, "$ref"), '/');
	json_t *properties, *required, *item;
	size_t count = 0;

	print_message("%s\n", table->schema);
	assert_non_null(ref);
	assert_string_equal(ref + 1, table->schema);
	schema = schema_of(schema);
	/* h6: the document tells which bodies refuse unknown members */
	assert_int_equal(json_is_false(json_object_get(schema, "additionalProperties")),
			 table->is_strict);
	properties = json_object_get(schema, "properties");
	required = json_object_get(schema, "required");
	for (size_t i = 0; i < table->count; i++) {
		const struct body_field *field = &table->fields[i];
		int is_required = (field->flags & FIELD_REQUIRED) != 0;

		print_message("\t%s\n", field->name);
		item = json_object_get(properties, field->name);
		assert_non_null(item);
		compare_field(field, item);
		assert_int_equal(is_in(required, field->name), is_required);
		count += (size_t)is_required;
	}
	assert_int_equal(json_object_size(properties), table->count);
	assert_int_equal(json_array_size(required), count);
}

static json_t *operation(const struct route *route)
{
	char method[16];

	snprintf(method, sizeof(method), "%s", http_method_name(route->method));
	for (char *c = method; *c; c++)
		*c = (char)(*c | 32);
	return json_object_get(json_object_get(json_object_get(document, "paths"), route->path),
			       method);
}

static void openapi_and_the_tables_agree(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count; i++) {
		const struct route *route = &route_table[i];
		json_t *body = json_object_get(operation(route), "requestBody");

		assert_int_equal(route->members != NULL, route->body != BODY_NONE);
		assert_int_equal(body != NULL, route->body != BODY_NONE);
		if (!body)
			continue;
		print_message("%s\n", route->path);
		assert_int_equal(json_is_true(json_object_get(body, "required")),
				 route->body != BODY_OPTIONAL);
		compare_table(route->members,
			      json_object_get(json_object_get(json_object_get(body, "content"),
							      "application/json"),
					      "schema"));
	}
}

/* What messages need, and what the reader relies on. */
static void table_is_whole(const struct body_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct body_field *field = &table->fields[i];
		int is_text = field->type == FIELD_TEXT || field->type == FIELD_LINE ||
			      field->type == FIELD_CUT;
		unsigned speaks = FIELD_REQUIRED | FIELD_TYPE_CODE | FIELD_ONLY_TRUE |
				  FIELD_ONLY_FALSE;

		print_message("%s.%s\n", table->schema, field->name);
		if (field->check || field->choices || field->low || field->high ||
		    field->flags & speaks)
			assert_non_null(field->expected);
		assert_int_equal(field->choices != NULL,
				 field->type == FIELD_CHOICE || field->type == FIELD_MAP);
		assert_true(is_text ? field->size > 1 : field->size < 1000);
		if (field->flags & FIELD_FALLBACK) {
			assert_true(i > 0);
			assert_int_equal(field->at, table->fields[i - 1].at);
			assert_int_equal(field->type, table->fields[i - 1].type);
		}
		assert_false(field->flags & FIELD_REQUIRED && field->flags & FIELD_LENIENT);
		if (field->members)
			table_is_whole(field->members);
	}
}

static void each_table_is_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count; i++) {
		if (route_table[i].members)
			table_is_whole(route_table[i].members);
	}
}

/* The published pattern must agree with the check. */
static void patterns_are_what_is_checked(void **state)
{
	static const char *const texts[] = {
		"",
		"cbx_",
		"cbx_0123456789ab",
		"cbx_0123456789abc",
		"cbx_0123456789a",
		"cbx_0123456789AB",
		"xcbx_0123456789ab",
		"cbx_0123456789ab\n",
		"cat_0123456789abcdef0123456789abcdef",
		"cat_0123456789abcdef0123456789abcde",
		"cat_0123456789abcdef0123456789abcdef0",
		"cat_0123456789abcdeg0123456789abcdef",
	};
	int count = 0;

	(void)state;
	for (size_t r = 0; r < route_count; r++) {
		const struct body_table *table = route_table[r].members;

		for (size_t i = 0; table && i < table->count; i++) {
			const struct body_field *field = &table->fields[i];
			regex_t regex;

			if (!field->pattern)
				continue;
			assert_int_equal(regcomp(&regex, field->pattern, REG_EXTENDED | REG_NOSUB),
					 0);
			for (size_t k = 0; k < COUNT(texts); k++)
				assert_int_equal(!regexec(&regex, texts[k], 0, NULL, 0),
						 field->check(texts[k]));
			regfree(&regex);
			count++;
		}
	}
	assert_true(count > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openapi_and_the_tables_agree),
		cmocka_unit_test(each_table_is_whole),
		cmocka_unit_test(patterns_are_what_is_checked),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
