/* SPDX-License-Identifier: BSD-3-Clause */
/* Toward the ports: one buffer a port and worker, sent when full and at the end of each turn. Worker thread. */
#include "runtime/change/transfer_link.h"
#include "runtime/look/watch.h"

static void flush_port(struct worker *w, unsigned number)
{
	struct tx_buffer *tx = &w->tx[number];
	struct port *port = w->engine->ports[number].port;
	struct port_traffic *traffic = &w->port_traffic[number];
	uint64_t bytes = burst_bytes(tx->m, tx->count);
	unsigned sent;

	if (unlikely(w->watch))
		watch_sent(w, (uint16_t)number, tx->m, tx->count);
	if (unlikely(w->slice.next && slices_link(w, (uint16_t)number)))
		sent = transfer_insist(w, (uint16_t)number, tx->m,
		                       tx->count); /* sessions fill it now and then */
	else
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
static void send_elsewhere(struct worker *w, struct port *port, uint16_t number, struct rte_mbuf **m,
                           unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		pkt_of(m[i])->adjacency = number;
		handoff(w, w->id % port->tx_queues, m[i], STAGE_TRANSMIT);
	}
}

static void send_stray(struct worker *w, struct rte_mbuf **m, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		worker_drop(w, m[i], C_STRAY);
}

static void fill(struct worker *w, uint16_t number, struct rte_mbuf **m, unsigned n)
{
	struct tx_buffer *tx = &w->tx[number];

	memcpy(&tx->m[tx->count], m, n * sizeof(*m));
	tx->count += (uint16_t)n;
	w->tx_dirty |= UINT64_C(1) << number;
	if (tx->count == TX_BURST) {
		w->tx_dirty &= ~(UINT64_C(1) << number);
		flush_port(w, number);
	}
}

void transmit_burst(void *worker, uint16_t number, struct rte_mbuf **m, unsigned n)
{
	struct worker *w = worker;
	struct port *port;

	if (unlikely(number >= w->snapshot->port_count || w->snapshot->ports[number].role == PORT_UNUSED) &&
	    !slices_port(w, number)) {
		send_stray(w, m, n);
		return;
	}
	port = w->engine->ports[number].port;
	if (unlikely(w->id >= port->tx_queues)) {
		send_elsewhere(w, port, number, m, n);
		return;
	}
	for (unsigned done = 0, part; done < n; done += part) {
		part = RTE_MIN(n - done, (unsigned)(TX_BURST - w->tx[number].count));
		fill(w, number, m + done, part);
	}
}

void transmit(void *worker, uint16_t number, struct rte_mbuf *m)
{
	transmit_burst(worker, number, &m, 1);
}
