/* SPDX-License-Identifier: BSD-3-Clause */
/* The classifier against a linear matcher: 1,000 random rules, 100,000 random packets, IPv4 and IPv6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <rte_byteorder.h>
#include <rte_eal.h>

#include "match/acl.h"

enum { RULES = 1000, PACKETS = 100000, BULK = 64 };

static uint32_t state = 99;

static uint32_t next(void)
{
	state = state * 1664525u + 1013904223u;
	return state >> 4;
}

/* Few values, so that rules and packets meet. */
static void random_bytes(uint8_t *bytes, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		bytes[i] = (uint8_t)(next() % 3 * 85);
}

static void random_range(uint16_t *first, uint16_t *last)
{
	*first = 0;
	*last = 65535;
	if (next() % 2)
		return;
	*first = (uint16_t)(next() % 2000);
	*last = (uint16_t)(*first + next() % 1000);
}

static struct ip_prefix random_prefix(uint8_t family)
{
	struct ip_prefix p = { .address = { .family = family } };
	unsigned bytes = family == FAMILY_V4 ? 4 : 16;

	random_bytes(p.address.bytes, bytes);
	p.length = (uint8_t)(next() % 2 ? 0 : next() % (8 * bytes + 1));
	ip_prefix_mask(&p);
	return p;
}

static struct acl_rule random_rule(void)
{
	struct acl_rule r = { .family = next() % 2 ? FAMILY_V4 : FAMILY_V6, .icmp_last = 65535 };

	r.source = random_prefix(r.family);
	r.destination = random_prefix(r.family);
	r.any_protocol = next() % 3 == 0;
	r.protocol = next() % 2 ? 6 : 17;
	random_range(&r.source_first, &r.source_last);
	random_range(&r.destination_first, &r.destination_last);
	r.from = next() % 2 ? ACL_ANY_ZONE : (uint16_t)(next() % 4);
	r.to = next() % 2 ? ACL_ANY_ZONE : (uint16_t)(next() % 4);
	if (next() % 10 == 0) {
		r.icmp_first = (uint16_t)(next() % 4 << 8);
		r.icmp_last = (uint16_t)(r.icmp_first | 255);
	}
	return r;
}

static struct acl_query random_query(void)
{
	struct acl_query q = { .icmp = (uint16_t)(next() % 1024),
		               .from = (uint16_t)(next() % 4),
		               .to = (uint16_t)(next() % 4) };

	q.tuple.family = next() % 2 ? FAMILY_V4 : FAMILY_V6;
	random_bytes(q.tuple.src.bytes, q.tuple.family == FAMILY_V4 ? 4 : 16);
	random_bytes(q.tuple.dst.bytes, q.tuple.family == FAMILY_V4 ? 4 : 16);
	q.tuple.proto = next() % 2 ? 6 : 17;
	q.tuple.sport = rte_cpu_to_be_16((uint16_t)(next() % 3000));
	q.tuple.dport = rte_cpu_to_be_16((uint16_t)(next() % 3000));
	return q;
}

static bool inside(const struct ip_prefix *p, const union ipaddr *a, uint8_t family)
{
	struct ip_addr address = { .family = family };

	memcpy(address.bytes, a->bytes, 16);
	return ip_prefix_holds(p, &address);
}

static bool takes(const struct acl_rule *r, const struct acl_query *q)
{
	uint16_t sport = rte_be_to_cpu_16(q->tuple.sport), dport = rte_be_to_cpu_16(q->tuple.dport);

	return r->family == q->tuple.family && (r->any_protocol || r->protocol == q->tuple.proto) &&
	       inside(&r->source, &q->tuple.src, r->family) &&
	       inside(&r->destination, &q->tuple.dst, r->family) && sport >= r->source_first &&
	       sport <= r->source_last && dport >= r->destination_first && dport <= r->destination_last &&
	       q->icmp >= r->icmp_first && q->icmp <= r->icmp_last &&
	       (r->from == ACL_ANY_ZONE || r->from == q->from) && (r->to == ACL_ANY_ZONE || r->to == q->to);
}

static uint32_t linear(const struct acl_rule *rules, const struct acl_query *q)
{
	for (unsigned i = 0; i < RULES; i++)
		if (takes(&rules[i], q))
			return i + 1;
	return 0;
}

static void test_random(void **unused)
{
	static struct acl_rule rules[RULES];
	struct acl_builder *builder = acl_builder_new();
	unsigned hits = 0;
	struct acl *acl;

	(void)unused;
	for (unsigned i = 0; i < RULES; i++) {
		rules[i] = random_rule();
		/* rules that take everything would hide those behind them */
		if (i < RULES - 1 && rules[i].source.length < 4 && rules[i].destination.length < 4)
			rules[i].source_last = rules[i].source_first;
		assert_true(acl_builder_add(builder, &rules[i], i));
	}
	assert_int_equal(acl_build(builder, NULL, &acl), 0);
	for (unsigned done = 0; done < PACKETS; done += BULK) {
		struct acl_query queries[BULK];
		const struct acl_query *asked[BULK];
		uint32_t results[BULK];

		for (unsigned i = 0; i < BULK; i++) {
			queries[i] = random_query();
			asked[i] = &queries[i];
		}
		acl_classify(acl, asked, results, BULK);
		for (unsigned i = 0; i < BULK; i++) {
			assert_int_equal(results[i], linear(rules, &queries[i]));
			hits += results[i] != 0;
		}
	}
	assert_in_range(hits, PACKETS / 10, PACKETS);
	acl_free(acl);
}

static void test_empty(void **unused)
{
	struct acl *acl;
	struct acl_query query = random_query();
	const struct acl_query *asked = &query;
	uint32_t result = 7;

	(void)unused;
	assert_int_equal(acl_build(acl_builder_new(), NULL, &acl), 0);
	acl_classify(acl, &asked, &result, 1);
	assert_int_equal(result, 0);
	acl_free(acl);
}

static struct acl_rule shelved[RULES];

static struct acl *build_shelved(struct acl_shelf *shelf, unsigned count)
{
	struct acl_builder *builder = acl_builder_new();
	struct acl *acl;

	for (unsigned i = 0; i < count; i++)
		assert_true(acl_builder_add(builder, &shelved[i], i));
	assert_int_equal(acl_build(builder, shelf, &acl), 0);
	return acl;
}

/* The same rules are compiled once, others anew; whoever has one keeps it, in whatever order things are freed. */
static void test_shelf(void **unused)
{
	struct acl_shelf *shelf = acl_shelf_new();
	struct acl *first, *second, *other, *own;
	struct acl_query query = random_query();
	const struct acl_query *asked = &query;
	uint32_t result;

	(void)unused;
	for (unsigned i = 0; i < RULES; i++)
		shelved[i] = random_rule();
	first = build_shelved(shelf, RULES);
	acl_free(first); /* the shelf still has it */
	second = build_shelved(shelf, RULES);
	assert_ptr_equal(first, second);
	other = build_shelved(shelf, RULES - 1);
	assert_ptr_not_equal(other, second);
	own = build_shelved(NULL, RULES);
	assert_ptr_not_equal(own, second);
	acl_free(own);
	shelved[0].any_protocol = !shelved[0].any_protocol;
	own = build_shelved(shelf, RULES);
	assert_ptr_not_equal(own, second);
	acl_free(own);
	own = build_shelved(shelf, 0);
	acl_free(own);
	acl_shelf_free(shelf);
	acl_classify(other, &asked, &result, 1);
	acl_classify(second, &asked, &result, 1);
	acl_free(other);
	acl_free(second);
	acl_shelf_free(NULL);
}

int main(void)
{
	char *eal[] = { (char *)"test",
		        (char *)"--no-huge",
		        (char *)"-m",
		        (char *)"256",
		        (char *)"--no-pci",
		        (char *)"--no-shconf",
		        (char *)"--no-telemetry",
		        (char *)"--lcores",
		        (char *)"0",
		        (char *)"--force-max-simd-bitwidth=512",
		        NULL };
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random), cmocka_unit_test(test_empty),
		                            cmocka_unit_test(test_shelf) };

	if (rte_eal_init(10, eal) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
