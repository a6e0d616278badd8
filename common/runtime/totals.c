/* SPDX-License-Identifier: BSD-3-Clause */
/* Sums of what workers count, each word written by one of them and read whole. Control side. */
#include "runtime/process/process.h"

uint64_t engine_total(const struct engine *engine, unsigned counter)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < engine->sizes.workers; i++)
		sum += engine->workers[i]->counters[counter];
	return sum;
}

struct nf_traffic engine_nf_traffic(const struct engine *engine, unsigned id)
{
	struct nf_traffic sum = { 0 };

	for (unsigned i = 0; i < engine->sizes.workers; i++) {
		const struct nf_traffic *t = &engine->workers[i]->traffic[id];

		for (unsigned walk = 0; walk < 2; walk++) {
			sum.packets[walk] += t->packets[walk];
			sum.bytes[walk] += t->bytes[walk];
		}
		sum.drops += t->drops;
		sum.opened += t->opened;
	}
	return sum;
}

struct port_traffic engine_port_traffic(const struct engine *engine, unsigned number)
{
	struct port_traffic sum = { 0 };

	for (unsigned i = 0; i < engine->sizes.workers; i++) {
		const struct port_traffic *t = &engine->workers[i]->port_traffic[number];

		sum.rx_packets += t->rx_packets;
		sum.rx_bytes += t->rx_bytes;
		sum.tx_packets += t->tx_packets;
		sum.tx_bytes += t->tx_bytes;
		sum.tx_dropped += t->tx_dropped;
		sum.rx_bursts += t->rx_bursts;
		sum.rx_full += t->rx_full;
	}
	return sum;
}

uint64_t engine_nf_counter(const struct engine *engine, unsigned id, unsigned counter)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < engine->sizes.workers; i++)
		if (engine->workers[i]->nf_counters[id])
			sum += engine->workers[i]->nf_counters[id][counter];
	return sum;
}

uint64_t engine_edge_total(const struct engine *engine, unsigned counter)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < engine->sizes.workers; i++)
		sum += engine->workers[i]->edge_counters[counter];
	return sum;
}
