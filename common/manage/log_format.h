/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One log line being made: keys and values with quoting. Pure; the line belongs to the caller. A line that
 * grows too long is cut at a value and still ends as it should.
 */
#ifndef SLUICE_MANAGE_LOG_FORMAT_H
#define SLUICE_MANAGE_LOG_FORMAT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOG_LINE = 4096, LOG_VALUE = 2048 };

struct log_line {
	char text[LOG_LINE];
	size_t length;
	bool json;
};

void log_line_begin(struct log_line *line, bool json);
void log_line_text(struct log_line *line, const char *key, const char *value);
void log_line_number(struct log_line *line, const char *key, uint64_t value);
/* Adds the pairs of a format such as "hop=%s count=%u": see log.h. */
void log_line_format(struct log_line *line, const char *format, va_list args);
void log_line_end(struct log_line *line);

#endif
