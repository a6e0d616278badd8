/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rewrites of what an ICMP error quotes, for any quotation: nothing outside is touched or read, the error's
 * own checksum stays right, and struct pkt is what parsing the result gives. Input: family, type, two bytes
 * of the second word, the quotation, whose source becomes the error's destination: others are refused.
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "support/packets.h"

enum { HEAD = 4, MOST = 1400 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

/* The addresses of the errors that packet_build() makes go to. */
static void quote_destination(uint8_t *quote, size_t length, bool v6)
{
	static const uint8_t v4[4] = { 10, 0, 0, 2 }, six[16] = { 0x20, 1, 0x0d, 0xb8, [15] = 2 };

	if (v6 && length >= sizeof(struct rte_ipv6_hdr))
		memcpy(quote + offsetof(struct rte_ipv6_hdr, src_addr), six, sizeof(six));
	else if (!v6 && length >= sizeof(struct rte_ipv4_hdr))
		memcpy(quote + offsetof(struct rte_ipv4_hdr, src_addr), v4, sizeof(v4));
}

/* In a buffer of exactly its size. */
static struct rte_mbuf *error_of(const uint8_t *data, size_t size)
{
	uint8_t quote[MOST];
	struct packet_spec spec = {
		.src = data[0] & 1 ? "2001:db8::1" : "10.0.0.1",
		.proto = data[0] & 1 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
		.icmp_type = data[1],
		.icmp_id = (uint16_t)(data[2] << 8 | data[3]),
		.payload = quote,
		.length = (uint16_t)(size - HEAD),
	};
	struct rte_mbuf *built, *m;

	memcpy(quote, data + HEAD, size - HEAD);
	quote_destination(quote, size - HEAD, data[0] & 1);
	built = packet_build(&spec);
	m = packet_tight(rte_pktmbuf_mtod(built, void *), built->data_len);

	packet_free(built);
	return m;
}

static void check(struct rte_mbuf *m)
{
	struct pkt before = *pkt_of(m);

	require(packet_checksums_right(m));
	require(pkt_parse(m, PARSE_VERIFY_IP_CHECKSUM) == PKT_OK);
	require(memcmp(&before, pkt_of(m), sizeof(before)) == 0);
}

static void rewrite4(struct rte_mbuf *m)
{
	pkt_set_dst4(m, htonl(0xc0000201));
	pkt_inner_set_src4(m, htonl(0xc0000201), htons(40000));
	check(m);
	pkt_inner_set_dst4(m, htonl(0xc6336403), htons(80));
	check(m);
}

static void rewrite6(struct rte_mbuf *m)
{
	static const uint8_t address[16] = { 0x20, 1, 0x0d, 0xb8, 1, 2, 3, 4, [15] = 9 };

	pkt_set_dst6(m, address);
	pkt_inner_set_src6(m, address, htons(40000));
	check(m);
	pkt_inner_set_dst6(m, address, htons(80));
	check(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rte_mbuf *m;

	if (size < HEAD || size > MOST)
		return 0;
	m = error_of(data, size);
	if (pkt_parse(m, PARSE_VERIFY_IP_CHECKSUM) == PKT_OK && pkt_of(m)->flags & PKT_ICMP_ERROR) {
		if (pkt_of(m)->flags & PKT_V4)
			rewrite4(m);
		else
			rewrite6(m);
	}
	packet_free(m);
	return 0;
}
