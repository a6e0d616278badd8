/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which items of a reordered list have moved. Pure function; any thread.
 */
#ifndef SLUICE_CONFIG_ORDER_H
#define SLUICE_CONFIG_ORDER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * `to` holds the new positions (all different) of items in their old order. Marks as few as possible as moved, so
 * that the others keep their order: all but a longest increasing subsequence. O(n log n).
 */
void order_moved(const size_t *to, size_t count, bool *moved);

#endif
