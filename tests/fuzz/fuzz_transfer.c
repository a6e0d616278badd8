/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frame of a session from a hop's other end, which may be another build, or broken: what is believed of it is a session of some protocol, and
 * headers made of it are those of a packet with just that tuple. Input: the frame behind its Ethernet header.
 */
#include <stdlib.h>

#include "runtime/transfer.h"
#include "support/packets.h"

enum { ETHER = 14, ROOM = 2048 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void check_headers(struct rte_mbuf *m, const struct transfer *t)
{
	struct tuple read;

	transfer_headers(m, &t->before);
	if (pkt_parse(m, 0) != PKT_OK)
		return; /* ports of 0, an extension header's number, ...: no packet has them */
	pkt_of(m)->zone = 0;
	pkt_tuple(m, &read);
	require(read.family == t->before.family && read.proto == t->before.proto);
	require(memcmp(&read.src, &t->before.src, sizeof(read.src)) == 0);
	if (read.sport || read.dport)
		require(read.sport == t->before.sport && read.dport == t->before.dport);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t frame[ROOM] = { 2, [6] = 2, [12] = TRANSFER_ETHERTYPE >> 8, TRANSFER_ETHERTYPE & 0xff };
	struct transfer_frame decoded;
	struct rte_mbuf *m;

	if (size > ROOM - ETHER)
		return 0;
	memcpy(frame + ETHER, data, size);
	m = packet_tight(frame, (uint16_t)(ETHER + size));
	require(transfer_is(m));
	if (transfer_decode(m, &decoded) && decoded.kind == TRANSFER_SESSION) {
		const struct transfer *t = &decoded.session;

		require(flow_carry_valid(&t->carry, t->before.proto) && t->size <= TRANSFER_SLOT_MAX);
		check_headers(m, t);
	}
	packet_free(m);
	return 0;
}
