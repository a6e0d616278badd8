/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parser on what is more than one header: ICMP errors with the packet that they quote, and fragments.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "helper_parse.h"

static enum pkt_malformed error_kind(const struct packet_spec *inner, uint8_t type, uint16_t quote,
                                     struct pkt *found)
{
	struct rte_mbuf *m = error_about(inner, type, quote);
	enum pkt_malformed kind = parse_bytes(m, 0, 0, found);

	packet_free(m);
	return kind;
}

static void icmp_errors(void **state)
{
	struct packet_spec inner = { .src = "10.0.0.1", .proto = IPPROTO_TCP, .length = 20 };
	struct pkt p;

	(void)state;
	assert_int_equal(error_kind(&inner, 3, 28, &p), PKT_OK);
	assert_int_equal(p.flags, PKT_V4 | PKT_ICMP_ERROR);
	assert_int_equal(p.proto, IPPROTO_TCP);
	assert_int_equal(p.sport, htons(2000));
	assert_int_equal(p.dport, htons(1000));
	assert_int_equal(p.icmp_type, 3);
	assert_int_equal(p.inner_l3, 42);
	assert_int_equal(p.inner_l4, 62);
	assert_int_equal(error_kind(&inner, 3, 27, &p), PKT_BAD_ICMP);
	assert_int_equal(error_kind(&inner, 11, 10, &p), PKT_BAD_ICMP);
	inner = (struct packet_spec){ .src = "10.0.0.1", .offset = 64, .length = 30 };
	assert_int_equal(error_kind(&inner, 11, 0, &p), PKT_OK);
	assert_int_equal(p.inner_l4, 0);
	assert_int_equal(p.sport | p.dport, 0);
	inner = (struct packet_spec){ .src = "10.0.0.1", .proto = 1, .icmp_type = 8, .icmp_id = 5 };
	assert_int_equal(error_kind(&inner, 11, 0, &p), PKT_OK);
	assert_int_equal(p.sport, htons(5));
	inner.icmp_type = 3;
	assert_int_equal(error_kind(&inner, 11, 0, &p), PKT_BAD_ICMP);
}

/* An error whose destination did not send what it quotes: it would pass by the sessions of another host. */
static void icmp_errors_to_another(void **state)
{
	struct packet_spec inner = { .src = "10.0.0.1", .proto = IPPROTO_TCP, .length = 20 };
	struct packet_spec inner6 = { .src = "2001:db8::1", .proto = IPPROTO_UDP, .length = 20 };
	struct rte_mbuf *m = error_about(&inner, 3, 0), *m6 = error_about(&inner6, 1, 0);
	struct pkt p;

	(void)state;
	assert_int_equal(parse_bytes(m, 0, 0, &p), PKT_OK);
	assert_int_equal(parse_bytes(m6, 0, 0, &p), PKT_OK);
	rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, 14)->dst_addr ^= rte_cpu_to_be_32(1);
	rte_pktmbuf_mtod_offset(m6, struct rte_ipv6_hdr *, 14)->dst_addr[15] ^= 1;
	assert_int_equal(parse_bytes(m, 0, 0, &p), PKT_BAD_ICMP);
	assert_int_equal(parse_bytes(m6, 0, 0, &p), PKT_BAD_ICMP);
	packet_free(m);
	packet_free(m6);
}

static void icmp6_errors(void **state)
{
	static const uint8_t options[8] = { IPPROTO_UDP };
	struct packet_spec inner = { .src = "2001:db8::1", .options = options, .options_length = 8 };
	struct pkt p;

	(void)state;
	inner.options_first = 60;
	inner.length = 20;
	assert_int_equal(error_kind(&inner, 2, 0, &p), PKT_OK);
	assert_int_equal(p.flags, PKT_V6 | PKT_ICMP_ERROR);
	assert_int_equal(p.inner_l3, 62);
	assert_int_equal(p.inner_l4, 110);
	assert_int_equal(p.proto, IPPROTO_UDP);
	assert_int_equal(p.sport, htons(2000));
	assert_int_equal(error_kind(&inner, 2, 55, &p), PKT_BAD_ICMP);
	assert_int_equal(error_kind(&inner, 2, 44, &p), PKT_BAD_ICMP);
	inner = (struct packet_spec){ .src = "2001:db8::1", .proto = 58, .icmp_type = 1 };
	assert_int_equal(error_kind(&inner, 3, 0, &p), PKT_BAD_ICMP);
	inner.icmp_type = 128;
	inner.icmp_id = 6;
	assert_int_equal(error_kind(&inner, 3, 0, &p), PKT_OK);
	assert_int_equal(p.dport, htons(6));
}

static void fragments4(void **state)
{
	struct packet_spec first = { .more = true, .length = 16 }, later = { .offset = 24, .length = 5 };
	struct packet_spec tiny = { .proto = IPPROTO_TCP, .more = true, .length = 4 };
	struct pkt p = parsed(&first);

	(void)state;
	assert_int_equal(p.flags, PKT_V4 | PKT_FRAGMENT);
	assert_int_equal(p.sport, htons(1000));
	p = parsed(&later);
	assert_int_equal(p.flags, PKT_V4 | PKT_FRAGMENT | PKT_LATER);
	assert_int_equal(p.l4, 34);
	assert_int_equal(p.sport, 0);
	later.more = true;
	assert_int_equal(kind_of(&later), PKT_BAD_FRAGMENT);
	later = (struct packet_spec){ .offset = 65528, .length = 8 };
	assert_int_equal(kind_of(&later), PKT_BAD_FRAGMENT);
	later = (struct packet_spec){ .offset = 24 };
	assert_int_equal(kind_of(&later), PKT_BAD_FRAGMENT);
	assert_int_equal(kind_of(&tiny), PKT_OK);
	assert_int_equal(patched(&tiny, 46, 7 << 4), PKT_BAD_FRAGMENT);
	assert_int_equal(patched(&tiny, 17, 36), PKT_BAD_FRAGMENT);
	later = (struct packet_spec){ .proto = IPPROTO_TCP, .offset = 8, .length = 20 };
	assert_int_equal(kind_of(&later), PKT_BAD_FRAGMENT);
	first = (struct packet_spec){ .proto = 1, .icmp_type = 3, .more = true, .length = 40 };
	assert_int_equal(kind_of(&first), PKT_BAD_ICMP);
}

static void fragments6(void **state)
{
	struct packet_spec first = { .src = "2001:db8::1", .more = true, .length = 16 };
	struct packet_spec later = { .src = "2001:db8::1", .offset = 24, .length = 5 };
	struct packet_spec atomic = { .src = "2001:db8::1", .atomic = true, .length = 16 };
	struct pkt p = parsed(&first);

	(void)state;
	assert_int_equal(p.flags, PKT_V6 | PKT_FRAGMENT | PKT_OPTIONS);
	assert_int_equal(p.l4, 62);
	assert_int_equal(p.sport, htons(1000));
	p = parsed(&later);
	assert_int_equal(p.flags, PKT_V6 | PKT_FRAGMENT | PKT_LATER | PKT_OPTIONS);
	assert_int_equal(p.l4, 62);
	p = parsed(&atomic);
	assert_int_equal(p.flags, PKT_V6 | PKT_OPTIONS);
	later.more = true;
	assert_int_equal(kind_of(&later), PKT_BAD_FRAGMENT);
	later = (struct packet_spec){ .src = "2001:db8::1", .offset = 65528, .length = 9 };
	assert_int_equal(kind_of(&later), PKT_BAD_FRAGMENT);
	first.length = 0;
	first.proto = IPPROTO_TCP;
	assert_int_equal(patched(&first, 19, 24), PKT_BAD_FRAGMENT);
}

static int nothing_left(void **state)
{
	(void)state;
	return packet_live() != 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(icmp_errors),  cmocka_unit_test(icmp_errors_to_another),
		cmocka_unit_test(icmp6_errors), cmocka_unit_test(fragments4),
		cmocka_unit_test(fragments6),
	};

	return cmocka_run_group_tests(tests, NULL, nothing_left);
}
