/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Longest increasing subsequence by patience sorting: tails[n] is the item that ends the best run of n + 1 items, each
 * item remembers the one before it. Holds no data; any thread.
 */
#include "config/order.h"

#include <stdlib.h>

#include "util/memory.h"

/* How many runs end in a smaller position: the length of the run that item can be appended to. */
static size_t runs_below(const size_t *to, const size_t *tails, size_t runs, size_t position)
{
	size_t low = 0, high = runs;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (to[tails[middle]] < position)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void order_moved(const size_t *to, size_t count, bool *moved)
{
	size_t *tails = memory_new(count, sizeof(*tails)), *before = memory_new(count, sizeof(*before));
	size_t runs = 0;

	for (size_t i = 0; i < count; i++) {
		size_t run = runs_below(to, tails, runs, to[i]);
		before[i] = run ? tails[run - 1] : i;
		tails[run] = i;
		runs += run == runs;
		moved[i] = true;
	}
	for (size_t left = runs, i = runs ? tails[runs - 1] : 0; left > 0; left--, i = before[i])
		moved[i] = false;
	free(tails);
	free(before);
}
