/* SPDX-License-Identifier: MIT */
#include "api/metric.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SHARED_HELP " Of the database: daemons that share it report the same."

enum metric_scope { DAEMON, SHARED };

/* clang-format off */
static const struct {
	const char *name, *type;
	enum metric_scope scope;
	const char *labels, *help;
} table[METRIC_COUNT] = {
#define X(name, type, scope, labels, help) { "lessor_" #name, #type, scope, labels, help },
	METRICS(X)
#undef X
#define X(name, type, scope, labels, help) { #name, #type, scope, labels, help },
	PROCESS_METRICS(X)
#undef X
};
/* clang-format on */

void metric_head(struct buf *out, enum metric metric)
{
	buf_addf(out, "# HELP %s %s%s\n# TYPE %s %s\n", table[metric].name, table[metric].help,
		 table[metric].scope == SHARED ? SHARED_HELP : "", table[metric].name,
		 table[metric].type);
}

static void label_add(struct buf *out, const char *name, size_t len, const char *value)
{
	buf_add(out, name, len);
	buf_adds(out, "=\"");
	while (*value) {
		size_t plain = strcspn(value, "\n\"\\");

		buf_add(out, value, plain);
		value += plain;
		if (*value)
			buf_adds(out, *value == '\n' ? "\\n" : *value == '"' ? "\\\"" : "\\\\");
		value += *value != '\0';
	}
	buf_addc(out, '"');
}

/* Name and labels. `le`: of a bucket; NULL: it is none. */
static void series_add(struct buf *out, enum metric metric, const char *suffix,
		       const char *const values[], const char *le)
{
	const char *at = table[metric].labels;
	int count = 0;

	buf_adds(out, table[metric].name);
	buf_adds(out, suffix);
	for (; *at; count++) {
		size_t len = strcspn(at, ",");

		buf_addc(out, count ? ',' : '{');
		label_add(out, at, len, values[count]);
		at += len + (at[len] == ',');
	}
	if (le)
		buf_addf(out, "%sle=\"%s\"", count++ ? "," : "{", le);
	buf_adds(out, count ? "} " : " ");
}

static void values_take(enum metric metric, va_list ap, const char *ret[HISTOGRAM_LABELS])
{
	const char *labels = table[metric].labels;

	for (int i = 0; *labels && i < HISTOGRAM_LABELS; i++) {
		ret[i] = va_arg(ap, const char *);
		labels += strcspn(labels, ",");
		labels += *labels == ',';
	}
}

static void milli_add(struct buf *out, int64_t v)
{
	buf_addf(out, "%s%" PRId64 ".%03" PRId64 "\n", v < 0 ? "-" : "", (v < 0 ? -v : v) / 1000,
		 (v < 0 ? -v : v) % 1000);
}

void metric_put(struct buf *out, enum metric metric, int64_t value, ...)
{
	const char *values[HISTOGRAM_LABELS] = { "", "", "" };
	va_list ap;

	va_start(ap, value);
	values_take(metric, ap, values);
	va_end(ap);
	series_add(out, metric, "", values, NULL);
	buf_addi(out, value);
	buf_addc(out, '\n');
}

void metric_put_milli(struct buf *out, enum metric metric, int64_t thousandths, ...)
{
	const char *values[HISTOGRAM_LABELS] = { "", "", "" };
	va_list ap;

	va_start(ap, thousandths);
	values_take(metric, ap, values);
	va_end(ap);
	series_add(out, metric, "", values, NULL);
	milli_add(out, thousandths);
}

void metric_add(struct buf *out, enum metric metric, int64_t value)
{
	metric_head(out, metric);
	metric_put(out, metric, value);
}

void metric_add_milli(struct buf *out, enum metric metric, int64_t thousandths)
{
	metric_head(out, metric);
	metric_put_milli(out, metric, thousandths);
}

struct histograms {
	struct buf *out;
	enum metric metric;
	const struct histogram_bounds *bounds;
};

static void bound_print(int64_t us, char *text, size_t size)
{
	size_t len;

	snprintf(text, size, "%" PRId64 ".%06" PRId64, us / 1000000, us % 1000000);
	len = strlen(text);
	while (text[len - 1] == '0' && text[len - 2] != '.')
		text[--len] = '\0';
}

static void histogram_put(void *arg, const struct histogram_series *series)
{
	const struct histograms *h = arg;
	const char *values[HISTOGRAM_LABELS];
	uint64_t sum = 0;
	char le[32];

	for (int i = 0; i < HISTOGRAM_LABELS; i++)
		values[i] = series->labels[i];
	for (size_t i = 0; i < h->bounds->count; i++) {
		sum += series->counts[i];
		bound_print(h->bounds->us[i], le, sizeof(le));
		series_add(h->out, h->metric, "_bucket", values, le);
		buf_addf(h->out, "%" PRIu64 "\n", sum);
	}
	sum += series->counts[HISTOGRAM_BUCKETS];
	series_add(h->out, h->metric, "_bucket", values, "+Inf");
	buf_addf(h->out, "%" PRIu64 "\n", sum);
	series_add(h->out, h->metric, "_sum", values, NULL);
	buf_addf(h->out, "%" PRIu64 ".%06" PRIu64 "\n", series->sum_us / 1000000,
		 series->sum_us % 1000000);
	series_add(h->out, h->metric, "_count", values, NULL);
	buf_addf(h->out, "%" PRIu64 "\n", sum);
}

void metric_put_histograms(struct buf *out, enum metric metric, struct histogram_set *set)
{
	struct histograms h = { .out = out, .metric = metric };

	if (!set)
		return;
	h.bounds = histogram_set_bounds(set);
	histogram_set_each(set, histogram_put, &h);
}
