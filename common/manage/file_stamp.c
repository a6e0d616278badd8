/* SPDX-License-Identifier: BSD-3-Clause */
/* Stamps of files. */
#include "manage/file_stamp.h"

#include <sys/stat.h>

bool file_stamp_changed(struct file_stamp *stamp, const char *file)
{
	struct file_stamp now = { 0 };
	struct stat status;
	if (!stat(file, &status))
		now = (struct file_stamp){ status.st_ino, (uint64_t)status.st_size, status.st_mtim.tv_sec,
			                   status.st_mtim.tv_nsec };
	bool changed = now.inode != stamp->inode || now.size != stamp->size ||
	               now.seconds != stamp->seconds || now.nanoseconds != stamp->nanoseconds;
	*stamp = now;
	return changed;
}
