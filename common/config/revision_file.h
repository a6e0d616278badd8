/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One file of a revision. Holds no data; any thread.
 */
#ifndef SLUICE_CONFIG_REVISION_FILE_H
#define SLUICE_CONFIG_REVISION_FILE_H

#include "config/revisions.h"

/* Writes a revision with the time of now. False with an error, and no file. */
bool revision_file_write(const char *file, const struct revision *revision, const struct conf *conf,
                         struct errors *errors);

/* Reads everything but the configuration, without parsing that; the caller clears it. False with an error. */
bool revision_file_head(const char *file, uint64_t number, struct revision *revision, struct errors *errors);

/* The configuration alone; NULL with an error. */
struct conf *revision_file_config(const char *file, uint64_t number, struct errors *errors);

void revision_clear(struct revision *revision);

#endif
