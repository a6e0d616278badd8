/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a frame to struct pkt: the quick path for whole IPv4 packets of TCP and UDP without options or tags,
 * and the general one from Ethernet on, which alone says why a packet is refused. Works on one packet, on the
 * thread that holds it; keeps nothing.
 */
#include <netinet/in.h>

#include <rte_ether.h>
#include <rte_prefetch.h>

#include "packet/parse_private.h"

enum {
	QUICK_L3 = RTE_ETHER_HDR_LEN,
	QUICK_L4 = QUICK_L3 + sizeof(struct rte_ipv4_hdr),
	QUICK_HAVE = QUICK_L4 + sizeof(struct rte_tcp_hdr),
	AHEAD = 4, /* packets between a prefetch and its use */
};

const char *const pkt_malformed_names[PKT_MALFORMED_KINDS] = {
	[PKT_OK] = "ok",
	[PKT_NOT_IP] = "not-ip",
	[PKT_SHORT_FRAME] = "short-frame",
	[PKT_SHORT_IP] = "short-ip",
	[PKT_BAD_VERSION] = "bad-version",
	[PKT_BAD_HEADER_LENGTH] = "bad-header-length",
	[PKT_BAD_CHECKSUM] = "bad-checksum",
	[PKT_BAD_ADDRESS] = "bad-address",
	[PKT_BAD_EXTENSION] = "bad-extension",
	[PKT_SHORT_TRANSPORT] = "short-transport",
	[PKT_BAD_TRANSPORT] = "bad-transport",
	[PKT_BAD_FLAGS] = "bad-flags",
	[PKT_BAD_ICMP] = "bad-icmp",
	[PKT_BAD_FRAGMENT] = "bad-fragment",
};

static bool is_tag(uint16_t ethertype)
{
	return ethertype == RTE_ETHER_TYPE_VLAN || ethertype == RTE_ETHER_TYPE_QINQ ||
	       ethertype == RTE_ETHER_TYPE_QINQ1;
}

/* Ethernet and its tags: sets l3, vlan and PKT_VLAN, gives the ethertype; 0: cut short. */
static uint16_t parse_ethernet(struct parse *c)
{
	struct pkt *p = c->p;
	uint16_t ethertype;

	p->vlan[0] = p->vlan[1] = 0;
	p->l3 = RTE_ETHER_HDR_LEN;
	if (c->have < p->l3)
		return 0;
	ethertype = be16_at(c->frame + 2 * RTE_ETHER_ADDR_LEN);
	for (unsigned tags = 0; tags < 2 && is_tag(ethertype); tags++) {
		if (c->have < p->l3 + RTE_VLAN_HLEN)
			return 0;
		p->flags |= PKT_VLAN;
		p->vlan[tags] = be16_at(c->frame + p->l3);
		ethertype = be16_at(c->frame + p->l3 + 2);
		p->l3 += RTE_VLAN_HLEN;
	}
	return ethertype ? ethertype
	                 : 1; /* 0 on the wire is an (empty) 802.3 frame's length, as any below 1536 */
}

static __rte_noinline enum pkt_malformed parse_general(struct rte_mbuf *m, unsigned verify)
{
	struct pkt *p = pkt_of(m);
	struct parse c = { rte_pktmbuf_mtod(m, const uint8_t *), p, m->pkt_len, m->data_len };

	p->flags = 0;
	p->l4 = p->sport = p->dport = 0;
	p->proto = p->tcp_flags = p->icmp_type = p->icmp_code = 0;
	p->inner_l3 = p->inner_l4 = 0;
	p->end = (uint16_t)RTE_MIN(c.length, (uint32_t)UINT16_MAX);
	switch (parse_ethernet(&c)) {
	case 0:
		return PKT_SHORT_FRAME;
	case RTE_ETHER_TYPE_IPV4:
		return parse_ip4(&c, verify);
	case RTE_ETHER_TYPE_IPV6:
		return parse_ip6(&c);
	default:
		return PKT_NOT_IP;
	}
}

/* Neither multicast, broadcast and reserved, loopback nor "this network", by the first byte of an address. */
static __rte_always_inline bool plain_unicast(uint8_t first)
{
	return (uint8_t)(first - 1) < 223 && first != 127;
}

/* A header whose fields are right sums up to 0xffff, its checksum included. */
static __rte_always_inline bool header_sum_ok(const uint8_t *header)
{
	uint32_t words[5];
	uint64_t sum;

	memcpy(words, header, sizeof(words));
	sum = (uint64_t)words[0] + words[1] + words[2] + words[3] + words[4];
	sum = (sum >> 32) + (uint32_t)sum;
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return sum == 0xffff;
}

/* Conditions that nearly always hold are gathered in one word, so that all of them cost one branch. */
static __rte_always_inline bool quick_tcp(const uint8_t *tcp, uint16_t room)
{
	uint16_t header = (tcp[12] >> 4) * 4;
	unsigned wrong = header < sizeof(struct rte_tcp_hdr);

	wrong |= header > room;
	wrong |= raw16_at(tcp) == 0;
	wrong |= raw16_at(tcp + 2) == 0;
	wrong |= tcp_flags_refused(tcp[13]);
	return !wrong;
}

static __rte_always_inline bool quick_udp(const uint8_t *udp, uint16_t room)
{
	uint16_t length = be16_at(udp + 4);
	unsigned wrong = length < sizeof(struct rte_udp_hdr);

	wrong |= length > room;
	return !wrong;
}

/* An IPv4 header without options, whole, between plain addresses, and its packet in the first segment. */
static __rte_always_inline bool quick_ip4(const uint8_t *frame, uint16_t have, uint16_t end)
{
	const uint8_t *ip = frame + QUICK_L3;
	unsigned wrong = be16_at(frame + 2 * RTE_ETHER_ADDR_LEN) != RTE_ETHER_TYPE_IPV4;

	wrong |= ip[0] != RTE_IPV4_VHL_DEF;
	wrong |= be16_at(ip + 6) & (RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK);
	wrong |= end < QUICK_L4;
	wrong |= end > have;
	wrong |= !plain_unicast(ip[12]);
	wrong |= !plain_unicast(ip[16]);
	return !wrong;
}

/* Everything right about a plain packet in one look; false sends it to parse_general(), which finds out. */
static __rte_always_inline bool parse_quick(struct rte_mbuf *m, bool verify)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const uint8_t *ip = frame + QUICK_L3, *l4 = frame + QUICK_L4;
	struct pkt *p = pkt_of(m);
	uint16_t end, room;

	if (unlikely(m->data_len < QUICK_HAVE))
		return false;
	end = QUICK_L3 + be16_at(ip + 2);
	room = end - QUICK_L4;
	if (unlikely(!quick_ip4(frame, m->data_len, end)))
		return false;
	if (unlikely(verify && !header_sum_ok(ip)))
		return false;
	if (ip[9] == IPPROTO_TCP) {
		if (unlikely(!quick_tcp(l4, room)))
			return false;
		p->tcp_flags = l4[13];
	} else {
		if (unlikely(ip[9] != IPPROTO_UDP || !quick_udp(l4, room)))
			return false;
		p->tcp_flags = 0;
	}
	p->flags = PKT_V4;
	p->l3 = QUICK_L3;
	p->l4 = QUICK_L4;
	p->end = end;
	p->sport = raw16_at(l4);
	p->dport = raw16_at(l4 + 2);
	p->proto = ip[9];
	p->icmp_type = p->icmp_code = 0;
	p->vlan[0] = p->vlan[1] = 0;
	return true;
}

static __rte_always_inline enum pkt_malformed parse_one(struct rte_mbuf *m, bool verify)
{
	if (likely(parse_quick(m, verify)))
		return PKT_OK;
	return parse_general(m, verify ? PARSE_VERIFY_IP_CHECKSUM : 0);
}

static __rte_always_inline void parse_vector(struct rte_mbuf **m, enum pkt_malformed *kinds, unsigned n,
                                             bool verify)
{
	for (unsigned i = 0; i < n && i < AHEAD; i++) {
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
		rte_prefetch0_write(pkt_of(m[i]));
	}
	for (unsigned i = 0; i < n; i++) {
		if (i + AHEAD < n) {
			rte_prefetch0(rte_pktmbuf_mtod(m[i + AHEAD], void *));
			rte_prefetch0_write(pkt_of(m[i + AHEAD]));
		}
		kinds[i] = parse_one(m[i], verify);
	}
}

enum pkt_malformed pkt_parse(struct rte_mbuf *m, unsigned verify)
{
	return parse_one(m, verify & PARSE_VERIFY_IP_CHECKSUM);
}

__rte_hot void pkt_parse_burst(struct rte_mbuf **m, enum pkt_malformed *kinds, unsigned n, unsigned verify)
{
	if (verify & PARSE_VERIFY_IP_CHECKSUM)
		parse_vector(m, kinds, n, true);
	else
		parse_vector(m, kinds, n, false);
}
