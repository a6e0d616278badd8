/* SPDX-License-Identifier: BSD-3-Clause */
/* Sets of prefixes and ports against lists that are searched one by one: the same members, and none that could be spared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "match/set.h"

enum { ROUNDS = 300, MEMBERS_MAX = 60, PROBES = 400 };

static uint32_t state = 7;

static uint32_t next(void)
{
	state = state * 1664525u + 1013904223u;
	return state >> 8;
}

/* Only the last byte (and, seldom, the first) varies, so that members meet. */
static struct ip_addr random_address(uint8_t family)
{
	struct ip_addr a = { .family = family };

	a.bytes[0] = (uint8_t)(next() % 8 ? 10 : 11);
	a.bytes[family == 4 ? 3 : 15] = (uint8_t)next();
	return a;
}

static struct ip_prefix random_prefix(void)
{
	uint8_t family = next() % 2 ? 4 : 6;
	struct ip_prefix p = { .address = random_address(family) };
	unsigned bits = ip_addr_bits(&p.address);

	p.length = (uint8_t)(next() % 100 ? bits - next() % 7 : next() % (bits + 1));
	ip_prefix_mask(&p);
	return p;
}

static bool in_list(const struct ip_prefix *list, unsigned n, const struct ip_addr *a)
{
	for (unsigned i = 0; i < n; i++)
		if (ip_prefix_holds(&list[i], a))
			return true;
	return false;
}

/* Sorted and disjoint, and no two neighbours are the halves of one. */
static void check_minimal(const struct prefix_set *set)
{
	for (unsigned i = 1; i < set->count; i++) {
		const struct ip_prefix *a = &set->list[i - 1], *b = &set->list[i];
		struct ip_prefix up_a = *a, up_b = *b;

		assert_true(a->address.family <= b->address.family);
		if (a->address.family != b->address.family)
			continue;
		assert_true(memcmp(a->address.bytes, b->address.bytes, 16) < 0);
		assert_false(ip_prefix_holds(a, &b->address));
		if (a->length != b->length)
			continue;
		up_a.length--;
		up_b.length--;
		ip_prefix_mask(&up_a);
		ip_prefix_mask(&up_b);
		assert_false(ip_addr_equal(&up_a.address, &up_b.address));
	}
}

static void check_round(unsigned members)
{
	struct ip_prefix given[MEMBERS_MAX];
	struct prefix_set set = { 0 }, rest = { 0 };
	const struct ip_prefix *first;

	for (unsigned i = 0; i < members; i++) {
		given[i] = random_prefix();
		assert_true(prefix_set_add(i % 2 ? &set : &rest, &given[i]));
	}
	prefix_set_minimise(&rest);
	assert_true(prefix_set_unite(&set, &rest));
	prefix_set_minimise(&set);
	assert_true(set.count <= members);
	check_minimal(&set);
	assert_int_equal(prefix_set_family(&set, 4, &first) + prefix_set_family(&set, 6, &first), set.count);
	for (unsigned i = 0; i < PROBES; i++) {
		struct ip_addr a = random_address(next() % 2 ? 4 : 6);

		assert_int_equal(in_list(set.list, set.count, &a), in_list(given, members, &a));
	}
	prefix_set_free(&set);
	prefix_set_free(&rest);
}

static void test_prefixes(void **unused)
{
	(void)unused;
	for (unsigned round = 0; round < ROUNDS; round++)
		check_round(round % (MEMBERS_MAX + 1));
}

/* What halves make goes all the way up: 256 hosts are a /24, both halves of everything are everything. */
static void test_up(void **unused)
{
	struct prefix_set set = { 0 };
	struct ip_prefix host = { .address = { .family = 4, .bytes = { 192, 0, 2, 0 } }, .length = 32 };
	struct ip_prefix half = { .address = { .family = 6 }, .length = 1 };
	const struct ip_prefix *first;

	(void)unused;
	for (unsigned i = 0; i < 256; i++) {
		host.address.bytes[3] = (uint8_t)(i * 77);
		assert_true(prefix_set_add(&set, &host));
	}
	assert_true(prefix_set_add(&set, &half));
	half.address.bytes[0] = 0x80;
	assert_true(prefix_set_add(&set, &half));
	prefix_set_minimise(&set);
	assert_int_equal(set.count, 2);
	assert_int_equal(prefix_set_family(&set, 4, &first), 1);
	assert_int_equal(first->length, 24);
	assert_int_equal(first->address.bytes[3], 0);
	assert_int_equal(prefix_set_family(&set, 6, &first), 1);
	assert_int_equal(first->length, 0);
	prefix_set_free(&set);
}

static void test_ports(void **unused)
{
	(void)unused;
	for (unsigned round = 0; round < ROUNDS; round++) {
		static bool holds[65536], told[65536];
		struct port_set set = { 0 };

		memset(holds, 0, sizeof(holds));
		memset(told, 0, sizeof(told));
		for (unsigned i = 0; i < round % 40; i++) {
			unsigned low = next() % 8 ? 65000 + next() % 536 : next() % 65536;
			unsigned high = low + next() % 20;

			high = high > 65535 ? 65535 : high;
			assert_true(port_set_add(&set, (uint16_t)low, (uint16_t)high));
			memset(holds + low, true, high - low + 1);
		}
		port_set_minimise(&set);
		for (unsigned i = 0; i < set.count; i++) {
			assert_true(set.list[i].first <= set.list[i].last);
			if (i)
				assert_true((unsigned)set.list[i - 1].last + 1 < set.list[i].first);
			memset(told + set.list[i].first, true, set.list[i].last - set.list[i].first + 1u);
		}
		assert_memory_equal(holds, told, sizeof(holds));
		port_set_free(&set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_prefixes), cmocka_unit_test(test_up),
		                            cmocka_unit_test(test_ports) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
