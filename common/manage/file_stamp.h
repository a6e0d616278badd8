/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether a file is still the one that was read: its inode, size and times. The owner's thread. */
#ifndef SLUICE_MANAGE_FILE_STAMP_H
#define SLUICE_MANAGE_FILE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

struct file_stamp {
	uint64_t inode, size;
	int64_t seconds, nanoseconds;
};

/* Takes the stamp of a file as it is now (all 0: there is none); true if it is another one than before. */
bool file_stamp_changed(struct file_stamp *stamp, const char *file);

#endif
