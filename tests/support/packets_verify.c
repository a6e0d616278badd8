/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checks of frames by plain code: see packets.h. Reads the bytes alone, never struct pkt.
 */
#include <netinet/in.h>
#include <stdio.h>

#include "support/packets.h"

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

uint16_t packet_sum(const uint8_t *bytes, size_t length, uint32_t start)
{
	uint64_t sum = start;

	for (size_t i = 0; i < length; i++)
		sum += i % 2 ? bytes[i] : (uint64_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)sum;
}

static bool right(bool ok, const char *what)
{
	if (!ok)
		fprintf(stderr, "wrong checksum: %s\n", what);
	return ok;
}

/* Addresses: `pairs` bytes of source and destination. */
static bool transport_right(uint8_t proto, const uint8_t *l4, size_t length, const uint8_t *addresses,
                            size_t pairs)
{
	uint32_t pseudo;

	if (proto == IPPROTO_ICMP && pairs == 8)
		return right(packet_sum(l4, length, 0) == 0xffff, "ICMP");
	if (proto == IPPROTO_UDP && get16(l4 + 6) == 0)
		return right(pairs == 8, "UDP, none over IPv6");
	if (proto == IPPROTO_UDP)
		length = get16(l4 + 4);
	pseudo = packet_sum(addresses, pairs, (uint32_t)(proto + length));
	if (proto == IPPROTO_TCP)
		return right(packet_sum(l4, length, pseudo) == 0xffff, "TCP");
	if (proto == IPPROTO_UDP)
		return right(packet_sum(l4, length, pseudo) == 0xffff, "UDP");
	if (proto == IPPROTO_ICMPV6 && pairs == 32)
		return right(packet_sum(l4, length, pseudo) == 0xffff, "ICMPv6");
	return true;
}

static bool ip4_right(const uint8_t *ip)
{
	size_t header = (ip[0] & 15) * 4;

	if (!right(packet_sum(ip, header, 0) == 0xffff, "IPv4 header"))
		return false;
	if (get16(ip + 6) & 0x3fff)
		return true;
	return transport_right(ip[9], ip + header, get16(ip + 2) - header, ip + 12, 8);
}

static bool ip6_right(const uint8_t *ip)
{
	size_t at = 40, end = 40u + get16(ip + 4);
	uint8_t next = ip[6];

	while (next == 0 || next == 43 || next == 44 || next == 60) {
		if (next == 44 && get16(ip + at + 2) & 0xfff9)
			return true;
		next = ip[at];
		at += ip[at + 1] * 8 + 8;
	}
	return transport_right(next, ip + at, end - at, ip + 8, 32);
}

bool packet_checksums_right(const struct rte_mbuf *m)
{
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, 14);

	while (get16(ip - 2) == 0x8100 || get16(ip - 2) == 0x88a8 || get16(ip - 2) == 0x9100)
		ip += 4;
	return get16(ip - 2) == 0x0800 ? ip4_right(ip) : ip6_right(ip);
}

void packet_dump(const char *title, const struct rte_mbuf *m)
{
	const uint8_t *bytes = rte_pktmbuf_mtod(m, const uint8_t *);

	fprintf(stderr, "%s, %u bytes:", title, m->data_len);
	for (unsigned i = 0; i < m->data_len; i++)
		fprintf(stderr, "%s%02x", i % 16 ? " " : "\n  ", bytes[i]);
	fprintf(stderr, "\n");
}

bool packet_same(const struct rte_mbuf *a, const struct rte_mbuf *b)
{
	if (a->data_len == b->data_len &&
	    memcmp(rte_pktmbuf_mtod(a, void *), rte_pktmbuf_mtod(b, void *), a->data_len) == 0)
		return true;
	packet_dump("this", a);
	packet_dump("that", b);
	return false;
}
