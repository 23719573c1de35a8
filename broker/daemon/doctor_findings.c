/* SPDX-License-Identifier: MIT */
#include "daemon/doctor_findings.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/buf.h"
#include "util/jsonw.h"
#include "util/text.h"

#define WIDTH 79
#define JSON_MAX (1 << 20)

static const char *const grades[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_SKIP] = "skip",
	[DOCTOR_WARN] = "warn",
	[DOCTOR_FAIL] = "fail",
};

void doctor_found(struct doctor_findings *f, const char *name, const char *subject,
		  enum doctor_grade grade, const char *advice, const char *format, ...)
{
	struct doctor_finding finding = { .name = name, .grade = grade };
	va_list args;

	va_start(args, format);
	vsnprintf(finding.seen, sizeof(finding.seen), format, args);
	va_end(args);
	snprintf(finding.subject, sizeof(finding.subject), "%s", subject ? subject : "");
	snprintf(finding.advice, sizeof(finding.advice), "%s", advice ? advice : "");
	pthread_mutex_lock(&f->lock);
	if (!f->is_closed && f->count < DOCTOR_FINDINGS_MAX)
		f->list[f->count++] = finding;
	pthread_mutex_unlock(&f->lock);
}

void doctor_findings_close(struct doctor_findings *f)
{
	pthread_mutex_lock(&f->lock);
	f->is_closed = 1;
	pthread_mutex_unlock(&f->lock);
}

static int place(const char *const *order, const char *name)
{
	int i = 0;

	while (order[i] && strcmp(order[i], name) != 0)
		i++;
	return i;
}

/* Stable: what one check found stays in its order. */
void doctor_findings_sort(struct doctor_findings *f, const char *const *order)
{
	for (size_t i = 1; i < f->count; i++) {
		struct doctor_finding one = f->list[i];
		size_t k = i;

		while (k > 0 && place(order, f->list[k - 1].name) > place(order, one.name)) {
			f->list[k] = f->list[k - 1];
			k--;
		}
		f->list[k] = one;
	}
}

enum doctor_grade doctor_findings_worst(const struct doctor_findings *f)
{
	enum doctor_grade worst = DOCTOR_OK;

	for (size_t i = 0; i < f->count; i++) {
		if (f->list[i].grade > worst)
			worst = f->list[i].grade;
	}
	return worst == DOCTOR_SKIP ? DOCTOR_OK : worst;
}

/* Breaks between words; `at` is the column where the text begins. Control characters are blanks. */
static void wrapped_print(FILE *out, size_t at, const char *text)
{
	size_t column = at;

	while (*text) {
		size_t len;

		while (*text && (unsigned char)*text <= ' ')
			text++;
		len = 0;
		while ((unsigned char)text[len] > ' ')
			len++;
		if (!len)
			break;
		if (column > at && column + 1 + len > WIDTH) {
			fprintf(out, "\n%*s", (int)at, "");
			column = at;
		} else if (column > at) {
			fputc(' ', out);
			column++;
		}
		fwrite(text, 1, len, out);
		column += len;
		text += len;
	}
	fputc('\n', out);
}

static size_t label_make(const struct doctor_finding *one, char *out, size_t size)
{
	return (size_t)snprintf(out, size, "%s%s%s", one->name, one->subject[0] ? " " : "",
				one->subject);
}

void doctor_findings_print(const struct doctor_findings *f, FILE *out)
{
	static const char *const colours[] = { "32", "2", "33", "31" };
	int is_coloured = isatty(fileno(out)) && !getenv("NO_COLOR");
	size_t width = 0;
	char label[80];

	for (size_t i = 0; i < f->count; i++) {
		size_t len = label_make(&f->list[i], label, sizeof(label));

		if (len > width && len < 28)
			width = len;
	}
	for (size_t i = 0; i < f->count; i++) {
		const struct doctor_finding *one = &f->list[i];

		label_make(one, label, sizeof(label));
		if (is_coloured)
			fprintf(out, "\033[%sm%-4s\033[0m  ", colours[one->grade],
				grades[one->grade]);
		else
			fprintf(out, "%-4s  ", grades[one->grade]);
		fprintf(out, "%-*s  ", (int)width, label);
		wrapped_print(out, width + 8, one->seen);
		if (one->advice[0]) {
			fprintf(out, "%*s-> ", (int)width + 8, "");
			wrapped_print(out, width + 11, one->advice);
		}
	}
}

void doctor_findings_json(const struct doctor_findings *f, FILE *out)
{
	auto_buf struct buf text;
	struct jsonw w;

	buf_init(&text, JSON_MAX);
	jsonw_init(&w, &text);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "result", grades[doctor_findings_worst(f)]);
	jsonw_text(&w, "version", LESSOR_VERSION);
	jsonw_array(&w, "checks");
	for (size_t i = 0; i < f->count; i++) {
		const struct doctor_finding *one = &f->list[i];

		jsonw_object(&w, NULL);
		jsonw_text(&w, "name", one->name);
		jsonw_text(&w, "subject", one->subject);
		jsonw_text(&w, "result", grades[one->grade]);
		jsonw_text(&w, "seen", one->seen);
		jsonw_text(&w, "advice", one->advice);
		jsonw_end_object(&w);
	}
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	fprintf(out, "%s\n", buf_str(&text));
}
