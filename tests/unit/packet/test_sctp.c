/* SPDX-License-Identifier: BSD-3-Clause */
/* SCTP packets: what the parser takes and refuses, ports behind ICMP errors, the CRC32c over segments, rewrites that leave it alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "packet/rewrite.h"
#include "packet/sctp.h"
#include "support/packets.h"

/* Common header 1000 to 2000 with tag 0x01020304, then chunks. */
#define HEADER(tag) 0x03, 0xe8, 0x07, 0xd0, tag, tag, tag, tag, 0, 0, 0, 0

static enum pkt_malformed parse(const uint8_t *bytes, uint16_t length, struct rte_mbuf **m)
{
	struct packet_spec spec = { .proto = IPPROTO_SCTP, .payload = bytes, .length = length };

	*m = packet_build(&spec);
	return pkt_parse(*m, PARSE_VERIFY_IP_CHECKSUM);
}

static void expect(enum pkt_malformed kind, const uint8_t *bytes, uint16_t length)
{
	struct rte_mbuf *m;

	assert_int_equal(parse(bytes, length, &m), kind);
	packet_free(m);
}
#define EXPECT(kind, ...)                                     \
	do {                                                  \
		const uint8_t bytes[] = { __VA_ARGS__ };      \
		expect(kind, bytes, (uint16_t)sizeof(bytes)); \
	} while (0)

#define INIT_BODY 1, 1, 1, 1, 0, 0, 5, 220, 0, 1, 0, 1, 0, 0, 0, 1

static void takes(void **state)
{
	const uint8_t data[] = { HEADER(1), 0, 3, 0, 17,  0, 0, 0, 1, 0, 0, 0, 0,
		                 0,         0, 0, 0, 'x', 0, 0, 0, 3, 0, 0, 4 };
	struct rte_mbuf *m;

	(void)state;
	assert_int_equal(parse(data, sizeof(data), &m), PKT_OK);
	assert_int_equal(pkt_of(m)->sport, rte_cpu_to_be_16(1000));
	assert_int_equal(pkt_of(m)->dport, rte_cpu_to_be_16(2000));
	assert_int_equal(pkt_of(m)->sctp_chunk, SCTP_DATA);
	packet_free(m);
	EXPECT(PKT_OK, HEADER(0), SCTP_INIT, 0, 0, 20, INIT_BODY);
	EXPECT(PKT_OK, HEADER(1), SCTP_INIT_ACK, 0, 0, 20, INIT_BODY);
	EXPECT(PKT_OK, HEADER(1), SCTP_COOKIE_ECHO, 0, 0, 8, 1, 2, 3, 4, SCTP_DATA, 3, 0, 4);
}

static void refuses(void **state)
{
	(void)state;
	EXPECT(PKT_SHORT_TRANSPORT, HEADER(1));
	EXPECT(PKT_SHORT_TRANSPORT, HEADER(1), 0, 0, 0);
	EXPECT(PKT_BAD_TRANSPORT, 0, 0, 7, 0xd0, 1, 1, 1, 1, 0, 0, 0, 0, SCTP_SACK, 0, 0, 4);
	EXPECT(PKT_BAD_TRANSPORT, 7, 0xd0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, SCTP_SACK, 0, 0, 4);
	EXPECT(PKT_BAD_TRANSPORT, HEADER(1), SCTP_SACK, 0, 0, 3);
	EXPECT(PKT_BAD_TRANSPORT, HEADER(1), SCTP_SACK, 0, 0, 5);
	EXPECT(PKT_BAD_TRANSPORT, HEADER(1), SCTP_SACK, 0, 0, 4, 0, 0, 0, 0);
	EXPECT(PKT_BAD_TRANSPORT, HEADER(1), SCTP_SACK, 0, 0, 4, 3);
	EXPECT(PKT_BAD_TRANSPORT, HEADER(0), SCTP_SACK, 0, 0, 4);
	EXPECT(PKT_BAD_TRANSPORT, HEADER(1), SCTP_INIT, 0, 0, 20, INIT_BODY);
	EXPECT(PKT_BAD_TRANSPORT, HEADER(0), SCTP_INIT, 0, 0, 16, 1, 1, 1, 1, 0, 0, 5, 220, 0, 1, 0, 1);
	EXPECT(PKT_BAD_TRANSPORT, HEADER(0), SCTP_INIT, 0, 0, 20, 0, 0, 0, 0, 0, 0, 5, 220, 0, 1, 0, 1, 0, 0,
	       0, 1);
	EXPECT(PKT_BAD_TRANSPORT, HEADER(0), SCTP_INIT, 0, 0, 20, INIT_BODY, SCTP_DATA, 3, 0, 4);
	EXPECT(PKT_BAD_TRANSPORT, HEADER(1), SCTP_SACK, 0, 0, 4, SCTP_SHUTDOWN_COMPLETE, 0, 0, 4);
}

/* The first fragment of a long DATA chunk: its chunk ends elsewhere, and its CRC cannot be known. */
static void fragments(void **state)
{
	const uint8_t data[] = { HEADER(1), 0, 3, 5, 0,   0, 0, 0, 1, 0, 0, 0, 0,
		                 0,         0, 0, 0, 'x', 0, 0, 0, 3, 0, 0, 4 };
	struct packet_spec spec = { .proto = IPPROTO_SCTP, .payload = data, .length = 32, .more = true };
	struct rte_mbuf *m = packet_parsed(&spec);

	(void)state;
	assert_int_equal(pkt_of(m)->dport, rte_cpu_to_be_16(2000));
	assert_true(pkt_transport_checksum_ok(m));
	packet_free(m);
	spec.length = 8;
	m = packet_build(&spec);
	assert_int_equal(pkt_parse(m, 0), PKT_BAD_FRAGMENT);
	packet_free(m);
}

/* Over segments cut anywhere, and after a bit has changed. */
static void crc(void **state)
{
	uint8_t data[12 + 32] = { HEADER(1), 0, 3, 0, 32 };
	struct rte_mbuf *m;

	(void)state;
	assert_int_equal(parse(data, sizeof(data), &m), PKT_OK);
	pkt_checksums(m);
	assert_true(pkt_transport_checksum_ok(m));
	for (uint16_t at = pkt_of(m)->l4 + 13; at < pkt_of(m)->end; at += 7) {
		struct rte_mbuf *copy = packet_clone(m);

		packet_split(copy, at);
		assert_true(pkt_transport_checksum_ok(copy));
		*(uint8_t *)pkt_at(copy, (uint16_t)(at - 1)) ^= 4;
		assert_false(pkt_transport_checksum_ok(copy));
		packet_free(copy);
	}
	packet_free(m);
}

/* An INIT as another implementation (scapy) makes it. */
static void known_crc(void **state)
{
	const uint8_t init[] = { 0x03, 0xe8, 0x07, 0xd0,      0, 0, 0,  0,        0x67,
		                 0x19, 0x90, 0xcd, SCTP_INIT, 0, 0, 20, INIT_BODY };
	struct rte_mbuf *m;

	(void)state;
	assert_int_equal(parse(init, sizeof(init), &m), PKT_OK);
	assert_true(pkt_transport_checksum_ok(m));
	packet_free(m);
}

static void rewrites(void **state)
{
	uint8_t data[] = { HEADER(1), SCTP_SACK, 0, 0, 4 };
	struct rte_mbuf *m;
	struct edit4 edit;

	(void)state;
	assert_int_equal(parse(data, sizeof(data), &m), PKT_OK);
	pkt_checksums(m);
	edit4_prepare(&edit, pkt_ip4(m)->src_addr, pkt_of(m)->sport, RTE_BE32(0xc6336401), pkt_of(m)->sport);
	pkt_apply_src4(m, &edit);
	assert_int_equal(pkt_ip4(m)->src_addr, RTE_BE32(0xc6336401));
	assert_true(pkt_transport_checksum_ok(m));
	assert_true(packet_checksums_right(m));
	packet_free(m);
}

/* Destination unreachable about a packet from 10.0.0.2:2000 to 10.0.0.1:1000. */
static void behind_icmp(void **state)
{
	uint8_t quote[28] = { 0x45, 0, 0, 60, 0,  0, 0, 0, 60,   IPPROTO_SCTP, 0,    0,
		              10,   0, 0, 2,  10, 0, 0, 1, 0x07, 0xd0,         0x03, 0xe8 };
	struct packet_spec spec = { .proto = IPPROTO_ICMP,
		                    .icmp_type = 3,
		                    .icmp_code = 1,
		                    .payload = quote,
		                    .length = sizeof(quote) };
	struct rte_mbuf *m = packet_parsed(&spec);
	struct tuple t;

	(void)state;
	pkt_tuple(m, &t);
	assert_int_equal(t.proto, IPPROTO_SCTP);
	assert_int_equal(t.sport, rte_cpu_to_be_16(1000));
	assert_int_equal(t.dport, rte_cpu_to_be_16(2000));
	packet_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes),       cmocka_unit_test(refuses),   cmocka_unit_test(fragments),
		cmocka_unit_test(crc),         cmocka_unit_test(known_crc), cmocka_unit_test(rewrites),
		cmocka_unit_test(behind_icmp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
