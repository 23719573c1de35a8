/* SPDX-License-Identifier: MIT */
#include "cli/outcome.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/exits.h"
#include "cli/text.h"
#include "util/alloc.h"

static struct {
	json_t *result;
	char *code; /* NULL: nothing has failed so far */
	char *message;
	int status;
	json_t *doc;
} outcome;

void outcome_print_line(const json_t *doc)
{
	/* 15 digits print 0.61 as 0.61; a terminal must not receive raw C1 controls. */
	size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(15);

	if (isatty(STDOUT_FILENO))
		flags |= JSON_ENSURE_ASCII;
	json_dumpf(doc, stdout, flags);
	putchar('\n');
	fflush(stdout);
}

void outcome_hold(json_t *doc)
{
	if (outcome.result)
		outcome_print_line(outcome.result);
	json_decref(outcome.result);
	outcome.result = json_incref(doc);
}

void outcome_fail(const char *code, int status, const char *message, json_t *doc)
{
	if (outcome.code)
		return;
	outcome.code = xstrdup(code);
	outcome.message = xstrdup(message);
	outcome.status = status;
	outcome.doc = json_incref(doc);
}

const char *outcome_code(int exit_code)
{
	switch (exit_code) {
	case EXIT_USAGE:
		return "invalid_usage";
	case EXIT_NOT_FOUND:
		return "not_found";
	case EXIT_REFUSED:
		return "refused";
	case EXIT_UNAUTHORIZED:
		return "unauthorized";
	case EXIT_ENDED:
		return "lease_ended";
	case EXIT_UNREACHABLE:
		return "unreachable";
	case EXIT_PENDING:
		return "cleanup_pending";
	default:
		return exit_code >= 128 ? "interrupted" : "error";
	}
}

static const char *exit_text(int exit_code)
{
	if (exit_code >= 128)
		return "interrupted";
#define X(name, number, text)      \
	if (exit_code == (number)) \
		return text;
	EXITS(X)
#undef X
	return "the command failed";
}

/* The last error without the name of the command; NULL: none was printed. */
static const char *error_text(const char *command)
{
	const char *text = text_last_error();
	size_t len = command ? strlen(command) : 0;

	if (!*text)
		return NULL;
	if (len && !strncmp(text, command, len) && !strncmp(text + len, ": ", 2))
		return text + len + 2;
	return text;
}

static void text_set(json_t *into, const char *key, const char *value)
{
	json_t *string = json_string(value);

	json_object_set_new(into, key, string ? string : json_string("not UTF-8"));
}

static void failure_print(int exit_code, const char *command)
{
	const json_t *lease = json_object_get(outcome.result, "lease");
	const char *state = json_string_value(json_object_get(lease, "state"));
	const char *code = outcome.code;
	const char *message = outcome.message;
	json_t *doc = json_object();

	if (!code)
		code = json_string_value(json_object_get(outcome.result, "error"));
	if (!code && exit_code == EXIT_ENDED && state && !strcmp(state, "failed"))
		code = "provisioning_failed";
	if (!message)
		message = error_text(command);
	text_set(doc, "error", code ? code : outcome_code(exit_code));
	text_set(doc, "message", message ? message : exit_text(exit_code));
	if (outcome.status)
		json_object_set_new(doc, "status", json_integer(outcome.status));
	json_object_update_missing(doc, outcome.doc);
	json_object_update_missing(doc, outcome.result);
	outcome_print_line(doc);
	json_decref(doc);
}

void outcome_print(int exit_code, const char *command)
{
	if (exit_code != EXIT_OK)
		failure_print(exit_code, command);
	else if (outcome.result)
		outcome_print_line(outcome.result);
	json_decref(outcome.result);
	json_decref(outcome.doc);
	free(outcome.code);
	free(outcome.message);
	memset(&outcome, 0, sizeof(outcome));
}
