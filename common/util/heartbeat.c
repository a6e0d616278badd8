/* SPDX-License-Identifier: BSD-3-Clause */
/* The heartbeat file: created by the datapath process, watched by the orchestrator. See heartbeat.h. */
#include "util/heartbeat.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void *map(int fd, int protection)
{
	void *at = mmap(NULL, sizeof(struct heartbeat), protection, MAP_SHARED, fd, 0);
	int error = errno;

	close(fd);
	errno = error;
	return at == MAP_FAILED ? NULL : at;
}

struct heartbeat *heartbeat_create(const char *path, unsigned workers)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	struct heartbeat *heartbeat;

	if (fd < 0)
		return NULL;
	errno = posix_fallocate(fd, 0, sizeof(*heartbeat)); /* room now, not a fault of a worker later */
	if (errno) {
		close(fd);
		return NULL;
	}
	heartbeat = map(fd, PROT_READ | PROT_WRITE);
	if (!heartbeat)
		return NULL;
	memset(heartbeat, 0, sizeof(*heartbeat));
	heartbeat->version = HEARTBEAT_VERSION;
	heartbeat->workers = workers;
	heartbeat->pid = (uint32_t)getpid();
	__atomic_store_n(&heartbeat->magic, HEARTBEAT_MAGIC, __ATOMIC_RELEASE);
	return heartbeat;
}

const struct heartbeat *heartbeat_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const struct heartbeat *heartbeat;
	struct stat status;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) < 0 || (size_t)status.st_size < sizeof(*heartbeat)) {
		close(fd);
		errno = EPROTO;
		return NULL;
	}
	heartbeat = map(fd, PROT_READ);
	if (heartbeat && (__atomic_load_n(&heartbeat->magic, __ATOMIC_ACQUIRE) != HEARTBEAT_MAGIC ||
	                  heartbeat->version != HEARTBEAT_VERSION)) {
		heartbeat_close(heartbeat);
		errno = EPROTO;
		return NULL;
	}
	return heartbeat;
}

void heartbeat_close(const struct heartbeat *heartbeat)
{
	if (heartbeat)
		munmap((void *)(uintptr_t)heartbeat, sizeof(*heartbeat));
}
