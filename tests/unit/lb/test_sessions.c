/* SPDX-License-Identifier: BSD-3-Clause */
/* A balanced session: what its packets become, both ways and in both families; who is let in; what it outlives and what ends it. */
#include "flow/tcp.h"
#include "helper_lb.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define VIP     "198.51.100.80"
#define VIP6    "2001:db8:2::80"
#define CLIENT  "203.0.113.9"
#define CLIENT6 "2001:db8:3::9"
#define REAL    "192.0.2.1"
#define REAL6   "2001:db8:1::1"
#define ONE(name, vip, mode, more, real)                                              \
	"{'name':'" name "','address':'" vip "','ports':'80','mode':'" mode "'," more \
	"'backends':[{'name':'b1','address':'" real "','port':8080}]}"
#define SOURCES                                                                                              \
	"'sources':[{'name':'s4','addresses':['192.0.2.200']},{'name':'s6','addresses':['2001:db8:1::200']}" \
	"]"
#define BOTH(mode)                                                                                          \
	"{'services':[" ONE("web", VIP, mode, "", REAL) "," ONE("web6", VIP6, mode, "", REAL6) "]," SOURCES \
	                                                                                       "}"

static const char *text_of(const union ipaddr *a, uint8_t family, char *text)
{
	return inet_ntop(family == FAMILY_V4 ? AF_INET : AF_INET6, a->bytes, text, INET6_ADDRSTRLEN);
}

/* The packet is from here to there, and all its sums are right. Port 0: any. */
static void expect_packet(struct rte_mbuf *m, const char *src, uint16_t sport, const char *dst,
                          uint16_t dport)
{
	char text[INET6_ADDRSTRLEN];
	struct tuple t;

	pkt_tuple(m, &t);
	assert_string_equal(text_of(&t.src, t.family, text), src);
	assert_string_equal(text_of(&t.dst, t.family, text), dst);
	if (sport)
		assert_int_equal(ntohs(t.sport), sport);
	if (dport)
		assert_int_equal(ntohs(t.dport), dport);
	assert_true(packet_checksums_right(m));
}

static struct rte_mbuf *packet(uint8_t proto, const char *src, uint16_t sport, const char *dst,
                               uint16_t dport)
{
	return packet_parsed(&(struct packet_spec){
	        .src = src, .dst = dst, .proto = proto, .sport = sport, .dport = dport, .length = 37 });
}

static void both_ways(struct bench *b, uint8_t proto, bool six, const char *source)
{
	const char *client = six ? CLIENT6 : CLIENT, *vip = six ? VIP6 : VIP, *real = six ? REAL6 : REAL;
	struct session *s = bench_open(b, &(struct flow){ proto, client, 5000, vip, 80 });
	struct tuple answer;
	struct rte_mbuf *m;
	uint16_t port;

	assert_non_null(s);
	session_tuple(s, 1, &answer);
	port = ntohs(answer.dport);
	m = packet(proto, client, 5000, vip, 80);
	assert_true(bench_process(b, s, 0, m));
	expect_packet(m, source ? source : client, port, real, 8080);
	packet_free(m);
	m = packet(proto, real, 8080, source ? source : client, port);
	assert_true(bench_process(b, s, 1, m));
	expect_packet(m, vip, 80, client, 5000);
	packet_free(m);
	if (!source)
		assert_int_equal(port, 5000);
	bench_close(b, s);
}

static uint32_t ports_used(const struct bench *b)
{
	const struct lb_config *config = b->config;
	struct ports_stats stats;
	uint32_t used = 0;

	for (uint32_t left = config->sources; left; left &= left - 1) {
		for (unsigned k = 0; k < PORTS_BUCKETS; k++) {
			ports_stats(config->live->sources[__builtin_ctz(left)]->ports, k, &stats);
			used += stats.used[PORTS_TCP] + stats.used[PORTS_UDP] + stats.used[PORTS_ICMP];
		}
	}
	return used;
}

static void packets(void **state)
{
	struct bench b;

	(void)state;
	bench_start(&b, NULL, BOTH("nat"));
	both_ways(&b, IPPROTO_TCP, false, NULL);
	both_ways(&b, IPPROTO_TCP, true, NULL);
	bench_reload(&b, BOTH("full-nat"));
	both_ways(&b, IPPROTO_TCP, false, "192.0.2.200");
	both_ways(&b, IPPROTO_TCP, true, "2001:db8:1::200");
	assert_int_equal(ports_used(&b), 0);
	bench_stop(&b);
	bench_start(&b, NULL,
	            "{'services':[" ONE("dns", VIP, "nat", "'protocol':'udp',", REAL) "," ONE(
	                    "dns6", VIP6, "full-nat", "'protocol':'udp',", REAL6) "]," SOURCES "}");
	both_ways(&b, IPPROTO_UDP, false, NULL);
	both_ways(&b, IPPROTO_UDP, true, "2001:db8:1::200");
	bench_stop(&b);
}

/* --- ICMP errors --- */

static void is_from_to(struct rte_mbuf *m, const char *src, const char *dst)
{
	bool six = pkt_of(m)->flags & PKT_V6;
	char text[INET6_ADDRSTRLEN];

	inet_ntop(six ? AF_INET6 : AF_INET,
	          six ? (void *)pkt_ip6(m)->src_addr : (void *)&pkt_ip4(m)->src_addr, text, sizeof(text));
	assert_string_equal(text, src);
	inet_ntop(six ? AF_INET6 : AF_INET,
	          six ? (void *)pkt_ip6(m)->dst_addr : (void *)&pkt_ip4(m)->dst_addr, text, sizeof(text));
	assert_string_equal(text, dst);
}

/* A packet went through, and somebody behind us sends an error about it back: it tells of the packet as it was, byte for byte. */
static void error_about(struct bench *b, struct session *s, const struct rte_mbuf *was, int direction,
                        const char *from, const char *to, const char *from_then, const char *to_then)
{
	struct rte_mbuf *went = packet_clone(was), *m;
	const struct pkt *p = pkt_of(went);
	bool six = p->flags & PKT_V6;
	uint16_t length = (uint16_t)(p->end - p->l3);

	assert_true(bench_process(b, s, direction, went));
	m = packet_parsed(&(struct packet_spec){ .src = from,
	                                         .dst = to,
	                                         .proto = six ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
	                                         .icmp_type = six ? 1 : 3,
	                                         .payload = pkt_at(went, p->l3),
	                                         .length = length });
	assert_true(bench_process(b, s, !direction, m));
	is_from_to(m, from_then, to_then);
	assert_true(packet_checksums_right(m));
	assert_memory_equal(rte_pktmbuf_mtod_offset(m, uint8_t *, pkt_of(m)->l4 + 8),
	                    rte_pktmbuf_mtod_offset(was, uint8_t *, p->l3), length);
	packet_free(went);
	packet_free(m);
}

/* From the host that the packet was for, whose address is translated, and from a router on its way, which speaks for itself. */
static void errors_of(struct bench *b, bool six, const char *source)
{
	const char *client = six ? CLIENT6 : CLIENT, *vip = six ? VIP6 : VIP, *real = six ? REAL6 : REAL,
	           *near = six ? "2001:db8:3::fe" : "203.0.113.254",
	           *far = six ? "2001:db8:1::fe" : "192.0.2.254";
	struct session *s = bench_open(b, &(struct flow){ IPPROTO_TCP, client, 5000, vip, 80 });
	struct rte_mbuf *asked = packet(IPPROTO_TCP, client, 5000, vip, 80), *answer;
	struct tuple t;

	assert_non_null(s);
	session_tuple(s, 1, &t);
	source = source ? source : client;
	answer = packet(IPPROTO_TCP, real, 8080, source, ntohs(t.dport));
	error_about(b, s, asked, 0, real, source, vip, client);
	error_about(b, s, asked, 0, far, source, far, client);
	error_about(b, s, answer, 1, client, vip, source, real);
	error_about(b, s, answer, 1, near, vip, near, real);
	packet_free(asked);
	packet_free(answer);
	bench_close(b, s);
}

static void icmp_errors(void **state)
{
	struct bench b;

	(void)state;
	bench_start(&b, NULL, BOTH("nat"));
	errors_of(&b, false, NULL);
	errors_of(&b, true, NULL);
	bench_reload(&b, BOTH("full-nat"));
	errors_of(&b, false, "192.0.2.200");
	errors_of(&b, true, "2001:db8:1::200");
	bench_stop(&b);
}

/* A service of any protocol is one for one towards a backend. */
static void any_protocol(void **state)
{
	struct session *s;
	struct rte_mbuf *m;
	struct bench b;

	(void)state;
	bench_start(&b, NULL,
	            "{'services':[{'name':'all','address':'" VIP
	            "','protocol':'any','backends':[{'name':'b1','address':'" REAL "'}]}]}");
	s = bench_open(&b, &(struct flow){ IPPROTO_ICMP, CLIENT, 77, VIP, 0 });
	m = packet_parsed(&(struct packet_spec){
	        .src = CLIENT, .dst = VIP, .proto = IPPROTO_ICMP, .icmp_type = 8, .icmp_id = 77 });
	assert_true(bench_process(&b, s, 0, m));
	expect_packet(m, CLIENT, 77, REAL, 77);
	packet_free(m);
	s = bench_open(&b, &(struct flow){ 50, CLIENT, 0, VIP, 0 });
	m = packet_parsed(&(struct packet_spec){ .src = CLIENT, .dst = VIP, .proto = 50, .length = 20 });
	assert_true(bench_process(&b, s, 0, m));
	expect_packet(m, CLIENT, 0, REAL, 0);
	packet_free(m);
	s = bench_open(&b, &(struct flow){ IPPROTO_TCP, CLIENT, 5000, VIP, 443 });
	m = packet(IPPROTO_TCP, REAL, 443, CLIENT, 5000);
	assert_true(bench_process(&b, s, 1, m));
	expect_packet(m, VIP, 443, CLIENT, 5000);
	packet_free(m);
	bench_close_all(&b);
	bench_stop(&b);
}

static void access_list(void **state)
{
	struct bench b;

	(void)state;
	bench_start(
	        &b, NULL,
	        "{'services':[" ONE("web", VIP, "nat",
	                            "'allow':['203.0.113.0/24','198.18.0.0/15'],'deny':['203.0.113.8/29'],",
	                            REAL) "]}");
	assert_null(bench_open(&b, &(struct flow){ IPPROTO_TCP, "203.0.113.9", 1, VIP, 80 }));
	assert_null(bench_open(&b, &(struct flow){ IPPROTO_TCP, "198.17.255.255", 1, VIP, 80 }));
	assert_int_equal(b.counters[LB_DENIED], 2);
	assert_non_null(bench_open(&b, &(struct flow){ IPPROTO_TCP, "203.0.113.7", 1, VIP, 80 }));
	assert_non_null(bench_open(&b, &(struct flow){ IPPROTO_TCP, "198.19.255.255", 1, VIP, 80 }));
	assert_null(bench_open(&b, &(struct flow){ IPPROTO_TCP, "203.0.113.7", 1, VIP, 81 }));
	assert_int_equal(b.counters[LB_NO_SERVICE], 1);
	assert_non_null(bench_open(&b, &(struct flow){ IPPROTO_TCP, "203.0.113.9", 1, REAL, 80 }));
	bench_close_all(&b);
	bench_stop(&b);
}

#define PAIR(more, b1, b2)                                                                            \
	"{'services':[{'name':'web','address':'" VIP "','ports':'80'," more                           \
	"'backends':[{'name':'b1','address':'192.0.2.1'" b1 "},{'name':'b2','address':'192.0.2.2'" b2 \
	"}]}]}"

static struct session *open_on(struct bench *b, unsigned backend)
{
	static uint16_t port = 1000;
	struct session *s;

	do
		s = bench_open(b, &(struct flow){ IPPROTO_TCP, CLIENT, port++, VIP, 80 });
	while (bench_backend(b, s) != backend);
	return s;
}

/* What a changed configuration means for live sessions. */
#define OTHERWISE(name, ports)                                        \
	"{'name':'" name "','address':'" VIP "','ports':'" ports "'," \
	"'backends':[{'name':'b1','address':'192.0.2.1'}]}"

static void reviews(void **state)
{
	struct session *one, *two;
	struct bench b;

	(void)state;
	bench_start(&b, NULL, PAIR("", "", ""));
	one = open_on(&b, 1);
	two = open_on(&b, 2);
	bench_reload(&b, PAIR("'scheduler':'round-robin',", ",'weight':7", ",'weight':0"));
	assert_int_equal(bench_review(&b, one), VERDICT_PASS);
	assert_int_equal(bench_review(&b, two), VERDICT_PASS);
	bench_reload(&b, PAIR("", ",'state':'drain'", ",'state':'disabled'"));
	assert_int_equal(bench_review(&b, one), VERDICT_PASS);
	assert_int_equal(bench_review(&b, two), VERDICT_DROP);
	bench_reload(&b, PAIR("'deny':['203.0.113.0/24'],", "", ""));
	assert_int_equal(bench_review(&b, one), VERDICT_DROP);
	bench_reload(&b, "{'services':[{'name':'web','address':'" VIP
	                 "','ports':'80','backends':[{'name':'renamed','address':'192.0.2.1'}]}]}");
	assert_int_equal(bench_review(&b, one), VERDICT_PASS);
	assert_int_equal(bench_review(&b, two), VERDICT_DROP);
	bench_reload(&b, "{'services':[" OTHERWISE("shop", "80-90") "]}");
	assert_int_equal(bench_review(&b, one), VERDICT_PASS);
	bench_reload(&b, "{'services':[" OTHERWISE("shop", "70-90") "," OTHERWISE("web", "443") "]}");
	assert_int_equal(bench_review(&b, one), VERDICT_PASS);
	assert_int_equal(bench_sessions(&b, "b1"), 1);
	bench_reload(&b, "{'services':[" OTHERWISE("new", "70") "," OTHERWISE("shop", "443") "]}");
	assert_int_equal(bench_review(&b, one), VERDICT_DROP);
	bench_reload(&b, "{}");
	assert_int_equal(bench_review(&b, one), VERDICT_DROP);
	bench_close_all(&b);
	bench_stop(&b);
}

/* A failed backend's sessions end by choice, and only they. */
static void failures(void **state)
{
	struct session *one, *two;
	struct rte_mbuf *m;
	struct bench b;

	(void)state;
	bench_start(&b, NULL, PAIR("'onFailure':'keep',", "", ""));
	one = open_on(&b, 1);
	two = open_on(&b, 2);
	bench_health(&b, "b1", false);
	m = packet(IPPROTO_TCP, CLIENT, 1000, VIP, 80);
	assert_true(bench_process(&b, one, 0, m));
	packet_free(m);
	assert_int_equal(bench_review(&b, one), VERDICT_PASS);
	bench_reload(&b, PAIR("", "", ""));
	bench_health(&b, "b1", false);
	assert_int_equal(bench_review(&b, one), VERDICT_DROP);
	m = packet(IPPROTO_UDP, CLIENT, 1000, VIP, 80);
	one->generation = 5;
	assert_false(bench_process(&b, one, 0, m));
	assert_int_not_equal(one->generation, 5); /* judged anew with its next packet */
	assert_int_equal(b.counters[LB_BACKEND_FAILED], 1);
	packet_free(m);
	m = packet(IPPROTO_TCP, CLIENT, 1000, VIP, 80);
	assert_true(bench_process(&b, two, 0, m));
	packet_free(m);
	bench_close_all(&b);
	bench_stop(&b);
}

static uint32_t open_sessions(const struct bench *b, const char *backend)
{
	return pool_open_sessions(((const struct lb_live *)b->nf.live)->pool, bench_named(b, backend)->id);
}

/* As tracking has left the session when its packet comes by. */
static void pass_as(struct bench *b, struct session *s, uint8_t client, uint8_t server)
{
	struct rte_mbuf *m = packet(IPPROTO_TCP, CLIENT, 1000, VIP, 80);

	s->klass = CLASS_TCP_CLOSING;
	s->tcp_state[0] = client;
	s->tcp_state[1] = server;
	assert_true(bench_process(b, s, 0, m));
	packet_free(m);
}

/* A connection that is over makes room for another, though it is kept for its stragglers; one that is half closed does not. */
static void over(void **state)
{
	struct flow flow = { IPPROTO_TCP, CLIENT, 60000, VIP, 80 };
	struct session *one, *two;
	struct bench b;

	(void)state;
	bench_start(&b, NULL, PAIR("'scheduler':'least-connections','maxSessions':2,", "", ""));
	one = bench_open(&b, &(struct flow){ IPPROTO_TCP, CLIENT, 1000, VIP, 80 });
	two = bench_open(&b, &(struct flow){ IPPROTO_TCP, CLIENT, 1001, VIP, 80 });
	assert_int_equal(bench_backend(&b, one), 1);
	assert_int_equal(bench_backend(&b, two), 2);
	assert_null(bench_open(&b, &flow));
	pass_as(&b, one, TCP_FIN_SENT, TCP_ESTABLISHED);
	pass_as(&b, two, TCP_ESTABLISHED, TCP_ESTABLISHED); /* a doubtful RST */
	assert_null(bench_open(&b, &flow));
	assert_int_equal(b.counters[LB_SESSION_LIMIT], 2);
	pass_as(&b, one, TCP_FIN_ACKED, TCP_FIN_SENT);
	pass_as(&b, one, TCP_FIN_ACKED, TCP_FIN_ACKED);
	assert_int_equal(open_sessions(&b, "b1"), 0);
	assert_int_equal(bench_sessions(&b, "b1"), 1);
	assert_int_equal(bench_backend(&b, bench_open(&b, &flow)), 1);
	pass_as(&b, two, TCP_RESET, TCP_RESET);
	bench_close(&b, two);
	assert_int_equal(open_sessions(&b, "b2"), 0);
	assert_int_equal(bench_sessions(&b, "b2"), 0);
	bench_close_all(&b);
	assert_int_equal(open_sessions(&b, "b1"), 0);
	bench_stop(&b);
}

/* A client is given the backend that it had, for a time; others of its prefix are the same client. */
static void persistence(void **state)
{
	unsigned first, same = 0;
	struct bench b;
	struct session *s;

	(void)state;
	bench_start(&b, NULL,
	            PAIR("'scheduler':'round-robin','persistence':{'seconds':60,'prefix4':24},", "", ""));
	first = bench_backend(&b, bench_open(&b, &(struct flow){ IPPROTO_TCP, "203.0.113.1", 1, VIP, 80 }));
	for (uint16_t i = 2; i < 20; i++) {
		b.now += UINT64_C(30000000000);
		s = bench_open(&b, &(struct flow){ IPPROTO_TCP, i % 2 ? "203.0.113.1" : "203.0.113.200", i,
		                                   VIP, 80 });
		assert_int_equal(bench_backend(&b, s), first);
	}
	assert_int_equal(b.counters[LB_PERSISTED], 18);
	for (uint16_t i = 100; i < 110; i++) {
		b.now += UINT64_C(61000000000);
		s = bench_open(&b, &(struct flow){ IPPROTO_TCP, "203.0.113.1", i, VIP, 80 });
		same += bench_backend(&b, s) == first;
	}
	assert_int_equal(same, 5);
	assert_int_equal(b.counters[LB_PERSISTED], 18);
	s = bench_open(&b, &(struct flow){ IPPROTO_TCP, "203.0.113.1", 200, VIP, 80 });
	first = bench_backend(&b, s);
	bench_health(&b, first == 1 ? "b1" : "b2", false);
	s = bench_open(&b, &(struct flow){ IPPROTO_TCP, "203.0.113.1", 201, VIP, 80 });
	assert_int_equal(bench_backend(&b, s), 3 - first);
	bench_close_all(&b);
	bench_stop(&b);
}

#define RESTART                                                                                             \
	"{'services':[" ONE("web", VIP, "full-nat", "", REAL) "," ONE(                                      \
	        "web6", VIP6, "full-nat", "", REAL6) "," ONE("plain", "198.51.100.81", "nat",               \
	                                                     "'persistence':{},", "192.0.2.3") "]," SOURCES \
	                                                                                       "}"

/* A successor finds sessions on their backends although it gives other numbers; those whose backend is gone are dropped. */
static void crash(void **state)
{
	char name[] = "/tmp/sluice-lb-XXXXXX";
	struct bench b;
	struct rte_mbuf *m;
	struct session *s;

	(void)state;
	assert_true(close(mkstemp(name)) == 0 && unlink(name) == 0);
	bench_start(&b, name, RESTART);
	s = bench_open(&b, &(struct flow){ IPPROTO_TCP, CLIENT, 1, VIP, 80 });
	assert_non_null(s);
	pass_as(&b, s, TCP_RESET, TCP_RESET);
	assert_non_null(bench_open(&b, &(struct flow){ IPPROTO_TCP, CLIENT6, 1, VIP6, 80 }));
	assert_non_null(bench_open(&b, &(struct flow){ IPPROTO_TCP, CLIENT, 1, "198.51.100.81", 80 }));
	bench_stop(&b);
	/* The one in front takes the first number. */
	bench_start(&b, name,
	            "{'services':[{'name':'new','address':'198.51.100.99','backends':[{'name':'b9','address':"
	            "'192.0.2.9'}]}," ONE("web", VIP, "full-nat", "", REAL) "," ONE(
	                    "web6", VIP6, "full-nat", "", REAL6) "," ONE("plain", "198.51.100.81", "nat",
	                                                                 "'persistence':{},",
	                                                                 "192.0.2.3") "]," SOURCES "}");
	assert_int_equal(bench_adopt(&b), 3);
	assert_int_equal(bench_sessions(&b, "b1"), 1);
	assert_int_equal(open_sessions(&b, "b1"), 0);
	assert_int_equal(ports_used(&b), 2);
	s = bench_open(&b, &(struct flow){ IPPROTO_TCP, CLIENT6, 1, VIP6, 80 });
	m = packet(IPPROTO_TCP, CLIENT6, 1, VIP6, 80);
	assert_true(bench_process(&b, s, 0, m));
	expect_packet(m, "2001:db8:1::200", 0, REAL6, 8080);
	packet_free(m);
	assert_non_null(bench_open(&b, &(struct flow){ IPPROTO_TCP, CLIENT, 2, "198.51.100.81", 80 }));
	assert_int_equal(b.counters[LB_PERSISTED], 1);
	bench_stop(&b);
	bench_start(&b, name, "{'services':[" ONE("web", VIP, "full-nat", "", "192.0.2.7") "]," SOURCES "}");
	assert_int_equal(bench_adopt(&b), 0);
	bench_stop(&b);
	unlink(name);
}

static void refusals(void **state)
{
	struct bench b;

	(void)state;
	bench_start(&b, NULL, "{}");
	bench_refused(&b, "{'services':[" ONE("a", "224.0.0.1", "nat", "", REAL) "]}", "not-unicast");
	bench_refused(&b, "{'services':[" ONE("a", VIP, "nat", "", REAL6) "]}", "other-family");
	bench_refused(&b, "{'services':[" ONE("a", VIP, "full-nat", "", REAL) "]}", "no-sources");
	bench_refused(&b, "{'services':[" ONE("a", VIP, "nat", "'source':'x',", REAL) "]}", "not-full-nat");
	bench_refused(&b, "{'services':[" ONE("a", VIP, "full-nat", "'source':'x',", REAL) "]," SOURCES "}",
	              "unknown-sources");
	bench_refused(&b, "{'services':[" ONE("a", VIP, "full-nat", "'source':'s6',", REAL) "]," SOURCES "}",
	              "other-family");
	bench_refused(&b,
	              "{'services':[" ONE("a", VIP, "nat", "", REAL) "," ONE("b", VIP, "nat", "", REAL) "]}",
	              "overlap");
	bench_refused(&b, "{'services':[" ONE("a", VIP, "nat", "'protocol':'any',", REAL) "]}", "no-ports");
	bench_refused(&b, "{'services':[" ONE("a", VIP, "nat", "'tableSize':1000,", REAL) "]}", "not-prime");
	bench_refused(&b, PAIR("", "", "},{'name':'b3','address':'192.0.2.1'"), "twice");
	bench_refused(&b, "{'sources':[{'name':'x','addresses':['192.0.2.1','2001:db8::1']}]}", "apart");
	bench_refused(&b, "{'sources':[{'name':'x','addresses':['2001:db8::/64']}]}", "apart");
	bench_refused(&b, "{'persistenceEntries':2048}", "needs-restart");
	bench_stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets),     cmocka_unit_test(icmp_errors), cmocka_unit_test(any_protocol),
		cmocka_unit_test(access_list), cmocka_unit_test(reviews),     cmocka_unit_test(failures),
		cmocka_unit_test(persistence), cmocka_unit_test(over),        cmocka_unit_test(crash),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
