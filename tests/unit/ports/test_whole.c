/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames whose sender left checksums and segmentation to its device: every segment must parse, have right checksums (by
 * code that shares nothing with what is tested) and together they must be the payload.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <rte_ether.h>

#include "support/packets.h"
#include "port/whole.h"

enum { GSO_UDP_L4 = 5 };

static struct whole whole;

/* Sum of the pseudo header, which a sender leaves in the checksum field. */
static uint16_t pseudo(const uint8_t *ip, uint8_t proto, uint32_t length)
{
	bool v4 = ip[0] >> 4 == 4;
	uint8_t bytes[40] = { 0 };
	size_t addresses = v4 ? 8 : 32;

	memcpy(bytes, ip + (v4 ? 12 : 8), addresses);
	bytes[addresses + 1] = proto;
	bytes[addresses + 2] = (uint8_t)(length >> 8);
	bytes[addresses + 3] = (uint8_t)length;
	return packet_sum(bytes, addresses + 4, 0);
}

/* The frame of a spec as its sender would leave it; where its transport header begins. */
static uint16_t leave_undone(const struct rte_mbuf *m, uint8_t *frame, uint16_t at)
{
	const struct pkt *p = (const struct pkt *)(m + 1);
	uint16_t sum;

	memcpy(frame, rte_pktmbuf_mtod(m, void *), rte_pktmbuf_pkt_len(m));
	sum = pseudo(frame + p->l3, p->proto, rte_pktmbuf_pkt_len(m) - p->l4);
	frame[p->l4 + at] = (uint8_t)(sum >> 8);
	frame[p->l4 + at + 1] = (uint8_t)sum;
	return p->l4;
}

static void finishes_checksums(void **state)
{
	static const struct packet_spec specs[] = {
		{ .proto = IPPROTO_TCP, .length = 101 },
		{ .proto = IPPROTO_UDP, .length = 101 },
		{ .src = "fd00::1", .dst = "fd00::2", .proto = IPPROTO_TCP, .length = 1000 },
		{ .src = "fd00::1", .dst = "fd00::2", .proto = IPPROTO_UDP, .length = 1, .vlan = { 7 } },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(specs) / sizeof(*specs); i++) {
		struct rte_mbuf *right = packet_parsed(&specs[i]), *m = packet_clone(right);
		uint16_t at = specs[i].proto == IPPROTO_TCP ? 16 : 6;
		struct virtio_net_hdr header = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_offset = at };

		header.csum_start = leave_undone(right, rte_pktmbuf_mtod(m, uint8_t *), at);
		assert_false(packet_checksums_right(m));
		assert_true(whole_checksum(rte_pktmbuf_mtod(m, uint8_t *), rte_pktmbuf_pkt_len(m), &header));
		assert_true(packet_same(m, right));
		packet_free(m);
		packet_free(right);
	}
}

/* Where nothing is said beside the frame: what is undone is found and finished, and nothing else is touched. */
static void finds_partial_checksums(void **state)
{
	static const struct packet_spec specs[] = {
		{ .proto = IPPROTO_TCP, .length = 101, .vlan = { 7, 8 } },
		{ .proto = IPPROTO_UDP, .length = 1, .pad = 20 },
		{ .src = "fd00::1", .dst = "fd00::2", .proto = IPPROTO_TCP, .length = 1000 },
		{ .src = "fd00::1", .dst = "fd00::2", .proto = IPPROTO_UDP, .length = 33 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(specs) / sizeof(*specs); i++) {
		struct rte_mbuf *right = packet_parsed(&specs[i]), *m = packet_clone(right);
		uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
		struct pkt *p = pkt_of(right);

		whole_partial(frame, m->pkt_len);
		assert_true(packet_same(m, right));
		frame[p->l4 + 3] ^= 1; /* wrong on purpose is not undone */
		whole_partial(frame, m->pkt_len);
		frame[p->l4 + 3] ^= 1;
		assert_true(packet_same(m, right));
		right->pkt_len = right->data_len = (uint16_t)p->end;
		leave_undone(right, frame, specs[i].proto == IPPROTO_TCP ? 16 : 6);
		right->pkt_len = right->data_len = m->data_len;
		assert_false(packet_checksums_right(m));
		whole_partial(frame, m->pkt_len);
		assert_true(packet_same(m, right));
		packet_free(m);
		packet_free(right);
	}
}

static void partial_checksums_of_nonsense(void **state)
{
	const struct packet_spec spec = { .proto = IPPROTO_TCP, .length = 40 };
	struct rte_mbuf *m = packet_build(&spec);

	(void)state;
	for (uint16_t length = 0; length < m->data_len; length++) {
		struct rte_mbuf *tight = packet_tight(rte_pktmbuf_mtod(m, void *), length);

		whole_partial(rte_pktmbuf_mtod(tight, uint8_t *), length);
		for (uint16_t at = 14; at < 54 && at < length; at++) {
			rte_pktmbuf_mtod(tight, uint8_t *)[at] = 0xff;
			whole_partial(rte_pktmbuf_mtod(tight, uint8_t *), length);
		}
		packet_free(tight);
	}
	packet_free(m);
}

/* RFC 9260, appendix A, by bits. */
static uint32_t crc32c(const uint8_t *bytes, size_t length)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < length; i++) {
		crc ^= bytes[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
	}
	return ~crc;
}

static void finishes_sctp(void **state)
{
	struct virtio_net_hdr header = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		                         .csum_start = 34,
		                         .csum_offset = 8 };
	uint8_t frame[90], packet[56];
	uint32_t crc;

	(void)state;
	for (unsigned i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 7);
	memcpy(packet, frame + 34, sizeof(packet));
	memset(packet + 8, 0, 4);
	crc = crc32c(packet, sizeof(packet));
	assert_true(whole_checksum(frame, sizeof(frame), &header));
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(frame[42 + i], crc >> 8 * i & 0xff);
}

/* Cuts a frame of that payload; checks each segment and that they add up. Answers their number. */
static unsigned cut(struct packet_spec spec, uint8_t kind, uint16_t size)
{
	struct rte_mbuf *big = packet_parsed(&spec);
	bool tcp = spec.proto == IPPROTO_TCP;
	struct virtio_net_hdr header = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		                         .gso_type = kind,
		                         .gso_size = size,
		                         .csum_offset = tcp ? 16 : 6 };
	uint32_t at = 0, payload;
	unsigned number = 0;

	header.csum_start = leave_undone(big, whole.frame, header.csum_offset);
	whole.length = rte_pktmbuf_pkt_len(big);
	payload = header.csum_start + (tcp ? 20 : 8);
	assert_true(whole_begin(&whole, &header));
	while (whole_busy(&whole)) {
		struct rte_mbuf *m = packet_new();
		struct rte_tcp_hdr *head;
		uint32_t bytes;

		assert_true(whole_next(&whole, m));
		bytes = rte_pktmbuf_pkt_len(m) - payload;
		assert_true(bytes == size || (!whole_busy(&whole) && bytes <= size));
		assert_int_equal(pkt_parse(m, PARSE_VERIFY_IP_CHECKSUM), PKT_OK);
		assert_int_equal(pkt_of(m)->end, rte_pktmbuf_pkt_len(m));
		assert_true(packet_checksums_right(m));
		assert_memory_equal(rte_pktmbuf_mtod_offset(m, uint8_t *, payload),
		                    rte_pktmbuf_mtod_offset(big, uint8_t *, payload + at), bytes);
		head = rte_pktmbuf_mtod_offset(m, struct rte_tcp_hdr *, header.csum_start);
		if (tcp) {
			uint8_t flags = spec.tcp_flags;

			flags &=
			        (uint8_t)(whole_busy(&whole) ? ~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG) : 0xff);
			flags &= (uint8_t)(number ? ~RTE_TCP_CWR_FLAG : 0xff);
			assert_int_equal(rte_be_to_cpu_32(head->sent_seq), spec.seq + at);
			assert_int_equal(head->tcp_flags, flags);
		}
		at += bytes;
		number++;
		packet_free(m);
	}
	assert_int_equal(at, spec.length);
	packet_free(big);
	return number;
}

static void cuts_tcp(void **state)
{
	struct packet_spec spec = { .proto = IPPROTO_TCP,
		                    .length = 40000,
		                    .seq = UINT32_MAX - 5000,
		                    .id = 65530,
		                    .tcp_flags = RTE_TCP_ACK_FLAG | RTE_TCP_PSH_FLAG | RTE_TCP_FIN_FLAG |
		                                 RTE_TCP_CWR_FLAG };

	(void)state;
	assert_int_equal(cut(spec, VIRTIO_NET_HDR_GSO_TCPV4, 1448), 28);
	spec.length = 2896; /* the last segment is full */
	assert_int_equal(cut(spec, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN, 1448), 2);
	spec.length = 1449; /* ... or one byte */
	assert_int_equal(cut(spec, VIRTIO_NET_HDR_GSO_TCPV4, 1448), 2);
	spec.vlan[0] = 10;
	spec.vlan[1] = 20;
	assert_int_equal(cut(spec, VIRTIO_NET_HDR_GSO_TCPV4, 1000), 2);
	spec.src = "fd00::1";
	spec.dst = "fd00::2";
	spec.length = 40001;
	assert_int_equal(cut(spec, VIRTIO_NET_HDR_GSO_TCPV6, 1428), 29);
}

static void cuts_udp(void **state)
{
	struct packet_spec spec = { .proto = IPPROTO_UDP, .length = 10000 };

	(void)state;
	assert_int_equal(cut(spec, GSO_UDP_L4, 1472), 7);
	spec.src = "fd00::1";
	spec.dst = "fd00::2";
	assert_int_equal(cut(spec, GSO_UDP_L4, 1400), 8);
}

/* Each IPv4 segment has an identification of its own. */
static void numbers_segments(void **state)
{
	struct packet_spec spec = { .proto = IPPROTO_TCP, .length = 3000, .id = 65535 };
	struct rte_mbuf *big = packet_parsed(&spec);
	struct virtio_net_hdr header = {
		VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4, 0, 1448, 0, 16
	};

	(void)state;
	header.csum_start = leave_undone(big, whole.frame, 16);
	whole.length = rte_pktmbuf_pkt_len(big);
	assert_true(whole_begin(&whole, &header));
	for (uint16_t id = 65535; whole_busy(&whole); id++) {
		struct rte_mbuf *m = packet_new();

		assert_true(whole_next(&whole, m));
		assert_int_equal(
		        rte_be_to_cpu_16(rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, 14)->packet_id),
		        id);
		packet_free(m);
	}
	packet_free(big);
}

/* Headers from elsewhere are not believed: whatever they say, nothing outside the frame is touched (the sanitizer looks)
 * and what is begun ends. */
static void survives_nonsense(void **state)
{
	struct packet_spec spec = { .proto = IPPROTO_TCP, .length = 3000 };
	struct rte_mbuf *big = packet_parsed(&spec);

	(void)state;
	srandom(1);
	for (unsigned i = 0; i < 200000; i++) {
		struct virtio_net_hdr header = {
			.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.gso_type = (uint8_t)(random() % 6),
			.gso_size = (uint16_t)(random() % 3 ? random() % 3000 : random()),
			.csum_start = (uint16_t)(random() % 2 ? 34 : random() % 1200),
			.csum_offset = random() % 2 ? 16 : (uint16_t)(random() % 20)
		};
		unsigned segments = 0;

		leave_undone(big, whole.frame, 16);
		whole.length = (uint32_t)random() % (rte_pktmbuf_pkt_len(big) + 1);
		if (i % 3 == 0)
			whole.frame[random() % 60] = (uint8_t)random();
		if (!whole_begin(&whole, &header))
			assert_false(whole_busy(&whole));
		while (whole_busy(&whole)) {
			struct rte_mbuf *m = packet_new();

			whole_next(&whole, m);
			packet_free(m);
			assert_true(++segments <= 3000);
		}
	}
	packet_free(big);
}

static void refuses_what_lies_outside(void **state)
{
	uint8_t frame[64] = { 0 };
	struct virtio_net_hdr header = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		                         .csum_start = 60,
		                         .csum_offset = 6 };

	(void)state;
	assert_false(whole_checksum(frame, sizeof(frame), &header));
	header.csum_start = UINT16_MAX;
	header.csum_offset = UINT16_MAX;
	assert_false(whole_checksum(frame, sizeof(frame), &header));
	header.csum_start = 56;
	header.csum_offset = 8;
	assert_false(whole_checksum(frame, sizeof(frame), &header));
	header.flags = 0;
	assert_true(whole_checksum(frame, sizeof(frame), &header));
}

static void gives_up_what_does_not_fit(void **state)
{
	struct packet_spec spec = { .proto = IPPROTO_TCP, .length = 9000 };
	struct rte_mbuf *big = packet_parsed(&spec), *m = packet_new();
	struct virtio_net_hdr header = {
		VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4, 0, 4000, 0, 16
	};

	(void)state;
	header.csum_start = leave_undone(big, whole.frame, 16);
	whole.length = rte_pktmbuf_pkt_len(big);
	assert_true(whole_begin(&whole, &header));
	assert_false(whole_next(&whole, m));
	assert_false(whole_busy(&whole));
	packet_free(m);
	packet_free(big);
}

static int no_leak(void **state)
{
	(void)state;
	return packet_live() != 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(finishes_checksums, no_leak),
		cmocka_unit_test_teardown(finds_partial_checksums, no_leak),
		cmocka_unit_test_teardown(partial_checksums_of_nonsense, no_leak),
		cmocka_unit_test_teardown(finishes_sctp, no_leak),
		cmocka_unit_test_teardown(cuts_tcp, no_leak),
		cmocka_unit_test_teardown(cuts_udp, no_leak),
		cmocka_unit_test_teardown(numbers_segments, no_leak),
		cmocka_unit_test_teardown(survives_nonsense, no_leak),
		cmocka_unit_test_teardown(refuses_what_lies_outside, no_leak),
		cmocka_unit_test_teardown(gives_up_what_does_not_fit, no_leak),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
