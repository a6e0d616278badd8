/* SPDX-License-Identifier: BSD-3-Clause */
/* What the NAT does to packets: both ways, queries and errors of RFC 5508, and what begins nothing. */
#include "helper_nat.h"

#include <arpa/inet.h>

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

/* RFC 5508 REQ-1: queries are mapped by their identifier, which is endpoint-independent, too. */
static void icmp_queries(void **state)
{
	struct session *s, *t;
	struct bench b;
	struct rte_mbuf *m;

	(void)state;
	bench_start(&b, NULL, "{" POOL "}");
	s = out(&b, IPPROTO_ICMP, HOST, 77, FAR, 0);
	t = out(&b, IPPROTO_ICMP, HOST, 77, FAR2, 0);
	expect_outside(&b, t, PUBLIC, outside_port(&b, s));
	assert_int_equal(bench_slot(&b, s)->space, PORTS_ICMP);
	m = packet_parsed(&(struct packet_spec){ .src = HOST,
	                                         .dst = FAR,
	                                         .proto = IPPROTO_ICMP,
	                                         .icmp_type = 8,
	                                         .icmp_id = 77,
	                                         .icmp_seq = 1 });
	assert_true(bench_pass(&b, s, OUTWARD, m));
	assert_int_equal(pkt_ip4(m)->src_addr, ip(PUBLIC));
	assert_int_equal(ntohs(pkt_of(m)->sport), outside_port(&b, s));
	assert_true(packet_checksums_right(m));
	packet_free(m);
	bench_close(&b, s);
	bench_close(&b, t);
	assert_int_equal(bench_ports_used(&b), 0);
	bench_stop(&b);
}

/* Every packet, both ways: addresses, ports and sums. */
static void packets(void **state)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	struct bench b;

	(void)state;
	bench_start(&b, NULL, "{" POOL "}");
	for (unsigned i = 0; i < 2; i++) {
		struct session *s = out(&b, protocols[i], HOST, 5000, FAR, 80);
		struct rte_mbuf *m = packet_parsed(&(struct packet_spec){
		        .src = HOST, .dst = FAR, .proto = protocols[i], .sport = 5000, .dport = 80 });

		assert_true(bench_pass(&b, s, OUTWARD, m));
		assert_int_equal(pkt_ip4(m)->src_addr, ip(PUBLIC));
		assert_int_equal(ntohs(pkt_of(m)->sport), outside_port(&b, s));
		assert_true(packet_checksums_right(m));
		packet_free(m);
		m = packet_parsed(&(struct packet_spec){ .src = FAR,
		                                         .dst = PUBLIC,
		                                         .proto = protocols[i],
		                                         .sport = 80,
		                                         .dport = outside_port(&b, s) });
		assert_true(bench_pass(&b, s, INWARD, m));
		assert_int_equal(pkt_ip4(m)->dst_addr, ip(HOST));
		assert_int_equal(ntohs(pkt_of(m)->dport), 5000);
		assert_true(packet_checksums_right(m));
		packet_free(m);
	}
	bench_stop(&b);
}

/* An ICMP error of `from` to `to` about a packet; parsed. */
static struct rte_mbuf *error_about(const char *from, const char *to, const struct packet_spec *quoted)
{
	struct rte_mbuf *inner = packet_parsed(quoted), *m;
	uint16_t l3 = pkt_of(inner)->l3;
	struct packet_spec spec = { .src = from,
		                    .dst = to,
		                    .proto = IPPROTO_ICMP,
		                    .icmp_type = 3,
		                    .icmp_code = 3,
		                    .payload = rte_pktmbuf_mtod_offset(inner, void *, l3),
		                    .length = 28 };

	m = packet_parsed(&spec);
	assert_true(pkt_of(m)->flags & PKT_ICMP_ERROR);
	packet_free(inner);
	return m;
}

static void expect_inner(struct rte_mbuf *m, const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	const struct rte_ipv4_hdr *quoted = rte_pktmbuf_mtod_offset(m, void *, pkt_of(m)->inner_l3);
	const uint16_t *ports = rte_pktmbuf_mtod_offset(m, void *, pkt_of(m)->inner_l4);

	assert_int_equal(quoted->src_addr, ip(src));
	assert_int_equal(quoted->dst_addr, ip(dst));
	assert_int_equal(ntohs(ports[0]), sport);
	assert_int_equal(ntohs(ports[1]), dport);
	assert_true(packet_checksums_right(m));
}

/* RFC 5508 REQ-4 and REQ-5: inside and outside of an error are translated, the router that sent it is not. */
static void icmp_errors_inward(void **state)
{
	struct session *s;
	struct rte_mbuf *m;
	struct bench b;

	(void)state;
	bench_start(&b, NULL, "{" POOL "}");
	s = out(&b, IPPROTO_UDP, HOST, 5000, FAR, 53);
	m = error_about("203.0.113.1", PUBLIC,
	                &(struct packet_spec){
	                        .src = PUBLIC, .dst = FAR, .sport = outside_port(&b, s), .dport = 53 });
	assert_true(bench_pass(&b, s, INWARD, m));
	assert_int_equal(pkt_ip4(m)->src_addr, ip("203.0.113.1"));
	assert_int_equal(pkt_ip4(m)->dst_addr, ip(HOST));
	expect_inner(m, HOST, 5000, FAR, 53);
	packet_free(m);
	bench_stop(&b);
}

static void icmp_errors_outward(void **state)
{
	static const char *const senders[][2] = { { OTHER, PUBLIC }, { "192.0.2.254", "192.0.2.254" } };
	struct session *s;
	struct bench b;

	(void)state;
	bench_start(&b, NULL,
	            "{" POOL ",'forwards':[{'name':'f','protocol':'udp','ports':'80','inside':'192.0.2.11','"
	            "insidePort':8080}]}");
	s = in(&b, IPPROTO_UDP, FAR, 1000, PUBLIC, 80);
	for (unsigned i = 0; i < 2; i++) {
		struct rte_mbuf *m = error_about(
		        senders[i][0], FAR,
		        &(struct packet_spec){ .src = FAR, .dst = OTHER, .sport = 1000, .dport = 8080 });

		assert_true(bench_pass(&b, s, OUTWARD, m));
		assert_int_equal(pkt_ip4(m)->src_addr, ip(senders[i][1]));
		assert_int_equal(pkt_ip4(m)->dst_addr, ip(FAR));
		expect_inner(m, FAR, 1000, PUBLIC, 80);
		packet_free(m);
	}
	bench_stop(&b);
}

/* Segments that begin nothing open nothing, from whichever side; an unsolicited SYN is dropped without a word (RFC 5382 REQ-4). */
static void beginnings(void **state)
{
	struct bench b;

	(void)state;
	bench_start(&b, NULL, "{" POOL "}");
	for (int walk = 0; walk < 2; walk++) {
		struct {
			struct session s;
			struct nat_slot slot;
		} record = { .s = { .flags = SESSION_MIDSTREAM } };
		struct rte_mbuf segment = { .nb_segs = 1 };
		struct opening o = { .tuple = { .family = FAMILY_V4, .proto = IPPROTO_TCP },
			             .m = &segment,
			             .session = &record.s,
			             .walk = (uint8_t)walk,
			             .flags = OPEN_MIDSTREAM };
		struct openings os = { .list = { &o }, .count = 1, .counters = b.counters };

		nat_open(&b.nf, b.config, &os);
		assert_int_equal(o.verdict, VERDICT_DROP);
	}
	assert_int_equal(b.counters[NAT_NOT_A_BEGINNING], 2);
	assert_null(in(&b, IPPROTO_TCP, FAR, 1, PUBLIC, 2000));
	assert_int_equal(b.counters[NAT_NO_MAPPING], 1);
	bench_stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(icmp_queries),       cmocka_unit_test(packets),
		cmocka_unit_test(icmp_errors_inward), cmocka_unit_test(icmp_errors_outward),
		cmocka_unit_test(beginnings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
