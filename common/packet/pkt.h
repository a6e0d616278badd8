/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What Sluice knows of a packet: one cache line in the mbuf's private area, filled in once by pkt_parse() and
 * kept true by the pkt_* helpers, which are the only ones that change headers. Owned by the worker that holds
 * the mbuf. A packet that the parser refuses never enters a path.
 */
#ifndef SLUICE_PACKET_PKT_H
#define SLUICE_PACKET_PKT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include <netinet/in.h>

#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "packet/tuple.h"

struct session;

enum pkt_flag {
	PKT_V4 = 1 << 0,
	PKT_V6 = 1 << 1,
	PKT_FRAGMENT = 1 << 2, /* a fragment, first or later */
	PKT_LATER = 1 << 3, /* a fragment without the transport header; sport/dport come from its first one */
	PKT_ICMP_ERROR =
	        1 << 4, /* sport, dport, proto and the tuple are those of the inner header, see pkt_tuple() */
	PKT_ICMP_QUERY = 1 << 5, /* echo and its like: sport == dport == identifier */
	PKT_MULTICAST = 1 << 6,  /* IP destination is multicast or broadcast */
	PKT_VLAN = 1 << 7,
	PKT_OPTIONS = 1 << 8,     /* IPv4 options or IPv6 extension headers are present */
	PKT_TRACE = 1 << 9,       /* marked by a trace filter */
	PKT_ORIGINATED = 1 << 10, /* made by this process */
	PKT_ROUTED = 1 << 11,     /* pkt->adjacency is set and beats routing */
	PKT_VIA = 1 << 12, /* goes to the next hop that a function has named, whatever its destination is */
};

struct pkt {
	uint16_t flags;
	uint16_t l3;           /* offset of the IP header from the start of the frame, bytes */
	uint16_t l4;           /* offset of the transport header; of a later fragment: of its payload */
	uint16_t end;          /* offset just past the IP packet (Ethernet padding lies beyond) */
	uint16_t sport, dport; /* network order; see struct tuple */
	uint8_t zone;          /* zone of the key */
	uint8_t proto;     /* transport protocol, behind any extension headers; of an ICMP error: of the inner
	                      packet */
	uint16_t key_vlan; /* VLAN of the key: see struct tuple; below 4096 */
	uint8_t tcp_flags;
	uint8_t sctp_chunk;           /* SCTP alone: type of the first chunk */
	uint8_t icmp_type, icmp_code; /* of the packet itself, also for an ICMP error */
	/* ICMP error: offsets of the inner headers; inner_l4 is 0 where the quoted packet has no transport
	 * header. */
	uint16_t inner_l3, inner_l4;
	uint16_t in_port; /* engine's number of the port it came by */
	uint16_t trace;   /* number of a marked packet; means something only with PKT_TRACE */
	uint32_t hash;    /* of the tuple, see flow/table.h */
	uint8_t bucket;   /* owner bucket */
	uint8_t dir;      /* 0: the way the session's originator sends, 1: back */
	uint8_t walk;     /* 0: along the path, 1: against it */
	uint8_t turns;    /* how often it turned round (at most two) */
	uint16_t path;    /* path and position where it is to go on, for emitted and handed-off packets */
	uint16_t position;
	struct session *session; /* NULL: not looked up or not found */
	uint32_t adjacency;      /* next hop, when PKT_ROUTED */
	uint16_t vlan[2]; /* tags as on the wire, outer first; 0: none; network order swapped to host */
	uint32_t mark;    /* free for functions of one path, cleared at entry */
	uint8_t stage;    /* the engine's own: where a handed-off or emitted packet goes on */
	uint8_t spare[3];
};
static_assert(sizeof(struct pkt) <= 64, "struct pkt must stay within one cache line");

#define PKT_TUPLE_PLACE(member)                         \
	(offsetof(struct tuple, member) - TUPLE_REST == \
	 offsetof(struct pkt, member) - offsetof(struct pkt, sport))
static_assert(PKT_TUPLE_PLACE(dport) && PKT_TUPLE_PLACE(zone) && PKT_TUPLE_PLACE(proto) &&
                      offsetof(struct pkt, key_vlan) - offsetof(struct pkt, sport) == 6,
              "pkt_tuple_rest() follows struct pkt and struct tuple");

/* tuple_rest() of the packet's tuple. The parser has filled that part of struct pkt in long enough ago for it to be read as a word. */
static inline uint64_t pkt_tuple_rest(const struct pkt *p)
{
	uint64_t rest;

	memcpy(&rest, (const uint8_t *)p + offsetof(struct pkt, sport), sizeof(rest));
	return rest | (uint64_t)(p->flags & PKT_V4 ? FAMILY_V4 : FAMILY_V6) << 60;
}

/* Size of the private area that every mbuf pool of Sluice has. */
#define PKT_PRIVATE_SIZE 64

static inline struct pkt *pkt_of(struct rte_mbuf *m)
{
	return (struct pkt *)(m + 1);
}

/* Protocol of the packet itself, which of an ICMP error is not p->proto: that is the quoted packet's. */
static inline uint8_t pkt_own_proto(const struct pkt *p)
{
	if (p->flags & PKT_ICMP_ERROR)
		return p->flags & PKT_V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	return p->proto;
}

static inline void *pkt_at(struct rte_mbuf *m, uint16_t offset)
{
	return rte_pktmbuf_mtod_offset(m, void *, offset);
}

static inline struct rte_ipv4_hdr *pkt_ip4(struct rte_mbuf *m)
{
	return (struct rte_ipv4_hdr *)pkt_at(m, pkt_of(m)->l3);
}

static inline struct rte_ipv6_hdr *pkt_ip6(struct rte_mbuf *m)
{
	return (struct rte_ipv6_hdr *)pkt_at(m, pkt_of(m)->l3);
}

/* Why a packet was refused; each is a counter of the engine. */
enum pkt_malformed {
	PKT_OK,
	/* Not malformed: ARP or another ethertype; flags has neither PKT_V4 nor PKT_V6, l3 is set. */
	PKT_NOT_IP,
	PKT_SHORT_FRAME,
	PKT_SHORT_IP, /* shorter than its header says, or than a header */
	PKT_BAD_VERSION,
	PKT_BAD_HEADER_LENGTH,
	PKT_BAD_CHECKSUM, /* IPv4 header checksum, when verification is asked for */
	/* Source multicast, broadcast, loopback or unspecified (but 0.0.0.0 may send to 255.255.255.255, as
	 * DHCP does, and :: to ff02::/16, as duplicate address detection does); destination loopback or
	 * unspecified. */
	PKT_BAD_ADDRESS,
	/* IPv6 extension chain too long (bound: 8 headers, 256 bytes), out of order (RFC 8200 4.1: hop-by-hop
	 * first, none twice but destination options), cut short, or a type 0 routing header (RFC 5095). */
	PKT_BAD_EXTENSION,
	PKT_SHORT_TRANSPORT,
	/* TCP data offset, UDP length, port 0 of TCP or SCTP, a chain of SCTP chunks that no host sends. */
	PKT_BAD_TRANSPORT,
	/* TCP flag combinations that no host sends: two of SYN, FIN, RST; none of SYN, RST, ACK. */
	PKT_BAD_FLAGS,
	/* An error whose inner header cannot be read or is an error itself, or a fragment of an error (those
	 * are never long enough). */
	PKT_BAD_ICMP,
	/* Empty, length not a multiple of 8, beyond 65535, a first one too short for its transport header, a
	 * later one inside the TCP header (RFC 3128). */
	PKT_BAD_FRAGMENT,
	PKT_MALFORMED_KINDS
};

/* Names of the kinds, for counters: "short-frame", ... */
extern const char *const pkt_malformed_names[PKT_MALFORMED_KINDS];

/* Flags for pkt_parse: what to verify. */
enum { PARSE_VERIFY_IP_CHECKSUM = 1 };

/* Fills pkt_of(m) from the frame (Ethernet, up to two VLAN tags, IPv4, IPv6 with extension headers, TCP, UDP,
 * SCTP, ICMP, ICMPv6, others, AH among them, by protocol number alone). Sets flags, l3, l4, end, sport, dport,
 * proto, tcp_flags, sctp_chunk, icmp_*, inner_* (ICMP errors only) and vlan; touches nothing else of struct pkt. Only the
 * first segment is looked at; headers that are not in it are linearised beforehand by the port. Frames beyond
 * 65535 bytes are refused as PKT_SHORT_IP. After a refusal struct pkt holds what was found until then and
 * must not be used. RFC 791, 8200, 7112, 9293, 768, 9260, 792, 4443, 5722 (overlapping fragments are dealt with in
 * frag.h). */
enum pkt_malformed pkt_parse(struct rte_mbuf *m, unsigned verify);

/* The same for a vector; kinds[i] is set for each. Prefetches. n <= 64. Bit i of the result: a plain packet, which is PKT_OK, IPv4 without options
 * or tags (l3 is RTE_ETHER_HDR_LEN), whole, of TCP or UDP, between unicast addresses. */
uint64_t pkt_parse_burst(struct rte_mbuf **m, enum pkt_malformed *kinds, unsigned n, unsigned verify);

/* The tuple by which the packet's session is found. For an ICMP error it is the inner header's tuple
 * reversed, that is the tuple of a packet that would travel in the direction of the error. */
void pkt_tuple(struct rte_mbuf *m, struct tuple *t);

/* Rewrites. Each keeps struct pkt and all checksums true by incremental update (RFC 1624; a UDP checksum of
 * 0, none, stays 0), leaves transport bytes of later fragments alone (but sets sport/dport in struct pkt).
 * For an ICMP query, the port is the identifier (both ports of struct pkt change). For an ICMP error these act on the OUTER address only; the inner header has helpers of its own below. Addresses
 * and ports in network order. */
void pkt_set_src4(struct rte_mbuf *m, uint32_t address);
void pkt_set_dst4(struct rte_mbuf *m, uint32_t address);
void pkt_set_src6(struct rte_mbuf *m, const uint8_t address[16]);
void pkt_set_dst6(struct rte_mbuf *m, const uint8_t address[16]);
void pkt_set_sport(struct rte_mbuf *m, uint16_t port);
void pkt_set_dport(struct rte_mbuf *m, uint16_t port);

/* An ICMP error travelling in direction d carries a packet that travelled the other way: its inner source is
 * what the direction's tuple calls destination. Sets inner source or inner destination address and port
 * (identifier), keeping the inner IPv4 header checksum, the inner transport checksum where present and whole,
 * and the outer ICMP checksum true. struct pkt's sport/dport follow (they are the inner ones, reversed). */
void pkt_inner_set_src4(struct rte_mbuf *m, uint32_t address, uint16_t port);
void pkt_inner_set_dst4(struct rte_mbuf *m, uint32_t address, uint16_t port);
void pkt_inner_set_src6(struct rte_mbuf *m, const uint8_t address[16], uint16_t port);
void pkt_inner_set_dst6(struct rte_mbuf *m, const uint8_t address[16], uint16_t port);

/* Decrements TTL or hop limit; the caller has checked that it is above 1. */
static inline void pkt_decrement_ttl(struct rte_mbuf *m)
{
	struct pkt *p = pkt_of(m);

	if (p->flags & PKT_V4) {
		struct rte_ipv4_hdr *ip = pkt_ip4(m);
		uint32_t sum = (uint32_t)ip->hdr_checksum + rte_cpu_to_be_16(0x0100);

		ip->time_to_live--;
		ip->hdr_checksum = (uint16_t)(sum + (sum >= 0xffff));
	} else {
		pkt_ip6(m)->hop_limits--;
	}
}

static inline uint8_t pkt_ttl(struct rte_mbuf *m)
{
	return pkt_of(m)->flags & PKT_V4 ? pkt_ip4(m)->time_to_live : pkt_ip6(m)->hop_limits;
}

/* Computes all checksums of the packet anew (transport ones only where the packet is whole). For originated
 * packets and tests. */
void pkt_checksums(struct rte_mbuf *m);

/* Verifies the transport checksum; true also where there is none to verify (later fragments, UDP 0 over
 * IPv4). */
bool pkt_transport_checksum_ok(struct rte_mbuf *m);

#endif
