/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the audit share: lines (audit_line.c), the queue and its writer (audit.c), the files
 * (audit_file.c). */
#ifndef SLUICE_MANAGE_AUDIT_PRIVATE_H
#define SLUICE_MANAGE_AUDIT_PRIVATE_H

#include <pthread.h>

#include "manage/audit.h"

/* The files. Lines are appended by the writer's thread alone; `lock` is held to rotate and to open all for
 * reading. */
struct audit_files {
	pthread_mutex_t lock;
	char *folder;
	size_t bytes;
	unsigned count;
	int fd; /* of the newest; -1: it could not be opened */
	size_t size;
	uint64_t last; /* the highest id in them, when they were opened */
};

/* What cannot be opened now is tried again with each line. */
void audit_files_open(struct audit_files *files, const struct audit_options *options);
void audit_files_close(struct audit_files *files);
/* Appends whole lines; 0 or an errno value: then nothing of them is there. */
int audit_files_append(struct audit_files *files, const char *text, size_t length);
void audit_files_sync(struct audit_files *files);
json_t *audit_files_list(struct audit_files *files, uint64_t before, unsigned limit,
                         const struct filter *filter);

/* The line of a request without its id; NULL: it is not one to be noted. */
json_t *audit_line(const struct rest_request *request, const struct rest_reply *reply);

#endif
