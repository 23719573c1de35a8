/* SPDX-License-Identifier: MIT */
/*
 * The fault harness: README.md.
 *
 *   lessor-faults PLUGIN.so [--shard K/N] [--thin N] [--pairs N] [--seeds FROM-TO]
 *                 [--no-singles] [--only CASE] [--matrix] [--verbose]
 *
 * A failing case prints one line, FAILED and its name. --only NAME reruns that case
 * identically: all randomness comes from the seed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <unistd.h>

#include "cases.h"
#include "loader/loader.h"
#include "util/log.h"

static struct run run = { .shards = 1, .thin = 1, .pairs_thin = 0 };
static int show_matrix, no_singles;

/*
 * With this many shards, a shard has too few cases of each kind to be checked against
 * the whole matrix: another case of the same cell may inject what this one does not.
 */
static int is_sample(void)
{
	return run.only || run.shards >= 20;
}

/* Counts the cells that should have occurred and did not. */
static long report_matrix(const struct totals *t)
{
	long empty = 0;

	for (size_t op = 0; op < op_count; op++) {
		for (size_t f = 0; f < fault_count; f++) {
			const char *excuse = cell_excuse(op, f);

			if (show_matrix)
				printf("%-9s %-24s %ld%s%s\n", ops[op], faults[f].name, t->matrix[op][f],
				       excuse ? " " : "", excuse ? excuse : "");
			/* Other shards report the cells that only they try. */
			if (t->matrix[op][f] || excuse || is_sample() ||
			    (t->planned[op][f] && !t->tried[op][f]))
				continue;
			empty++;
			printf("FAILED matrix: %s never had fault %s\n", ops[op], faults[f].name);
		}
	}
	return empty;
}

static long report_points(const struct totals *t)
{
	static const char *const needed[] = {
		"http-before-effect", "http-after-effect", "answered", "verdict", "before-commit",
		"after-commit",
	};
	long missing = 0;

	printf("crashes at:");
	for (size_t i = 0; i < POINTS_MAX && t->points[i].name[0]; i++)
		printf(" %s %ld", t->points[i].name, t->points[i].count);
	printf("\n");
	for (size_t k = 0; k < sizeof(needed) / sizeof(needed[0]); k++) {
		int found = 0;

		for (size_t i = 0; i < POINTS_MAX; i++)
			found |= strcmp(t->points[i].name, needed[k]) == 0 && t->points[i].count;
		if (!found && !is_sample()) {
			printf("FAILED points: no crash at %s\n", needed[k]);
			missing++;
		}
	}
	printf("acts:");
	for (int i = 1; i < ACT_COUNT; i++)
		printf(" %s %ld", act_name((enum act)i), t->acts[i]);
	printf("\n");
	return missing;
}

/* Includes the children. */
static double cpu_s(void)
{
	struct rusage own, children;

	getrusage(RUSAGE_SELF, &own);
	getrusage(RUSAGE_CHILDREN, &children);
	return (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec + children.ru_utime.tv_sec +
			children.ru_stime.tv_sec);
}

static int report(const struct totals *t)
{
	long cases = 0, failed = 0, wanting = 0;

	printf("cases:");
	for (int i = 0; i < GROUP_COUNT; i++) {
		cases += t->cases[i];
		failed += t->failed[i];
		if (t->cases[i])
			printf(" %s %ld (%ld met)", group_name((enum group)i), t->cases[i], t->met[i]);
	}
	printf("\n");
	if (!no_singles)
		wanting = report_points(t) + report_matrix(t);
	if (!run.only) {
		printf("slowest to converge: %lld s (%s); most calls: %ld (%s); %ld in five minutes; "
		       "%ld leases in attention, %ld orphans reported\n",
		       (long long)t->longest_ms / 1000, t->longest_name, t->most_calls,
		       t->most_calls_name, t->most_window, t->attention, t->orphans);
	}
	printf("faults %d/%d: %ld cases, %.1f calls a case, %.1f s of CPU; %ld passed, %ld failed\n",
	       run.shard, run.shards, cases, cases ? (double)t->calls / (double)cases : 0,
	       cpu_s(), cases - failed, failed + wanting);
	if (!cases)
		fprintf(stderr,
			run.only ? "no case is called '%s'; a name has a group and a scenario, so "
				   "'*/SCENARIO/*' are all of a scenario\n" :
				   "no case was run\n",
			run.only);
	return failed || wanting || !cases;
}

static int option(int argc, char **argv, int *i)
{
	const char *value = *i + 1 < argc ? argv[*i + 1] : NULL;

	if (strcmp(argv[*i], "--verbose") == 0) {
		run.verbose = 1;
		return 0;
	}
	if (strcmp(argv[*i], "--matrix") == 0) {
		show_matrix = 1;
		return 0;
	}
	if (strcmp(argv[*i], "--no-singles") == 0) {
		no_singles = 1;
		return 0;
	}
	if (!value)
		return -1;
	++*i;
	if (strcmp(argv[*i - 1], "--only") == 0)
		run.only = value;
	else if (strcmp(argv[*i - 1], "--thin") == 0)
		run.thin = atoi(value);
	else if (strcmp(argv[*i - 1], "--pairs") == 0)
		run.pairs_thin = atol(value);
	else if (strcmp(argv[*i - 1], "--seeds") == 0)
		return sscanf(value, "%ld-%ld", &run.seed_from, &run.seed_to) == 2 ? 0 : -1;
	else if (strcmp(argv[*i - 1], "--shard") == 0)
		return sscanf(value, "%d/%d", &run.shard, &run.shards) == 2 ? 0 : -1;
	else
		return -1;
	return 0;
}

static int setup(const char *plugin, struct provider *provider)
{
	static char folder[64];
	struct err err = { 0 };

	log_setup(2, LOG_HUMAN, (enum log_level)0);
	vfs_alone();
	if (vfs_install() || provider_load("", plugin, provider, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	run.totals = mmap(NULL, sizeof(*run.totals), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	/* In memory if possible: each case makes a few dozen commits. */
	snprintf(folder, sizeof(folder), "%s/lessor-faults-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (run.totals == MAP_FAILED || !mkdtemp(folder)) {
		perror("faults");
		return -1;
	}
	world_template(folder);
	run.folder = folder;
	run.provider = provider;
	return 0;
}

int main(int argc, char **argv)
{
	static struct provider provider;
	char template[80];
	int rc;

	for (int i = 2; i < argc; i++) {
		if (option(argc, argv, &i))
			argc = 0;
	}
	if (argc < 2 || run.shards < 1 || run.shard < 0 || run.shard >= run.shards) {
		fprintf(stderr, "usage: lessor-faults PLUGIN.so [--shard K/N] [--thin N] [--pairs N] "
			"[--seeds FROM-TO] [--no-singles] [--only CASE] [--matrix] [--verbose]\n");
		return 2;
	}
	if (setup(argv[1], &provider))
		return 1;
	if (!no_singles)
		cases_run(&run);
	if ((run.only && strncmp(run.only, "fault/", 6) != 0) || run.pairs_thin) {
		run.pairs_thin = run.pairs_thin ? run.pairs_thin : 1;
		pairs_run(&run);
	}
	if (run.only && strncmp(run.only, "seed/", 5) == 0) {
		run.seed_from = atol(run.only + 5);
		run.seed_to = run.seed_from + 1;
	}
	seeds_run(&run);
	rc = report(run.totals);
	snprintf(template, sizeof(template), "%s/new", run.folder);
	unlink(template);
	snprintf(template, sizeof(template), "%s/new.lock", run.folder);
	unlink(template);
	rmdir(run.folder);
	return rc;
}
