/* SPDX-License-Identifier: MIT */
/*
 * An error as the client sees it: a status, a snake_case code and one sentence, all our own.
 * It never contains text of the client or of a provider, except the name of an unknown member or
 * account that is a plain word, scrubbed: the existing client searches every error for substrings
 * such as "http 404".
 */
#pragma once

#include <stddef.h>

#define API_ERROR_TEXT 400

struct api_error {
	int status;
	char code[40];
	char message[API_ERROR_TEXT];
};

struct account;

/* Always returns -1, for `return api_error_set(...)`. */
int api_error_set(struct api_error *error, int status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * Copies a text of a provider or the engine so that it can be shown: control characters and
 * bytes above 126 become "?", and the words that the existing client would misread
 * ("not_found", "http 401", "http 404") are broken up. `out` may be `text`.
 */
void api_error_scrub(const char *text, char *out, size_t size);

/*
 * There is no account of this name, which a client sent: "there is no account 'NAME'; accounts: A,
 * B". Clients send it as `provider`, and operators know it as account. Always returns -1.
 */
int api_error_no_account(struct api_error *error, int status, const char *code, const char *name,
			 struct account *const *accounts, size_t count);

/* Appends to the names that a message lists, if `name` still fits. `list` ends with NUL. */
void api_error_add_name(char *list, size_t size, const char *name);
