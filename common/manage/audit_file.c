/* SPDX-License-Identifier: BSD-3-Clause */
/* The files of the audit: append, rotate, read backwards. See audit_private.h. */
#include "manage/audit_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manage/log.h"
#include "manage/pages.h"
#include "util/memory.h"

/* audit.log, audit.log.1 ... */
static char *file_name(const struct audit_files *files, unsigned i)
{
	return i ? text_format("%s/audit.log.%u", files->folder, i)
	         : text_format("%s/audit.log", files->folder);
}

/* --- writing --- */

/* A line that a power cut left unfinished is ended, so that the next begins on a line of its own. */
static void end_last_line(int fd, size_t *size)
{
	char last;
	if (*size && pread(fd, &last, 1, (off_t)*size - 1) == 1 && last != '\n' && write(fd, "\n", 1) == 1)
		++*size;
}

static int open_newest(struct audit_files *files)
{
	char *path = file_name(files, 0);
	struct stat status;
	files->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int error = files->fd < 0 || fstat(files->fd, &status) ? errno : 0;
	free(path);
	files->size = error ? 0 : (size_t)status.st_size;
	if (!error)
		end_last_line(files->fd, &files->size);
	return error;
}

void audit_files_open(struct audit_files *files, const struct audit_options *options)
{
	*files = (struct audit_files){ .folder = text_copy(options->folder),
		                       .bytes = options->bytes ? options->bytes : AUDIT_BYTES,
		                       .count = options->files ? options->files : AUDIT_FILES,
		                       .fd = -1 };
	pthread_mutex_init(&files->lock, NULL);
	int error = mkdir(files->folder, 0700) && errno != EEXIST ? errno : open_newest(files);
	if (error) /* lines are counted as lost until it works: nothing else stops for it */
		log_error("audit-failed", "folder=%s text=%s", files->folder, strerror(error));
	json_t *list = audit_files_list(files, 0, 1, NULL);
	files->last = (uint64_t)json_integer_value(json_object_get(json_array_get(list, 0), "id"));
	json_decref(list);
}

void audit_files_close(struct audit_files *files)
{
	if (files->fd >= 0)
		close(files->fd);
	pthread_mutex_destroy(&files->lock);
	free(files->folder);
}

static void rotate(struct audit_files *files)
{
	pthread_mutex_lock(&files->lock);
	for (unsigned i = files->count - 1; i > 0; i--) {
		char *from = file_name(files, i - 1), *to = file_name(files, i);
		rename(from, to);
		free(from);
		free(to);
	}
	close(files->fd);
	open_newest(files);
	pthread_mutex_unlock(&files->lock);
}

int audit_files_append(struct audit_files *files, const char *text, size_t length)
{
	if (files->size && files->size + length > files->bytes)
		rotate(files);
	if (files->fd < 0 && open_newest(files))
		return errno;
	ssize_t done = write(files->fd, text, length);
	if (done == (ssize_t)length) {
		files->size += length;
		return 0;
	}
	int error = done < 0 ? errno : ENOSPC;
	if (done > 0 &&
	    ftruncate(files->fd,
	              (off_t)files->size)) /* else the unfinished line is ended at the next start */
		files->size += (size_t)done;
	return error;
}

void audit_files_sync(struct audit_files *files)
{
	if (files->fd >= 0)
		fdatasync(files->fd);
}

/* --- reading --- */

struct search {
	uint64_t before;
	unsigned limit;
	const struct filter *filter;
	json_t *found;
};

static void look_at_line(struct search *search, const char *line, size_t length)
{
	json_t *json = length ? json_loadb(line, length, 0, NULL) : NULL;
	uint64_t id = (uint64_t)json_integer_value(json_object_get(json, "id"));
	if (id && (!search->before || id < search->before) && filter_match(search->filter, json))
		json_array_append(search->found, json);
	json_decref(json);
}

static bool enough(const struct search *search)
{
	return json_array_size(search->found) >= search->limit;
}

static void search_text(struct search *search, const char *text, size_t length)
{
	while (length && !enough(search)) {
		size_t end = length - (text[length - 1] == '\n');
		const char *newline = end ? memrchr(text, '\n', end) : NULL;
		size_t begin = newline ? (size_t)(newline - text) + 1 : 0;
		look_at_line(search, text + begin, end - begin);
		length = begin;
	}
}

static void search_file(struct search *search, int fd)
{
	struct stat status;
	size_t length = fstat(fd, &status) ? 0 : (size_t)status.st_size, got = 0;
	char *text = malloc(length + 1);
	ssize_t part = 1;
	while (text && got < length && (part = pread(fd, text + got, length - got, (off_t)got)) > 0)
		got += (size_t)part;
	if (text)
		search_text(search, text, got);
	free(text);
}

json_t *audit_files_list(struct audit_files *files, uint64_t before, unsigned limit,
                         const struct filter *filter)
{
	struct search search = { before, limit, filter, json_array() };
	int *fds = memory_new(files->count, sizeof *fds);
	pthread_mutex_lock(&files->lock); /* none moves until all are open */
	for (unsigned i = 0; i < files->count; i++) {
		char *path = file_name(files, i);
		fds[i] = open(path, O_RDONLY | O_CLOEXEC);
		free(path);
	}
	pthread_mutex_unlock(&files->lock);
	for (unsigned i = 0; i < files->count; i++) {
		if (fds[i] >= 0 && !enough(&search))
			search_file(&search, fds[i]);
		if (fds[i] >= 0)
			close(fds[i]);
	}
	free(fds);
	return search.found;
}
