/* SPDX-License-Identifier: BSD-3-Clause */
/* The frames by which sessions move. No state; any thread. */
#include "runtime/change/transfer.h"

#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

enum {
	MAGIC = 0x534c5452, /* "SLTR" */
	ETHER = sizeof(struct rte_ether_hdr),
	BODY = 16, /* where it begins in a frame */
};

/* As it is sent: both ends are of one architecture, whose order it is in. */
struct wire {
	uint32_t magic;
	uint8_t version, kind, walk, known;
	uint16_t senders, size, slot_version, round;
	char function_kind[16];
	struct tuple before, behind;
	struct flow_carry carry;
	uint8_t slot[TRANSFER_SLOT_MAX];
	/* from version 2 on */
	struct tcp_shift shift;
	uint8_t begins, ends, more[14];
};
enum { FIRST_SIZE = 32 + 2 * 40 + 64 + TRANSFER_SLOT_MAX };
static_assert(offsetof(struct wire, shift) == FIRST_SIZE && sizeof(struct wire) == FIRST_SIZE + 32,
              "no padding");
static_assert(sizeof(struct tuple) == 40, "sent as bytes");

static void put_ether(struct rte_mbuf *m, uint16_t type)
{
	struct rte_ether_hdr *ether = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);

	memset(ether, 0, sizeof(*ether));
	ether->dst_addr.addr_bytes[0] = 2;
	ether->src_addr.addr_bytes[0] = 2;
	ether->ether_type = rte_cpu_to_be_16(type);
}

/* What an earlier build understands is written as it knows it. */
static bool needs_more(const struct transfer_frame *frame)
{
	const struct transfer *t = &frame->session;

	return frame->kind == TRANSFER_SESSION && (t->begins || t->ends || t->carry.flags & SESSION_SHIFTED);
}

/* Whether it is about one session, of which it says the tuple and no more. */
static bool names_session(unsigned kind)
{
	return kind == TRANSFER_ASK || kind == TRANSFER_NONE;
}

void transfer_encode(struct rte_mbuf *m, const struct transfer_frame *frame)
{
	uint16_t size = needs_more(frame) ? sizeof(struct wire) : FIRST_SIZE;
	char *frame_bytes = rte_pktmbuf_append(m, BODY + size);
	const struct transfer *t = &frame->session;
	struct wire filled = {
		.magic = MAGIC,
		.version = needs_more(frame) ? TRANSFER_VERSION : 1,
		.kind = (uint8_t)frame->kind,
		.senders = frame->senders,
		.round = frame->round,
	};

	if (names_session(frame->kind))
		filled.before = t->before;

	if (frame->kind == TRANSFER_MESSAGE) {
		memcpy(filled.function_kind, t->kind, sizeof(filled.function_kind));
		memcpy(filled.slot, t->slot, sizeof(filled.slot));
	}
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
		filled.begins = t->begins;
		filled.ends = t->ends;
		filled.shift = t->shift;
	}
	put_ether(m, TRANSFER_ETHERTYPE);
	memset(frame_bytes + ETHER, 0, BODY - ETHER);
	memcpy(frame_bytes + BODY, &filled, size);
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
	if (wire->begins > 1 || wire->ends > 1 || ((wire->begins || wire->ends) && !wire->known))
		return false;
	if (wire->carry.flags & SESSION_SHIFTED &&
	    (wire->version < 2 || wire->before.proto != IPPROTO_TCP || !shift_valid(&wire->shift)))
		return false;
	return wire->walk <= 1 && wire->known <= 1 && wire->size <= TRANSFER_SLOT_MAX &&
	       memchr(wire->function_kind, 0, sizeof(wire->function_kind)) &&
	       tuples_valid(&wire->before, &wire->behind) &&
	       flow_carry_valid(&wire->carry, wire->before.proto);
}

static bool kind_valid(const struct wire *wire)
{
	switch ((enum transfer_kind)wire->kind) {
	case TRANSFER_SESSION:
		return session_valid(wire);
	case TRANSFER_ASK:
	case TRANSFER_NONE:
		return tuples_valid(&wire->before, &wire->before);
	case TRANSFER_MESSAGE:
		return memchr(wire->function_kind, 0, sizeof(wire->function_kind)) != NULL;
	case TRANSFER_PROBE:
	case TRANSFER_ECHO:
		return true;
	}
	return false;
}

bool transfer_decode(const struct rte_mbuf *m, struct transfer_frame *frame)
{
	struct transfer *t = &frame->session;
	struct wire wire = { 0 };

	if (rte_pktmbuf_data_len(m) < BODY + FIRST_SIZE)
		return false;
	memcpy(&wire, rte_pktmbuf_mtod_offset(m, const uint8_t *, BODY), FIRST_SIZE);
	if (wire.version >= 2 && rte_pktmbuf_data_len(m) >= BODY + sizeof(wire))
		memcpy(&wire, rte_pktmbuf_mtod_offset(m, const uint8_t *, BODY), sizeof(wire));
	else if (wire.version != 1)
		return false;
	if (wire.magic != MAGIC || wire.version > TRANSFER_VERSION || !kind_valid(&wire))
		return false;
	frame->kind = wire.kind;
	frame->senders = wire.senders;
	frame->round = wire.round;
	*t = (struct transfer){ .before = wire.before,
		                .behind = wire.behind,
		                .carry = wire.carry,
		                .walk = wire.walk,
		                .known = wire.known,
		                .begins = wire.begins,
		                .ends = wire.ends,
		                .shift = wire.shift,
		                .size = wire.size,
		                .version = wire.slot_version };
	memcpy(t->kind, wire.function_kind, sizeof(t->kind));
	memcpy(t->slot, wire.slot, sizeof(t->slot));
	return true;
}
