/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory of tables that are read here and there: zeroed, aligned to cache lines, and where it is large in huge pages if the kernel has them to give
 * (transparent ones: none of those that are set aside). The caller's, who gives it back with free().
 */
#ifndef SLUICE_UTIL_PAGES_H
#define SLUICE_UTIL_PAGES_H

#include <stddef.h>

/* NULL: there is not so much. */
void *pages_new(size_t bytes);

#endif
