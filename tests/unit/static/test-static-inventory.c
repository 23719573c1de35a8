/* SPDX-License-Identifier: MIT */
/*
 * Valid and invalid inventories and the messages about them; expansion of a command's words.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/test.h"
#include "command.h"
#include "inventory.h"

static char path[64];

static void write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	for (; *text; text++)
		fputc(*text == '\'' ? '"' : *text, file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0644), 0);
}

static struct inventory *good(const char *text)
{
	struct inventory *inventory = NULL;
	char why[256] = "";

	write_file(text);
	if (inventory_load(path, &inventory, why, sizeof(why)))
		fail_msg("%s", why);
	return inventory;
}

static void refused(const char *rule)
{
	struct inventory *inventory = NULL;
	char why[256] = "";

	if (inventory_load(path, &inventory, why, sizeof(why)) == 0)
		fail_msg("taken, though: %s", rule);
	assert_int_equal(strncmp(why, path, strlen(path)), 0);
	if (!strstr(why, rule))
		fail_msg("\"%s\" does not say \"%s\"", why, rule);
	assert_null(strchr(why, '\n'));
}

static void bad(const char *text, const char *rule)
{
	write_file(text);
	refused(rule);
}

#define HOST "'name': 'a1', 'address': '192.0.2.1'"
#define TYPES "'types': ['small']"

static void what_it_may_say(void **state)
{
	struct inventory *inventory;
	const struct host *host;

	(void)state;
	inventory = good("{'hosts': []}");
	assert_int_equal(inventory->count, 0);
	inventory_free(inventory);
	inventory = good("{'defaults': {'port': 2222, 'location': 'Rack_1', 'probe': 'ssh',"
			 " 'types': ['small', 'any'], 'architecture': 'arm',"
			 " 'prepare': ['/bin/true', 'x'], 'reset': ['/bin/false']}, 'hosts': ["
			 "{" HOST "},"
			 "{'name': 'b.2-x', 'address': '2001:db8::2', 'port': 22, 'location': 'far',"
			 " 'types': ['large'], 'probe': 'none', 'prepare': [], 'reset': [],"
			 " 'drain': true, 'architecture': 'x86'},"
			 "{'name': 'c', 'address': 'c.example.com', 'probe': ['/bin/ping', '{address}']}"
			 "]}");
	assert_int_equal(inventory->count, 3);
	host = inventory_find(inventory, "a1");
	assert_non_null(host);
	assert_int_equal(host->port, 2222);
	assert_string_equal(host->location, "Rack_1");
	assert_string_equal(host->architecture, "arm");
	assert_int_equal(host->probe, PROBE_SSH);
	assert_true(host_has_type(host, "any"));
	assert_false(host_has_type(host, "an"));
	assert_int_equal(host->prepare.count, 2);
	assert_int_equal(host->reset.count, 1);
	assert_int_equal(host->drain, 0);
	host = inventory_find(inventory, "b.2-x");
	assert_non_null(host);
	assert_int_equal(host->port, 22);
	assert_int_equal(host->probe, PROBE_NONE);
	assert_int_equal(host->prepare.count + host->reset.count, 0);
	assert_int_equal(host->drain, 1);
	assert_false(host_has_type(host, "small"));
	host = inventory_find(inventory, "c");
	assert_non_null(host);
	assert_int_equal(host->probe, PROBE_COMMAND);
	assert_null(inventory_find(inventory, "d"));
	inventory_free(inventory);
	/* Several hosts behind one address. */
	inventory = good("{'defaults': {" TYPES "}, 'hosts': [{" HOST ", 'port': 2201},"
			 "{'name': 'a2', 'address': '192.0.2.1', 'port': 2202}]}");
	inventory_free(inventory);
}

static void what_it_may_not_say(void **state)
{
	(void)state;
	bad("{'hosts': [", ":1: ");
	bad("{'hosts': [],\n\n 'hosts': []}", ":3: duplicate object key");
	bad("[]", "must be an object with a list \"hosts\"");
	bad("{}", "must be an object with a list \"hosts\"");
	bad("{'hosts': {}}", "must be an object with a list \"hosts\"");
	bad("{'hosts': [], 'defaults': []}", "an object \"defaults\"");
	bad("{'hosts': [], 'host': []}", "host is neither");
	bad("{'hosts': [], 'defaults': {'name': 'a'}}", "\"defaults\": name is not a known key");
	bad("{'hosts': [], 'defaults': {'port': 0}}", "\"defaults\": port must be a number");
	bad("{'hosts': ['a1']}", "host 1 must be an object");
	bad("{'hosts': [{" TYPES "}]}", "host 1: name is missing");
	bad("{'hosts': [{" TYPES ", 'name': 'a1'}]}", "host 1 (a1): address is missing");
	bad("{'hosts': [{" HOST "}]}", "host 1 (a1): types is missing");
	bad("{'hosts': [{" HOST "," TYPES ", 'adress': 1}]}",
	    "host 1 (a1): adress is not a known key");
	bad("{'hosts': [{" HOST "," TYPES ", 'port': '22'}]}", "port must be a number");
	bad("{'hosts': [{" HOST "," TYPES ", 'port': 65536}]}", "port must be a number");
	bad("{'hosts': [{" HOST "," TYPES ", 'drain': 1}]}", "drain must be true or false");
	bad("{'hosts': [{" HOST "," TYPES ", 'architecture': 'amd64'}]}", "must be \"x86\" or \"arm\"");
	bad("{'hosts': [{" HOST ", 'types': 'small'}]}", "types must be a list");
	bad("{'hosts': [{" HOST ", 'types': []}]}", "types must be a list");
	bad("{'hosts': [{" HOST ", 'types': ['a b']}]}", "types must be words");
	bad("{'hosts': [{" HOST "," TYPES ", 'location': ''}]}", "location must be one word");
	bad("{'hosts': [{'name': 'A1', 'address': '192.0.2.1'," TYPES "}]}", "name must be");
	bad("{'hosts': [{'name': '../x', 'address': '192.0.2.1'," TYPES "}]}", "name must be");
	bad("{'hosts': [{'name': 'x.', 'address': '192.0.2.1'," TYPES "}]}", "name must be");
	bad("{'hosts': [{'name': 'x', 'address': '-oProxyCommand=x'," TYPES "}]}", "address must be");
	bad("{'hosts': [{'name': 'x', 'address': 'a b'," TYPES "}]}", "address must be");
	bad("{'hosts': [{'name': 'x', 'address': 5," TYPES "}]}", "address must be");
	bad("{'hosts': [{" HOST "," TYPES "}, {'name': 'a1', 'address': '192.0.2.2'," TYPES "}]}",
	    "host 2 (a1): name is used twice");
	bad("{'hosts': [{" HOST "," TYPES "}, {'name': 'a2', 'address': '192.0.2.1'," TYPES "}]}",
	    "host 2 (a2): address is used by another host");
	bad("{'hosts': [{'name': 'x', 'address': 'x.example.com', 'probe': 'ssh'," TYPES "}]}",
	    "probe requires a numeric address");
	bad("{'hosts': [{" HOST "," TYPES ", 'probe': 'ping'}]}", "probe must be");
	bad("{'hosts': [{" HOST "," TYPES ", 'reset': 'rm -rf /'}]}", "reset must be a list of words");
	bad("{'hosts': [{" HOST "," TYPES ", 'reset': ['rm', '-rf']}]}",
	    "reset must begin with the absolute path");
	bad("{'hosts': [{" HOST "," TYPES ", 'prepare': ['/bin/x', 1]}]}", "prepare must be a list");
	bad("{'hosts': [{" HOST "," TYPES ", 'probe': ['x']}]}", "probe must begin with the absolute");
}

static void whose_it_may_be(void **state)
{
	(void)state;
	write_file("{'hosts': []}");
	assert_int_equal(chmod(path, 0664), 0);
	refused("writable only by its owner");
	assert_int_equal(unlink(path), 0);
	refused("cannot be opened");
	assert_int_equal(mkdir(path, 0755), 0);
	refused("must be a regular file");
	assert_int_equal(rmdir(path), 0);
	if (geteuid() == 0) {
		write_file("{'hosts': []}");
		assert_int_equal(chown(path, 12345, 12345), 0);
		refused("must be owned by root or by lessord's user");
	}
}

/* ---- words ------------------------------------------------------------------------------- */

static void *scratch[8];
static int scratch_count;

static void *test_alloc(struct lessor_call *call, size_t size)
{
	(void)call;
	return scratch[scratch_count++] = calloc(1, size);
}

static void words_stay_words(void **state)
{
	const struct lessor_host host = { .size = sizeof(host), .alloc = test_alloc };
	struct lessor_call call = { .host = &host };
	const struct subject subject = { "a1", "192.0.2.1", "22", "cbx_000000000001" };
	const char *const want[] = {
		"/bin/x", "root@192.0.2.1:22", "$(id); `id` {nothing} {", "", "two words",
		"a1/cbx_000000000001{", "{port",
	};
	const char *why = "";
	struct command command;
	json_t *json = json_pack("[s,s,s,s,s,s,s]", "/bin/x", "root@{address}:{port}",
				 "$(id); `id` {nothing} {", "", "two words", "{host}/{lease}{",
				 "{port"), *again;
	char **argv;

	(void)state;
	assert_int_equal(command_parse(json, &command, &why), 0);
	again = command_json(&command);
	assert_true(json_equal(json, again));
	json_decref(json);
	json_decref(again);
	argv = command_expand(&call, &command, &subject);
	assert_non_null(argv);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_string_equal(argv[i], want[i]);
	assert_null(argv[command.count]);
	command_fini(&command);
	while (scratch_count)
		free(scratch[--scratch_count]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_may_say),
		cmocka_unit_test(what_it_may_not_say),
		cmocka_unit_test(whose_it_may_be),
		cmocka_unit_test(words_stay_words),
	};
	char folder[] = "/tmp/lessor-inventory-XXXXXX";
	int failed;

	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/pool.json", folder);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(folder);
	return failed;
}
