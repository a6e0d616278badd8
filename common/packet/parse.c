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

/* First bytes of addresses that are multicast, broadcast and reserved, loopback or "this network". */
static const uint8_t special[256] = { [0] = 1, [127] = 1, [224 ... 255] = 1 };

/* A header whose fields are right sums up to 0xffff, its checksum included: in one's complement, to nothing. */
static __rte_always_inline bool header_sum_ok(const uint8_t *header)
{
	uint32_t words[5];

	memcpy(words, header, sizeof(words));
	return ((uint64_t)words[0] + words[1] + words[2] + words[3] + words[4]) % 0xffff == 0;
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

/* Eight bytes of a frame as one number, whose lowest byte is the first; and such a number of three bytes. */
#define FIRST3(first, second, third) ((uint64_t)(first) | (uint64_t)(second) << 8 | (uint64_t)(third) << 16)

static __rte_always_inline uint64_t bytes8_at(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* An IPv4 header without options, whole, between plain addresses, and its packet in the first segment, of which at least QUICK_HAVE bytes are
 * there. `room` is what follows the header: less than nothing is more than there can be. */
static __rte_always_inline bool quick_ip4(const uint8_t *frame, uint16_t have, uint16_t room)
{
	/* From the type and the first byte of the header on; from its fragment offset on. */
	uint64_t head = bytes8_at(frame + 2 * RTE_ETHER_ADDR_LEN), fragment = bytes8_at(frame + QUICK_L3 + 6);
	uint64_t wrong = (head & FIRST3(0xff, 0xff, 0xff)) ^ FIRST3(0x08, 0x00, RTE_IPV4_VHL_DEF);

	wrong |= fragment & FIRST3(0x3f, 0xff, 0); /* MF and the offset */
	wrong |= room > (uint16_t)(have - QUICK_L4);
	wrong |= special[frame[QUICK_L3 + 12]];
	wrong |= special[frame[QUICK_L3 + 16]];
	return !wrong;
}

/* What the parser says of a plain packet, in a few words. */
static __rte_always_inline void fill_in(struct pkt *p, uint16_t end, const uint8_t *l4, uint8_t proto,
                                        uint8_t tcp_flags)
{
	uint64_t places = PKT_V4 | (uint64_t)QUICK_L3 << 16 | (uint64_t)QUICK_L4 << 32 | (uint64_t)end << 48;

	static_assert(offsetof(struct pkt, l3) == 2 && offsetof(struct pkt, l4) == 4 &&
	                      offsetof(struct pkt, end) == 6 && offsetof(struct pkt, dport) == 10,
	              "words");
	memcpy((void *)p, &places, sizeof(places));
	memcpy((uint8_t *)p + offsetof(struct pkt, sport), l4, sizeof(p->sport) + sizeof(p->dport));
	p->proto = proto;
	p->tcp_flags = tcp_flags;
	p->icmp_type = p->icmp_code = 0;
	p->vlan[0] = p->vlan[1] = 0;
}

/* Everything right about a plain packet in one look; false sends it to parse_general(), which finds out. */
static __rte_always_inline bool parse_quick(struct rte_mbuf *m, bool verify)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const uint8_t *ip = frame + QUICK_L3, *l4 = frame + QUICK_L4;
	uint16_t end, room;

	if (unlikely(m->data_len < QUICK_HAVE))
		return false;
	end = QUICK_L3 + be16_at(ip + 2);
	room = end - QUICK_L4;
	if (unlikely(!quick_ip4(frame, m->data_len, room)))
		return false;
	if (unlikely(verify && !header_sum_ok(ip)))
		return false;
	if (ip[9] == IPPROTO_TCP && likely(quick_tcp(l4, room)))
		fill_in(pkt_of(m), end, l4, IPPROTO_TCP, l4[13]);
	else if (likely(ip[9] == IPPROTO_UDP && quick_udp(l4, room)))
		fill_in(pkt_of(m), end, l4, IPPROTO_UDP, 0);
	else
		return false;
	return true;
}

static __rte_always_inline void prefetch(struct rte_mbuf *m)
{
	rte_prefetch0(rte_pktmbuf_mtod(m, void *));
	rte_prefetch0_write(pkt_of(m));
}

static __rte_always_inline uint64_t parse_vector(struct rte_mbuf **m, enum pkt_malformed *kinds, unsigned n,
                                                 bool verify)
{
	uint64_t plain = 0;

	memset(kinds, PKT_OK, n * sizeof(*kinds));
	for (unsigned i = 0; i < n && i < AHEAD; i++)
		prefetch(m[i]);
	for (unsigned i = 0; i < n; i++) {
		if (i + AHEAD < n)
			prefetch(m[i + AHEAD]);
		if (likely(parse_quick(m[i], verify)))
			plain |= UINT64_C(1) << i;
		else
			kinds[i] = parse_general(m[i], verify ? PARSE_VERIFY_IP_CHECKSUM : 0);
	}
	return plain;
}

enum pkt_malformed pkt_parse(struct rte_mbuf *m, unsigned verify)
{
	return parse_quick(m, verify & PARSE_VERIFY_IP_CHECKSUM) ? PKT_OK : parse_general(m, verify);
}

__rte_hot uint64_t pkt_parse_burst(struct rte_mbuf **m, enum pkt_malformed *kinds, unsigned n,
                                   unsigned verify)
{
	if (verify & PARSE_VERIFY_IP_CHECKSUM)
		return parse_vector(m, kinds, n, true);
	return parse_vector(m, kinds, n, false);
}
