/* SPDX-License-Identifier: BSD-3-Clause */
/* What the NAT gives to first packets: mapping and filtering of RFC 4787 and 5382, pools, forwardings, 1:1, hairpins. */
#include "helper_nat.h"

#include <arpa/inet.h>
#include <stdio.h>

#include <rte_hash_crc.h>

#define HOST   "192.0.2.10"
#define OTHER  "192.0.2.11"
#define FAR    "203.0.113.5"
#define FAR2   "203.0.113.6"
#define PUBLIC "198.51.100.10"
#define POOL   "'pools':[{'name':'p','addresses':['198.51.100.10']}]"

static uint16_t outside_port(const struct bench *b, const struct session *s)
{
	assert_non_null(s);
	return ntohs(bench_slot(b, s)->out.port);
}

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

/* RFC 4787 REQ-1: one outside port for one inside port, whoever is talked to; each protocol for itself; it ends with the last session. */
static void endpoint_independent(void **state)
{
	struct session *first, *second, *tcp;
	struct bench b;

	(void)state;
	bench_start(&b, NULL, "{" POOL "}");
	first = out(&b, IPPROTO_UDP, HOST, 5000, FAR, 53);
	second = out(&b, IPPROTO_UDP, HOST, 5000, FAR2, 54);
	tcp = out(&b, IPPROTO_TCP, HOST, 5000, FAR, 80);
	expect_outside(&b, second, PUBLIC, outside_port(&b, first));
	expect_outside(&b, tcp, PUBLIC, 0);
	assert_int_equal(bench_mappings(&b), 2);
	assert_int_equal(bench_ports_used(&b), 2);
	bench_close(&b, first);
	assert_int_equal(bench_mappings(&b), 2);
	first = out(&b, IPPROTO_UDP, HOST, 5000, FAR, 99);
	expect_outside(&b, first, PUBLIC, outside_port(&b, second));
	bench_close(&b, first);
	bench_close(&b, second);
	bench_close(&b, tcp);
	assert_int_equal(bench_mappings(&b), 0);
	assert_int_equal(bench_ports_used(&b), 0);
	bench_stop(&b);
}

/* No mapping is shared: each session has a port of its own, and an outside host that has none does not come in. */
static void endpoint_dependent(void **state)
{
	struct session *first, *second;
	struct bench b;

	(void)state;
	bench_start(&b, NULL,
	            "{" POOL ",'mapping':'address-and-port-dependent','filtering':'endpoint-independent'}");
	first = out(&b, IPPROTO_UDP, HOST, 5000, FAR, 53);
	second = out(&b, IPPROTO_UDP, HOST, 5000, FAR, 54);
	assert_int_not_equal(outside_port(&b, first), outside_port(&b, second));
	assert_int_equal(bench_mappings(&b), 0);
	assert_int_equal(bench_ports_used(&b), 2);
	assert_null(in(&b, IPPROTO_UDP, FAR2, 9, PUBLIC, outside_port(&b, first)));
	assert_int_equal(b.counters[NAT_NO_MAPPING], 1);
	bench_close(&b, first);
	bench_close(&b, second);
	assert_int_equal(bench_ports_used(&b), 0);
	bench_stop(&b);
}

/* Who may come in to a mapping that has sent to FAR:53. */
static void filtering(const char *kind, bool same_address, bool anybody)
{
	struct session *s, *same, *other;
	char config[200];
	struct bench b;
	uint16_t port;

	snprintf(config, sizeof(config), "{" POOL ",'filtering':'%s'}", kind);
	bench_start(&b, NULL, config);
	s = out(&b, IPPROTO_UDP, HOST, 5000, FAR, 53);
	port = outside_port(&b, s);
	same = in(&b, IPPROTO_UDP, FAR, 54, PUBLIC, port);
	other = in(&b, IPPROTO_UDP, FAR2, 53, PUBLIC, port);
	assert_int_equal(same != NULL, same_address);
	assert_int_equal(other != NULL, anybody);
	assert_int_equal(b.counters[NAT_FILTERED], !same_address + !anybody);
	if (same)
		expect_inside(&b, same, HOST, 5000);
	assert_null(in(&b, IPPROTO_TCP, FAR, 54, PUBLIC, port));
	assert_null(in(&b, IPPROTO_UDP, FAR, 54, PUBLIC, (uint16_t)(port ^ 1)));
	assert_int_equal(b.counters[NAT_NO_MAPPING], 2);
	bench_close(&b, s);
	/* Who talks still, keeps the mapping; the others are gone with it. */
	assert_int_equal(bench_mappings(&b), same || other);
	if (same)
		bench_close(&b, same);
	if (other)
		bench_close(&b, other);
	assert_int_equal(bench_mappings(&b) + bench_ports_used(&b), 0);
	bench_stop(&b);
}

/* RFC 4787 REQ-8, RFC 5382 REQ-3. */
static void filterings(void **state)
{
	(void)state;
	filtering("endpoint-independent", true, true);
	filtering("address-dependent", true, false);
	filtering("address-and-port-dependent", false, false);
}

/* Whom a mapping has sent to is forgotten with the session, and never known of another mapping in the same place. */
static void permits_end(void **state)
{
	struct session *one, *two, *again;
	struct bench b;
	uint16_t port;

	(void)state;
	bench_start(&b, NULL, "{" POOL "}");
	one = out(&b, IPPROTO_UDP, HOST, 5000, FAR, 53);
	two = out(&b, IPPROTO_UDP, HOST, 5000, FAR2, 53);
	again = out(&b, IPPROTO_UDP, HOST, 5000, FAR, 54);
	port = outside_port(&b, one);
	bench_close(&b, one);
	one = in(&b, IPPROTO_UDP, FAR, 7, PUBLIC, port);
	assert_non_null(one);
	bench_close(&b, one);
	bench_close(&b, again);
	assert_null(in(&b, IPPROTO_UDP, FAR, 7, PUBLIC, port));
	bench_close(&b, two);
	one = out(&b, IPPROTO_UDP, OTHER, 5000, "203.0.113.9", 53);
	assert_null(in(&b, IPPROTO_UDP, FAR2, 7, PUBLIC, outside_port(&b, one)));
	assert_int_equal(b.counters[NAT_FILTERED], 2);
	bench_stop(&b);
}

/* RFC 4787 REQ-3 and 4.2.2: the inside port if it is the bucket's and free; else one of the same parity; never one that is taken. */
static void preservation_and_parity(void **state)
{
	unsigned kept = 0;
	struct bench b;

	(void)state;
	bench_start(&b, NULL, "{" POOL "}");
	for (unsigned port = 2000; port < 2600; port++) {
		struct session *s = out(&b, IPPROTO_UDP, HOST, (uint16_t)port, FAR, 53);

		if (!s)
			break; /* the bucket's share is used up: nobody hands out the reserve here */
		kept += outside_port(&b, s) == port;
		if (port < 2040)
			assert_int_equal(outside_port(&b, s) & 1, port & 1);
	}
	assert_int_equal(bench_ports_used(&b), 128);
	assert_int_equal(b.counters[NAT_NO_PORT], 1);
	assert_true(kept <= 128);
	bench_stop(&b);
}

static void preserves(void **state)
{
	struct session *s, *t;
	unsigned bucket, port;
	struct bench b;

	(void)state;
	bench_start(&b, NULL, "{" POOL ",'portPreservation':true}");
	s = out(&b, IPPROTO_UDP, HOST, 1, FAR, 53);
	bucket = s->bucket;
	port = 1024 + 64 * bucket + 5;
	t = out(&b, IPPROTO_UDP, HOST, (uint16_t)port, FAR, 53);
	expect_outside(&b, t, PUBLIC, (uint16_t)port);
	bench_reload(&b, "{" POOL ",'portPreservation':false,'portParity':false}");
	s = out(&b, IPPROTO_TCP, HOST, (uint16_t)port, FAR, 53);
	assert_int_not_equal(outside_port(&b, s), port);
	bench_stop(&b);
}

/* Exhaustion refuses and counts; nothing that lives is touched; what is given back can be had again. */
static void exhaustion(void **state)
{
	struct session *last = NULL, *s;
	unsigned opened = 0;
	struct bench b;

	(void)state;
	bench_start(&b, NULL, "{'pools':[{'name':'p','addresses':['198.51.100.0/26'],'ports':'1024-1151'}]}");
	for (uint16_t port = 1; (s = out(&b, IPPROTO_TCP, HOST, port, FAR, 80)) != NULL; port++, opened++)
		last = s;
	assert_true(opened > 0 && opened % 64 == 0);
	assert_int_equal(b.counters[NAT_NO_PORT], 1);
	assert_int_equal(bench_ports_used(&b), opened);
	assert_non_null(out(&b, IPPROTO_TCP, HOST, 1, FAR2, 80)); /* a mapping that is there needs no port */
	bench_close(&b, last);
	assert_non_null(out(&b, IPPROTO_TCP, HOST, 40000, FAR, 80));
	assert_null(out(&b, IPPROTO_TCP, HOST, 40001, FAR, 80));
	bench_stop(&b);
}

static void mappings_run_out(void **state)
{
	struct session *s;
	unsigned opened = 0;
	struct bench b;

	(void)state;
	bench_start(&b, NULL, "{'pools':[{'name':'p','addresses':['198.51.100.0/24']}],'mappings':1024}");
	for (uint16_t port = 1; (s = out(&b, IPPROTO_TCP, HOST, port, FAR, 80)) != NULL; port++)
		opened++;
	assert_int_equal(opened, 1024);
	assert_int_equal(b.counters[NAT_MAPPINGS_FULL], 1);
	assert_int_equal(bench_ports_used(&b), 1024);
	bench_stop(&b);
}

/* RFC 4787 REQ-2: an inside host keeps to one address, wherever in the pool's ranges that is; hosts are spread over all of them. */
static void paired(void **state)
{
	bool seen[4] = { false };
	struct bench b;

	(void)state;
	bench_start(&b, NULL,
	            "{'pools':[{'name':'p','addresses':['198.51.100.1','198.51.100.5-198.51.100.7']}]}");
	for (unsigned host = 1; host < 60; host++) {
		char text[20];
		uint32_t address = 0;

		snprintf(text, sizeof(text), "192.0.2.%u", host);
		for (uint16_t port = 1; port < 8; port++) {
			struct session *s = out(&b, IPPROTO_UDP, text, port, FAR, 53);
			uint32_t got = bench_slot(&b, s)->out.address;

			assert_true(!address || address == got);
			address = got;
		}
		seen[ntohl(address) == ntohl(ip("198.51.100.1"))
		             ? 0
		             : ntohl(address) - ntohl(ip("198.51.100.4"))] = true;
	}
	assert_true(seen[0] && seen[1] && seen[2] && seen[3]);
	bench_stop(&b);
}

static void forwards(void **state)
{
	struct session *s;
	struct bench b;

	(void)state;
	bench_start(&b, NULL,
	            "{" POOL
	            ",'forwards':[{'name':'w','ports':'8000-8010','inside':'192.0.2.11','insidePort':80},"
	            "{'name':'d','protocol':'udp','ports':'53','inside':'192.0.2.12','outside':'198.51.100."
	            "99'}]}");
	s = in(&b, IPPROTO_TCP, FAR, 1000, PUBLIC, 8003);
	expect_inside(&b, s, OTHER, 83);
	expect_outside(&b, s, PUBLIC, 8003);
	assert_int_equal(s->bucket, rte_hash_crc_4byte(ip(OTHER), 0) & 0xff);
	expect_inside(&b, in(&b, IPPROTO_UDP, FAR, 1000, "198.51.100.99", 53), "192.0.2.12", 53);
	assert_null(in(&b, IPPROTO_UDP, FAR, 1000, PUBLIC, 8003));
	assert_null(in(&b, IPPROTO_TCP, FAR, 1000, PUBLIC, 8011));
	assert_int_equal(b.counters[NAT_NO_MAPPING], 2);
	bench_close(&b, s);
	assert_int_equal(bench_ports_used(&b), 0);
	bench_stop(&b);
}

/* No mapping ever gets a port that is forwarded, in whatever bucket it lies. */
static void forwarded_ports_are_withheld(void **state)
{
	struct bench b;
	unsigned opened = 0;

	(void)state;
	bench_start(&b, NULL,
	            "{'pools':[{'name':'p','addresses':['198.51.100.10'],'ports':'1024-40000'}],"
	            "'forwards':[{'name':'f','ports':'1024-39000','inside':'192.0.2.11'}]}");
	for (unsigned i = 0; i < 250; i++) {
		char host[20];
		struct session *s;

		snprintf(host, sizeof(host), "192.0.2.%u", i);
		s = out(&b, IPPROTO_TCP, host, (uint16_t)(1024 + 64 * i), FAR, 80);
		opened += s != NULL;
		if (s)
			assert_true(outside_port(&b, s) > 39000);
		s = out(&b, IPPROTO_UDP, host, (uint16_t)(1024 + 64 * i), FAR, 80);
		assert_non_null(s);
	}
	assert_true(opened < 250);
	assert_int_equal(b.counters[NAT_NO_PORT], 250 - opened);
	bench_stop(&b);
}

static void one_to_one(void **state)
{
	struct session *s;
	struct bench b;

	(void)state;
	bench_start(&b, NULL,
	            "{" POOL ",'static':[{'name':'s','inside':'192.0.2.11','outside':'198.51.100.20'}]}");
	s = out(&b, IPPROTO_TCP, OTHER, 999, FAR, 80);
	expect_outside(&b, s, "198.51.100.20", 999);
	expect_inside(&b, in(&b, IPPROTO_TCP, FAR, 1, "198.51.100.20", 22), OTHER, 22);
	expect_outside(&b, out(&b, 47 /* GRE */, OTHER, 0, FAR, 0), "198.51.100.20", 0);
	assert_int_equal(bench_ports_used(&b), 0);
	/* Others have no address of their own, and what has no ports cannot share one. */
	assert_null(out(&b, 47, HOST, 0, FAR, 0));
	assert_int_equal(b.counters[NAT_NOT_TRANSLATABLE], 1);
	bench_stop(&b);
}

static void rules_choose(void **state)
{
	static const char config[] =
	        "{'pools':[{'name':'a','addresses':['198.51.100.1']},{'name':'b','addresses':['198.51.100.2']"
	        "}],"
	        "'rules':[{'name':'1','source':'192.0.2.10','destination':'203.0.113.6','pool':'b'},"
	        "{'name':'2','source':'192.0.2.10','pool':'a'}]}";
	struct session *a, *other;
	struct bench b;

	(void)state;
	bench_start(&b, NULL, config);
	a = out(&b, IPPROTO_UDP, HOST, 5000, FAR, 53);
	expect_outside(&b, a, "198.51.100.1", 0);
	other = out(&b, IPPROTO_UDP, HOST, 5000, FAR2, 53);
	expect_outside(&b, other, "198.51.100.2", 0);
	assert_null(out(&b, IPPROTO_UDP, OTHER, 5000, FAR, 53));
	assert_int_equal(b.counters[NAT_NO_RULE], 1);
	bench_close(&b, a);
	bench_close(&b, other);
	assert_int_equal(bench_mappings(&b) + bench_ports_used(&b), 0);
	bench_stop(&b);
}

/* RFC 4787 REQ-9: an inside host reaches another by its outside end, and is seen with its own outside end. */
static void hairpin(void **state)
{
	struct session *host, *there, *back;
	struct rte_mbuf *m;
	struct bench b;
	uint16_t port;

	(void)state;
	bench_start(&b, NULL, "{" POOL ",'filtering':'endpoint-independent'}");
	host = out(&b, IPPROTO_UDP, OTHER, 6000, FAR, 53);
	port = outside_port(&b, host);
	there = out(&b, IPPROTO_UDP, HOST, 5000, PUBLIC, port);
	assert_true(bench_slot(&b, there)->flags & SLOT_HAIRPIN);
	m = packet_parsed(&(struct packet_spec){ .src = HOST, .dst = PUBLIC, .sport = 5000, .dport = port });
	assert_false(bench_pass(&b, there, OUTWARD, m));
	assert_int_equal(b.counters[NAT_HAIRPINNED], 1);
	assert_int_equal(pkt_ip4(m)->src_addr, ip(PUBLIC));
	assert_int_equal(pkt_of(m)->zone, nf_zone(&b.nf));
	back = bench_open_hairpin(
	        &b, &(struct flow){ IPPROTO_UDP, PUBLIC, outside_port(&b, there), PUBLIC, port });
	expect_inside(&b, back, OTHER, 6000);
	assert_true(bench_pass(&b, back, INWARD, m));
	assert_int_equal(pkt_ip4(m)->dst_addr, ip(OTHER));
	assert_true(packet_checksums_right(m));
	packet_free(m);
	assert_int_equal(bench_review(&b, there), VERDICT_TAKE);
	bench_reload(&b, "{" POOL ",'hairpinning':false}");
	assert_null(out(&b, IPPROTO_UDP, HOST, 5001, PUBLIC, port));
	assert_int_equal(b.counters[NAT_HAIRPIN_REFUSED], 1);
	assert_int_equal(bench_review(&b, there), VERDICT_DROP);
	bench_stop(&b);
}

/* Many forwardings: the search finds what a look at each of them finds. */
static void many_forwards(void **state)
{
	static char config[100000];
	size_t length;
	struct bench b;

	(void)state;
	length = (size_t)snprintf(config, sizeof(config), "{" POOL ",'forwards':[");
	for (unsigned i = 0; i < 300; i++)
		length += (size_t)snprintf(
		        config + length, sizeof(config) - length,
		        "%s{'name':'f%u','protocol':'%s','ports':'%u-%u','inside':'192.0.2.1',"
		        "'outside':'198.51.100.%u'}",
		        i ? "," : "", i, i & 1 ? "tcp" : "udp", 100 * (i * 37 % 300) + 1,
		        100 * (i * 37 % 300) + 1 + i % 99, i % 7);
	snprintf(config + length, sizeof(config) - length, "]}");
	bench_start(&b, NULL, config);
	for (unsigned i = 0; i < 60000; i++) {
		uint32_t address = htonl(ntohl(ip("198.51.100.0")) + i % 8);
		uint8_t protocol = i % 3 ? IPPROTO_TCP : IPPROTO_UDP;
		uint16_t port = (uint16_t)(i * 31);
		const struct nat_config *running = b.config;
		const struct nat_forward *wanted = NULL;

		for (unsigned k = 0; k < running->forward_count; k++) {
			const struct nat_forward *f = &running->forwards[k];

			if (f->outside == address && f->protocol == protocol && port >= f->first &&
			    port <= f->last)
				wanted = f;
		}
		assert_ptr_equal(nat_forward_of(b.config, address, protocol, htons(port)), wanted);
		assert_int_equal(nat_claims_address(b.config, address), i % 8 != 7);
	}
	bench_stop(&b);
}

/* What is not for an outside address of ours goes by. */
static void passes_by(void **state)
{
	struct session *s;
	struct bench b;

	(void)state;
	bench_start(&b, NULL, "{" POOL "}");
	s = in(&b, IPPROTO_UDP, FAR, 1000, HOST, 53);
	assert_non_null(s);
	assert_int_equal(bench_slot(&b, s)->flags, 0);
	bench_close(&b, s);
	s = out(&b, IPPROTO_UDP, "2001:db8::1", 1000, "2001:db8::2", 53);
	assert_non_null(s);
	assert_int_equal(bench_slot(&b, s)->flags, 0);
	bench_stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoint_independent),
		cmocka_unit_test(endpoint_dependent),
		cmocka_unit_test(filterings),
		cmocka_unit_test(permits_end),
		cmocka_unit_test(preservation_and_parity),
		cmocka_unit_test(preserves),
		cmocka_unit_test(exhaustion),
		cmocka_unit_test(mappings_run_out),
		cmocka_unit_test(paired),
		cmocka_unit_test(forwards),
		cmocka_unit_test(forwarded_ports_are_withheld),
		cmocka_unit_test(one_to_one),
		cmocka_unit_test(rules_choose),
		cmocka_unit_test(hairpin),
		cmocka_unit_test(many_forwards),
		cmocka_unit_test(passes_by),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
