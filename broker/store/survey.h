/* SPDX-License-Identifier: MIT */
/*
 * What a database offers, for `lessord check`: a finding for each thing that matters, with a
 * sentence. Reads only.
 */
#pragma once

#include <stdint.h>

#include "util/err.h"

enum store_grade {
	STORE_GOOD,
	STORE_NOTE,  /* it works; the sentence says what it costs */
	STORE_WRONG, /* lessord does not start, or promises what it cannot keep */
};

struct store_finding {
	const char *topic; /* a literal of one or two words */
	enum store_grade grade;
	char text[400]; /* one sentence */
};
typedef void (*store_finding_fn)(void *arg, const struct store_finding *finding);

struct store_needs {
	int require_sync;
	int connections; /* that one daemon opens */
};

/* `target` as for store_open. 0; 1 there is no database yet; -1 it cannot be opened. */
int store_survey(const char *target, const struct store_needs *needs, store_finding_fn fn,
		 void *arg, struct err *err);

/* For backends: fills in the sentence and calls `fn`. */
void store_find(store_finding_fn fn, void *arg, const char *topic, enum store_grade grade,
		const char *format, ...) __attribute__((format(printf, 5, 6)));
