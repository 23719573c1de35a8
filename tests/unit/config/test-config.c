/* SPDX-License-Identifier: MIT */
/* Whole files: their values, and the file and line that an error names. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];
static char file[128];
static char token[128];

#define ACCOUNT "[account hetzner]\nprovider = hetzner\nlocations = fsn1\n"

static void put(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static struct config *good(const char *text)
{
	struct config *c = NULL;
	struct err err = { 0 };

	put(file, text, 0644);
	if (config_load(file, CONFIG_WHOLE, &c, &err) < 0)
		fail_msg("%s", err.text);
	return c;
}

/* `line` 0: the file as a whole. */
static void bad(const char *text, int line, const char *why)
{
	struct config *c = NULL;
	struct err err = { 0 };
	char place[160];

	put(file, text, 0644);
	if (config_load(file, CONFIG_WHOLE, &c, &err) == 0)
		fail_msg("accepted: %s", text);
	assert_null(c);
	if (line)
		snprintf(place, sizeof(place), "%s:%d: ", file, line);
	else
		snprintf(place, sizeof(place), "%s: ", file);
	if (strncmp(err.text, place, strlen(place)) != 0 || !strstr(err.text, why))
		fail_msg("'%s' is not '%s... %s ...'", err.text, place, why);
}

static void defaults(void **state)
{
	struct config *c = good(ACCOUNT);

	(void)state;
	assert_int_equal(c->listen_count, 1);
	assert_string_equal(c->listen[0].address, "127.0.0.1");
	assert_int_equal(c->listen[0].port, 8480);
	assert_string_equal(c->limits.default_class, "small");
	assert_int_equal(c->class_count, 6);
	assert_string_equal(c->classes[5].name, "beast");
	assert_int_equal(c->classes[5].type_count, 5);
	assert_string_equal(c->classes[5].types[4], "cx53");
	assert_int_equal(c->limits.default_ttl_ms, 5400000);
	assert_int_equal(c->limits.max_idle_ms, 86400000);
	assert_int_equal(c->account_count, 1);
	assert_string_equal(c->accounts[0].account.image, "ubuntu-24.04");
	assert_int_equal(c->accounts[0].image_count, 1);
	assert_null(c->accounts[0].account.token);
	assert_int_equal(c->accounts[0].line, 1);
	/* settle: as the provider declares; kept servers are protected. */
	assert_int_equal(c->settle_ms, 0);
	assert_int_equal(c->accounts[0].account.settle_ms, 0);
	assert_int_equal(c->accounts[0].account.protect_retained, 1);
	config_free(c);
}

static void all_of_it(void **state)
{
	struct config *c;
	struct account_config copy;
	char text[2048];

	(void)state;
	put(token, "sesame\n", 0600);
	snprintf(text, sizeof(text),
		 "# a comment\n[server]\nlisten = 127.0.0.1:0, unix:/run/x.sock\nlisten ="
		 " [::1]:8480\n"
		 "store = /var/x.db\nlog = json\nlog_level = debug\nsettle = 250ms\n"
		 "allowed_hosts = a.example, b.example\nworker_threads = 3\n\n"
		 "[limits]\nmax_active = 10\nmax_hourly = 2.50\nmax_ttl = 3h\n"
		 "[class small]\ntypes = cx23, cx33\n"
		 "[account one]\nprovider = hetzner\nlocations = fsn1, nbg1\nimages = a,"
		 " B-2\nimages = c\n"
		 "image = c\nmax_steps = 4\nrate_per_hour = 3000\ntoken_file = %s\n"
		 "settle = 1m30s\nprotect_retained = no\n"
		 "endpoint = http://127.0.0.1:9/v1 ; not a comment of the value\nkeys = account\n"
		 "[account two]\nprovider = other\nlocations = x\n",
		 token);
	c = good(text);
	assert_int_equal(c->listen_count, 3);
	assert_true(c->listen[1].family == CONFIG_UNIX && c->listen[1].line == 3);
	assert_int_equal(c->listen[2].line, 4);
	assert_int_equal(c->log_format, LOG_JSON);
	assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(c->settle_ms, 250);
	assert_int_equal(c->host_count, 2);
	assert_int_equal(c->limits.engine.max_active, 10);
	assert_int_equal(c->limits.engine.max_hour_micros, 2500000);
	assert_int_equal(c->class_count, 1);
	assert_int_equal(c->account_count, 2);
	assert_int_equal(c->accounts[0].image_count, 3);
	assert_int_equal(c->accounts[0].account.option_count, 2);
	assert_string_equal(c->accounts[0].account.options[0].value, "http://127.0.0.1:9/v1");
	assert_string_equal(c->accounts[0].account.token, "sesame");
	assert_int_equal(c->accounts[0].account.settle_ms, 90000);
	assert_int_equal(c->accounts[0].account.protect_retained, 0);
	assert_int_equal(c->accounts[1].account.settle_ms, 0);
	assert_int_equal(c->accounts[1].account.protect_retained, 1);
	config_account_dup(&c->accounts[0], &copy);
	config_forget_tokens(c);
	assert_null(c->accounts[0].account.token);
	assert_string_equal(copy.token, "sesame");
	assert_string_equal(copy.options[1].key, "keys");
	assert_int_equal(copy.settle_ms, 90000);
	assert_int_equal(copy.protect_retained, 0);
	config_account_fini(&copy);
	config_free(c);
}

static void the_place_is_named(void **state)
{
	char text[400];

	(void)state;
	bad("x = 1\n", 1, "before the first section");
	bad("[sever]\n" ACCOUNT, 1, "allowed: [server], [store], [sweep], [runs]");
	bad("\n[account]\n", 2, "unknown section [account]");
	bad("[server]\nlisten_on = 1\n", 2,
	    "unknown key 'listen_on' in [server]; allowed: listen, ");
	bad("[server]\nstore = /a\nstore = /b\n", 3, "duplicate key 'store'");
	bad("[server]\n[limits]\n[server]\n", 3, "duplicate section [server]");
	bad("[limits]\n[limits]\n", 2, "duplicate");
	bad("[class a]\ntypes = x\n[class a]\n", 3, "duplicate");
	bad(ACCOUNT ACCOUNT, 4, "duplicate");
	bad(ACCOUNT "zone = a\nzone = b\n", 5, "duplicate key 'zone'");
	bad("[server]\nstore\n", 2, "KEY = VALUE");
	bad("[server]\nstore =\n", 2, "no value");
	bad("[server]\n  store = /a\n", 2, "begin with a space");
	bad("[server\n", 1, "alone on its line");
	bad("[server] x\n", 1, "alone on its line");
	bad("[server]\nlog = xml\n", 2, "log: 'xml' is neither human nor json");
	bad("[history]\nkeep = 6d\n", 2, "keep: '6d' is neither 0, for ever, nor from 7d to 3650d");
	bad("[history]\nkeep = 3651d\n", 2, "keep: '3651d' is neither 0");
	bad("[history]\nkeep = -9d\n", 2, "keep: '-9d' is neither 0");
	bad("[history]\nkeep = 30\n", 2, "keep: '30' is neither 0");
	bad("[server]\nlog_level = loud\n", 2, "error, warning");
	bad("[server]\nworker_threads = 0\n", 2, "worker_threads: '0' is not a whole number from"
	    " 1");
	bad("[class a]\ntypes = x, x\n", 2, "duplicate");
	bad("[class a]\n" ACCOUNT, 1, "needs types");
	bad("[class A]\n", 1, "name");
	bad("[account 1]\n", 1, "must begin with a letter");
	bad("[account a]\nlocations = x\n", 1, "needs provider");
	bad("[account a]\nprovider = x\n", 1, "needs locations");
	bad(ACCOUNT "Endpoint = x\n", 4, "the provider's own");
	bad(ACCOUNT "token = x\n", 4, "must not be in this file");
	bad(ACCOUNT "settle = 0\n", 4, "settle: ");
	bad(ACCOUNT "settle = 2h\n", 4, "settle: ");
	bad(ACCOUNT "protect_retained = maybe\n", 4, "protect_retained: ");
	bad("[server]\n", 0, "no [account NAME]");
	/* The default was not set by the file. */
	bad("[limits]\nmax_idle = 10m\n" ACCOUNT, 0,
	    "default_idle = 30m exceeds max_idle = 10m; set default_idle = 10m or less");
	bad("[limits]\ndefault_ttl = 2d\n" ACCOUNT, 0,
	    "default_ttl = 2d exceeds max_ttl = 1d; set default_ttl = 1d or less");
	memset(text, 'x', sizeof(text));
	memcpy(text, "[server]\nstore = /", 18);
	strcpy(text + 300, "\n");
	bad(text, 2, "at most 197 bytes");
}

static const char *store_text(const char *keys)
{
	static char text[800];

	snprintf(text, sizeof(text), "[store]\n%s" ACCOUNT, keys);
	return text;
}

static void the_store_is_a_file_or_postgresql(void **state)
{
	struct config *c = good(ACCOUNT);

	(void)state;
	assert_false(config_is_postgres(c));
	assert_string_equal(c->store_name, "/var/lib/lessor/lessor.db");
	assert_string_equal(c->store_files, c->store_name);
	config_free(c);
	c = good("[server]\nstore = /a/b\n" ACCOUNT);
	assert_false(config_is_postgres(c));
	assert_string_equal(c->store_name, "/a/b");
	config_free(c);
	c = good(store_text("url = postgresql://me@a:5432,b:5433/x?sslmode=verify-full\n"
			    "state_dir = /var/s\nrequire_sync = yes\n"));
	assert_true(config_is_postgres(c));
	assert_string_equal(c->store, "");
	assert_string_equal(c->store_name, "postgresql://me@a:5432,b:5433/x?sslmode=verify-full");
	assert_string_equal(c->store_files, "/var/s/lessord");
	assert_int_equal(c->postgres.require_sync, 1);
	assert_string_equal(c->store_target, c->store_name);
	config_free(c);
	c = good(store_text("service = lessor-2\n"));
	assert_string_equal(c->store_name, "postgresql:///?service=lessor-2");
	assert_string_equal(c->store_files, "/var/lib/lessor/lessord");
	config_free(c);
	bad("[server]\nstore = /a\n[store]\nurl = postgres://x/y\n" ACCOUNT, 0,
	    "[server] store and [store] url are mutually exclusive");
	bad("[store]\nservice = a\n[server]\nstore = /a\n" ACCOUNT, 0,
	    "[server] store and [store] service are mutually exclusive");
	bad(store_text("url = postgresql:///x\nservice = a\n"), 0, "mutually exclusive");
	bad(store_text("require_sync = yes\n"), 0, "require_sync is for PostgreSQL only");
	bad(store_text("password_file = /a\n"), 0, "password_file is for PostgreSQL only");
	bad(store_text("url = mysql://x/y\n"), 2, "not a URL such as postgresql://");
	bad("[store]\n[store]\n", 2, "duplicate section [store]");
}

static void the_password_is_in_a_file_of_its_own(void **state)
{
	static const char *const refused[] = {
		"postgresql://me:geheim@host/x",       "postgres://me:geheim@a,b/x",
		"postgresql://host/x?password=geheim", "postgresql:///?user=a&password=geheim",
		"postgresql:///x?sslpassword=geheim",  "postgresql:///x?p%61ssword=geheim",
		"postgresql://me:ge/heim@host/x",      "postgresql://me:geheim@ge/heim@host/x",
	};
	static const char *const taken[] = {
		"postgresql://host:5432/x",
		"postgresql://me@host:5432/x?passfile=/a",
		"postgresql:///x?application_name=password",
		"postgresql://host:5432/x?application_name=me@home",
	};
	char keys[400];
	struct config *c;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		snprintf(keys, sizeof(keys), "url = %s\n", refused[i]);
		put(file, store_text(keys), 0644);
		err = (struct err){ 0 };
		assert_int_equal(config_load(file, CONFIG_WHOLE, &c, &err), -1);
		assert_non_null(strstr(err.text, "password_file = /path"));
		assert_null(strstr(err.text, "geheim"));
	}
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		snprintf(keys, sizeof(keys), "url = %s\n", taken[i]);
		config_free(good(store_text(keys)));
	}
	put(token, "ge&he/im%\n", 0600);
	snprintf(keys, sizeof(keys), "service = a\npassword_file = %s\n", token);
	c = good(store_text(keys));
	assert_string_equal(c->store_target, "postgresql:///?service=a&password=ge%26he%2Fim%25");
	assert_string_equal(c->store_name, "postgresql:///?service=a");
	config_free(c);
	snprintf(keys, sizeof(keys), "url = postgresql://h/d\npassword_file = %s\n", token);
	c = good(store_text(keys));
	assert_string_equal(c->store_target, "postgresql://h/d?password=ge%26he%2Fim%25");
	config_free(c);
	/* Tools need the password and no token; what needs neither reads none. */
	put(file, store_text(keys), 0644);
	unlink(token);
	assert_int_equal(config_load(file, CONFIG_WITHOUT_TOKENS, &c, NULL), 0);
	config_free(c);
	assert_int_equal(config_load(file, CONFIG_FOR_STORE, &c, &err), -1);
	assert_non_null(strstr(err.text, "cannot open the password file"));
	put(file, ACCOUNT "token_file = /nonexistent/token\n", 0644);
	assert_int_equal(config_load(file, CONFIG_FOR_STORE, &c, NULL), 0);
	config_free(c);
}

static void the_password_is_a_credential(void **state)
{
	struct config *c;

	(void)state;
	unsetenv("CREDENTIALS_DIRECTORY");
	bad(store_text("service = a\ncredential = token\n"), 0, "LoadCredential=token");
	bad(store_text("service = a\ncredential = b\npassword_file = /c\n"), 0, "exclusive");
	/* Outside of the service libpq looks for a password itself. */
	put(file, store_text("service = a\ncredential = token\n"), 0644);
	assert_int_equal(config_load(file, CONFIG_FOR_STORE, &c, NULL), 0);
	assert_string_equal(c->store_target, "postgresql:///?service=a");
	config_free(c);
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	put(token, "geheim\n", 0440);
	c = good(store_text("service = a\ncredential = token\n"));
	assert_string_equal(c->store_target, "postgresql:///?service=a&password=geheim");
	config_free(c);
	unlink(token);
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void u12_a_rate_is_stated_or_there_is_none(void **state)
{
	struct config *c = good(ACCOUNT);

	(void)state;
	assert_int_equal(c->usd_rate_count, 0);
	config_free(c);
	c = good("[server]\nusd_rates = EUR:1.08, GBP:1.27\nusd_rates = CHF:1\n" ACCOUNT);
	assert_int_equal(c->usd_rate_count, 3);
	assert_string_equal(c->usd_rates[0].currency, "EUR");
	assert_int_equal(c->usd_rates[0].micros, 1080000);
	assert_int_equal(c->usd_rates[2].micros, 1000000);
	config_free(c);
	bad("[server]\nusd_rates = 1.08\n", 2, "not a currency and its rate, such as EUR:1.08");
	bad("[server]\nusd_rates = eur:1.08\n", 2, "not a currency and its rate");
	bad("[server]\nusd_rates = EURO:1.08\n", 2, "not a currency and its rate");
	bad("[server]\nusd_rates = EUR:dear\n", 2, "not an amount");
	bad("[server]\nusd_rates = EUR:0\n", 2, "out of range");
	bad("[server]\nusd_rates = EUR:1, EUR:2\n", 2, "two rates for EUR");
}

static void the_bind_is_never_widened(void **state)
{
	(void)state;
	bad("[server]\nlisten = 0.0.0.0:8480\n" ACCOUNT, 2, "tokens would cross the network");
	bad("[server]\nlisten = [::]:8480\n" ACCOUNT, 2, "tokens would cross the network");
	bad("[server]\nlisten = 192.0.2.1:8480\nbehind_proxy = no\n" ACCOUNT, 2, "behind_proxy ="
	    " yes");
	bad("[server]\nlisten = 127.0.0.1:1, 127.0.0.1:1\n" ACCOUNT, 2, "already in `listen`");
	bad("[server]\ntls_certificate = /a\n" ACCOUNT, 0, "must be set together");
	config_free(good("[server]\nlisten = 0.0.0.0:8480\nbehind_proxy = yes\n" ACCOUNT));
	config_free(good("[server]\nlisten = 0.0.0.0:8480\ntls_certificate = /a\ntls_key ="
		" /b\n" ACCOUNT));
	config_free(good("[server]\nlisten = 127.0.0.1:0, 127.0.0.1:0\n" ACCOUNT));
}

static void token_file(const char *content, mode_t mode, const char *why)
{
	char text[400];

	put(token, content, mode);
	snprintf(text, sizeof(text), ACCOUNT "token_file = %s\n", token);
	bad(text, 1, why);
}

static void a_token_may_be_the_daemons(void **state)
{
	enum { DAEMON = 12345, STRANGER = 12346 };
	char text[600], files[200];

	(void)state;
	/* Root checks the configuration of a daemon that is another user. */
	if (geteuid() != 0)
		skip();
	snprintf(files, sizeof(files), "%s/files", dir);
	snprintf(text, sizeof(text), ACCOUNT "token_file = %s\n[server]\nstore = %s/lessor.db\n",
		 token, files);
	put(token, "x\n", 0600);
	assert_int_equal(chown(token, DAEMON, DAEMON), 0);
	bad(text, 1, "belongs to user 12345");
	assert_int_equal(mkdir(files, 0700), 0);
	bad(text, 1, "belongs to user 12345");
	assert_int_equal(chown(files, DAEMON, DAEMON), 0);
	config_free(good(text));
	assert_int_equal(chown(token, STRANGER, STRANGER), 0);
	bad(text, 1, "belongs to user 12346");
	unlink(token);
	rmdir(files);
}

static void tokens_are_private(void **state)
{
	struct config *without = NULL;
	char text[400];
	char big[2000];

	(void)state;
	token_file("x\n", 0644, "mode 0644");
	token_file("x\n", 0640, "mode 0640");
	token_file("x\n", 0602, "mode 0602");
	token_file("", 0600, "empty");
	token_file("\n", 0600, "empty");
	token_file("a\nb\n", 0600, "one line");
	token_file("a b\n", 0600, "one line");
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	token_file(big, 0600, "more than 1024 bytes");
	unlink(token);
	snprintf(text, sizeof(text), ACCOUNT "token_file = %s\n", token);
	bad(text, 1, "cannot open");
	/* D12 */
	assert_int_equal(symlink(file, token), 0);
	bad(text, 1, "is a symbolic link, which is not followed");
	unlink(token);
	snprintf(text, sizeof(text), ACCOUNT "token_file = %s\n", dir);
	bad(text, 1, "not a regular file");
	bad(ACCOUNT "token_file = /a\ncredential = b\n", 1, "mutually exclusive");
	unsetenv("CREDENTIALS_DIRECTORY");
	bad(ACCOUNT "credential = token\n", 1, "LoadCredential=token");
	bad(ACCOUNT "credential = ../token\n", 4, "name");
	put(file, ACCOUNT "credential = token\n", 0644);
	assert_int_equal(config_load(file, CONFIG_WITHOUT_TOKENS, &without, NULL), 0);
	config_free(without);
	assert_int_equal(config_load(file, CONFIG_WITHOUT_CREDENTIALS, &without, NULL), 0);
	config_free(without);
	/* only the credentials are left out */
	put(file, ACCOUNT "credential = token\nca_file = /nonexistent/ca\n", 0644);
	assert_int_equal(config_load(file, CONFIG_WITHOUT_CREDENTIALS, &without, NULL), -1);
	put(file, "[server]\npeer_ca_file = /nonexistent/ca\n" ACCOUNT "credential = token\n", 0644);
	assert_int_equal(config_load(file, CONFIG_WITHOUT_CREDENTIALS, &without, NULL), -1);
	assert_int_equal(config_load(file, CONFIG_WITHOUT_TOKENS, &without, NULL), 0);
	config_free(without);
	put(file, ACCOUNT "token_file = /nonexistent/token\n", 0644);
	assert_int_equal(config_load(file, CONFIG_WITHOUT_CREDENTIALS, &without, NULL), -1);
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	put(token, "fromsystemd", 0440);
	struct config *c = good(ACCOUNT "credential = token\n");
	assert_string_equal(c->accounts[0].account.token, "fromsystemd");
	config_free(c);
	unlink(token);
}

static void f1_a_byte_order_mark_is_skipped(void **state)
{
	struct config *c =
		good("\xef\xbb\xbf[server]\r\nlisten = 127.0.0.1:1\r\n\r\n# x\r\n" ACCOUNT);

	(void)state;
	assert_int_equal(c->listen[0].port, 1);
	config_free(c);
	c = good("\xef\xbb\xbf# a comment\n" ACCOUNT);
	config_free(c);
	c = good("\xef\xbb\xbf\n" ACCOUNT);
	config_free(c);
	bad("\xef\xbb\xbf[server]\nlisten = x\n" ACCOUNT, 2, "is not an address");
}

static void f2_white_space_around_a_token_is_trimmed(void **state)
{
	static const char *const around[] = { "tok\n", "tok\r\n", "tok\r", "tok ", " \ttok\t\n\n" };
	char text[400];

	(void)state;
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	snprintf(text, sizeof(text), ACCOUNT "token_file = %s\n", token);
	for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
		for (int k = 0; k < 2; k++) {
			put(token, around[i], 0600);
			struct config *c = good(k ? ACCOUNT "credential = token\n" : text);
			assert_string_equal(c->accounts[0].account.token, "tok");
			config_free(c);
		}
	}
	unlink(token);
}

static void others_may_not_write_it(void **state)
{
	struct config *c = NULL;
	struct err err = { 0 };

	(void)state;
	put(file, ACCOUNT, 0646);
	assert_int_equal(config_load(file, CONFIG_WHOLE, &c, &err), -1);
	assert_non_null(strstr(err.text, "writable by other users"));
	assert_int_equal(config_load(dir, CONFIG_WHOLE, &c, &err), -1);
	assert_non_null(strstr(err.text, "not a regular file"));
	assert_int_equal(config_load("/nonexistent/x", CONFIG_WHOLE, &c, &err), -1);
	assert_int_equal(err.kind, ERR_IO);
}

static void limits_by_name_and_pauses_are_read(void **state)
{
	struct config *c = good(
		"[server]\npaused = yes\npaused_reason = we move, until 14:00\n"
		"[limits]\nmax_monthly = 100\nmax_monthly_per_owner = 20\n"
		"[limits owner alice@example.com]\nmax_active = 0\nmax_monthly = 12.5\n"
		"[limits account hetzner]\nmax_hourly = 3\n[org Acme]\naccounts = hetzner\n" ACCOUNT
		"paused = yes\n");
	const struct engine_limits *limits = &c->limits.engine;

	(void)state;
	assert_int_equal(limits->max_month_micros, 100000000);
	assert_int_equal(limits->max_month_micros_owner, 20000000);
	assert_int_equal(limits->named_count, 2);
	assert_int_equal(limits->named[0].scope, LIMIT_OWNER);
	assert_string_equal(limits->named[0].name, "alice@example.com");
	assert_int_equal(limits->named[0].max_active, 0);
	assert_int_equal(limits->named[0].max_hour_micros, LIMIT_UNSET);
	assert_int_equal(limits->named[0].max_month_micros, 12500000);
	assert_int_equal(limits->named[1].scope, LIMIT_ACCOUNT);
	assert_int_equal(limits->named[1].max_hour_micros, 3000000);
	assert_int_equal(limits->pause_count, 2);
	assert_string_equal(limits->pauses[0].account, "");
	assert_string_equal(limits->pauses[0].reason, "we move, until 14:00");
	assert_string_equal(limits->pauses[1].account, "hetzner");
	assert_int_equal(c->org_count, 1);
	assert_string_equal(c->orgs[0].name, "Acme");
	assert_string_equal(c->orgs[0].accounts[0], "hetzner");
	config_free(c);
	bad("[limits owner]\n" ACCOUNT, 1, "must be [limits owner NAME]");
	bad("[limits user x]\n" ACCOUNT, 1, "must be [limits owner NAME]");
	bad("[limits owner x y]\n" ACCOUNT, 1, "not a name");
	bad("[limits owner x]\n[limits owner x]\n" ACCOUNT, 2, "duplicate section");
	bad("[limits owner x]\nmax_ttl = 1h\n" ACCOUNT, 2, "unknown key 'max_ttl'");
	bad("[limits account other]\n" ACCOUNT, 0, "there is no [account other]");
	bad("[org g]\n" ACCOUNT, 1, "needs accounts");
	bad("[org g]\naccounts = other\n" ACCOUNT, 1, "there is no [account other]");
	bad("[org g]\n[org g]\n" ACCOUNT, 2, "duplicate section");
}

#define CERTIFICATE "[server]\ntls_certificate = /a\ntls_key = /b\n"

static void text_10_each_difference_is_named(void **state)
{
	static const struct {
		const char *old, *now, *applied, *restart;
	} rows[] = {
		{ ACCOUNT, ACCOUNT, "", "" },
		{ ACCOUNT, "[limits]\nmax_active = 3\nmax_hourly = 1.5\n" ACCOUNT,
		  "[limits] max_active = 3, max_hourly = 1.5", "" },
		{ "[limits]\nmax_hourly = 1.5\n" ACCOUNT, ACCOUNT, "[limits] max_hourly = 0", "" },
		{ "[limits owner a]\nmax_active = 1\n[limits org g]\n" ACCOUNT,
		  "[limits owner a]\nmax_monthly = 9\n[limits account hetzner]\n" ACCOUNT,
		  "[limits owner a] max_active, max_monthly = 9; [limits account hetzner] (new); "
		  "[limits org g] (removed)",
		  "" },
		{ "[org g]\naccounts = hetzner\n[org i]\naccounts = hetzner\n" ACCOUNT,
		  "[org h]\naccounts = hetzner\n[org i]\naccounts = hetzner, hetzner-2\n" ACCOUNT
		  "[account hetzner-2]\nprovider = x\nlocations = y\n",
		  "[org h] (new); [org i] accounts = hetzner; [org g] (removed)",
		  "[account hetzner-2] (new)" },
		{ ACCOUNT, "[server]\npaused = yes\npaused_reason = a; b\n" ACCOUNT "paused = yes\n",
		  "[server] paused = yes, paused_reason = a; b; [account hetzner] paused = yes",
		  "" },
		{ "[server]\nlog = json\n" ACCOUNT, "[server]\nlog_level = debug\n" ACCOUNT,
		  "[server] log = human, log_level = debug", "" },
		{ ACCOUNT, "[server]\nadvertise = a:1\n[store]\nurl = postgresql:///x\n" ACCOUNT,
		  "", "[server] store, advertise; [store] url" },
		{ ACCOUNT, ACCOUNT "keys = account\n", "", "[account hetzner] keys" },
		{ ACCOUNT "keys = account\n", ACCOUNT "keys = lease\nx = y\n", "",
		  "[account hetzner] keys, x" },
		{ ACCOUNT "keys = account\n", ACCOUNT, "", "[account hetzner] keys" },
		{ ACCOUNT, "[server]\nlisten = 127.0.0.1:1\ndrain = 1s\n" ACCOUNT, "",
		  "[server] listen, drain" },
		{ ACCOUNT, ACCOUNT "settle = 2m\nprotect_retained = no\n", "",
		  "[account hetzner] settle, protect_retained" },
		{ ACCOUNT, "[server]\nusd_rates = EUR:1.08\n" ACCOUNT "allowed_types = cx43\n",
		  "[server] usd_rates = EUR:1.08; [account hetzner] allowed_types = cx43", "" },
		{ ACCOUNT, ACCOUNT "client_location = ignore\nclient_image = require\n", "",
		  "[account hetzner] client_location, client_image" },
		{ ACCOUNT, "[runs]\nkeep = 1d\n[class c]\ntypes = a\n" ACCOUNT, "",
		  "[runs] keep; [limits] default_class; [class c] (new); [class tiny] (removed); [class small] (removed); "
		  "[class standard] (removed); [class fast] (removed); [class large] (removed); "
		  "[class beast] (removed)" },
		{ "[class c]\ntypes = a\n[class d]\ntypes = a\n" ACCOUNT,
		  "[class d]\ntypes = a\n[class c]\ntypes = b, a\n" ACCOUNT,
		  "[limits] default_class = d", "[class d] (order); [class c] (order), types" },
		{ ACCOUNT, ACCOUNT "[account b]\nprovider = x\nlocations = y\n", "",
		  "[account b] (new)" },
		{ ACCOUNT "[account b]\nprovider = x\nlocations = y\n", ACCOUNT, "",
		  "[account b] (removed)" },
		{ ACCOUNT, CERTIFICATE ACCOUNT, "", "[server] tls_certificate, tls_key" },
		{ CERTIFICATE ACCOUNT, "[server]\ntls_certificate = /c\ntls_key = /b\n" ACCOUNT,
		  "[server] tls_certificate = /c", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config *old = good(rows[i].old), *now = good(rows[i].now);
		struct config_changes changes;

		config_compare(old, now, &changes);
		assert_string_equal(buf_str(&changes.applied), rows[i].applied);
		assert_string_equal(buf_str(&changes.restart), rows[i].restart);
		config_changes_fini(&changes);
		/* What was applied is in effect then, and what was not is still a difference. */
		config_take(old, now);
		config_compare(old, now, &changes);
		assert_string_equal(buf_str(&changes.applied), "");
		assert_string_equal(buf_str(&changes.restart), rows[i].restart);
		config_changes_fini(&changes);
		config_free(old);
		config_free(now);
	}
}

static void u2_the_default_class_is_a_modest_one(void **state)
{
	static const struct {
		const char *text, *class;
	} rows[] = {
		{ ACCOUNT, "small" },
		{ "[limits]\ndefault_class = tiny\n" ACCOUNT, "tiny" },
		{ "[class big]\ntypes = a\n[class mid]\ntypes = b\n" ACCOUNT, "big" },
		{ "[class big]\ntypes = a\n[class small]\ntypes = b\n" ACCOUNT, "small" },
		{ "[limits]\ndefault_class = mid\n[class big]\ntypes = a\n[class mid]\ntypes = b\n" ACCOUNT,
		  "mid" },
	};
	struct config *c;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		c = good(rows[i].text);
		assert_string_equal(c->limits.default_class, rows[i].class);
		config_free(c);
	}
	bad("[limits]\ndefault_class = huge\n" ACCOUNT, 0,
	    "default_class: there is no class 'huge'; classes: tiny, small, standard");
	bad("[limits]\ndefault_class = small\n[class big]\ntypes = a\n" ACCOUNT, 0,
	    "default_class: there is no class 'small'; classes: big");
}

static void u3_an_account_lists_types(void **state)
{
	struct config *c = good(ACCOUNT "allowed_types = cx43, cx53\nallowed_types = any\n");

	(void)state;
	assert_int_equal(c->accounts[0].type_count, 3);
	assert_string_equal(c->accounts[0].types[1], "cx53");
	assert_string_equal(c->accounts[0].types[2], "any");
	config_free(c);
	bad(ACCOUNT "allowed_types = a, a\n", 4, "duplicate");
	bad(ACCOUNT "allowed_types = A B\n", 4, "allowed_types");
}

/* A dump that is loaded yields the same dump, and defaults those of an empty file. */
static void a_dump_says_the_same(void **state)
{
	struct config *a = good("[server]\nlisten = 127.0.0.1:1, [::1]:0\nlisten = unix:/run/x\n"
				"allowed_hosts = a.example, b.example\nlog = json\n"
				"log_level = debug\nbehind_proxy = yes\nsettle = 100ms\n"
				"usd_rates = EUR:1.08, JPY:0.0065\n"
				"create_wait = 0\n[sweep]\nmode = delete\ngrace = 36h\n"
				"[limits]\nmax_hourly = 1.25\nmax_hourly_per_org = 0.000001\n"
				"max_hourly_per_owner = 20\n[class c]\ntypes = a1, b2\n" ACCOUNT
				"images = debian-12, Fedora\nmax_steps = 3\nkeys = account\n"
				"protect_retained = no\n");
	char *text[2];
	size_t len;

	(void)state;
	for (int i = 0; i < 2; i++) {
		FILE *out = open_memstream(&text[i], &len);

		assert_non_null(out);
		config_dump(a, out);
		fclose(out);
		config_free(a);
		a = good(text[i]);
	}
	assert_string_equal(text[0], text[1]);
	assert_non_null(strstr(text[0], "listen = 127.0.0.1:1, [::1]:0, unix:/run/x\n"));
	assert_non_null(strstr(text[0], "\ncreate_wait = 0\n"));
	assert_non_null(strstr(text[0], "\nusd_rates = EUR:1.08, JPY:0.0065\n"));
	assert_non_null(strstr(text[0], "\nsettle = 100ms\n"));
	assert_non_null(strstr(text[0], "\ngrace = 36h\n"));
	assert_non_null(strstr(text[0], "\nmax_hourly = 1.25\nmax_hourly_per_owner = 20\n"
				"max_hourly_per_org = 0.000001\n"));
	assert_non_null(strstr(text[0], "\n#tls_key =\n"));
	assert_non_null(strstr(text[0], "\nimages = debian-12, Fedora\n"));
	assert_non_null(strstr(text[0], "\nkeys = account\n"));
	/* Of the account: not set, and 0 is not a valid value. */
	assert_non_null(strstr(text[0], "\n#settle =\nprotect_retained = no\n"));
	config_free(a);
	free(text[0]);
	free(text[1]);
	a = good("[server]\nadvertise = [::1]:1\n[store]\nurl = postgresql://a/b\n" ACCOUNT);
	for (int i = 0; i < 2; i++) {
		FILE *out = open_memstream(&text[i], &len);

		config_dump(a, out);
		fclose(out);
		config_free(a);
		a = good(text[i]);
	}
	assert_string_equal(text[0], text[1]);
	assert_non_null(strstr(text[0], "\n#store =\nadvertise = [::1]:1\n"));
	assert_non_null(strstr(text[0], "\n[store]\nurl = postgresql://a/b\n#service =\n"));
	config_free(a);
	free(text[0]);
	free(text[1]);
}

/* The example shows the defaults of all keys, commented out. */
static void the_example_is_right(void **state)
{
	FILE *from = fopen(EXAMPLE, "r");
	struct config *c, *plain = good(ACCOUNT);
	char text[32768];
	char line[256];
	size_t len = 0;
	int keys = 0;

	(void)state;
	assert_non_null(from);
	while (fgets(line, sizeof(line), from)) {
		const char *start = line;

		/* "#key = value" is a default, "# text" is text; [account] is the operator's. */
		if (line[0] == '#' && line[1] >= 'a' && line[1] <= 'z' && strstr(line, " = ")) {
			start++;
			keys++;
		} else if (line[0] == '#' && line[1] == '[') {
			start++;
		} else if (line[0] == '#' || line[0] == '\n') {
			continue;
		}
		if (strncmp(start, "credential", 10) == 0 ||
		    strncmp(start, "token_file", 10) == 0 || strncmp(start, "tls_", 4) == 0 ||
		    strncmp(start, "settle", 6) == 0 || strncmp(start, "ca_file", 7) == 0 ||
		    strncmp(start, "url", 3) == 0 || strncmp(start, "service", 7) == 0 ||
		    strncmp(start, "password_file", 13) == 0 ||
		    strncmp(start, "peer_ca_file", 12) == 0)
			continue; /* these need files, or have no default */
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", start);
	}
	fclose(from);
	assert_true(keys > 30);
	c = good(text);
	assert_int_equal(c->listen_count, plain->listen_count);
	assert_int_equal(c->settle_ms, plain->settle_ms);
	assert_int_equal(c->boot_ms, plain->boot_ms);
	assert_int_equal(c->probe_ms, plain->probe_ms);
	assert_int_equal(c->drain_ms, plain->drain_ms);
	assert_int_equal(c->create_wait_ms, plain->create_wait_ms);
	assert_int_equal(c->release_wait_ms, plain->release_wait_ms);
	assert_int_equal(c->worker_threads, plain->worker_threads);
	assert_memory_equal(&c->limits, &plain->limits, sizeof(c->limits));
	assert_int_equal(c->class_count, plain->class_count);
	assert_memory_equal(c->classes[0].types, plain->classes[0].types, sizeof(c->classes[0].types));
	config_free(c);
	config_free(plain);
}

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test-config-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/lessord.conf", dir);
	snprintf(token, sizeof(token), "%s/token", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(file);
	unlink(token);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(all_of_it),
		cmocka_unit_test(the_place_is_named),
		cmocka_unit_test(the_bind_is_never_widened),
		cmocka_unit_test(the_store_is_a_file_or_postgresql),
		cmocka_unit_test(the_password_is_in_a_file_of_its_own),
		cmocka_unit_test(the_password_is_a_credential),
		cmocka_unit_test(u12_a_rate_is_stated_or_there_is_none),
		cmocka_unit_test(a_token_may_be_the_daemons),
		cmocka_unit_test(tokens_are_private),
		cmocka_unit_test(f1_a_byte_order_mark_is_skipped),
		cmocka_unit_test(f2_white_space_around_a_token_is_trimmed),
		cmocka_unit_test(others_may_not_write_it),
		cmocka_unit_test(limits_by_name_and_pauses_are_read),
		cmocka_unit_test(text_10_each_difference_is_named),
		cmocka_unit_test(u2_the_default_class_is_a_modest_one),
		cmocka_unit_test(u3_an_account_lists_types),
		cmocka_unit_test(a_dump_says_the_same),
		cmocka_unit_test(the_example_is_right),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
