/* SPDX-License-Identifier: BSD-3-Clause */
/* Toward the ports: one buffer a port and worker, sent when full and at the end of each turn. Worker thread. */
#include "runtime/look/watch.h"

static void flush_port(struct worker *w, unsigned number)
{
	struct tx_buffer *tx = &w->tx[number];
	struct port *port = w->engine->ports[number].port;
	struct port_traffic *traffic = &w->port_traffic[number];
	uint64_t bytes = 0;
	unsigned sent;

	if (unlikely(w->watch))
		watch_sent(w, (uint16_t)number, tx->m, tx->count);
	for (unsigned i = 0; i < tx->count; i++)
		bytes += rte_pktmbuf_pkt_len(tx->m[i]);
	sent = port->ops->tx(port, w->id, tx->m, tx->count);
	for (unsigned i = sent; i < tx->count; i++) {
		bytes -= rte_pktmbuf_pkt_len(tx->m[i]);
		worker_drop(w, tx->m[i], C_PORT_BUSY);
	}
	traffic->tx_packets += sent;
	traffic->tx_bytes += bytes;
	traffic->tx_dropped += tx->count - sent;
	w->counters[C_SENT] += sent;
	w->counters[C_SENT_BYTES] += bytes;
	tx->count = 0;
}

void transmit_flush(struct worker *w)
{
	while (w->tx_dirty) {
		unsigned port = (unsigned)__builtin_ctzll(w->tx_dirty);

		w->tx_dirty &= w->tx_dirty - 1;
		flush_port(w, port);
	}
}

/* A device with fewer queues than workers is driven by the first of them. */
static bool elsewhere(struct worker *w, struct port *port, uint16_t number, struct rte_mbuf *m)
{
	if (likely(w->id < port->tx_queues))
		return false;
	pkt_of(m)->adjacency = number;
	handoff(w, w->id % port->tx_queues, m, STAGE_TRANSMIT);
	return true;
}

void transmit(void *worker, uint16_t number, struct rte_mbuf *m)
{
	struct worker *w = worker;
	struct tx_buffer *tx;

	if (unlikely(number >= w->snapshot->port_count || w->snapshot->ports[number].role == PORT_UNUSED)) {
		worker_drop(w, m, C_STRAY);
		return;
	}
	if (elsewhere(w, w->engine->ports[number].port, number, m))
		return;
	tx = &w->tx[number];
	tx->m[tx->count++] = m;
	w->tx_dirty |= UINT64_C(1) << number;
	if (tx->count == TX_BURST) {
		w->tx_dirty &= ~(UINT64_C(1) << number);
		flush_port(w, number);
	}
}
