/* SPDX-License-Identifier: BSD-3-Clause */
/* The FIB against a linear search over the same random routes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <rte_byteorder.h>

#include "match/fib.h"

enum { ROUTES = 500, LOOKUPS = 20000 };

static uint32_t state = 12345;

static uint32_t next(void)
{
	state = state * 1664525u + 1013904223u;
	return state >> 3;
}

static bool covers(const struct fib_route *r, const uint8_t *bytes)
{
	const uint8_t *p = r->prefix.bytes;

	for (unsigned bit = 0; bit < r->length; bit++)
		if ((p[bit / 8] ^ bytes[bit / 8]) & (0x80 >> bit % 8))
			return false;
	return true;
}

static uint32_t linear(const struct fib_route *routes, unsigned n, uint8_t family, const uint8_t *bytes)
{
	uint32_t hop = 0;
	int best = -1;

	for (unsigned i = 0; i < n; i++) {
		if (routes[i].family == family && routes[i].length >= best && covers(&routes[i], bytes)) {
			best = routes[i].length;
			hop = routes[i].hop;
		}
	}
	return hop;
}

/* Addresses share their upper bytes, so that prefixes nest. */
static void random_bytes(uint8_t *bytes, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		bytes[i] = (uint8_t)(next() % 5 ? next() % 3 : next());
}

static void random_routes(struct fib_route *routes, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned bits;

		memset(&routes[i], 0, sizeof(routes[i]));
		routes[i].family = i % 2 ? FAMILY_V4 : FAMILY_V6;
		bits = i % 2 ? 32 : 128;
		random_bytes(routes[i].prefix.bytes, bits / 8);
		routes[i].length = (uint8_t)(next() % (bits + 1));
		for (unsigned bit = routes[i].length; bit < bits; bit++)
			routes[i].prefix.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
		routes[i].hop = i + 1;
	}
}

static void test_random(void **unused)
{
	struct errors errors = ERRORS_NONE;
	struct fib_route routes[ROUTES];
	struct fib *fib;

	(void)unused;
	random_routes(routes, ROUTES);
	fib = fib_new(routes, ROUTES, &errors);
	assert_non_null(fib);
	for (unsigned i = 0; i < LOOKUPS; i++) {
		union ipaddr a = { .words = { 0 } };
		uint32_t hop;

		random_bytes(a.bytes, 16);
		fib_lookup6(fib, (const uint8_t(*)[16])a.bytes, &hop, 1);
		assert_int_equal(hop, linear(routes, ROUTES, FAMILY_V6, a.bytes));
		fib_lookup4(fib, &a.v4, &hop, 1);
		assert_int_equal(hop, linear(routes, ROUTES, FAMILY_V4, a.bytes));
	}
	fib_free(fib);
}

static void test_empty_and_ends(void **unused)
{
	struct errors errors = ERRORS_NONE;
	struct fib_route routes[] = {
		{ .family = FAMILY_V4, .length = 0, .hop = 7 },
		{ .prefix = { .v4 = 0xffffffff }, .family = FAMILY_V4, .length = 32, .hop = 9 }
	};
	const uint32_t addresses[] = { 0, 0xffffffff, RTE_BE32(0xfffffffe) };
	uint32_t hops[3];
	struct fib *fib = fib_new(NULL, 0, &errors);

	(void)unused;
	fib_lookup4(fib, addresses, hops, 3);
	assert_int_equal(hops[0] | hops[1] | hops[2], 0);
	fib_free(fib);
	fib = fib_new(routes, 2, &errors);
	fib_lookup4(fib, addresses, hops, 3);
	assert_int_equal(hops[0], 7);
	assert_int_equal(hops[1], 9);
	assert_int_equal(hops[2], 7);
	fib_free(fib);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random),
		                            cmocka_unit_test(test_empty_and_ends) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
