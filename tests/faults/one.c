/* SPDX-License-Identifier: MIT */
/*
 * Runs one case in a child process, so that its crash, hang or leak does not affect
 * other cases. Its counters are in shared memory.
 */
#include "cases.h"

#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/log.h"
#include "util/text.h"

/* CPU time, independent of the machine's load; a case takes a few hundredths of a second. */
#define HANGS_S 60
/* An exit status of the child that no sanitizer uses. */
#define WRONG 9

int one_is_mine(struct run *run, const char *name)
{
	if (run->only)
		return fnmatch(run->only, name, 0) == 0;
	return run->numbered++ % run->shards == run->shard;
}

static void power_cut(void *arg)
{
	struct world *w = arg;

	w->inside_sqlite = 1;
	w->may_crash = 1;
	world_crash(w, "power-cut");
	abort();
}

static void disk_begin(struct world *w, const struct one *one)
{
	struct vfs_fault fault = one->vfs;

	w->store_faults = fault.nth > 0;
	if (fault.code == VFS_POWER_CUT) {
		fault.cut = power_cut;
		fault.arg = w;
	}
	vfs_set(fault.nth ? &fault : NULL);
}

static void count_point(struct totals *t, const char *name)
{
	for (size_t i = 0; i < POINTS_MAX; i++) {
		if (!t->points[i].name[0])
			TEXT_SET(t->points[i].name, name);
		if (strcmp(t->points[i].name, name) == 0) {
			t->points[i].count++;
			return;
		}
	}
}

static void count(struct run *run, const struct one *one, struct world *w, int met)
{
	struct totals *t = run->totals;
	int64_t took = w->converged_ms - w->healed_ms;

	if (one->cell_op >= 0 && met)
		t->matrix[one->cell_op][one->cell_fault]++;
	if (one->plan.act && w->acted)
		t->acts[one->plan.act]++;
	if (w->crashed_at)
		count_point(t, w->crashed_at);
	t->met[one->group] += met;
	t->orphans += w->orphans;
	t->calls += w->calls;
	if (w->calls > t->most_calls) {
		t->most_calls = w->calls;
		TEXT_SET(t->most_calls_name, one->name);
	}
	if (w->most_in_window > t->most_window)
		t->most_window = w->most_in_window;
	if (took > t->longest_ms) {
		t->longest_ms = took;
		TEXT_SET(t->longest_name, one->name);
	}
	for (size_t i = 0; i < w->lease_count; i++) {
		struct lease l;

		if (world_lease(w, i, &l))
			continue;
		if (l.cleanup == CLEANUP_ATTENTION) {
			t->attention++;
			if (run->verbose)
				printf("attention %s: %s\n", one->name, l.attention);
		}
	}
	t->trace = w->trace;
}

/* Prints the details of a case that its name does not contain. */
static void describe(const struct one *one)
{
	fprintf(stderr, "%s: scenario %s, crash chance %u in 65536, power cuts %d\n", one->name,
		one->scenario->name, one->crash_chance, one->power);
	if (one->plan.act)
		fprintf(stderr, "\t%s at event %ld\n", act_name(one->plan.act), one->plan.event);
	for (size_t i = 0; i < one->rule_count; i++)
		fprintf(stderr, "\t%s\n", one->rules[i]);
}

static int has(const struct one *one, const char *kind)
{
	for (size_t i = 0; i < one->rule_count; i++) {
		if (strstr(one->rules[i], kind))
			return 1;
	}
	return 0;
}

static int child(struct run *run, struct one *one)
{
	static struct world w;
	const struct itimerval hangs = { .it_value.tv_sec = HANGS_S };
	const char *wrong;
	int met = 1;

	setitimer(ITIMER_PROF, &hangs, NULL);
	if (run->only && !strpbrk(run->only, "*?[")) {
		log_setup(2, LOG_HUMAN, LOG_LEVEL_DEBUG);
		describe(one);
	}
	vfs_track(one->power || one->vfs.code == VFS_POWER_CUT);
	world_begin(&w, run->folder, run->provider, one->keys, one->seed, one->scenario->cloud);
	for (size_t i = 0; i < one->rule_count; i++) {
		world_faults(&w, one->rules[i]);
		w.may_fail |= rule_may_fail(one->rules[i]);
	}
	w.comes_back |= has(one, "\"reappear\"");
	w.lies = has(one, "\"delete_ignored\"") && has(one, "\"not_found\"");
	w.may_be_late = one->rule_count > 1 || one->crash_chance;
	w.crash_at = one->crash_at;
	w.crash_again = one->crash_again;
	w.crash_chance = one->crash_chance;
	w.power = one->power;
	w.plan = one->plan;
	if (disk_is_played(&w))
		disk_play(&w);
	disk_begin(&w, one);
	one->scenario->run(&w);
	if (one->rule_count == 1 && !one->crash_chance)
		met = world_faults_pending(&w) == 0;
	vfs_set(NULL);
	wrong = world_conclude(&w);
	if (one->plan.act)
		met = w.acted;
	if (one->vfs.nth)
		met = w.restarts > 0;
	if (!wrong && one->calls_most && w.calls > one->calls_most) {
		violate(&w, "I5: %ld calls; at most %ld are allowed", w.calls, one->calls_most);
		wrong = w.violation;
	}
	count(run, one, &w, met);
	if (run->verbose)
		printf("calls %s: %ld, %lld s to converge%s\n", one->name, w.calls,
		       (long long)(w.converged_ms - w.healed_ms) / 1000, met ? "" : ", not met");
	if (wrong)
		printf("FAILED %s: %s\n", one->name, wrong);
	world_end(&w);
	fflush(stdout);
	return wrong != NULL;
}

/* Removes the files that a child left when it died. */
static void clear_folder(const char *folder)
{
	char command[160];

	snprintf(command, sizeof(command), "rm -f %s/s*", folder);
	if (system(command))
		fprintf(stderr, "cannot clear %s\n", folder);
}

static int run_child(struct run *run, struct one *one)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		exit(1);
	}
	if (pid == 0)
		_exit(child(run, one) ? WRONG : 0);
	while (waitpid(pid, &status, 0) < 0)
		;
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == WRONG))
		return WEXITSTATUS(status) == WRONG;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF)
		printf("FAILED %s: not finished after %d s of CPU time\n", one->name, HANGS_S);
	else
		printf("FAILED %s: the process died (%s %d)\n", one->name,
		       WIFSIGNALED(status) ? "signal" : "exit",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	clear_folder(run->folder);
	return 1;
}

void one_run(struct run *run, struct one *one)
{
	run->totals->cases[one->group]++;
	run->totals->failed[one->group] += run_child(run, one);
}

void baseline_take(struct run *run, const struct scenario *s, int keys, struct baseline *ret)
{
	struct world w;

	world_begin(&w, run->folder, run->provider, keys, 0, s->cloud);
	vfs_set(NULL);
	s->run(&w);
	memset(ret, 0, sizeof(*ret));
	for (size_t op = 0; op < op_count; op++)
		ret->ops[op] = (unsigned long)cloud_calls(w.cloud, ops[op], NULL);
	ret->points = w.points;
	ret->events = w.events;
	ret->calls = w.calls;
	ret->writes = vfs_count(VFS_WRITE);
	ret->syncs = vfs_count(VFS_SYNC);
	if (w.violation[0])
		printf("a healthy %s: %s\n", s->name, w.violation);
	world_end(&w);
}
