/* SPDX-License-Identifier: MIT */
/*
 * lease-explorer --list | --short | --config NAME... | --walk NAME... | --expect NAME WORD
 *
 * Prints a line for each configuration, and for a failing one the shortest trail that
 * leads to the violation. --short: all that are not long. --expect: the rules contain a
 * mistake, which must be found as WORD. Exit: 0 success; 1 a property does not hold, or the
 * counts of a configuration are not the expected ones; 2 usage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "configs.h"
#include "live.h"
#include "search.h"

#define WALKS 300
#define WALK_MOVES 200

static const struct config *find(const char *name)
{
	for (int i = 0; i < config_count; i++) {
		if (strcmp(configs[i].name, name) == 0)
			return &configs[i];
	}
	fprintf(stderr, "no such configuration: %s\n", name);
	exit(2);
}

static void report(const char *sort, const struct config *c, struct result *r, clock_t begun,
		   const char *what)
{
	printf("%-7s %-20s %9u states %10u moves %6.1f s  %s\n", sort, c->name, r->states, r->moves,
	       (double)(clock() - begun) / CLOCKS_PER_SEC, what);
	if (r->wrong)
		fputs(r->trail, stdout);
	fflush(stdout);
	free(r->trail);
}

/* 0: everything holds, and the counts are the expected ones. */
static int check(const struct config *c)
{
	clock_t begun = clock();
	struct result r = search(c);
	int is_counted = r.states == c->states && r.moves == c->moves;
	char counts[120];

	snprintf(counts, sizeof(counts), "expected %u states and %u moves; the rules changed: update "
		 "the count", c->states, c->moves);
	report("config", c, &r, begun, r.wrong ? r.wrong : is_counted ? "all hold" : counts);
	return r.wrong || !is_counted;
}

static int check_walk(const struct config *c)
{
	clock_t begun = clock();
	struct result r = walk(c, WALKS, WALK_MOVES);

	report("walk", c, &r, begun, r.wrong ? r.wrong : "states contain all that matters");
	return r.wrong != NULL;
}

/* 0: the mistake is found as WORD. */
static int expect(const struct config *c, const char *word)
{
	clock_t begun = clock();
	struct result r = search(c);
	size_t len = strlen(word);
	int is_found = r.wrong && strncmp(r.wrong, word, len) == 0 && r.wrong[len] == ':';

	report("mistake", c, &r, begun, r.wrong ? r.wrong : "NOT FOUND");
	return !is_found;
}

static int check_short(void)
{
	int rc = 0;

	for (int i = 0; i < config_count; i++) {
		if (!configs[i].is_long)
			rc |= check(&configs[i]);
	}
	return rc;
}

static void list(void)
{
	for (int i = 0; i < config_count; i++)
		printf("%-20s %-5s %10u states\n", configs[i].name, configs[i].is_long ? "long" : "short",
		       configs[i].states);
}

static int usage(void)
{
	fputs("usage: lease-explorer --list | --short | --config NAME... | --walk NAME... | "
	      "--expect NAME WORD\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int is_walk = strcmp(what, "--walk") == 0;
	int rc = 0;

	live_init();
	if (strcmp(what, "--list") == 0)
		list();
	else if (strcmp(what, "--short") == 0)
		rc = check_short();
	else if (strcmp(what, "--expect") == 0 && argc == 4)
		rc = expect(find(argv[2]), argv[3]);
	else if (argc < 3 || (strcmp(what, "--config") != 0 && !is_walk))
		rc = usage();
	else
		for (int i = 2; i < argc; i++)
			rc |= is_walk ? check_walk(find(argv[i])) : check(find(argv[i]));
	return rc;
}
