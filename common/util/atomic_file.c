/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Temporary file, fsync, rename, fsync of the folder: after a power cut the old file is there or the new one. Holds no
 * data; any thread.
 */
#include "util/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/memory.h"

static int write_all(int fd, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t done = write(fd, data, length);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return errno;
		data += done;
		length -= (size_t)done;
	}
	return 0;
}

/* Makes the entry in the folder durable: without it a rename may be undone by a power cut. */
static int sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = !slash          ? text_copy(".")
	               : slash == path ? text_copy("/")
	                               : text_copy_n(path, (size_t)(slash - path));
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = fd < 0 || fsync(fd) ? errno : 0;

	if (fd >= 0)
		close(fd);
	free(folder);
	return error;
}

static int fill(int fd, const void *data, size_t length, mode_t mode, bool durable)
{
	int error = write_all(fd, data, length);

	if (!error && (fchmod(fd, mode) || (durable && fsync(fd))))
		error = errno;
	if (close(fd) && !error)
		error = errno;
	return error;
}

static int put(const char *path, const void *data, size_t length, mode_t mode, bool durable)
{
	char *temporary = text_format("%s.XXXXXX", path);
	int fd = mkostemp(temporary, O_CLOEXEC);
	int error = fd < 0 ? errno : fill(fd, data, length, mode, durable);

	if (!error && rename(temporary, path))
		error = errno;
	if (error && fd >= 0)
		unlink(temporary);
	free(temporary);
	return error || !durable ? error : sync_folder(path);
}

int atomic_file_write(const char *path, const void *data, size_t length, mode_t mode)
{
	return put(path, data, length, mode, true);
}

int atomic_file_put(const char *path, const void *data, size_t length, mode_t mode)
{
	return put(path, data, length, mode, false);
}

static int read_all(int fd, char *data, size_t length)
{
	while (length > 0) {
		ssize_t done = read(fd, data, length);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? errno : EIO; /* it became shorter while we read */
		data += done;
		length -= (size_t)done;
	}
	return 0;
}

static int read_descriptor(int fd, size_t bound, char **data, size_t *length)
{
	struct stat status;

	if (fstat(fd, &status))
		return errno;
	if (!S_ISREG(status.st_mode))
		return S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
	if ((uintmax_t)status.st_size > bound)
		return EFBIG;
	*length = (size_t)status.st_size;
	*data = memory_new(*length + 1, 1);
	int error = read_all(fd, *data, *length);
	if (error)
		free(*data);
	return error;
}

int atomic_file_read(const char *path, size_t bound, char **data, size_t *length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return errno;
	int error = read_descriptor(fd, bound, data, length);
	close(fd);
	return error;
}
