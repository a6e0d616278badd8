/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The log's sink and its lines. The state is the process's own, guarded by one lock that is held for one
 * write.
 */
#include "manage/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "manage/log_format.h"

static struct {
	pthread_mutex_t lock;
	int fd;
	_Atomic enum log_level level;
	bool json;
	bool stuck;    /* the last line did not get through: do not wait again */
	uint64_t lost; /* lines since then */
} sink = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO, .level = LOG_LEVEL_INFO };

static const char *const level_names[] = { "debug", "info", "warn", "error" };

enum { WAIT_MS = 100 };

bool log_open(const struct log_settings *settings)
{
	int fd = STDERR_FILENO;
	if (settings->file)
		fd = open(settings->file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (fd < 0)
		return false;
	pthread_mutex_lock(&sink.lock);
	int old = sink.fd;
	sink.fd = fd;
	sink.json = settings->json;
	sink.stuck = false;
	pthread_mutex_unlock(&sink.lock);
	log_set_level(settings->level);
	if (old != STDERR_FILENO)
		close(old);
	return true;
}

void log_rotate(const struct log_settings *settings, long bytes)
{
	char former[4096];
	struct stat status;
	struct log_settings again = *settings;
	again.level = sink.level;
	if (!settings->file)
		return;
	/* Renamed, and there was none to take its place, by us or by somebody else: else the former one would grow for ever. */
	if (stat(settings->file, &status)) {
		log_open(&again);
		return;
	}
	if (!S_ISREG(status.st_mode) || status.st_size <= bytes ||
	    (size_t)snprintf(former, sizeof former, "%s.1", settings->file) >= sizeof former)
		return;
	if (rename(settings->file, former) == 0)
		log_open(&again);
}

void log_set_level(enum log_level level)
{
	sink.level = level;
}

bool log_level_parse(const char *text, enum log_level *level)
{
	for (unsigned i = 0; i < sizeof level_names / sizeof *level_names; i++) {
		if (!strcmp(text, level_names[i])) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

/* Writes a line if the sink takes it in time. A pipe that says it is writable takes PIPE_BUF bytes without
 * blocking, and no line is longer. */
static bool put_line(const char *line, size_t length)
{
	struct pollfd writable = { .fd = sink.fd, .events = POLLOUT };
	if (poll(&writable, 1, sink.stuck ? 0 : WAIT_MS) != 1)
		return false;
	ssize_t wrote;
	while ((wrote = write(sink.fd, line, length)) < 0 && errno == EINTR)
		;
	return wrote >= 0;
}

static void begin_line(struct log_line *line, enum log_level level, const char *event)
{
	struct timespec now;
	struct tm utc;
	char text[64];
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text + length, sizeof text - length, ".%06ldZ", now.tv_nsec / 1000);
	log_line_begin(line, sink.json);
	log_line_text(line, "time", text);
	log_line_text(line, "level", level_names[level]);
	log_line_text(line, "event", event);
}

static void write_lost(void)
{
	struct log_line line;
	if (!sink.lost)
		return;
	begin_line(&line, LOG_LEVEL_WARN, "log-lost");
	log_line_number(&line, "lines", sink.lost);
	log_line_end(&line);
	if (put_line(line.text, line.length))
		sink.lost = 0;
}

static void write_line(enum log_level level, const char *event, uint64_t suppressed, const char *format,
                       va_list args)
{
	struct log_line line;
	pthread_mutex_lock(&sink.lock);
	begin_line(&line, level, event);
	log_line_format(&line, format, args);
	if (suppressed)
		log_line_number(&line, "suppressed", suppressed);
	log_line_end(&line);
	write_lost();
	sink.stuck = !put_line(line.text, line.length);
	sink.lost += sink.stuck;
	pthread_mutex_unlock(&sink.lock);
}

void log_write(enum log_level level, const char *event, const char *format, ...)
{
	va_list args;
	if (level < sink.level)
		return;
	va_start(args, format);
	write_line(level, event, 0, format, args);
	va_end(args);
}

/* Takes a token if there is one; false, and counted, otherwise. *suppressed: how many lines were kept back
 * before this one. */
static bool take_token(struct log_limit *limit, uint64_t *suppressed)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	pthread_mutex_lock(&sink.lock);
	if (!limit->used)
		limit->tokens = limit->burst;
	else
		limit->tokens += (double)(now_ns - limit->last_ns) * 1e-9 * limit->per_second;
	if (limit->tokens > limit->burst)
		limit->tokens = limit->burst;
	limit->used = true;
	limit->last_ns = now_ns;
	bool passes = limit->tokens >= 1;
	*suppressed = limit->suppressed;
	limit->tokens -= passes;
	limit->suppressed = passes ? 0 : limit->suppressed + 1;
	pthread_mutex_unlock(&sink.lock);
	return passes;
}

void log_write_limited(struct log_limit *limit, enum log_level level, const char *event, const char *format,
                       ...)
{
	uint64_t suppressed;
	va_list args;
	if (level < sink.level || !take_token(limit, &suppressed))
		return;
	va_start(args, format);
	write_line(level, event, suppressed, format, args);
	va_end(args);
}
