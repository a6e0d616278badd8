/* SPDX-License-Identifier: BSD-3-Clause */
/* Routes flattened into ranges; see fib.h. Immutable once made. */
#include "match/fib.h"

#include <stdlib.h>

#include <rte_byteorder.h>

typedef unsigned __int128 address; /* host order; an IPv4 address in the low 32 bits */

/* From `first` up to the next range's first. */
struct range4 {
	uint32_t first, hop;
};
struct range6 {
	address first;
	uint32_t hop;
};

struct fib {
	unsigned count4, count6;
	struct range4 *ranges4; /* the first begins at 0 */
	struct range6 *ranges6;
};

/* A route while the ranges are made. */
struct span {
	address first, last;
	uint32_t hop, order;
	uint8_t length;
};

static address of_bytes(const uint8_t bytes[16])
{
	address a = 0;

	for (unsigned i = 0; i < 16; i++)
		a = a << 8 | bytes[i];
	return a;
}

static struct span span_of(const struct fib_route *route, uint32_t order)
{
	unsigned bits = route->family == FAMILY_V4 ? 32 : 128, host = bits - route->length;
	address base = route->family == FAMILY_V4 ? rte_be_to_cpu_32(route->prefix.v4)
	                                          : of_bytes(route->prefix.bytes);
	address mask = host >= 128 ? ~(address)0 : ((address)1 << host) - 1;
	struct span span = { base & ~mask, base | mask, route->hop, order, route->length };

	return span;
}

/* By begin, wider ones before those inside them; of the same prefix the later one last. */
static int by_begin(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	if (x->length != y->length)
		return x->length < y->length ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

struct sweep {
	struct range6 *out;
	unsigned count;
	const struct span *open[130]; /* nested prefixes that hold here, widest first */
	unsigned depth;
};

static void emit(struct sweep *s, address first, uint32_t hop)
{
	if (s->count && s->out[s->count - 1].first == first)
		s->count--;
	if (s->count && s->out[s->count - 1].hop == hop)
		return;
	s->out[s->count].first = first;
	s->out[s->count++].hop = hop;
}

/* Closes the prefixes that end before `until`: behind each, the one around it holds again. */
static void close_before(struct sweep *s, address until, address top)
{
	while (s->depth && s->open[s->depth - 1]->last < until) {
		address end = s->open[--s->depth]->last;

		if (end != top)
			emit(s, end + 1, s->depth ? s->open[s->depth - 1]->hop : 0);
	}
}

static unsigned flatten(struct span *spans, unsigned count, address top, struct range6 *out)
{
	struct sweep s = { .out = out };

	qsort(spans, count, sizeof(*spans), by_begin);
	emit(&s, 0, 0);
	for (unsigned i = 0; i < count; i++) {
		close_before(&s, spans[i].first, top);
		if (s.depth && s.open[s.depth - 1]->first == spans[i].first &&
		    s.open[s.depth - 1]->last == spans[i].last)
			s.depth--;
		s.open[s.depth++] = &spans[i];
		emit(&s, spans[i].first, spans[i].hop);
	}
	while (s.depth) {
		address end = s.open[--s.depth]->last;

		if (end != top)
			emit(&s, end + 1, s.depth ? s.open[s.depth - 1]->hop : 0);
	}
	return s.count;
}

/* The ranges of one family; NULL: no memory. */
static struct range6 *ranges_of(const struct fib_route *routes, unsigned count, uint8_t family, unsigned *n)
{
	struct span *spans = calloc(count + 1, sizeof(*spans));
	struct range6 *out = aligned_alloc(16, (2 * (size_t)count + 2) * sizeof(*out));
	unsigned used = 0;

	for (unsigned i = 0; spans && out && i < count; i++)
		if (routes[i].family == family)
			spans[used++] = span_of(&routes[i], i);
	if (spans && out)
		*n = flatten(spans, used, family == FAMILY_V4 ? UINT32_MAX : ~(address)0, out);
	free(spans);
	return out;
}

static struct range4 *narrow(const struct range6 *wide, unsigned n)
{
	struct range4 *ranges = calloc(n, sizeof(*ranges));

	for (unsigned i = 0; ranges && i < n; i++)
		ranges[i] = (struct range4){ (uint32_t)wide[i].first, wide[i].hop };
	return ranges;
}

struct fib *fib_new(const struct fib_route *routes, unsigned count, struct errors *errors)
{
	struct fib *fib = calloc(1, sizeof(*fib));
	struct range6 *wide;

	if (fib) {
		wide = ranges_of(routes, count, FAMILY_V4, &fib->count4);
		fib->ranges4 = wide ? narrow(wide, fib->count4) : NULL;
		free(wide);
		fib->ranges6 = ranges_of(routes, count, FAMILY_V6, &fib->count6);
	}
	if (fib && fib->ranges4 && fib->ranges6)
		return fib;
	errors_add(errors, "edge.routes", "no-memory", NULL, 0, "not enough memory for %u routes", count);
	fib_free(fib);
	return NULL;
}

void fib_free(struct fib *fib)
{
	if (!fib)
		return;
	free(fib->ranges4);
	free(fib->ranges6);
	free(fib);
}

static uint32_t find4(const struct fib *fib, uint32_t a)
{
	const struct range4 *base = fib->ranges4;

	for (unsigned n = fib->count4; n > 1;) {
		unsigned half = n / 2;

		base = base[half].first <= a ? base + half : base;
		n -= half;
	}
	return base->hop;
}

void fib_lookup4(const struct fib *fib, const uint32_t *addresses, uint32_t *hops, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		hops[i] = find4(fib, rte_be_to_cpu_32(addresses[i]));
}

static uint32_t find6(const struct fib *fib, address a)
{
	const struct range6 *base = fib->ranges6;

	for (unsigned n = fib->count6; n > 1;) {
		unsigned half = n / 2;

		base = base[half].first <= a ? base + half : base;
		n -= half;
	}
	return base->hop;
}

void fib_lookup6(const struct fib *fib, const uint8_t (*addresses)[16], uint32_t *hops, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		hops[i] = find6(fib, of_bytes(addresses[i]));
}
