/* SPDX-License-Identifier: MIT */
/*
 * Invalid actions, each with one error, and valid ones: the plugin's declaration and the
 * loader's expected message, in one table for both sides. The environment variable
 * ACTION_CASE selects the one that the plugin declares.
 */
#pragma once

#include <stddef.h>

#include <lessor/provider.h>

#define ACTION_CASE "LESSOR_TEST_ACTION"

struct action_case {
	const char *name;
	const char *says; /* NULL: accepted */
	struct lessor_action action;
	size_t count; /* 0: one action of the usual size, after a valid one */
	size_t size;
	int is_absent; /* a count without a table */
};

#define SERVERS LESSOR_KIND_BIT(LESSOR_KIND_SERVER)
#define KEYS LESSOR_KIND_BIT(LESSOR_KIND_KEY)
#define ADDRESSES LESSOR_KIND_BIT(LESSOR_KIND_ADDRESS)
#define LONG_NAME "a_name_of_thirty_three_characters"
/* Of 119 characters. */
#define LONG_POINTER \
	"/fifty_characters_that_nobody_would_ever_call_a_member" \
	"/fifty_characters_that_nobody_would_ever_call_a_member/and_more_x"

#define READ \
	.name = "read", .method = "GET", .path = "/servers/{id}", .effect = LESSOR_READS, \
	.kinds = SERVERS, .object_at = "/server", .id_at = "/id", .name_at = "/name", \
	.labels_at = "/labels"
#define LIST \
	READ, .name = "list", .path = "/servers", .effect = LESSOR_LISTS, .object_at = "/servers"
#define MAKE READ, .name = "make", .method = "POST", .path = "/servers", .effect = LESSOR_MAKES
#define CHANGE READ, .name = "change", .method = "PUT", .effect = LESSOR_CHANGES
#define PROTECT READ, .name = "protect", .method = "POST", .effect = LESSOR_PROTECTS
#define DESTROY READ, .name = "destroy", .method = "DELETE", .effect = LESSOR_DESTROYS

#define POINTERS "members ending in _at must be JSON pointers without escapes"
#define PLACES "it must have object_at and id_at"
#define NO_ID "no {id} in its path"
#define NO_KIND "it has an effect but names no kind of resource"

#define CASE(its_name, it_says, ...) \
	{ .name = its_name, .says = it_says, .action = { __VA_ARGS__ } }

static const struct action_case action_cases[] = {
	CASE("a read", NULL, READ),
	CASE("a list", NULL, LIST),
	CASE("a create", NULL, MAKE),
	CASE("a change", NULL, CHANGE),
	CASE("a change of protection", NULL, PROTECT),
	CASE("a delete", NULL, DESTROY),
	CASE("a delete by GET", NULL, DESTROY, .method = "GET"),
	CASE("a change by DELETE", NULL, CHANGE, .method = "DELETE", .path = "/servers/{id}/labels"),
	CASE("a read by POST", NULL, READ, .method = "POST", .path = "/search"),

	CASE("no name", "its name must be", READ, .name = NULL),
	CASE("an empty name", "its name must be", READ, .name = ""),
	CASE("a name in capitals", "its name must be", READ, .name = "Read"),
	CASE("a name that goes on", "its name must be", READ, .name = "read it"),
	CASE("a long name", "its name must be", READ, .name = LONG_NAME),

	CASE("no method", "its method must be GET, POST, PUT or DELETE", READ, .method = NULL),
	CASE("another method", "its method must be", READ, .method = "PATCH"),
	CASE("a method in small letters", "its method must be", READ, .method = "get"),
	CASE("a delete that reads", "the effect of a DELETE must be", READ, .method = "DELETE"),
	CASE("a delete that lists", "the effect of a DELETE must be", LIST, .method = "DELETE"),
	CASE("a delete that makes", "the effect of a DELETE must be", MAKE, .method = "DELETE"),

	CASE("pages without a last one", "both page and next_at, or neither", LIST, .page = "page"),
	CASE("a last page without pages", "both page and next_at, or neither", LIST,
	     .next_at = "/next"),
	CASE("pages", NULL, LIST, .page = "page", .next_at = "/next"),

	CASE("no path", "its path must begin with '/'", READ, .path = NULL),
	CASE("a path of its own", "its path must begin with '/'", READ, .path = "servers/{id}"),
	CASE("another origin", "its path must begin with '/'", READ, .path = "https://other/{id}"),
	CASE("a query", "have no query", READ, .path = "/servers/{id}?really"),

	CASE("no effect", "its effect is unknown", READ, .effect = 0),
	CASE("another effect", "its effect is unknown", READ, .effect = LESSOR_DESTROYS + 1),

	CASE("a create of nothing", NO_KIND, MAKE, .kinds = 0),
	CASE("a change of nothing", NO_KIND, CHANGE, .kinds = 0),
	CASE("a delete of nothing", NO_KIND, DESTROY, .kinds = 0),
	CASE("a read of nothing", NULL, READ, .kinds = 0),

	CASE("a change of all", NO_ID, CHANGE, .path = "/servers"),
	CASE("a change of all protection", NO_ID, PROTECT, .path = "/servers"),
	CASE("a delete of all", NO_ID, DESTROY, .path = "/servers"),
	CASE("a delete by name", NO_ID, DESTROY, .path = "/servers/{name}"),

	CASE("a member as a pointer", POINTERS, READ, .object_at = "server"),
	CASE("an escape", POINTERS, READ, .object_at = "/a~1b"),
	CASE("a long pointer", NULL, READ, .object_at = LONG_POINTER),
	CASE("a longer pointer", POINTERS, READ, .object_at = LONG_POINTER "y"),
	CASE("a wrong id_at", POINTERS, READ, .id_at = "id"),
	CASE("a wrong name_at", POINTERS, READ, .name_at = "name"),
	CASE("a wrong labels_at", POINTERS, READ, .labels_at = "labels"),
	CASE("a wrong protected_at", POINTERS, READ, .protected_at = "protected"),
	CASE("a wrong status_at", POINTERS, READ, .status_at = "status"),
	CASE("a wrong next_at", POINTERS, LIST, .next_at = "next"),
	CASE("the whole answer", NULL, READ, .object_at = ""),

	CASE("a create without a place", PLACES, MAKE, .object_at = NULL),
	CASE("a create without an id", PLACES, MAKE, .id_at = NULL),
	CASE("a list without a place", PLACES, LIST, .object_at = NULL),
	CASE("a list of keys without an id", PLACES, LIST, .kinds = KEYS, .id_at = NULL),
	CASE("a list of addresses without an id", NULL, LIST, .kinds = ADDRESSES, .id_at = NULL),
	CASE("a list of no kind", NULL, LIST, .kinds = 0, .object_at = NULL),

	{ .name = "as many as there may be",
	  .says = NULL,
	  .action = { READ },
	  .count = 256,
	  .size = sizeof(struct lessor_action) },
	{ .name = "too many",
	  .says = "257 actions of",
	  .action = { READ },
	  .count = 257,
	  .size = sizeof(struct lessor_action) },
	{ .name = "small ones",
	  .says = "1 actions of 8 bytes",
	  .action = { READ },
	  .count = 1,
	  .size = 8 },
	{ .name = "large ones",
	  .says = "1 actions of 4097 bytes",
	  .action = { READ },
	  .count = 1,
	  .size = 4097 },
	/* From a later plugin, with one more member. */
	{ .name = "larger ones",
	  .says = NULL,
	  .action = { READ },
	  .count = 2,
	  .size = sizeof(struct lessor_action) + 8 },
	{ .name = "nowhere",
	  .says = "1 actions of",
	  .action = { READ },
	  .count = 1,
	  .size = sizeof(struct lessor_action),
	  .is_absent = 1 },
};
