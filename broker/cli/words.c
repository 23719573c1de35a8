/* SPDX-License-Identifier: MIT */
#include "cli/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "util/alloc.h"
#include "util/buf.h"

#define REMOTE_MAX (1024 * 1024)

static void word_take(struct words *words, char *word)
{
	words->list = xrealloc(words->list, (words->count + 2) * sizeof(*words->list));
	words->list[words->count++] = word;
	words->list[words->count] = NULL;
}

void words_add(struct words *words, const char *word)
{
	word_take(words, xstrdup(word));
}

void words_option(struct words *words, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	words_add(words, "-o");
	word_take(words, text);
}

void words_fini(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->list[i]);
	free(words->list);
	*words = (struct words){ 0 };
}

char *words_remote(int count, char *const *list)
{
	struct buf out;

	if (count == 1)
		return xstrdup(list[0]);
	buf_init(&out, REMOTE_MAX);
	for (int i = 0; i < count; i++) {
		auto_free char *quoted = text_shell(list[i]);

		buf_addf(&out, "%s", i ? " " : "");
		buf_adds(&out, quoted);
	}
	return buf_take(&out);
}
