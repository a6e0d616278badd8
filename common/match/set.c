/* SPDX-License-Identifier: BSD-3-Clause */
/* Sets of prefixes and ports; see set.h. Minimising sorts once and then walks once, the result growing as a stack in the same memory. */
#include "match/set.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 8 };

/* Room for `more` members of `size` bytes; the list, moved perhaps, or NULL. */
static void *room_for(void *list, unsigned count, unsigned more, unsigned *room, size_t size)
{
	unsigned wanted = *room ? *room : FIRST_ROOM;
	void *grown;

	if (list && *room - count >= more)
		return list;
	while (wanted - count < more)
		wanted *= 2;
	grown = realloc(list, wanted * size);
	if (grown)
		*room = wanted;
	return grown;
}

/* --- prefixes --- */

bool prefix_set_add(struct prefix_set *set, const struct ip_prefix *prefix)
{
	return prefix_set_unite(set, &(struct prefix_set){ (struct ip_prefix *)(uintptr_t)prefix, 1, 1 });
}

bool prefix_set_unite(struct prefix_set *set, const struct prefix_set *other)
{
	struct ip_prefix *list =
	        room_for(set->list, set->count, other->count, &set->room, sizeof(*set->list));

	if (!list)
		return false;
	set->list = list;
	if (other->count)
		memcpy(list + set->count, other->list, other->count * sizeof(*list));
	set->count += other->count;
	return true;
}

/* By family, then address; of one address the shorter prefix, which holds the longer, first. */
static int by_address(const void *a, const void *b)
{
	const struct ip_prefix *x = a, *y = b;
	int order;

	if (x->address.family != y->address.family)
		return x->address.family < y->address.family ? -1 : 1;
	order = memcmp(x->address.bytes, y->address.bytes, sizeof(x->address.bytes));
	return order ? order : (int)x->length - (int)y->length;
}

/* Two halves of a prefix, in order: *low becomes that prefix. */
static bool join_halves(struct ip_prefix *low, const struct ip_prefix *high)
{
	struct ip_prefix whole = *low;

	if (low->address.family != high->address.family || low->length != high->length || !low->length)
		return false;
	whole.length--;
	ip_prefix_mask(&whole);
	if (!ip_addr_equal(&whole.address, &low->address) || !ip_prefix_holds(&whole, &high->address))
		return false;
	*low = whole;
	return true;
}

void prefix_set_minimise(struct prefix_set *set)
{
	struct ip_prefix *list = set->list;
	unsigned n = 0;

	if (set->count)
		qsort(list, set->count, sizeof(*list), by_address);
	for (unsigned i = 0; i < set->count; i++) {
		if (n && ip_prefix_holds(&list[n - 1], &list[i].address))
			continue;
		list[n++] = list[i];
		while (n > 1 && join_halves(&list[n - 2], &list[n - 1]))
			n--;
	}
	set->count = n;
}

unsigned prefix_set_family(const struct prefix_set *set, uint8_t family, const struct ip_prefix **first)
{
	unsigned start = 0, end;

	while (start < set->count && set->list[start].address.family != family)
		start++;
	end = start;
	while (end < set->count && set->list[end].address.family == family)
		end++;
	*first = set->list + start;
	return end - start;
}

void prefix_set_free(struct prefix_set *set)
{
	free(set->list);
	*set = (struct prefix_set){ 0 };
}

/* --- ports --- */

bool port_set_add(struct port_set *set, uint16_t first, uint16_t last)
{
	struct port_range *list = room_for(set->list, set->count, 1, &set->room, sizeof(*set->list));

	if (!list)
		return false;
	set->list = list;
	list[set->count++] = (struct port_range){ first, last };
	return true;
}

static int by_first(const void *a, const void *b)
{
	const struct port_range *x = a, *y = b;

	return (int)x->first - (int)y->first;
}

void port_set_minimise(struct port_set *set)
{
	struct port_range *list = set->list;
	unsigned n = 0;

	if (set->count)
		qsort(list, set->count, sizeof(*list), by_first);
	for (unsigned i = 0; i < set->count; i++) {
		if (!n || (unsigned)list[n - 1].last + 1 < list[i].first)
			list[n++] = list[i];
		else if (list[i].last > list[n - 1].last)
			list[n - 1].last = list[i].last;
	}
	set->count = n;
}

void port_set_free(struct port_set *set)
{
	free(set->list);
	*set = (struct port_set){ 0 };
}
