/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One piece of memory, anonymous or in a file that outlives the process (tmpfs or hugetlbfs), in huge pages
 * where they are to be had and quietly in normal ones where not. Owned by whoever opened it; any one thread.
 */
#ifndef SLUICE_FLOW_REGION_H
#define SLUICE_FLOW_REGION_H

#include <stdbool.h>
#include <stddef.h>

struct errors;

struct region {
	void *base;
	size_t bytes; /* as mapped: rounded up to whole pages of the memory's kind */
	int fd;       /* of the file, locked; -1 */
	bool found;   /* the file was there and had just this size; else everything is 0 */
};

/* Maps at least `bytes`, all reserved beforehand, so that no later access can fail for want of memory. A file
 * of another size is emptied first. False with an error added: path, and what is wrong. */
bool region_open(struct region *region, const char *file, size_t bytes, struct errors *errors);
/* Empties the region: all bytes 0. */
void region_clear(struct region *region);
/* Unmaps; a file stays. */
void region_close(struct region *region);

#endif
