/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames for devices that take one segment only. The worker that sends; no state. */
#include "port/port.h"

#include <string.h>

static bool fits(const struct rte_mbuf *m, uint16_t headroom)
{
	return m->nb_segs == 1 && rte_pktmbuf_headroom(m) >= headroom;
}

/* A copy of one segment, with the usual room before it, in place of a frame; NULL: none can be had, the frame is as it was. */
static struct rte_mbuf *copy_of(struct port *port, struct rte_mbuf *m)
{
	uint32_t length = rte_pktmbuf_pkt_len(m);
	struct rte_mbuf *copy = rte_pktmbuf_alloc(port->pool);
	const void *bytes;

	if (!copy)
		return NULL;
	if (length > rte_pktmbuf_tailroom(copy)) {
		rte_pktmbuf_free(copy);
		return NULL;
	}
	bytes = rte_pktmbuf_read(m, 0, length, rte_pktmbuf_mtod(copy, void *));
	if (bytes != rte_pktmbuf_mtod(copy, void *))
		memcpy(rte_pktmbuf_mtod(copy, void *), bytes, length);
	copy->data_len = (uint16_t)length;
	copy->pkt_len = length;
	rte_pktmbuf_free(m);
	return copy;
}

uint16_t port_send_fit(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n, uint16_t headroom,
                       uint16_t (*send)(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n))
{
	uint16_t done = 0;

	while (done < n) {
		uint16_t end = done;
		struct rte_mbuf *copy;

		while (end < n && likely(fits(m[end], headroom)))
			end++;
		if (end > done) {
			uint16_t sent = send(port, queue, m + done, (uint16_t)(end - done));

			done = (uint16_t)(done + sent);
			if (done < end || done == n)
				return done;
		}
		copy = copy_of(port, m[done]);
		if (copy) {
			m[done] = copy;
			continue;
		}
		port_count_oversize(port);
		rte_pktmbuf_free(m[done++]);
	}
	return done;
}
