/* SPDX-License-Identifier: MIT */
#include "sim/label.h"

#include <ctype.h>
#include <string.h>

#include "sim/out.h"
#include "util/alloc.h"

#define TERMS_MAX 32
#define VALUES_MAX 64

void labels_fini(struct labels *labels)
{
	for (size_t i = 0; i < labels->count; i++) {
		free(labels->all[i].key);
		free(labels->all[i].value);
	}
	free(labels->all);
	*labels = (struct labels){ 0 };
}

const char *labels_get(const struct labels *labels, const char *key)
{
	for (size_t i = 0; i < labels->count; i++) {
		if (!strcmp(labels->all[i].key, key))
			return labels->all[i].value;
	}
	return NULL;
}

int labels_equal(const struct labels *a, const struct labels *b)
{
	if (a->count != b->count)
		return 0;
	for (size_t i = 0; i < a->count; i++) {
		const char *other = labels_get(b, a->all[i].key);

		if (!other || strcmp(other, a->all[i].value))
			return 0;
	}
	return 1;
}

void labels_put(struct labels *labels, const char *key, const char *value)
{
	labels->all = xrealloc(labels->all, (labels->count + 1) * sizeof(*labels->all));
	labels->all[labels->count++] = (struct label){ xstrdup(key), xstrdup(value) };
}

void labels_write(const struct labels *labels, struct buf *out)
{
	out_begin(out, '{');
	for (size_t i = 0; i < labels->count; i++)
		out_key_str(out, labels->all[i].key, labels->all[i].value);
	out_end(out, '}');
}

int labels_read(const json_t *json, struct labels *ret, struct err *err)
{
	const char *key;
	json_t *value;

	*ret = (struct labels){ 0 };
	if (!json)
		return 0;
	if (!json_is_object(json))
		return err_set(err, ERR_INVALID, "labels must be an object");
	json_object_foreach((json_t *)json, key, value) {
		if (!label_key_is_valid(key)) {
			labels_fini(ret);
			return err_set(err, ERR_INVALID, "invalid label key");
		}
		/* A NUL would hide what follows it. */
		if (!json_is_string(value)
		    || strlen(json_string_value(value)) != json_string_length(value)
		    || !label_value_is_valid(json_string_value(value))) {
			labels_fini(ret);
			return err_set(err, ERR_INVALID, "invalid label value");
		}
		labels_put(ret, key, json_string_value(value));
	}
	return 0;
}

static int is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Alphanumeric at both ends, with - _ and . in between. */
static int is_word(const char *s, size_t len, size_t max)
{
	if (!len || len > max || !is_alnum(s[0]) || !is_alnum(s[len - 1]))
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (!is_alnum(s[i]) && !strchr("-_.", s[i]))
			return 0;
	}
	return 1;
}

int label_key_is_valid(const char *key)
{
	const char *slash = strchr(key, '/');
	size_t prefix = slash ? (size_t)(slash - key) : 0;

	if (slash) {
		if (!is_word(key, prefix, 253))
			return 0;
		if (prefix == strlen("hetzner.cloud") && !strncasecmp(key, "hetzner.cloud", prefix))
			return 0;
		key = slash + 1;
	}
	return is_word(key, strlen(key), 63);
}

int label_value_is_valid(const char *value)
{
	return !*value || is_word(value, strlen(value), 63);
}

enum term_kind { TERM_HAS, TERM_LACKS, TERM_IN, TERM_NOT_IN };

struct term {
	enum term_kind kind;
	char *key;
	char *values[VALUES_MAX];
	size_t count;
};

struct selector {
	struct term terms[TERMS_MAX];
	size_t count;
};

struct reader {
	const char *text, *at;
	struct err *err;
};

static int complain_at(struct reader *r, const char *what)
{
	return err_set(r->err, ERR_INVALID, "invalid label_selector: %s at pos %zu", what,
		(size_t)(r->at - r->text));
}

static void skip_blanks(struct reader *r)
{
	while (*r->at == ' ' || *r->at == '\t')
		r->at++;
}

static int accept_token(struct reader *r, const char *token)
{
	skip_blanks(r);
	if (strncmp(r->at, token, strlen(token)))
		return 0;
	r->at += strlen(token);
	return 1;
}

/* A key or a value: the longest run of allowed characters. The caller frees it. */
static char *read_word(struct reader *r, int slash)
{
	const char *from;

	skip_blanks(r);
	from = r->at;
	while (is_alnum(*r->at) || (*r->at && strchr(slash ? "-_./" : "-_.", *r->at)))
		r->at++;
	return xstrndup(from, (size_t)(r->at - from));
}

static int read_value(struct reader *r, struct term *term)
{
	auto_free char *value = read_word(r, 0);

	if (!label_value_is_valid(value))
		return complain_at(r, "invalid value");
	if (term->count == VALUES_MAX)
		return complain_at(r, "too many values");
	term->values[term->count++] = take(value);
	return 0;
}

static int read_set(struct reader *r, struct term *term)
{
	if (!accept_token(r, "("))
		return complain_at(r, "expected opening parenthesis");
	do {
		if (read_value(r, term))
			return -1;
	} while (accept_token(r, ","));
	return accept_token(r, ")") ? 0 : complain_at(r, "expected closing parenthesis");
}

static int accept_keyword(struct reader *r, const char *word)
{
	size_t len = strlen(word);

	skip_blanks(r);
	if (strncmp(r->at, word, len) || (r->at[len] != ' ' && r->at[len] != '('))
		return 0;
	r->at += len;
	return 1;
}

static int read_term(struct reader *r, struct term *term)
{
	int negated = accept_token(r, "!");

	term->key = read_word(r, 1);
	if (!label_key_is_valid(term->key))
		return complain_at(r, "expected label key");
	term->kind = TERM_IN;
	if (negated) {
		term->kind = TERM_LACKS;
		return 0;
	}
	if (accept_token(r, "!=")) {
		term->kind = TERM_NOT_IN;
		return read_value(r, term);
	}
	if (accept_token(r, "==") || accept_token(r, "="))
		return read_value(r, term);
	if (accept_keyword(r, "in"))
		return read_set(r, term);
	term->kind = TERM_NOT_IN;
	if (accept_keyword(r, "notin"))
		return read_set(r, term);
	term->kind = TERM_HAS;
	return 0;
}

struct selector *selector_parse(const char *text, struct err *err)
{
	struct selector *s = xcalloc(1, sizeof(*s));
	struct reader r = { .text = text, .at = text, .err = err };
	int rc = 0;

	skip_blanks(&r);
	while (!rc && *r.at) {
		if (s->count == TERMS_MAX) {
			rc = complain_at(&r, "too many terms");
			break;
		}
		rc = read_term(&r, &s->terms[s->count++]);
		if (rc)
			break;
		skip_blanks(&r);
		if (*r.at && !accept_token(&r, ","))
			rc = complain_at(&r, "expected comma");
		else if (r.at > text && r.at[-1] == ',' && !*r.at)
			rc = complain_at(&r, "expected label key");
	}
	if (!rc)
		return s;
	selector_free(s);
	return NULL;
}

void selector_free(struct selector *selector)
{
	if (!selector)
		return;
	for (size_t i = 0; i < selector->count; i++) {
		free(selector->terms[i].key);
		for (size_t j = 0; j < selector->terms[i].count; j++)
			free(selector->terms[i].values[j]);
	}
	free(selector);
}

static int term_lists(const struct term *term, const char *value)
{
	for (size_t i = 0; i < term->count; i++) {
		if (!strcmp(term->values[i], value))
			return 1;
	}
	return 0;
}

int selector_matches(const struct selector *selector, const struct labels *labels)
{
	for (size_t i = 0; i < selector->count; i++) {
		const struct term *term = &selector->terms[i];
		const char *value = labels_get(labels, term->key);
		int holds = 0;

		switch (term->kind) {
		case TERM_HAS:
			holds = value != NULL;
			break;
		case TERM_LACKS:
			holds = value == NULL;
			break;
		case TERM_IN:
			holds = value && term_lists(term, value);
			break;
		case TERM_NOT_IN:
			holds = !value || !term_lists(term, value);
			break;
		}
		if (!holds)
			return 0;
	}
	return 1;
}

const char *selector_asks(const struct selector *selector, const char *key)
{
	for (size_t i = 0; i < selector->count; i++) {
		const struct term *term = &selector->terms[i];

		if (term->kind == TERM_IN && term->count == 1 && !strcmp(term->key, key))
			return term->values[0];
	}
	return NULL;
}
