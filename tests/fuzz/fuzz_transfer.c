/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frame of a session from a hop's other end, which may be another build, or broken: what is believed of it is a session of some protocol. Input: the frame behind its Ethernet header.
 */
#include <stdlib.h>

#include "runtime/change/transfer.h"
#include "support/packets.h"

enum { ETHER = 14, ROOM = 2048 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
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
	}
	packet_free(m);
	return 0;
}
