/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that are either whole or not there: written beside their place, forced to disk if need be, and moved into it. Any thread,
 * as long as two do not write one path.
 */
#ifndef SLUICE_UTIL_ATOMIC_FILE_H
#define SLUICE_UTIL_ATOMIC_FILE_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Writes `length` bytes as the file `path` with the permissions `mode`, over what was there. Returns 0, or an errno
 * value (ENOSPC, EACCES ...): then the old file is as it was and nothing is left beside it.
 */
int atomic_file_write(const char *path, const void *data, size_t length, mode_t mode);

/* The same, but for as long as the machine runs only: nothing waits for the disk, and after a power cut the file may be anything. */
int atomic_file_put(const char *path, const void *data, size_t length, mode_t mode);

/* Reads a regular file of at most `bound` bytes; *data is malloc'd with a NUL behind. 0 or an errno value (EFBIG). */
int atomic_file_read(const char *path, size_t bound, char **data, size_t *length);

#endif
