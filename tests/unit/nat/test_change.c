/* SPDX-License-Identifier: BSD-3-Clause */
/* The NAT's sessions meet another configuration, and another process. */
#include "helper_nat.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOST   "192.0.2.10"
#define OTHER  "192.0.2.11"
#define FAR    "203.0.113.5"
#define FAR2   "203.0.113.6"
#define PUBLIC "198.51.100.10"
#define POOL   "'pools':[{'name':'p','addresses':['198.51.100.10']}]"

static struct session *out(struct bench *b, uint8_t proto, const char *src, uint16_t sport, const char *dst,
                           uint16_t dport)
{
	return bench_open(b, OUTWARD, &(struct flow){ proto, src, sport, dst, dport });
}

static struct session *in(struct bench *b, uint8_t proto, const char *src, uint16_t sport, const char *dst,
                          uint16_t dport)
{
	return bench_open(b, INWARD, &(struct flow){ proto, src, sport, dst, dport });
}

static uint16_t outside_port(const struct bench *b, const struct session *s)
{
	assert_non_null(s);
	return ntohs(bench_slot(b, s)->out.port);
}

/* --- configurations --- */

static void refusals(void **state)
{
	struct bench b;

	(void)state;
	bench_start(&b, NULL, "{" POOL "}");
	bench_refused(&b, "{'pools':[{'name':'p','addresses':['198.51.100.10-198.51.100.9']}]}", "bad-range");
	bench_refused(&b, "{'pools':[{'name':'p','addresses':['0.0.0.0-255.255.255.255']}]}",
	              "too-many-addresses");
	bench_refused(&b, "{'pools':[{'name':'p','addresses':['nowhere']}]}", "not-addresses");
	bench_refused(&b,
	              "{'pools':[{'name':'p','addresses':['198.51.100.1-198.51.100.9']},"
	              "{'name':'q','addresses':['198.51.100.4']}]}",
	              "overlap");
	bench_refused(&b,
	              "{'pools':[{'name':'p','addresses':['198.51.100.4']},"
	              "{'name':'q','addresses':['198.51.100.1-198.51.100.9']}]}",
	              "overlap");
	bench_refused(&b,
	              "{'pools':[{'name':'p','addresses':['198.51.100.1'],'ports':'1024-2000'}],"
	              "'static':[{'name':'s','inside':'192.0.2.1','outside':'198.51.100.1'}]}",
	              "in-pool");
	bench_refused(&b, "{'pools':[{'name':'p','addresses':['198.51.100.1-198.51.100.9','198.51.100.9']}]}",
	              "overlap");
	bench_refused(&b, "{'pools':[{'name':'p','addresses':['255.255.255.255']}]}", "not-unicast");
	bench_refused(&b, "{'pools':[{'name':'p','addresses':['224.0.0.0/28']}]}", "not-unicast");
	bench_refused(&b, "{'static':[{'name':'s','inside':'192.0.2.1','outside':'127.0.0.1'}]}",
	              "not-unicast");
	bench_refused(&b, "{'static':[{'name':'s','inside':'0.0.0.0','outside':'198.51.100.1'}]}",
	              "not-unicast");
	bench_refused(&b, "{" POOL ",'forwards':[{'name':'f','ports':'80','inside':'239.1.1.1'}]}",
	              "not-unicast");
	bench_refused(&b, "{" POOL ",'rules':[{'name':'r','pool':'q'}]}", "unknown-pool");
	bench_refused(&b, "{" POOL ",'rules':[{'name':'r','source':'2001:db8::/32','pool':'p'}]}",
	              "not-ipv4");
	bench_refused(&b,
	              "{" POOL ",'forwards':[{'name':'f','ports':'80-90','inside':'192.0.2.1'},"
	              "{'name':'g','ports':'90','inside':'192.0.2.2'}]}",
	              "overlap");
	bench_refused(&b, "{'forwards':[{'name':'f','ports':'80','inside':'192.0.2.1'}]}", "no-outside");
	bench_refused(&b,
	              "{" POOL
	              ",'forwards':[{'name':'f','ports':'80-90','inside':'192.0.2.1','insidePort':65530}]}",
	              "ports-overflow");
	bench_refused(&b, "{" POOL ",'mappings':2048}", "needs-restart");
	/* The same address with other ports is another thing. */
	bench_reload(&b, "{'pools':[{'name':'p','addresses':['198.51.100.4'],'ports':'1024-2000'},"
	                 "{'name':'q','addresses':['198.51.100.4'],'ports':'2001-3000'}]}");
	bench_stop(&b);
}

static void numbered(char *config, size_t size, unsigned i)
{
	snprintf(config, size, "{'pools':[{'name':'p','addresses':['198.51.100.%u']}]}", i);
}

/* Dry runs and old configurations leave no pool behind, however many there are; a pool with sessions stays for them. */
static void pools_come_and_go(void **state)
{
	struct session *held[SOURCE_POOLS_MAX];
	char config[100];
	struct bench b;

	(void)state;
	numbered(config, sizeof(config), 0);
	bench_start(&b, NULL, config);
	for (unsigned i = 1; i < 60; i++) {
		numbered(config, sizeof(config), i);
		bench_dry(&b, config);
		bench_reload(&b, config);
	}
	for (unsigned i = 0; i < SOURCE_POOLS_MAX; i++) {
		numbered(config, sizeof(config), 100 + i);
		bench_reload(&b, config);
		held[i] = out(&b, IPPROTO_TCP, HOST, 5000, FAR, (uint16_t)(80 + i));
		assert_non_null(held[i]);
	}
	bench_refused(&b, "{'pools':[{'name':'p','addresses':['198.51.100.200']}]}", "too-many-pools");
	bench_close(&b, held[3]);
	numbered(config, sizeof(config), 200);
	bench_reload(&b, config);
	expect_outside(&b, out(&b, IPPROTO_TCP, HOST, 6000, FAR, 80), "198.51.100.200", 0);
	for (unsigned i = 0; i < SOURCE_POOLS_MAX; i++) {
		if (i == 3)
			continue;
		assert_int_equal(bench_review(&b, held[i]), VERDICT_DROP);
		bench_close(&b, held[i]);
	}
	assert_int_equal(bench_mappings(&b), 1);
	bench_stop(&b);
}

/* A forwarding takes a port that a mapping has: nobody gets it again, its sessions are closed, the others live. */
static void a_forward_comes_and_goes(void **state)
{
	struct session *s, *other;
	char with[200];
	struct bench b;
	uint16_t port;

	(void)state;
	bench_start(&b, NULL, "{" POOL "}");
	s = out(&b, IPPROTO_TCP, HOST, 5000, FAR, 80);
	other = out(&b, IPPROTO_TCP, HOST, 5001, FAR, 80);
	port = outside_port(&b, s);
	snprintf(with, sizeof(with),
	         "{" POOL ",'forwards':[{'name':'f','ports':'%u','inside':'192.0.2.11'}]}", port);
	bench_reload(&b, with);
	expect_inside(&b, in(&b, IPPROTO_TCP, FAR2, 9, PUBLIC, port), OTHER, port);
	assert_int_equal(bench_review(&b, s), VERDICT_DROP);
	assert_int_equal(bench_review(&b, other), VERDICT_PASS);
	bench_close(&b, s);
	s = out(&b, IPPROTO_TCP, HOST, port, FAR, 81);
	assert_int_not_equal(outside_port(&b, s), port);
	bench_close(&b, s);
	bench_reload(&b, "{" POOL "}");
	s = out(&b, IPPROTO_UDP, HOST, 7, FAR, 53);
	assert_int_equal(s->bucket, other->bucket);
	bench_close(&b, s);
	bench_close(&b, other);
	assert_int_equal(bench_ports_used(&b), 0);
	bench_stop(&b);
}

/* Forwardings and 1:1 that lead elsewhere, or nowhere, close what they had opened. */
static void fixed_translations_change(void **state)
{
	static const char first[] =
	        "{" POOL ",'forwards':[{'name':'f','ports':'80','inside':'192.0.2.11'}],"
	        "'static':[{'name':'s','inside':'192.0.2.12','outside':'198.51.100.20'}]}";
	struct session *forwarded, *inward, *outward;
	struct bench b;

	(void)state;
	bench_start(&b, NULL, first);
	forwarded = in(&b, IPPROTO_TCP, FAR, 1, PUBLIC, 80);
	inward = in(&b, IPPROTO_TCP, FAR, 1, "198.51.100.20", 80);
	outward = out(&b, IPPROTO_TCP, "192.0.2.12", 1, FAR, 80);
	bench_reload(&b, first);
	assert_int_equal(bench_review(&b, forwarded), VERDICT_PASS);
	assert_int_equal(bench_review(&b, inward), VERDICT_PASS);
	assert_int_equal(bench_review(&b, outward), VERDICT_PASS);
	bench_reload(&b, "{" POOL ",'forwards':[{'name':'f','ports':'80','inside':'192.0.2.13'}],"
	                 "'static':[{'name':'s','inside':'192.0.2.12','outside':'198.51.100.21'}]}");
	assert_int_equal(bench_review(&b, forwarded), VERDICT_DROP);
	assert_int_equal(bench_review(&b, inward), VERDICT_DROP);
	assert_int_equal(bench_review(&b, outward), VERDICT_DROP);
	bench_stop(&b);
}

static void rules_and_filters_change(void **state)
{
	struct session *o, *i;
	struct bench b;

	(void)state;
	bench_start(&b, NULL, "{" POOL ",'filtering':'endpoint-independent'}");
	o = out(&b, IPPROTO_UDP, HOST, 5000, FAR, 53);
	i = in(&b, IPPROTO_UDP, FAR2, 9, PUBLIC, outside_port(&b, o));
	bench_reload(&b,
	             "{" POOL ",'filtering':'endpoint-independent','mapping':'address-and-port-dependent'}");
	assert_int_equal(bench_review(&b, o), VERDICT_PASS);
	assert_int_equal(bench_review(&b, i), VERDICT_PASS);
	bench_reload(&b, "{" POOL ",'filtering':'address-and-port-dependent'}");
	assert_int_equal(bench_review(&b, o), VERDICT_PASS);
	assert_int_equal(bench_review(&b, i), VERDICT_DROP);
	bench_reload(&b, "{" POOL ",'rules':[{'name':'r','source':'192.0.2.11','pool':'p'}]}");
	assert_int_equal(bench_review(&b, o), VERDICT_DROP);
	bench_reload(&b,
	             "{" POOL ",'static':[{'name':'s','inside':'192.0.2.10','outside':'198.51.100.20'}]}");
	assert_int_equal(bench_review(&b, o), VERDICT_DROP);
	bench_stop(&b);
}

/* --- a successor --- */

static const char *file(void **state)
{
	return *state;
}

static int make_file(void **state)
{
	char name[] = "/tmp/sluice-nat-XXXXXX";
	int fd = mkstemp(name);

	close(fd);
	*state = strdup(name);
	return fd < 0;
}

static int remove_file(void **state)
{
	unlink(*state);
	free(*state);
	return 0;
}

/* Sessions of each kind go on in a process that numbers its pools otherwise; new flows meet the old mappings; all is given back. */
static void taken_over(void **state)
{
	static const char before[] =
	        "{'pools':[{'name':'o','addresses':['198.51.100.9']},{'name':'p','addresses':['198.51.100.10'"
	        "]}],"
	        "'rules':[{'name':'r','pool':'p'}],"
	        "'forwards':[{'name':'f','ports':'80','inside':'192.0.2.11','outside':'198.51.100.10'}],"
	        "'static':[{'name':'s','inside':'192.0.2.12','outside':'198.51.100.20'}]}";
	static const char after[] =
	        "{" POOL ",'forwards':[{'name':'f','ports':'80','inside':'192.0.2.11'}],"
	        "'static':[{'name':'s','inside':'192.0.2.12','outside':'198.51.100.20'}]}";
	struct session *s, *t;
	struct bench b;
	uint16_t port, query;

	bench_start(&b, file(state), before);
	s = out(&b, IPPROTO_UDP, HOST, 5000, FAR, 53);
	port = outside_port(&b, s);
	assert_non_null(in(&b, IPPROTO_UDP, FAR, 99, PUBLIC, port));
	query = outside_port(&b, out(&b, IPPROTO_ICMP, HOST, 77, FAR, 0));
	assert_non_null(in(&b, IPPROTO_TCP, FAR, 1, PUBLIC, 80));
	assert_non_null(out(&b, IPPROTO_TCP, "192.0.2.12", 1, FAR, 80));
	assert_int_equal(bench_ports_used(&b), 2);
	bench_stop(&b);

	bench_start(&b, file(state), after);
	assert_int_equal(bench_adopt(&b), 5);
	assert_int_equal(bench_mappings(&b), 2);
	assert_int_equal(bench_ports_used(&b), 2);
	s = out(&b, IPPROTO_UDP, HOST, 5000, FAR2, 54);
	expect_outside(&b, s, PUBLIC, port);
	t = out(&b, IPPROTO_ICMP, HOST, 77, FAR2, 0);
	expect_outside(&b, t, PUBLIC, query);
	/* The filter knows whom the predecessor's sessions have sent to. */
	assert_non_null(in(&b, IPPROTO_UDP, FAR, 98, PUBLIC, port));
	assert_null(in(&b, IPPROTO_UDP, "203.0.113.99", 98, PUBLIC, port));
	bench_stop(&b);
}

static void close_visitor(void *context, struct session *s)
{
	bench_close(context, s);
}

static void close_all(struct bench *b)
{
	uint64_t cursor = 0;

	do
		flow_walk(b->table, &cursor, 1000, close_visitor, b);
	while (cursor);
}

/* Many, of both kinds of mapping, until the bucket's own blocks and some of the reserve are in use; then everything is given back. */
static void many_taken_over(const char *path, const char *config, unsigned ports)
{
	struct bench b;
	unsigned opened = 0;

	bench_start(&b, path, config);
	for (uint16_t port = 1; port <= 300; port++) {
		struct session *s = out(&b, IPPROTO_TCP, HOST, port, FAR, 80);

		assert_non_null(s);
		nat_tick(&b.nf, b.config, 0, 0);
		opened += 1 + (out(&b, IPPROTO_TCP, HOST, port, FAR2, 80) != NULL);
		nat_tick(&b.nf, b.config, 0, 0);
	}
	assert_int_equal(opened, 600);
	assert_int_equal(bench_ports_used(&b), ports);
	bench_stop(&b);
	bench_start(&b, path, config);
	assert_int_equal(bench_adopt(&b), 600);
	assert_int_equal(bench_ports_used(&b), ports);
	nat_tick(&b.nf, b.config, 0,
	         0); /* no blocks of the reserve are granted while sessions come in, and a little longer */
	for (uint16_t port = 301; port <= 500; port++) {
		nat_tick(&b.nf, b.config, 0, UINT64_C(1000000000) * port);
		assert_non_null(out(&b, IPPROTO_TCP, HOST, port, FAR, 80));
	}
	close_all(&b);
	assert_int_equal(bench_ports_used(&b) + bench_mappings(&b), 0);
	bench_stop(&b);
}

static void many(void **state)
{
	many_taken_over(file(state), "{" POOL "}", 300);
	unlink(file(state));
	many_taken_over(file(state), "{" POOL ",'mapping':'address-and-port-dependent'}", 600);
}

/* What the successor's configuration would not translate so is dropped, and nothing of it is held. */
static void not_taken_over(void **state)
{
	struct session *s;
	char forward[200];
	struct bench b;

	bench_start(&b, file(state),
	            "{" POOL ",'static':[{'name':'s','inside':'192.0.2.12','outside':'198.51.100.20'}]}");
	s = out(&b, IPPROTO_TCP, HOST, 5000, FAR, 80);
	snprintf(forward, sizeof(forward),
	         "{" POOL ",'forwards':[{'name':'f','ports':'%u','inside':'192.0.2.11'}]}",
	         outside_port(&b, s));
	assert_non_null(out(&b, IPPROTO_TCP, HOST, 5001, FAR, 80));
	assert_non_null(out(&b, IPPROTO_TCP, "192.0.2.12", 1, FAR, 80));
	bench_stop(&b);
	bench_start(&b, file(state), forward);
	assert_int_equal(bench_adopt(&b), 1);
	assert_int_equal(bench_ports_used(&b), 1);
	bench_stop(&b);
	bench_start(&b, file(state), "{'pools':[{'name':'p','addresses':['198.51.100.77']}]}");
	assert_int_equal(bench_adopt(&b), 0);
	assert_int_equal(bench_ports_used(&b) + bench_mappings(&b), 0);
	bench_stop(&b);
}

/* Slots that are not what this class would have written, and two sessions that hold the same outside end. */
static void nonsense_and_clashes(void **state)
{
	struct session *s[4];
	struct nat_slot *slot;
	struct bench b;

	bench_start(&b, file(state), "{" POOL "}");
	for (unsigned i = 0; i < 4; i++)
		s[i] = out(&b, IPPROTO_TCP, HOST, (uint16_t)(5000 + i), FAR, 80);
	((struct nat_slot *)(uintptr_t)bench_slot(&b, s[0]))->out.l4_delta ^= 1;
	((struct nat_slot *)(uintptr_t)bench_slot(&b, s[1]))->space = PORTS_ICMP;
	slot = (struct nat_slot *)(uintptr_t)bench_slot(&b, s[3]);
	edit4_prepare(&slot->out, slot->in.address, slot->in.port, ip(PUBLIC),
	              bench_slot(&b, s[2])->out.port);
	edit4_prepare(&slot->in, ip(PUBLIC), slot->out.port, slot->in.address, slot->in.port);
	bench_stop(&b);
	bench_start(&b, file(state), "{" POOL "}");
	assert_int_equal(bench_adopt(&b), 1);
	assert_int_equal(bench_ports_used(&b), 1);
	close_all(&b);
	assert_int_equal(bench_ports_used(&b) + bench_mappings(&b), 0);
	bench_stop(&b);
}

static void spoil(struct bench *b, struct session *s, uint32_t random)
{
	struct nat_slot *slot = (struct nat_slot *)(uintptr_t)bench_slot(b, s);

	slot->flags = (uint8_t)(random >> 8 | SLOT_ACTIVE);
	slot->pool = (uint8_t)(random >> 16);
	slot->remote = random & 1 ? random : slot->remote;
	s->bucket ^= random & 6 ? 0 : 1;
	if (random & 24)
		return;
	slot->out.port = (uint16_t)(random >> 5);
	edit4_prepare(&slot->out, slot->in.address, slot->in.port, slot->out.address, slot->out.port);
	edit4_prepare(&slot->in, slot->out.address, slot->out.port, slot->in.address, slot->in.port);
}

/* Whatever bytes are found, nothing is read or freed that is not there, and what is taken is given back. */
static void random_slots(void **state)
{
	uint32_t random = 1;
	unsigned taken = 0;

	for (unsigned round = 0; round < 20; round++) {
		struct bench b;

		bench_start(&b, file(state),
		            "{" POOL
		            ",'static':[{'name':'s','inside':'192.0.2.12','outside':'198.51.100.20'}]}");
		for (unsigned i = 0; i < 100; i++) {
			struct session *s = out(&b, IPPROTO_UDP, i % 5 ? HOST : "192.0.2.12",
			                        (uint16_t)(5000 + i), FAR, 80);

			random = random * 1664525u + 1013904223u;
			assert_non_null(s);
			spoil(&b, s, random >> 3);
		}
		bench_stop(&b);
		bench_start(&b, file(state),
		            "{" POOL
		            ",'static':[{'name':'s','inside':'192.0.2.12','outside':'198.51.100.20'}]}");
		taken += bench_adopt(&b);
		close_all(&b);
		assert_int_equal(bench_ports_used(&b) + bench_mappings(&b), 0);
		bench_stop(&b);
		unlink(file(state));
	}
	assert_in_range(taken, 200, 1800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals),
		cmocka_unit_test(pools_come_and_go),
		cmocka_unit_test(a_forward_comes_and_goes),
		cmocka_unit_test(fixed_translations_change),
		cmocka_unit_test(rules_and_filters_change),
		cmocka_unit_test_setup_teardown(taken_over, make_file, remove_file),
		cmocka_unit_test_setup_teardown(many, make_file, remove_file),
		cmocka_unit_test_setup_teardown(not_taken_over, make_file, remove_file),
		cmocka_unit_test_setup_teardown(nonsense_and_clashes, make_file, remove_file),
		cmocka_unit_test_setup_teardown(random_slots, make_file, remove_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
