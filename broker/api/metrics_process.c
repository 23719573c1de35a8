/* SPDX-License-Identifier: MIT */
#include "api/metrics_process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "api/metric.h"
#include "util/alloc.h"

static void cpu_metric(struct buf *out)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage))
		return;
	metric_add_milli(out, METRIC_process_cpu_seconds_total,
			 (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
				 (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000);
}

static void memory_metrics(struct buf *out)
{
	long long size, resident, page = sysconf(_SC_PAGESIZE);
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f)
		return;
	if (fscanf(f, "%lld %lld", &size, &resident) == 2) {
		metric_add(out, METRIC_process_resident_memory_bytes, resident * page);
		metric_add(out, METRIC_process_virtual_memory_bytes, size * page);
	}
	fclose(f);
}

static void descriptor_metrics(struct buf *out)
{
	DIR *dir = opendir("/proc/self/fd");
	struct rlimit limit;
	int64_t count = 0;

	if (dir) {
		for (const struct dirent *e; (e = readdir(dir)) != NULL;)
			count += e->d_name[0] != '.';
		closedir(dir);
		/* Not the one that was open to read them. */
		metric_add(out, METRIC_process_open_fds, count - 1);
	}
	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur != RLIM_INFINITY)
		metric_add(out, METRIC_process_max_fds, (int64_t)limit.rlim_cur);
}

/* The first number after the word at the start of a line; 0: none. */
static long long number_after(const char *path, const char *word)
{
	FILE *f = fopen(path, "re");
	size_t len = strlen(word);
	long long number = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, word, len))
			number = strtoll(line + len, NULL, 10);
	}
	if (f)
		fclose(f);
	return number;
}

/* Ticks from the boot to the start of the process: field 22 of its stat. 0: unknown. */
static long long start_ticks(void)
{
	FILE *f = fopen("/proc/self/stat", "re");
	char text[1024];
	size_t len = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	const char *at;

	if (f)
		fclose(f);
	text[len] = '\0';
	/* The second field, the name, may contain anything; it ends with the last ")". */
	at = strrchr(text, ')');
	for (int field = 2; at && field < 22; field++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at ? strtoll(at, NULL, 10) : 0;
}

static void start_metric(struct buf *out)
{
	static int64_t start_ms;
	long long boot_s;

	/* The boot time that the kernel reports moves with the clock; the start does not. */
	if (!start_ms) {
		boot_s = number_after("/proc/stat", "btime ");
		start_ms = boot_s * 1000 + start_ticks() * 1000 / sysconf(_SC_CLK_TCK);
	}
	metric_add_milli(out, METRIC_process_start_time_seconds, start_ms);
}

void metrics_of_process(struct buf *out)
{
	cpu_metric(out);
	memory_metrics(out);
	descriptor_metrics(out);
	start_metric(out);
}

void metrics_of_store(struct buf *out, const char *path)
{
	auto_free char *log = path && path[0] ? xasprintf("%s-wal", path) : NULL;
	struct statvfs fs;
	struct stat st;
	int64_t size;

	if (!log || stat(path, &st))
		return;
	size = st.st_size;
	if (!stat(log, &st))
		size += st.st_size;
	metric_add(out, METRIC_store_size_bytes, size);
	if (!statvfs(path, &fs))
		metric_add(out, METRIC_store_free_bytes,
			   (int64_t)fs.f_bavail * (int64_t)fs.f_frsize);
}
