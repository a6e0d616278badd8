/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parser: what it finds in good frames, and that each kind of bad one is refused for its own reason.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "helper_parse.h"
#include "helper_random.h"

static void plain_tcp(void **state)
{
	struct packet_spec spec = { .proto = IPPROTO_TCP, .length = 10, .tcp_flags = RTE_TCP_SYN_FLAG };
	struct pkt p = parsed(&spec);

	(void)state;
	assert_int_equal(p.flags, PKT_V4);
	assert_int_equal(p.l3, 14);
	assert_int_equal(p.l4, 34);
	assert_int_equal(p.end, 64);
	assert_int_equal(p.sport, htons(1000));
	assert_int_equal(p.dport, htons(2000));
	assert_int_equal(p.proto, IPPROTO_TCP);
	assert_int_equal(p.tcp_flags, RTE_TCP_SYN_FLAG);
	assert_int_equal(p.icmp_type | p.icmp_code | p.vlan[0] | p.vlan[1], 0);
}

static void padding_lies_beyond_the_end(void **state)
{
	struct pkt p = parsed(&(struct packet_spec){ .length = 4, .pad = 14 });

	(void)state;
	assert_int_equal(p.end, 46);
	assert_int_equal(p.proto, IPPROTO_UDP);
	assert_int_equal(p.tcp_flags, 0);
}

static void short_udp_without_padding(void **state)
{
	struct pkt p = parsed(&(struct packet_spec){ .length = 0 });

	(void)state;
	assert_int_equal(p.end, 42);
	assert_int_equal(p.sport, htons(1000));
}

static void quick_and_general_path_agree(void **state)
{
	struct packet_spec spec = { .length = 40, .vlan = { 0 } };
	uint64_t seed = 7;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct rte_mbuf *m, *tagged;
		enum pkt_malformed a, b;
		uint8_t *bytes;

		spec.proto = i % 2 ? IPPROTO_TCP : IPPROTO_UDP;
		spec.tcp_flags = RTE_TCP_ACK_FLAG;
		m = packet_build(&spec);
		bytes = rte_pktmbuf_mtod(m, uint8_t *);
		for (unsigned changes = random_below(&seed, 3); changes; changes--)
			bytes[14 + random_below(&seed, 34)] = (uint8_t)random_next(&seed);
		tagged = packet_new();
		memcpy(rte_pktmbuf_append(tagged, m->data_len + 4), bytes, 12);
		memcpy(rte_pktmbuf_mtod_offset(tagged, void *, 12), "\x81\x00\x00\x05", 4);
		memcpy(rte_pktmbuf_mtod_offset(tagged, void *, 16), bytes + 12, m->data_len - 12);
		a = pkt_parse(m, i & 1);
		b = pkt_parse(tagged, i & 1);
		assert_int_equal(a, b);
		if (a == PKT_OK) {
			assert_int_equal(pkt_of(m)->flags | PKT_VLAN, pkt_of(tagged)->flags);
			assert_int_equal(pkt_of(m)->l4 + 4, pkt_of(tagged)->l4);
			assert_int_equal(pkt_of(m)->end + 4, pkt_of(tagged)->end);
			assert_int_equal(pkt_of(m)->sport, pkt_of(tagged)->sport);
			assert_int_equal(pkt_of(m)->dport, pkt_of(tagged)->dport);
			assert_int_equal(pkt_of(m)->proto, pkt_of(tagged)->proto);
			assert_int_equal(pkt_of(m)->tcp_flags, pkt_of(tagged)->tcp_flags);
		}
		packet_free(m);
		packet_free(tagged);
	}
}

static void tags(void **state)
{
	struct pkt p = parsed(&(struct packet_spec){ .vlan = { 0x6005 } });

	(void)state;
	assert_int_equal(p.flags, PKT_V4 | PKT_VLAN);
	assert_int_equal(p.vlan[0], 0x6005);
	assert_int_equal(p.vlan[1], 0);
	assert_int_equal(p.l3, 18);
	p = parsed(&(struct packet_spec){ .vlan = { 7, 8 }, .src = "2001:db8::1" });
	assert_int_equal(p.flags, PKT_V6 | PKT_VLAN);
	assert_int_equal(p.vlan[0], 7);
	assert_int_equal(p.vlan[1], 8);
	assert_int_equal(p.l3, 22);
	assert_int_equal(p.l4, 62);
	assert_int_equal(p.sport, htons(1000));
}

static void not_ip(void **state)
{
	struct packet_spec spec = { .length = 20 };
	struct patch arp[] = { { 12, 8 }, { 13, 6 } }, zero[] = { { 12, 0 }, { 13, 0 } };
	struct patch third[] = { { 20, 0x81 }, { 21, 0 } };
	struct packet_spec tagged = { .length = 20, .vlan = { 7, 8 } };

	(void)state;
	assert_int_equal(parse_patched(&spec, arp, 2, 0), PKT_NOT_IP);
	assert_int_equal(parse_patched(&spec, zero, 2, 0), PKT_NOT_IP);
	assert_int_equal(parse_patched(&tagged, third, 2, 0), PKT_NOT_IP);
}

/* Every length of a frame that has been cut short is refused, and nothing beyond is read. */
static void refuse_every_cut(const struct packet_spec *spec)
{
	struct rte_mbuf *m = packet_build(spec);
	struct pkt found;

	for (uint32_t keep = 1; keep < m->data_len; keep++) {
		enum pkt_malformed kind = parse_bytes(m, keep, PARSE_VERIFY_IP_CHECKSUM, &found);

		assert_true(kind == PKT_SHORT_FRAME || kind == PKT_SHORT_IP);
	}
	assert_int_equal(parse_bytes(m, 0, PARSE_VERIFY_IP_CHECKSUM, &found), PKT_OK);
	packet_free(m);
}

static void cut_short(void **state)
{
	(void)state;
	refuse_every_cut(&(struct packet_spec){ .length = 30 });
	refuse_every_cut(&(struct packet_spec){ .length = 3, .proto = IPPROTO_TCP, .vlan = { 1, 2 } });
	refuse_every_cut(&(struct packet_spec){ .src = "2001:db8::1", .length = 3, .vlan = { 1 } });
	assert_int_equal(kind_of(&(struct packet_spec){ .proto = 50, .length = 4 }), PKT_OK);
}

/* Headers must be in the first segment, the payload need not. */
static void segments(void **state)
{
	struct packet_spec spec = { .proto = IPPROTO_TCP, .length = 100 };
	struct rte_mbuf *m = packet_build(&spec);

	(void)state;
	m->pkt_len = m->data_len;
	packet_split(m, 54);
	assert_int_equal(m->pkt_len, 154);
	assert_int_equal(pkt_parse(m, 1), PKT_OK);
	assert_int_equal(pkt_of(m)->end, 154);
	assert_true(pkt_transport_checksum_ok(m));
	m->data_len--;
	assert_int_equal(pkt_parse(m, 1), PKT_SHORT_TRANSPORT);
	packet_free(m);
}

static void ip4_headers(void **state)
{
	struct packet_spec spec = { .length = 30 };
	struct patch longer[] = { { 16, 0 }, { 17, 73 } }, shorter[] = { { 16, 0 }, { 17, 19 } };

	(void)state;
	assert_int_equal(patched(&spec, 14, 0x65), PKT_BAD_VERSION);
	assert_int_equal(patched(&spec, 14, 0x44), PKT_BAD_HEADER_LENGTH);
	assert_int_equal(patched(&spec, 14, 0x4f), PKT_SHORT_IP);
	assert_int_equal(parse_patched(&spec, longer, 2, 0), PKT_SHORT_IP);
	assert_int_equal(parse_patched(&spec, shorter, 2, 0), PKT_SHORT_IP);
}

static void ip4_checksum_by_choice(void **state)
{
	struct packet_spec specs[] = { { .length = 30 }, { .length = 30, .vlan = { 3 } } };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct rte_mbuf *m = packet_build(&specs[i]);

		rte_pktmbuf_mtod(m, uint8_t *)[i ? 28 : 24] ^= 0x10;
		assert_int_equal(pkt_parse(m, 0), PKT_OK);
		assert_int_equal(pkt_parse(m, PARSE_VERIFY_IP_CHECKSUM), PKT_BAD_CHECKSUM);
		packet_free(m);
	}
}

static void ip4_addresses(void **state)
{
	static const char *const bad_sources[] = { "224.0.0.1",       "239.255.255.255", "127.0.0.1",
		                                   "255.255.255.255", "0.0.0.0",         "0.1.2.3" };
	static const char *const bad_destinations[] = { "0.0.0.0", "0.9.9.9", "127.0.0.1", "127.255.1.1" };
	struct pkt p;

	(void)state;
	for (unsigned i = 0; i < RTE_DIM(bad_sources); i++)
		assert_int_equal(kind_of(&(struct packet_spec){ .src = bad_sources[i] }), PKT_BAD_ADDRESS);
	for (unsigned i = 0; i < RTE_DIM(bad_destinations); i++)
		assert_int_equal(kind_of(&(struct packet_spec){ .dst = bad_destinations[i] }),
		                 PKT_BAD_ADDRESS);
	p = parsed(&(struct packet_spec){ .src = "0.0.0.0", .dst = "255.255.255.255", .length = 30 });
	assert_int_equal(p.flags, PKT_V4 | PKT_MULTICAST);
	p = parsed(&(struct packet_spec){ .dst = "224.0.0.5", .length = 30 });
	assert_int_equal(p.flags, PKT_V4 | PKT_MULTICAST);
	p = parsed(&(struct packet_spec){ .src = "240.0.0.1", .dst = "223.255.255.255", .length = 30 });
	assert_int_equal(p.flags, PKT_V4);
}

static void ip6_addresses(void **state)
{
	struct pkt p;

	(void)state;
	assert_int_equal(kind_of(&(struct packet_spec){ .src = "ff02::1" }), PKT_BAD_ADDRESS);
	assert_int_equal(kind_of(&(struct packet_spec){ .src = "::1" }), PKT_BAD_ADDRESS);
	assert_int_equal(kind_of(&(struct packet_spec){ .src = "::" }), PKT_BAD_ADDRESS);
	assert_int_equal(kind_of(&(struct packet_spec){ .src = "fe80::1", .dst = "::1" }), PKT_BAD_ADDRESS);
	assert_int_equal(kind_of(&(struct packet_spec){ .src = "fe80::1", .dst = "::" }), PKT_BAD_ADDRESS);
	p = parsed(&(struct packet_spec){ .src = "::", .dst = "ff02::1:ff00:1" });
	assert_int_equal(p.flags, PKT_V6 | PKT_MULTICAST);
}

static void ip6_headers(void **state)
{
	struct packet_spec spec = { .src = "2001:db8::1", .length = 30 };

	(void)state;
	assert_int_equal(patched(&spec, 14, 0x45), PKT_BAD_VERSION);
	assert_int_equal(patched(&spec, 19, 39), PKT_SHORT_IP);
	assert_int_equal(patched(&spec, 19, 7), PKT_SHORT_TRANSPORT);
}

/* Extension headers of 8 bytes each, of the types given; the last names `next`. */
static struct packet_spec chain(uint8_t *bytes, const uint8_t *types, unsigned n, uint8_t next)
{
	memset(bytes, 0, 8 * n);
	for (unsigned i = 0; i < n; i++) {
		bytes[8 * i] = i + 1 < n ? types[i + 1] : next;
		bytes[8 * i + 2] = types[i] == IPPROTO_ROUTING ? 2 : 0;
	}
	return (struct packet_spec){
		.src = "2001:db8::1",
		.proto = next,
		.options = bytes,
		.options_length = (uint16_t)(8 * n),
		.options_first = types[0],
		.length = 8,
	};
}

static void extension_chains(void **state)
{
	static const uint8_t all[] = { 0, 60, 43, 60 }, hop_late[] = { 60, 0 }, hop_twice[] = { 0, 0 };
	static const uint8_t routed_twice[] = { 43, 43 }, three[] = { 60, 60, 60 };
	uint8_t bytes[64];
	struct packet_spec spec = chain(bytes, all, 4, IPPROTO_TCP);
	struct pkt p = parsed(&spec);

	(void)state;
	assert_int_equal(p.flags, PKT_V6 | PKT_OPTIONS);
	assert_int_equal(p.l4, 14 + 40 + 32);
	assert_int_equal(p.proto, IPPROTO_TCP);
	assert_int_equal(p.dport, htons(2000));
	spec = chain(bytes, hop_late, 2, IPPROTO_UDP);
	assert_int_equal(kind_of(&spec), PKT_BAD_EXTENSION);
	spec = chain(bytes, hop_twice, 2, IPPROTO_UDP);
	assert_int_equal(kind_of(&spec), PKT_BAD_EXTENSION);
	spec = chain(bytes, routed_twice, 2, IPPROTO_UDP);
	assert_int_equal(kind_of(&spec), PKT_BAD_EXTENSION);
	spec = chain(bytes, three, 3, IPPROTO_UDP);
	assert_int_equal(kind_of(&spec), PKT_BAD_EXTENSION);
}

static void extension_bounds(void **state)
{
	uint8_t large[264] = { IPPROTO_UDP, 31 };
	struct packet_spec spec = {
		.src = "2001:db8::1", .options = large, .options_length = 256, .options_first = 60
	};
	uint8_t route[8] = { IPPROTO_UDP, 0, 0, 1 };

	(void)state;
	assert_int_equal(parsed(&spec).l4, 14 + 40 + 256);
	large[1] = 32;
	spec.options_length = 264;
	assert_int_equal(kind_of(&spec), PKT_BAD_EXTENSION);
	large[1] = 5; /* points beyond the packet */
	spec = (struct packet_spec){
		.src = "2001:db8::1", .proto = 60, .options = large, .options_length = 8
	};
	spec.options_first = 60;
	assert_int_equal(kind_of(&spec), PKT_BAD_EXTENSION);
	spec = (struct packet_spec){ .src = "2001:db8::1", .options = route, .options_length = 8 };
	spec.options_first = 43;
	assert_int_equal(kind_of(&spec), PKT_BAD_EXTENSION);
	route[3] = 0;
	assert_int_equal(kind_of(&spec), PKT_OK);
	assert_int_equal(parsed(&(struct packet_spec){ .src = "fe80::1", .proto = 59 }).proto, 59);
	assert_int_equal(parsed(&(struct packet_spec){ .src = "fe80::1", .proto = 51, .length = 20 }).proto,
	                 51);
}

static void ip4_options(void **state)
{
	static const uint8_t options[8] = { 1, 1, 1, 1, 148, 4, 0, 0 };
	struct pkt p = parsed(&(struct packet_spec){ .options = options, .options_length = 8, .length = 30 });

	(void)state;
	assert_int_equal(p.flags, PKT_V4 | PKT_OPTIONS);
	assert_int_equal(p.l4, 42);
	assert_int_equal(p.dport, htons(2000));
}

static void tcp_refusals(void **state)
{
	struct packet_spec spec = { .proto = IPPROTO_TCP, .length = 4 };
	struct patch no_sport[] = { { 34, 0 }, { 35, 0 } }, no_dport[] = { { 36, 0 }, { 37, 0 } };
	struct patch cut[] = { { 17, 39 } };

	(void)state;
	assert_int_equal(patched(&spec, 46, 4 << 4), PKT_BAD_TRANSPORT);
	assert_int_equal(patched(&spec, 46, 7 << 4), PKT_BAD_TRANSPORT);
	assert_int_equal(patched(&spec, 46, 6 << 4), PKT_OK);
	assert_int_equal(parse_patched(&spec, no_sport, 2, 0), PKT_BAD_TRANSPORT);
	assert_int_equal(parse_patched(&spec, no_dport, 2, 0), PKT_BAD_TRANSPORT);
	assert_int_equal(parse_patched(&spec, cut, 1, 0), PKT_SHORT_TRANSPORT);
}

static void tcp_flags(void **state)
{
	struct packet_spec spec = { .proto = IPPROTO_TCP, .length = 4 };

	(void)state;
	for (unsigned flags = 0; flags < 256; flags++) {
		bool fin = flags & 1, syn = flags & 2, rst = flags & 4, ack = flags & 16;
		bool good = fin + syn + rst <= 1 && (syn || rst || ack);

		assert_int_equal(patched(&spec, 47, (uint8_t)flags), good ? PKT_OK : PKT_BAD_FLAGS);
		spec.vlan[0] = 9;
		assert_int_equal(patched(&spec, 51, (uint8_t)flags), good ? PKT_OK : PKT_BAD_FLAGS);
		spec.vlan[0] = 0;
	}
}

static void udp_refusals(void **state)
{
	struct packet_spec spec = { .length = 30 };

	(void)state;
	assert_int_equal(patched(&spec, 39, 7), PKT_BAD_TRANSPORT);
	assert_int_equal(patched(&spec, 39, 39), PKT_BAD_TRANSPORT);
	assert_int_equal(patched(&spec, 39, 8), PKT_OK);
	assert_int_equal(patched(&spec, 17, 27), PKT_SHORT_TRANSPORT);
}

static void icmp_queries(void **state)
{
	struct packet_spec spec = { .proto = IPPROTO_ICMP, .icmp_type = 8, .icmp_id = 77, .length = 20 };
	struct pkt p = parsed(&spec);

	(void)state;
	assert_int_equal(p.flags, PKT_V4 | PKT_ICMP_QUERY);
	assert_int_equal(p.sport, htons(77));
	assert_int_equal(p.dport, htons(77));
	assert_int_equal(p.icmp_type, 8);
	assert_int_equal(patched(&spec, 17, 27), PKT_SHORT_TRANSPORT);
	spec = (struct packet_spec){ .src = "fe80::1", .proto = 58, .icmp_type = 129, .icmp_id = 78 };
	p = parsed(&spec);
	assert_int_equal(p.flags, PKT_V6 | PKT_ICMP_QUERY);
	assert_int_equal(p.sport, htons(78));
	spec.icmp_type = 135;
	p = parsed(&spec);
	assert_int_equal(p.flags, PKT_V6);
	assert_int_equal(p.sport, 0);
}

static void tuples(void **state)
{
	struct packet_spec spec = { .src = "2001:db8::1", .dst = "2001:db8::7" };
	struct packet_spec inner = { .src = "10.0.0.1", .dst = "10.0.0.2" };
	struct rte_mbuf *m = packet_parsed(&spec);
	struct tuple t, back;

	(void)state;
	pkt_of(m)->zone = 5;
	pkt_tuple(m, &t);
	assert_int_equal(t.family, FAMILY_V6);
	assert_int_equal(t.src.bytes[15], 1);
	assert_int_equal(t.dst.bytes[15], 7);
	assert_int_equal(t.zone, 5);
	assert_int_equal(t.proto, IPPROTO_UDP);
	packet_free(m);
	m = packet_parsed(&inner);
	pkt_tuple(m, &t);
	packet_free(m);
	m = error_about(&inner, 3, 0);
	assert_int_equal(pkt_parse(m, 1), PKT_OK);
	pkt_tuple(m, &back);
	t = tuple_reverse(&t);
	assert_true(tuple_equal(&t, &back));
	packet_free(m);
}

static void every_kind_has_a_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PKT_MALFORMED_KINDS; i++)
		assert_non_null(pkt_malformed_names[i]);
}

static int nothing_left(void **state)
{
	(void)state;
	return packet_live() != 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_tcp),
		cmocka_unit_test(padding_lies_beyond_the_end),
		cmocka_unit_test(short_udp_without_padding),
		cmocka_unit_test(quick_and_general_path_agree),
		cmocka_unit_test(tags),
		cmocka_unit_test(not_ip),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(segments),
		cmocka_unit_test(ip4_headers),
		cmocka_unit_test(ip4_checksum_by_choice),
		cmocka_unit_test(ip4_addresses),
		cmocka_unit_test(ip6_addresses),
		cmocka_unit_test(ip6_headers),
		cmocka_unit_test(extension_chains),
		cmocka_unit_test(extension_bounds),
		cmocka_unit_test(ip4_options),
		cmocka_unit_test(tcp_refusals),
		cmocka_unit_test(tcp_flags),
		cmocka_unit_test(udp_refusals),
		cmocka_unit_test(icmp_queries),
		cmocka_unit_test(tuples),
		cmocka_unit_test(every_kind_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, nothing_left);
}
