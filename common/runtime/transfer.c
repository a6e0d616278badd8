/* SPDX-License-Identifier: BSD-3-Clause */
/* The frames by which sessions move. No state; any thread. */
#include "runtime/transfer.h"

#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

enum {
	MAGIC = 0x534c5452, /* "SLTR" */
	ETHER = sizeof(struct rte_ether_hdr),
	BODY = TRANSFER_HEADERS_MAX,
};

/* As it is sent: both ends are of one architecture, whose order it is in. */
struct wire {
	uint32_t magic;
	uint8_t version, kind, walk, known;
	uint16_t senders, size, slot_version, spare;
	char function_kind[16];
	struct tuple before, behind;
	struct flow_carry carry;
	uint8_t slot[TRANSFER_SLOT_MAX];
};
static_assert(sizeof(struct wire) == 32 + 2 * 40 + 64 + TRANSFER_SLOT_MAX, "no padding");
static_assert(sizeof(struct tuple) == 40, "sent as bytes");

static void put_ether(struct rte_mbuf *m, uint16_t type)
{
	struct rte_ether_hdr *ether = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);

	memset(ether, 0, sizeof(*ether));
	ether->dst_addr.addr_bytes[0] = 2;
	ether->src_addr.addr_bytes[0] = 2;
	ether->ether_type = rte_cpu_to_be_16(type);
}

void transfer_encode(struct rte_mbuf *m, const struct transfer_frame *frame)
{
	char *frame_bytes = rte_pktmbuf_append(m, BODY + sizeof(struct wire));
	const struct transfer *t = &frame->session;
	struct wire filled = {
		.magic = MAGIC,
		.version = TRANSFER_VERSION,
		.kind = (uint8_t)frame->kind,
		.senders = frame->senders,
	};

	if (frame->kind == TRANSFER_SESSION) {
		filled.walk = t->walk;
		filled.known = t->known;
		filled.size = t->size;
		filled.slot_version = t->version;
		memcpy(filled.function_kind, t->kind, sizeof(filled.function_kind));
		filled.before = t->before;
		filled.behind = t->behind;
		filled.carry = t->carry;
		memcpy(filled.slot, t->slot, sizeof(filled.slot));
	}
	put_ether(m, TRANSFER_ETHERTYPE);
	memset(frame_bytes + ETHER, 0, BODY - ETHER);
	memcpy(frame_bytes + BODY, &filled, sizeof(filled));
}

bool transfer_is(const struct rte_mbuf *m)
{
	return rte_pktmbuf_data_len(m) >= ETHER &&
	       rte_pktmbuf_mtod(m, const struct rte_ether_hdr *)->ether_type ==
	               rte_cpu_to_be_16(TRANSFER_ETHERTYPE);
}

static bool tuples_valid(const struct tuple *a, const struct tuple *b)
{
	bool icmp = a->proto == IPPROTO_ICMP || a->proto == IPPROTO_ICMPV6;

	if (a->family != b->family || a->proto != b->proto || a->zone || b->zone)
		return false;
	if (icmp && (a->sport != a->dport || b->sport != b->dport))
		return false;
	if (a->family == FAMILY_V4)
		return a->src.words[1] == 0 && a->src.halves[1] == 0 && a->dst.words[1] == 0 &&
		       a->dst.halves[1] == 0 && b->src.words[1] == 0 && b->src.halves[1] == 0 &&
		       b->dst.words[1] == 0 && b->dst.halves[1] == 0;
	return a->family == FAMILY_V6;
}

static bool session_valid(const struct wire *wire)
{
	return wire->walk <= 1 && wire->known <= 1 && wire->size <= TRANSFER_SLOT_MAX &&
	       memchr(wire->function_kind, 0, sizeof(wire->function_kind)) &&
	       tuples_valid(&wire->before, &wire->behind) &&
	       flow_carry_valid(&wire->carry, wire->before.proto);
}

bool transfer_decode(const struct rte_mbuf *m, struct transfer_frame *frame)
{
	struct transfer *t = &frame->session;
	struct wire wire;

	if (rte_pktmbuf_data_len(m) < BODY + sizeof(wire))
		return false;
	memcpy(&wire, rte_pktmbuf_mtod_offset(m, const uint8_t *, BODY), sizeof(wire));
	if (wire.magic != MAGIC || wire.version != TRANSFER_VERSION || wire.kind < TRANSFER_SESSION ||
	    wire.kind > TRANSFER_END || (wire.kind == TRANSFER_SESSION && !session_valid(&wire)))
		return false;
	frame->kind = wire.kind;
	frame->senders = wire.senders;
	*t = (struct transfer){ .before = wire.before,
		                .behind = wire.behind,
		                .carry = wire.carry,
		                .walk = wire.walk,
		                .known = wire.known,
		                .size = wire.size,
		                .version = wire.slot_version };
	memcpy(t->kind, wire.function_kind, sizeof(t->kind));
	memcpy(t->slot, wire.slot, sizeof(t->slot));
	return true;
}

/* --- headers for owners --- */

static unsigned transport_length(uint8_t proto)
{
	return proto == IPPROTO_TCP ? 20 : proto == IPPROTO_SCTP ? 16 : 8;
}

static void put_transport(uint8_t *at, const struct tuple *t)
{
	memset(at, 0, transport_length(t->proto));
	switch (t->proto) {
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6: /* an echo request, by its identifier */
		at[0] = t->proto == IPPROTO_ICMP ? 8 : 128;
		memcpy(at + 4, &t->sport, 2);
		return;
	case IPPROTO_TCP:
		at[12] = 5 << 4;
		at[13] = 0x10; /* ACK */
		break;
	case IPPROTO_UDP:
		at[5] = 8;
		at[7] = 1; /* some checksum: 0 is none, which IPv6 forbids */
		break;
	case IPPROTO_SCTP: /* with some tag, and a COOKIE ACK */
		at[7] = 1;
		at[12] = 11;
		at[15] = 4;
		break;
	default:
		break;
	}
	memcpy(at, &t->sport, 2);
	memcpy(at + 2, &t->dport, 2);
}

static uint8_t *put_ip4(uint8_t *at, const struct tuple *t)
{
	struct rte_ipv4_hdr ip = {
		.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16((uint16_t)(sizeof(ip) + transport_length(t->proto))),
		.time_to_live = 64,
		.next_proto_id = t->proto,
		.src_addr = t->src.v4,
		.dst_addr = t->dst.v4,
	};

	memcpy(at, &ip, sizeof(ip));
	return at + sizeof(ip);
}

static uint8_t *put_ip6(uint8_t *at, const struct tuple *t)
{
	struct rte_ipv6_hdr ip = {
		.vtc_flow = rte_cpu_to_be_32(6u << 28),
		.payload_len = rte_cpu_to_be_16((uint16_t)transport_length(t->proto)),
		.proto = t->proto,
		.hop_limits = 64,
	};

	memcpy(ip.src_addr, t->src.bytes, 16);
	memcpy(ip.dst_addr, t->dst.bytes, 16);
	memcpy(at, &ip, sizeof(ip));
	return at + sizeof(ip);
}

void transfer_headers(struct rte_mbuf *m, const struct tuple *t)
{
	bool v4 = t->family == FAMILY_V4;
	uint8_t *at = rte_pktmbuf_mtod_offset(m, uint8_t *, ETHER);

	put_ether(m, v4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
	at = v4 ? put_ip4(at, t) : put_ip6(at, t);
	put_transport(at, t);
}
