/* SPDX-License-Identifier: MIT */
/*
 * What is wrong with a request, as the client reads it: a status, a snake_case
 * code and one sentence, all ours. The client's text is never part of it, nor is
 * a provider's: the existing client looks for substrings ("http 404", ...) in
 * everything that is not a success.
 */
#pragma once

#include <stddef.h>

#define API_ERROR_TEXT 240

struct api_error {
	int status;
	char code[40];
	char message[API_ERROR_TEXT];
};

/* Always returns -1, so that `return api_error_set(...)` is one line. */
int api_error_set(struct api_error *error, int status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * Copies a text that came from a provider or the engine so that it can be shown:
 * control characters and bytes above 126 become "?", and the words that the
 * existing client would misread ("not_found", "http 401", "http 404") are broken
 * up. `out` may be `text`.
 */
void api_error_scrub(const char *text, char *out, size_t room);
