/* SPDX-License-Identifier: BSD-3-Clause */
/* See pages.h. */
#include "util/pages.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LINE = 64, HUGE_PAGE = 2 << 20 };

void *pages_new(size_t bytes)
{
	size_t unit = bytes < HUGE_PAGE ? LINE : HUGE_PAGE;
	size_t whole = (bytes + unit - 1) / unit * unit;
	void *memory = whole < bytes ? NULL : aligned_alloc(unit, whole ? whole : unit);

	if (!memory)
		return NULL;
	if (unit == HUGE_PAGE)
		madvise(memory, whole, MADV_HUGEPAGE);
	return memset(memory, 0, whole);
}
