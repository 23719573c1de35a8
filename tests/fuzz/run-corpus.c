/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over files and the files of folders, without libFuzzer, so that the
 * seeds and all inputs that once failed are part of the normal tests. It also runs the
 * prefixes of each input, because stream parsers often fail on those.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/alloc.h"

#define INPUT_MAX (4u << 20)
/* The maximum number of prefixes per input. */
#define BEGINNINGS 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned inputs;

static void input_run(const uint8_t *data, size_t size)
{
	size_t step = size > BEGINNINGS ? size / BEGINNINGS : 1;

	for (size_t n = 0; n < size; n += step) {
		/* A copy of exactly this size, so that a sanitizer detects a read beyond it. */
		uint8_t *copy = xcalloc(1, n);

		memcpy(copy, data, n);
		LLVMFuzzerTestOneInput(copy, n);
		free(copy);
	}
	LLVMFuzzerTestOneInput(data, size);
	inputs++;
}

static int file_run(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	size_t size;

	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	data = xcalloc(1, INPUT_MAX);
	size = fread(data, 1, INPUT_MAX, file);
	fclose(file);
	data = xrealloc(data, size);
	input_run(data, size);
	free(data);
	return 0;
}

static int path_run(const char *path)
{
	struct stat st;
	struct dirent **entries = NULL;
	int count, rc = 0;

	if (stat(path, &st)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	if (!S_ISDIR(st.st_mode))
		return file_run(path);
	count = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.') {
			char *inner = xasprintf("%s/%s", path, entries[i]->d_name);

			rc |= path_run(inner);
			free(inner);
		}
		free(entries[i]);
	}
	free(entries);
	return rc;
}

int main(int argc, char **argv)
{
	int rc = 0;

	for (int i = 1; i < argc; i++)
		rc |= path_run(argv[i]);
	printf("%u inputs\n", inputs);
	/* A missing corpus must not pass. */
	return rc || !inputs;
}
