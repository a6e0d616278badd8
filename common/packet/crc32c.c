/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The checksum of SCTP: CRC32c over the packet with a zero in its own place (RFC 9260, appendix A). It knows no addresses, so
 * translations of those leave it alone. Works on one packet, on the thread that holds it.
 */
#include <rte_hash_crc.h>

#include "packet/sctp.h"

/* Goes over `length` bytes from `offset` on, in whatever segments they lie. */
static uint32_t crc_of(const struct rte_mbuf *m, uint32_t offset, uint32_t length, uint32_t crc)
{
	for (; m && length; m = m->next) {
		uint32_t piece = m->data_len > offset ? RTE_MIN(m->data_len - offset, length) : 0;

		if (piece)
			crc = rte_hash_crc(rte_pktmbuf_mtod_offset(m, const uint8_t *, offset), piece, crc);
		length -= piece;
		offset -= RTE_MIN(offset, (uint32_t)m->data_len);
	}
	return crc;
}

uint32_t sctp_crc(struct rte_mbuf *m)
{
	const struct pkt *p = pkt_of(m);
	const uint32_t zero = 0;
	uint32_t crc;

	crc = crc_of(m, p->l4, offsetof(struct rte_sctp_hdr, cksum), UINT32_MAX);
	crc = rte_hash_crc(&zero, sizeof(zero), crc);
	crc = crc_of(m, p->l4 + sizeof(struct rte_sctp_hdr), p->end - p->l4 - sizeof(struct rte_sctp_hdr),
	             crc);
	return rte_cpu_to_le_32(~crc);
}
