/* SPDX-License-Identifier: MIT */
/* lessor doctor: is everything here that the other commands need, and what is to be done? */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/child.h"
#include "cli/contexts.h"
#include "cli/help.h"
#include "cli/lease_view.h"
#include "cli/outcome.h"
#include "cli/text.h"
#include "cli/transport.h"
#include "cli/when.h"
#include "util/alloc.h"
#include "util/time.h"

#define TIMEOUT_MS 10000
#define DAY_MS INT64_C(86400000)
#define SOON_MS (14 * DAY_MS)
#define CLOCK_WARN_S 5
#define CLOCK_FAIL_S 60
#define NAME_WIDTH 20 /* "warn  name        " */

enum grade { GRADE_OK, GRADE_SKIP, GRADE_WARN, GRADE_FAIL };

static const char *const grades[] = { "ok", "skip", "warn", "fail" };

/* The checks so far; `first` is the name of the first that failed. */
struct doctor {
	struct cli *cli;
	json_t *checks;
	enum grade worst;
	const char *first;
};

static void found(struct doctor *d, const char *name, enum grade grade, const char *advice,
		  const char *format, ...) __attribute__((format(printf, 5, 6)));

static void found(struct doctor *d, const char *name, enum grade grade, const char *advice,
		  const char *format, ...)
{
	auto_free char *seen = NULL;
	va_list args;

	va_start(args, format);
	seen = text_vsafe(format, args);
	va_end(args);
	json_array_append_new(d->checks,
			      json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", name, "subject", "",
					"result", grades[grade], "seen", seen, "advice", advice));
	if (grade != GRADE_SKIP && grade > d->worst)
		d->worst = grade;
	if (grade == GRADE_FAIL && !d->first)
		d->first = name;
}

static void about_settings(struct doctor *d)
{
	const struct settings *s = &d->cli->settings;

	found(d, "settings", GRADE_OK, "", "%s, from %s; %s%s", s->url, s->url_from,
	      s->token ? "the token is from " : "no token", s->token ? s->token_from : "");
}

/* What others may write they may redirect, with the token that goes there. */
static void check_file(struct doctor *d, const char *path, mode_t forbidden, const char *advice,
		       int *bad)
{
	struct stat st;

	if (!path || stat(path, &st) || !(st.st_mode & forbidden))
		return;
	*bad = 1;
	found(d, "files", GRADE_FAIL, advice, "%s has mode %04o", path,
	      (unsigned)st.st_mode & 07777);
}

static void about_files(struct doctor *d)
{
	const char *context = d->cli->settings.context;
	auto_free char *conf = context ? context_conf_path(context) : contexts_path("lessor.conf");
	auto_free char *token = context ? context_token_path(context) : NULL;
	int bad = 0;

	check_file(d, conf, 0022, "chmod 600 it, and check the URL in it", &bad);
	check_file(d, token, 0077, "chmod 600 it; run lessor login with a new token", &bad);
	if (!bad)
		found(d, "files", GRADE_OK, "", "no other user can write the settings");
}

static const char *tls_advice(const char *error)
{
	if (strstr(error, "expired") || strstr(error, "not valid before"))
		return "the server's operator must renew the certificate; check this clock, too";
	if (strstr(error, "for other names"))
		return "use the name that the certificate is for in the URL";
	return "name the certificate of its CA with ca_file in lessor.conf, LESSOR_CA_FILE or "
	       "--ca-file; never trust one that you do not know";
}

static void about_failure(struct doctor *d, const struct client_response *response)
{
	if (response->is_tls)
		found(d, "tls", GRADE_FAIL, tls_advice(response->error), "%s", response->error);
	else
		found(d, "reach", GRADE_FAIL,
		      "check the URL and the network, and whether lessord runs there", "%s",
		      response->error);
}

static void about_tls(struct doctor *d, const struct client_peer *peer)
{
	int64_t left_ms = peer->expires_ms - when_wall_ms();
	char when[TIME_TEXT_ROOM];

	if (!peer->expires_ms) {
		found(d, "tls", GRADE_SKIP, "", "%s",
		      strncmp(d->cli->settings.url, "https:", 6) == 0 ?
			      "the certificate is accepted; when it expires is unknown here" :
			      "the URL does not use TLS");
		return;
	}
	time_format(peer->expires_ms, when);
	found(d, "tls", left_ms < SOON_MS ? GRADE_WARN : GRADE_OK,
	      left_ms < SOON_MS ? "tell the server's operator to renew it" : "",
	      "the certificate is accepted; it expires on %.10s", when);
}

static void about_clock(struct doctor *d, const struct client_peer *peer)
{
	int64_t ahead_s = (when_wall_ms() - peer->date_ms - 500) / 1000;
	enum grade grade = llabs(ahead_s) < CLOCK_WARN_S ? GRADE_OK :
			   llabs(ahead_s) < CLOCK_FAIL_S ? GRADE_WARN :
							   GRADE_FAIL;

	if (!peer->date_ms)
		found(d, "clock", GRADE_SKIP, "", "the server told no time");
	else if (grade == GRADE_OK)
		found(d, "clock", grade, "", "it agrees with the server's");
	else
		found(d, "clock", grade,
		      "find out which of the two is wrong: timedatectl, and lessord doctor there",
		      "this clock is %lld s %s the server's", llabs((long long)ahead_s),
		      ahead_s > 0 ? "ahead of" : "behind");
}

static void about_token(struct doctor *d, const struct client_response *response, int is_good)
{
	const char *end = view_text(response->doc, "tokenExpiresAt");
	int64_t end_ms = 0;

	if (!is_good) {
		found(d, "token", GRADE_FAIL,
		      response->status == 401 ?
			      "get a new one from an admin (lessord token add), then: lessor login" :
			      "look at the server's log",
		      "%s", response->error);
		return;
	}
	if (*end && time_parse(end, &end_ms) == 0 && end_ms - when_wall_ms() < SOON_MS) {
		found(d, "token", GRADE_WARN, "get a new one from an admin in time",
		      "role %s, owner %s; it expires on %.10s", view_text(response->doc, "role"),
		      view_text(response->doc, "owner"), end);
		return;
	}
	found(d, "token", GRADE_OK, "", "role %s, owner %s%s%.10s",
	      view_text(response->doc, "role"), view_text(response->doc, "owner"),
	      *end ? "; it expires on " : "", end);
}

static void about_version(struct doctor *d, const json_t *whoami)
{
	const char *server = view_text(whoami, "version");

	if (!*server)
		found(d, "version", GRADE_SKIP, "", "the server does not tell its version");
	else if (strcmp(server, help_version_text()) == 0)
		found(d, "version", GRADE_OK, "", "both are %s", server);
	else
		found(d, "version", GRADE_WARN, "use the same version on both sides",
		      "lessor is %s, lessord is %s", help_version_text(), server);
}

static void about_account(struct doctor *d, const json_t *one)
{
	const char *name = view_text(one, "name"), *message = view_text(one, "message");
	int is_bad = json_is_true(json_object_get(one, "blocked")) ||
		     json_is_true(json_object_get(one, "fenced"));
	int is_late = json_is_true(json_object_get(one, "frozen")) ||
		      json_is_true(json_object_get(one, "paused"));

	if (is_bad)
		found(d, "account", GRADE_FAIL,
		      "an operator must act: lessord doctor on the server", "%s: %s", name,
		      message);
	else
		found(d, "account", is_late ? GRADE_WARN : GRADE_OK,
		      is_late ? "wait, or ask an operator: lessor providers" : "", "%s: %s", name,
		      message);
}

static void about_accounts(struct doctor *d)
{
	const struct client_request request = {
		.method = "GET",
		.path = "/v1/providers",
		.timeout_ms = TIMEOUT_MS,
	};
	struct client_response response;
	json_t *one;
	size_t i;

	if (!client_call(d->cli->client, &request, &response))
		found(d, "account", GRADE_FAIL, "look at the server's log", "%s", response.error);
	json_array_foreach(json_object_get(response.doc, "providers"), i, one)
		about_account(d, one);
	client_response_fini(&response);
}

static void about_server(struct doctor *d)
{
	const struct client_request request = {
		.method = "GET",
		.path = "/v1/whoami",
		.timeout_ms = TIMEOUT_MS,
	};
	struct client_response response;
	struct client_peer peer;
	int is_good = client_call(d->cli->client, &request, &response);

	if (response.outcome != CLIENT_COMPLETE || !response.status) {
		about_failure(d, &response);
	} else {
		client_peer(d->cli->client, &peer);
		found(d, "reach", GRADE_OK, "", "the server responds (HTTP %d)", response.status);
		about_tls(d, &peer);
		about_clock(d, &peer);
		about_token(d, &response, is_good);
		if (is_good) {
			about_version(d, response.doc);
			about_accounts(d);
		}
	}
	client_response_fini(&response);
}

/* Does it start? Both print their version to nowhere. */
static int can_run(const char *program, const char *option)
{
	char *argv[] = { (char *)program, (char *)option, NULL };
	auto_close int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct child child = {
		.argv = argv,
		.stdin_fd = nothing,
		.stdout_fd = nothing,
		.stderr_fd = nothing,
	};
	int status;

	if (nothing < 0 || child_start(&child))
		return 0;
	while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR)
		;
	return 1;
}

static void about_programs(struct doctor *d)
{
	const char *ssh = transport_program();

	if (can_run(ssh, "-V"))
		found(d, "ssh", GRADE_OK, "", "%s can be run", ssh);
	else
		found(d, "ssh", GRADE_FAIL,
		      "install the OpenSSH client, or set LESSOR_SSH to the path of its ssh",
		      "%s cannot be run; lessor ssh, run and cp need it", ssh);
	if (can_run("rsync", "--version"))
		found(d, "rsync", GRADE_OK, "", "rsync can be run");
	else
		found(d, "rsync", GRADE_SKIP, "",
		      "rsync cannot be run; lessor itself does not need it");
}

static void checks_print(const struct doctor *d)
{
	json_t *one;
	size_t i;

	json_array_foreach(d->checks, i, one) {
		text_fold(stdout, NAME_WIDTH, "%-4s  %-12s  %s", view_text(one, "result"),
			  view_text(one, "name"), view_text(one, "seen"));
		if (*view_text(one, "advice"))
			text_fold(stdout, NAME_WIDTH + 3, "%*s-> %s", NAME_WIDTH, "",
				  view_text(one, "advice"));
	}
}

/* 0, and the client is open; -1: the settings are what is wrong. */
static int settings_check(struct doctor *d)
{
	struct cli *cli = d->cli;
	struct err err = { 0 };

	if (settings_load(&cli->flags, &cli->settings, &err) == 0)
		cli->client = client_open(&cli->settings, &err);
	if (!cli->client) {
		found(d, "settings", GRADE_FAIL,
		      "correct what is named; lessor context show says where settings are from",
		      "%s", err.text);
		return -1;
	}
	about_settings(d);
	return 0;
}

int command_doctor(struct cli *cli, int argc, char **argv)
{
	struct doctor d = { .cli = cli };
	int code = cli_parse(cli, NULL, argc, argv, NULL, 0);
	json_t *doc;

	if (code >= 0)
		return code;
	d.checks = json_array();
	if (settings_check(&d) == 0) {
		about_files(&d);
		about_server(&d);
	}
	about_programs(&d);
	doc = json_pack("{s:s, s:s, s:O}", "result", grades[d.worst], "version",
			help_version_text(), "checks", d.checks);
	if (cli->json)
		cli_print_json(doc);
	else
		checks_print(&d);
	if (d.worst == GRADE_FAIL) {
		auto_free char *message = xasprintf("a check failed: %s", d.first);

		outcome_fail("check_failed", 0, message, NULL);
	}
	json_decref(doc);
	json_decref(d.checks);
	return d.worst == GRADE_FAIL ? EXIT_ERROR : EXIT_OK;
}
