/* SPDX-License-Identifier: MIT */
#include "table.h"

#include "api/create_request.h"

static struct account hetzner = { .config = { .name = "hetzner", .provider = "hetzner",
	.locations = { "fsn1", "nbg1" }, .location_count = 2, .image = "ubuntu-24.04" } };
static struct account other = { .config = { .name = "aws", .provider = "toy",
	.locations = { "here" }, .location_count = 1, .image = "base" } };
static struct account *accounts[] = { &hetzner, &other };

static struct api_config config;
static struct lease lease;
static struct api_error error;
static char hash[65];
static struct notice_request asked;

static int setup(void **state)
{
	(void)state;
	api_config_init(&config);
	config.image_count = 2;
	strcpy(config.images[0].account, "hetzner");
	strcpy(config.images[0].name, "debian-12");
	strcpy(config.images[1].name, "shared-1");
	return 0;
}

static int read_as(const char *body, enum token_role role, const char *put_id)
{
	struct create_request create = { &config, accounts, 2, role, put_id, &asked, "", "acme" };
	struct json_body in;
	int rc;

	memset(&lease, 0, sizeof(lease));
	memset(&asked, 0, sizeof(asked));
	memset(&error, 0, sizeof(error));
	assert_int_equal(json_body_open(&in, body, strlen(body), 0, &error), 0);
	rc = create_request_read(&create, &in, &lease, hash, &error);
	json_body_close(&in);
	if (rc) {
		assert_true(strlen(error.message) > 0 && strlen(error.message) < 240);
		assert_null(strstr(error.message, "not_found"));
	}
	return rc;
}

/* A body with the key and `more`, which begins with a comma. */
static int reads(const char *more)
{
	char body[8192];

	snprintf(body, sizeof(body), "{\"sshPublicKey\":\"" ED25519 "\"%s}", more);
	return read_as(body, TOKEN_USER, NULL);
}

/* As the client of 0.46 sends it for hetzner and linux, with all it adds. */
static const char cli_body[] =
	"{\"leaseID\":\"cbx_0123456789ab\",\"createAttemptID\":"
	"\"cat_0123456789abcdef0123456789abcdef\",\"slug\":\"violet-prawn\","
	"\"provider\":\"hetzner\",\"target\":\"linux\",\"windowsMode\":\"normal\","
	"\"profile\":\"default\",\"class\":\"beast\",\"serverType\":\"ccx63\","
	"\"serverTypeExplicit\":false,\"location\":\"fsn1\",\"image\":\"ubuntu-24.04\","
	"\"architecture\":\"amd64\",\"sshUser\":\"crabbox\",\"sshPort\":\"2222\","
	"\"sshFallbackPorts\":[\"22\"],\"sshPublicKey\":\"" ED25519
	" crabbox cbx_0123456789ab\",\"providerKey\":\"crabbox-cbx-0123456789ab\","
	"\"workRoot\":\"/work/crabbox\",\"ttlSeconds\":5400,\"idleTimeoutSeconds\":1800,"
	"\"keep\":true,\"desktop\":false,\"browser\":false,\"code\":false,\"tailscale\":false,"
	"\"desktopEnv\":\"xfce\",\"tailscaleTags\":[\"tag:crabbox\"],\"tailscaleHostname\":\"\","
	"\"tailscaleExitNode\":\"\",\"tailscaleExitNodeAllowLanAccess\":false,\"pond\":\"\","
	"\"exposedPorts\":null,\"hostId\":\"\",\"hostID\":\"\",\"awsRegion\":\"eu-west-1\","
	"\"awsAMI\":\"\",\"awsRootGB\":400,\"awsSSHCIDRs\":null,\"awsSSHCIDRsPinned\":false,"
	"\"azureLocation\":\"\"}";

static void the_clients_own_body(void **state)
{
	(void)state;
	assert_int_equal(read_as(cli_body, TOKEN_USER, NULL), 0);
	assert_string_equal(lease.id, "cbx_0123456789ab");
	assert_string_equal(lease.attempt_token, "cat_0123456789abcdef0123456789abcdef");
	assert_string_equal(lease.slug, "violet-prawn");
	assert_string_equal(lease.account, "hetzner");
	assert_string_equal(lease.class_name, "beast");
	assert_int_equal(lease.type_count, 5);
	assert_string_equal(lease.types[0], "ccx63");
	assert_string_equal(lease.types[4], "cx53");
	assert_string_equal(lease.location, "fsn1");
	assert_string_equal(lease.image, "ubuntu-24.04");
	assert_string_equal(lease.architecture, "x86");
	assert_string_equal(lease.ssh_user, "crabbox");
	assert_int_equal(lease.ssh_port, 2222);
	assert_int_equal(lease.fallback_count, 1);
	assert_int_equal(lease.fallback_ports[0], 22);
	assert_string_equal(lease.work_root, "/work/crabbox");
	assert_true(lease.ttl_ms == 5400000 && lease.idle_ms == 1800000);
	assert_int_equal(lease.keep, 1);
	assert_int_equal(strlen(hash), 64);
}

static void the_shortest_body_gets_the_defaults(void **state)
{
	(void)state;
	assert_int_equal(reads(""), 0);
	assert_string_equal(lease.id, "");
	assert_string_equal(lease.slug, "");
	assert_string_equal(lease.account, "hetzner");
	assert_string_equal(lease.class_name, "small");
	assert_string_equal(lease.location, "");
	assert_string_equal(lease.image, "ubuntu-24.04");
	assert_int_equal(lease.keep, 0);
	assert_int_equal(lease.fallback_count, 0);
	config.default_account[0] = '\0';
	strcpy(config.default_account, "aws");
	assert_int_equal(reads(""), 0);
	assert_string_equal(lease.account, "aws");
}

/* B131: the broker's own fields cannot be set; they are ignored. */
static void b131_unknown_fields_set_nothing(void **state)
{
	struct lease plain;

	(void)state;
	assert_int_equal(reads(""), 0);
	plain = lease;
	assert_int_equal(reads(",\"admin\":true,\"owner\":\"x\",\"org\":\"y\",\"state\":\"active\","
			       "\"cloudID\":1,\"generation\":9,\"epoch\":7,\"n\":3,\"host\":\"h\","
			       "\"__proto__\":{\"a\":1},\"createdAt\":1,\"types\":[\"a\"]"), 0);
	assert_memory_equal(&plain, &lease, sizeof(lease));
}

static void refusals_name_field_status_and_code(void **state)
{
	static const struct {
		const char *row, *more;
		int status;
		const char *code;
	} rows[] = {
		{ "leaseID", ",\"leaseID\":\"cbx_x\"", 400, "invalid_lease_id" },
		{ "leaseID upper case", ",\"leaseID\":\"cbx_0123456789AB\"", 400,
		  "invalid_lease_id" },
		{ "leaseID long", ",\"leaseID\":\"cbx_0123456789abcdef0123456789\"", 400,
		  "invalid_field" },
		{ "leaseID number", ",\"leaseID\":5", 400, "invalid_field" },
		{ "attempt", ",\"leaseID\":\"cbx_0123456789ab\",\"createAttemptID\":\"cat_1\"", 400,
		  "invalid_create_attempt_id" },
		{ "attempt without id",
		  ",\"createAttemptID\":\"cat_0123456789abcdef0123456789abcdef\"", 400,
		  "invalid_lease_id" },
		{ "B180 slug", ",\"slug\":\"' OR 1=1--\"", 400, "invalid_slug" },
		{ "B186 slug", ",\"slug\":\"--\"", 400, "invalid_slug" },
		{ "B130 slug", ",\"slug\":\"a\\u202eb\"", 400, "invalid_slug" },
		{ "slug like a key", ",\"slug\":\"cbx-0123456789ab\"", 400, "invalid_slug" },
		{ "provider", ",\"provider\":\"gcp\"", 400, "invalid_provider" },
		{ "B180 provider", ",\"provider\":\"%\"", 400, "invalid_provider" },
		{ "target", ",\"target\":\"windows\"", 400, "unsupported_target" },
		{ "targetOS", ",\"targetOS\":\"macos\"", 400, "unsupported_target" },
		{ "arch", ",\"architecture\":\"arm64\"", 400, "unsupported_architecture" },
		{ "B187 class", ",\"class\":\"../\"", 400, "invalid_field" },
		{ "B187 type", ",\"serverType\":\"ccx33&x=1\"", 400, "invalid_field" },
		{ "B187 type CRLF", ",\"serverType\":\"ccx33\\r\\nX:\"", 400, "invalid_field" },
		{ "B187 image", ",\"image\":\"http://169.254.169.254/\"", 400, "image_not_allowed" },
		{ "image", ",\"image\":\"fedora\",\"imageExplicit\":true", 400,
		  "image_not_allowed" },
		{ "image of another",
		  ",\"provider\":\"aws\",\"image\":\"debian-12\",\"imageExplicit\":true", 400,
		  "image_not_allowed" },
		{ "B187 location", ",\"location\":\"../\"", 400, "location_not_allowed" },
		{ "location", ",\"location\":\"hel1\",\"locationExplicit\":true", 400,
		  "location_not_allowed" },
		{ "explicit type", ",\"locationExplicit\":\"yes\"", 400, "invalid_field" },
		{ "explicit type", ",\"imageExplicit\":1", 400, "invalid_field" },
		{ "B185 user", ",\"sshUser\":\"root\"", 400, "invalid_field" },
		{ "B185 user yaml", ",\"sshUser\":\"a\\n- x\"", 400, "invalid_field" },
		{ "B185 work root", ",\"workRoot\":\"/etc\"", 400, "invalid_field" },
		{ "B185 work root up", ",\"workRoot\":\"/a/../../etc\"", 400, "invalid_field" },
		{ "B192 port", ",\"sshPort\":\"70000\"", 400, "invalid_field" },
		{ "B192 port number", ",\"sshPort\":2222", 400, "invalid_field" },
		{ "B192 fallback", ",\"sshFallbackPorts\":[\"22;id\"]", 400, "invalid_field" },
		{ "B192 fallback type", ",\"sshFallbackPorts\":[22]", 400, "invalid_field" },
		{ "fallback text", ",\"sshFallbackPorts\":\"22\"", 400, "invalid_field" },
		{ "nine fallbacks",
		  ",\"sshFallbackPorts\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\","
		  "\"8\",\"9\"]",
		  400, "invalid_field" },
		{ "B192 exposed", ",\"exposedPorts\":[\"-1\"]", 400, "invalid_field" },
		{ "B125 ttl", ",\"ttlSeconds\":5.0", 400, "invalid_field" },
		{ "B125 ttl text", ",\"ttlSeconds\":\"5\"", 400, "invalid_field" },
		{ "keep", ",\"keep\":1", 400, "invalid_field" },
		{ "profile", ",\"profile\":\"a b\"", 400, "invalid_field" },
		{ "pond", ",\"pond\":\"A\"", 400, "invalid_field" },
		{ "os", ",\"os\":\"$(id)\"", 400, "invalid_field" },
		{ "desktop", ",\"desktop\":true", 400, "unsupported_feature" },
		{ "browser", ",\"browser\":true", 400, "unsupported_feature" },
		{ "code", ",\"code\":true", 400, "unsupported_feature" },
		{ "tailscale", ",\"tailscale\":true", 400, "unsupported_feature" },
		{ "requirements", ",\"imageRequirements\":{}", 400, "unsupported_feature" },
		{ "capacity", ",\"capacity\":[]", 400, "invalid_field" },
		{ "key of another",
		  ",\"leaseID\":\"cbx_0123456789ab\",\"providerKey\":"
		  "\"crabbox-cbx-0123456789ac\"",
		  400, "reserved_provider_key" },
		{ "key prefix", ",\"providerKey\":\"crabbox-cbx-\"", 400, "reserved_provider_key" },
		{ "key of a person", ",\"providerKey\":\"laptop\"", 403, "admin_required" },
		{ "host", ",\"hostId\":\"h-1\"", 403, "admin_required" },
		{ "host, with the key it always sends",
		  ",\"leaseID\":\"cbx_0123456789ab\",\"providerKey\":\"crabbox-cbx-0123456789ab\","
		  "\"hostId\":\"h-1\"",
		  403, "admin_required" },
		{ "host, other case", ",\"hostId\":\"\",\"hostID\":\"h-1\"", 403, "admin_required" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i].row);
		assert_int_equal(reads(rows[i].more), -1);
		assert_int_equal(error.status, rows[i].status);
		assert_string_equal(error.code, rows[i].code);
	}
	assert_int_equal(read_as("{}", TOKEN_USER, NULL), -1);
	assert_non_null(strstr(error.message, "sshPublicKey"));
	assert_int_equal(read_as("{\"sshPublicKey\":\"ssh-rsa x\"}", TOKEN_USER, NULL), -1);
	assert_string_equal(error.code, "invalid_public_key");
	assert_int_equal(reads(",\"location\":\"hel1\",\"locationExplicit\":true"), -1);
	assert_non_null(strstr(error.message, "fsn1, nbg1"));
}

static void allowed_variants(void **state)
{
	static const char *const rows[] = { ",\"image\":\"debian-12\"",
					    ",\"image\":\"shared-1\"",
					    ",\"image\":\"\"",
					    ",\"location\":\"nbg1\"",
					    ",\"location\":\"\"",
					    ",\"exposedPorts\":null",
					    ",\"architecture\":\"\"",
					    ",\"providerKey\":\"\"",
					    ",\"os\":\"ubuntu:24.04\"",
					    ",\"capacity\":{\"market\":\"spot\"}",
					    ",\"exposedPorts\":[\"8080\"]",
					    ",\"pond\":\"team-a\"",
					    ",\"hostId\":\"\"",
					    ",\"sshPort\":\"\"",
					    ",\"sshFallbackPorts\":[]",
					    ",\"requestedSlug\":\"a\"",
					    ",\"providerKey\":\"crabbox-cbx-0123456789ab\"",
					    ",\"sshFallbackPorts\":null" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i]);
		assert_int_equal(reads(rows[i]), 0);
	}
	assert_int_equal(reads(",\"sshFallbackPorts\":[\"22\",\"2222\",\"22\",\"443\"]"), 0);
	assert_int_equal(lease.fallback_count, 2);
}

/* Contract 3.4. */
static void types_come_in_the_contracts_order(void **state)
{
	static const struct {
		const char *more, *types;
		int explicit;
	} rows[] = {
		{ "", "ccx23 cpx32 cx33", 0 },
		{ ",\"class\":\"beast\"", "ccx63 ccx53 ccx43 cpx62 cx53", 0 },
		{ ",\"class\":\"tiny\"", "ccx13 cpx22 cx23", 0 },
		{ ",\"class\":\"large\"", "ccx53 ccx43 cpx62 cx53", 0 },
		{ ",\"class\":\"standard\",\"serverType\":\"cx22\"", "cx22 ccx33 cpx62 cx53", 0 },
		{ ",\"class\":\"standard\",\"serverType\":\"cpx62\"", "cpx62 ccx33 cx53", 0 },
		{ ",\"class\":\"fast\",\"serverType\":\"fast\"", "ccx43 cpx62 cx53", 0 },
		{ ",\"class\":\"fast\",\"serverType\":\"beast\"", "ccx43 cpx62 cx53", 0 },
		{ ",\"class\":\"fast\",\"serverType\":\"cx22\",\"serverTypeExplicit\":true", "cx22",
		  1 },
		{ ",\"class\":\"fast\",\"serverType\":\"\",\"serverTypeExplicit\":true",
		  "ccx43 cpx62 cx53", 0 },
		{ ",\"class\":\"cax11\"", "cax11", 0 },
		{ ",\"class\":\"cax11\",\"serverType\":\"cx22\"", "cx22 cax11", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char types[256] = "";

		print_message("%s\n", rows[i].more);
		assert_int_equal(reads(rows[i].more), 0);
		for (int k = 0; k < lease.type_count; k++) {
			strcat(types, k ? " " : "");
			strcat(types, lease.types[k]);
		}
		assert_string_equal(types, rows[i].types);
		assert_int_equal(lease.type_explicit, rows[i].explicit);
	}
}

/*
 * The client always sends a location and an image; only an explicit one, or an account that
 * says so, makes them more than preferences. NULL: refused.
 */
static void x1_x2_location_and_image_are_preferences(void **state)
{
	static const struct {
		int choice;
		const char *more, *location;
		int preferred;
		const char *image;
		const char *asked_location, *asked_image;
	} rows[] = {
		{ CLIENT_PREFER, ",\"location\":\"nbg1\"", "nbg1", 1, "ubuntu-24.04", "nbg1", "" },
		{ CLIENT_PREFER, ",\"location\":\"hel1\"", "", 0, "ubuntu-24.04", "hel1", "" },
		{ CLIENT_PREFER, ",\"location\":\"\",\"image\":\"\"", "", 0, "ubuntu-24.04", "",
		  "" },
		{ CLIENT_PREFER, ",\"location\":\"nbg1\",\"locationExplicit\":false", "nbg1", 1,
		  "ubuntu-24.04", "nbg1", "" },
		{ CLIENT_PREFER, ",\"location\":\"nbg1\",\"locationExplicit\":true", "nbg1", 0,
		  "ubuntu-24.04", "nbg1", "" },
		{ CLIENT_PREFER, ",\"location\":\"\",\"locationExplicit\":true", "", 0,
		  "ubuntu-24.04", "", "" },
		{ CLIENT_PREFER, ",\"location\":\"hel1\",\"locationExplicit\":true", NULL, 0, "",
		  "", "" },
		{ CLIENT_PREFER, ",\"image\":\"debian-12\"", "", 0, "debian-12", "", "debian-12" },
		{ CLIENT_PREFER, ",\"image\":\"ubuntu-26.04\"", "", 0, "ubuntu-24.04", "",
		  "ubuntu-26.04" },
		{ CLIENT_PREFER, ",\"image\":\"debian-12\",\"imageExplicit\":true", "", 0,
		  "debian-12", "", "debian-12" },
		{ CLIENT_PREFER, ",\"image\":\"ubuntu-26.04\",\"imageExplicit\":true", NULL, 0, "",
		  "", "" },
		{ CLIENT_REQUIRE, ",\"location\":\"nbg1\"", "nbg1", 0, "ubuntu-24.04", "nbg1", "" },
		{ CLIENT_REQUIRE, ",\"location\":\"hel1\"", NULL, 0, "", "", "" },
		{ CLIENT_REQUIRE, ",\"image\":\"debian-12\"", "", 0, "debian-12", "", "debian-12" },
		{ CLIENT_REQUIRE, ",\"image\":\"ubuntu-26.04\"", NULL, 0, "", "", "" },
		{ CLIENT_IGNORE, ",\"location\":\"nbg1\",\"image\":\"debian-12\"", "", 0,
		  "ubuntu-24.04", "", "" },
		{ CLIENT_IGNORE, ",\"location\":\"hel1\",\"image\":\"../\"", "", 0, "ubuntu-24.04",
		  "", "" },
		{ CLIENT_IGNORE, ",\"location\":\"nbg1\",\"locationExplicit\":true", "nbg1", 0,
		  "ubuntu-24.04", "nbg1", "" },
		{ CLIENT_IGNORE, ",\"image\":\"ubuntu-26.04\",\"imageExplicit\":true", NULL, 0, "",
		  "", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int choice = rows[i].choice;

		print_message("%d %s\n", choice, rows[i].more);
		hetzner.config.client_location = hetzner.config.client_image = choice;
		assert_int_equal(reads(rows[i].more), rows[i].location ? 0 : -1);
		hetzner.config.client_location = hetzner.config.client_image = CLIENT_PREFER;
		if (!rows[i].location) {
			assert_int_equal(error.status, 400);
			continue;
		}
		assert_string_equal(lease.location, rows[i].location);
		assert_int_equal(lease.location_preferred, rows[i].preferred);
		assert_string_equal(lease.image, rows[i].image);
		assert_string_equal(asked.location, rows[i].asked_location);
		assert_string_equal(asked.image, rows[i].asked_image);
	}
}

static void b126_times_are_cut_and_never_overflow(void **state)
{
	static const struct {
		const char *seconds;
		int64_t ttl_ms;
	} rows[] = {
		{ "0", 5400000 }, { "-1", 5400000 }, { "-0", 5400000 }, { "1", 1000 },
		{ "86400", 86400000 }, { "86401", 86400000 }, { "2147483648", 86400000 },
		{ "9007199254740993", 86400000 }, { "9223372036854775807", 86400000 },
		{ "-9223372036854775808", 5400000 },
	};
	char more[80];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(more, sizeof(more), ",\"ttlSeconds\":%s,\"idleTimeoutSeconds\":%s",
			 rows[i].seconds, rows[i].seconds);
		assert_int_equal(reads(more), 0);
		assert_true(lease.ttl_ms == rows[i].ttl_ms);
		assert_true(lease.idle_ms == (rows[i].ttl_ms == 5400000 ? 1800000 :
					      rows[i].ttl_ms));
	}
	config.ttl_max_ms = 3600000;
	assert_int_equal(reads(""), 0);
	assert_true(lease.ttl_ms == 3600000);
}

static void put_has_its_own_rules(void **state)
{
	static const char key[] = "{\"sshPublicKey\":\"" ED25519 "\"}";

	(void)state;
	assert_int_equal(read_as(key, TOKEN_USER, "cbx_0123456789ab"), 0);
	assert_string_equal(lease.id, "cbx_0123456789ab");
	assert_int_equal(read_as(cli_body, TOKEN_USER, "cbx_0123456789ab"), -1);
	assert_string_equal(error.code, "create_attempt_not_allowed");
	assert_int_equal(read_as("{\"sshPublicKey\":\"" ED25519
				 "\",\"leaseID\":\"cbx_0123456789ac\"}",
				 TOKEN_USER, "cbx_0123456789ab"),
			 -1);
	assert_string_equal(error.code, "lease_id_mismatch");
	assert_int_equal(read_as("{\"sshPublicKey\":\"" ED25519 "\",\"providerKey\":\"laptop\"}",
				 TOKEN_ADMIN, NULL),
			 -1);
	assert_string_equal(error.code, "unsupported_feature");
}

/* The hash covers what was sent, independent of spacing and order, and nothing else. */
static void the_hash_is_of_what_was_sent(void **state)
{
	static const char *const different[] = { "",
						 ",\"keep\":true",
						 ",\"class\":\"fast\"",
						 ",\"ttlSeconds\":5401",
						 ",\"slug\":\"a\"",
						 ",\"sshPort\":\"22\"",
						 ",\"sshFallbackPorts\":[\"22\"]",
						 ",\"leaseID\":\"cbx_0123456789ab\"",
						 ",\"pond\":\"p\"",
						 ",\"image\":\"debian-12\"",
						 ",\"location\":\"nbg1\"",
						 ",\"keep\":false",
						 ",\"hostId\":\"\"",
						 ",\"class\":\"beast\"",
						 ",\"junk\":[1,2]" };
	char seen[COUNT(different)][65];
	char first[65];

	(void)state;
	for (size_t i = 0; i < COUNT(different); i++) {
		assert_int_equal(reads(different[i]), 0);
		strcpy(seen[i], hash);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(seen[k], hash);
	}
	assert_int_equal(reads(",\"keep\":true,\"junk\":{\"a\":1,\"b\":[2]}"), 0);
	strcpy(first, hash);
	assert_int_equal(read_as("{ \"junk\" : {\"b\":[ 2 ],\"a\":1},\n\"keep\":true , "
				 "\"sshPublicKey\":\"" ED25519 "\" }", TOKEN_USER, NULL), 0);
	assert_string_equal(hash, first);
	/* A refused body has a hash, too: it may have been accepted before. */
	assert_int_equal(reads(",\"image\":\"gone\",\"imageExplicit\":true"), -1);
	strcpy(first, hash);
	assert_int_equal(reads(",\"image\":\"away\",\"imageExplicit\":true"), -1);
	assert_string_not_equal(hash, first);
}

/* Defaults of the configuration are not part of it. */
static void the_hash_outlives_a_configuration(void **state)
{
	char first[65];

	(void)state;
	assert_int_equal(reads(""), 0);
	assert_string_equal(lease.image, "ubuntu-24.04");
	strcpy(first, hash);
	strcpy(hetzner.config.image, "debian-12");
	strcpy(config.default_class, "fast");
	config.ttl_ms = 1000;
	assert_int_equal(reads(""), 0);
	assert_string_equal(lease.image, "debian-12");
	assert_string_equal(hash, first);
	strcpy(hetzner.config.image, "ubuntu-24.04");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_clients_own_body, setup),
		cmocka_unit_test_setup(the_shortest_body_gets_the_defaults, setup),
		cmocka_unit_test_setup(b131_unknown_fields_set_nothing, setup),
		cmocka_unit_test_setup(refusals_name_field_status_and_code, setup),
		cmocka_unit_test_setup(allowed_variants, setup),
		cmocka_unit_test_setup(types_come_in_the_contracts_order, setup),
		cmocka_unit_test_setup(x1_x2_location_and_image_are_preferences, setup),
		cmocka_unit_test_setup(b126_times_are_cut_and_never_overflow, setup),
		cmocka_unit_test_setup(put_has_its_own_rules, setup),
		cmocka_unit_test_setup(the_hash_is_of_what_was_sent, setup),
		cmocka_unit_test_setup(the_hash_outlives_a_configuration, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
