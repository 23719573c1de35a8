/* SPDX-License-Identifier: MIT */
#include "api/api_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/validate.h"
#include "provider/account.h"

int api_error_set(struct api_error *error, int status, const char *code, const char *fmt, ...)
{
	va_list ap;

	error->status = status;
	snprintf(error->code, sizeof(error->code), "%s", code);
	va_start(ap, fmt);
	vsnprintf(error->message, sizeof(error->message), fmt, ap);
	va_end(ap);
	return -1;
}

/* What the client searches for; the character at `at` is replaced by `by`. */
static const struct {
	const char *words;
	size_t at;
	char by;
} misread[] = {
	{ "not_found", 3, ' ' },
	{ "http 404", 4, '-' },
	{ "http 401", 4, '-' },
	{ "invalid_lease_id", 7, ' ' },
	{ "InvalidInstanceID.NotFound", 17, ' ' },
};

void api_error_scrub(const char *text, char *out, size_t size)
{
	size_t len = strnlen(text, size - 1);

	memmove(out, text, len);
	out[len] = '\0';
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)out[i];

		if (c < 0x20 || c > 0x7e) {
			out[i] = '?';
			continue;
		}
		for (size_t m = 0; m < sizeof(misread) / sizeof(misread[0]); m++) {
			if (!strncasecmp(out + i, misread[m].words, strlen(misread[m].words)))
				out[i + misread[m].at] = misread[m].by;
		}
	}
}

int api_error_no_account(struct api_error *error, int status, const char *code, const char *name,
			 struct account *const *accounts, size_t count)
{
	char names[200] = "", clean[32] = "";

	for (size_t i = 0; i < count; i++)
		api_error_add_name(names, sizeof(names), accounts[i]->config.name);
	if (validate_word(name, sizeof(clean) - 1))
		api_error_scrub(name, clean, sizeof(clean));
	return api_error_set(error, status, code, "there is no %s%s%s; accounts: %s",
			     clean[0] ? "account '" : "account of this name", clean,
			     clean[0] ? "'" : "", names);
}

void api_error_add_name(char *list, size_t size, const char *name)
{
	size_t len = strlen(list);

	if (len + strlen(name) + 3 < size)
		snprintf(list + len, size - len, "%s%s", len ? ", " : "", name);
}
