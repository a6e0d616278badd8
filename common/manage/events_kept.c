/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The number of the next event in a file that outlives the process: so its successor goes on counting, and an id says one thing
 * for all lives. Shared memory, stored to as events are added: no I/O, and kill -9 loses nothing. Guarded by the log's lock.
 */
#include "manage/events_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "manage/log.h"

#define EVENTS_KEPT_MAGIC UINT64_C(0x31746e6576656c73) /* "slevent1" */

/* JSON numbers are exact up to here; what is above is no number of ours. */
#define EVENT_ID_MAX (UINT64_C(1) << 53)

static struct events_kept *map(int fd)
{
	struct events_kept *kept;
	/* Without the room a store would end the process. */
	int error = posix_fallocate(fd, 0, sizeof *kept);
	if (error) {
		errno = error;
		return NULL;
	}
	kept = mmap(NULL, sizeof *kept, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return kept == MAP_FAILED ? NULL : kept;
}

bool events_keep(struct events *events, const char *file)
{
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	struct events_kept *kept = fd >= 0 ? map(fd) : NULL;
	if (!kept)
		log_warn("event-ids-not-kept", "file=%s error=%s", file, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (!kept)
		return false;
	pthread_mutex_lock(&events->lock);
	if (kept->magic == EVENTS_KEPT_MAGIC && kept->next > events->next && kept->next < EVENT_ID_MAX)
		events->first = events->begun = events->next = kept->next;
	kept->next = events->next;
	kept->magic = EVENTS_KEPT_MAGIC;
	events->kept = kept;
	pthread_mutex_unlock(&events->lock);
	return true;
}

void events_unmap(struct events *events)
{
	if (events->kept)
		munmap(events->kept, sizeof *events->kept);
	events->kept = NULL;
}
