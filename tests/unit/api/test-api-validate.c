/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <openssl/evp.h>

#include "api/api_error.h"
#include "api/validate.h"
#include "api/slug.h"
#include "api/sshkey.h"

/* ---- grammars ---------------------------------------------------------------------- */

static void ids_are_exact(void **state)
{
	(void)state;
	assert_true(validate_lease_id("cbx_0123456789ab"));
	assert_false(validate_lease_id("cbx_0123456789a"));
	assert_false(validate_lease_id("cbx_0123456789abc"));
	assert_false(validate_lease_id("cbx_0123456789AB"));
	assert_false(validate_lease_id("CBX_0123456789ab"));
	assert_false(validate_lease_id("cbx_%30123456789"));
	assert_false(validate_lease_id(""));
	assert_true(validate_attempt("cat_0123456789abcdef0123456789abcdef"));
	assert_false(validate_attempt("cat_0123456789abcdef0123456789abcde"));
	assert_false(validate_attempt("cat_0123456789abcdef0123456789abcdeF"));
}

/* B180, B187: no text with a special meaning elsewhere passes any of the checks. */
static void b180_b187_injections_are_no_words(void **state)
{
	static const char *const rows[] = { "' OR 1=1--", "\"; DROP TABLE lease;--",
		"x' concat (select 1)", "%", "_", "\\", "../", "ccx33&x=1", "ccx33\r\nX:",
		"http://169.254.169.254/", "a b", "a\tb", "-x", ".x", "a..b", "\xe2\x80\xae", "" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("row %zu\n", i);
		assert_false(validate_type(rows[i]));
		assert_false(validate_image(rows[i]));
		assert_false(validate_word(rows[i], 47));
		assert_false(validate_account(rows[i]));
		assert_false(validate_group(rows[i]));
		assert_false(validate_slug(rows[i]));
		if (strcmp(rows[i], "a..b"))
			assert_false(validate_owner(rows[i]));
	}
	assert_true(validate_type("ccx63"));
	assert_true(validate_image("ubuntu-24.04"));
	assert_true(validate_os("ubuntu:24.04"));
	assert_false(validate_os("ubuntu:"));
	assert_false(validate_os("Ubuntu:24.04"));
}

/* B164, B165 */
static void b165_owners_are_plain(void **state)
{
	static const char *const bad[] = { "*", "%", "_", "#", "+", "/", "", "a ", " a", "a/b" };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_false(validate_owner(bad[i]));
		assert_false(validate_org(bad[i]));
	}
	assert_true(validate_owner("alice@example.com"));
	assert_true(validate_owner("github:12345"));
	assert_true(validate_org("acme"));
}

static void b185_users_and_directories(void **state)
{
	static const char *const bad_users[] = { "root", "a: b", "a\n- x", "$(id)", "../../", "'",
		"~", "", "A", "1a", "www-data", "systemd-network", "_apt", "sshd",
		"abcdefghijklmnopqrstuvwxyz0123456" };
	static const char *const bad_roots[] = { "work", "/", "//", "/a//b", "/a/", "/a/../b",
		"/a/./b", "/etc", "/etc/x", "/root/x", "/usr/local/x", "/proc/1", "/dev/shm",
		"/tmp", "/var", "/home", "/a b", "/a$b", "/a'b", "/a\nb", "/-a", "~", "", "/a:b" };
	static const char *const good_roots[] = { "/work/crabbox", "/work", "/home/crabbox",
		"/srv/x", "/var/lib/crabbox", "/etcetera", "/w/.cache", "/tmp/x" };
	char longest[200];

	(void)state;
	for (size_t i = 0; i < COUNT(bad_users); i++)
		assert_false(validate_user(bad_users[i]));
	assert_true(validate_user("crabbox"));
	assert_true(validate_user("a-b_c9"));
	for (size_t i = 0; i < COUNT(bad_roots); i++)
		assert_false(validate_work_root(bad_roots[i]));
	for (size_t i = 0; i < COUNT(good_roots); i++)
		assert_true(validate_work_root(good_roots[i]));
	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	longest[128] = '\0';
	assert_false(validate_work_root(longest));
	longest[127] = '\0';
	assert_true(validate_work_root(longest));
}

static void b192_ports(void **state)
{
	static const char *const bad[] = { "0", "65536", "70000", "-1", "+1", "22;id", "022", " 22",
		"22 ", "", "a", "1e3", "99999999999" };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(validate_port(bad[i]), 0);
	assert_int_equal(validate_port("1"), 1);
	assert_int_equal(validate_port("2222"), 2222);
	assert_int_equal(validate_port("65535"), 65535);
}

/* ---- slugs -------------------------------------------------------------------------- */

static void slugs_have_the_golden_values(void **state)
{
	char slug[48];

	(void)state;
	slug_generate("cbx_000000000001", slug);
	assert_string_equal(slug, "tidal-lobster");
	slug_generate("cbx_abcdef123456", slug);
	assert_string_equal(slug, "blue-prawn");
	slug_generate("cbx_0123456789ab", slug);
	assert_string_equal(slug, "violet-prawn");
}

static void b186_slugs_are_normalized_or_refused(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "violet-prawn", "violet-prawn" },
		{ " My_Box.2 ", "my-box-2" },
		{ "-a", "a" },
		{ "a-", "a" },
		{ "a -_- b", "a-b" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
		{ "--", NULL },
		{ "", NULL },
		{ "...", NULL },
		{ "' OR 1=1--", NULL },
		{ "a%b", NULL },
		{ "a/b", NULL },
		{ "\xd9\xa1\xd9\xa2", NULL },		/* Arabic digits */
		{ "a\xe2\x80\xae" "b", NULL },		/* B130: U+202E */
		{ "\xf0\x9f\xa6\x9e", NULL },
		{ "a\nb", NULL },
	};
	char slug[48];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("row %zu: %s\n", i, rows[i].in);
		assert_int_equal(slug_normalize(rows[i].in, slug), rows[i].out ? 0 : -1);
		if (rows[i].out) {
			assert_string_equal(slug, rows[i].out);
			assert_true(validate_slug(slug));
		}
	}
}

/* ---- public keys ---------------------------------------------------------------------- */

struct blob {
	unsigned char data[2048];
	size_t len;
};

static void blob_add(struct blob *blob, const void *data, size_t len)
{
	const unsigned char head[4] = { 0, 0, (unsigned char)(len >> 8), (unsigned char)len };

	memcpy(blob->data + blob->len, head, 4);
	memcpy(blob->data + blob->len + 4, data, len);
	blob->len += 4 + len;
}

static char *key_line(const char *type, const struct blob *blob, const char *comment)
{
	unsigned char base64[3000];
	char *line = malloc(4096);

	EVP_EncodeBlock(base64, blob->data, (int)blob->len);
	snprintf(line, 4096, "%s %s%s%s", type, (char *)base64, *comment ? " " : "", comment);
	return line;
}

static char *ed25519(const char *inner, size_t len, int trailing, const char *comment)
{
	static const unsigned char zero[64] = { 1 };
	struct blob blob = { .len = 0 };

	blob_add(&blob, inner, strlen(inner));
	blob_add(&blob, zero, len);
	blob.len += (size_t)trailing;
	return key_line("ssh-ed25519", &blob, comment);
}

static char *rsa(const char *type, size_t bits, int even)
{
	static const unsigned char e[] = { 1, 0, 1 };
	unsigned char n[1100] = { 0 };
	struct blob blob = { .len = 0 };

	n[1] = 0xc1;
	n[bits / 8] = even ? 2 : 3;
	blob_add(&blob, type, strlen(type));
	blob_add(&blob, e, sizeof(e));
	blob_add(&blob, n, bits / 8 + 1);
	return key_line(type, &blob, "");
}

static char *ecdsa(const char *type, const char *curve, size_t point, int form)
{
	unsigned char bytes[200] = { (unsigned char)form };
	struct blob blob = { .len = 0 };

	blob_add(&blob, type, strlen(type));
	blob_add(&blob, curve, strlen(curve));
	blob_add(&blob, bytes, point);
	return key_line(type, &blob, "");
}

static int accepts(const char *line)
{
	char out[2048];
	struct api_error error = { 0 };
	int rc = sshkey_check(line, out, sizeof(out), &error);

	if (rc) {
		assert_int_equal(error.status, 400);
		assert_string_equal(error.code, "invalid_public_key");
		assert_string_equal(out, "");
	}
	return rc == 0;
}

static int accepts_free(char *line)
{
	int rc = accepts(line);

	free(line);
	return rc;
}

static void b181_b183_public_keys(void **state)
{
	char *big = malloc(20001);

	(void)state;
	assert_true(accepts(ED25519));
	assert_true(accepts(ED25519 " crabbox cbx_0123456789ab"));
	assert_true(accepts(ED25519 " alice@example.com\n"));
	assert_true(accepts_free(rsa("ssh-rsa", 2048, 0)));
	assert_true(accepts_free(rsa("ssh-rsa", 4096, 0)));
	assert_true(accepts_free(ecdsa("ecdsa-sha2-nistp256", "nistp256", 65, 4)));
	assert_true(accepts_free(ecdsa("ecdsa-sha2-nistp384", "nistp384", 97, 4)));
	assert_true(accepts_free(ecdsa("ecdsa-sha2-nistp521", "nistp521", 133, 4)));

	/* B181: more than one line */
	assert_false(accepts(ED25519 "\nruncmd:\n- id"));
	assert_false(accepts(ED25519 " x\n"
				     " y"));
	/* B183 */
	assert_false(accepts(ED25519 "\n" ED25519));
	assert_false(accepts("ssh-ed25519\tAAAA"));
	assert_false(accepts("# " ED25519));
	assert_false(accepts("from=\"*\" " ED25519));
	assert_false(accepts("ssh-ed25519"));
	assert_false(accepts("ssh-ed25519 "));
	assert_false(accepts("ssh-ed25519 !!!!"));
	assert_false(accepts("ssh-ed25519 AAAA"));
	assert_false(accepts("ssh-ed25519 =AAA"));
	assert_false(accepts(ED25519 "=="));
	assert_false(accepts_free(ed25519("ssh-ed25519", 31, 0, "")));
	assert_false(accepts_free(ed25519("ssh-ed25519", 33, 0, "")));
	assert_false(accepts_free(ed25519("ssh-ed25519", 32, 1, "")));
	assert_false(accepts_free(ed25519("ssh-rsa", 32, 0, "")));
	assert_false(accepts_free(rsa("ssh-dss", 2048, 0)));
	assert_false(accepts_free(rsa("ssh-rsa", 1024, 0)));
	assert_false(accepts_free(rsa("ssh-rsa", 2048, 1)));
	assert_false(accepts_free(ecdsa("ecdsa-sha2-nistp256", "nistp384", 65, 4)));
	assert_false(accepts_free(ecdsa("ecdsa-sha2-nistp256", "nistp256", 64, 4)));
	assert_false(accepts_free(ecdsa("ecdsa-sha2-nistp256", "nistp256", 65, 2)));
	memset(big, 'A', 20000);
	memcpy(big, "ssh-rsa ", 8);
	big[20000] = '\0';
	assert_false(accepts(big));
	free(big);
	/* B184 */
	assert_false(accepts("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE="));
	assert_false(accepts(""));
	assert_false(accepts("\n"));
}

/* The line that is kept: the type and the key alone. */
static void keeps_only_the_key(const char *line)
{
	char out[2048];
	struct api_error error = { 0 };

	if (sshkey_check(line, out, sizeof(out), &error))
		fail_msg("'%s': %s", line, error.message);
	assert_string_equal(out, ED25519);
}

static void f3_a_comment_is_any_text_and_ignored(void **state)
{
	(void)state;
	keeps_only_the_key(ED25519 " Zo\xc3\xab@b\xc3\xbcro");
	keeps_only_the_key(ED25519 " x  y");
	keeps_only_the_key(ED25519 "  x");
	keeps_only_the_key(
		"ssh-ed25519  AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\tx\ty");
	keeps_only_the_key(ED25519 " a: b # c \"]");
	keeps_only_the_key(ED25519 " 0123456789012345678901234567890123456789"
				   "0123456789012345678901234567890123456789");
	assert_false(accepts(ED25519 " \x1b[2J"));
	assert_false(accepts(ED25519 " x\x7f"));
	assert_false(accepts(ED25519 " x\ry"));
	assert_false(accepts(ED25519 "\v"));
}

static void f4_white_space_around_a_key_is_trimmed(void **state)
{
	(void)state;
	keeps_only_the_key(ED25519 "\r\n");
	keeps_only_the_key(ED25519 " alice@laptop\r\n");
	keeps_only_the_key(ED25519 "\n\n");
	keeps_only_the_key(" \t" ED25519 " ");
	assert_false(accepts(" \r\n"));
}

/* ---- texts for error bodies ------------------------------------------------------------- */

static void texts_are_scrubbed(void **state)
{
	char out[64];

	(void)state;
	api_error_scrub("image not_found: http 404 HTTP 401\x1b[2J\n\xff", out, sizeof(out));
	assert_null(strstr(out, "not_found"));
	assert_null(strstr(out, "http 404"));
	assert_null(strstr(out, "HTTP 401"));
	assert_null(strchr(out, '\x1b'));
	assert_null(strchr(out, '\n'));
	assert_non_null(strstr(out, "image not found"));
	api_error_scrub("12345678", out, 5);
	assert_string_equal(out, "1234");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_exact),
		cmocka_unit_test(b180_b187_injections_are_no_words),
		cmocka_unit_test(b165_owners_are_plain),
		cmocka_unit_test(b185_users_and_directories),
		cmocka_unit_test(b192_ports),
		cmocka_unit_test(slugs_have_the_golden_values),
		cmocka_unit_test(b186_slugs_are_normalized_or_refused),
		cmocka_unit_test(b181_b183_public_keys),
		cmocka_unit_test(f3_a_comment_is_any_text_and_ignored),
		cmocka_unit_test(f4_white_space_around_a_key_is_trimmed),
		cmocka_unit_test(texts_are_scrubbed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
