/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The log of a process: one line a thing, key=value or JSON, UTC.
 *
 *	log_info("hop-up", "hop=%s peer=%s", hop->name, peer);
 *	time=2026-01-02T03:04:05.678901Z level=info event=hop-up hop=fw peer="unix:/run/a b"
 *
 * The format is a list of key=value, separated by spaces; each value is quoted if it needs to be, whatever it
 * holds. The conversions are those of printf for integers, floats, %c, %s, %.*s and %p. Any thread; a line is
 * written by one write(2). Never blocks for ever: a sink that takes nothing for 100 ms loses lines, and the
 * next that gets through says how many. The sink belongs to the process (as stderr does), so this module
 * holds state of its own.
 */
#ifndef SLUICE_MANAGE_LOG_H
#define SLUICE_MANAGE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

struct log_settings {
	const char *file;     /* appended to; NULL: stderr */
	enum log_level level; /* what is below is not written */
	bool json;
};

/* Sets where and how; until then: stderr, info, key=value. False with errno if the file cannot be opened
 * (nothing changes). Again with the same file: reopened (after rotation). */
bool log_open(const struct log_settings *settings);
/* How large a log may grow before it is rotated; the former one is as large. */
#define LOG_FILE_BYTES (8 << 20)
/* If the file is larger than that: renames it to FILE.1, in the place of an earlier one, and goes on with an empty one and the level of now. Whoever has it
 * open, too, goes on with the former. One that is not there any more is made anew. */
void log_rotate(const struct log_settings *settings, long bytes);
/* Changes the level alone. */
void log_set_level(enum log_level level);
/* "debug", "info", "warn", "error" to a level; false if it is none of them. */
bool log_level_parse(const char *text, enum log_level *level);

void log_write(enum log_level level, const char *event, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

#define log_debug(event, ...) log_write(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...)  log_write(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_warn(event, ...)  log_write(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_error(event, ...) log_write(LOG_LEVEL_ERROR, event, __VA_ARGS__)

/* A token bucket: `burst` lines at once, then `per_second`. One for each call site. */
struct log_limit {
	unsigned per_second, burst;
	uint64_t last_ns; /* private: when tokens were added last */
	double tokens;
	uint64_t suppressed;
	bool used;
};

/* As log_write unless the bucket is empty; the next line that passes carries suppressed=N. */
void log_write_limited(struct log_limit *limit, enum log_level level, const char *event, const char *format,
                       ...) __attribute__((format(printf, 4, 5)));

/* As log_write, at most 1 line a second from here after a burst of 10. */
#define log_limited(level, event, ...)                                                \
	do {                                                                          \
		static struct log_limit log_site_ = { .per_second = 1, .burst = 10 }; \
		log_write_limited(&log_site_, level, event, __VA_ARGS__);             \
	} while (0)

#endif
