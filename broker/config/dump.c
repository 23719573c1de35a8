/* SPDX-License-Identifier: MIT */
/*
 * Writes the effective configuration as a file that yields the same configuration. A key
 * without a value is a comment.
 */
#include "config/keys.h"

#include <string.h>

/* Columns after which a list continues on a line with its key repeated; a line has at most 197. */
#define WIDTH 90

static void dump_key(const struct key *key, const void *base, FILE *out)
{
	char item[CONFIG_ITEM_SIZE];
	size_t width = 0;

	for (int i = 0; key_show(key, base, i, item, sizeof(item)); i++) {
		if (width && width + 2 + strlen(item) <= WIDTH)
			width += (size_t)fprintf(out, ", %s", item);
		else
			width = (size_t)fprintf(out, "%s%s = %s", width ? "\n" : "", key->name,
						item);
	}
	if (!width)
		fprintf(out, "#%s =", key->name);
	fputc('\n', out);
}

static void dump_section(enum section_kind kind, const void *base, FILE *out)
{
	const struct key *key;

	for (size_t i = 0; (key = key_at(i)) != NULL; i++) {
		if (key->section == kind && (key->type != KEY_OTHER || key->show))
			dump_key(key, base, out);
	}
}

static void dump_named(const struct config *c, FILE *out)
{
	for (int i = 0; i < c->limits.engine.named_count; i++) {
		const struct limits_named *named = &c->limits.engine.named[i];

		fprintf(out, "\n[limits %s %s]\n", named_word(named->scope), named->name);
		dump_section(SECTION_NAMED, named, out);
	}
}

static void dump_orgs(const struct config *c, FILE *out)
{
	for (int i = 0; i < c->org_count; i++) {
		fprintf(out, "\n[org %s]\n", c->orgs[i].name);
		dump_section(SECTION_ORG, &c->orgs[i], out);
	}
}

void config_dump(const struct config *c, FILE *out)
{
	fputs("[server]\n", out);
	dump_section(SECTION_SERVER, c, out);
	fputs("\n[store]\n", out);
	dump_section(SECTION_STORE, c, out);
	fputs("\n[sweep]\n", out);
	dump_section(SECTION_SWEEP, c, out);
	fputs("\n[runs]\n", out);
	dump_section(SECTION_RUNS, c, out);
	fputs("\n[limits]\n", out);
	dump_section(SECTION_LIMITS, c, out);
	dump_named(c, out);
	for (int i = 0; i < c->class_count; i++) {
		fprintf(out, "\n[class %s]\n", c->classes[i].name);
		dump_section(SECTION_CLASS, &c->classes[i], out);
	}
	for (int i = 0; i < c->account_count; i++) {
		const struct account_config *a = &c->accounts[i].account;

		fprintf(out, "\n[account %s]\n", a->name);
		dump_section(SECTION_ACCOUNT, &c->accounts[i], out);
		for (size_t k = 0; k < a->option_count; k++)
			fprintf(out, "%s = %s\n", a->options[k].key, a->options[k].value);
	}
	dump_orgs(c, out);
}
