/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes of a frame that may have several segments. On the thread that holds the packet; private to
 * common/packet.
 */
#ifndef SLUICE_PACKET_COPY_H
#define SLUICE_PACKET_COPY_H

#include <string.h>

#include <rte_mbuf.h>

/* Copies `length` bytes from `offset` on; the frame has them. */
static inline void packet_copy(uint8_t *to, const struct rte_mbuf *m, uint32_t offset, uint32_t length)
{
	for (; length; m = m->next) {
		uint32_t piece = m->data_len > offset ? RTE_MIN(m->data_len - offset, length) : 0;

		if (piece)
			memcpy(to, rte_pktmbuf_mtod_offset(m, const uint8_t *, offset), piece);
		to += piece;
		length -= piece;
		offset -= RTE_MIN(offset, (uint32_t)m->data_len);
	}
}

#endif
