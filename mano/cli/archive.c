/* SPDX-License-Identifier: BSD-3-Clause */
/* A tar.gz as it comes. See archive.h. */
#include "cli/archive.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "util/memory.h"

enum { BLOCK = 512, NAME_MAX_BYTES = 99 };

struct archive {
	gzFile to;
	char *path;
	time_t now;
	int error; /* errno of the first failure; 0: none */
};

/* POSIX.1-1988 ustar; numbers are octal text. */
struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6],
	        version[2], user[32], group[32], device[16], prefix[155], unused[12];
};
static_assert(sizeof(struct header) == BLOCK, "one block");

/* What is no regular file (a device, a pipe) is written to, but neither emptied nor removed. */
static bool is_regular(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

static int open_private(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0 && is_regular(fd) && (fchmod(fd, 0600) < 0 || ftruncate(fd, 0) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Of a path, not of a link to it. */
static void remove_regular(const char *path)
{
	struct stat status;

	if (lstat(path, &status) == 0 && S_ISREG(status.st_mode))
		unlink(path);
}

struct archive *archive_open(const char *path, time_t now)
{
	int fd = open_private(path);
	gzFile to = fd < 0 ? NULL : gzdopen(fd, "wb");
	struct archive *archive;

	if (!to) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	archive = memory_new(1, sizeof(*archive));
	*archive = (struct archive){ .to = to, .path = text_copy(path), .now = now };
	return archive;
}

static void write_out(struct archive *archive, const void *data, size_t length)
{
	if (archive->error || !length)
		return;
	if (gzwrite(archive->to, data, (unsigned)length) != (int)length)
		archive->error = errno ? errno : EIO;
}

/* The checksum is made as if its own field were blank. */
static void seal(struct header *h)
{
	const unsigned char *bytes = (const unsigned char *)h;
	unsigned sum = 0;

	memset(h->checksum, ' ', sizeof(h->checksum));
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += bytes[i];
	snprintf(h->checksum, sizeof(h->checksum), "%06o", sum);
}

bool archive_add(struct archive *archive, const char *name, const void *data, size_t length)
{
	static const char zeros[BLOCK];
	struct header h = { .mode = "0000600", .uid = "0000000", .gid = "0000000", .type = '0' };

	if (strlen(name) > NAME_MAX_BYTES)
		return false;
	snprintf(h.name, sizeof(h.name), "%s", name);
	snprintf(h.size, sizeof(h.size), "%011zo", length);
	snprintf(h.mtime, sizeof(h.mtime), "%011lo", (unsigned long)archive->now);
	memcpy(h.magic, "ustar", 6);
	memcpy(h.version, "00", 2);
	seal(&h);
	write_out(archive, &h, sizeof(h));
	write_out(archive, data, length);
	write_out(archive, zeros, (BLOCK - length % BLOCK) % BLOCK);
	return !archive->error;
}

bool archive_close(struct archive *archive)
{
	static const char end[2 * BLOCK];
	int error;

	write_out(archive, end, sizeof(end));
	error = archive->error;
	if (gzclose(archive->to) != Z_OK && !error)
		error = errno ? errno : EIO;
	if (error)
		remove_regular(archive->path);
	free(archive->path);
	free(archive);
	errno = error;
	return !error;
}
