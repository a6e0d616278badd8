/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory regions: see region.h. A file is locked while it is open, for two processes with the same sessions
 * would destroy them; the kernel lets go of the lock when a process dies, however it dies.
 */
#include "flow/region.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/magic.h>

#include "util/errors.h"

enum { HUGE_PAGE = 2 << 20, SMALL_PAGE = 4096 };

static size_t round_up(size_t bytes, size_t unit)
{
	return (bytes + unit - 1) / unit * unit;
}

static bool fail(struct region *region, const char *file, const char *what, struct errors *errors)
{
	errors_add(errors, file ? file : "session memory", "no-memory", NULL, 0, "%s (%zu bytes): %s", what,
	           region->bytes, strerror(errno));
	if (region->fd >= 0)
		close(region->fd);
	region->fd = -1;
	return false;
}

static bool map_anonymous(struct region *region, size_t bytes, struct errors *errors)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;

	/* A table much smaller than a huge page does not deserve one. */
	if (bytes >= HUGE_PAGE / 2) {
		region->bytes = round_up(bytes, HUGE_PAGE);
		region->base = mmap(NULL, region->bytes, PROT_READ | PROT_WRITE, flags | MAP_HUGETLB, -1, 0);
		if (region->base != MAP_FAILED)
			return true;
	}
	region->bytes = round_up(bytes, bytes >= HUGE_PAGE / 2 ? HUGE_PAGE : SMALL_PAGE);
	region->base = mmap(NULL, region->bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (region->base == MAP_FAILED)
		return fail(region, NULL, "cannot map memory", errors);
	madvise(region->base, region->bytes, MADV_HUGEPAGE);
	return true;
}

/* Gives the file its size and its memory: a sparse one would end the process on the first write to a full
 * tmpfs. */
static bool size_file(struct region *region, const char *file, size_t bytes, struct errors *errors)
{
	struct statfs fs;
	struct stat status;

	if (fstatfs(region->fd, &fs) != 0 || fstat(region->fd, &status) != 0)
		return fail(region, file, "cannot read the file's status", errors);
	region->bytes =
	        round_up(bytes, fs.f_type == HUGETLBFS_MAGIC ? (size_t)fs.f_bsize : (size_t)SMALL_PAGE);
	if (!S_ISREG(status.st_mode)) {
		errno = EINVAL;
		return fail(region, file, "not a regular file", errors);
	}
	region->found = (uint64_t)status.st_size == region->bytes;
	if (!region->found && ftruncate(region->fd, 0) != 0)
		return fail(region, file, "cannot empty the file", errors);
	if (fallocate(region->fd, 0, 0, (off_t)region->bytes) != 0)
		return fail(region, file, "cannot reserve the file's memory", errors);
	return true;
}

static bool map_file(struct region *region, const char *file, size_t bytes, struct errors *errors)
{
	region->bytes = bytes;
	region->fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (region->fd < 0)
		return fail(region, file, "cannot open", errors);
	if (flock(region->fd, LOCK_EX | LOCK_NB) != 0)
		return fail(region, file, "in use by another process", errors);
	if (!size_file(region, file, bytes, errors))
		return false;
	region->base = mmap(NULL, region->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, region->fd, 0);
	if (region->base == MAP_FAILED)
		return fail(region, file, "cannot map", errors);
	/* Only a request; tmpfs honours it when mounted so. */
	madvise(region->base, region->bytes, MADV_HUGEPAGE);
	return true;
}

bool region_open(struct region *region, const char *file, size_t bytes, struct errors *errors)
{
	region->fd = -1;
	region->found = false;
	return file ? map_file(region, file, bytes, errors) : map_anonymous(region, bytes, errors);
}

void region_clear(struct region *region)
{
	memset(region->base, 0, region->bytes);
}

void region_close(struct region *region)
{
	munmap(region->base, region->bytes);
	if (region->fd >= 0)
		close(region->fd);
}
