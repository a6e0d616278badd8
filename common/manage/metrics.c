/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Metrics as text. Each family collects its samples in a text of its own; metrics_finish puts them together
 * under their heads. Made, filled and finished by one thread.
 */
#include "manage/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/problem.h"
#include "manage/strbuf.h"

struct metrics_family {
	struct metrics_family *next;
	const struct metrics *metrics;
	enum metrics_type type;
	char *name; /* with its unit, without _total */
	char *unit, *help;
	struct strbuf samples;
};

struct metrics {
	enum metrics_format format;
	struct metrics_family *first, **end;
};

static const char *const media_types[] = {
	[METRICS_PROMETHEUS] = "text/plain; version=0.0.4; charset=utf-8",
	[METRICS_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

enum metrics_format metrics_negotiate(const char *accept)
{
	return accept && strstr(accept, "application/openmetrics-text") ? METRICS_OPENMETRICS
	                                                                : METRICS_PROMETHEUS;
}

struct metrics *metrics_new(enum metrics_format format)
{
	struct metrics *m = calloc(1, sizeof *m);
	if (m) {
		m->format = format;
		m->end = &m->first;
	}
	return m;
}

/* The name with its unit at the end, once. */
static char *full_name(const char *name, const char *unit)
{
	char *text = NULL;
	size_t length = strlen(name), tail = unit ? strlen(unit) : 0;
	bool has = !unit ||
	           (length > tail && name[length - tail - 1] == '_' && !strcmp(name + length - tail, unit));
	return asprintf(&text, has ? "%s" : "%s_%s", name, unit) < 0 ? NULL : text;
}

static void family_free(struct metrics_family *family)
{
	strbuf_free(&family->samples);
	free(family->name);
	free(family->unit);
	free(family->help);
	free(family);
}

static struct metrics_family *family_find(const struct metrics *m, const char *name)
{
	struct metrics_family *family = m->first;
	while (family && strcmp(family->name, name))
		family = family->next;
	return family;
}

struct metrics_family *metrics_family(struct metrics *m, enum metrics_type type, const char *name,
                                      const char *unit, const char *help)
{
	char *full = m ? full_name(name, unit) : NULL;
	struct metrics_family *family = full ? family_find(m, full) : NULL;
	if (family || !full) {
		free(full);
		return family;
	}
	family = calloc(1, sizeof *family);
	if (!family) {
		free(full);
		return NULL;
	}
	*family = (struct metrics_family){ .metrics = m,
		                           .type = type,
		                           .name = full,
		                           .help = strdup(help),
		                           .unit = unit ? strdup(unit) : NULL };
	*m->end = family;
	m->end = &family->next;
	return family;
}

static void escape(struct strbuf *out, const char *text, bool quotes)
{
	for (; *text; text++) {
		if (*text == '\n')
			strbuf_puts(out, "\\n");
		else if (*text == '\\' || (*text == '"' && quotes))
			strbuf_printf(out, "\\%c", *text);
		else
			strbuf_putc(out, *text);
	}
}

/* {a="b",c="d"}, from pairs and then perhaps a bucket's bound. */
static char *labels_text(va_list pairs, const char *bound)
{
	struct strbuf out = { 0 };
	const char *name, *separator = "{";
	while ((name = va_arg(pairs, const char *))) {
		strbuf_printf(&out, "%s%s=\"", separator, name);
		escape(&out, va_arg(pairs, const char *), true);
		strbuf_putc(&out, '"');
		separator = ",";
	}
	if (bound)
		strbuf_printf(&out, "%sle=\"%s\"", separator, bound);
	if (out.length)
		strbuf_putc(&out, '}');
	return strbuf_take(&out, NULL);
}

static void number_text(double value, char *text, size_t size)
{
	if (isnan(value))
		snprintf(text, size, "NaN");
	else if (isinf(value))
		snprintf(text, size, value > 0 ? "+Inf" : "-Inf");
	else
		snprintf(text, size, "%.15g", value);
}

static void sample(struct metrics_family *family, const char *suffix, const char *value, const char *bound,
                   va_list pairs)
{
	char *labels = labels_text(pairs, bound);
	if (labels)
		strbuf_printf(&family->samples, "%s%s%s %s\n", family->name, suffix, labels, value);
	free(labels);
}

static const char *own_suffix(const struct metrics_family *family)
{
	return family->type == METRICS_COUNTER ? "_total" : "";
}

void metrics_count(struct metrics_family *family, uint64_t value, ...)
{
	char text[32];
	va_list pairs;
	if (!family)
		return;
	snprintf(text, sizeof text, "%" PRIu64, value);
	va_start(pairs, value);
	sample(family, own_suffix(family), text, NULL, pairs);
	va_end(pairs);
}

void metrics_value(struct metrics_family *family, double value, ...)
{
	char text[32];
	va_list pairs;
	if (!family)
		return;
	number_text(value, text, sizeof text);
	va_start(pairs, value);
	sample(family, own_suffix(family), text, NULL, pairs);
	va_end(pairs);
}

static void histogram_part(struct metrics_family *family, const char *suffix, const char *value,
                           const char *bound, va_list pairs)
{
	va_list copy;
	va_copy(copy, pairs);
	sample(family, suffix, value, bound, copy);
	va_end(copy);
}

void metrics_histogram(struct metrics_family *family, const struct metrics_histogram *histogram, ...)
{
	char value[32], bound[32];
	uint64_t sum = 0;
	va_list pairs;
	if (!family)
		return;
	va_start(pairs, histogram);
	for (size_t i = 0; i <= histogram->n; i++) {
		number_text(i < histogram->n ? histogram->bounds[i] : INFINITY, bound, sizeof bound);
		snprintf(value, sizeof value, "%" PRIu64, sum += histogram->counts[i]);
		histogram_part(family, "_bucket", value, bound, pairs);
	}
	histogram_part(family, "_count", value, NULL, pairs);
	number_text(histogram->sum, value, sizeof value);
	histogram_part(family, "_sum", value, NULL, pairs);
	va_end(pairs);
}

/* The head of a family: OpenMetrics names a counter without its _total, Prometheus with it. */
static void family_head(struct strbuf *out, const struct metrics_family *family)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };
	bool open = family->metrics->format == METRICS_OPENMETRICS;
	const char *suffix = open ? "" : own_suffix(family);
	strbuf_printf(out, "# HELP %s%s ", family->name, suffix);
	escape(out, family->help ? family->help : "", open);
	strbuf_printf(out, "\n# TYPE %s%s %s\n", family->name, suffix, types[family->type]);
	if (open && family->unit)
		strbuf_printf(out, "# UNIT %s %s\n", family->name, family->unit);
}

char *metrics_finish(struct metrics *m, size_t *length)
{
	struct strbuf out = { 0 };
	for (struct metrics_family *family = m->first, *next; family; family = next) {
		next = family->next;
		family_head(&out, family);
		strbuf_add(&out, family->samples.text, family->samples.length);
		out.failed |= family->samples.failed;
		family_free(family);
	}
	if (m->format == METRICS_OPENMETRICS)
		strbuf_puts(&out, "# EOF\n");
	free(m);
	return strbuf_take(&out, length);
}

void metrics_reply(struct metrics *m, struct rest_reply *reply)
{
	size_t length = 0;
	enum metrics_format format = m ? m->format : METRICS_PROMETHEUS;
	char *text = m ? metrics_finish(m, &length) : NULL;
	if (text)
		rest_reply_text(reply, 200, media_types[format], text, length);
	else
		rest_problem(reply, 503, "no memory for the metrics");
}
