/* SPDX-License-Identifier: MIT */
/* Options, origins and the life of an account. */
#include "toy.h"

#include <stdio.h>
#include <stdlib.h>

#include "provider/account_state.h"

static const struct lessor_option options[] = {
	{ .key = "name", .help = "A name.", .type = LESSOR_OPTION_TEXT },
	{ .key = "size", .preset = "10", .help = "A size.", .min = 1, .max = 100,
	  .type = LESSOR_OPTION_INT },
	{ .key = "big", .preset = "0", .help = "Any number.", .type = LESSOR_OPTION_INT },
	{ .key = "backups", .preset = "no", .help = "Backups.", .type = LESSOR_OPTION_BOOL },
	{ .key = "boot_timeout", .preset = "5m", .help = "How long.", .min = 1000, .max = 3600000,
	  .type = LESSOR_OPTION_DURATION },
	{ .key = "keys", .preset = "lease", .choices = "lease|account", .help = "Keys.",
	  .type = LESSOR_OPTION_CHOICE },
	{ .key = "endpoint", .preset = "", .help = "Where.", .type = LESSOR_OPTION_URL },
};

static int open_fails;
static int opened, closed;

static int option_open(struct lessor_call *call, void **instance)
{
	struct lessor_http_response response = { .size = sizeof(response) };
	struct lessor_http_request request = { .size = sizeof(request), .method = "GET",
					       .path = "/" };

	*instance = &opened;
	opened++;
	if (open_fails == 1)
		return lessor_refuse(call, LESSOR_CLASS_INVALID, "'%s' is no name for me",
				     lessor_option_text(call, "name"));
	if (open_fails == 2) {
		lessor_http(call, &request, &response);
		assert_int_equal(response.outcome, LESSOR_DID_NOT_HAPPEN);
	}
	if (open_fails == 3)
		return 9;
	return LESSOR_DONE;
}

static void option_close(void *instance)
{
	assert_ptr_equal(instance, &opened);
	closed++;
}

static struct lessor_provider table_of(void)
{
	struct lessor_provider table = toy_table;

	table.options = options;
	table.option_count = ARRAY_LEN(options);
	table.open = option_open;
	table.close = option_close;
	return table;
}

/* All memory from malloc, as account_new requires. */
static struct account_config config_of(const char *const *pairs, const char *token)
{
	struct account_config config = { .location_count = 1, .max_steps = 1 };

	strcpy(config.name, "acc");
	strcpy(config.locations[0], "here");
	config.token = token ? xstrdup(token) : NULL;
	config.options = xcalloc(16, sizeof(*config.options));
	for (; pairs[0]; pairs += 2)
		config.options[config.option_count++] =
			(struct account_option){ xstrdup(pairs[0]), xstrdup(pairs[1]) };
	return config;
}

static void config_free(struct account_config *config)
{
	for (size_t i = 0; i < config->option_count; i++) {
		free((char *)config->options[i].key);
		free((char *)config->options[i].value);
	}
	free(config->options);
	free(config->token);
}

static void refused_with(const char *const *pairs, const char *token, const char *text)
{
	struct toy toy;
	struct lessor_provider table = table_of();
	struct account_config config = config_of(pairs, token);
	struct account *account = NULL;
	struct err err = { 0 };

	toy_start(&toy, 0);
	assert_int_equal(account_new(&toy.env, &table, &config, &account, &err), -1);
	if (!strstr(err.text, text))
		fail_msg("'%s' does not say '%s'", err.text, text);
	if (token && strlen(token) > 4)
		assert_null(strstr(err.text, token));
	assert_null(account);
	config_free(&config);
	toy_stop(&toy);
}

#define REFUSED(text, ...) \
	refused_with((const char *const[]){ __VA_ARGS__, NULL, NULL }, "tttoken", text)

static void test_refusals(void **state)
{
	(void)state;
	REFUSED("option 'name' is required: A name.", "size", "5");
	REFUSED("provider 'toy' has no option 'siez'; did you mean 'size'?", "name", "x", "siez",
		"5");
	REFUSED("no option 'boot_timout'; did you mean 'boot_timeout'?", "name", "x", "boot_timout",
		"5");
	REFUSED("no option 'completely_else'", "name", "x", "completely_else", "5");
	REFUSED("option 'size' must be between 1 and 100", "name", "x", "size", "0");
	REFUSED("option 'size' must be between 1 and 100", "name", "x", "size", "101");
	REFUSED("option 'size' must be a whole number", "name", "x", "size", "1.5");
	REFUSED("option 'size' must be a whole number", "name", "x", "size", " 5");
	REFUSED("option 'size' must be a whole number", "name", "x", "size", "");
	REFUSED("option 'size' must be a whole number", "name", "x", "size",
		"99999999999999999999");
	REFUSED("option 'backups' must be yes or no", "name", "x", "backups", "maybe");
	REFUSED("option 'boot_timeout': 'soon' is not a duration from 1s to 1h", "name", "x",
		"boot_timeout", "soon");
	REFUSED("option 'boot_timeout': '2h' is not a duration from 1s to 1h", "name", "x",
		"boot_timeout", "2h");
	REFUSED("option 'boot_timeout': '0s' is not", "name", "x", "boot_timeout", "0");
	REFUSED("option 'keys' must be one of lease|account", "name", "x", "keys", "lease|account");
	REFUSED("option 'keys' must be one of", "name", "x", "keys", "");
	REFUSED("option 'keys' must be one of", "name", "x", "keys", "leas");
	REFUSED("option 'keys' is set twice", "name", "x", "keys", "lease", "keys", "account");
	REFUSED("option 'name' contains a control character", "name", "a\nb");
	REFUSED("option 'name' is not UTF-8", "name", "\xff\xfe");
	REFUSED("option 'endpoint' must use https", "name", "x", "endpoint", "http://api.example");
	refused_with((const char *const[]){ "name", "x", NULL, NULL }, NULL, "needs a token");
	refused_with((const char *const[]){ "name", "x", NULL, NULL }, "", "the token must have");
	refused_with((const char *const[]){ "name", "x", NULL, NULL }, "secret\r\nHost: x",
		     "the token contains a space");
}

/* Every digit may be the first one, and each end of a range is within it. */
static void test_numbers(void **state)
{
	static const char *const good[] = { "1", "2", "3", "4", "5", "6", "7", "8", "9", "100" };
	struct toy toy;
	struct lessor_provider table = table_of();

	(void)state;
	toy_start(&toy, 0);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		const char *pairs[] = {
			"name", "blue", "size", good[i], "big", good[i], NULL, NULL
		};
		struct account_config config = config_of(pairs, "tttoken");
		struct account *account;

		assert_int_equal(account_new(&toy.env, &table, &config, &account, NULL), 0);
		assert_int_equal(account_option_int(account, "size"), strtol(good[i], NULL, 10));
		assert_int_equal(account_option_int(account, "big"), strtol(good[i], NULL, 10));
		account_free(account);
	}
	toy_stop(&toy);
	REFUSED("option 'big' must be a whole number", "name", "x", "big", ":");
	REFUSED("option 'big' must be a whole number", "name", "x", "big", "/");
	REFUSED("option 'big' must be a whole number", "name", "x", "big", "+1");
	REFUSED("option 'big' must be a whole number", "name", "x", "big", "-");
}

static void test_values(void **state)
{
	static const char *const pairs[] = { "name",	     "blue",
					     "size",	     "100",
					     "big",	     "-7",
					     "backups",	     "Yes",
					     "boot_timeout", "90",
					     "keys",	     "account",
					     "endpoint",     "http://127.0.0.1:8080/v1/",
					     NULL,	     NULL };
	struct toy toy;
	struct lessor_provider table = table_of();
	struct account_config config = config_of(pairs, "tttoken");
	struct account *account;
	(void)state;

	toy_start(&toy, 0);
	opened = closed = 0;
	assert_int_equal(account_new(&toy.env, &table, &config, &account, NULL), 0);
	assert_null(config.options);
	assert_int_equal(config.option_count, 0);
	assert_string_equal(account_option_text(account, "name"), "blue");
	assert_int_equal(account_option_int(account, "size"), 100);
	assert_int_equal(account_option_int(account, "big"), -7);
	assert_int_equal(account_option_int(account, "backups"), 1);
	assert_int_equal(account_option_int(account, "boot_timeout"), 90000);
	assert_string_equal(account_option_text(account, "keys"), "account");
	assert_string_equal(account_option_text(account, "endpoint"), "http://127.0.0.1:8080/v1");
	assert_string_equal(account->state->origin, "http://127.0.0.1:8080/v1");
	assert_null(account_option_text(account, "none"));
	account_free(account);
	assert_int_equal(opened, 1);
	assert_int_equal(closed, 1);
	toy_stop(&toy);
}

static void test_open(void **state)
{
	(void)state;
	opened = closed = 0;
	open_fails = 1;
	REFUSED("'x' is no name for me", "name", "x");
	open_fails = 3;
	REFUSED("returned verdict 9 from open", "name", "x");
	assert_int_equal(closed, 0);
	open_fails = 2;
	REFUSED("violated the plugin contract in open: GET / inside open", "name", "x");
	assert_int_equal(closed, 1);
	open_fails = 0;
}

static void test_origins(void **state)
{
	static const char *const good[] = {
		"https://api.example", "https://api.example/", "https://api.example/v1",
		"https://api.example:8443/v1/", "http://127.0.0.1", "http://127.9.9.9:80/v1",
		"http://localhost:9", "http://[::1]:9/v1", "https://[2001:db8::1]/v1",
		"https://10.0.0.1", "https://[2001:0DB8:0::1]:8443/v1", "https://API.example",
	};
	static const char *const bad[] = {
		"", "api.example", "ftp://api.example", "http://api.example", "https://",
		"https:///v1", "https://user@api.example", "https://user:pw@api.example",
		"https://api.example/v1?x=1", "https://api.example#x", "https://api.example/../v1",
		"https://api.example//v1", "https://api .example", "https://api.example\\@evil",
		"http://127.0.0.1.evil.example", "http://127.evil", "http://127.0.0.1@evil.example",
		"http://localhost.evil.example", "http://[::1].evil.example", "https://api.example:",
		"https://api.example:99999999", "https://api.example:8o", "https://-x", "https://.x",
		"https://api.example/%2e", "http://127.0.0", "http://[::2]/", "https://[",
		"HTTPS://api.example", "https://%61pi.example", "https://api_.example", "http://127.1",
		"https://[fe80::1%25eth0]", "https://[::1", "https://[::1]x", "https://[2001:db8]",
		"https:////api.example", "https://api.example:443@evil", "https://api.example:0x50",
	};
	char origin[URL_ORIGIN_MAX];
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct err err = { 0 };
		if (url_origin_check(good[i], origin, &err))
			fail_msg("%s: %s", good[i], err.text);
		assert_true(origin[strlen(origin) - 1] != '/');
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (url_origin_check(bad[i], origin, NULL) == 0)
			fail_msg("'%s' was taken", bad[i]);
	}
	url_path_describe("/servers?label_selector=secret&page=2&x", origin, sizeof(origin));
	assert_string_equal(origin, "/servers?label_selector=&page=&x");
	url_path_describe("/servers/1", origin, 8);
	assert_int_equal(strlen(origin), 6);
}

static void test_proof(void **state)
{
	struct toy toy;
	char reason[100];
	(void)state;

	toy_start(&toy, 0);
	assert_int_equal(account_is_verified(toy.account, 1000), 0);
	assert_int_equal(account_is_blocked(toy.account, reason, sizeof(reason)), 0);
	account_probed(toy.account, 1, 0, NULL);
	assert_int_equal(account_is_verified(toy.account, 1000), 1);
	toy.mono_ms += 1000;
	assert_int_equal(account_is_verified(toy.account, 1000), 1);
	toy.mono_ms += 1;
	assert_int_equal(account_is_verified(toy.account, 1000), 0);
	account_probed(toy.account, 1, 0, NULL);
	/* a failed probe is no evidence against it */
	account_probed(toy.account, 0, LESSOR_CLASS_TRANSIENT, "down");
	assert_int_equal(account_is_verified(toy.account, 1000), 1);
	account_probed(toy.account, 0, LESSOR_CLASS_ACCOUNT, "another project");
	assert_int_equal(account_is_verified(toy.account, 1000), 0);
	assert_int_equal(account_is_blocked(toy.account, reason, sizeof(reason)), 1);
	assert_string_equal(reason, "another project");
	account_probed(toy.account, 0, LESSOR_CLASS_TRANSIENT, "down");
	assert_int_equal(account_is_blocked(toy.account, NULL, 0), 1);
	account_probed(toy.account, 1, 0, NULL);
	assert_int_equal(account_is_blocked(toy.account, NULL, 0), 0);
	assert_int_equal(account_is_verified(toy.account, 1000), 1);
	account_set_sentinel(toy.account, "77");
	account_sentinel(toy.account, reason);
	assert_string_equal(reason, "77");
	toy_stop(&toy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_values),
		cmocka_unit_test(test_numbers),	 cmocka_unit_test(test_open),
		cmocka_unit_test(test_origins),	 cmocka_unit_test(test_proof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
