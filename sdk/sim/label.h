/* SPDX-License-Identifier: MIT */
/*
 * Labels: their grammar, and label selectors. Pure.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "util/buf.h"
#include "util/err.h"

struct label {
	char *key, *value;
};

struct labels {
	struct label *all;
	size_t count;
};

void labels_fini(struct labels *labels);			      /* leaves an empty set */
const char *labels_get(const struct labels *labels, const char *key); /* NULL: no such key */
void labels_put(struct labels *labels, const char *key, const char *value);
void labels_write(const struct labels *labels, struct buf *out);  /* as a JSON object */
int labels_equal(const struct labels *a, const struct labels *b); /* in any order */
/* From a JSON object (NULL: none). -1: invalid key or value; ret is then empty. */
int labels_read(const json_t *json, struct labels *ret, struct err *err);

int label_key_is_valid(const char *key);
int label_value_is_valid(const char *value);

/*
 * A selector: terms separated by commas, all of which must hold. Terms: k, !k, k=v, k==v,
 * k!=v, k in (a,b), k notin (a,b). k!=v and notin also hold if k is absent.
 */
struct selector;
/* NULL with a message like Hetzner's if the text is invalid. Empty text selects all. */
struct selector *selector_parse(const char *text, struct err *err);
void selector_free(struct selector *selector); /* takes NULL */
int selector_matches(const struct selector *selector, const struct labels *labels);
/* The value of a term "key=value", or NULL: identifies the lease of a listing. */
const char *selector_asks(const struct selector *selector, const char *key);
