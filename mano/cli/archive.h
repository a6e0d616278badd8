/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes a tar.gz (POSIX ustar in gzip), member after member, readable by its owner alone. One thread. Life: archive_open, archive_add, archive_close. */
#ifndef SLUICE_MANO_CLI_ARCHIVE_H
#define SLUICE_MANO_CLI_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct archive;

/* Over an older file of that path. NULL with errno. */
struct archive *archive_open(const char *path, time_t now);
/* A regular file; its name has at most 99 bytes. False: it could not be written (archive_close says so again), or the name is too long. */
bool archive_add(struct archive *archive, const char *name, const void *data, size_t length);
/* Ends and frees it. False with errno: something could not be written; the file, if it is a regular one, is removed. */
bool archive_close(struct archive *archive);

#endif
