/* SPDX-License-Identifier: MIT */
/*
 * What the checks of lessord doctor found, and how it is printed. Checks run on threads of
 * their own; the lists are locked. Once closed, what a late check still adds is dropped.
 */
#pragma once

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>

enum doctor_grade {
	DOCTOR_OK,
	DOCTOR_SKIP, /* not examined; the text says why */
	DOCTOR_WARN, /* it works; something should be done soon */
	DOCTOR_FAIL, /* something is to be done */
};

struct doctor_finding {
	const char *name; /* a literal; as documented in lessord(8) */
	char subject[32]; /* the account; "" for the others */
	enum doctor_grade grade;
	char seen[520];
	char advice[320]; /* "" if ok */
};

#define DOCTOR_FINDINGS_MAX 128

struct doctor_findings {
	pthread_mutex_t lock;
	struct doctor_finding list[DOCTOR_FINDINGS_MAX];
	size_t count;
	int is_closed;
};

/* `subject` NULL: none. `advice` NULL: none. */
void doctor_found(struct doctor_findings *f, const char *name, const char *subject,
		  enum doctor_grade grade, const char *advice, const char *format, ...)
	__attribute__((format(printf, 6, 7)));
/* Nothing is added any more. */
void doctor_findings_close(struct doctor_findings *f);
/* After the close: in the order of the names in `order`, which ends with NULL. */
void doctor_findings_sort(struct doctor_findings *f, const char *const *order);
/* The worst of all. */
enum doctor_grade doctor_findings_worst(const struct doctor_findings *f);
void doctor_findings_print(const struct doctor_findings *f, FILE *out);
void doctor_findings_json(const struct doctor_findings *f, FILE *out);
