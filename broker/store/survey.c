/* SPDX-License-Identifier: MIT */
#include "store/survey.h"

#include <stdarg.h>
#include <stdio.h>

#include "store/backend.h"

void store_find(store_finding_fn fn, void *arg, const char *topic, enum store_grade grade,
		const char *format, ...)
{
	struct store_finding finding = { .topic = topic, .grade = grade };
	va_list args;

	va_start(args, format);
	vsnprintf(finding.text, sizeof(finding.text), format, args);
	va_end(args);
	fn(arg, &finding);
}
